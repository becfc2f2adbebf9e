"""Rows that quantities are evaluated at: those of the data, new ones, or a grid of values."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.encoding import encode_rows, part_columns
from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.factors import FactorEncoding
from bayesglmm.design.table import Table, column_names, label, read_table, row_count, to_frame
from bayesglmm.errors import ArgumentError, MissingValueError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.hierarchy import check_levels, fill_columns, implied_columns, implied_notes, unseen_levels
from bayesglmm.post.ranges import range_notes
from bayesglmm.spec.gate import names_in
from bayesglmm.types import FloatArray, IntArray, Target

ALL = "all"
NO_LEVEL = -1
"""Stands for the level of a factor that is averaged over."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as arrays, and as a reader knows them.

    Attributes
    ----------
    frame
        n rows: the columns that tell them apart.
    X
        Shape (n, p).
    offset
        Shape (n,).
    Z
        For each group term its effect columns, shape (n, q).
    index
        For each group term the level of each row, shape (n,), -1 for a factor whose levels were not asked for; empty when none were.
    notes
        What was held fixed, and which numbers lie outside the data.
    """

    frame: pd.DataFrame
    X: FloatArray
    offset: FloatArray
    Z: tuple[FloatArray, ...]
    index: tuple[IntArray, ...]
    notes: tuple[str, ...] = ()

    def take(self, which: IntArray) -> "Rows":
        """Take some rows, shape (m,), in the order given; without the notes."""
        Z, index = tuple(z[which] for z in self.Z), tuple(i[which] for i in self.index)
        return Rows(self.frame.iloc[which], self.X[which], self.offset[which], Z, index)

    @property
    def n_rows(self) -> int:
        """Number of rows n."""
        return len(self.X)

    def choose(self, terms: Sequence[int]) -> "Rows":
        """Take some of the group terms, by position."""
        index = tuple(self.index[i] for i in terms) if self.index else ()
        return replace(self, Z=tuple(self.Z[i] for i in terms), index=index)


def build_rows(fit: Fit, at: Any, *, target: Target, extra: Sequence[str] = (), given: Collection[str] = ()) -> Rows:
    """Make the rows that ``at`` stands for.

    Parameters
    ----------
    fit
        Its encoding treats new rows as the training rows were treated.
    at
        None for the rows of the data. A mapping for a grid: by column a value, a list of values, or ``"all"`` for all that occur (write
        ``["all"]`` for a level of that name); every combination is a row, the last column changing fastest. Columns that it does not
        name are held: numbers at their mean in the data, factors at their reference level. Any table for new rows.
    target
        The levels of all grouping factors are read for ``group``, for the other targets of those that are given.
    extra
        Further columns of a table that a caller needs.
    given
        Names of grouping factors of which each row names a level, whatever the target. A column of theirs may be left out where it follows
        from the others by nesting (:mod:`bayesglmm.post.hierarchy`).

    Raises
    ------
    ColumnError
        If a column is unknown, or missing from the new rows; names the nearest.
    ArgumentError
        If a grouping factor is named whose levels are not read, or is not named though they are; if a list is empty.
    LevelError
        If a level has not been seen, or a row names levels of nested factors that do not belong together; for a grouping factor the message
        names the targets that need none.
    MissingValueError
        If a value is missing or not finite.
    """
    if at is None:
        design = fit.design
        index = tuple(g.index if not given or g.name in given else np.full_like(g.index, NO_LEVEL) for g in design.groups)
        return Rows(fit.frame, design.X, design.offset, tuple(g.Z for g in design.groups), index)
    read = tuple(g.name for g in fit.design.groups) if target == "group" else tuple(given)
    if isinstance(at, Mapping):
        frame, notes = grid_frame(fit, at, target=target, given=given)
        return replace(_encoded(fit, frame, read), frame=frame[list(at)], notes=(*notes, *range_notes(fit, frame)))
    columns = (*predictor_columns(fit, levels=read), *extra)
    implied = _implied(fit, column_names(at), read)
    if not implied:
        rows, frame = _encoded(fit, at, read), read_frame(at, columns)
        return replace(rows, frame=frame, notes=range_notes(fit, frame))
    frame = fill_columns(fit, read_frame(at, [name for name in columns if name not in implied]), implied)
    return replace(_encoded(fit, frame, read), frame=frame, notes=(*implied_notes(implied), *range_notes(fit, frame)))


def read_frame(data: Any, columns: Sequence[str]) -> pd.DataFrame:
    """Read columns of new rows as a pandas frame; without any, a frame of as many rows.

    Raises
    ------
    ColumnError
        If a column is not there.
    MissingValueError
        If a value is missing or not finite.
    """
    return to_frame(read_new_table(data, columns)) if columns else pd.DataFrame(index=range(row_count(data)))


def read_new_table(data: Any, columns: Sequence[str]) -> Table:
    """Read columns of new rows, with the errors of :func:`read_frame`: these rows cannot be dropped."""
    try:
        return read_table(data, columns)[0]
    except MissingValueError as error:
        raise MissingValueError(error.what, where=error.where, fix="fill in or leave out these rows") from error


def predictor_columns(fit: Fit, *, levels: bool | Collection[str]) -> tuple[str, ...]:
    """Columns that the linear predictor reads, each once; with ``levels`` those of all grouping factors too, or of the named ones."""
    encoding = fit.design.encoding
    names = [*part_columns(encoding.fixed.part), *(n for text in encoding.offsets for n in names_in(text))]
    for group in encoding.groups:
        read = levels if isinstance(levels, bool) else group.term.name in levels
        names += [*part_columns(group.effects.part), *(group.columns if read else ())]
    return tuple(dict.fromkeys(names))


def distinct_rows(rows: Rows, *, levels: bool) -> tuple[Rows, IntArray]:
    """Rows without repetition, and for each row which of them it is, shape (n,).

    Parameters
    ----------
    rows
        Any rows.
    levels
        Whether rows of different groups are different, among the factors whose levels were asked for.
    """
    levels_of_rows = [i[:, None].astype(np.float64) for i in rows.index] if levels else []
    key = np.concatenate([rows.X, rows.offset[:, None], *rows.Z, *levels_of_rows], axis=1)
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return rows.take(first), inverse.reshape(-1).astype(np.int64)


def _encoded(fit: Fit, data: Any, read: Sequence[str]) -> Rows:
    """Arrays of new rows, with the levels of the factors to be read; what has no effects is refused in the words of the four targets."""
    new = encode_rows(fit.design.encoding, data, unseen="population", groups=read)
    for group, encoding in zip(new.groups, fit.design.encoding.groups, strict=True):
        if group.new_levels and group.index is not None:
            first = read_frame(data, encoding.columns).iloc[int(np.flatnonzero(group.index < 0)[0])]
            raise unseen_levels(fit, encoding, group.new_levels, [label(first[c]) for c in encoding.columns])
    Z, none = tuple(g.Z for g in new.groups if g.Z is not None), np.full(len(new.X), NO_LEVEL, dtype=np.int64)
    index = tuple(none if g.index is None else g.index for g in new.groups) if read else ()
    check_levels(fit, index)
    return Rows(pd.DataFrame(), new.X, new.offset, Z, index)


def grid_frame(fit: Fit, at: Mapping[str, Any], *, target: Target, given: Collection[str] = ()) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Every combination of the values that a grid names, the last column changing fastest, with all other columns of the predictor.

    Parameters
    ----------
    fit, at, target, given
        As for :func:`build_rows`.

    Returns
    -------
    tuple
        The rows: the columns of ``at``, those that are held, and those that follow by nesting; and notes that say so.
    """
    read = tuple(g.name for g in fit.design.groups) if target == "group" else tuple(given)
    implied = _implied(fit, at, read)
    _check_names(fit, at, read, target, implied)
    needed = [name for name in predictor_columns(fit, levels=read) if name not in implied]
    values = {name: _values(name, at[name], fit.frame[name]) for name in at}
    held = {name: _held(fit.frame[name], factor_coding(fit, name)) for name in needed if name not in at}
    combinations = list(itertools.product(*values.values()))
    frame = pd.DataFrame({name: [c[i] for c in combinations] for i, name in enumerate(values)}, index=range(len(combinations)))
    frame = frame.assign(**{name: [value] * len(frame) for name, (value, _) in held.items()})
    listed = ", ".join(f"{name} = {_shown(value)} ({why})" for name, (value, why) in held.items())
    notes = ((f"Held fixed: {listed}.",) if listed else ()) + implied_notes(implied)
    return fill_columns(fit, frame, implied), notes


def _implied(fit: Fit, named: Collection[str], read: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Columns of the factors to be read that are not named and follow from others by nesting."""
    columns = dict.fromkeys(c for g in fit.design.encoding.groups if g.term.name in read for c in g.columns)
    missing = [c for c in columns if c not in named]
    return implied_columns(fit, [c for c in columns if c in named], missing) if missing else {}


def _check_names(fit: Fit, at: Mapping[str, Any], read: Sequence[str], target: Target, implied: Collection[str]) -> None:
    """Refuse unknown columns, levels that are not read, and missing levels of the factors to be read."""
    needed, groups = predictor_columns(fit, levels=read), fit.design.encoding.groups
    factors = tuple(dict.fromkeys(c for g in groups for c in g.columns))
    for name in at:
        if name not in needed and name in factors:
            what = "that is averaged over is named in at" if read else "is named in at, and its levels are not read here"
            own = "; a function with over=[...] reads the levels of the factors that over leaves out"
            fix = f"leave it out of at; means(fit, at, target='group') is the function of named levels{own}"
            raise ArgumentError(f"a grouping factor {what}", where=f"column {name!r}", fix=fix)
        if name not in needed:
            raise unknown_column(name, list(needed))
    missing = list(dict.fromkeys(c for g in groups if g.term.name in read for c in g.columns if c not in at and c not in implied))
    if not missing:
        return
    name_them = f"name them, at={{{missing[0]!r}: ...}}"
    if target == "group":
        fix = f"{name_them}; or use target='population', 'observed_groups' (over=[...] for some factors only) or 'average_subject'"
        raise ArgumentError("target='group' needs a level of every grouping factor", where=", ".join(missing), fix=fix)
    fix = f"{name_them}, or average over their factor too, over=[...]"
    raise ArgumentError("a level is needed of every grouping factor that over leaves out", where=", ".join(missing), fix=fix)


def factor_coding(fit: Fit, variable: str) -> FactorEncoding | None:
    """Coding of a column that enters as a factor, ``C(x)`` of a number included, first that of the fixed effects; None for others."""
    encoding = fit.design.encoding
    factors = (*encoding.fixed.factors, *(f for g in encoding.groups for f in g.effects.factors))
    return next((f for f in factors if f.column == variable and f.levels is not None), None)


def _values(name: str, given: Any, column: "pd.Series[Any]") -> list[Any]:
    """List what one entry of a grid stands for."""
    if isinstance(given, str) and given == ALL:
        return occurring(column)
    values = [given] if isinstance(given, str | bytes) or not np.iterable(given) else list(given)
    if not values:
        raise ArgumentError("a grid needs at least one value of each column", where=f"column {name!r}", fix="give a value or 'all'")
    return values


def occurring(column: "pd.Series[Any]") -> list[Any]:
    """Values that occur: categories in their order, numbers sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(column)
        return [c for c in column.cat.categories if c in used]
    return list(np.unique(column.to_numpy()).tolist())


def _held(column: "pd.Series[Any]", coding: FactorEncoding | None) -> tuple[Any, str]:
    """Choose the value at which a column is held, and say what it is."""
    if coding is not None and coding.levels is not None:
        reference = coding.levels[0] if coding.reference is None else coding.reference
        return next(v for v in occurring(column) if label(v) == reference), "reference level"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return occurring(column)[0], "first level"
    return float(column.astype(float).mean()), "mean"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
