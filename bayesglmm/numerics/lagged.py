"""Correlation of rows with the rows that follow them within a group, for many data sets at once."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Rows of all groups, each group's in the order of time.

    Attributes
    ----------
    order
        Shape (n,): rows, group after group, sorted by time within each.
    group
        Shape (n,): the group of each, in that order.
    """

    order: IntArray
    group: IntArray

    def pairs(self, lag: int) -> IntArray:
        """Positions in the order of the rows that have a row of their group ``lag`` places later."""
        return np.flatnonzero(self.group[:-lag] == self.group[lag:]).astype(np.int64)


def make_series(group: IntArray, rank: IntArray) -> Series:
    """Sort rows by group, then by time.

    Parameters
    ----------
    group, rank
        Shape (n,): codes of the groups, and of the times in their order.
    """
    order = np.lexsort((rank, group)).astype(np.int64)
    return Series(order, group[order])


def lagged_correlations(residuals: FloatArray, series: Series, lags: IntArray) -> FloatArray:
    r"""Autocorrelations of residuals with mean zero within groups.

    .. math:: \hat\rho_l = \frac{m_l^{-1} \sum_{i \in P_l} r_i r_{i + l}}{n^{-1} \sum_i r_i^2}

    with the :math:`m_l` pairs :math:`P_l` of rows of one group that are l rows apart.

    Parameters
    ----------
    residuals
        Shape (S, n), rows as in the data.
    series
        Their order.
    lags
        Shape (K,): rows apart, each with at least one pair.

    Returns
    -------
    ndarray, shape (S, K)
        Not bounded by one: pairs leave out some rows. Zero where all residuals are.
    """
    r = residuals[:, series.order]
    power = np.mean(np.square(r), axis=1)
    found = np.empty((len(r), len(lags)))
    for k, lag in enumerate(lags.tolist()):
        pairs = series.pairs(lag)
        found[:, k] = np.mean(r[:, pairs] * r[:, pairs + lag], axis=1)
    return found / np.where(power > 0.0, power, 1.0)[:, None]
