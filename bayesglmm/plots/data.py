"""Data before any model: responses by level, over time, along a covariate, what is missing, and the structure of the design."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.structure import plot_structure
from bayesglmm.plots.style import COLOURS, GREY, INK, MARKERS, NAMED, headline, new_figure, new_panels, nothing_to_draw, short, wrapped
from bayesglmm.post.data_views import GROUPS, SMOOTH, SUBJECTS, data_view
from bayesglmm.post.result import Result
from bayesglmm.post.structure import STRUCTURE
from bayesglmm.post.visits import MISSING, STATES

ROW_HEIGHT, TALL = 0.2, 6.5
"""Inches of a level with its name, and of all levels where they have none."""
DOTS = 20_000
"""Most dots; of more, every so-manieth is drawn and the legend says so."""
DOT_AREA, SMALL_DOT_AREA = 22.0, 9.0
LARGEST_DOT = 110.0
"""Points squared: the most area of a dot that stands for one row, among few and many levels, and of one that stands for many."""
COLUMNS = 4
"""Panels beside each other."""
STATE_COLOURS = ("#f2f2f2", COLOURS[1], COLOURS[4], COLOURS[0])
TITLE = 18
"""Most letters over a level's panel."""
TICKS = 12
"""Most names along the axis of times."""


def plot_data(  # noqa: PLR0913 (one public call; all but two are keywords)
    given: Any,
    data: Any = None,
    *,
    kind: str = GROUPS,
    factor: str | None = None,
    time: str | None = None,
    family: str = "gaussian",
    title: str | None = None,
) -> Figure:
    """Draw the data that a model is meant for; nothing is fitted.

    Parameters
    ----------
    given
        A formula, a spec or a fit; or what :func:`bayesglmm.post.data_views.data_view` returned.
    data
        A table, for a formula or a spec.
    kind
        ``groups``: the responses of every level, levels in the order of their means. ``subjects``: a panel per level, up to 12 of them,
        responses along ``time``. ``smooth``: running mean of the response along ``time``, of all rows or by ``factor``. ``missing``: who
        was observed when. ``structure``: the random-effects design matrix Z.
    factor
        A grouping factor of the formula or a column of the table; None takes the first grouping factor, for ``smooth`` none.
    time
        A column of the table; None takes the first numeric covariate that changes.
    family
        For a formula.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved.

    Raises
    ------
    ArgumentError
        If there is nothing to draw.
    BayesglmmError
        If anything about the formula, the data or an argument is wrong.
    """
    result = given if isinstance(given, Result) else data_view(given, data, kind=kind, factor=factor, time=time, family=family)
    if result.draws.attrs.get("kind") == STRUCTURE:
        return plot_structure(result, title=title)
    draw = _DRAW.get(str(result.draws.attrs.get("kind")))
    if draw is None:
        raise nothing_to_draw("data_view", result)
    figure = draw(result)
    headline(figure, result, title)
    return figure


def _groups(result: Result) -> Figure:
    """Draw levels one below the other, the lowest mean at the foot."""
    table, draws = result.table, result.draws
    few = len(table) <= NAMED
    figure, axes = new_figure(height=max(3.2, 1.4 + ROW_HEIGHT * len(table)) if few else TALL)
    rank, response, rows = (draws[c].to_numpy() for c in ("rank", "response", "rows"))
    shown = np.arange(len(rank)) if len(rank) <= DOTS else np.linspace(0, len(rank) - 1, DOTS).round().astype(np.int64)
    label = "rows; the area of a dot counts them" if rows.max() > 1 else "rows"
    counted = label if len(shown) == len(rank) else f"{label} ({DOTS:,} of {len(rank):,} dots)"
    area = min(DOT_AREA if few else SMALL_DOT_AREA, LARGEST_DOT / float(rows.max())) * rows[shown]
    axes.scatter(response[shown], rank[shown], s=area, color=COLOURS[0], alpha=0.45, linewidths=0.0, label=counted)
    style: dict[str, Any] = {"color": COLOURS[1], "markersize": 5 if few else 2.5, "markeredgewidth": 0.0, "label": "mean of the level"}
    axes.plot(table["mean"], np.arange(len(table)), MARKERS[2], **style)
    axes.set_yticks(np.arange(len(table)) if few else [], [short(v) for v in table["level"]] if few else [])
    axes.set_ylim(-1.0, len(table))
    axes.set_ylabel(short(draws.attrs["factor"]))
    axes.set_xlabel(wrapped(draws.attrs["response"], 60))
    common_legend(figure, (axes,), 2)
    return figure


def _subjects(result: Result) -> Figure:
    """Draw a panel per level, all with the same axes."""
    draws, names = result.draws, list(result.table["level"])
    level, x, y = (draws[c].to_numpy() for c in ("level", "along", "response"))
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure, panels = new_panels(rows, columns, width=max(5.0, 2.4 * columns), height=1.3 + 1.9 * rows)
    line = "none" if np.isin(y, (0.0, 1.0)).all() else "-"  # between zeros and ones there is nothing
    for at, (axes, name) in enumerate(zip(panels, names, strict=False)):
        own = level == name
        axes.plot(x[own], y[own], MARKERS[0], linestyle=line, color=COLOURS[0], markersize=4, linewidth=1.0, label="rows")
        mean = float(result.table["mean"].iloc[at])
        axes.axhline(mean, color=COLOURS[1], linewidth=1.0, linestyle="--", zorder=1, label="mean of the level")
        axes.set_title(short(name, TITLE), loc="left", color=INK)
        _ends(axes, x, y)
        _ticks(axes, draws.attrs["ticks"])
        if at >= len(names) - columns:
            axes.set_xlabel(short(draws.attrs["along"]))
        if at % columns == 0:
            axes.set_ylabel(short(draws.attrs["response"]))
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    common_legend(figure, panels[: len(names)], 2)
    return figure


def _smooth(result: Result) -> Figure:
    """Draw running means with their intervals, a line per level."""
    draws, (figure, axes) = result.draws, new_figure()
    for at, (level, part) in enumerate(result.table.groupby("level", sort=False)):
        colour = COLOURS[at % len(COLOURS)]
        known = part["ci_lower"].notna()
        axes.vlines(part["value"][known], part["ci_lower"][known], part["ci_upper"][known], color=colour, alpha=0.6, linewidth=1.4)
        style: dict[str, Any] = {"color": colour, "marker": MARKERS[at % len(MARKERS)], "linewidth": 1.6, "markersize": 5}
        axes.plot(part["value"], part["mean"], label=short(level) if level else "all rows", **style)
    axes.set_xlabel(short(draws.attrs["along"], 48))
    axes.set_ylabel(f"mean of {short(draws.attrs['response'], 32)}")
    _ticks(axes, draws.attrs["ticks"])
    prob = "" if result.interval is None else f"; lines: {100 * result.interval.prob:g} % intervals as if rows were independent"
    figure.legend(loc="outside lower center", ncols=3, title=f"{short(draws.attrs['factor']) or 'running mean'}{prob}")
    return figure


def _missing(result: Result) -> Figure:
    """Draw the share observed at each time above, the pattern of visits below."""
    draws, table = result.draws, result.table
    state = draws["state"].to_numpy()
    figure, (top, below) = new_panels(2, 1, width=7.0, height=6.5, heights=(1.0, 2.0))
    at = np.arange(len(table))
    top.plot(at, table["share"], MARKERS[0], linestyle="-", color=COLOURS[0], linewidth=1.6)
    top.set_ylim(0.0, 1.04)
    top.set_xlim(-0.5, len(table) - 0.5)
    top.set_ylabel("share observed")
    below.imshow(state, cmap=ListedColormap(STATE_COLOURS), vmin=-0.5, vmax=len(STATES) - 0.5, aspect="auto", interpolation="nearest")
    below.set_ylabel(f"{short(draws.attrs['factor'])}, longest seen first")
    below.set_yticks([])
    below.grid(visible=False)
    for axes in (top, below):
        _names(axes, [short(v) for v in table["time"]])
    below.set_xlabel(short(draws.attrs["along"], 48))
    present = [at for at in range(len(STATES)) if (state == at).any()]
    patches = [Patch(facecolor=STATE_COLOURS[at], edgecolor=GREY, label=STATES[at]) for at in reversed(present)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches))
    return figure


_DRAW: Final[Mapping[str, Callable[[Result], Figure]]] = {GROUPS: _groups, SUBJECTS: _subjects, SMOOTH: _smooth, MISSING: _missing}


def _ends(axes: Axes, x: Any, y: Any) -> None:
    """Give a panel the limits of all data, a little wider."""
    for values, limits in ((x, axes.set_xlim), (y, axes.set_ylim)):
        low, high = float(values.min()), float(values.max())
        margin = 0.06 * (high - low) or 0.5
        limits(low - margin, high + margin)


def _ticks(axes: Axes, labels: Any) -> None:
    """Name the positions of a factor's levels."""
    if labels is not None:
        axes.set_xticks(np.arange(len(labels)), [short(v) for v in labels])


def _names(axes: Axes, names: list[str]) -> None:
    """Name positions along an axis, every so-manieth where there are many."""
    step = -(-len(names) // TICKS)
    axes.set_xticks(np.arange(0, len(names), step), names[::step])
