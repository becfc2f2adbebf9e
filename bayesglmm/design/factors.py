"""One factor of a term: from its expression to numbers or level codes, with the state that replays it on new rows."""

import ast
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesglmm.design.expressions import Call, CallSite, Scope, describe_rows, evaluate_in
from bayesglmm.design.table import Column, Table, levels_of
from bayesglmm.design.transforms import LEARNERS, Transform
from bayesglmm.errors import ArgumentError, ColumnError, DesignError, DesignWarning, FormulaError, LevelError
from bayesglmm.spec.gate import expression_tree, quote
from bayesglmm.types import FloatArray, IntArray

type Functions = Mapping[str, Callable[..., Any]]
type State = tuple[tuple[int, Transform], ...]

CATEGORICAL = "C"
TREATMENT = "treatment"
SHOWN_LEVELS = 5
ROW_BY_ROW = 1e-9
NEARLY = 1e-6
"""A curve is not called extrapolated for this share of its range: rounding at its ends."""
"""Relative difference, well above rounding, between a row of a user's function computed among all rows and among some."""

MANY_LEVELS = 10
"""A text column with more levels than this, half of them numbers, is taken for numbers that were read as text."""


@dataclass(frozen=True, slots=True)
class FactorEncoding:
    """How one factor is coded; plain values, so that it can be written to a file and compared.

    Attributes
    ----------
    text
        The factor's expression.
    levels
        Labels of a categorical factor, in order; None for numbers.
    width
        Number of numeric columns; 1 for a categorical factor.
    column
        The column of a categorical factor.
    contrast, reference
        Name of the contrast coding, and the reference level of treatment coding (None is the first).
    state
        What each transform learned, by the position of its call in the expression.
    """

    text: str
    levels: tuple[str, ...] | None = None
    width: int = 1
    column: str | None = None
    contrast: str = TREATMENT
    reference: str | None = None
    state: State = ()

    @property
    def is_categorical(self) -> bool:
        """Whether the factor has levels rather than numbers."""
        return self.levels is not None


@dataclass(frozen=True, slots=True)
class FactorValues:
    """Values of one factor: ``codes`` (n,) into its levels, or ``numbers`` (n, width)."""

    numbers: FloatArray | None = None
    codes: IntArray | None = None


def learn_factor(text: str, table: Table, *, contrasts: Mapping[str, str], functions: Functions) -> tuple[FactorEncoding, FactorValues]:
    """Code one factor on the training rows.

    Parameters
    ----------
    text
        Canonical expression.
    table
        Columns it may read.
    contrasts
        Contrast coding by column, for columns whose term does not name one.
    functions
        The user's own functions.

    Raises
    ------
    ColumnError
        If a column is unknown, text where numbers are needed, or numbers that were read as text.
    MissingValueError
        If a transform gives a number that is not finite.
    DesignError
        If a transform cannot learn from these values.
    FormulaError
        If the text does not pass the gate, or a reference level does not occur.
    """
    tree = expression_tree(text, functions=frozenset(functions), plain=False)
    column = _categorical_column(tree, table)
    if column is not None:
        codes, levels = levels_of(column)
        if isinstance(tree, ast.Name):
            _check_text(column, levels)
        contrast, reference = _contrast(tree, contrasts.get(column.name, TREATMENT))
        if reference is not None and reference not in levels:
            raise FormulaError(f"the reference level {reference!r} does not occur", where=text, fix=f"the levels are: {_listed(levels)}")
        return FactorEncoding(text, levels, 1, column.name, contrast, reference), FactorValues(codes=codes)
    learned: dict[int, Transform] = {}
    numbers = _as_block(evaluate_in(tree, _scope(table, _learning(learned, table), functions)))
    return FactorEncoding(text, width=numbers.shape[1], state=tuple(sorted(learned.items()))), FactorValues(numbers)


def replay_factor(encoding: FactorEncoding, table: Table, *, functions: Functions) -> FactorValues:
    """Code one factor on new rows, exactly as the training rows were.

    Raises
    ------
    LevelError
        If a level was not in the training rows, or a value lies outside a spline's boundary.
    FormulaError
        If the factor calls a function of the user's that is not among ``functions``.
    """
    tree = expression_tree(encoding.text, functions=frozenset(functions), plain=False)
    if encoding.column is not None and encoding.levels is not None:
        return FactorValues(codes=match_levels(table.column(encoding.column), encoding.levels, table))
    numbers = _as_block(evaluate_in(tree, _scope(table, _replaying(dict(encoding.state), table), functions)))
    if numbers.shape[1] != encoding.width:
        raise DesignError(f"{encoding.text} gave {numbers.shape[1]} columns, {encoding.width} when the model was fitted")
    return FactorValues(numbers)


def match_levels(column: Column, levels: tuple[str, ...], table: Table) -> IntArray:
    """Codes (n,) of a column of new rows into known levels.

    Raises
    ------
    LevelError
        If a level is unknown; names the column, the levels and rows.
    """
    codes, found = levels_of(column)
    known = {name: i for i, name in enumerate(levels)}
    position = np.array([known.get(name, -1) for name in found], dtype=np.int64)
    matched = position[codes]
    if np.any(matched < 0):
        unseen = tuple(name for name in found if name not in known)
        where = f"column {column.name!r}: {_listed(unseen)}; {describe_rows(matched < 0, table.rows)}"
        raise LevelError("new rows hold levels that the fit has never seen", where=where, fix=f"the known levels are: {_listed(levels)}")
    return matched


def is_factor(column: Column) -> bool:
    """Whether a bare column is coded by its levels: text, categories and booleans."""
    return column.kind != "number"


def _check_text(column: Column, levels: tuple[str, ...]) -> None:
    """Refuse a bare column of many texts that are mostly numbers: one of them that is none makes a factor of the whole column."""
    numbers = [name for name in levels if _is_number(name)]
    if column.kind != "category" or len(levels) <= MANY_LEVELS or 2 * len(numbers) < len(levels):
        return
    odd = tuple(name for name in levels if not _is_number(name))
    fractions = tuple(name for name in numbers if not name.strip().lstrip("+-").isdigit())
    if odd or fractions:
        shown = f"no number: {_listed(odd)}" if odd else f"such as {_listed(fractions)}"
        raise ColumnError(
            "a column of numbers was read as text",
            where=f"column {column.name!r}: {len(levels)} different values, {shown}",
            fix=f"correct the values, or make it a column of numbers; if these are levels, write C({quote(column.name)})",
        )


def _is_number(text: str) -> bool:
    """Whether a text is a finite number, with a point or a comma."""
    try:
        return bool(np.isfinite(float(text.replace(",", "."))))
    except ValueError:
        return False


def _categorical_column(tree: ast.expr, table: Table) -> Column | None:
    """Column of an expression that is a factor: a text column, or anything in ``C()``; None for numbers."""
    match tree:
        case ast.Name(id=name):
            column = table.column(name)
            return column if is_factor(column) else None
        case ast.Call(func=ast.Name(id=called), args=[ast.Name(id=name), *_]) if called == CATEGORICAL:
            return table.column(name)
        case _:
            return None


def _contrast(tree: ast.expr, default: str) -> tuple[str, str | None]:
    """Contrast and reference level as ``C()`` names them."""
    if not isinstance(tree, ast.Call):
        return default, None
    named = [ast.literal_eval(a) for a in tree.args[1:]]
    return (str(named[0]) if named else default), (str(named[1]) if len(named) > 1 else None)


def _scope(table: Table, transforms: Mapping[str, Call], functions: Functions) -> Scope:
    own = {name: _own_call(function, table.n_rows) for name, function in functions.items()}
    return Scope(table.numeric, table.n_rows, {**transforms, **own}, table.rows)


def _learning(learned: dict[int, Transform], table: Table) -> dict[str, Call]:
    """Make calls that learn from the rows, apply what they learned, and leave it in ``learned``."""

    def call(site: CallSite) -> FloatArray:
        x, *rest = site.args
        try:
            learned[site.position] = LEARNERS[site.name](x, *rest, **site.keywords)
        except (ArgumentError, DesignError) as error:
            raise type(error)(error.what, where="; ".join(p for p in (site.text, error.where) if p), fix=error.fix) from error
        return _apply(learned[site.position], site, table)

    return dict.fromkeys(LEARNERS, call)


def _replaying(state: Mapping[int, Transform], table: Table) -> dict[str, Call]:
    return dict.fromkeys(LEARNERS, lambda site: _apply(state[site.position], site, table))


def _apply(transform: Transform, site: CallSite, table: Table) -> FloatArray:
    """Transform values; a curve that is continued beyond its training rows is warned of, because nothing is known there."""
    x = np.asarray(site.args[0], dtype=float)
    if transform.domain is not None:
        lower, upper = transform.domain
        slack = NEARLY * (upper - lower)
        outside = (x < lower - slack) | (x > upper + slack)
        if np.any(outside):
            what = f"a curve is extrapolated beyond {lower:g} to {upper:g}, where the fit has data"
            warnings.warn(f"{what}. Where: {site.text}, {describe_rows(outside, table.rows)}.", DesignWarning, stacklevel=2)
    return transform.apply(x)


def _own_call(function: Callable[..., Any], n_rows: int) -> Call:
    """Wrap a user's function, so that it is checked to give one row per row, from that row alone."""
    backwards = np.arange(n_rows)[::-1][: (n_rows + 1) // 2]

    def call(site: CallSite) -> FloatArray:
        result = _called(function, site)
        if result.dtype.kind not in "biuf" or result.ndim not in (1, 2) or len(result) != n_rows:
            raise ColumnError(
                f"{site.name}() must return numbers, one row per row of the table",
                where=f"{site.text} gave {result.dtype} of shape {result.shape}, the table has {n_rows} rows",
                fix="return an array of shape (n,) or (n, k)",
            )
        part = _called(function, site, backwards)
        if part.shape != result[backwards].shape or not np.allclose(part, result[backwards], rtol=ROW_BY_ROW, atol=0.0, equal_nan=True):
            raise ColumnError(
                f"{site.name}() must make each row from that row alone, or new rows would be coded unlike those of the data",
                where=f"{site.text} of some rows is not the same as these rows of {site.text}",
                fix="compute such a column in the table; scale(x) and center(x) remember the mean of the data",
            )
        return result.astype(float)

    return call


def _called(function: Callable[..., Any], site: CallSite, rows: IntArray | None = None) -> NDArray[Any]:
    """Call a user's function for all rows, or for some of them, on copies of the columns."""

    def taken(value: object) -> object:
        return value[slice(None) if rows is None else rows].copy() if isinstance(value, np.ndarray) and value.ndim else value

    try:
        return np.asarray(function(*map(taken, site.args), **{k: taken(v) for k, v in site.keywords.items()}))
    except Exception as error:
        raise ArgumentError(
            f"your function {site.name}() failed: {type(error).__name__}: {error}", where=site.text, fix="try it on the columns by itself"
        ) from error


def _as_block(values: FloatArray) -> FloatArray:
    return values[:, None] if values.ndim == 1 else values


def _listed(names: tuple[str, ...]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > SHOWN_LEVELS else ""
    return ", ".join(repr(n) for n in names[:SHOWN_LEVELS]) + more
