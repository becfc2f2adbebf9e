"""Subject-specific coefficients beside marginal ones, with their intervals and their ratio."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import GREY, INK, TARGETS, headline, new_panels, nothing_to_draw, result_of, wrapped
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.result import Result

LINES = {SUBJECT: ("subject-specific", "average_subject"), MARGINAL: ("marginal", "population")}
"""Words, and the target whose colour and marker it takes, from top to bottom."""
NEEDED = {*LINES, "ratio", *(f"{name}_{end}" for name in LINES for end in ("lower", "upper"))}
PANELS = 3
"""Most panels beside each other."""
LETTERS = 18
"""Of a line of a panel's title, beside the ratio."""


def plot_marginal_vs_conditional(given: Result | Fit, *, title: str | None = None) -> Figure:
    """Draw the table of :func:`bayesglmm.post.marginal.marginal_coefficients`, a panel for each coefficient.

    Parameters
    ----------
    given
        What ``marginal_coefficients`` returned; made with its defaults of a fit.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Dots are posterior means. Coefficients have different units, so each panel has its own axis; zero is marked where it is in sight.
        The ratio of the posterior means, marginal over subject-specific, stands over each panel.

    Raises
    ------
    ArgumentError
        If the result is no result of ``marginal_coefficients``.
    DesignError, FamilyError
        If the model has no fixed effect, or its link no population mean.
    """
    result = result_of(given, "marginal_coefficients", marginal_coefficients)
    table = result.table
    if not set(map(str, table.columns)) >= NEEDED or table.empty:
        raise nothing_to_draw("marginal_coefficients", result)
    columns = 2 if len(table) == 4 else min(PANELS, len(table))
    rows = -(-len(table) // columns)
    titles = 0.2 * any(len(str(name)) > LETTERS for name in table.index)
    figure, panels = new_panels(rows, columns, width=2.0 + 2.6 * columns, height=0.7 + (1.35 + titles) * rows)
    for place, (axes, (name, row)) in enumerate(zip(panels, table.to_dict("index").items(), strict=False)):
        _panel(axes, row, named=place % columns == 0)
        ratio = float(row["ratio"])
        axes.set_title(wrapped(name, LETTERS), loc="left", color=INK)
        axes.set_title(f"ratio {ratio:.2f}" if np.isfinite(ratio) else "", loc="right", fontsize=9, color=INK)
    for axes in panels[len(table) :]:
        axes.set_axis_off()
    headline(figure, result, title)
    return figure


def _panel(axes: Axes, row: dict[Any, Any], *, named: bool) -> None:
    """Draw one coefficient, subject-specific on top."""
    for place, (name, (_, target)) in enumerate(LINES.items()):
        colour, marker, _ = TARGETS[target]
        axes.hlines(place, row[f"{name}_lower"], row[f"{name}_upper"], color=colour, linewidth=2.4)
        axes.plot(row[name], place, marker, color=colour, markersize=7.0, markeredgecolor="white", markeredgewidth=0.8)
    low, high = axes.get_xlim()
    if low < 0.0 < high:
        axes.axvline(0.0, color=GREY, linewidth=0.9, zorder=0)
    axes.set_ylim(len(LINES) - 0.5, -0.5)
    axes.set_yticks(range(len(LINES)), [words if named else "" for words, _ in LINES.values()])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
