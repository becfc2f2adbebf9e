"""From the bytes of a table to a data frame in the types of its card.

The check is strict on purpose: another number of rows, another column, an unlisted label or another count of missing
values means that this is not the table the card describes, and every number computed from it would be about other data.
"""

from io import BytesIO

import numpy as np
import pandas as pd

from bayesglmm.datasets.cards import Card, ColumnCard
from bayesglmm.errors import DatasetError


def from_csv(content: bytes, card: Card) -> pd.DataFrame:
    """Read a CSV table; numbers are parsed to the nearest double.

    Parameters
    ----------
    content
        The file.
    card
        The card that it must match.

    Raises
    ------
    DatasetError
        If the table is not the one on the card.
    """
    text = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False, na_values=[card.missing_code])
    numeric = {c.name for c in card.columns if not c.is_factor}
    # pandas' own parser may be off by a unit in the last place, depending on its version; Python's never is
    raw = pd.DataFrame({k: [float(v) for v in text[k]] if k in numeric else text[k] for k in text.columns})
    return typed(raw, card)


def from_parquet(content: bytes, card: Card) -> pd.DataFrame:
    """Read a Parquet table whose factors are stored as text.

    Raises
    ------
    DatasetError
        If the table is not the one on the card.
    """
    return typed(pd.read_parquet(BytesIO(content), engine="pyarrow"), card)


def typed(raw: pd.DataFrame, card: Card) -> pd.DataFrame:
    """Return a new frame with the types, level order and checks of the card.

    Parameters
    ----------
    raw
        Columns of labels (text or categories) and of numbers, in any type.
    card
        The card that they must match.

    Raises
    ------
    DatasetError
        If columns, rows, labels or missing values are not those of the card.
    """
    expected = [c.name for c in card.columns]
    if list(raw.columns) != expected:
        raise DatasetError(
            f"the columns are {', '.join(map(str, raw.columns))}", where=card.name, fix=f"the card has {', '.join(expected)}"
        )
    if len(raw) != card.rows:
        raise DatasetError(f"the table has {len(raw)} rows", where=card.name, fix=f"the card has {card.rows}")
    columns = {c.name: _column(raw[c.name], c, card.name) for c in card.columns}
    return pd.DataFrame(columns)


def _column(values: pd.Series, column: ColumnCard, dataset: str) -> pd.Series:
    missing = int(values.isna().sum())
    if missing != column.n_missing:
        what = f"{missing} values are missing, {column.n_missing} on the card"
        raise DatasetError(what, where=f"column {column.name!r} of {dataset}")
    return _category(values, column, dataset) if column.is_factor else _number(values, column, dataset)


def _category(values: pd.Series, column: ColumnCard, dataset: str) -> pd.Series:
    codes, uniques = pd.factorize(values)
    labels = [str(u) for u in uniques]
    levels = _levels(labels, column)
    unlisted = sorted(set(labels).difference(levels))
    if unlisted or len(levels) != column.n_levels:
        what = (
            f"labels that the card does not have: {', '.join(unlisted[:5])}" if unlisted else f"{len(levels)} labels, not {column.n_levels}"
        )
        raise DatasetError(what, where=f"column {column.name!r} of {dataset}")
    position = {level: i for i, level in enumerate(levels)}
    # factorize codes a missing value -1, which picks the last entry here, and pandas reads -1 as missing again
    new_codes = np.array([*(position[label] for label in labels), -1])[codes]
    return pd.Series(pd.Categorical.from_codes(new_codes, categories=pd.Index(levels), ordered=column.kind == "ordered"))


def _levels(labels: list[str], column: ColumnCard) -> list[str]:
    """Levels in the order of the card; without a list on the card, whole numbers in numeric order."""
    if column.levels is not None:
        return list(column.levels)
    return sorted((v for v in labels if v.isdecimal()), key=int)


def _number(values: pd.Series, column: ColumnCard, dataset: str) -> pd.Series:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if column.kind == "numeric":
        return pd.Series(numbers)
    present = numbers[~np.isnan(numbers)]
    if not np.array_equal(present, np.rint(present)):
        raise DatasetError("values that are not whole numbers", where=f"column {column.name!r} of {dataset}")
    return pd.Series(numbers if column.n_missing else numbers.astype(np.int64))
