"""New rows, coded exactly as the training rows were: the state is a value, replayed without a look at the fit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayesglmm.design.columns import PartEncoding, replay_columns
from bayesglmm.design.expressions import Scope, describe_rows, evaluate_in
from bayesglmm.design.factors import Functions
from bayesglmm.design.groups import GroupEncoding, cells
from bayesglmm.design.table import Table, column_names, read_table, row_count
from bayesglmm.errors import ArgumentError, LevelError, MissingValueError
from bayesglmm.spec.gate import expression_tree, names_in
from bayesglmm.spec.terms import Part, Response
from bayesglmm.types import FloatArray, IntArray, UnseenLevels, check_choice

type Which = Collection[str] | Literal["all"]

ALL: Literal["all"] = "all"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Encoding:
    """All that is needed to treat new rows as the training rows were treated.

    Attributes
    ----------
    fixed
        Coding of the fixed effects.
    groups
        Coding of each group term.
    response
        Where trials and known standard errors come from.
    offsets
        Expressions of the offsets.
    functions
        The user's own functions; they cannot be written to a file and are given again when a fit is loaded.
    """

    fixed: PartEncoding
    groups: tuple[GroupEncoding, ...]
    response: Response
    offsets: tuple[str, ...]
    functions: Functions


@dataclass(frozen=True, slots=True)
class NewGroup:
    """One group term on new rows.

    Attributes
    ----------
    name, position
        The grouping factor, and which of its terms this is.
    Z
        Shape (n, q): effect columns; None when they were not asked for.
    index
        Shape (n,): position among the known levels, -1 for an unseen level; None when levels were not asked for.
    new_index
        Shape (n,): position among ``new_levels``, -1 for a known level; None when levels were not asked for. Rows of one new level share
        a number, so that distinct new groups can get distinct draws.
    new_levels
        Labels of the levels that the fit has not seen.
    """

    name: str
    position: int
    Z: FloatArray | None
    index: IntArray | None
    new_index: IntArray | None
    new_levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewRows:
    """New rows as arrays.

    Attributes
    ----------
    X
        Shape (n, p): columns of the fixed effects, as in the design.
    groups
        One per group term, in the order of the design.
    offset
        Shape (n,).
    trials, se
        Shape (n,): numbers of trials and known standard errors; None when the model has none or the table lacks their columns.
    """

    X: FloatArray
    groups: tuple[NewGroup, ...]
    offset: FloatArray
    trials: FloatArray | None
    se: FloatArray | None


def encode_rows(encoding: Encoding, data: Any, *, unseen: UnseenLevels = "error", groups: Which = ALL, effects: Which = ALL) -> NewRows:
    """Code new rows.

    Parameters
    ----------
    encoding
        Of a design.
    data
        Any table that :func:`bayesglmm.design.table.read_table` reads, or a dict of arrays; it needs no response.
    unseen
        What a level means that the fit has not seen: ``error``; else it is numbered among ``new_levels`` for the caller to treat.
    groups
        Names of the grouping factors whose levels are looked up; only their columns are needed. ``all``, or an empty tuple for none.
    effects
        Names of the grouping factors whose effect columns Z are made.

    Returns
    -------
    NewRows
        For the training rows: X, Z, index, offset, trials and se equal the design's bit by bit.

    Raises
    ------
    ArgumentError
        If a grouping factor is not in the model, or ``unseen`` is not allowed.
    ColumnError
        If a needed column is not there or of the wrong kind.
    LevelError
        If a fixed factor has an unseen level, a value lies outside a spline's boundary, or a group is unseen and that is an error.
    MissingValueError
        If values are missing or not finite.
    """
    check_choice("unseen", unseen, UnseenLevels)
    wanted, shaped = _names(encoding, groups, "groups"), _names(encoding, effects, "effects")
    optional = _optional(encoding, data)
    needed = [*part_columns(encoding.fixed.part), *(n for text in (*encoding.offsets, *optional) for n in names_in(text))]
    for g in encoding.groups:
        needed += [*(g.columns if g.term.name in wanted else ()), *(part_columns(g.effects.part) if g.term.name in shaped else ())]
    table = _read(data, needed)
    return NewRows(
        replay_columns(encoding.fixed, table, functions=encoding.functions).matrix,
        tuple(
            _group(g, encoding, table, looked_up=g.term.name in wanted, shaped=g.term.name in shaped, unseen=unseen)
            for g in encoding.groups
        ),
        offset_of(encoding.offsets, table),
        trials_of(encoding.response, table)
        if _trial_texts(encoding.response) and set(_trial_texts(encoding.response)) <= set(optional)
        else None,
        evaluate_column(encoding.response.se, table) if encoding.response.se in optional else None,
    )


def evaluate_column(text: str | None, table: Table) -> FloatArray:
    """Evaluate an elementwise expression of a table's numeric columns, (n,); ``None`` stands for zeros."""
    if text is None:
        return np.zeros(table.n_rows)
    return evaluate_in(expression_tree(text), Scope(table.numeric, table.n_rows, rows=table.rows))


def offset_of(offsets: Sequence[str], table: Table) -> FloatArray:
    """Sum of the offsets, (n,); zeros when there is none."""
    return sum((evaluate_column(text, table) for text in offsets), np.zeros(table.n_rows))


def trials_of(response: Response, table: Table) -> FloatArray | None:
    """Numbers of trials, (n,): as given, or successes plus failures; None when the response has neither."""
    if response.failures is not None:
        return evaluate_column(response.expression, table) + evaluate_column(response.failures, table)
    return None if response.trials is None else evaluate_column(response.trials, table)


def part_columns(part: Part) -> tuple[str, ...]:
    """Columns that the terms of a part read."""
    return tuple(name for term in part.terms for factor in term.factors for name in names_in(factor))


def _trial_texts(response: Response) -> tuple[str, ...]:
    if response.failures is not None:
        return response.expression, response.failures
    return () if response.trials is None else (response.trials,)


def _optional(encoding: Encoding, data: Any) -> tuple[str, ...]:
    """Expressions of trials and standard errors that can be evaluated: all their columns are in the table."""
    available = set(column_names(data))
    texts = (*_trial_texts(encoding.response), *((encoding.response.se,) if encoding.response.se else ()))
    return tuple(text for text in texts if set(names_in(text)) <= available)


def _names(encoding: Encoding, which: Which, argument: str) -> set[str]:
    """Names of the chosen grouping factors."""
    known = {g.term.name for g in encoding.groups}
    if which == ALL:
        return known
    chosen = {which} if isinstance(which, str) else set(which)
    unknown = sorted(chosen - known)
    if unknown:
        raise ArgumentError(
            f"{argument} names no grouping factor of the model",
            where=", ".join(unknown),
            fix=f"the factors are: {', '.join(sorted(known)) or 'none'}",
        )
    return chosen


def _read(data: Any, needed: Sequence[str]) -> Table:
    """Needed columns of new rows, which must be complete."""
    if not needed:
        return Table({}, row_count(data))
    try:
        return read_table(data, needed)[0]
    except MissingValueError as error:
        raise MissingValueError(error.what, where=error.where, fix="fill in or leave out these rows") from error


def _group(encoding: GroupEncoding, whole: Encoding, table: Table, *, looked_up: bool, shaped: bool, unseen: UnseenLevels) -> NewGroup:
    Z = replay_columns(encoding.effects, table, functions=whole.functions).matrix if shaped else None
    if not looked_up:
        return NewGroup(encoding.term.name, encoding.position, Z, None, None)
    codes, found = cells(table, encoding.columns)
    known = {name: i for i, name in enumerate(encoding.levels)}
    new_levels = tuple(name for name in found if name not in known)
    fresh = {name: i for i, name in enumerate(new_levels)}
    index = np.array([known.get(name, -1) for name in found], dtype=np.int64)[codes]
    new_index = np.array([fresh.get(name, -1) for name in found], dtype=np.int64)[codes]
    if new_levels and unseen == "error":
        shown = ", ".join(repr(n) for n in new_levels[:SHOWN]) + (f", ... ({len(new_levels)} in all)" if len(new_levels) > SHOWN else "")
        raise LevelError(
            "new rows hold groups that the fit has never seen",
            where=f"{encoding.term.name}: {shown}; {describe_rows(index < 0, table.rows)}",
            fix="choose what a new group means: new_groups='population' or 'observed'",
        )
    return NewGroup(encoding.term.name, encoding.position, Z, index, new_index, new_levels)
