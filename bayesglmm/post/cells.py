"""Averages over rows, made per draw: which rows belong to which line of a table, and with which weight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.post.rows import Rows
from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Cells:
    """k weighted averages over distinct rows, as m pairs of cell and distinct row.

    Attributes
    ----------
    frame
        k rows: what tells the cells apart.
    row
        Shape (m,): the distinct row of each pair; pairs are sorted by cell.
    weight
        Shape (m,): sums to one within each cell.
    start
        Shape (k,): the first pair of each cell.
    """

    frame: pd.DataFrame
    row: IntArray
    weight: FloatArray
    start: IntArray

    @property
    def single(self) -> bool:
        """Whether every cell is one distinct row, so that nothing is averaged."""
        return len(self.row) == len(self.start)

    def average(self, values: FloatArray) -> FloatArray:
        """Average values (S, distinct rows) within cells: (S, k)."""
        picked = values[:, self.row]
        return picked if self.single else np.add.reduceat(picked * self.weight, self.start, axis=1)


def make_cells(rows: Rows, distinct: IntArray, *, by: Sequence[str] | None, weights: FloatArray | None) -> Cells:
    """Group rows into cells.

    Parameters
    ----------
    rows
        n rows.
    distinct
        Shape (n,): which distinct row each of them is.
    by
        Columns whose combinations are the cells, in the order of their levels; an empty sequence for one cell of all rows; None for a
        cell per row.
    weights
        Shape (n,), not negative; equal when None.

    Raises
    ------
    ColumnError
        If a column of ``by`` is not there; names the nearest.
    ArgumentError
        If all weights of a cell are zero.
    """
    code, frame = _codes(rows.frame, rows.n_rows, by)
    weight = np.ones(rows.n_rows) if weights is None else weights
    n_distinct = int(distinct.max()) + 1
    pair, position = np.unique(code * n_distinct + distinct, return_inverse=True)
    cell, row = np.divmod(pair, n_distinct)
    weight = np.bincount(position.reshape(-1), weights=weight)
    total = np.bincount(cell, weights=weight)
    if np.any(total == 0.0):
        raise ArgumentError("all weights of a cell are zero", where=f"row {int(np.flatnonzero(total == 0.0)[0])} of the table")
    return Cells(frame, row, weight / total[cell], np.flatnonzero(np.diff(cell, prepend=-1)).astype(np.int64))


def check_by(frame: pd.DataFrame, by: Sequence[str]) -> None:
    """Refuse columns to average within that rows do not have.

    Raises
    ------
    ColumnError
        Names the nearest.
    """
    for name in by:
        if name not in frame.columns:
            nearest = unknown_column(name, [str(c) for c in frame.columns]).fix
            hint = "A fit keeps the columns that its formula uses: for others give the table itself, at=table"
            raise ColumnError(f"there is no column {name!r} to average within", fix=f"{nearest}. {hint}")


def row_weights(rows: Rows, weights: Any) -> FloatArray | None:
    """Weights (n,) from the name of a column, or from an array.

    Raises
    ------
    ColumnError
        If there is no such column.
    ArgumentError
        If the weights are no numbers, the length is wrong, or a weight is negative or not finite.
    """
    if weights is None:
        return None
    if isinstance(weights, str):
        if weights not in rows.frame.columns:
            raise unknown_column(weights, [str(c) for c in rows.frame.columns])
        weights = rows.frame[weights]
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError("weights must be numbers", where="weights", fix="name a numeric column, or give one number per row") from error
    if values.shape != (rows.n_rows,):
        raise ArgumentError(f"weights of shape {values.shape} for {rows.n_rows} rows", fix="give one weight per row")
    bad = ~(np.isfinite(values) & (values >= 0.0))
    if np.any(bad):
        raise ArgumentError("weights must be finite and not negative", where=f"row {int(np.flatnonzero(bad)[0])} (counted from 0)")
    return values


def weighted_by(weights: Any) -> str:
    """Say with which weights rows are averaged; nothing where they count alike."""
    if weights is None:
        return ""
    return f", weighted by {weights}" if isinstance(weights, str) else ", weighted as given"


def _codes(frame: pd.DataFrame, n_rows: int, by: Sequence[str] | None) -> tuple[IntArray, pd.DataFrame]:
    """Cell of each row, and the columns that tell the cells apart."""
    if by is None:
        return np.arange(n_rows, dtype=np.int64), frame.reset_index(drop=True)
    check_by(frame, by)
    if not by:
        return np.zeros(n_rows, dtype=np.int64), pd.DataFrame(index=range(1))
    grouped = frame.groupby(list(by), observed=True, sort=True)
    return np.asarray(grouped.ngroup(), dtype=np.int64), grouped.size().reset_index()[list(by)]
