"""The gate: no text of a formula reaches an evaluator before it has passed here.

Two barriers, one after the other. First the scanner of :mod:`bayesglmm.spec.tokenizer`: what it lets through is rewritten
with placeholders (``n0``, ``n1``, ``'s2'``), so that Python's parser never sees a name or a string that a user wrote. Then
the parsed tree is compared with an allow-list: names of columns, numbers, arithmetic, and calls of listed functions.
Attributes, subscripts, lambdas, comprehensions, starred and unnamed keyword arguments, f-strings, assignments and calls of
anything else are refused. Nothing is evaluated, here or in any function of this package.
"""

import ast
import keyword
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayesglmm.errors import FormulaError
from bayesglmm.spec.allowed import Rules, check_tree, depth_problem
from bayesglmm.spec.tokenizer import Token, bare, fault, tokenize
from bayesglmm.spec.vocabulary import TRANSFORMS

__all__ = [
    "TRANSFORMS",
    "check_expression",
    "check_slice",
    "column_name",
    "expression_tree",
    "functions_in",
    "names_in",
    "quote",
    "rename_columns",
]

_CONSTANTS = ("True", "False", "None")
_LOGIC = ("and", "or", "not")
_COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
_ARITHMETIC = ("+", "-", "*", "/", "**", "^", "(", ")", ",", "=", "[", "]")
_HINTS = {
    ".": "attributes have no place in a formula; a column with a dot in its name takes back-quotes: `total.fruits`",
    ":": "products of terms stand outside functions: 'log(x):z'",
    "%in%": "products of terms stand outside functions: 'a %in% b'",
    "|": "bars stand in group terms, '(x | g)', and in responses, 'k | trials(n)'",
    "||": "bars stand in group terms: '(x || g)'",
    "~": "a formula has one '~', outside all functions",
}
_COMPARED = "put the comparison in a column of its own, such as a derived column of the model file"
_MAX_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class _Draft:
    """An expression rewritten with placeholders: the text, what each piece was, and where it stands in the source."""

    source: str
    text: str
    starts: tuple[int, ...]
    tokens: tuple[Token, ...]
    meaning: Mapping[str, Token]

    def position(self, column: int) -> int:
        """Position in the source of a column of the rewritten text."""
        found = bisect_right(self.starts, column) - 1
        return self.tokens[max(found, 0)].start if self.tokens else 0


def check_expression(text: str, *, functions: frozenset[str] = frozenset(), allow_comparison: bool = False, plain: bool = False) -> str:
    """Canonical text of one expression, or a refusal.

    Parameters
    ----------
    text
        A column name or an expression of columns, such as ``log(x + 1)`` or ``ns(year, 2)``.
    functions
        Names of the user's own functions, given as an argument in Python.
    allow_comparison
        Also allow one comparison (with a number or a string), ``and``, ``or`` and ``not``: for derived columns.
    plain
        Allow element-wise functions only: for responses, trials, standard errors, weights, offsets and derived columns.

    Returns
    -------
    str
        Text that passes again unchanged: ``^`` has become ``**``, spaces are uniform, a column whose name is no identifier
        stands in back-quotes.

    Raises
    ------
    FormulaError
        Whatever is not on the list, with its position and the closest supported form.
    """
    return check_slice(text, tokenize(text)[:-1], Rules(functions, allow_comparison, plain))


def check_slice(source: str, tokens: Sequence[Token], rules: Rules) -> str:
    """Canonical text of the expression that a run of tokens spells; see :func:`check_expression`.

    Parameters
    ----------
    source
        The text the tokens come from, for the caret of an error.
    tokens
        The run, without the closing ``end``.
    rules
        What is allowed.
    """
    draft = _draft(source, tokens, rules)
    tree = _parse(draft)
    named = _restored(tree, draft)
    fault_at = check_tree(named, rules)
    if fault_at is not None:
        raise fault(source, draft.position(fault_at.column), fault_at.what, fault_at.fix)
    return ast.unparse(_quoted(named))


def expression_tree(text: str, *, functions: frozenset[str] = frozenset(), plain: bool = True) -> ast.expr:
    """Syntax tree of an expression that passes the gate, for a walker.

    Parameters
    ----------
    text
        The expression, comparisons allowed.
    functions, plain
        As for :func:`check_expression`.

    Returns
    -------
    ast.expr
        Every ``ast.Name`` that is not the function of a call holds a column's name exactly as the table spells it, also when
        that is no identifier. For walking, never for compiling.
    """
    rules = Rules(functions, True, plain)
    tokens = tokenize(text)[:-1]
    check_slice(text, tokens, rules)
    draft = _draft(text, tokens, rules)
    return _restored(_parse(draft), draft)


def names_in(text: str) -> tuple[str, ...]:
    """Columns that an expression reads, in order, each once, without back-quotes."""
    tree = _any_tree(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
    return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda n: n.col_offset)))


def functions_in(text: str) -> tuple[str, ...]:
    """Functions that an expression calls, each once."""
    calls = [node.func for node in ast.walk(_any_tree(text)) if isinstance(node, ast.Call)]
    return tuple(dict.fromkeys(func.id for func in calls if isinstance(func, ast.Name)))


def rename_columns(text: str, names: Mapping[str, str]) -> str:
    """Rename the columns of an expression, so that a library that evaluates text never sees a user's names.

    Parameters
    ----------
    text
        Canonical text.
    names
        New name of every column that the expression reads; identifiers of the caller's making.

    Raises
    ------
    KeyError
        If a column that the expression reads has no new name.
    """
    tree = _any_tree(text)
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in called:
            node.id = names[node.id]
    return ast.unparse(tree)


def quote(name: str) -> str:
    """Return a column's name as canonical text writes it: bare when it is a plain identifier, else in back-quotes."""
    plain = bare(name) and not keyword.iskeyword(name) and not name.startswith("_")
    return name if plain else f"`{name}`"


def column_name(text: str) -> str | None:
    """Return the column that an expression is, without back-quotes; None when it is a call or arithmetic."""
    tokens = tokenize(text)[:-1]
    return tokens[0].text if len(tokens) == 1 and tokens[0].kind in ("name", "quoted") else None


def _any_tree(text: str) -> ast.expr:
    """Tree with real names, without the allow-list: for reading names off canonical text, whatever functions it calls."""
    draft = _draft(text, tokenize(text)[:-1], Rules(frozenset(), True, False))
    return _restored(_parse(draft), draft)


def _draft(source: str, tokens: Sequence[Token], rules: Rules) -> _Draft:
    """Rewrite tokens with placeholders; refuses every word and sign that no allowed expression holds."""
    if not tokens:
        raise fault(source, 0, "an expression is empty", "name a column")
    pieces: list[str] = []
    starts: list[int] = []
    meaning: dict[str, Token] = {}
    column = 0
    for i, token in enumerate(tokens):
        if token.kind == "quoted" and i + 1 < len(tokens) and tokens[i + 1].is_op("(", "="):
            raise fault(
                source,
                token.start,
                "a back-quoted name is a column: it cannot be called or name an argument",
                "write listed functions without back-quotes",
            )
        piece = _piece(source, token, i, rules)
        if token.kind in ("name", "quoted", "string"):
            meaning[piece.strip("'")] = token
        pieces.append(piece)
        starts.append(column)
        column += len(piece) + 1
    return _Draft(source, " ".join(pieces), tuple(starts), tuple(tokens), meaning)


def _piece(source: str, token: Token, i: int, rules: Rules) -> str:
    """Return what Python's parser gets to see of one token."""
    if token.kind == "quoted":
        return f"n{i}"
    if token.kind == "string":
        return f"'s{i}'"
    if token.kind == "number":
        return _literal(source, token)
    if token.kind == "name":
        return _word(source, token, i, rules)
    if token.text in _ARITHMETIC or (token.text in _COMPARISONS and rules.comparison):
        return "**" if token.text == "^" else token.text
    hint = _COMPARED if token.text in _COMPARISONS else _HINTS.get(token.text)
    raise fault(source, token.start, f"{token.text!r} cannot stand inside an expression", hint)


def _word(source: str, token: Token, i: int, rules: Rules) -> str:
    """Translate a bare name to a placeholder, a constant or an operator; refuses reserved words and leading underscores."""
    if token.text in _CONSTANTS or (token.text in _LOGIC and rules.comparison):
        return token.text
    if keyword.iskeyword(token.text):
        raise fault(
            source, token.start, f"{token.text!r} is a reserved word", f"if it is a column, write it in back-quotes: `{token.text}`"
        )
    if token.text.startswith("_"):
        raise fault(
            source,
            token.start,
            "a name may not begin with an underscore",
            f"if {token.text!r} is a column, write it in back-quotes or rename it",
        )
    return f"n{i}"


def _literal(source: str, token: Token) -> str:
    """Translate a number as Python writes it; refuses what a float cannot hold."""
    try:
        value = int(token.text)
    except ValueError:
        number = float(token.text)
        if number in (float("inf"), float("-inf")):
            raise fault(source, token.start, "this number is too large", "numbers up to 1.8e308 are allowed") from None
        return repr(number)
    if value > _MAX_INTEGER:
        raise fault(source, token.start, "this integer is too large", "write it with a decimal point")
    return repr(value)


def _parse(draft: _Draft) -> ast.expr:
    """Parse the rewritten text; its vocabulary is closed, so only its structure is unknown."""
    try:
        tree = ast.parse(draft.text, mode="eval").body
    except SyntaxError as error:
        position = draft.position((error.offset or 1) - 1)
        raise fault(
            draft.source, position, "this expression cannot be read", "write arithmetic as in 'I((x + 1) / z)'; R's TRUE is True"
        ) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise FormulaError("an expression is nested too deeply", fix="put the inner part in a column of its own") from error
    problem = depth_problem(tree)
    if problem:
        raise fault(draft.source, draft.tokens[0].start, problem, "put the inner part in a column of its own")
    return tree


def _restored(tree: ast.expr, draft: _Draft) -> ast.expr:
    """Return the tree with placeholders replaced by what they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = draft.meaning[node.id].text
        elif isinstance(node, ast.keyword) and node.arg is not None:
            node.arg = draft.meaning[node.arg].text
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = _string_meant(node, draft)
    return tree


def _string_meant(node: ast.Constant, draft: _Draft) -> str:
    """Return the user's string; two adjacent strings, which Python would join, are refused."""
    token = draft.meaning.get(str(node.value))
    if token is None:
        raise fault(draft.source, draft.position(node.col_offset), "two strings stand side by side", "separate arguments by commas")
    return token.text


def _quoted(tree: ast.expr) -> ast.expr:
    """Return the tree with column names as canonical text writes them."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in called:
            node.id = quote(node.id)
    return tree
