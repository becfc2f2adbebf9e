"""The allow-list of syntax-tree nodes: what an expression may consist of, and the sentence for everything else."""

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bayesglmm.spec.vocabulary import (
    BASIS_SIZES,
    COLUMN_KEYWORDS,
    CONTRASTS,
    ELEMENTWISE,
    MAX_BASIS,
    OUTERMOST,
    TRANSFORMS,
    nearest,
    unknown_function,
)

MAX_DEPTH = 60

_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
_COMPARE = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Subscript: ("subscripts have no place in a formula", "put the values you want in a column of their own"),
    ast.List: ("a list stands only where a listed function takes one", "for example bs(x, knots=[1, 2])"),
    ast.Tuple: ("a comma separates the arguments of a function only", "for example poly(x, 2)"),
    ast.Starred: ("starred arguments have no place in a formula", "name the arguments one by one"),
}
_COMPARISON = ("a comparison cannot stand here", "put it in a column of its own, such as a derived column of the model file")


@dataclass(frozen=True, slots=True)
class Rules:
    """What one expression may hold.

    Attributes
    ----------
    functions
        Names of the user's own functions.
    comparison
        Whether comparisons, ``and``, ``or`` and ``not`` are allowed.
    plain
        Whether element-wise functions only are allowed.
    """

    functions: frozenset[str] = frozenset()
    comparison: bool = False
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a tree is refused: column of the offending node in the parsed text, what is wrong, what to write."""

    column: int
    what: str
    fix: str | None = None


def depth_problem(tree: ast.AST) -> str | None:
    """Return a sentence when the tree is deeper than allowed; measured without recursion."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return None
    return f"an expression is nested deeper than {MAX_DEPTH} levels"


def check_tree(tree: ast.expr, rules: Rules) -> Refusal | None:
    """First thing in the tree that is not on the list; None when all of it is.

    Parameters
    ----------
    tree
        Parsed expression of bounded depth, with the user's names in it.
    rules
        What is allowed.
    """
    return next(_outermost(tree, rules), None)


def _outermost(node: ast.expr, rules: Rules) -> Iterator[Refusal]:
    """Check the whole expression: functions that make several columns are allowed here and only here."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OUTERMOST and not rules.plain:
        yield from _call(node, rules)
    else:
        yield from _value(node, rules)


def _value(node: ast.expr, rules: Rules) -> Iterator[Refusal]:
    """Check something that is a number per row."""
    handler = _VALUES.get(type(node))
    if handler is not None:
        yield from handler(node, rules)
    else:
        yield Refusal(
            node.col_offset,
            *_REFUSED.get(type(node), ("this has no place in a formula", "columns, numbers, + - * / ^ and listed functions are allowed")),
        )


def _name(node: ast.Name, rules: Rules) -> Iterator[Refusal]:
    """Any column is allowed; whether the table has it is asked later."""
    return iter(())


def _constant(node: ast.Constant, rules: Rules) -> Iterator[Refusal]:
    """Numbers only: strings, booleans and None are arguments of listed functions."""
    if isinstance(node.value, str):
        yield Refusal(node.col_offset, "a string cannot stand here", "a column takes back-quotes; strings are arguments, as in C(x, 'sum')")
    elif isinstance(node.value, bool) or node.value is None:
        yield Refusal(node.col_offset, f"{node.value} cannot stand here", "numbers and columns are allowed here")


def _binary(node: ast.BinOp, rules: Rules) -> Iterator[Refusal]:
    """Arithmetic; a power of two plain numbers must be a finite number."""
    if not isinstance(node.op, _BINARY):
        yield Refusal(node.col_offset, "this operator is not allowed", "the operators are + - * / ^")
    yield from _value(node.left, rules)
    yield from _value(node.right, rules)
    if isinstance(node.op, ast.Pow) and not _columns(node) and not _finite_power(node):
        yield Refusal(node.col_offset, "this power of plain numbers cannot be computed", "write the number itself")


def _finite_power(node: ast.BinOp) -> bool:
    """Whether both sides are plain numbers and their power is finite and real."""
    base, exponent = _number(node.left), _number(node.right)
    if base is None or exponent is None:
        return False
    try:
        return math.isfinite(math.pow(base, exponent))
    except (OverflowError, ValueError):
        return False


def _columns(node: ast.AST) -> bool:
    """Whether a part of an expression reads a column."""
    called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    return any(isinstance(n, ast.Name) and id(n) not in called for n in ast.walk(node))


def _unary(node: ast.UnaryOp, rules: Rules) -> Iterator[Refusal]:
    """Check a sign, or ``not`` where comparisons are allowed."""
    if isinstance(node.op, ast.Not) and not rules.comparison:
        yield Refusal(node.col_offset, *_COMPARISON)
    elif not isinstance(node.op, ast.Not | ast.USub | ast.UAdd):
        yield Refusal(node.col_offset, "this operator is not allowed", "the operators are + - * / ^")
    yield from _value(node.operand, rules)


def _compare(node: ast.Compare, rules: Rules) -> Iterator[Refusal]:
    """One comparison of values, or of a column with a string by ``==`` or ``!=``."""
    if not rules.comparison or not isinstance(node.ops[0], _COMPARE):
        yield Refusal(node.col_offset, *_COMPARISON)
    if len(node.ops) > 1:
        yield Refusal(node.col_offset, "comparisons cannot be chained", "join two comparisons by 'and'")
    right = node.comparators[0]
    yield from _value(node.left, rules)
    if not (_is_string(right) and isinstance(node.left, ast.Name) and isinstance(node.ops[0], ast.Eq | ast.NotEq)):
        yield from _value(right, rules)


def _logic(node: ast.BoolOp, rules: Rules) -> Iterator[Refusal]:
    """``and`` and ``or`` where comparisons are allowed."""
    if not rules.comparison:
        yield Refusal(node.col_offset, *_COMPARISON)
    for value in node.values:
        yield from _value(value, rules)


def _call(node: ast.Call, rules: Rules) -> Iterator[Refusal]:
    """Check a call of a listed function or of one of the user's own."""
    if not isinstance(node.func, ast.Name):
        yield Refusal(node.col_offset, "only a function named directly can be called", "for example log(x)")
        return
    name = node.func.id
    if name in rules.functions and not rules.plain:
        yield from _own(node, rules)
    elif name not in TRANSFORMS:
        yield Refusal(node.col_offset, *unknown_function(name, rules.functions))
    elif rules.plain and name not in ELEMENTWISE:
        yield Refusal(node.col_offset, f"{name}() cannot be used here", f"allowed here: {', '.join(sorted(ELEMENTWISE))}")
    else:
        yield from _arity(node, name)
        yield from _listed(node, name, rules)


def _nested_call(node: ast.Call, rules: Rules) -> Iterator[Refusal]:
    """Check a call inside a larger expression: not one that makes several columns."""
    if isinstance(node.func, ast.Name) and node.func.id in OUTERMOST and not rules.plain and node.func.id not in rules.functions:
        name = node.func.id
        yield Refusal(node.col_offset, f"{name}() makes columns and can only be a term by itself", f"for example y ~ {name}(x) + z")
    yield from _call(node, rules)


def _own(node: ast.Call, rules: Rules) -> Iterator[Refusal]:
    """Check a user's function: values and literals, also by keyword."""
    for argument in [*node.args, *[k.value for k in node.keywords]]:
        if not _is_literal(argument):
            yield from _value(argument, rules)
    yield from _keyword_names(node, None)


def _arity(node: ast.Call, name: str) -> Iterator[Refusal]:
    """Check the number of positional arguments, and the names of the others."""
    fewest, most, keywords = TRANSFORMS[name]
    if not fewest <= len(node.args) <= most:
        allowed = str(most) if fewest == most else f"{fewest} to {most}"
        yield Refusal(node.col_offset, f"{name}() takes {allowed} argument(s) by position, not {len(node.args)}", f"for example {name}(x)")
    yield from _keyword_names(node, keywords)


def _keyword_names(node: ast.Call, allowed: tuple[str, ...] | None) -> Iterator[Refusal]:
    """Keyword arguments have a name, once, without a leading underscore, and one that the function takes."""
    seen: set[str] = set()
    for item in node.keywords:
        if item.arg is None:
            yield Refusal(node.col_offset, "starred arguments have no place in a formula", "name the arguments one by one")
        elif item.arg in seen or item.arg.startswith("_") or not item.arg.isidentifier():
            yield Refusal(item.col_offset, f"{item.arg!r} cannot be the name of an argument here", "name each argument once")
        elif allowed is not None and item.arg not in allowed:
            listed = ", ".join(allowed) or "none"
            yield Refusal(
                item.col_offset, f"there is no argument {item.arg!r} here", f"{nearest(item.arg, allowed)}Named arguments: {listed}"
            )
        seen.add(item.arg or "")


def _listed(node: ast.Call, name: str, rules: Rules) -> Iterator[Refusal]:
    """Arguments of a listed function: a value first, then parameters."""
    for argument in node.args[:1]:
        if name == "C" and not isinstance(argument, ast.Name):
            yield Refusal(argument.col_offset, "C() takes a column", "for example C(x) or C(x, 'sum')")
        yield from _value(argument, rules)
    if name == "C":
        yield from _contrast(node)
        return
    for argument in node.args[1:]:
        yield from _size(argument)
    for item in node.keywords:
        yield from _parameter(item, rules)


def _contrast(node: ast.Call) -> Iterator[Refusal]:
    """Check the contrast of C(), by name; a reference level with treatment contrasts only."""
    if len(node.args) < 2:
        return
    contrast = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
    if contrast not in CONTRASTS:
        hint = nearest(contrast, CONTRASTS) if isinstance(contrast, str) else ""
        yield Refusal(node.args[1].col_offset, "this contrast is not listed", f"{hint}Contrasts: {', '.join(repr(c) for c in CONTRASTS)}")
    for level in node.args[2:]:
        if contrast != "treatment":
            yield Refusal(level.col_offset, "only treatment contrasts have a reference level", "for example C(x, 'treatment', 'B')")
        if not _is_string(level) and _number(level) is None:
            yield Refusal(level.col_offset, "a reference level is a string or a number", "for example C(x, 'treatment', 'B')")


def _parameter(item: ast.keyword, rules: Rules) -> Iterator[Refusal]:
    """Check a keyword argument of a listed function: a column for by= and time=, else a literal."""
    if item.arg in COLUMN_KEYWORDS:
        if not isinstance(item.value, ast.Name):
            yield Refusal(item.value.col_offset, f"{item.arg}= takes a column", f"for example {item.arg}=id")
    elif item.arg in BASIS_SIZES:
        yield from _size(item.value)
    elif not _is_literal(item.value) or _is_string(item.value):
        yield Refusal(
            item.value.col_offset,
            f"{item.arg}= takes numbers, True, False, None or a list of numbers",
            "write the value itself; R's TRUE is True",
        )


def _size(node: ast.expr) -> Iterator[Refusal]:
    """How many columns a basis has: a whole number, not too large."""
    value = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_BASIS:
        yield Refusal(node.col_offset, f"a whole number from 1 to {MAX_BASIS} is expected here", "for example ns(x, 3), poly(x, 2)")


def _number(node: ast.expr) -> float | None:
    """Return a plain number with an optional sign; None for anything else."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _number(node.operand) if isinstance(node.operand, ast.Constant) else None
        return -inner if inner is not None and isinstance(node.op, ast.USub) else inner
    value = node.value if isinstance(node, ast.Constant) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_string(node: ast.expr) -> bool:
    """Whether this is a string literal."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_literal(node: ast.expr) -> bool:
    """Whether this is a number, a string, True, False, None or a list of numbers."""
    if isinstance(node, ast.List):
        return all(_number(item) is not None for item in node.elts)
    return isinstance(node, ast.Constant) or _number(node) is not None


_VALUES: dict[type[ast.expr], Callable[..., Iterator[Refusal]]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.Compare: _compare,
    ast.BoolOp: _logic,
    ast.Call: _nested_call,
}
