"""Rows that lie outside the data, and means that no number can hold: what their readers are told."""

from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.design.encoding import part_columns
from bayesglmm.fit.fit import Fit
from bayesglmm.post.intervals import IntervalChoice, interval_ends, summarise
from bayesglmm.types import BoolArray, FloatArray

SLACK: Final = 1e-6
"""A value this share of the range beyond an end is no extrapolation, but rounding."""
SHOWN: Final = 4
LARGEST: Final = 1e300
"""A mean beyond it counts as infinite."""
SQUARABLE: Final = 1e150
"""A mean beyond it has a square that no number holds."""
SHRINK: Final = 2.0**-530
"""Makes means up to ``LARGEST`` squarable, exactly."""


def range_notes(fit: Fit, frame: pd.DataFrame) -> tuple[str, ...]:
    """One note on the numbers of new rows that lie outside their range in the data; none where there are none.

    Parameters
    ----------
    fit
        Its data give the ranges.
    frame
        n rows, with the columns that the predictor reads.

    Returns
    -------
    tuple of str
        Offsets, factors and levels of groups are not numbers in this sense.
    """
    found = [text for name in number_columns(fit) if name in frame.columns and (text := _outside(fit.frame[name], frame[name], name))]
    return (f"Extrapolated beyond the data: {'; '.join(found)}.",) if found else ()


def number_columns(fit: Fit) -> tuple[str, ...]:
    """Columns of numbers that terms of the model read, each once."""
    encoding = fit.design.encoding
    parts = (encoding.fixed.part, *(g.effects.part for g in encoding.groups))
    names = dict.fromkeys(name for part in parts for name in part_columns(part))
    return tuple(name for name in names if _is_number(fit.frame[name]))


def summarise_means(draws: FloatArray, choice: IntervalChoice) -> dict[str, FloatArray]:
    """Summaries of means (S, k) as :func:`bayesglmm.post.intervals.summarise` gives them, some of which may be infinite.

    Where a draw is beyond ``LARGEST``, the mean over draws is infinite and its SD is not known; a median or an end of an interval is
    infinite when it lies among such draws.
    """
    top = np.maximum(draws.max(axis=0, initial=0.0), -draws.min(axis=0, initial=0.0))
    if bool(np.all(top < SQUARABLE)):
        return summarise(draws, choice)
    scale, beyond = np.where(top < SQUARABLE, 1.0, SHRINK), np.abs(draws) > LARGEST
    found = summarise(np.clip(draws, -LARGEST, LARGEST) * scale, choice)
    finite = np.where(beyond, -np.inf, draws).max(axis=0, initial=-np.inf)
    some = beyond.any(axis=0)
    values = {name: np.where(some & (value / scale > finite), np.inf, value / scale) for name, value in found.items()}
    return {**values, "mean": np.where(some, np.inf, values["mean"]), "sd": np.where(some, np.nan, values["sd"])}


def ends_of_means(draws: FloatArray, choice: IntervalChoice) -> tuple[FloatArray, FloatArray]:
    """Find the ends (k,) of intervals of means (S, k), some of which may be infinite; an end that lies among such draws is infinite."""
    beyond = draws > LARGEST
    lower, upper = interval_ends(np.minimum(draws, LARGEST), choice)
    finite = np.where(beyond, -np.inf, draws).max(axis=0, initial=-np.inf)
    some = beyond.any(axis=0)
    return np.where(some & (lower > finite), np.inf, lower), np.where(some & (upper > finite), np.inf, upper)


def overflow_notes(mean: FloatArray) -> tuple[str, ...]:
    """Say in which rows of a table the mean, shape (n,), is infinite; nothing where none is."""
    why = f"beyond {LARGEST:g} in some draws, which no number holds: the mean over draws is infinite, its SD is not known."
    return _rows_note(np.isinf(mean), why)


def infinite_end_notes(ends: FloatArray) -> tuple[str, ...]:
    """Say in which rows of a table some end of an interval, shape (n, ends), is infinite; nothing where none is."""
    return _rows_note(np.isinf(ends).any(axis=1), f"an end is beyond {LARGEST:g}, which no number holds: it is shown as infinite.")


def _rows_note(there: BoolArray, why: str) -> tuple[str, ...]:
    """Say something of some rows of a table, shape (n,); nothing where there are none."""
    rows = np.flatnonzero(there)
    if not rows.size:
        return ()
    listed = ", ".join(str(row) for row in rows[:SHOWN]) + (", ..." if rows.size > SHOWN else "")
    return (f"{'Row' if rows.size == 1 else 'Rows'} {listed} of the table (counted from 0): {why}",)


def _outside(data: "pd.Series[float]", new: "pd.Series[float]", name: str) -> str:
    """Name the values of a column that lie outside the data, and the range of the data."""
    if not _is_number(new):
        return ""
    values, known = new.to_numpy(dtype=np.float64), data.to_numpy(dtype=np.float64)
    low, high = float(known.min()), float(known.max())
    slack = SLACK * (high - low)
    beyond = np.unique(values[(values < low - slack) | (values > high + slack)])
    if not beyond.size:
        return ""
    listed = ", ".join(f"{v:.4g}" for v in beyond) if beyond.size <= SHOWN else f"{beyond[0]:.4g} to {beyond[-1]:.4g}"
    return f"{name} = {listed} (data: {low:.4g} to {high:.4g})"


def _is_number(column: "pd.Series[float]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column.dtype)) and not bool(pd.api.types.is_bool_dtype(column.dtype))
