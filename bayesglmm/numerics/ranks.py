r"""Do chains agree? Ranks of all draws together, counted in bins chain by chain.

When all chains sample one distribution and draws are independent, the count of a chain with n draws in a bin of K ranks of N in all is
hypergeometric with mean :math:`n K / N`.

References
----------
Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization, folding, and localization: an improved
R-hat. *Bayesian Analysis* 16, 667-718, section 4 (rank plots).
"""

import numpy as np
from scipy import special

from bayesglmm.types import FloatArray, IntArray


def pooled_ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1 of all values together, of the shape of ``values``; equal values share the mean of their ranks."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - 0.5 * (counts - 1.0)
    return np.asarray(middle[code].reshape(np.shape(values)), dtype=np.float64)


def rank_counts(values: FloatArray, bins: int) -> IntArray:
    """Count the ranks of each chain in bins of equal width.

    Parameters
    ----------
    values
        Shape (chain, draw), finite.
    bins
        B.

    Returns
    -------
    ndarray, shape (chain, B)
        Each row adds up to the number of draws of a chain.
    """
    at = _bin_of_rank(pooled_ranks(values), values.size, bins)
    return np.stack([np.bincount(row, minlength=bins) for row in at]).astype(np.int64)


def bin_sizes(total: int, bins: int) -> IntArray:
    """Ranks in each bin, shape (B,): K, about total / B."""
    return np.bincount(_bin_of_rank(np.arange(1.0, total + 1.0), total, bins), minlength=bins).astype(np.int64)


def hypergeometric_band(draws: int, sizes: IntArray, total: int, tail: float) -> tuple[IntArray, IntArray]:
    r"""Smallest and largest counts that are not in the tails of the hypergeometric distribution.

    Parameters
    ----------
    draws
        n, draws of a chain.
    sizes
        Shape (B,): K, ranks in each bin.
    total
        N, draws of all chains.
    tail
        Probability of each tail that is left out, at most.

    Returns
    -------
    tuple of ndarray, shape (B,)
        The smallest k with :math:`P(X \le k) > \text{tail}`, and the largest with :math:`P(X \ge k) > \text{tail}`.
    """
    ends = {int(K): _ends(draws, int(K), total, tail) for K in np.unique(sizes)}
    found = np.array([ends[int(K)] for K in sizes], dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _bin_of_rank(ranks: FloatArray, total: int, bins: int) -> IntArray:
    """Bin of each rank by its middle, (rank - 1/2) / N."""
    return np.minimum((ranks - 0.5) * bins / total, bins - 1.0).astype(np.int64)


def _ends(draws: int, K: int, total: int, tail: float) -> tuple[int, int]:
    """Find the band for one size of a bin."""
    k = np.arange(max(0, draws + K - total), min(draws, K) + 1.0)
    log_mass = _log_choose(K, k) + _log_choose(total - K, draws - k) - _log_choose(total, np.asarray(float(draws)))
    mass = np.exp(log_mass)
    from_below, from_above = np.cumsum(mass), np.cumsum(mass[::-1])[::-1]
    return int(k[np.argmax(from_below > tail)]), int(k[len(k) - 1 - np.argmax(from_above[::-1] > tail)])


def _log_choose(n: int, k: FloatArray) -> FloatArray:
    return np.asarray(special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0))
