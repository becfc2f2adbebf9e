"""The user's own table of new rows: what it lacks, and all its columns, of which the model reads some."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.design.table import column_names, plain_columns
from bayesglmm.errors import ColumnError, MissingValueError
from bayesglmm.post.rows import read_frame

ALIKE: Final = 0.7
"""Two names are taken for one misspelt name from this similarity on."""


def check_columns(newdata: Any, needed: Sequence[str]) -> None:
    """Refuse new rows without a column that the model reads.

    Raises
    ------
    ColumnError
        Names all that are missing; and the nearest of the table's other columns, if one is near.
    """
    known = [str(c) for c in column_names(newdata)]
    missing = [name for name in needed if name not in known]
    if not missing:
        return
    others = {name.casefold(): name for name in known if name not in needed}
    near = get_close_matches(missing[0].casefold(), others, n=1, cutoff=ALIKE)
    hint = f"did you mean {others[near[0]]!r}? " if near else ""
    listed = ", ".join(repr(name) for name in missing)
    raise ColumnError(
        f"the table has no column{'' if len(missing) == 1 else 's'} {listed}",
        where=f"new rows with the columns {', '.join(known) or 'none'}",
        fix=f"{hint}The model reads: {', '.join(needed)}",
    )


def whole_frame(newdata: Any, read: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """All columns of the user's table, in its order, and notes on those that cannot be shown.

    Parameters
    ----------
    newdata
        Any table, or a dict of arrays, of n rows.
    read
        n rows: the columns that the model reads, as it reads them; shown where the table is not one of pandas.

    Returns
    -------
    tuple
        A frame of n rows, which has the index of a pandas table where it is more than row numbers; and notes.
    """
    n_rows, names = len(read), list(dict.fromkeys(str(c) for c in column_names(newdata)))
    own = isinstance(newdata, pd.DataFrame)
    found = {name: _other(newdata, name, n_rows) if own or name not in read.columns else read[name].array for name in names}
    left = [name for name, values in found.items() if values is None]
    index = newdata.index if own and not _only_numbers(newdata.index) else pd.RangeIndex(n_rows)
    frame = pd.DataFrame({name: values for name, values in found.items() if values is not None}, index=index)
    return frame, ((f"Left out of the table, since its values cannot be shown: {', '.join(left)}.",) if left else ())


def _other(newdata: Any, name: str, n_rows: int) -> Any:
    """Take a column as it is, its missing values included; None where that cannot be done."""
    if isinstance(newdata, pd.DataFrame):
        return newdata.iloc[:, [str(c) for c in newdata.columns].index(name)].array
    if isinstance(newdata, Mapping):
        return _array(next(values for key, values in newdata.items() if str(key) == name), n_rows)
    try:
        return read_frame(newdata, [name])[name].array
    except (ColumnError, MissingValueError):
        pass
    try:
        return plain_columns(newdata, [name])[name]
    except (ColumnError, MissingValueError):
        return None


def _array(values: Any, n_rows: int) -> Any:
    """Make a column of an entry of a dict: n values, or one value for all rows; None where it is neither."""
    values = values.to_pandas() if hasattr(values, "to_pandas") else values
    if isinstance(values, str) or np.ndim(values) == 0:
        return pd.Series([values] * n_rows).array
    return pd.Series(values).array if np.ndim(values) == 1 and len(values) == n_rows else None


def _only_numbers(index: "pd.Index[Any]") -> bool:
    """Whether an index only numbers the rows from 0."""
    return index.nlevels == 1 and index.name is None and index.equals(pd.RangeIndex(len(index)))
