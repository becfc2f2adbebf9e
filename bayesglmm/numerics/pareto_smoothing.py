r"""Importance weights whose largest ones are replaced by what a fitted tail expects of them, for many targets at once.

Draws S are the first axis, targets (rows of a data set) the second. Weights come as logarithms up to a constant per target.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.types import FloatArray

_HIGHEST = 0.7
_SHARE, _ROOTS = 0.2, 3.0  # the tail: the largest fifth, at most three square roots of the number of weights
_LEAST = 5  # values of a tail that a shape can be fitted to
_EQUAL = 1e-10  # differences of weights, as shares of the largest, that are rounding
_SMALLEST = 1e-200  # of an exceedance; keeps its inverse inside the range of a double
_PRIOR_PLACE, _PRIOR_SHAPE, _PRIOR_SIZE = 3.0, 0.5, 10.0
_EXPONENTIAL = 1e-9  # a shape so close to zero is that of an exponential tail


@dataclass(frozen=True, slots=True, eq=False)
class SmoothedWeights:
    """Weights that sum to one.

    Attributes
    ----------
    weights
        Shape (S, n).
    shapes
        Shape (n,): shape k of the tail. Minus infinity where the largest weights are equal, and nothing is smoothed; NaN when there are too
        few weights (fewer than 25) to tell, and nothing is smoothed either.
    """

    weights: FloatArray
    shapes: FloatArray


def largest_shape(n_draws: int) -> float:
    r"""Shape of the tail above which averages over so many weights cannot be trusted, the smaller of :math:`1 - 1 / \log_{10} S` and 0.7.

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling. *Journal of Machine Learning
    Research* 25 (72).
    """
    return float(min(1.0 - 1.0 / np.log10(max(n_draws, 11)), _HIGHEST))


def smoothed_weights(log_weights: FloatArray) -> SmoothedWeights:
    r"""Pareto-smoothed importance weights.

    The largest M weights of a target, M the smaller of S / 5 and :math:`3 \sqrt S`, are replaced by the expected order statistics of a
    generalized Pareto law that is fitted to them, none above the largest raw weight.

    Parameters
    ----------
    log_weights
        Shape (S, n), finite, or minus infinity for a weight of zero; at least one finite per target.

    References
    ----------
    Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling. *Journal of Machine Learning
    Research* 25 (72).
    """
    w = np.exp(log_weights - log_weights.max(axis=0))
    n_draws = len(w)
    length = int(min(_SHARE * n_draws, _ROOTS * np.sqrt(n_draws)))
    if length < _LEAST:
        return SmoothedWeights(w / w.sum(axis=0), np.full(w.shape[1], np.nan))
    largest = np.argsort(w, axis=0)[-length - 1 :]
    ordered = np.take_along_axis(w, largest, axis=0)
    cutoff, tail = ordered[0], ordered[1:] - ordered[0]
    uneven = tail[-1] >= _EQUAL
    shapes = np.full(w.shape[1], -np.inf)
    if uneven.any():
        shapes[uneven], expected = _fitted_tail(np.maximum(tail[:, uneven], _SMALLEST))
        smooth = ordered[1:].copy()
        smooth[:, uneven] = np.minimum(cutoff[uneven] + expected, 1.0)
        np.put_along_axis(w, largest[1:], smooth, axis=0)
    return SmoothedWeights(w / w.sum(axis=0), shapes)


def _fitted_tail(tail: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shapes (n,) of generalized Pareto laws fitted to sorted exceedances (M, n), and their order statistics (M, n).

    The shape is its posterior mean over a grid of the scale (Zhang and Stephens 2009, *Technometrics* 51, 316-325), pulled towards 1/2 by
    ten observations' worth of prior.
    """
    n = len(tail)
    m = 30 + int(np.sqrt(n))
    quartile = tail[int(n / 4 + 0.5) - 1]
    steps = (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5)))[:, None]
    grid = 1.0 / tail[-1] + steps / (_PRIOR_PLACE * quartile)
    k = np.mean(np.log1p(-grid[:, None] * tail), axis=1)
    score = n * (np.log(-grid / k) - k - 1.0)
    theta = np.sum(grid * special.softmax(score, axis=0), axis=0)
    raw = np.mean(np.log1p(-theta * tail), axis=0)
    shape = (n * raw + _PRIOR_SIZE * _PRIOR_SHAPE) / (n + _PRIOR_SIZE)
    log_survival = np.log1p(-(np.arange(n) + 0.5) / n)[:, None]
    safe = np.where(np.abs(shape) < _EXPONENTIAL, 1.0, shape)
    standard = np.where(np.abs(shape) < _EXPONENTIAL, -log_survival, np.expm1(-shape * log_survival) / safe)
    return shape, -raw / theta * standard
