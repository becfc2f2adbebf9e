"""Where partial pooling moves the groups: from their own estimates to those of the mixed model."""

import numpy as np
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.ellipses import draw_spread
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import COLOURS, GREY, INK, effect_name, headline, new_figure, nothing_to_draw, result_of, short
from bayesglmm.post.effect_covariance import effect_covariance
from bayesglmm.post.result import Result
from bayesglmm.types import FloatArray
from bayesglmm.workflows.pooling import pooling


def plot_shrinkage(
    pooled: Result | Fit, *, effects: tuple[str, str] | None = None, spread: FloatArray | None = None, title: str | None = None
) -> Figure:
    """Draw an arrow per group, from the group's own estimates of two effects to the partially pooled ones.

    Parameters
    ----------
    pooled
        What :func:`bayesglmm.workflows.pooling.pooling` returned, for two effects or more. Of a fit, the levels of its first factor, with
        the ellipses of the fit.
    effects
        The two effects; the first two when None.
    spread
        Shape (2, 2): covariance of the two random effects, drawn as ellipses of one and two SDs around the fixed effects; none when None.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``pooling``, the factor has one effect only, an effect is not there, or ``spread`` is no covariance.
    """
    result = result_of(pooled, "pooling", pooling)
    if not {"separate", "pooled", "effect", "level"} <= set(map(str, result.table.columns)):
        raise nothing_to_draw("pooling", result)
    table = result.table
    pair = _pair(result, effects)
    if spread is None and isinstance(pooled, Fit):
        spread = effect_covariance(pooled, str(table["factor"].iloc[0]), pair)
    columns = ("separate", "mean", "center")
    separate, partial, center = (np.column_stack([table.loc[table["effect"] == e, column] for e in pair]) for column in columns)
    figure, axes = new_figure(width=6.5, height=5.5)
    known_both = np.isfinite(separate).all(axis=1)
    for start, end in zip(separate[known_both], partial[known_both], strict=True):
        axes.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops={"arrowstyle": "->", "color": GREY, "shrinkA": 0, "shrinkB": 0})
    axes.plot(*separate.T, "s", color=COLOURS[1], markersize=4.5, label="each group by itself")
    axes.plot(*partial.T, "o", color=COLOURS[0], markersize=5, label="partially pooled")
    first = table.drop_duplicates("effect").set_index("effect")["pooled"]
    axes.plot(first[pair[0]], first[pair[1]], "D", color=INK, markersize=7, label="all groups as one")
    draw_spread(axes, center[0], spread)
    axes.set_xlabel(f"{effect_name(pair[0])} of {short(table['factor'].iloc[0])}")
    axes.set_ylabel(f"{effect_name(pair[1])} of {short(table['factor'].iloc[0])}")
    headline(figure, result, title, intervals=False)
    common_legend(figure, (axes,), 3)
    return figure


def _pair(result: Result, effects: tuple[str, str] | None) -> tuple[str, str]:
    """Names of the two effects."""
    table = result.table
    known = list(dict.fromkeys(table["effect"]))
    pair = tuple(known[:2]) if effects is None else tuple(effects)
    if len(pair) != 2 or not set(pair) <= set(known):
        raise ArgumentError(
            f"arrows need two effects of {table['factor'].iloc[0]}, not {', '.join(map(str, pair))}",
            fix=f"the effects are: {', '.join(known)}; plot_caterpillar shows one",
        )
    return pair[0], pair[1]
