r"""Envelopes that a sample from a known distribution stays in: of its empirical distribution function, and of its order statistics.

For N independent uniform numbers and places :math:`z_1 < \dots < z_K` the counts :math:`N \hat F(z_i)` are binomial. Limits at the same
pointwise level at each place hold together with less probability; here that probability is computed, not simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, special, stats

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray, IntArray

MOST_PLACES = 100
"""Places at which an empirical distribution function is looked at, when the sample is larger."""
_HALVINGS = 30
_CACHED = 256


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """Limits on an empirical distribution function that hold at all places together.

    Attributes
    ----------
    at
        Shape (K,): places inside (0, 1), equally spaced.
    lower, upper
        Shape (K,): smallest and largest share of the sample up to each place.
    coverage
        Probability that all shares are within their limits: at least what was asked, more because counts are whole.
    pointwise
        Level of the limits at each place alone: each tail has half of it at most.
    """

    at: FloatArray
    lower: FloatArray
    upper: FloatArray
    coverage: float
    pointwise: float


@lru_cache(maxsize=_CACHED)
def ecdf_envelope(size: int, prob: float = 0.95) -> Envelope:
    r"""Simultaneous envelope of the empirical distribution function of independent uniform numbers.

    Pointwise limits are quantiles :math:`\gamma / 2` and :math:`1 - \gamma / 2` of binomial counts; :math:`\gamma` is the largest number
    for which all of them hold together with the probability asked for.

    Parameters
    ----------
    size
        N, at least 2.
    prob
        Probability that the whole function is inside, in (0, 1).

    Returns
    -------
    Envelope
        At :math:`i / K`, i = 1, ..., K - 1, K the smaller of N and ``MOST_PLACES``. Results are kept: do not write to the arrays.

    Raises
    ------
    ArgumentError
        If there are fewer than two numbers.

    References
    ----------
    Säilynoja, T., Bürkner, P.-C. and Vehtari, A. (2022). Graphical test for discrete uniformity and its applications in goodness-of-fit
    evaluation and multiple sample comparison. *Statistics and Computing* 32, 32.
    """
    if size < 2:
        raise ArgumentError("an envelope needs at least two values", where=f"there is {size}", fix="look at more rows together")
    places = min(size, MOST_PLACES)
    at = np.arange(1, places) / places
    level = _largest_level(lambda g: coverage(size, at, *pointwise_counts(size, at, g)) >= prob, (1.0 - prob) / len(at))
    low, high = pointwise_counts(size, at, level)
    found = Envelope(at, low / size, high / size, coverage(size, at, low, high), level)
    for array in (found.at, found.lower, found.upper):
        array.setflags(write=False)
    return found


def pointwise_counts(size: int, at: FloatArray, level: float) -> tuple[IntArray, IntArray]:
    """Quantiles ``level / 2`` and ``1 - level / 2`` of how many of ``size`` uniform numbers lie up to each place, each of shape (K,)."""
    low = _binomial_quantile(0.5 * level, size, at)
    # the upper quantile through the other tail, which does not round: 1 - level / 2 may be 1 in floating point
    return low, size - _binomial_quantile(0.5 * level, size, 1.0 - at)


def coverage(size: int, at: FloatArray, lower: IntArray, upper: IntArray) -> float:
    r"""Probability that the counts of N uniform numbers stay within limits at all places.

    The counts are those of a Poisson process with rate N given that it has N points in (0, 1): from place to place the law of the
    process within the limits is convolved with the Poisson law of the increment and cut off.

    Parameters
    ----------
    size
        N.
    at
        Shape (K,): increasing places inside (0, 1).
    lower, upper
        Shape (K,): smallest and largest counts, inclusive, in [0, N] and not decreasing.

    References
    ----------
    Moscovich, A. and Nadler, B. (2017). Fast calculation of boundary crossing probabilities for Poisson processes. *Statistics and
    Probability Letters* 123, 177-182.
    """
    law, first, place = np.ones(1), 0, 0.0
    for z, low, high in zip(at.tolist(), lower.tolist(), upper.tolist(), strict=True):
        steps = _poisson(np.arange(high - first + 1.0), size * (z - place))
        law = _convolve(law, steps)[low - first : high - first + 1]
        first, place = low, z
    left = size - first - np.arange(float(len(law)))
    inside = law @ _poisson(left, size * (1.0 - place))
    return float(inside / _poisson(np.asarray(float(size)), float(size)))


def order_limits(size: int, prob: float) -> tuple[FloatArray, FloatArray]:
    r"""Pointwise limits of the order statistics of standard normal numbers.

    The j-th smallest of L uniform numbers follows Beta(j, L - j + 1).

    Parameters
    ----------
    size
        L.
    prob
        Probability between the limits of each order statistic.

    Returns
    -------
    tuple of ndarray, shape (L,)

    References
    ----------
    David, H. A. and Nagaraja, H. N. (2003). *Order Statistics*, 3rd ed., section 2.1.
    """
    j = np.arange(1.0, size + 1.0)
    tail = 0.5 * (1.0 - prob)
    low = np.asarray(special.ndtri(special.betaincinv(j, size - j + 1.0, tail)), dtype=np.float64)
    return low, -low[::-1]


def normal_positions(size: int) -> FloatArray:
    r"""Return the normal quantiles that sorted values are plotted against, :math:`\Phi^{-1}((j - 3/8) / (L + 1/4))`, shape (L,).

    References
    ----------
    Blom, G. (1958). *Statistical Estimates and Transformed Beta-Variables*. They are close to the means of the order statistics.
    """
    return np.asarray(special.ndtri((np.arange(1.0, size + 1.0) - 0.375) / (size + 0.25)))


def _largest_level(holds: Callable[[float], bool], least: float) -> float:
    """Largest pointwise level in (0, 1) that holds, by bisection on its logarithm; ``least`` holds by Bonferroni's inequality."""
    low, high = np.log(least), 0.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(float(np.exp(middle))) else (low, middle)
    return float(np.exp(low))


def _binomial_quantile(prob: float, size: int, share: FloatArray) -> IntArray:
    return np.asarray(stats.binom.ppf(prob, size, share)).astype(np.int64)


def _poisson(count: FloatArray, rate: float) -> FloatArray:
    """Poisson probabilities."""
    return np.exp(special.xlogy(count, rate) - rate - special.gammaln(count + 1.0))


def _convolve(a: FloatArray, b: FloatArray) -> FloatArray:
    """Convolve two laws; rounding below zero is cut off."""
    length = len(a) + len(b) - 1
    padded = fft.next_fast_len(length, real=True)
    return np.maximum(fft.irfft(fft.rfft(a, padded) * fft.rfft(b, padded), padded)[:length], 0.0)
