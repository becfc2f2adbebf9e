r"""Equal rows counted once.

Rows with the same columns, groups, offset and known standard error have the same linear predictor, so their likelihoods join exactly. With
weights w and n trials: Bernoulli and binomial need :math:`\sum w y` and :math:`\sum w n`; Poisson :math:`\sum w y` and :math:`\sum w`;
the normal :math:`\sum w`, the weighted mean :math:`\bar y`, and, once for all cells, :math:`\sum w (y - \bar y)^2`.
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.types import FloatArray, IntArray

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Cells:
    """The rows of a likelihood, in the order of the levels of the largest factor.

    Attributes
    ----------
    first
        Shape (c,): a row of the design for each cell.
    response
        Shape (c,).
    size
        Shape (c,), or empty where all are one.
    offset
        Shape (c,), or empty where all are zero.
    totals
        Shape (2,): sum of squares within cells, and sum of weights.
    sorted_by
        The group term whose levels the cells are sorted by, or -1.
    """

    first: IntArray
    response: FloatArray
    size: FloatArray
    offset: FloatArray
    totals: FloatArray
    sorted_by: int


def make_cells(design: Design, *, normal: bool) -> Cells:
    """Join equal rows and put them in order.

    Parameters
    ----------
    design
        Arrays of n rows.
    normal
        Whether the response is normal, so that its squares count.
    """
    cell, first = _cells_of(design)
    largest = int(np.argmax([len(g.levels) for g in design.groups])) if design.groups else -1
    if design.groups:
        first, cell = _sort(first, cell, design.groups[largest].index)
    n = len(design.y)
    weight = np.ones(n) if design.weights is None else np.asarray(design.weights, dtype=np.float64)
    per_trial = np.ones(n) if design.trials is None else np.asarray(design.trials, dtype=np.float64)
    size = weight / np.asarray(design.se) ** 2 if design.se is not None else weight * per_trial
    sizes = np.bincount(cell, size, minlength=len(first))
    factor = size if normal else weight
    response = np.bincount(cell, factor * design.y, minlength=len(first))
    within = 0.0
    if normal:
        response /= sizes
        within = float(np.sum(size * (design.y - response[cell]) ** 2)) if len(first) < n else 0.0
    offset = np.asarray(design.offset, dtype=np.float64)[first]
    return Cells(first, response, _unless(sizes, 1.0), _unless(offset, 0.0), np.array([within, weight.sum()]), largest)


def _unless(values: FloatArray, common: float) -> FloatArray:
    """Return the values, or none where all of them are the common one."""
    return np.empty(0) if np.all(values == common) else np.ascontiguousarray(values)


def _cells_of(design: Design) -> tuple[IntArray, IntArray]:
    """Return the cell of each row, and a row of each cell."""
    columns: list[np.ndarray] = [np.asarray(design.X)[:, k] for k in range(design.X.shape[1])]
    for group in design.groups:
        columns += [group.index, *(np.asarray(group.Z)[:, k] for k in range(group.Z.shape[1]))]
    columns += [np.asarray(design.offset), *([] if design.se is None else [np.asarray(design.se)])]
    return distinct_rows([np.ascontiguousarray(column) for column in columns])


def distinct_rows(columns: list[np.ndarray]) -> tuple[IntArray, IntArray]:
    """Return the number of each row among the distinct rows, and where each distinct row stands first.

    Rows are told apart by a 64-bit hash, then compared with the row that stands for them; should two different rows share a hash, they are
    sorted instead.

    Parameters
    ----------
    columns
        Arrays of n numbers; there is at least one.
    """
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        bits = (column.astype(np.float64) + 0.0).view(np.uint64)  # minus zero is zero
        mixed = (mixed ^ bits) * MULTIPLIER
        mixed ^= mixed >> SHIFT
    _, first, cell = np.unique(mixed, return_index=True, return_inverse=True)
    representative = first[cell]
    if all(np.array_equal(column, column[representative]) for column in columns):
        return cell.astype(np.int64), first.astype(np.int64)
    _, first, cell = np.unique(np.stack(columns, axis=1), axis=0, return_index=True, return_inverse=True)
    return cell.reshape(-1).astype(np.int64), first.astype(np.int64)


def _sort(first: IntArray, cell: IntArray, level: IntArray) -> tuple[IntArray, IntArray]:
    """Sort cells by level, then by row, so that neighbours share effects."""
    order = np.lexsort((first, level[first]))
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    return first[order], position[cell]
