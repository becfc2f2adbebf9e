"""Subject-specific, marginal and GEE coefficients with their intervals, a panel for each coefficient."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import COLOURS, GREY, INK, MARKERS, headline, new_panels, nothing_to_draw, result_of, wrapped
from bayesglmm.post.result import Result
from bayesglmm.post.side_by_side import side_by_side

NEEDED = {"coefficient", "estimator", "estimate", "ci_lower", "ci_upper"}
WORDS = {
    "subject_specific": "subject-specific",
    "marginal": "marginal (mixed model)",
    "gee_independence": "GEE, independence",
    "gee_exchangeable": "GEE, exchangeable",
    "gee_ar1": "GEE, autoregressive",
}
PANELS = 3
"""Most panels beside each other."""
LETTERS = 27
"""Of a line of a panel's title."""


def plot_estimators(result: Result | Fit, *, title: str | None = None) -> Figure:
    """Draw the table of :func:`bayesglmm.post.side_by_side.side_by_side`.

    Parameters
    ----------
    result
        What ``side_by_side`` returned; made with its defaults of a fit.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Coefficients have different units, so each panel has its own axis; zero is marked where it is in sight.

    Raises
    ------
    ArgumentError
        If the result is no result of ``side_by_side``.
    BayesglmmError
        As ``side_by_side`` does, of a fit.
    """
    result = result_of(result, "side_by_side", side_by_side)
    if not set(result.table.columns) >= NEEDED or result.table.empty:
        raise nothing_to_draw("side_by_side", result)
    parts = list(result.table.groupby("coefficient", sort=False))
    names = list(dict.fromkeys(result.table["estimator"]))
    columns = 2 if len(parts) == 4 else min(PANELS, len(parts))
    rows = -(-len(parts) // columns)
    titles = 0.2 * any(len(str(name)) > LETTERS for name, _ in parts)
    figure, panels = new_panels(rows, columns, width=2.2 + 2.6 * columns, height=0.7 + (0.75 + titles + 0.32 * len(names)) * rows)
    for at, (axes, (name, part)) in enumerate(zip(panels, parts, strict=False)):
        _panel(axes, str(name), part, [WORDS.get(n, n) for n in names] if at % columns == 0 else [""] * len(names))
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    headline(figure, result, title)
    return figure


def _panel(axes: Axes, name: str, part: Any, labels: list[str]) -> None:
    """Draw one coefficient: an estimate and its interval on each line, the first estimator on top."""
    for at, line in enumerate(part.itertuples()):
        colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        axes.plot([line.ci_lower, line.ci_upper], [at, at], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(line.estimate, at, marker, color=colour, markersize=6.5, markeredgecolor="white", markeredgewidth=0.8)
    low, high = axes.get_xlim()
    if low < 0.0 < high:
        axes.axvline(0.0, color=GREY, linewidth=0.9, zorder=0)
    axes.set_ylim(len(part) - 0.5, -0.5)
    axes.set_yticks(range(len(part)), labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_title(wrapped(name, LETTERS), loc="left", color=INK)
