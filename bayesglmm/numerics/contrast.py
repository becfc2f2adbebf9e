r"""Comparisons of two means that are given by their linear predictors :math:`g(\mu)`, and weights of difference quotients.

Means come as predictors because these keep both tails: an odds ratio of two probabilities that round to one is finite.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray

type Compare = Literal["difference", "ratio", "odds_ratio"]

NULL: Final[Mapping[Compare, float]] = MappingProxyType({"difference": 0.0, "ratio": 1.0, "odds_ratio": 1.0})
"""The value of each comparison when the two means are equal."""


def difference_of_means(link: Link, before: FloatArray, after: FloatArray) -> FloatArray:
    r"""Difference :math:`h(\eta_2) - h(\eta_1)` on the response scale.

    Parameters
    ----------
    link
        The link function.
    before, after
        Predictors :math:`\eta_1` and :math:`\eta_2`, of one shape.

    Returns
    -------
    ndarray
        Of the same shape; as for the functions below.
    """
    return np.asarray(link.inverse(after) - link.inverse(before))


def difference_of_predictors(link: Link, before: FloatArray, after: FloatArray) -> FloatArray:
    r"""Difference :math:`\eta_2 - \eta_1` on the link scale."""
    with np.errstate(invalid="ignore"):
        return np.asarray(after - before)


def ratio_of_means(link: Link, before: FloatArray, after: FloatArray) -> FloatArray:
    r"""Ratio :math:`h(\eta_2) / h(\eta_1)`, from logarithms of the means where the link has them.

    Raises
    ------
    ArgumentError
        If a mean is not positive.
    """
    if link.log_inverse is not None:
        return _exponential(link.log_inverse(after) - link.log_inverse(before))
    first, second = link.inverse(before), link.inverse(after)
    wrong = int(np.count_nonzero(~((first > 0.0) & (second > 0.0))))
    if wrong:
        raise ArgumentError(
            "a ratio needs positive means",
            where=f"{wrong} of {first.size} pairs of means under the {link.name} link, over draws and lines, are not positive",
            fix="use compare='difference'",
        )
    return np.asarray(second / first)


def odds_ratio(link: Link, before: FloatArray, after: FloatArray) -> FloatArray:
    r"""Ratio of the odds :math:`\mu / (1 - \mu)` of two probabilities, without cancellation in either tail.

    Raises
    ------
    FamilyError
        If the mean under this link is no probability.
    """
    if link.log_inverse is None or link.log_complement is None:
        raise FamilyError(
            "odds belong to a mean between 0 and 1",
            where=f"a mean under the {link.name} link is no probability",
            fix="use compare='difference' or 'ratio'",
        )
    log_odds = [link.log_inverse(eta) - link.log_complement(eta) for eta in (before, after)]
    return _exponential(log_odds[1] - log_odds[0])


COMPARISONS: Final[Mapping[tuple[Compare, str], Callable[[Link, FloatArray, FloatArray], FloatArray]]] = MappingProxyType(
    {
        ("difference", "response"): difference_of_means,
        ("difference", "link"): difference_of_predictors,
        ("ratio", "response"): ratio_of_means,
        ("odds_ratio", "response"): odds_ratio,
    }
)
"""The function of each comparison and scale; a ratio of links means nothing."""

CENTRAL_OFFSETS: Final = (-2.0, -1.0, 1.0, 2.0)
CENTRAL_WEIGHTS: Final = (1.0 / 12.0, -8.0 / 12.0, 8.0 / 12.0, -1.0 / 12.0)
"""First derivative from four neighbours, error step^4 f''''' / 30 (Abramowitz and Stegun 1964, table 25.2)."""

_OFFSETS: Final = ((0.0, 1.0, 2.0, 3.0, 4.0), (-2.0, -1.0, 0.0, 1.0, 2.0), (-4.0, -3.0, -2.0, -1.0, 0.0))
_FOURTH: Final = ((-25.0, 48.0, -36.0, 16.0, -3.0), (1.0, -8.0, 0.0, 8.0, -1.0), (3.0, -16.0, 36.0, -48.0, 25.0))
_SECOND: Final = ((-18.0, 24.0, -6.0, 0.0, 0.0), (0.0, -6.0, 0.0, 6.0, 0.0), (0.0, 0.0, 6.0, -24.0, 18.0))


def stencil(x: FloatArray, step: FloatArray, lower: float, upper: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Five points around each x, and weights of its first derivative from them.

    The points lie about x; where x is inside a range and a point would leave it, they lie on one side, so that a function that is
    known on the range only (a spline) can be differentiated at its ends.

    Parameters
    ----------
    x, step
        Shape (n,); steps positive.
    lower, upper
        The range.

    Returns
    -------
    tuple
        Points, weights of fourth order (error at most step^4 f''''' / 5), weights of second order; each of shape (5, n).

    References
    ----------
    Abramowitz, M. and Stegun, I. A. (1964). *Handbook of Mathematical Functions*, table 25.2.
    """
    inside = (x >= lower) & (x <= upper)
    side = np.where(inside & (x - 2.0 * step < lower), 0, np.where(inside & (x + 2.0 * step > upper), 2, 1))
    points = x + np.array(_OFFSETS)[side].T * step
    return points, np.array(_FOURTH)[side].T / (12.0 * step), np.array(_SECOND)[side].T / (12.0 * step)


def central_slope(values: FloatArray, step: float) -> FloatArray:
    """First derivative from values (..., 4) at ``CENTRAL_OFFSETS`` times ``step``: (...)."""
    return np.asarray(values @ np.array(CENTRAL_WEIGHTS) / step)


def _exponential(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(x))
