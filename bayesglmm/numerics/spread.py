r"""Shares of subjects, and ratios between two random groups, from the normal law of a linear predictor.

Two groups of one factor at (x1, z1) and (x2, z2), everything else equal, differ by :math:`N(dx'\beta, w)` on the scale of the linear
predictor, :math:`w = z_1' D z_1 + z_2' D z_2`, because their random effects are independent.

References
----------
Larsen, K. and Merlo, J. (2005). Appropriate assessment of neighborhood effects on individual health: integrating random and fixed effects
in multilevel logistic regression. *American Journal of Epidemiology* 161, 81-88.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.elementwise import exp
from bayesglmm.numerics.intervals import Interval, check_prob
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class RatioName:
    """What a ratio is called, one and several of them."""

    singular: str
    plural: str


RATIO_NAMES: Final[Mapping[str, RatioName]] = MappingProxyType(
    {
        "logit": RatioName("odds ratio", "odds ratios"),
        "log": RatioName("ratio of means", "ratios of means"),
        "cloglog": RatioName("hazard ratio", "hazard ratios"),
    }
)
"""What the exponential of a difference of predictors is, by link; under the other links it has no name.

Under cloglog it is the ratio of two hazards of an event in one interval of time, where the response says whether it has happened.
"""


def share_above(cutoff: FloatArray, m: FloatArray, v: FloatArray) -> FloatArray:
    r"""Share of subjects whose predictor is above a cutoff: :math:`1 - \Phi((c - m) / \sqrt v)`.

    Parameters
    ----------
    cutoff
        (...) cutoff on the link scale, :math:`c = g(\text{threshold})`.
    m, v
        (...) mean and variance of the predictor of a random subject.

    Returns
    -------
    ndarray, shape (...)
        Where v is zero, one if m is above the cutoff, otherwise zero.

    Raises
    ------
    ArgumentError
        If a variance is negative or something is not finite.
    """
    c, mean, variance = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (cutoff, m, v)))
    if not np.isfinite(c).all():
        raise ArgumentError("a cutoff is not finite", fix="choose a threshold inside the range of the means")
    sd = _root(mean, variance)
    with np.errstate(over="ignore"):
        z = (mean - c) / np.where(sd > 0.0, sd, 1.0)
    return np.where(sd > 0.0, special.ndtr(z), (mean > c).astype(np.float64))


def median_ratio(w: FloatArray) -> FloatArray:
    r"""Median, over pairs of random groups, of the ratio of the higher to the lower one: :math:`\exp(\sqrt w\,\Phi^{-1}(3/4))`.

    Odds under the logit link, means under log, hazards under cloglog.

    Parameters
    ----------
    w
        (...) variance of the difference of two groups' predictors; 2 v for two groups at the same z.

    Returns
    -------
    ndarray, shape (...)
        At least one.

    Raises
    ------
    ArgumentError
        If a variance is negative or not finite.
    """
    return exp(float(special.ndtri(0.75)) * _root(np.zeros(()), np.asarray(w, dtype=np.float64)))


def interval_ratio(change: FloatArray, w: FloatArray, level: float) -> Interval:
    r"""Central interval, over pairs of random groups, of their ratio: :math:`\exp(dx'\beta \pm \sqrt w\,\Phi^{-1}((1 + level) / 2))`.

    Parameters
    ----------
    change
        (...) difference of the fixed parts, :math:`dx'\beta`.
    w
        (...) variance of the difference of two groups' predictors.
    level
        Share of the pairs inside; 0.8 for the usual interval odds ratio.

    Returns
    -------
    Interval
        Ends of shape (...).

    Raises
    ------
    ArgumentError
        If ``level`` is not inside (0, 1), a variance is negative or something is not finite.
    """
    check_prob("level", level)
    center, variance = np.broadcast_arrays(np.asarray(change, dtype=np.float64), np.asarray(w, dtype=np.float64))
    half = float(special.ndtri(0.5 * (1.0 + level))) * _root(center, variance)
    return Interval(exp(center - half), exp(center + half))


def _root(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Take the standard deviation, once mean and variance are numbers that can be."""
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()) or (variance < 0.0).any():
        raise ArgumentError(
            "the mean of a predictor is not finite, or its variance is negative or not finite",
            fix="choose rows nearer to the data, and check that the draws are finite and no standard deviation is negative",
        )
    return np.sqrt(variance)
