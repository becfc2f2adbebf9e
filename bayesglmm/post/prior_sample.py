"""Draws of all parameters from their priors, and of the random effects that follow."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.families.base import Family
from bayesglmm.numerics.covariance import correlation_from_cholesky
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.lkj import lkj_factors
from bayesglmm.post.linear_predictor import GroupParameters, Parameters, fixed_eta, group_eta
from bayesglmm.post.prior_laws import LARGEST, sample_prior
from bayesglmm.post.prior_parameters import slope_columns
from bayesglmm.post.rows import Rows
from bayesglmm.spec.priors import LKJ, Prior, ResolvedPriors
from bayesglmm.types import FloatArray, IntArray

MOST_ROWS = 200
"""Rows of the data, equally spaced, that prior draws are looked at in."""


@dataclass(frozen=True, slots=True, eq=False)
class PriorSample:
    """S draws from the priors, and the rows at which they are looked at.

    Attributes
    ----------
    rows
        At most 200 rows of the data; levels are counted among those that occur in them.
    which
        Shape (m,): their numbers in the design, from 0.
    parameters
        Fixed effects as they are reported, SDs, correlations, and effects of the levels that occur.
    auxiliary
        By name: draws (S, 1), or known standard errors (m,).
    trials
        Shape (m,), or None.
    """

    rows: Rows
    which: IntArray
    parameters: Parameters
    auxiliary: dict[str, FloatArray]
    trials: FloatArray | None

    def average_eta(self) -> FloatArray:
        """Linear predictor of the average subject, shape (S, m)."""
        return fixed_eta(self.parameters, self.rows)

    def subject_eta(self) -> FloatArray:
        """Linear predictor of the subjects of the rows, shape (S, m)."""
        return self.average_eta() + group_eta(self.parameters, self.rows, self.rows.index)

    def responses(self, rng: np.random.Generator, family: Family, link: Link, eta: FloatArray) -> FloatArray:
        """Draw a response for each predictor, shape (S, m); cut at plus and minus 1e100."""
        with np.errstate(over="ignore"):
            return np.clip(family.sample(rng, eta, link, trials=self.trials, **self.auxiliary), -LARGEST, LARGEST)


def sample_priors(
    design: Design, priors: ResolvedPriors, family: Family, *, center: bool, draws: int, rng: np.random.Generator
) -> PriorSample:
    """Draw every parameter from its prior, and random effects from N(0, D).

    Parameters
    ----------
    design
        The arrays; the response is not looked at.
    priors
        All numbers resolved.
    family
        Its auxiliary parameters.
    center
        Whether the intercept's prior refers to the columns at their means over all rows.
    draws
        Number of draws S.
    rng
        Source of randomness.

    Raises
    ------
    ArgumentError
        If ``draws`` is no whole number above zero.
    """
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise ArgumentError(f"draws={draws!r} is no number of draws", fix="give a whole number above zero, such as draws=1000")
    n = len(design.y)
    count = min(n, MOST_ROWS)
    which = (np.arange(count) * n // count).astype(np.int64)
    beta = _fixed(design, priors, center, int(draws), rng)
    groups, indices = [], []
    for group, sds, correlation in zip(design.groups, priors.sd, priors.cor, strict=True):
        levels, index = np.unique(group.index[which], return_inverse=True)
        groups.append(_group(group, sds, correlation, int(draws), len(levels), rng))
        indices.append(index.reshape(-1).astype(np.int64))
    Z = tuple(group.Z[which] for group in design.groups)
    rows = Rows(pd.DataFrame(index=which), design.X[which], design.offset[which], Z, tuple(indices))
    auxiliary = _auxiliary(design, priors, family, which, int(draws), rng)
    trials = None if design.trials is None else design.trials[which]
    return PriorSample(rows, which, Parameters(beta, tuple(groups)), auxiliary, trials)


def _fixed(design: Design, priors: ResolvedPriors, center: bool, draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw fixed effects (S, p), the intercept at zero."""
    slopes = slope_columns(design.labels)
    beta = np.empty((draws, len(design.labels)))
    if priors.b:
        beta[:, slopes] = np.stack([sample_prior(prior, rng, draws) for prior in priors.b], axis=1)
    if priors.intercept is not None:
        at_means = sample_prior(priors.intercept, rng, draws)
        shift = beta[:, slopes] @ design.X[:, slopes].mean(axis=0) if center else 0.0
        beta[:, ~slopes] = (at_means - shift)[:, None]
    return beta


def _group(
    group: GroupDesign, sds: tuple[Prior, ...], correlation: LKJ | None, draws: int, n_levels: int, rng: np.random.Generator
) -> GroupParameters:
    """SDs, correlations and effects of one group term."""
    q = len(group.labels)
    sd = np.stack([sample_prior(prior, rng, draws) for prior in sds], axis=1)
    L = None if correlation is None else lkj_factors(rng, correlation.eta, q, draws)
    normal = rng.standard_normal((draws, n_levels, q))
    b = sd[:, None, :] * (normal if L is None else normal @ np.swapaxes(L, 1, 2))
    return GroupParameters(sd, None if L is None else correlation_from_cholesky(L), b)


def _auxiliary(
    design: Design, priors: ResolvedPriors, family: Family, which: IntArray, draws: int, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Auxiliary parameters that broadcast with (S, m)."""
    if design.se is not None:
        return dict.fromkeys(family.auxiliary, design.se[which])
    return {name: sample_prior(prior, rng, draws)[:, None] for name, prior in priors.aux}
