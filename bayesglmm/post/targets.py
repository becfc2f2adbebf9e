r"""The four targets as functions from draws and rows to linear predictors whose inverse link is the mean.

Every function gives :math:`g(\mu)`, from which the response scale follows by the inverse link: for the average subject and for
a named group :math:`g(\mu) = \eta`; for the population and the observed groups :math:`\mu` is an average, and
:math:`g(\mu)` is computed from whichever of :math:`\mu` and :math:`1 - \mu` is smaller, so that no tail is lost.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.marginal import population_predictor
from bayesglmm.post.hierarchy import Pool, check_split, inside_of
from bayesglmm.post.linear_predictor import Parameters, block_length, combination_eta, draw_blocks, fixed_eta, group_eta, group_variance
from bayesglmm.post.result import target_sentence
from bayesglmm.post.rows import Rows
from bayesglmm.types import FloatArray, Target


@dataclass(frozen=True, slots=True)
class Setting:
    """What a target is evaluated at.

    Attributes
    ----------
    rows
        n distinct rows.
    link
        The link function.
    pools
        Which rows are averaged over which combinations of levels that occur in the data; read by ``observed_groups`` only.
    given
        Positions of the group terms that are conditioned on: each row names a level. The others are averaged over.
    """

    rows: Rows
    link: Link
    pools: tuple[Pool, ...]
    given: tuple[int, ...] = ()

    @property
    def averaged(self) -> tuple[int, ...]:
        """Positions of the group terms that are averaged over."""
        return tuple(i for i in range(len(self.rows.Z)) if i not in self.given)


@dataclass(frozen=True, slots=True)
class Averaging:
    """Which grouping factors a mean is averaged over, by name, and which are given: conditioned on a level that each row names.

    Attributes
    ----------
    over, given
        Names of factors.
    inside
        Those of ``over`` that are nested in one of ``given``.
    """

    over: tuple[str, ...]
    given: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Predictors:
    """Linear predictors of means.

    Attributes
    ----------
    value
        Shape (S, n): g(mean).
    bound
        Upper bound on the integration error of the means; 0 where nothing was integrated, or in closed form.
    """

    value: FloatArray
    bound: float = 0.0


def average_subject(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Random effects at zero: :math:`g(\mu) = o + x'\beta`."""
    return Predictors(fixed_eta(parameters, setting.rows))


def population(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Averaged over the random effects' distribution: :math:`g(E\,h(\eta))`, :math:`\eta \sim N(m, v)` given the parameters.

    v is the variance of the factors that are averaged over; the effects of those that are given are part of m.

    Raises
    ------
    FamilyError
        If the link has no population mean (inverse, sqrt); gives the reason.
    """
    averaged = setting.averaged
    m, v = _given_eta(parameters, setting), group_variance(parameters.choose(averaged), setting.rows.choose(averaged))
    mean = population_predictor(setting.link.name, m, v)
    return Predictors(mean.value, mean.mean_bound)


def observed_groups(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Averaged over the groups in the data: :math:`g(C^{-1} \sum_c h(m + \sum_t z_t' b_{t, j_t(c)}))`.

    c runs over the C distinct combinations of levels of the averaged factors that occur in the data, each with the same weight; where a
    factor is nested in a given one only over those that belong to the level that the row names. Effects of given factors are part of m.
    Rows and draws are taken so that draws x rows x C is at most ``BLOCK_ELEMENTS``.
    """
    value = _given_eta(parameters, setting)
    averaged = setting.averaged
    if not averaged:
        return Predictors(value)
    groups, effects = parameters.choose(averaged).groups, setting.rows.choose(averaged).Z
    for pool in setting.pools:
        C, step = len(pool.levels[0]), block_length(len(pool.levels[0]))
        for rows in (pool.rows[start : start + step] for start in range(0, len(pool.rows), step)):
            for block in draw_blocks(parameters.n_draws, C * len(rows)):
                eta = value[block][:, rows, None]
                for group, z, levels in zip(groups, effects, pool.levels, strict=True):
                    eta = eta + combination_eta(group.take(block), z[rows], levels)
                value[block, rows] = mean_predictor(setting.link, eta, lambda mu: mu.mean(axis=-1))
    return Predictors(value)


def named_group(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Random effects of the levels that each row names: :math:`g(\mu) = m + \sum_t z_t' b_{t, j_t}`."""
    return Predictors(fixed_eta(parameters, setting.rows) + group_eta(parameters, setting.rows, setting.rows.index))


TARGETS: Final[Mapping[Target, Callable[[Parameters, Setting], Predictors]]] = MappingProxyType(
    {"average_subject": average_subject, "population": population, "observed_groups": observed_groups, "group": named_group}
)
"""The function of each target."""

AVERAGES: Final[frozenset[Target]] = frozenset({"population", "observed_groups"})
"""Targets that average over grouping factors."""

NEEDS_EFFECTS: Final[frozenset[Target]] = frozenset({"observed_groups", "group"})
"""Targets that read the draws of the random effects."""


def mean_predictor(link: Link, eta: FloatArray, average: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """Link of an average of means, from both tails where the mean is a probability.

    Parameters
    ----------
    link
        The link function.
    eta
        Linear predictors of the means.
    average
        The average, a linear map whose weights sum to one.
    """
    mean = average(link.inverse(eta))
    if link.complement is None or link.link_of_tails is None:
        return link.link(mean)
    return link.link_of_tails(mean, average(link.complement(eta)))


def check_monotone(link: Link) -> None:
    """Refuse links whose inverse cannot take every real predictor.

    Raises
    ------
    FamilyError
        With the link's own reason.
    """
    if link.refusal is not None:
        raise FamilyError(
            f"random effects cannot be put on the response scale under the {link.name} link",
            where=link.refusal,
            fix="fit the model with a link whose inverse takes every predictor, such as log or identity",
        )


def averaging(fit: Fit, over: str | Sequence[str] | None, target: Target) -> Averaging:
    """Split the grouping factors into those that are averaged over and those that are given.

    Parameters
    ----------
    fit
        A fit.
    over
        Names of grouping factors; None for all.
    target
        The target, which must be an average over groups when ``over`` is not None.

    Raises
    ------
    ArgumentError
        If nothing is averaged for the target, a name is no grouping factor (lists all and the nearest), or a factor is averaged over
        though one that is nested in it is given.
    """
    factors = tuple(dict.fromkeys(g.name for g in fit.design.groups))
    if over is None:
        return Averaging(factors)
    if target not in AVERAGES:
        why = "its random effects are zero" if target == "average_subject" else "every factor is at a named level"
        fix = "leave over out, or use target='population' or 'observed_groups'"
        raise ArgumentError(f"target={target!r} averages over no grouping factor: {why}", where=f"over={over!r}", fix=fix)
    names = [over] if isinstance(over, str) or not isinstance(over, Collection) else list(over)
    if not names:
        raise ArgumentError(
            "over names no grouping factor", where="over=[]", fix="leave it out to average over all; target='group' for none"
        )
    for name in names:
        _check_factor(name, factors)
    averaged, given = tuple(f for f in factors if f in names), tuple(f for f in factors if f not in names)
    check_split(fit, averaged, given)
    return Averaging(averaged, given, inside_of(fit, averaged, given))


def averaging_sentence(target: Target, factors: Averaging) -> str:
    """Write the target in words, and which factors are given."""
    inside = factors.inside if target == "observed_groups" else ()
    only = f"; only those levels of {' and '.join(inside)} that belong to them" if inside else ""
    return f"{target_sentence(target, factors.over)}{given_words(factors.given)}{only}"


def given_words(factors: Sequence[str]) -> str:
    """Say whose named levels count as part of the fixed part; empty without any."""
    return f"; given the named levels of {' and '.join(factors)}, whose effects are part of x'beta" if factors else ""


def _check_factor(name: object, factors: Sequence[str]) -> None:
    """Refuse a name that is no grouping factor of the model."""
    if name in factors:
        return
    near = get_close_matches(str(name), factors, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = f"The grouping factors are: {', '.join(factors)}" if factors else "The model has none"
    raise ArgumentError(f"over names {name!r}, which is no grouping factor of the model", fix=f"{hint}{listed}")


def _given_eta(parameters: Parameters, setting: Setting) -> FloatArray:
    """Predictor without the effects that are averaged over, (S, n): the fixed part, and the effects of the levels that rows name."""
    eta = fixed_eta(parameters, setting.rows)
    if setting.given:
        rows = setting.rows.choose(setting.given)
        eta += group_eta(parameters.choose(setting.given), rows, rows.index)
    return eta
