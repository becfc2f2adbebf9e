"""Are predictions calibrated? The distribution of PIT values, and residuals along the fitted means."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import COLOURS, GREY, INK, MARKERS, headline, new_figure, nothing_to_draw, result_of
from bayesglmm.post.check_pit import check_pit
from bayesglmm.post.pit import pit_residuals
from bayesglmm.post.result import Result
from bayesglmm.types import check_choice

type PitKind = Literal["pit", "residuals"]

MAKERS: Final[Mapping[str, Callable[[Fit], Result]]] = {"pit": check_pit, "residuals": pit_residuals}
"""What each kind of picture draws."""
NAMES = "check_pit or pit_residuals"
DIFFERENCES = {"at", "difference", "lower", "upper", "outside"}
RESIDUALS = {"fitted", "residual"}
NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def plot_pit(given: Result | Fit, *, kind: str = "pit", title: str | None = None) -> Figure:
    """Draw the ECDF of PIT values less the uniform one, with its simultaneous envelope; or residuals along the fitted means.

    Parameters
    ----------
    given
        What :func:`check_pit <bayesglmm.post.check_pit.check_pit>` or :func:`pit_residuals <bayesglmm.post.pit.pit_residuals>` returned,
        or a fit.
    kind
        For a fit: ``pit``, the ECDF difference; ``residuals``, normal quantiles of the PIT values of single rows.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Calibrated predictions stay inside the envelope; their residuals are spread like standard normal numbers
        whatever the fitted mean, 95 % of them between the dashed lines.

    Raises
    ------
    ArgumentError
        If it was given anything else, or the kind is unknown.
    """
    check_choice("kind", kind, PitKind)
    result = result_of(given, NAMES, MAKERS[kind])
    columns = set(map(str, result.table.columns))
    if not result.table.empty and columns >= DIFFERENCES:
        figure = _differences(result)
    elif not result.table.empty and columns >= RESIDUALS:
        figure = _residuals(result)
    else:
        raise nothing_to_draw(NAMES, result)
    headline(figure, result, title)
    return figure


def _differences(result: Result) -> Figure:
    """Draw the ECDF difference in its envelope."""
    table = result.table.sort_values("at")
    figure, axes = new_figure()
    x, outside = table["at"], table[table["outside"].astype(bool)]
    axes.fill_between(x, table["lower"], table["upper"], color=GREY, alpha=0.35, linewidth=0.0, label="simultaneous envelope")
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
    axes.plot(x, table["difference"], color=COLOURS[0], linewidth=1.6, label="ECDF of PIT values less uniform")
    if len(outside):
        axes.plot(outside["at"], outside["difference"], MARKERS[1], color=COLOURS[1], markersize=4.5, label="outside the envelope")
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("probability integral transform (PIT)")
    axes.set_ylabel("ECDF difference")
    common_legend(figure, (axes,), 2)
    return figure


def _residuals(result: Result) -> Figure:
    """Draw residuals of rows along fitted means."""
    table = result.table
    figure, axes = new_figure()
    axes.axhline(0.0, color=INK, linewidth=0.8, zorder=1)
    for end in (-NORMAL_95, NORMAL_95):
        axes.axhline(end, color=INK, linewidth=0.8, linestyle="--", zorder=1)
    axes.plot(table["fitted"], table["residual"], MARKERS[0], color=COLOURS[0], markersize=3.5, alpha=0.6, markeredgewidth=0.0)
    axes.set_xlabel("fitted mean of the row's group")
    axes.set_ylabel("residual (normal quantile of the PIT value)")
    return figure
