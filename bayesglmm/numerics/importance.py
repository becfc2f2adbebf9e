r"""Importance weights: how many draws they are worth, how heavy their tail is, and draws of equal weight from them.

Weights are given as logarithms up to one constant; minus infinity is a weight of zero.
"""

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray, IntArray

_SHARE, _ROOTS = 0.2, 3.0  # the tail: the largest fifth, at most three square roots of the number of weights
_LEAST = 5  # values of a tail that a shape can be fitted to
_EQUAL = 1e-10  # differences of weights, as shares of the largest, that are rounding
_SMALLEST = 1e-200  # of an exceedance; keeps its inverse inside the range of a double
_PRIOR_PLACE, _PRIOR_SHAPE, _PRIOR_SIZE = 3.0, 0.5, 10.0


def log_mean(log_weights: FloatArray, axis: int = -1) -> FloatArray:
    """Logarithm of the mean weight along an axis."""
    return np.asarray(special.logsumexp(log_weights, axis=axis) - np.log(log_weights.shape[axis]))


def effective_size(log_weights: FloatArray) -> float:
    r"""Count the equally weighted draws that the weights are worth, :math:`(\sum w)^2 / \sum w^2`.

    Parameters
    ----------
    log_weights
        Shape (S,).

    Returns
    -------
    float
        Between 1 and S.

    Raises
    ------
    ArgumentError
        If all weights are zero, or one is not a number.

    References
    ----------
    Kong, A., Liu, J. S. and Wong, W. H. (1994). Sequential imputations and Bayesian missing data problems. *Journal of the American
    Statistical Association* 89, 278-288.
    """
    w = _scaled(log_weights)
    return float(np.square(w.sum()) / np.square(w).sum())


def pareto_shape(log_weights: FloatArray) -> float:
    r"""Shape k of a generalized Pareto law fitted to the largest weights: above 0.7 averages over them cannot be trusted.

    Parameters
    ----------
    log_weights
        Shape (S,).

    Returns
    -------
    float
        Minus infinity when the largest weights are equal; NaN when there are too few weights (fewer than 25) to tell.

    References
    ----------
    Zhang, J. and Stephens, M. A. (2009). A new and efficient estimation method for the generalized Pareto distribution. *Technometrics* 51,
    316-325. Vehtari, A., Simpson, D., Gelman, A., Yao, Y. and Gabry, J. (2024). Pareto smoothed importance sampling. *Journal of Machine
    Learning Research* 25 (72), for the length of the tail and the weak prior on k.
    """
    w = np.sort(_scaled(log_weights))
    length = int(min(_SHARE * len(w), _ROOTS * np.sqrt(len(w))))
    if length < _LEAST:
        return float("nan")
    tail = w[-length:] - w[-length - 1]
    return -np.inf if tail[-1] < _EQUAL else _shape(np.maximum(tail, _SMALLEST))


def systematic_choice(rng: np.random.Generator, log_weights: FloatArray, size: int) -> IntArray:
    """Choose draws in proportion to their weights, with one random number: each is taken as often as expected, up to one.

    Parameters
    ----------
    rng
        Source of randomness.
    log_weights
        Shape (S,).
    size
        How many to choose.

    Returns
    -------
    ndarray, shape (size,)
        Positions, in increasing order; every one with a weight above zero.

    Raises
    ------
    ArgumentError
        As :func:`effective_size`.

    References
    ----------
    Kitagawa, G. (1996). Monte Carlo filter and smoother for non-Gaussian nonlinear state space models. *Journal of Computational and
    Graphical Statistics* 5, 1-25.
    """
    w = _scaled(log_weights)
    possible = np.flatnonzero(w > 0.0)
    cumulative = np.cumsum(w[possible])
    places = (rng.random() + np.arange(size)) / size * cumulative[-1]
    return np.asarray(possible[np.minimum(np.searchsorted(cumulative, places, side="right"), len(possible) - 1)], dtype=np.int64)


def _scaled(log_weights: FloatArray) -> FloatArray:
    """Weights with the largest at one."""
    largest = np.max(log_weights, initial=-np.inf)
    if not np.isfinite(largest):
        raise ArgumentError(
            "importance weights are all zero, or not numbers",
            where=f"{np.size(log_weights)} weights, the largest with the logarithm {largest}",
            fix="give at least one weight above zero",
        )
    return np.exp(log_weights - largest)


def _shape(tail: FloatArray) -> float:
    """Posterior mean of the shape over a grid of the scale, pulled towards 1/2 by ten observations' worth of prior."""
    n = len(tail)
    m = 30 + int(np.sqrt(n))
    quartile = tail[int(n / 4 + 0.5) - 1]
    grid = 1.0 / tail[-1] + (1.0 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (_PRIOR_PLACE * quartile)
    shapes = np.mean(np.log1p(-grid[:, None] * tail), axis=1)
    score = n * (np.log(-grid / shapes) - shapes - 1.0)
    theta = float(np.sum(grid * special.softmax(score)))
    return float((n * np.mean(np.log1p(-theta * tail)) + _PRIOR_SIZE * _PRIOR_SHAPE) / (n + _PRIOR_SIZE))
