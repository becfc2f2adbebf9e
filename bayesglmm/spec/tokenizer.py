"""From formula text to tokens with positions: a scanner of its own, one pass, one character at a time.

The scanner knows a closed vocabulary. What it does not know it refuses, with a caret under the character and the closest
form that is supported. Brackets are balanced and their depth is bounded here, so later stages may recurse over them.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from bayesglmm.errors import FormulaError

type Kind = Literal["name", "quoted", "number", "string", "op", "end"]

MAX_LENGTH = 2000
MAX_BRACKETS = 25
MAX_NAME = 200

_SPACE = " \t\r\n"
_DIGITS = "0123456789"
_OPERATORS = ("%in%", "**", "||", "==", "!=", "<=", ">=", *"~+-*/^:(),|=.[]<>")
_OPENING = {"(": ")", "[": "]"}
_BANNED = "`\\"
_WINDOW = 48

_HINTS = {
    "%": "the only operator between percent signs is %in%, as in 'a %in% b'",
    "{": "arithmetic goes inside I(...), as in 'I(x + z)'",
    "}": "arithmetic goes inside I(...), as in 'I(x + z)'",
    "$": "write the column's name alone, and pass its table as data",
    "@": "the operators are + - : * ^ / %in%",
    "&": "an interaction is written 'a:b'",
    "!": "terms are removed with '- term'",
    "\\": "random effects are written '(x | g)'; a backslash has no place in a formula",
    "#": "a formula holds no comments",
    ";": "one formula, one line: terms are joined by '+'",
    "?": "the operators are + - : * ^ / %in%",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a formula.

    Attributes
    ----------
    kind
        ``name``; ``quoted`` (a back-quoted name, ``text`` without the quotes); ``number``; ``string`` (``text`` without the
        quotes); ``op``; ``end``.
    text
        The piece itself.
    start, stop
        Where it stands in the source: ``source[start:stop]``.
    """

    kind: Kind
    text: str
    start: int
    stop: int

    def is_op(self, *texts: str) -> bool:
        """Whether this is one of the given operators."""
        return self.kind == "op" and self.text in texts


def fault(source: str, position: int, what: str, fix: str | None = None) -> FormulaError:
    """Error that shows the formula with a caret under one character.

    Parameters
    ----------
    source
        The whole text.
    position
        Index of the offending character; the end of the text is allowed.
    what, fix
        What is wrong and what to write instead.
    """
    first = max(0, position - _WINDOW)
    shown = "".join(c if c.isprintable() else "?" for c in source[first : position + _WINDOW].replace("\n", " ").replace("\t", " "))
    lead, tail = ("..." if first else ""), ("..." if position + _WINDOW < len(source) else "")
    pad = " " * (len(lead) + position - first)
    where = f"character {position + 1}\n    {lead}{shown}{tail}\n    {pad}^ here"
    return FormulaError(what, where=where, fix=fix)


def tokenize(source: str) -> tuple[Token, ...]:
    """Split a formula, or one expression of it, into tokens.

    Parameters
    ----------
    source
        At most 2,000 characters.

    Returns
    -------
    tuple of Token
        In order, without spaces, ended by one token of kind ``end``.

    Raises
    ------
    FormulaError
        Unknown character, unfinished quote, a name that Unicode normalisation would change, unbalanced or too deep brackets.
    """
    if not isinstance(source, str):
        raise FormulaError(f"a formula is text, not {type(source).__name__}", fix="for example 'y ~ x + (1 | g)'")
    if len(source) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(source)} characters, {MAX_LENGTH} are allowed",
            fix="shorten names, or put arithmetic in columns of their own",
        )
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        if source[position] in _SPACE:
            position += 1
            continue
        tokens.append(_scanner(source, position)(source, position))
        position = tokens[-1].stop
    tokens.append(Token("end", "", len(source), len(source)))
    _check_brackets(source, tokens)
    return tuple(tokens)


def bare(name: str) -> bool:
    """Whether Unicode normalisation leaves an identifier as it is (Python would silently change it otherwise)."""
    return name.isidentifier() and unicodedata.normalize("NFKC", name) == name


def closing(tokens: Sequence[Token], start: int) -> int:
    """Index of the bracket that closes the one at ``start``."""
    depths = accumulate(_step(t) for t in tokens[start:])
    return start + next(i for i, depth in enumerate(depths) if depth == 0)


def split_top(tokens: Sequence[Token], *operators: str) -> tuple[tuple[Token, ...], ...]:
    """Split at operators that stand outside all brackets; as many pieces as operators plus one, pieces may be empty."""
    pieces: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += _step(token)
        if depth == 0 and token.is_op(*operators):
            pieces.append([])
        else:
            pieces[-1].append(token)
    return tuple(tuple(p) for p in pieces)


def _step(token: Token) -> int:
    """Change of bracket depth at a token."""
    return int(token.is_op(*_OPENING)) - int(token.is_op(*_OPENING.values()))


def _scanner(source: str, position: int) -> Callable[[str, int], Token]:
    """Return the function that reads the token starting here."""
    char = source[position]
    if char == "`":
        return _quoted
    if char in "'\"":
        return _string
    if char in _DIGITS or (char == "." and source[position + 1 : position + 2] in tuple(_DIGITS)):
        return _number
    return _name if char.isidentifier() else _operator


def _name(source: str, start: int) -> Token:
    """Read a name outside back-quotes."""
    stop = start + 1
    while stop < len(source) and ("a" + source[stop]).isidentifier():
        stop += 1
    name = source[start:stop]
    if not bare(name):
        raise fault(
            source,
            start,
            "this name holds characters that normalisation would change",
            "put the name in back-quotes exactly as the table spells it",
        )
    return Token("name", name, start, stop)


def _quoted(source: str, start: int) -> Token:
    """Read a back-quoted name: any printable text without backslashes."""
    stop = source.find("`", start + 1)
    if stop < 0:
        raise fault(source, start, "this back-quote is never closed", "write the name as `my column`")
    name = source[start + 1 : stop]
    problem = name_problem(name)
    if problem:
        raise fault(source, start, f"a back-quoted name {problem}", "rename the column")
    return Token("quoted", name, start, stop + 1)


def name_problem(name: str) -> str | None:
    """Why a column of this name cannot stand in a formula; None if it can (bare or back-quoted)."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, {MAX_NAME} are allowed"
    if name.startswith("__"):
        return "may not begin with two underscores"
    if not name.isprintable():
        return "may hold printable characters only"
    found = [c for c in _BANNED if c in name]
    return f"may not hold {' '.join(found)}" if found else None


def _string(source: str, start: int) -> Token:
    """Read a string in single or double quotes, without escapes."""
    stop = source.find(source[start], start + 1)
    if stop < 0:
        raise fault(source, start, "this quote is never closed", "write a level as 'ddI'; a column's name takes back-quotes")
    text = source[start + 1 : stop]
    if not text.isprintable() or len(text) > MAX_NAME or any(c in text for c in _BANNED):
        raise fault(
            source,
            start,
            f"a string may hold printable characters other than backslashes and back-quotes, at most {MAX_NAME}",
            "set the reference level by the order of the category instead",
        )
    return Token("string", text, start, stop + 1)


def _number(source: str, start: int) -> Token:
    """Read a decimal number: digits, point, exponent; nothing may be glued to it."""
    stop = _digits(source, start)
    if source[stop : stop + 1] == ".":
        stop = _digits(source, stop + 1)
    if source[stop : stop + 1] in ("e", "E"):
        signed = stop + 1 + int(source[stop + 1 : stop + 2] in ("+", "-"))
        stop = _digits(source, signed) if _digits(source, signed) > signed else stop
    if stop < len(source) and (("a" + source[stop]).isidentifier() or source[stop] == "."):
        raise fault(
            source,
            stop,
            "this is not a number",
            "decimal numbers only, as in 0.5 or 1e-3; a name that begins with a digit takes back-quotes",
        )
    return Token("number", source[start:stop], start, stop)


def _digits(source: str, start: int) -> int:
    """End of the run of digits that begins here."""
    stop = start
    while stop < len(source) and source[stop] in _DIGITS:
        stop += 1
    return stop


def _operator(source: str, start: int) -> Token:
    """Read the longest operator that begins here."""
    for text in _OPERATORS:
        if source.startswith(text, start):
            return Token("op", text, start, start + len(text))
    char = source[start]
    shown = repr(char) if char.isprintable() else f"U+{ord(char):04X}"
    raise fault(
        source,
        start,
        f"{shown} has no meaning in a formula",
        _HINTS.get(char, "a column name with unusual characters takes back-quotes: `my column`"),
    )


def _check_brackets(source: str, tokens: Sequence[Token]) -> None:
    """Refuse unbalanced or too deeply nested brackets."""
    open_now: list[Token] = []
    for token in tokens:
        if token.is_op(*_OPENING):
            open_now.append(token)
        elif token.is_op(*_OPENING.values()) and (not open_now or _OPENING[open_now.pop().text] != token.text):
            raise fault(source, token.start, f"{token.text!r} closes nothing", "balance the brackets")
        if len(open_now) > MAX_BRACKETS:
            raise fault(source, token.start, f"brackets are nested deeper than {MAX_BRACKETS}", "put the inner part in a column of its own")
    if open_now:
        raise fault(source, open_now[-1].start, f"{open_now[-1].text!r} is never closed", "balance the brackets")
