"""A result as text and as HTML: rounding and escaping, nothing else."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

SIGNIFICANT = 4
SKEWED = 4.0
"""The longer side of an interval, in lengths of the shorter one, from which on its ends have digits of their own."""
QUANTILES = ("ci_lower", "median", "ci_upper")
LARGE, SMALL = 9, 9
"""Numbers with more digits before or zeros after the point are written with an exponent."""
_CENTERS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("mean", "sd", "median", "ci_lower", "ci_upper"), ("mean", "sd")),
    **{f"{name}{end}": (name, f"{name}_sd") for name in ("subject_specific", "marginal") for end in ("", "_sd", "_lower", "_upper")},
}
"""Columns of estimates, with the columns of their posterior mean and SD."""

_FORMATS: Mapping[str, Callable[[float], str]] = {
    "mcse_mean": lambda x: f"{x:.2g}",
    "ess_bulk": lambda x: f"{x:z.0f}",
    "ess_tail": lambda x: f"{x:z.0f}",
    "r_hat": lambda x: f"{x:z.3f}",
    "reliability": lambda x: f"{x:z.3f}",
    "shrinkage": lambda x: f"{x:z.3f}",
    "rank": lambda x: f"{x:z.1f}",
    "rank_lower": lambda x: f"{x:z.0f}",
    "rank_upper": lambda x: f"{x:z.0f}",
}


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table as text.

    Attributes
    ----------
    names
        Column headers.
    cells
        Rows of cells.
    numeric
        Whether each column holds numbers, which are aligned to the right.
    """

    names: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def format_table(table: pd.DataFrame, *, n_draws: int, headers: Mapping[str, str]) -> TextTable:
    """Round and write every cell of a table.

    Estimates are shown to the last digit that is larger than their Monte Carlo standard error: the column ``mcse_mean`` where
    there is one, otherwise its lower limit ``sd / sqrt(S)`` for S independent draws; never more than four significant digits
    of the posterior mean. The SD keeps one significant digit at least. Median and interval are each shown to three significant digits
    instead where the SD says nothing about them:

    - one end of the interval is more than ``SKEWED`` times as far from the median as the other: the posterior is skewed;
    - the SD exceeds the width of the whole interval, a quarter of which it would be for a normal posterior and 95 %: rare draws make it.

    Other numbers, and estimates whose error is not known, are shown to four significant digits. Missing numbers are ``-``, and no zero
    has a sign.

    Parameters
    ----------
    table
        One row per line; an index with a name becomes the first column.
    n_draws
        S, the number of posterior draws behind the table; 0 where it is not known.
    headers
        Column names to what is printed instead.
    """
    shown = flat_index(table)
    values = [shown.iloc[:, at].tolist() for at in range(shown.shape[1])]
    columns = [
        _format_column(column, str(name), _row_decimals(shown, str(name), n_draws))
        for name, column in zip(shown.columns, values, strict=True)
    ]
    names = tuple(headers.get(str(c), str(c)) for c in shown.columns)
    return TextTable(names, tuple(zip(*columns, strict=True)), tuple(_is_numeric(v) for v in values))


def flat_index(table: pd.DataFrame) -> pd.DataFrame:
    """Turn an index that has a name into the first column; rows that are only numbered lose their numbers."""
    return table.reset_index() if table.index.name is not None else table.reset_index(drop=True)


def plain_table(table: TextTable) -> str:
    """Write columns two blanks apart, numbers aligned to the right."""
    lines = [table.names, *table.cells]
    widths = [max(len(line[at]) for line in lines) for at in range(len(table.names))]
    return "\n".join("  ".join(_padded(line, widths, table.numeric)).rstrip() for line in lines)


def html_table(table: TextTable) -> str:
    """Write the same table in HTML; every header and cell is escaped."""
    head = "".join(f"<th>{escape(n)}</th>" for n in table.names)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in table.cells)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def plain_value(value: object) -> object:
    """Turn a table's value into what JSON holds: numpy scalars become Python's, what is not finite becomes None, other objects text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def format_number(value: float) -> str:
    """Write a number to four significant digits, ``-`` when missing; a whole number is written out in full, and zero has no sign."""
    if math.isnan(value):
        return "-"
    return f"{value:z.0f}" if value == round(value, 0) and abs(value) < 1e15 else f"{value:.{SIGNIFICANT}g}"


def _padded(line: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    return [c.rjust(w) if right else c.ljust(w) for c, w, right in zip(line, widths, numeric, strict=True)]


def _is_numeric(values: Sequence[object]) -> bool:
    return all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in values)


def _row_decimals(table: pd.DataFrame, name: str, n_draws: int) -> list[int | None]:
    """Decimals of each row of a column; None where it is no estimate, or no error is known."""
    center, sd = _CENTERS.get(name, ("", ""))
    if center not in table.columns or sd not in table.columns:
        return [None] * len(table)
    naive = table[sd].to_numpy(dtype=float) / (math.sqrt(n_draws) if n_draws > 0 else math.nan)
    error = table["mcse_mean"].to_numpy(dtype=float) if "mcse_mean" in table.columns else naive
    error = np.where(np.isfinite(error), error, naive)
    decimals = [_decimals(m, e) for m, e in zip(table[center].to_numpy(dtype=float), error, strict=True)]
    if name == sd:
        return [_at_least_one(v, d) for v, d in zip(table[sd].to_numpy(dtype=float), decimals, strict=True)]
    if name not in QUANTILES or not set(QUANTILES) <= set(table.columns):
        return decimals
    own = [_significant(v) for v in table[name].to_numpy(dtype=float)]
    return [o if apart else d for o, d, apart in zip(own, decimals, _apart(table, sd), strict=True)]


def _apart(table: pd.DataFrame, sd: str) -> list[bool]:
    """Whether the SD says nothing about each row's interval: the posterior is skewed, or the SD is wider than the whole interval."""
    lower, median, upper = (table[q].to_numpy(dtype=float) for q in QUANTILES)
    with np.errstate(invalid="ignore"):
        below, above = median - lower, upper - median
        return list((above > SKEWED * below) | (below > SKEWED * above) | (table[sd].to_numpy(dtype=float) > upper - lower))


def _significant(value: float) -> int | None:
    """Find the decimals that show three significant digits."""
    return 2 + _leading(value) if math.isfinite(value) and value != 0.0 else None


def _at_least_one(value: float, decimals: int | None) -> int | None:
    """Give an SD the decimals of its row, and more where they show none of its digits."""
    return decimals if decimals is None or not (math.isfinite(value) and value > 0.0) else max(decimals, _leading(value))


def _leading(value: float) -> int:
    """Find the decimals that show the first digit of a number that is neither zero nor infinite."""
    return -math.floor(math.log10(abs(value)))


def _decimals(mean: float, error: float) -> int | None:
    """Find the last decimal place whose unit exceeds the error, at most four significant digits of the mean."""
    if not (math.isfinite(error) and error > 0.0 and math.isfinite(mean)):
        return None
    by_error = math.floor(-math.log10(error))
    return by_error if mean == 0.0 else min(by_error, SIGNIFICANT - 1 - math.floor(math.log10(abs(mean))))


def _format_column(values: Sequence[object], name: str, decimals: Sequence[int | None]) -> list[str]:
    if not _is_numeric(values):
        return ["-" if v is None else str(v) for v in values]
    floats = [float(v) for v in values]  # type: ignore[arg-type]
    if name in _CENTERS:
        return [_round(v, d) for v, d in zip(floats, decimals, strict=True)]
    write = _FORMATS.get(name, format_number)
    return ["-" if math.isnan(v) else write(v) for v in floats]


def _round(value: float, decimals: int | None) -> str:
    if decimals is None or not math.isfinite(value):
        return format_number(value)
    if decimals > SMALL + SIGNIFICANT or abs(value) >= 10.0**LARGE:
        return f"{value:z.3g}"
    return f"{round(value, decimals):z.{max(decimals, 0)}f}"
