"""Rows of a table as a model reads them: response, levels and covariates, before anything is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesglmm.design.encoding import evaluate_column, part_columns, trials_of
from bayesglmm.design.groups import NESTING, cells, factor_columns
from bayesglmm.design.prepare import family_and_link, prepare
from bayesglmm.design.records import Column, used_levels
from bayesglmm.design.table import DroppedRows, Table, column_names, levels_of, read_table
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.spec.gate import column_name
from bayesglmm.spec.model_spec import ModelSpec, expand_spec, make_spec
from bayesglmm.types import BoolArray, FloatArray, IntArray

type Asked = Fit | ModelSpec | str

AS_OBSERVED = "data as observed: no model, no estimate"
"""Target of every picture of data."""


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Rows that a model would be fitted to.

    Attributes
    ----------
    spec
        What is modelled.
    table
        The columns of the formula and those asked for besides, n rows without missing values.
    totals, sizes
        Shape (n,): the response, and ones; for a binomial response successes and trials. ``totals / sizes`` is what is drawn.
    binary
        Whether the mean of the response is a probability.
    label
        What ``totals / sizes`` is.
    notes
        What was left out.
    """

    spec: ModelSpec
    table: Table
    totals: FloatArray
    sizes: FloatArray
    binary: bool
    label: str
    notes: tuple[str, ...]

    @property
    def values(self) -> FloatArray:
        """The response as drawn, shape (n,): of a binomial one the share of successes."""
        return self.totals / self.sizes

    def levels(self, factor: str) -> tuple[IntArray, tuple[str, ...]]:
        """Level of each row (n,), and the labels of all levels."""
        return cells(self.table, columns_of_factor(self.spec, factor))


@dataclass(frozen=True, slots=True)
class Axis:
    """A covariate along an axis.

    Attributes
    ----------
    name
        Its column.
    values
        Shape (n,): its numbers; of a factor the positions of its levels.
    labels
        Levels of a factor, in order; None for numbers.
    """

    name: str
    values: FloatArray
    labels: tuple[str, ...] | None


def observe(given: Asked, data: Any = None, *, family: str = "gaussian", further: Sequence[str] = ()) -> Observed:
    """Read the rows that a model would be fitted to; every check on formula and data happens here.

    Parameters
    ----------
    given
        A formula, a spec, or a fit (which brings its rows along).
    data
        A table, for a formula or a spec. Rows with missing values in a needed column are left out, and the notes count them.
    family
        For a formula.
    further
        Columns of the table that the formula does not name.

    Raises
    ------
    BayesglmmError
        If anything about the formula or the data is wrong.
    """
    check_asked(given, data)
    if isinstance(given, Fit):
        spec, source, before = given.spec, given.frame, given.design.dropped
    else:
        ready = prepare(as_spec(given, family), data, missing="drop")
        spec, source, before = ready.spec, data, None
    table, dropped = read_table(source, (*spec.columns, *further), missing="drop")
    notes = dropped_notes(dropped if before is None else before)
    trials = trials_of(spec.response, table)
    if trials is not None and not trials.all():
        notes = (*notes, f"{int(np.sum(trials == 0.0))} rows without a trial are left out.")
        table, trials = _take(table, trials > 0.0), trials[trials > 0.0]
    totals = evaluate_column(spec.response.expression, table)
    sizes = np.ones_like(totals) if trials is None else trials
    binary = family_and_link(spec.family, spec.link)[1].onto_unit_interval
    return Observed(spec, table, totals, sizes, binary, _label(spec), notes)


def check_asked(given: object, data: Any) -> None:
    """Refuse what is no model, a model without a table, and a fit with one.

    Raises
    ------
    ArgumentError
    """
    if isinstance(given, Fit):
        if data is not None:
            raise ArgumentError("a fit brings its own data", where="data=", fix="leave data out, or pass a formula with it")
    elif not isinstance(given, ModelSpec | str):
        fix = "pass a formula, a spec, a fit, or what data_view(...) returned"
        raise ArgumentError(f"a model is needed, not {type(given).__name__}", fix=fix)
    elif data is None:
        raise ArgumentError("no data", where="data=None", fix="pass a table with the formula")


def as_spec(given: ModelSpec | str, family: str) -> ModelSpec:
    """Return a spec as it is; a formula with the family's default link."""
    if isinstance(given, ModelSpec):
        return given
    record, link = family_and_link(family, None)
    return make_spec(given, family=record.name, link=link.name)


def spec_of(given: Asked, data: Any, family: str) -> ModelSpec:
    """Return the spec of what is asked, ``.`` replaced by the columns of the table.

    Raises
    ------
    BayesglmmError
        If it is no model, there is no table, or the formula is wrong.
    """
    check_asked(given, data)
    return given.spec if isinstance(given, Fit) else expand_spec(as_spec(given, family), column_names(data))


def raw_table(given: Asked, data: Any) -> Any:
    """Return the table as it was given, missing values and all.

    Raises
    ------
    ArgumentError
        If it is a fit that left rows out, which it has not kept.
    """
    if not isinstance(given, Fit):
        return data
    dropped = given.design.dropped
    if dropped.dropped:
        raise ArgumentError(
            "the fit kept complete rows only, so it cannot show what is missing",
            where=f"{dropped.dropped} of {dropped.total} rows were left out",
            fix="pass the formula and the table",
        )
    return given.frame


def chosen_factor(spec: ModelSpec, factor: str | None) -> str:
    """Name the factor whose levels are shown: the first grouping factor unless one is named.

    Raises
    ------
    ArgumentError
        If the formula has none and none is named.
    """
    if factor is not None:
        return factor
    if not spec.groups:
        raise ArgumentError("the formula has no grouping factor", where=spec.formula, fix="name a column of the table, factor='subject'")
    return NESTING.join(factor_columns(spec.groups[0]))


def columns_of_factor(spec: ModelSpec, factor: str) -> tuple[str, ...]:
    """Columns that make a grouping factor of the formula, with or without back-quotes; or the column of this name."""
    known = {spelled: factor_columns(term) for term in spec.groups for spelled in (NESTING.join(factor_columns(term)), term.name)}
    return known.get(factor, (factor,))


def further_columns(spec: ModelSpec, *names: str | None) -> tuple[str, ...]:
    """Columns among these that the formula does not name."""
    return tuple(dict.fromkeys(n for n in names if n is not None and n not in spec.columns))


def axis_of(table: Table, name: str) -> Axis:
    """Make a column an axis."""
    column = table.column(name)
    if column.kind == "number":
        return Axis(name, column.numbers, None)
    codes, labels = levels_of(column)
    return Axis(name, codes.astype(np.float64), labels)


def covariates(spec: ModelSpec) -> tuple[str, ...]:
    """Columns that the effects of a formula read, the fixed ones first, each once."""
    parts = (spec.fixed, *(g.effects for g in spec.groups))
    return tuple(dict.fromkeys(name for part in parts for name in part_columns(part)))


def first_numeric(table: Table, names: Sequence[str], codes: IntArray | None) -> str | None:
    """First of these columns that holds numbers and varies within the levels that ``codes`` (n,) tell apart; at all, when None."""
    for name in names:
        column = table.columns.get(name)
        if column is not None and column.kind == "number" and _varies(column.numbers, codes):
            return name
    return None


def no_covariate(spec: ModelSpec) -> ArgumentError:
    """Error for a picture along a covariate that nothing names."""
    return ArgumentError(
        "no covariate of the formula is a number that changes", where=spec.formula, fix="name a column of the table, time='visit'"
    )


def _varies(values: FloatArray, codes: IntArray | None) -> bool:
    if codes is None:
        return bool(np.ptp(values) > 0.0)
    order = np.argsort(codes, kind="stable")
    code, value = codes[order], values[order]
    return bool(np.any((code[1:] == code[:-1]) & (value[1:] != value[:-1])))


def _label(spec: ModelSpec) -> str:
    response = spec.response
    name = column_name(response.expression) or response.expression
    if response.failures is not None:
        return f"share {name} / ({name} + {response.failures})"
    return name if response.trials is None else f"share {name} / {response.trials}"


def dropped_notes(dropped: DroppedRows) -> tuple[str, ...]:
    """Say how many rows were left out, and for which columns."""
    if not dropped.dropped:
        return ()
    listed = ", ".join(f"{name} ({count})" for name, count in dropped.by_column)
    return (f"{dropped.dropped} of {dropped.total} rows have a missing value and are left out: {listed}.",)


def _take(table: Table, keep: BoolArray) -> Table:
    """Take some rows of a table."""
    rows = np.flatnonzero(keep).astype(np.int64) if table.rows is None else table.rows[keep]
    return Table({name: _taken(column, keep) for name, column in table.columns.items()}, int(keep.sum()), rows)


def _taken(column: Column, keep: BoolArray) -> Column:
    values: NDArray[Any] = column.values[keep]
    if column.kind != "category" or column.levels is None:
        return Column(column.name, column.kind, values, column.levels)
    codes, levels = used_levels(values.astype(np.int64), column.levels)
    return Column(column.name, column.kind, codes, levels)
