r"""The four targets as functions from draws and rows to linear predictors whose inverse link is the mean.

Every function gives :math:`g(\mu)`, from which the response scale follows by the inverse link: for the average subject and for
a named group :math:`g(\mu) = \eta`; for the population and the observed groups :math:`\mu` is an average, and
:math:`g(\mu)` is computed from whichever of :math:`\mu` and :math:`1 - \mu` is smaller, so that no tail is lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from bayesglmm.errors import FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.marginal import population_predictor
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fixed_eta, group_eta, group_variance, term_eta
from bayesglmm.post.rows import Rows
from bayesglmm.types import FloatArray, IntArray, Target


@dataclass(frozen=True, slots=True)
class Setting:
    """What a target is evaluated at.

    Attributes
    ----------
    rows
        n distinct rows.
    link
        The link function.
    observed
        For each group term the levels of the C distinct combinations in the data, shape (C,).
    """

    rows: Rows
    link: Link
    observed: tuple[IntArray, ...]


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

    Raises
    ------
    FamilyError
        If the link has no population mean (inverse, sqrt); gives the reason.
    """
    m, v = fixed_eta(parameters, setting.rows), group_variance(parameters, setting.rows)
    mean = population_predictor(setting.link.name, m, v)
    return Predictors(mean.value, mean.mean_bound)


def observed_groups(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Averaged over the groups in the data: :math:`g(C^{-1} \sum_c h(m + \sum_t z_t' b_{t, j_t(c)}))`.

    c runs over the C distinct combinations of levels of all factors that occur in the data, each with the same weight. Draws are
    taken in blocks of at most ``BLOCK_ELEMENTS`` numbers in draws x C.
    """
    rows, value = setting.rows, fixed_eta(parameters, setting.rows)
    if not setting.observed:
        return Predictors(value)
    for block in draw_blocks(parameters.n_draws, len(setting.observed[0])):
        part = parameters.take(block)
        for i in range(rows.n_rows):
            terms = zip(part.groups, rows.Z, setting.observed, strict=True)
            eta = sum((term_eta(group, z[i : i + 1], levels) for group, z, levels in terms), start=value[block, i, None])
            value[block, i] = mean_predictor(setting.link, eta, lambda mu: mu.mean(axis=1))
    return Predictors(value)


def named_group(parameters: Parameters, setting: Setting) -> Predictors:
    r"""Random effects of the levels that each row names: :math:`g(\mu) = m + \sum_t z_t' b_{t, j_t}`."""
    return Predictors(fixed_eta(parameters, setting.rows) + group_eta(parameters, setting.rows, setting.rows.index))


TARGETS: Final[Mapping[Target, Callable[[Parameters, Setting], Predictors]]] = MappingProxyType(
    {"average_subject": average_subject, "population": population, "observed_groups": observed_groups, "group": named_group}
)
"""The function of each target."""

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
        raise FamilyError(f"random effects cannot be put on the response scale under the {link.name} link", where=link.refusal)


def observed_combinations(fit: Fit) -> tuple[IntArray, ...]:
    """For each group term the levels (C,) of the distinct combinations of levels of all factors in the data, in sorted order."""
    if not fit.design.groups:
        return ()
    index = np.stack([g.index for g in fit.design.groups], axis=1)
    return tuple(np.unique(index, axis=0).T)
