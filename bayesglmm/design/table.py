"""The table door: any data frame becomes plain arrays, missing values are refused or counted. The one door to narwhals.

Accepted: pandas, polars (eager or lazy), pyarrow tables, DuckDB relations and whatever else narwhals reads, and a dict of arrays. The
user's table is read, never changed; only the columns that are needed are touched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesglmm.design.expressions import SHOWN, unknown_column
from bayesglmm.design.records import Column, DroppedRows, Kind, Numbers, Table, distinct, label, levels_of, used_levels
from bayesglmm.errors import ColumnError, DesignError, MissingValueError
from bayesglmm.types import BoolArray, FloatArray, Missing, check_choice

__all__ = [
    "Column",
    "DroppedRows",
    "Table",
    "column_names",
    "distinct",
    "label",
    "levels_of",
    "plain_columns",
    "read_table",
    "row_count",
    "to_frame",
    "with_columns",
]

EXACT = 2**53
BOOL_LEVELS = ("False", "True")


@dataclass(frozen=True, slots=True)
class _Raw:
    """A column as read: values with a mask of the missing ones; ``order`` are categories in order, None for sorted text."""

    name: str
    kind: Kind
    values: Numbers
    missing: BoolArray
    order: tuple[str, ...] | None = None


def read_table(data: Any, needed: Sequence[str], *, missing: Missing = "error") -> tuple[Table, DroppedRows]:
    """Read the needed columns of any data frame.

    Parameters
    ----------
    data
        A pandas, polars or pyarrow table, a DuckDB relation, or a dict of arrays.
    needed
        Column names.
    missing
        ``error``, or ``drop`` to leave out rows with a missing value in a needed column.

    Returns
    -------
    tuple of Table and DroppedRows
        Arrays without missing values, and the count of what was left out.

    Raises
    ------
    ColumnError
        If a column is unknown, doubled, or of a type that is neither number, text nor category.
    MissingValueError
        If values are missing and may not be dropped, or a value is infinite.
    DesignError
        If there are no rows.
    """
    check_choice("missing", missing, Missing)
    names = tuple(dict.fromkeys(needed))
    frame = _eager(data, names)
    raws = [_read(name, frame[name]) for name in names]
    total = len(frame)
    if total == 0:
        raise DesignError("the table has no rows", fix="check the file or the filter that made it")
    for raw in raws:
        _check_infinite(raw)
    by_column = tuple((r.name, int(r.missing.sum())) for r in raws if r.missing.any())
    if by_column and missing == "error":
        listed = ", ".join(f"{name} ({count})" for name, count in by_column)
        raise MissingValueError(
            "missing values", where=f"{listed} of {total} rows", fix="fill them in, or pass missing='drop' to leave such rows out"
        )
    keep = ~np.logical_or.reduce([r.missing for r in raws]) if by_column else None
    table = _table(raws, total, keep)
    if table.n_rows == 0:
        raise DesignError("every row has a missing value in a needed column", where=", ".join(name for name, _ in by_column))
    return table, DroppedRows(total, table.n_rows, by_column)


def column_names(data: Any) -> tuple[str, ...]:
    """Names of all columns of a table, in order."""
    if isinstance(data, pd.DataFrame):
        return tuple(str(c) for c in data.columns)
    return tuple(data) if isinstance(data, Mapping) else tuple(_open(data).collect_schema().names())


def row_count(data: Any) -> int:
    """Count the rows of a table; an empty dict is one row."""
    if isinstance(data, Mapping):
        return next((len(v) for v in data.values() if _is_column(v)), 1)
    frame = _open(data)
    return int(frame.select(nw.len()).collect().item()) if isinstance(frame, nw.LazyFrame) else len(frame)


def to_frame(table: Table) -> pd.DataFrame:
    """Make a pandas frame that reads back equal: ordered levels become categories."""
    series: dict[str, Any] = {}
    for name, column in table.columns.items():
        if column.kind == "category":
            series[name] = pd.Categorical.from_codes(column.values.astype(np.int64), categories=pd.Index(column.levels or ()))
        else:
            series[name] = column.values.astype(bool) if column.kind == "bool" else column.values
    return pd.DataFrame(series)


def plain_columns(data: Any, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns for derived ones: float64 (n,) with NaN where missing; text as objects (n,) with None where missing."""
    found: dict[str, NDArray[Any]] = {}
    frame = _eager(data, tuple(dict.fromkeys(names)))
    for name in frame.columns:
        raw = _read(name, frame[name])
        _check_infinite(raw)
        if raw.kind == "category":
            found[name] = np.array([*(raw.order or ()), None], dtype=object)[raw.values]
        else:
            found[name] = np.where(raw.missing, np.nan, raw.values.astype(np.float64))
    return found


def with_columns(data: Any, new: Mapping[str, FloatArray]) -> Any:
    """Make a table of the same library with float columns added; a dict stays a dict, a lazy table becomes a pyarrow table."""
    if isinstance(data, Mapping):
        return {**data, **new}
    frame = _collect(_open(data))
    added = [nw.new_series(name, values, nw.Float64, backend=frame.implementation) for name, values in new.items()]
    nulled = [nw.when(~nw.col(name).is_nan()).then(nw.col(name)).alias(name) for name in new]
    return frame.with_columns(*added).with_columns(*nulled).to_native()


def _open(data: Any) -> Any:
    try:
        return nw.from_native(data)
    except TypeError as error:
        raise ColumnError(
            f"a table of type {type(data).__name__!r} cannot be read",
            fix="pass a pandas, polars or pyarrow table, a DuckDB relation or a dict of arrays",
        ) from error


def _collect(frame: Any) -> Any:
    return frame.collect(backend="pyarrow") if isinstance(frame, nw.LazyFrame) else frame


def _eager(data: Any, names: tuple[str, ...]) -> Any:
    """Needed columns as an eager narwhals frame."""
    if isinstance(data, pd.DataFrame):
        named = data.set_axis([str(c) for c in data.columns], axis=1)
        _check_doubled(list(named.columns), names)
        _check_known(names, list(named.columns))
        return _open(named[list(names)])
    if isinstance(data, Mapping):
        _check_known(names, list(data))
        return _open(_from_arrays({name: data[name] for name in names}))
    frame = _open(data)
    available = frame.collect_schema().names()
    _check_doubled(available, names)
    _check_known(names, available)
    return _collect(frame.select(*names))


def _from_arrays(arrays: Mapping[str, Any]) -> pd.DataFrame:
    """Make a frame of a dict of arrays: by position, whatever index a pandas series brings along."""
    columns: dict[str, Any] = {}
    for name, values in arrays.items():
        series = values.to_pandas() if hasattr(values, "to_pandas") else values
        columns[name] = series.array if isinstance(series, pd.Series) else series
    wide = [name for name, v in columns.items() if len(getattr(v, "shape", ())) > 1]
    if wide:
        raise ColumnError("an array has more than one dimension", where=", ".join(wide), fix="give one array (n,) per column")
    sizes = {name: len(v) for name, v in columns.items() if _is_column(v)}
    if len(set(sizes.values())) > 1:
        raise ColumnError("the arrays have different lengths", where=", ".join(f"{k}: {v}" for k, v in sizes.items()))
    return pd.DataFrame(columns) if sizes else pd.DataFrame(columns, index=[0])


def _is_column(values: Any) -> bool:
    """Whether a value of a dict is a column, rather than one value for all rows."""
    if hasattr(values, "shape"):
        return len(values.shape) > 0
    return hasattr(values, "to_pandas") or (isinstance(values, Sequence) and not isinstance(values, str | bytes))


def _check_known(names: tuple[str, ...], available: Sequence[Any]) -> None:
    for name in names:
        if name not in available:
            raise unknown_column(name, [str(a) for a in available])


def _check_doubled(available: Sequence[str], names: tuple[str, ...]) -> None:
    doubled = sorted({n for n in names if list(available).count(n) > 1})
    if doubled:
        raise ColumnError("the table has two columns of one name", where=", ".join(doubled), fix="rename one of them")


def _read(name: str, series: Any) -> _Raw:
    """One column with its mask of missing values."""
    dtype = series.dtype
    if dtype in (nw.Decimal, nw.Int128, nw.UInt128):
        return _wide(name, series)
    if dtype.is_integer():
        return _integers(name, series)
    if dtype.is_float():
        values = series.cast(nw.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        return _Raw(name, "number", values, np.isnan(values))
    if dtype == nw.Boolean:
        missing = series.is_null().to_numpy().astype(bool)
        return _Raw(name, "bool", series.fill_null(False).to_numpy().astype(np.float64), missing, BOOL_LEVELS)
    if dtype in (nw.Categorical, nw.Enum):
        return _categories(name, series)
    if dtype == nw.String:
        return _text(name, series.to_pandas())
    if dtype == nw.Object:
        return _objects(name, series.to_pandas())
    raise _wrong_type(name, str(series.to_native().dtype) if dtype == nw.Unknown else str(dtype))


def _integers(name: str, series: Any) -> _Raw:
    missing = series.is_null().to_numpy().astype(bool)
    values = (series.fill_null(0) if missing.any() else series).to_numpy()
    return _Raw(name, "number", values.astype(np.uint64 if values.dtype == np.uint64 else np.int64), missing)


def _wide(name: str, series: Any) -> _Raw:
    values = series.cast(nw.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
    missing = np.isnan(values)
    if np.any(np.abs(values[~missing]) > EXACT):
        raise ColumnError(
            "numbers beyond 2**53 would lose digits", where=f"column {name!r}", fix="cast the column to text or to 64-bit integers"
        )
    return _Raw(name, "number", values, missing)


def _categories(name: str, series: Any) -> _Raw:
    """Read a categorical column; a polars Categorical has no order of its own (it depends on the process), so its text is sorted."""
    if series.implementation.is_polars() and series.dtype == nw.Categorical:
        return _text(name, series.cast(nw.String).to_pandas())
    if series.implementation.is_pandas_like():
        categorical = series.to_native().cat
        codes, order = categorical.codes.to_numpy().astype(np.int64), tuple(label(c) for c in categorical.categories)
    else:
        array = series.to_arrow()
        array = array.unify_dictionaries().combine_chunks() if hasattr(array, "chunks") else array
        codes = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        codes = np.where(array.is_null().to_numpy(zero_copy_only=False), -1, codes)
        order = tuple(label(c) for c in array.dictionary.to_pylist())
    if len(set(order)) < len(order):
        raise ColumnError("two categories read the same as text", where=f"column {name!r}", fix="rename the categories")
    return _Raw(name, "category", codes, codes < 0, order)


def _text(name: str, series: "pd.Series[Any]") -> _Raw:
    codes, values = pd.factorize(series, sort=True)
    codes = codes.astype(np.int64)
    return _Raw(name, "category", codes, codes < 0, tuple(str(v) for v in values))


def _objects(name: str, series: "pd.Series[Any]") -> _Raw:
    """Read a column of Python objects: numbers, booleans or text, not a mixture."""
    missing = series.isna().to_numpy()
    kinds = {type(v) for v in series[~missing]}
    if all(issubclass(k, str) for k in kinds):
        return _text(name, series)
    if all(issubclass(k, (bool, np.bool_)) for k in kinds):
        return _Raw(name, "bool", np.where(missing, False, series.to_numpy()).astype(np.float64), missing, BOOL_LEVELS)
    if all(issubclass(k, (int, float, np.integer, np.floating)) and not issubclass(k, bool) for k in kinds):
        return _Raw(name, "number", np.where(missing, np.nan, series.to_numpy()).astype(np.float64), missing)
    if len(kinds) == 1:
        raise _wrong_type(name, kinds.pop().__name__)
    listed = ", ".join(sorted(k.__name__ for k in kinds))
    raise ColumnError("a column mixes kinds of values", where=f"column {name!r}: {listed}", fix="make it all numbers or all text")


def _wrong_type(name: str, kind: str) -> ColumnError:
    return ColumnError(
        f"a column of type {kind} is neither number nor text",
        where=f"column {name!r}",
        fix="turn it into a number (days since a start) or text first",
    )


def _check_infinite(raw: _Raw) -> None:
    infinite = np.isinf(raw.values) if raw.values.dtype.kind == "f" else np.zeros(0, dtype=bool)
    if infinite.any():
        first = ", ".join(str(i) for i in np.flatnonzero(infinite)[:SHOWN])
        raise MissingValueError(
            "infinite values",
            where=f"column {raw.name!r}, {int(infinite.sum())} rows, first rows {first} (counted from 0)",
            fix="correct or leave out these rows",
        )


def _table(raws: Sequence[_Raw], total: int, keep: BoolArray | None) -> Table:
    columns = {r.name: _column(r, r.values if keep is None else r.values[keep]) for r in raws}
    rows = None if keep is None else np.flatnonzero(keep).astype(np.int64)
    return Table(columns, total if rows is None else len(rows), rows)


def _column(raw: _Raw, values: Numbers) -> Column:
    if raw.kind == "bool":
        return Column(raw.name, raw.kind, values, BOOL_LEVELS)
    if raw.order is None:
        return Column(raw.name, raw.kind, values)
    codes, levels = used_levels(values, raw.order)
    return Column(raw.name, raw.kind, codes, levels)
