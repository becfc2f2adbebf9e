"""Rows that quantities are evaluated at: those of the data, new ones, or a grid of values."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.encoding import NewRows, encode_rows, part_columns
from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.factors import FactorEncoding
from bayesglmm.design.table import label, read_table, to_frame
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.spec.gate import names_in
from bayesglmm.types import FloatArray, IntArray, Target

ALL = "all"
SHOWN = 5


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
        For each group term the level of each row, shape (n,); empty when levels were not asked for.
    notes
        What was held fixed.
    """

    frame: pd.DataFrame
    X: FloatArray
    offset: FloatArray
    Z: tuple[FloatArray, ...]
    index: tuple[IntArray, ...]
    notes: tuple[str, ...] = ()

    @property
    def n_rows(self) -> int:
        """Number of rows n."""
        return len(self.X)


def build_rows(fit: Fit, at: Any, *, target: Target, extra: Sequence[str] = ()) -> Rows:
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
        Grouping factors are read only for ``group``.
    extra
        Further columns of a table that a caller needs.

    Raises
    ------
    ColumnError
        If a column is unknown, or missing from the new rows; names the nearest.
    ArgumentError
        If a grouping factor is named for a target other than ``group``, or is not named for it; if a list is empty.
    LevelError
        If a level has not been seen; for a grouping factor the message names the targets that need none.
    """
    if at is None:
        design = fit.design
        return Rows(fit.frame, design.X, design.offset, tuple(g.Z for g in design.groups), tuple(g.index for g in design.groups))
    needed = predictor_columns(fit, levels=target == "group")
    if isinstance(at, Mapping):
        frame, notes = _grid(fit, at, needed, target)
        return replace(_encoded(fit, frame, target), frame=frame[list(at)], notes=notes)
    rows, columns = _encoded(fit, at, target), (*needed, *extra)
    return replace(rows, frame=to_frame(read_table(at, columns)[0]) if columns else pd.DataFrame(index=range(rows.n_rows)))


def predictor_columns(fit: Fit, *, levels: bool) -> tuple[str, ...]:
    """Columns that the linear predictor reads, each once; with ``levels`` those of the grouping factors too."""
    encoding = fit.design.encoding
    names = [*part_columns(encoding.fixed.part), *(n for text in encoding.offsets for n in names_in(text))]
    for group in encoding.groups:
        names += [*part_columns(group.effects.part), *(group.columns if levels else ())]
    return tuple(dict.fromkeys(names))


def distinct_rows(rows: Rows, *, levels: bool) -> tuple[Rows, IntArray]:
    """Rows without repetition, and for each row which of them it is, shape (n,).

    Parameters
    ----------
    rows
        Any rows.
    levels
        Whether rows of different groups are different.
    """
    levels_of_rows = [i[:, None].astype(np.float64) for i in rows.index] if levels else []
    key = np.concatenate([rows.X, rows.offset[:, None], *rows.Z, *levels_of_rows], axis=1)
    _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
    index = tuple(i[first] for i in rows.index)
    distinct = Rows(rows.frame.iloc[first], rows.X[first], rows.offset[first], tuple(z[first] for z in rows.Z), index)
    return distinct, inverse.reshape(-1).astype(np.int64)


def _encoded(fit: Fit, data: Any, target: Target) -> Rows:
    """Arrays of new rows; unseen groups are refused in the words of the four targets."""
    new = encode_rows(fit.design.encoding, data, unseen="population", groups=ALL if target == "group" else ())
    _refuse_unseen(new)
    Z = tuple(g.Z for g in new.groups if g.Z is not None)
    return Rows(pd.DataFrame(), new.X, new.offset, Z, tuple(g.index for g in new.groups if g.index is not None))


def _refuse_unseen(new: NewRows) -> None:
    for group in new.groups:
        if group.new_levels:
            shown = ", ".join(repr(n) for n in group.new_levels[:SHOWN]) + (", ..." if len(group.new_levels) > SHOWN else "")
            raise LevelError(
                "the fit has not seen these levels, so it has no random effects for them",
                where=f"{group.name}: {shown}",
                fix="use target='population' for a new group, or name an observed level",
            )


def _grid(fit: Fit, at: Mapping[str, Any], needed: Sequence[str], target: Target) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Every combination of the named values, with the other columns held."""
    _check_names(fit, at, needed, target)
    coded = _categorical(fit)
    values = {name: _values(name, at[name], fit.frame[name]) for name in at}
    held = {name: _held(fit.frame[name], coded.get(name)) for name in needed if name not in at}
    combinations = list(itertools.product(*values.values()))
    frame = pd.DataFrame({name: [c[i] for c in combinations] for i, name in enumerate(values)}, index=range(len(combinations)))
    frame = frame.assign(**{name: [value] * len(frame) for name, (value, _) in held.items()})
    listed = ", ".join(f"{name} = {_shown(value)} ({why})" for name, (value, why) in held.items())
    return frame, ((f"Held fixed: {listed}.",) if listed else ())


def _check_names(fit: Fit, at: Mapping[str, Any], needed: Sequence[str], target: Target) -> None:
    factors = tuple(dict.fromkeys(c for g in fit.design.encoding.groups for c in g.columns))
    for name in at:
        if name not in needed and name in factors:
            fix = "leave it out of at, or use target='group'"
            raise ArgumentError(f"a grouping factor is named in at for target={target!r}", where=f"column {name!r}", fix=fix)
        if name not in needed:
            raise unknown_column(name, list(needed))
    missing = [c for c in factors if c not in at] if target == "group" else []
    if missing:
        fix = f"name them, at={{{missing[0]!r}: ...}}, or use target='population' or 'average_subject'"
        raise ArgumentError("target='group' needs a level of every grouping factor", where=", ".join(missing), fix=fix)


def _categorical(fit: Fit) -> dict[str, FactorEncoding]:
    """Find the coding of every column that enters as a factor, C(x) of a number included."""
    encoding = fit.design.encoding
    factors = (*encoding.fixed.factors, *(f for g in encoding.groups for f in g.effects.factors))
    return {f.column: f for f in factors if f.column is not None and f.levels is not None}


def _values(name: str, given: Any, column: "pd.Series[Any]") -> list[Any]:
    """List what one entry of a grid stands for."""
    if isinstance(given, str) and given == ALL:
        return _occurring(column)
    values = [given] if isinstance(given, str | bytes) or not np.iterable(given) else list(given)
    if not values:
        raise ArgumentError("a grid needs at least one value of each column", where=f"column {name!r}", fix="give a value or 'all'")
    return values


def _occurring(column: "pd.Series[Any]") -> list[Any]:
    """Values that occur: categories in their order, numbers sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = set(column)
        return [c for c in column.cat.categories if c in used]
    return list(np.unique(column.to_numpy()).tolist())


def _held(column: "pd.Series[Any]", coding: FactorEncoding | None) -> tuple[Any, str]:
    """Choose the value at which a column is held, and say what it is."""
    if coding is not None and coding.levels is not None:
        reference = coding.levels[0] if coding.reference is None else coding.reference
        return next(v for v in _occurring(column) if label(v) == reference), "reference level"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return _occurring(column)[0], "first level"
    return float(column.astype(float).mean()), "mean"


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
