r"""Running means along a covariate: rows in bins of about equal size, and an interval for the mean of each bin.

References
----------
Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion. *Statistical Science* 16, 101-133
(Jeffreys interval, with the ends 0 and 1 where there is no success or no failure).
"""

import numpy as np
from scipy import special

from bayesglmm.numerics.intervals import Interval
from bayesglmm.types import FloatArray, IntArray


def bin_of(x: FloatArray, bins: int) -> IntArray:
    """Bin of each row, shape (n,), from 0: in the order of x, of about equal size, equal values always in one bin.

    Parameters
    ----------
    x
        Shape (n,), n at least 1.
    bins
        Most bins; with no more distinct values than this each value is a bin of its own.
    """
    _, code, counts = np.unique(x, return_inverse=True, return_counts=True)
    if len(counts) <= bins:
        return code.astype(np.int64)
    middle = (np.cumsum(counts) - 0.5 * counts) / len(x)
    coarse = np.minimum((middle * bins).astype(np.int64), bins - 1)
    return np.unique(coarse, return_inverse=True)[1].astype(np.int64)[code]


def jeffreys_interval(successes: FloatArray, trials: FloatArray, prob: float) -> Interval:
    r"""Interval of a probability from counts: quantiles of :math:`\text{Beta}(k + 1/2, n - k + 1/2)`.

    Parameters
    ----------
    successes, trials
        k and n, shapes that broadcast.
    prob
        Level, in (0, 1).

    Returns
    -------
    Interval
        The lower end is 0 where k = 0, the upper end 1 where k = n.
    """
    k, n = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    tail = 0.5 * (1.0 - prob)
    lower = special.betaincinv(k + 0.5, n - k + 0.5, tail)
    upper = special.betaincinv(k + 0.5, n - k + 0.5, 1.0 - tail)
    return Interval(np.where(k == 0.0, 0.0, lower), np.where(k == n, 1.0, upper))


def student_interval(mean: FloatArray, sd: FloatArray, size: FloatArray, prob: float) -> Interval:
    r"""Interval of a mean, :math:`\bar y \pm t_{m-1}\,s/\sqrt m`; missing where m < 2.

    Parameters
    ----------
    mean, sd, size
        Mean, standard deviation (divisor m - 1) and number m of values, shapes that broadcast.
    prob
        Level, in (0, 1).
    """
    m = np.asarray(size, dtype=np.float64)
    quantile = special.stdtrit(np.maximum(m - 1.0, 1.0), 0.5 * (1.0 + prob))
    half = np.where(m > 1.0, quantile * sd / np.sqrt(m), np.nan)
    return Interval(mean - half, mean + half)


def sums_by(code: IntArray, size: int, values: FloatArray) -> FloatArray:
    """Sum of the values (n,) of each code, shape (size,)."""
    return np.bincount(code, weights=values, minlength=size).astype(np.float64)


def sd_by(code: IntArray, size: int, values: FloatArray) -> FloatArray:
    """Compute the standard deviation (divisor m - 1) of the values of each code, shape (size,); missing for fewer than two values.

    Deviations are taken from the code's own mean, so that a large mean costs no digits.
    """
    m = sums_by(code, size, np.ones_like(values))
    mean = sums_by(code, size, values) / np.maximum(m, 1.0)
    squares = sums_by(code, size, (values - mean[code]) ** 2)
    return np.where(m > 1.0, np.sqrt(squares / np.maximum(m - 1.0, 1.0)), np.nan)
