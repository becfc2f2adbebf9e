"""Are random effects normal? Quantiles of the standardised effects of all levels against those of the normal distribution."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import COLOURS, CONSTANT, GREY, INK, MARKERS, headline, new_panels, nothing_to_draw, result_of, short, wrapped
from bayesglmm.post.check_effects import check_effects
from bayesglmm.post.result import Result

NEEDED = {"factor", "effect", "level", "normal_quantile", "mean", "ci_lower", "ci_upper", "lower", "upper", "outside"}
PANELS = 3
"""Most panels beside each other."""
LETTERS = 14
"""Of the name of a level in a panel."""
NAMED = 8
"""Most levels outside the band that a panel names."""


def plot_qq(given: Result | Fit, *, title: str | None = None) -> Figure:
    """Draw :func:`bayesglmm.post.check_effects.check_effects`, a panel per effect of each grouping factor.

    Parameters
    ----------
    given
        What ``check_effects`` returned, or a fit.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Dots are posterior means of the ordered effects with their intervals; the band is where each of them lies
        under normality with 95 % probability. Levels outside are squares, and named where there are few.

    Raises
    ------
    ArgumentError
        If it was given anything else, or the model has no grouping factor.
    """
    result = result_of(given, "check_effects", check_effects)
    table = result.table
    if not set(table.columns) >= NEEDED or table.empty:
        raise nothing_to_draw("check_effects", result)
    parts = list(table.groupby(["factor", "effect"], sort=False))
    columns = min(PANELS, len(parts))
    rows = -(-len(parts) // columns)
    figure, panels = new_panels(rows, columns, width=max(5.5, 4.0 * columns), height=0.9 + 3.6 * rows)
    for axes, ((factor, effect), part) in zip(panels, parts, strict=False):
        _panel(axes, part.sort_values("normal_quantile"), _band(result))
        axes.set_title(wrapped(f"{'intercept' if effect == CONSTANT else effect} of {factor}", 36), loc="left", color=INK)
        axes.set_xlabel("normal quantile")
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    panels[0].set_ylabel("random effect, in SDs of its distribution")
    headline(figure, result, title)
    common_legend(figure, panels, 3)
    return figure


def _panel(axes: Axes, part: Any, band: str) -> None:
    """Draw one effect: the band, the line of a perfect match, and the levels from the lowest to the highest."""
    x = part["normal_quantile"]
    axes.fill_between(x, part["lower"], part["upper"], color=GREY, alpha=0.3, linewidth=0.0, label=band)
    axes.plot(x, x, color=INK, linewidth=0.9, zorder=1)
    axes.vlines(x, part["ci_lower"], part["ci_upper"], color=COLOURS[0], alpha=0.35, linewidth=0.9)
    inside, outside = part[~part["outside"]], part[part["outside"]]
    for own, at, label in ((inside, 0, "posterior mean and interval"), (outside, 1, "outside the band")):
        if len(own):
            axes.plot(own["normal_quantile"], own["mean"], MARKERS[at], color=COLOURS[at], markersize=4 + at, label=label)
    if len(outside) <= NAMED:
        for line in outside.itertuples():
            side = -1 if line.normal_quantile > 0.0 else 1  # towards the middle, so that the name stays in the panel
            place: dict[str, Any] = {"xytext": (6 * side, 0), "textcoords": "offset points", "ha": "right" if side < 0 else "left"}
            axes.annotate(short(line.level, LETTERS), (line.normal_quantile, line.mean), va="center", fontsize=8, **place)


def _band(result: Result) -> str:
    level = "" if result.interval is None else f" {100 * result.interval.prob:g} %"
    return f"normal effects:{level} limits, each by itself"
