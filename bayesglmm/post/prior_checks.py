"""Whether priors say impossible or extreme things about the response."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.errors import ArgumentError
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import REAL, Link, get_link
from bayesglmm.numerics.spread import RATIO_NAMES, median_ratio, share_above
from bayesglmm.post.linear_predictor import fixed_eta, group_variance
from bayesglmm.post.new_groups import check_seed, level_generator
from bayesglmm.post.prior_sample import PriorSample, sample_priors
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import ResolvedPriors

STREAM = "prior checks"
SATURATED = (0.01, 0.99)
"""Probabilities beyond which a subject is all but certain to respond, or not to."""
RANGES = 10.0
"""Widths of the observed range, on either side of it, that a new measurement may plausibly lie beyond: a rule of thumb."""
FOLD = 1000.0
"""How many times the largest observed response a new one may plausibly be, where means are positive: a rule of thumb."""


class HasPriors(Protocol):
    """A fit, or a model with its table before it is fitted."""

    @property
    def spec(self) -> ModelSpec:
        """What was asked."""
        ...

    @property
    def design(self) -> Design:
        """The arrays."""
        ...

    @property
    def priors(self) -> ResolvedPriors:
        """Every prior with its numbers."""
        ...


@dataclass(frozen=True, slots=True)
class PriorChecks:
    """What the priors say together.

    Attributes
    ----------
    saturated
        Share of the prior mass of a subject's probability below 0.01 or above 0.99; None where the mean is no probability.
    impossible
        Share of prior draws of a new response outside the plausible range.
    plausible
        What that range is.
    implied_fold
        Median, over prior draws and rows, of the ratio of the higher to the lower of two random subjects of a row; None without random
        effects, and under links whose differences are no ratios.
    fold_of
        What is a ratio: ``odds ratios``, ``ratios of means``, ``hazard ratios``; None with ``implied_fold``.
    draws, seed
        How many draws from the priors, and the seed of their random numbers.
    """

    saturated: float | None
    impossible: float
    plausible: str
    implied_fold: float | None
    fold_of: str | None
    draws: int
    seed: int


def prior_checks(given: HasPriors, *, draws: int = 1000, seed: int | None = 1) -> PriorChecks:
    r"""Check the priors by what they imply in at most 200 rows of the data.

    .. math:: \text{saturated} = E\left[\Phi((g(0.01) - m) / \sqrt v) + 1 - \Phi((g(0.99) - m) / \sqrt v)\right],
              \qquad \text{fold} = \operatorname{median} \exp(\sqrt{2 v}\,\Phi^{-1}(3/4))

    over prior draws and rows, m and v the mean and variance of the predictor of a random subject.

    Parameters
    ----------
    given
        A fit, or what :func:`bayesglmm.design.prepare.prepare` returned.
    draws
        Draws from the priors.
    seed
        Integer, or None for a fresh one.

    Returns
    -------
    PriorChecks

    Raises
    ------
    ArgumentError
        If ``given`` is neither, or ``draws`` or ``seed`` is not what it must be.

    References
    ----------
    Gabry, J., Simpson, D., Vehtari, A., Betancourt, M. and Gelman, A. (2019). Visualization in Bayesian workflow. *Journal of the Royal
    Statistical Society A* 182, 389-402.
    """
    _check_given(given)
    seed, family, link = check_seed(seed), get_family(given.spec.family), get_link(given.spec.link)
    rng = level_generator(seed, STREAM)
    sample = sample_priors(given.design, given.priors, family, center=given.spec.center, draws=draws, rng=rng)
    y = sample.responses(rng, family, link, sample.subject_eta())
    low, high, plausible = _plausible(given.design, link)
    named = RATIO_NAMES.get(link.name) if given.design.groups else None
    return PriorChecks(
        saturated=_saturated(sample, link) if link.onto_unit_interval else None,
        impossible=float(np.mean((y < low) | (y > high))),
        plausible=plausible,
        implied_fold=None if named is None else _fold(sample),
        fold_of=None if named is None else named.plural,
        draws=int(draws),
        seed=seed,
    )


def _check_given(given: object) -> None:
    """Refuse what has no priors yet."""
    if not all(hasattr(given, name) for name in ("spec", "design", "priors")):
        what = "None" if given is None else "a text" if isinstance(given, str) else f"a {type(given).__name__}"
        fix = "pass what glmm() or load() returned; before a fit, prior_predictive(formula, table) draws from the priors"
        raise ArgumentError(f"a Fit is needed, not {what}", where="argument given", fix=fix)


def _saturated(sample: PriorSample, link: Link) -> float:
    """Share of probabilities near zero or one, exact given the parameters."""
    m, v = fixed_eta(sample.parameters, sample.rows), group_variance(sample.parameters, sample.rows)
    low, high = link.link(np.array(SATURATED))
    return float(np.mean(1.0 - share_above(low, m, v) + share_above(high, m, v)))


def _fold(sample: PriorSample) -> float:
    """Median ratio of two random subjects; it grows with v, so that the median of v is enough."""
    v = float(np.median(group_variance(sample.parameters, sample.rows)))
    return float(median_ratio(np.array(2.0 * v)))


def _plausible(design: Design, link: Link) -> tuple[float, float, str]:
    """Find the ends of the plausible range of a new response, and say what it is."""
    lowest, highest = float(design.y.min()), float(design.y.max())
    if link.onto_unit_interval:
        return -np.inf, np.inf, "every response that the family can give is plausible"
    if link.mean_interval == REAL:
        width = highest - lowest or abs(highest) or 1.0
        low, high = lowest - RANGES * width, highest + RANGES * width
        return low, high, f"between {low:.4g} and {high:.4g}: the observed range and {RANGES:g} times its width on either side"
    largest = max(abs(lowest), abs(highest)) or 1.0
    words = f"at most {FOLD * largest:.4g} in size: {FOLD:g} times the largest observed, or times one if all are zero"
    return -FOLD * largest, FOLD * largest, words
