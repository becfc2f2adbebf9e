"""Where partial pooling moves the groups: from their own estimates to those of the mixed model."""

from typing import Any

import numpy as np
from matplotlib.patches import Ellipse

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.style import COLOURS, GREY, INK, effect_name, new_figure, nothing_to_draw, plain
from bayesglmm.post.result import Result
from bayesglmm.types import FloatArray

RADII = (1.0, 2.0)
"""Ellipses around the posterior means of the fixed effects, in SDs of the random effects."""


def plot_shrinkage(
    pooled: Result, *, effects: tuple[str, str] | None = None, spread: FloatArray | None = None, title: str | None = None
) -> Any:
    """Draw an arrow per group, from the group's own estimates of two effects to the partially pooled ones.

    Parameters
    ----------
    pooled
        What :func:`bayesglmm.workflows.pooling.pooling` returned, for two effects or more.
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
        If the result is no result of ``pooling``, or an effect is not there.
    """
    if not isinstance(pooled, Result) or not {"separate", "pooled", "effect", "level"} <= set(map(str, pooled.table.columns)):
        raise nothing_to_draw("pooling", pooled)
    table = pooled.table
    known = list(dict.fromkeys(table["effect"]))
    pair = tuple(known[:2]) if effects is None else effects
    if len(pair) != 2 or not set(pair) <= set(known):
        raise ArgumentError(
            f"arrows need two effects of {table['factor'].iloc[0]}, not {', '.join(map(str, pair))}",
            fix=f"the effects are: {', '.join(known)}",
        )
    columns = ("separate", "mean", "center")
    separate, partial, center = (np.column_stack([table.loc[table["effect"] == e, column] for e in pair]) for column in columns)
    figure, axes = new_figure(width=6.5, height=5.5)
    _draw_spread(axes, center[0], spread)
    known_both = np.isfinite(separate).all(axis=1)
    for start, end in zip(separate[known_both], partial[known_both], strict=True):
        axes.annotate("", xy=tuple(end), xytext=tuple(start), arrowprops={"arrowstyle": "->", "color": GREY, "shrinkA": 0, "shrinkB": 0})
    axes.plot(*separate.T, "s", color=COLOURS[1], markersize=4.5, label="each group by itself")
    axes.plot(*partial.T, "o", color=COLOURS[0], markersize=5, label="partially pooled")
    first = table.drop_duplicates("effect").set_index("effect")["pooled"]
    axes.plot(first[pair[0]], first[pair[1]], "D", color=INK, markersize=7, label="all groups as one")
    axes.set_xlabel(effect_name(pair[0]))
    axes.set_ylabel(effect_name(pair[1]))
    axes.set_title(plain(title or pooled.title))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _draw_spread(axes: Any, center: FloatArray, spread: FloatArray | None) -> None:
    """Draw the ellipses of the random effects' distribution."""
    if spread is None:
        return
    lengths, directions = np.linalg.eigh(np.asarray(spread, dtype=np.float64))
    angle = float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1])))
    for radius in RADII:
        width, height = 2.0 * radius * np.sqrt(np.maximum(lengths[::-1], 0.0))
        axes.add_patch(Ellipse(tuple(center), width, height, angle=angle, fill=False, edgecolor=COLOURS[2], linewidth=1.2, linestyle="--"))
