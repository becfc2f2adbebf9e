"""A table as arrays and a description of each column, and back: numbers, booleans, categories and text, each as it was."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.errors import FitFileError
from bayesglmm.io.netcdf import NUMBER_TYPES
from bayesglmm.types import IntArray

type ColumnKind = Literal["number", "bool", "category", "text"]

ROW = "row"
_FIX = "copy the file again from where it was written, or fit the model again"


def pack_frame(frame: pd.DataFrame) -> tuple[xr.Dataset, list[dict[str, Any]]]:
    """Take a table apart: a dataset of plain arrays, and one record per column that says how to read them.

    Parameters
    ----------
    frame
        Columns of numbers, booleans, categories and text without missing values, n rows.

    Returns
    -------
    tuple of Dataset and list
        Variables ``column_k`` (n,) and, for categories and text, ``levels_k``; records of ``name``, ``kind``, ``dtype`` and ``ordered``.

    Raises
    ------
    FitFileError
        If a column is of another kind.
    """
    variables: dict[str, xr.Variable] = {}
    records = []
    for k, name in enumerate(frame.columns):
        values, levels, record = _pack_column(str(name), frame[name])
        variables[f"column_{k}"] = xr.Variable(ROW, values, {"long_name": str(name)})
        if levels is not None:
            variables[f"levels_{k}"] = xr.Variable(f"level_{k}", levels)
        records.append(record)
    return xr.Dataset(variables), records


def unpack_frame(data: xr.Dataset, records: Sequence[Mapping[str, Any]], n_rows: int) -> pd.DataFrame:
    """Make the table that :func:`pack_frame` took apart.

    Parameters
    ----------
    data
        The dataset.
    records
        The records, of the types that :mod:`bayesglmm.io.records` checks.
    n_rows
        Number of rows that every column must have.

    Raises
    ------
    FitFileError
        If a variable is missing, too many, or of the wrong shape or type, or a code has no level.
    """
    expected = {f"column_{k}" for k in range(len(records))} | {f"levels_{k}" for k, r in enumerate(records) if _has_levels(r)}
    if set(map(str, data.variables)) != expected:
        raise FitFileError("the stored columns are not those that the file describes", where="group frame", fix=_FIX)
    names = [r["name"] for r in records]
    if len(set(names)) < len(names):
        raise FitFileError("two stored columns of one name", where="group frame", fix=_FIX)
    columns = {r["name"]: _unpack_column(data, k, r, n_rows) for k, r in enumerate(records)}
    return pd.DataFrame(columns, index=pd.RangeIndex(n_rows))


def _has_levels(record: Mapping[str, Any]) -> bool:
    return record["kind"] in ("category", "text")


def _pack_column(name: str, column: "pd.Series[Any]") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None, dict[str, Any]]:
    """Values, levels and record of one column."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories.to_numpy()
        record = _record(name, "category", levels.dtype, ordered=bool(dtype.ordered))
        return column.cat.codes.to_numpy().astype(np.int64), _storable(name, levels), record
    if pd.api.types.is_bool_dtype(dtype):
        return column.to_numpy(dtype=bool).astype(np.int8), None, _record(name, "bool", np.dtype(bool))
    if pd.api.types.is_numeric_dtype(dtype):
        values = column.to_numpy() if isinstance(dtype, np.dtype) else column.to_numpy(dtype=getattr(dtype, "numpy_dtype", np.float64))
        return _storable(name, values), None, _record(name, "number", values.dtype)
    codes, levels = pd.factorize(_storable(name, column.to_numpy(dtype=object)), sort=False)
    return codes.astype(np.int64), np.asarray(levels, dtype=object), _record(name, "text", np.dtype(object))


def _record(name: str, kind: ColumnKind, dtype: np.dtype[Any], *, ordered: bool = False) -> dict[str, Any]:
    return {"name": name, "kind": kind, "dtype": dtype.name if dtype.name in NUMBER_TYPES else "text", "ordered": ordered}


def _storable(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Numbers as they are, text as objects; anything else is refused."""
    if values.dtype.name == "bool":
        return values.astype(np.int8)
    if values.dtype.name in NUMBER_TYPES:
        return values
    if values.dtype.kind in "OUT" and all(isinstance(v, str) and "\0" not in v for v in values):
        return values.astype(object)
    fix = "make the column numbers, true and false, or text before fitting"
    raise FitFileError("a column of this kind cannot be stored", where=f"column {name!r} of type {values.dtype}", fix=fix)


def _unpack_column(data: xr.Dataset, k: int, record: Mapping[str, Any], n_rows: int) -> Any:
    values, where = data[f"column_{k}"].to_numpy(), f"column {record['name']!r}"
    if values.shape != (n_rows,):
        raise FitFileError(f"a stored column has the shape {values.shape}, not ({n_rows},)", where=where, fix=_FIX)
    if record["kind"] == "number":
        _check_type(values, record["dtype"], where)
        return values
    if record["kind"] == "bool":
        _check_type(values, "int8", where)
        return _codes(values, 2, where).astype(bool)
    levels = _levels(data[f"levels_{k}"].to_numpy(), record["dtype"], where)
    _check_type(values, "int64", where)
    codes = _codes(values, len(levels), where)
    if record["kind"] == "category":
        return pd.Categorical.from_codes(codes, categories=pd.Index(levels), ordered=record["ordered"])
    return pd.Series(np.asarray(levels, dtype=object)[codes]).infer_objects().array


def _levels(values: np.ndarray[Any, Any], dtype: str, where: str) -> list[Any]:
    """Levels in their own type, all different."""
    if values.ndim != 1:
        raise FitFileError("stored levels are no list", where=where, fix=_FIX)
    if dtype == "text":
        if not all(isinstance(v, str) for v in values):
            raise FitFileError("stored levels are no text", where=where, fix=_FIX)
        found = [str(v) for v in values]
    else:
        _check_type(values, "int8" if dtype == "bool" else dtype, where)
        found = list(values.astype(dtype))
    if len(set(found)) < len(found):
        raise FitFileError("two stored levels are the same", where=where, fix=_FIX)
    return found


def _codes(values: np.ndarray[Any, Any], n_levels: int, where: str) -> IntArray:
    """Codes, each with a level."""
    if values.size and (values.min() < 0 or values.max() >= n_levels):
        raise FitFileError("a stored code has no level", where=where, fix=_FIX)
    return cast(IntArray, values.astype(np.int64))


def _check_type(values: np.ndarray[Any, Any], dtype: str, where: str) -> None:
    if values.dtype.name != dtype:
        raise FitFileError(f"stored values of type {values.dtype.name}, not {dtype}", where=where, fix=_FIX)
