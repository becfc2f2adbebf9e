"""Two random effects of every level against each other, and the ellipses of the distribution that they are drawn from."""

from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.ellipses import draw_spread
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import COLOURS, GREY, INK, effect_name, headline, new_figure, nothing_to_draw, result_of, short
from bayesglmm.post.effect_covariance import effect_covariance
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.result import Result
from bayesglmm.types import FloatArray

CROSSED = 60
"""With more levels than this the bars of their intervals would hide the dots, and are left out."""


def plot_modes_scatter(
    given: Result | Fit, *, effects: tuple[str, str] | None = None, spread: FloatArray | None = None, title: str | None = None
) -> Figure:
    """Draw two effects of one grouping factor against each other, a dot per level.

    Parameters
    ----------
    given
        What :func:`bayesglmm.post.random_effects.random_effects` returned for one factor with two effects or more. Of a fit, those of its
        first such factor, with the ellipses of the fit.
    effects
        The two effects; the first two when None.
    spread
        Shape (2, 2): covariance of the two random effects, drawn as ellipses of one and two SDs around zero; none when None. Dots are
        posterior means: they lie closer together than the ellipses say, the more so the less a level tells.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``random_effects``, speaks of several factors, or has no two such effects; if ``spread`` is no
        covariance, or is given with coefficients, which are not around zero.
    """
    result = result_of(given, "random_effects", lambda fit: random_effects(fit, factor=_factor(fit)))
    table = result.table
    if not {"factor", "level", "effect", "rank"} <= set(map(str, table.columns)):
        raise nothing_to_draw("random_effects", result)
    factors, known = (list(dict.fromkeys(table[c])) for c in ("factor", "effect"))
    pair = tuple(known[:2]) if effects is None else tuple(effects)
    if len(factors) != 1:
        raise ArgumentError(f"a scatter shows one factor, not {', '.join(factors)}", fix="random_effects(fit, factor=...)")
    if len(pair) != 2 or len(set(pair)) != 2 or not set(pair) <= set(known):
        listed = ", ".join(map(str, pair))
        raise ArgumentError(f"a scatter needs two effects of {factors[0]}, not {listed}", fix=f"the effects are: {', '.join(known)}")
    if spread is None and isinstance(given, Fit):
        spread = effect_covariance(given, factors[0], pair)
    return _drawn(result, (str(pair[0]), str(pair[1])), spread, title)


def _drawn(result: Result, pair: tuple[str, str], spread: FloatArray | None, title: str | None) -> Figure:
    """Draw dots, intervals, ellipses and zero."""
    table, centered = result.table, "random_effect" in result.draws
    if spread is not None and not centered:
        raise ArgumentError("ellipses are around zero, coefficients are not", where="spread", fix="random_effects(fit, factor=...)")
    x, y = (table[table["effect"] == e].set_index("level") for e in pair)
    y = y.loc[x.index]
    figure, axes = new_figure(width=6.5, height=5.8)
    if len(x) <= CROSSED:
        words = "intervals" if result.interval is None else f"{100 * result.interval.prob:g} % intervals"
        axes.hlines(y["mean"], x["ci_lower"], x["ci_upper"], color=GREY, linewidth=0.7, alpha=0.6, label=words)
        axes.vlines(x["mean"], y["ci_lower"], y["ci_upper"], color=GREY, linewidth=0.7, alpha=0.6)
    if centered:
        axes.axhline(0.0, color=INK, linewidth=0.7, zorder=0)
        axes.axvline(0.0, color=INK, linewidth=0.7, zorder=0)
    axes.plot(
        x["mean"], y["mean"], "o", color=COLOURS[0], markersize=5.5, markeredgecolor="white", markeredgewidth=0.6, label="posterior mean"
    )
    if spread is not None:
        draw_spread(axes, [0.0, 0.0], spread)
    factor = short(table["factor"].iloc[0])
    axes.set_xlabel(f"{effect_name(pair[0])} of {factor}")
    axes.set_ylabel(f"{effect_name(pair[1])} of {factor}")
    headline(figure, result, title)
    common_legend(figure, (axes,), 3)
    return figure


def _factor(fit: Fit) -> str:
    """Name the first grouping factor with two effects or more, over all its terms."""
    effects: dict[str, int] = {}
    for group in fit.design.groups:
        effects[group.name] = effects.get(group.name, 0) + len(group.labels)
    found = [name for name, count in effects.items() if count > 1]
    if not found:
        fix = "plot_caterpillar shows random intercepts; a random slope, such as (x | subject), is a second effect"
        raise ArgumentError("no grouping factor of the model has two random effects", where=fit.spec.formula, fix=fix)
    return found[0]
