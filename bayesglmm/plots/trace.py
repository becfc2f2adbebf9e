"""How chains move, and whether they agree: traces and ranks of draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import COLOURS, GREY, INK, headline, new_panels, nothing_to_draw, wrapped
from bayesglmm.post.result import Result
from bayesglmm.post.traces import ranks, traces

LINES = ("-", "--", "-.", ":")
"""Second cue beside the colour of a chain, where lines are few enough to tell."""
COUNTS = {"parameter", "chain", "from", "to", "count", "expected", "lower", "upper"}
LETTERS = 32
"""Of a panel's title, beside R-hat."""
PANELS = 2
"""Panels beside each other."""


def plot_trace(given: Any, *, parameters: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Draw the draws of each chain in the order they were made, a panel per parameter.

    Parameters
    ----------
    given
        A fit, a DataTree with draws, or what :func:`bayesglmm.post.traces.traces` or ``summary`` returned.
    parameters
        Names, as in a summary or of random effects, ``1|patient[17]``; of a fit the 8 with the largest R-hat when None.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Chains in colours; ticks at the foot of a panel mark divergent transitions.

    Raises
    ------
    ArgumentError
        If there is nothing to draw, or no such parameter.
    """
    result = _result(given, parameters, traces)
    if not {"value"} <= set(result.draws.data_vars) or "r_hat" not in result.table:
        raise nothing_to_draw("traces", result)
    labels = [str(v) for v in result.draws["parameter"].to_numpy()]
    figure, panels = _grid(len(labels))
    diverging = result.draws["diverging"].to_numpy() if "diverging" in result.draws else None
    for at, (axes, name) in enumerate(zip(panels, labels, strict=False)):
        values = result.draws["value"].isel(parameter=at).to_numpy()
        for chain, line in enumerate(values):
            axes.plot(
                np.arange(len(line)), line, color=COLOURS[chain % len(COLOURS)], linewidth=0.6, alpha=0.75, label=f"chain {chain + 1}"
            )
        if diverging is not None and diverging.any():
            where = np.flatnonzero(diverging.any(axis=0))  # in any chain
            foot = axes.get_xaxis_transform()
            axes.plot(where, np.full(len(where), 0.02), "|", color=INK, markersize=8, transform=foot, label="divergent")
        axes.set_title(_heading(name, float(result.table["r_hat"].iloc[at])), loc="left", color=INK)
    headline(figure, result, title)
    return _finished(figure, panels, len(labels), "draw")


def plot_rank(given: Any, *, parameters: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Draw how often the draws of each chain fall into bins of the ranks of all draws, a panel per parameter.

    Parameters
    ----------
    given
        A fit, a DataTree with draws, or what :func:`bayesglmm.post.traces.ranks` returned.
    parameters, title
        As for :func:`plot_trace`.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Chains that agree have steps about the line, mostly in the band.

    Raises
    ------
    ArgumentError
        If there is nothing to draw, no such parameter, or one chain only.
    """
    result = _result(given, parameters, ranks)
    if not set(result.table.columns) >= COUNTS:
        raise nothing_to_draw("ranks", result)
    parts = list(result.table.groupby("parameter", sort=False))
    figure, panels = _grid(len(parts))
    for axes, (name, part) in zip(panels, parts, strict=False):
        _ranks(axes, part)
        axes.set_title(_heading(str(name), float(part["r_hat"].iloc[0])), loc="left", color=INK)
    headline(figure, result, title)
    figure.supylabel("draws in a bin of ranks", fontsize=10)
    return _finished(figure, panels, len(parts), "rank among all draws, as a share")


def _ranks(axes: Axes, part: Any) -> None:
    """Draw one parameter: the band, the expected count, and a line of steps for every chain."""
    first = part[part["chain"] == part["chain"].iloc[0]]
    edges = np.append(first["from"].to_numpy(), 1.0)
    axes.stairs(first["upper"], edges, baseline=first["lower"], fill=True, color=GREY, alpha=0.3, label="band if chains agree")
    axes.stairs(first["expected"], edges, baseline=None, color=INK, linewidth=0.9)
    for at, (chain, own) in enumerate(part.groupby("chain", sort=False)):
        style: dict[str, Any] = {"color": COLOURS[at % len(COLOURS)], "linestyle": LINES[at % len(LINES)]}
        axes.stairs(own["count"], edges, baseline=None, linewidth=1.3, label=f"chain {chain + 1}", **style)
    axes.set_ylim(bottom=0.0)


def _result(given: Any, parameters: Sequence[str] | None, make: Any) -> Result:
    """Return a result as it is; of a fit or its draws what ``make`` finds."""
    if not isinstance(given, Result):
        return make(given, parameters=parameters)  # type: ignore[no-any-return]
    if parameters is not None:
        raise ArgumentError(
            "a result has its parameters already", where="parameters=", fix=f"name them in {make.__name__}(fit, parameters=...)"
        )
    return given


def _grid(n: int) -> tuple[Figure, tuple[Axes, ...]]:
    columns = min(PANELS, n)
    rows = -(-n // columns)
    return new_panels(rows, columns, width=max(6.5, 5.0 * columns), height=1.0 + 1.75 * rows)


def _heading(name: str, r_hat: float) -> str:
    words = wrapped(name, LETTERS, lines=1)
    return words if np.isnan(r_hat) else f"{words}   R-hat {r_hat:.3f}"


def _finished(figure: Figure, panels: Sequence[Axes], n: int, xlabel: str) -> Figure:
    for axes in panels[n:]:
        axes.set_axis_off()
    for axes in panels[max(0, n - PANELS) : n]:
        axes.set_xlabel(xlabel)
    common_legend(figure, panels[:n], 6)
    return figure
