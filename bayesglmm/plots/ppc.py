"""Do data that the model makes look like the data? Level by level, value by value, probability by probability, number by number."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import (
    COLOURS,
    GREY,
    INK,
    MARKERS,
    NAMED,
    headline,
    new_figure,
    new_panels,
    nothing_to_draw,
    plain,
    result_of,
    short,
    wrapped,
)
from bayesglmm.post.check import check
from bayesglmm.post.check_calibration import check_calibration
from bayesglmm.post.check_distribution import check_distribution
from bayesglmm.post.check_groups import check_groups
from bayesglmm.post.result import Result
from bayesglmm.types import check_choice

type PpcKind = Literal["groups", "distribution", "calibration", "statistics"]

MAKERS: Final[Mapping[str, Callable[[Fit], Result]]] = {
    "groups": check_groups,
    "distribution": check_distribution,
    "calibration": check_calibration,
    "statistics": check,
}
"""What each kind of picture draws."""
NAMES = "check, check_groups, check_distribution, check_calibration or check_autocorrelation"
REPLICATED = {"observed", "ci_lower", "ci_upper", "outside"}
ROW_HEIGHT, TALL = 0.2, 6.5
"""Inches of a level with its name, and of all levels where they have none."""
DOT, SMALL_DOT = 4.5, 2.2
"""Points across: what is observed, of few and of many levels."""
BARS = 40
"""Most values that are drawn as bars of a rootogram; more are lines."""
PANELS = 3
"""Most panels beside each other."""


def plot_ppc(given: Result | Fit, *, kind: str | None = None, title: str | None = None) -> Figure:
    """Draw a posterior predictive check: the data against replicated data.

    Parameters
    ----------
    given
        What :func:`check <bayesglmm.post.check.check>`, ``check_groups``, ``check_distribution``, ``check_calibration`` or
        ``check_autocorrelation`` returned, or a fit.
    kind
        For a fit: ``groups``, the levels of all grouping factors one by one; ``distribution``, how often each value occurs
        (a rootogram), or the ECDF of a continuous response; ``calibration`` of probabilities; ``statistics`` of all data together. None
        takes ``groups``, of a model without grouping factors ``distribution``.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. What is observed is a dot or a line, a square where it lies outside; grey is the interval of the replicated
        data.

    Raises
    ------
    ArgumentError
        If it was given anything else, the kind is unknown, or the model has no grouping factor.
    FamilyError
        For the calibration of a response that is no probability.
    """
    if kind is None:
        kind = "distribution" if isinstance(given, Fit) and not given.design.groups else "groups"
    check_choice("kind", kind, PpcKind)
    result = result_of(given, NAMES, MAKERS[kind])
    columns = set(map(str, result.table.columns))
    for own, draw in _DRAW.items():
        if own in columns and columns >= REPLICATED and not result.table.empty:
            figure = draw(result)
            headline(figure, result, title)
            return figure
    raise nothing_to_draw(NAMES, result)


def _groups(result: Result) -> Figure:
    """Levels one below the other, in the order of what is observed, a panel per factor."""
    parts = list(result.table.groupby("factor", sort=False))
    most = max(len(part) for _, part in parts)
    height = max(3.2, 1.4 + ROW_HEIGHT * most) if most <= NAMED else TALL
    figure, panels = new_panels(1, len(parts), width=max(6.0, 4.5 * len(parts)), height=height)
    for axes, (factor, part) in zip(panels, parts, strict=True):
        ordered = part.sort_values("observed", kind="stable")
        heights = np.arange(len(ordered))
        few = len(ordered) <= NAMED
        axes.hlines(heights, ordered["ci_lower"], ordered["ci_upper"], color=GREY, linewidth=2.2 if few else 0.6, label=_interval(result))
        axes.plot(ordered["median"], heights, "|", color=INK, markersize=5 if few else 3, label="median of replicated data", zorder=4)
        size = DOT if few else SMALL_DOT
        _observed(axes, ordered["observed"].to_numpy(), heights, ordered["outside"].to_numpy(dtype=bool), size=size)
        axes.set_yticks(heights if few else [], [short(v) for v in ordered["level"]] if few else [])
        axes.set_ylim(-1.0, len(ordered))
        axes.set_ylabel(short(factor))
        axes.set_xlabel(wrapped(_statistic_words(result), 50))
    common_legend(figure, panels, 2)
    return figure


def _statistic_words(result: Result) -> str:
    """Name the statistic and the response, where the result knows them."""
    known = result.draws.attrs
    return f"{known['statistic']} of {known['response']} per level" if {"statistic", "response"} <= set(known) else "statistic of a level"


def _distribution(result: Result) -> Figure:
    """How often each value occurs on a square-root scale, or ECDFs."""
    table = result.table.sort_values("value")
    figure, axes = new_figure()
    x, observed = table["value"], table["observed"].to_numpy()
    counts = bool(np.array_equal(x, np.arange(len(x))))
    if counts and len(table) <= BARS:
        axes.vlines(x, table["ci_lower"], table["ci_upper"], color=GREY, alpha=0.8, linewidth=6.0, label=_interval(result))
        axes.plot(x, table["median"], "_", color=INK, markersize=9, label="median of replicated data")
        _observed(axes, x.to_numpy(), observed, table["outside"].to_numpy(dtype=bool))
    else:
        axes.fill_between(x, table["ci_lower"], table["ci_upper"], color=GREY, alpha=0.4, linewidth=0.0, label=_interval(result))
        axes.plot(x, table["median"], "--", color=INK, linewidth=1.0, label="median of replicated data")
        axes.plot(x, observed, color=COLOURS[0], linewidth=1.6, label="observed")
        _mark_outside(axes, table, "value")
    if counts:
        axes.set_yscale("function", functions=(_root, np.square))
        axes.set_ylim(bottom=0.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(wrapped(result.draws.attrs.get("response", "response"), 50))
    axes.set_ylabel("rows with this value (square-root scale)" if counts else "share of rows up to this value")
    common_legend(figure, (axes,), 2)
    return figure


def _calibration(result: Result) -> Figure:
    """Observed frequency against predicted probability, with the band of a calibrated model."""
    table = result.table.sort_values("predicted")
    figure, axes = new_figure(6.0, 5.4)
    x = table["predicted"]
    axes.plot([0.0, 1.0], [0.0, 1.0], color=INK, linewidth=0.8, zorder=1)
    axes.fill_between(x, table["ci_lower"], table["ci_upper"], color=GREY, alpha=0.4, linewidth=0.0, label=_interval(result))
    axes.plot(x, table["observed"], color=COLOURS[0], linewidth=1.8, label="observed (isotonic regression)")
    _mark_outside(axes, table, "predicted")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed frequency")
    common_legend(figure, (axes,), 2)
    return figure


def _statistics(result: Result) -> Figure:
    """Draw a panel per statistic, each with an axis of its own."""
    table = result.table
    columns = min(PANELS, len(table))
    rows = -(-len(table) // columns)
    figure, panels = new_panels(rows, columns, width=2.0 + 2.6 * columns, height=1.3 + 1.1 * rows)
    for axes, (_, line) in zip(panels, table.iterrows(), strict=False):
        axes.hlines([0.0], line["ci_lower"], line["ci_upper"], color=GREY, linewidth=6.0, label=_interval(result))
        axes.plot([line["median"]], [0.0], "|", color=INK, markersize=14, label="median of replicated data")
        _observed(axes, np.array([line["observed"]]), np.zeros(1), np.array([bool(line["outside"])]))
        axes.set_title(plain(line["statistic"]), loc="left", color=INK)
        axes.set_yticks([])
        axes.set_ylim(-0.5, 0.5)
        axes.margins(x=0.15)
        axes.spines["left"].set_visible(False)
    for axes in panels[len(table) :]:
        axes.set_axis_off()
    common_legend(figure, panels, 2)
    return figure


def _lags(result: Result) -> Figure:
    """Correlation of residuals by the number of rows between them."""
    table = result.table
    figure, axes = new_figure()
    lags = table["lag"].to_numpy()
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
    axes.vlines(lags, table["ci_lower"], table["ci_upper"], color=GREY, linewidth=6.0, label=_interval(result))
    _observed(axes, lags, table["observed"].to_numpy(), table["outside"].to_numpy(dtype=bool))
    axes.set_xticks(lags)
    axes.set_xlabel("rows apart")
    axes.set_ylabel("correlation of residuals")
    common_legend(figure, (axes,), 2)
    return figure


_DRAW: Final[Mapping[str, Callable[[Result], Figure]]] = {
    "level": _groups,
    "value": _distribution,
    "predicted": _calibration,
    "statistic": _statistics,
    "lag": _lags,
}
"""By the column that only one kind of table has."""


def _observed(axes: Axes, x: Any, y: Any, outside: Any, *, size: float = DOT) -> None:
    """Draw what is observed, a square where it lies outside."""
    for own, at, label in ((~outside, 0, "observed"), (outside, 1, "observed, outside")):
        if own.any():
            axes.plot(x[own], y[own], MARKERS[at], color=COLOURS[at], markersize=size + at, label=label, zorder=3)


def _mark_outside(axes: Axes, table: Any, along: str) -> None:
    """Mark the parts of an observed line that lie outside."""
    outside = table[table["outside"].astype(bool)]
    if len(outside):
        axes.plot(outside[along], outside["observed"], MARKERS[1], color=COLOURS[1], markersize=4.5, label="observed, outside")


def _interval(result: Result) -> str:
    return "interval of replicated data" if result.interval is None else f"{100 * result.interval.prob:g} % of replicated data"


def _root(x: Any) -> Any:
    """Square root; below zero, where the axis asks before its limits are set, zero."""
    return np.sqrt(np.maximum(x, 0.0))
