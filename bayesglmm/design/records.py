"""A table as plain arrays: the records between the table door and everything above it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayesglmm.design.expressions import SHOWN, unknown_column
from bayesglmm.errors import ColumnError
from bayesglmm.types import FloatArray, IntArray

type Kind = Literal["number", "bool", "category"]
type Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column without missing values.

    Attributes
    ----------
    name
        Its name in the user's table.
    kind
        ``number``; ``bool``, a factor with levels False and True and a number 0 or 1; ``category``, from text or a categorical type.
    values
        Shape (n,). Float64 or an integer type for numbers, float64 0 and 1 for bool, int64 codes into ``levels`` for a category.
    levels
        Labels of a bool or category, in order: that of the categories when the table has one (pandas, polars Enum, pyarrow dictionary,
        DuckDB ENUM), else sorted. Only labels that occur. None for numbers.
    """

    name: str
    kind: Kind
    values: Numbers
    levels: tuple[str, ...] | None = None

    @property
    def numbers(self) -> FloatArray:
        """Values as float64 (n,).

        Raises
        ------
        ColumnError
            If the column is text or a category.
        """
        if self.kind == "category":
            shown = ", ".join(repr(v) for v in (self.levels or ())[:SHOWN])
            raise ColumnError(
                "text where numbers are needed", where=f"column {self.name!r} with values {shown}", fix="make it a column of numbers first"
            )
        return self.values.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Table:
    """The needed columns as arrays.

    Attributes
    ----------
    columns
        By name, in the order they were asked for.
    n_rows
        Number of rows n.
    rows
        Shape (n,): the row number in the user's table, when rows were dropped; None when all are there.
    """

    columns: Mapping[str, Column]
    n_rows: int
    rows: IntArray | None = None

    def column(self, name: str) -> Column:
        """One column.

        Raises
        ------
        ColumnError
            If it is not there; names the nearest.
        """
        if name not in self.columns:
            raise unknown_column(name, list(self.columns))
        return self.columns[name]

    @property
    def numeric(self) -> Mapping[str, FloatArray]:
        """Columns as numbers; a text column is refused when it is read."""
        return _NumericView(self)


@dataclass(frozen=True, slots=True)
class DroppedRows:
    """What missing values cost.

    Attributes
    ----------
    total, kept
        Rows of the user's table, and rows of the design.
    by_column
        Missing values per column, for the columns that had any.
    """

    total: int
    kept: int
    by_column: tuple[tuple[str, int], ...] = ()

    @property
    def dropped(self) -> int:
        """Rows left out."""
        return self.total - self.kept


class _NumericView(Mapping[str, FloatArray]):
    """Columns of a table as float arrays, converted when read."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getitem__(self, name: str) -> FloatArray:
        return self._table.column(name).numbers

    def __contains__(self, name: object) -> bool:
        return name in self._table.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.columns)

    def __len__(self) -> int:
        return len(self._table.columns)


def levels_of(column: Column) -> tuple[IntArray, tuple[str, ...]]:
    """Any column as a factor: codes (n,) into labels that all occur.

    Labels of numbers are in numeric order, whole numbers without a decimal point: the integer 1 and the float 1.0 are both ``1``.
    """
    if column.levels is not None:
        return used_levels(column.values.astype(np.int64), column.levels)
    values, codes = np.unique(column.values, return_inverse=True)
    return codes.astype(np.int64), tuple(label(v) for v in values)


def distinct(values: IntArray) -> IntArray:
    """Sorted distinct integers; by sorting, which is several times faster than hashing."""
    ordered = np.sort(values)
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    return np.asarray(ordered[first], dtype=np.int64)


def label(value: object) -> str:
    """Level label of one value."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def used_levels(codes: IntArray, order: tuple[str, ...]) -> tuple[IntArray, tuple[str, ...]]:
    """Codes and labels without the labels that do not occur."""
    counts = np.bincount(codes, minlength=len(order))
    if counts.all():
        return codes, order
    position = np.cumsum(counts > 0) - 1
    return position[codes].astype(np.int64), tuple(name for name, count in zip(order, counts, strict=True) if count)
