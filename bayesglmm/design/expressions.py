"""Evaluation of expressions: a walk over the gate's syntax tree with numpy, never ``eval``.

The tree comes from :mod:`bayesglmm.spec.gate`; the walk is one more barrier: it knows numbers, columns, arithmetic, comparisons and the
functions it is given, and refuses everything else.
"""

import ast
import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesglmm.errors import ColumnError, FormulaError, MissingValueError
from bayesglmm.spec.gate import expression_tree, quote
from bayesglmm.types import BoolArray, FloatArray, IntArray

type AnyColumn = NDArray[Any]
type Call = Callable[["CallSite"], FloatArray]

ELEMENTWISE: dict[str, Callable[[FloatArray], FloatArray]] = {
    "I": lambda x: x,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": np.abs,
}
ARITHMETIC: dict[type[ast.operator], Callable[[FloatArray, FloatArray], FloatArray]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[FloatArray, FloatArray], NDArray[np.bool_]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
NUMERIC = "biuf"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class CallSite:
    """One call in an expression, with its arguments evaluated.

    Attributes
    ----------
    name
        The function's name.
    text
        The call as written, for messages.
    position
        Where the call begins in its expression; tells apart the calls of one expression.
    args, keywords
        Arrays (n,) for expressions of columns; Python numbers, strings, booleans, lists or None for literals.
    """

    name: str
    text: str
    position: int
    args: tuple[object, ...]
    keywords: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may read.

    Attributes
    ----------
    columns
        Numeric arrays (n,) by column name; a mapping may refuse a column that is not numeric.
    calls
        Functions beside the elementwise ones, by name.
    n_rows
        Number of rows of the result.
    rows
        Row numbers (n,) to show in messages; None means 0, 1, 2, ...
    """

    columns: Mapping[str, AnyColumn]
    n_rows: int
    calls: Mapping[str, Call] = field(default_factory=dict)
    rows: IntArray | None = None


def evaluate(text: str, columns: Mapping[str, AnyColumn]) -> FloatArray:
    """Evaluate arithmetic of numeric columns.

    Parameters
    ----------
    text
        An expression of columns, numbers, arithmetic and elementwise functions. Comparisons give 1.0, 0.0, or NaN where a side is
        missing; a text column can be compared with a string and nothing else.
    columns
        Arrays (n,) by name, at least one: numbers, or text as objects with None where missing.

    Returns
    -------
    ndarray
        Shape (n,), float64. NaN only where an input is missing.

    Raises
    ------
    ColumnError
        If a column is unknown or not numeric.
    FormulaError
        If the text does not pass the gate.
    MissingValueError
        If finite inputs give a result that is not finite, such as the logarithm of 0; names the expression and rows.
    """
    n_rows = len(next(iter(columns.values()))) if columns else 1
    return evaluate_in(expression_tree(text), Scope(columns, n_rows))


def evaluate_in(tree: ast.expr, scope: Scope) -> FloatArray:
    """Evaluate a gated tree in a scope; result (n,), or (n, k) when a call at its top makes several columns."""
    value = _walk(tree, scope)
    return np.full(scope.n_rows, float(value)) if np.ndim(value) == 0 else np.array(value, dtype=float)


def source(node: ast.expr) -> str:
    """Write a tree as its author would, unusual names in back-quotes."""
    shown = copy.deepcopy(node)
    called = {id(n.func) for n in ast.walk(shown) if isinstance(n, ast.Call)}
    for name in ast.walk(shown):
        if isinstance(name, ast.Name) and id(name) not in called:
            name.id = quote(name.id)
    return ast.unparse(shown)


def describe_rows(bad: BoolArray, rows: IntArray | None = None) -> str:
    """List the first few row numbers of a mask and how many there are: ``rows 3, 17 (2 in all, counted from 0)``."""
    at = np.flatnonzero(bad)
    shown = (at if rows is None else rows[at])[:SHOWN]
    more = ", ..." if len(at) > SHOWN else ""
    return f"rows {', '.join(str(r) for r in shown)}{more} ({len(at)} in all, counted from 0)"


def unknown_column(name: object, available: list[str]) -> ColumnError:
    """Make the error for a column that is not there, with the nearest name."""
    folded = {a.casefold(): a for a in reversed(available)}
    near = get_close_matches(str(name).casefold(), folded, n=1)
    hint = f"did you mean {folded[near[0]]!r}? " if near else ""
    listed = ", ".join(available[:20]) + (", ..." if len(available) > 20 else "")
    known = f"The columns are: {listed}" if listed else "Leave it out: no column is read here"
    return ColumnError(f"the table has no column {name!r}", fix=f"{hint}{known}")


def _walk(node: ast.expr, scope: Scope) -> FloatArray:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return np.asarray(float(number))
        case ast.Name(id=name):
            return _numbers(name, scope)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            return _unary(node.op, _walk(operand, scope))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return _arithmetic(node, (_walk(left, scope), _walk(right, scope)), scope)
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=str() as wanted)]):
            return _equals_text(name, op, wanted, scope)
        case ast.Compare():
            return _comparison(node, scope)
        case ast.BoolOp(values=values, op=op):
            return _boolean(op, [_walk(v, scope) for v in values])
        case ast.Call(func=ast.Name(id=name)):
            return _call(node, name, scope)
        case _:
            raise FormulaError("this cannot be evaluated", where=source(node), fix="use columns, numbers, arithmetic and listed transforms")


def _column(name: str, scope: Scope) -> AnyColumn:
    if name not in scope.columns:
        raise unknown_column(name, list(scope.columns))
    return np.asarray(scope.columns[name])


def _numbers(name: str, scope: Scope) -> FloatArray:
    values = _column(name, scope)
    if values.dtype.kind not in NUMERIC:
        raise ColumnError(
            f"the column {name!r} is text, where numbers are needed", fix="turn it into numbers, or take it out of this expression"
        )
    return values.astype(float)


def _equals_text(name: str, op: ast.cmpop, wanted: str, scope: Scope) -> FloatArray:
    """Compare a text column with a string: 1.0, 0.0, NaN where missing."""
    values = _column(name, scope)
    if values.dtype.kind in NUMERIC or not isinstance(op, ast.Eq | ast.NotEq):
        raise ColumnError(
            f"the column {name!r} holds numbers", where=f"comparison with {wanted!r}", fix="compare it with a number, without quotes"
        )
    equal = np.array(values == wanted, dtype=float)
    return np.where(values == np.array(None), np.nan, equal if isinstance(op, ast.Eq) else 1.0 - equal)


def _unary(op: ast.unaryop, value: FloatArray) -> FloatArray:
    if isinstance(op, ast.Not):
        return np.where(np.isnan(value), np.nan, (value == 0.0).astype(float))
    return -value if isinstance(op, ast.USub) else value


def _arithmetic(node: ast.BinOp, operands: tuple[FloatArray, FloatArray], scope: Scope) -> FloatArray:
    with np.errstate(all="ignore"):
        result = ARITHMETIC[type(node.op)](*operands)
    return _finite(result, operands, source(node), scope)


def _comparison(node: ast.Compare, scope: Scope) -> FloatArray:
    """Evaluate a chain of comparisons: 1.0 or 0.0; NaN where a value that decides is missing."""
    values = [_walk(v, scope) for v in (node.left, *node.comparators)]
    links = []
    for op, left, right in zip(node.ops, values[:-1], values[1:], strict=True):
        if type(op) not in COMPARISONS:
            raise FormulaError("this comparison is not known", where=source(node), fix="use <, <=, >, >=, == or !=")
        holds = COMPARISONS[type(op)](left, right).astype(float)
        links.append(np.where(np.isnan(left) | np.isnan(right), np.nan, holds))
    return _boolean(ast.And(), links)


def _boolean(op: ast.boolop, values: list[FloatArray]) -> FloatArray:
    """Kleene's and, or: a value that decides alone decides, else a missing one makes the result missing."""
    decisive = 0.0 if isinstance(op, ast.And) else 1.0
    stacked = np.stack(np.broadcast_arrays(*values))
    truth = np.where(np.isnan(stacked), np.nan, (stacked != 0.0).astype(float))
    decided = np.any(truth == decisive, axis=0)
    return np.where(decided, decisive, np.where(np.any(np.isnan(truth), axis=0), np.nan, 1.0 - decisive))


def _call(node: ast.Call, name: str, scope: Scope) -> FloatArray:
    if name not in scope.calls:
        return _elementwise(node, name, scope)
    text = source(node)
    args = tuple(_argument(a, scope) for a in node.args)
    keywords = {k.arg: _argument(k.value, scope) for k in node.keywords if k.arg is not None}
    if len(keywords) != len(node.keywords):
        raise FormulaError("** cannot be used in a call", where=text)
    result = scope.calls[name](CallSite(name, text, node.col_offset, args, keywords))
    arrays = tuple(a for a in (*args, *keywords.values()) if isinstance(a, np.ndarray))
    return _finite(result, arrays, text, scope)


def _elementwise(node: ast.Call, name: str, scope: Scope) -> FloatArray:
    text = source(node)
    if name not in ELEMENTWISE:
        raise FormulaError(f"the function {name!r} cannot be used here", where=text, fix=f"use one of {', '.join(ELEMENTWISE)}")
    if len(node.args) != 1 or node.keywords:
        raise FormulaError(f"{name}() takes one argument", where=text)
    value = _walk(node.args[0], scope)
    with np.errstate(all="ignore"):
        result = ELEMENTWISE[name](value)
    return _finite(result, (value,), text, scope)


def _argument(node: ast.expr, scope: Scope) -> object:
    """Take a literal as it is, evaluate anything else."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        value = _walk(node, scope)
        return np.full(scope.n_rows, float(value)) if np.ndim(value) == 0 else value


def _finite(result: FloatArray, operands: tuple[FloatArray, ...], text: str, scope: Scope) -> FloatArray:
    """Return the result, when it is finite wherever all operands are."""
    per_row = np.isfinite(result) if np.ndim(result) < 2 else np.isfinite(result).all(axis=1)
    bad = ~per_row
    if not np.any(bad):
        return result
    for operand in operands:
        bad = bad & (np.isfinite(operand) if np.ndim(operand) < 2 else np.isfinite(operand).all(axis=1))
    if np.any(bad):
        where = describe_rows(bad, scope.rows) if np.ndim(bad) else "every row"
        raise MissingValueError(
            f"{text} is not a finite number", where=where, fix="change or leave out these rows, or use another transform"
        )
    return result
