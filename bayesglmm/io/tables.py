"""Tables from files, csv, csv.gz and parquet, as pandas frames, where text stays text; and to csv files."""

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from bayesglmm.errors import DatasetError
from bayesglmm.io.atomic import moved_when_whole, unwritable

MISSING = ("", "NA", "NaN", "nan")
"""How a missing value is written in a text file; every other text, None and null too, is a value."""


def read_data(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table from a file.

    Parameters
    ----------
    path
        ``.csv`` (comma, header line, UTF-8), ``.csv.gz`` or ``.parquet``. In text files a column is numeric when every value is a
        number, true or false when every value is True or False, and text otherwise; empty fields and NA are missing.

    Returns
    -------
    pandas.DataFrame
        All columns, in order.

    Raises
    ------
    DatasetError
        If the file is missing, of another kind, empty, or no table.
    """
    source = Path(path).expanduser()
    if not os.path.isfile(source):
        raise DatasetError("there is no such data file", where=str(source), fix="check the name and the folder")
    kind = next((suffix for suffix in READERS if source.name.lower().endswith(suffix)), None)
    if kind is None:
        raise DatasetError("a data file of this kind cannot be read", where=str(source), fix=f"use one of {', '.join(READERS)}")
    try:
        return READERS[kind](source)
    except (OSError, EOFError, ValueError, pd.errors.ParserWarning) as error:
        if isinstance(error, DatasetError):
            raise
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"the data file cannot be read: {reason}", where=str(source), fix="check that it is a complete table of its kind"
        ) from error


def write_csv(table: pd.DataFrame, target: Path) -> Path:
    """Write a table as csv, whole or not at all; a row index that only counts is left out.

    Parameters
    ----------
    table
        Any table.
    target
        Where to; see :func:`bayesglmm.io.atomic.check_target`.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DatasetError
        If the file cannot be written; nothing is left behind then.
    """
    try:
        with moved_when_whole(target) as temporary:
            table.to_csv(temporary, index=not isinstance(table.index, pd.RangeIndex), encoding="utf-8")
    except OSError as error:
        raise unwritable(target, error, DatasetError) from error
    return target


def _read_csv(source: Path) -> pd.DataFrame:
    _check_header(source)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(source, encoding="utf-8-sig", keep_default_na=False, na_values=list(MISSING), index_col=False, low_memory=False)


def _check_header(source: Path) -> None:
    """Names of columns: given, different, and split by commas."""
    header = pd.read_csv(source, encoding="utf-8-sig", header=None, nrows=1, dtype=str, keep_default_na=False, index_col=False)
    names = [str(n).strip() for n in header.iloc[0]]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise DatasetError(
            "the columns are not separated by commas", where=f"{source}, header {names[0]!r}", fix="save it with commas, or as parquet"
        )
    doubled = sorted({n for n in names if names.count(n) > 1})
    if doubled:
        shown = ", ".join(repr(n) for n in doubled)
        raise DatasetError("two columns of one name, or of none", where=f"{shown} in {source}", fix="give every column a name of its own")


def _read_parquet(source: Path) -> pd.DataFrame:
    return pd.read_parquet(source, engine="pyarrow")


READERS: Mapping[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".csv.gz": _read_csv, ".parquet": _read_parquet}
