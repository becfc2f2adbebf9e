"""Statistics of whole data sets and of groups of rows, for many data sets at once: data sets S first, rows n second."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from bayesglmm.types import FloatArray, IntArray

type GroupStatistic = Callable[[FloatArray, IntArray], FloatArray]
"""From data sets (S, n), rows of one group together, and the sizes (L,) of the groups, none empty, to statistics (S, L)."""


def group_means(y: FloatArray, sizes: IntArray) -> FloatArray:
    """Mean of each group, shape (S, L)."""
    return np.asarray(_sums(y, sizes) / sizes)


def group_sds(y: FloatArray, sizes: IntArray) -> FloatArray:
    """Give the standard deviation of each group with divisor size - 1, shape (S, L); every group has at least two rows."""
    centred = y - np.repeat(group_means(y, sizes), sizes, axis=1)
    return np.asarray(np.sqrt(_sums(np.square(centred), sizes) / (sizes - 1)))


def group_zeros(y: FloatArray, sizes: IntArray) -> FloatArray:
    """Share of zeros in each group, shape (S, L)."""
    return group_means((y == 0.0).astype(np.float64), sizes)


GROUP_STATISTICS: Final[Mapping[str, GroupStatistic]] = MappingProxyType({"mean": group_means, "sd": group_sds, "zeros": group_zeros})
"""By name."""

LEAST_ROWS: Final[Mapping[str, int]] = MappingProxyType({"mean": 1, "sd": 2, "zeros": 1})
"""Rows of a group that each statistic needs."""


def data_statistics(y: FloatArray) -> dict[str, FloatArray]:
    """Mean, standard deviation (divisor n - 1), smallest and largest value and share of zeros of data sets (S, n), each of shape (S,).

    A single row has the standard deviation 0.
    """
    return {
        "mean": y.mean(axis=1),
        "sd": y.std(axis=1, ddof=1) if y.shape[1] > 1 else np.zeros(len(y)),
        "min": y.min(axis=1),
        "max": y.max(axis=1),
        "zeros": (y == 0.0).mean(axis=1),
    }


def value_counts(y: FloatArray, most: int) -> IntArray:
    """How many entries of data sets (S, n) of counts are 0, 1, ..., most, and how many are above: shape (S, most + 2)."""
    clipped = np.minimum(y, most + 1.0).astype(np.int64)
    return _tally(clipped, most + 2)


def shares_up_to(y: FloatArray, grid: FloatArray) -> FloatArray:
    """Empirical distribution functions of data sets (S, n) on an increasing grid (G,), shape (S, G)."""
    place = np.searchsorted(grid, y, side="left")
    return np.asarray(np.cumsum(_tally(place, len(grid) + 1)[:, :-1], axis=1) / y.shape[1])


def _sums(values: FloatArray, sizes: IntArray) -> FloatArray:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    return np.add.reduceat(values, starts, axis=1)


def _tally(codes: IntArray, width: int) -> IntArray:
    """Count codes 0, ..., width - 1 in each row of (S, n)."""
    shifted = codes + width * np.arange(len(codes))[:, None]
    return np.bincount(shifted.reshape(-1), minlength=len(codes) * width).reshape(len(codes), width)
