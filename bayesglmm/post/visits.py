"""Who was observed when: the share of levels seen at each time, and the pattern of visits."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.groups import NESTING, cells
from bayesglmm.design.table import Table, levels_of, plain_columns, read_table
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.observed import (
    AS_OBSERVED,
    Asked,
    chosen_factor,
    columns_of_factor,
    covariates,
    first_numeric,
    no_covariate,
    raw_table,
    spec_of,
)
from bayesglmm.post.result import Result
from bayesglmm.spec.gate import names_in
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.types import BoolArray, IntArray

MISSING: Final = "missing"
STATES = ("no row", "response missing", "covariate missing", "observed")
"""What a level and a time can be, from the least to the most that is known; their positions are the numbers in ``draws``."""
NO_ROW, NO_RESPONSE, NO_COVARIATE, SEEN = range(len(STATES))
MOST_TIMES = 60
"""Columns of the picture; more are no schedule of visits."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """Rows with a level and a time, m of them.

    Attributes
    ----------
    level, time
        Shape (m,): positions among the labels.
    state
        Shape (m,): what of the row is there.
    levels, times
        Labels, times in order.
    lost
        Rows without level or time.
    """

    level: IntArray
    time: IntArray
    state: IntArray
    levels: tuple[str, ...]
    times: tuple[str, ...]
    lost: int


def visits(given: Asked, data: Any = None, *, factor: str | None = None, time: str | None = None, family: str = "gaussian") -> Result:
    """Which levels were observed at which time.

    Parameters
    ----------
    given
        A formula, a spec, or a fit that left out no row.
    data
        The table with its missing values, for a formula or a spec.
    factor
        Whose levels are followed; None takes the first grouping factor of the formula.
    time
        A column with at most 60 values; None takes the first numeric covariate that changes within levels.
    family
        For a formula.

    Returns
    -------
    Result
        ``table``, a row per time: ``time``, ``observed`` (levels with a complete row), ``share`` of all levels, ``covariate_missing``,
        ``response_missing``, ``no_row``. ``draws``: ``state`` with dims (level, time), positions in :data:`STATES`; levels that were seen
        longest first, then those seen most often. The notes count complete levels, those that left and did not come back, and gaps.

    Raises
    ------
    ArgumentError
        If there is no factor or no time, there are too many times, or the fit has left out rows.
    ColumnError
        If a column is not in the table.
    """
    spec = spec_of(given, data, family)
    table = raw_table(given, data)
    columns = columns_of_factor(spec, chosen_factor(spec, factor))
    name = NESTING.join(columns)
    along = _time(spec, table, columns) if time is None else time
    placed = _place(spec, table, columns, along)
    state = np.zeros((len(placed.levels), len(placed.times)), dtype=np.int64)
    np.maximum.at(state, (placed.level, placed.time), placed.state)
    order = _order(state)
    state = state[order]
    counts = {s: (state == i).sum(axis=0) for i, s in enumerate(STATES)}
    columns_of = {s.replace(" ", "_"): counts[s] for s in reversed(STATES)}
    shown = pd.DataFrame({"time": np.array(placed.times, dtype=object), **columns_of})
    shown.insert(2, "share", counts[STATES[SEEN]] / len(placed.levels))
    draws = xr.Dataset(
        {"state": (("level", "time"), state.astype(np.int8))},
        coords={"level": np.array(placed.levels, dtype=object)[order], "time": np.array(placed.times, dtype=object)},
        attrs={"kind": MISSING, "factor": name, "along": along, "response": spec.response.text},
    )
    title = f"Visits of {len(placed.levels)} levels of {name} over {along}"
    return Result(title, AS_OBSERVED, shown, draws, _notes(placed, state == SEEN, isinstance(given, Fit)))


def _time(spec: ModelSpec, table: Any, columns: tuple[str, ...]) -> str:
    """First numeric covariate that changes within levels, whatever else is missing."""
    for name in covariates(spec):
        if name not in columns:
            part = read_table(table, (*columns, name), missing="drop")[0]
            if first_numeric(part, (name,), cells(part, columns)[0]) is not None:
                return name
    raise no_covariate(spec)


def _place(spec: ModelSpec, table: Any, columns: tuple[str, ...], time: str) -> _Placed:
    """Find the level, the time and the state of every row that has a level and a time."""
    placed, dropped = read_table(table, (*columns, time), missing="drop")
    level, levels = cells(placed, columns)
    at, times = levels_of(placed.column(time))
    if len(times) > MOST_TIMES:
        raise ArgumentError(
            f"{time} has too many values for a schedule of visits",
            where=f"{len(times)} values, at most {MOST_TIMES}",
            fix="name the number of the visit, or round the times in a column of the table",
        )
    response = spec.response
    texts = (response.expression, response.trials, response.failures, response.se, response.weights)
    own = tuple(dict.fromkeys(name for text in texts if text is not None for name in names_in(text)))
    others = tuple(name for name in spec.columns if name not in (*own, *columns, time))
    state = np.where(_missing(table, others, placed), NO_COVARIATE, SEEN)
    state = np.where(_missing(table, own, placed), NO_RESPONSE, state)
    return _Placed(level, at, state, levels, times, dropped.dropped)


def _missing(table: Any, names: tuple[str, ...], placed: Table) -> BoolArray:
    """Whether any of some columns is missing, in the rows that have a place."""
    columns = plain_columns(table, names) if names else {}
    missing = np.zeros(placed.n_rows, dtype=np.bool_)
    for values in columns.values():
        missing |= pd.isna(values if placed.rows is None else values[placed.rows])
    return missing


def _order(state: IntArray) -> IntArray:
    """Levels that were seen longest first, then those seen most often, then equal patterns together."""
    seen = state == SEEN
    times = np.arange(1, state.shape[1] + 1)
    last = np.where(seen, times, 0).max(axis=1)
    return np.lexsort([*(-state.T[::-1]), -seen.sum(axis=1), -last]).astype(np.int64)


def _notes(placed: _Placed, seen: BoolArray, fitted: bool) -> tuple[str, ...]:
    complete = seen.all(axis=1)
    left = ~complete & seen[:, 0] & np.all(seen[:, 1:] <= seen[:, :-1], axis=1)
    never = int(np.sum(~seen.any(axis=1)))
    gaps = len(seen) - int(complete.sum()) - int(left.sum()) - never
    notes = [
        f"{int(complete.sum())} of {len(seen)} levels were observed at every time, {int(left.sum())} from the first time on until they "
        f"left for good, {gaps} with gaps or from later on" + (f", {never} never." if never else ".")
    ]
    doubled = len(placed.level) - len(np.unique(placed.level * len(placed.times) + placed.time))
    if doubled:
        notes.append(f"{doubled} rows repeat a level and a time; such a visit counts as the most complete of its rows.")
    if placed.lost:
        notes.append(f"{placed.lost} rows have no level or no time and stand nowhere.")
    if fitted:
        notes.append("These are the rows of the fit, which has none with missing values.")
    return tuple(notes)
