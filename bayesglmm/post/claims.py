"""Hypotheses as text: a scanner and a recursive descent of their own, no evaluation of code.

``expression relation expression``, where an expression is made of numbers, names of parameters, ``+ - * /``, parentheses and ``abs``,
``exp``, ``log``. A name is a label as ``summary`` prints it, ``drug[ddI]``, ``obstime:drug[ddI]``, ``1|patient_sigma``; at each place the
longest label that fits is read, so that brackets, bars and colons need no quotes. Any label may stand in back-quotes. A name with blanks
keeps those that its label has: in an expression nobody could tell where it ends without them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bayesglmm.errors import ArgumentError, FormulaError
from bayesglmm.post.affine import FUNCTIONS, Quantity, add, apply, divide, multiply, number, parameter, subtract
from bayesglmm.spec.names import QUOTE
from bayesglmm.spec.tokenizer import fault
from bayesglmm.spec.vocabulary import nearest
from bayesglmm.types import FloatArray

type Relation = Literal[">", ">=", "<", "<=", "="]
type Kind = Literal["number", "name", "function", "op", "relation", "end"]

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 25
SHOWN: Final = 20
LARGEST: Final = 1e150
"""Numbers beyond it could not be squared, so that their SD would overflow."""

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RELATIONS: Final[tuple[tuple[str, Relation], ...]] = ((">=", ">="), ("<=", "<="), ("==", "="), (">", ">"), ("<", "<"), ("=", "="))
_OPERATORS = "+-*/()"
_FINITE = "divide by and take logarithms of what stays above zero"
_HINTS = {
    "^": "write a product, x * x",
    "!": "a hypothesis says what is true; for 'different' look at the evidence against 'x = 0'",
    "≥": "write >=",
    "≤": "write <=",
    "[": "a level stands directly behind the name of its term, drug[ddI]",
}


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A hypothesis, read.

    Attributes
    ----------
    text
        As it was given.
    difference
        Left side minus right side.
    relation
        How this difference is said to compare with 0.
    """

    text: str
    difference: Quantity
    relation: Relation


@dataclass(frozen=True, slots=True)
class _Token:
    """One piece, and where it begins."""

    kind: Kind
    text: str
    start: int


def read_claim(text: str, parameters: Mapping[str, FloatArray]) -> Claim:
    """Read a hypothesis.

    Parameters
    ----------
    text
        For example ``"drug[ddI] > 0"``, ``"x + drug[ddI] = 0.5"``, ``"abs(x) < 0.1"``.
    parameters
        Draws (S,) by label.

    Raises
    ------
    ArgumentError
        If it is no text.
    FormulaError
        If it is outside the grammar, names an unknown parameter or none, or gives a number that is not finite; points at the place.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"a hypothesis is text, not {type(text).__name__}", fix="for example 'x > 0'")
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the hypothesis has {len(text)} characters, {MAX_LENGTH} are allowed", fix="test its parts one by one")
    reader = _Reader(text, _scan(text, tuple(parameters)), parameters)
    left = reader.expression(0)
    relation, start = reader.relation()
    right = reader.expression(0)
    reader.end()
    with np.errstate(over="ignore"):
        difference = subtract(left, right)
    if difference.is_number:
        raise fault(text, start, "the hypothesis names no parameter", f"the parameters are: {_listed(tuple(parameters))}")
    return Claim(text, reader.finite(difference, start, "the difference of the two sides"), relation)


class _Reader:
    """Recursive descent over the tokens of one hypothesis; the depth of brackets is bounded."""

    def __init__(self, text: str, tokens: Sequence[_Token], parameters: Mapping[str, FloatArray]) -> None:
        self._text, self._tokens, self._parameters, self._at = text, tokens, parameters, 0

    def expression(self, depth: int) -> Quantity:
        """Read a sum of products."""
        return self._chain(self._product, {"+": add, "-": subtract}, depth)

    def relation(self) -> tuple[Relation, int]:
        """Read the relation; returns where it stands."""
        token = self._next()
        found = next((r for text, r in _RELATIONS if token.kind == "relation" and token.text == text), None)
        if found is None:
            raise self._wrong(token, "a relation is missing", "compare two expressions by > >= < <= or =")
        return found, token.start

    def end(self) -> None:
        """Refuse what is left."""
        token = self._next()
        if token.kind == "relation":
            raise self._wrong(token, "a second relation", "write -0.1 < x < 0.1 as abs(x) < 0.1, or give two hypotheses")
        if token.kind != "end":
            raise self._wrong(token, "something is left over", "join parts by + - * /")

    def finite(self, value: Quantity, start: int, what: str) -> Quantity:
        """Refuse numbers that are not finite, or too large."""
        wrong = int(np.count_nonzero(~(np.abs(value.draws) <= LARGEST)))
        if wrong:
            many = "" if value.is_number else f" in {wrong} of {value.draws.size} draws"
            raise fault(self._text, start, f"{what} is not a finite number below {LARGEST:g}{many}", _FINITE)
        return value

    def _chain(
        self, operand: Callable[[int], Quantity], operators: Mapping[str, Callable[[Quantity, Quantity], Quantity]], depth: int
    ) -> Quantity:
        value = operand(depth)
        while self._tokens[self._at].kind == "op" and self._tokens[self._at].text in operators:
            token = self._next()
            with np.errstate(all="ignore"):
                value = operators[token.text](value, operand(depth))
            self.finite(value, token.start, f"the result of {token.text}")
        return value

    def _product(self, depth: int) -> Quantity:
        return self._chain(self._signed, {"*": multiply, "/": divide}, depth)

    def _signed(self, depth: int) -> Quantity:
        sign = 1.0
        while self._tokens[self._at].kind == "op" and self._tokens[self._at].text in "+-":
            sign = -sign if self._next().text == "-" else sign
        value = self._atom(depth)
        return value if sign > 0.0 else multiply(number(sign), value)

    def _atom(self, depth: int) -> Quantity:
        token = self._next()
        if depth > MAX_DEPTH:
            raise self._wrong(token, f"brackets are nested deeper than {MAX_DEPTH}", "simplify the expression")
        if token.kind == "number":
            return self.finite(number(float(token.text)), token.start, "this number")
        if token.kind == "name":
            return self.finite(parameter(token.text, self._parameters[token.text]), token.start, token.text)
        if token.kind == "function":
            self._expect("(")
            value = self._closed(depth)
            with np.errstate(all="ignore"):
                return self.finite(apply(token.text, value), token.start, f"{token.text}()")
        if token.kind == "op" and token.text == "(":
            return self._closed(depth)
        raise self._wrong(token, "a number or a parameter is missing", "for example 'x > 0'")

    def _closed(self, depth: int) -> Quantity:
        value = self.expression(depth + 1)
        self._expect(")")
        return value

    def _expect(self, text: str) -> None:
        token = self._next()
        if token.kind != "op" or token.text != text:
            raise self._wrong(token, f"{text!r} is missing", "balance the brackets, and join parts by + - * /")

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _wrong(self, token: _Token, what: str, fix: str) -> FormulaError:
        return fault(self._text, token.start, what, fix)


def _scan(text: str, labels: tuple[str, ...]) -> list[_Token]:
    """Split a hypothesis into tokens."""
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        token, at = _token(text, at, labels)
        tokens.append(token)
    return [*tokens, _Token("end", "", len(text))]


def _token(text: str, at: int, labels: Sequence[str]) -> tuple[_Token, int]:
    """Read the token that begins here, and where it ends; labels are tried before numbers, since ``1|g_sigma`` begins with one."""
    fitting = [name for name in labels if text.startswith(name, at) and not _goes_on(text, at + len(name))]
    word = max(fitting, key=len, default=None)
    called = next((name for name in FUNCTIONS if text.startswith(name, at) and text[at + len(name) :].lstrip().startswith("(")), None)
    if called is not None and (word is None or len(word) <= len(called)):
        return _Token("function", called, at), at + len(called)
    if word is not None:
        return _Token("name", word, at), at + len(word)
    if text[at] == "`":
        return _quoted(text, at, labels)
    for written, _ in _RELATIONS:
        if text.startswith(written, at):
            return _Token("relation", written, at), at + len(written)
    if text[at] in _OPERATORS:
        return _Token("op", text[at], at), at + 1
    match = _NUMBER.match(text, at)
    if match is not None and not _goes_on(text, match.end()):
        return _Token("number", match.group(), at), match.end()
    raise _unknown(text, at, labels)


def _quoted(text: str, at: int, labels: Sequence[str]) -> tuple[_Token, int]:
    """Read a label in back-quotes."""
    stop = text.find("`", at + 1)
    if stop < 0:
        raise fault(text, at, "this back-quote is never closed", "write a label as `drug[ddI]`")
    name = text[at + 1 : stop]
    if name not in labels:
        raise fault(text, at, f"there is no parameter {name!r}", _known(name, labels))
    return _Token("name", name, at), stop + 1


def _goes_on(text: str, at: int) -> bool:
    """Whether a name or number is glued to what follows here."""
    return at < len(text) and (("a" + text[at]).isidentifier() or text[at] in "[:|.`")


def _unknown(text: str, at: int, labels: Sequence[str]) -> FormulaError:
    """Make the error for what is neither label, number nor operator."""
    meant = _meant(text, at, labels)
    if meant:
        return fault(text, at, "this name lacks its back-quotes", f"inside an expression they are needed, write {meant}")
    stop = at
    while stop < len(text) and (("a" + text[stop]).isidentifier() or text[stop] in ":|.`["):
        closing = text.find("]", stop) if text[stop] == "[" else stop
        stop = (closing if closing >= 0 else len(text) - 1) + 1
    name = text[at:stop]
    if not name or not (("a" + name[0]).isidentifier()):
        char = text[at]
        what = repr(char) if char.isprintable() else f"U+{ord(char):04X}"
        return fault(text, at, f"{what} has no meaning in a hypothesis", _HINTS.get(char, "the operators are + - * / and > >= < <= ="))
    if text[stop:].lstrip().startswith("("):
        return fault(text, at, f"the function {name}() is not known", f"{nearest(name, list(FUNCTIONS))}Known: {', '.join(FUNCTIONS)}")
    return fault(text, at, f"there is no parameter {name!r}", _known(name, labels))


def _meant(text: str, at: int, labels: Sequence[str]) -> str:
    """Name the label that stands here without its back-quotes; empty when there is none."""
    found = [label for label in labels if QUOTE in label and text.startswith(label.replace(QUOTE, ""), at)]
    return max(found, key=len, default="")


def _known(name: str, labels: Sequence[str]) -> str:
    return f"{nearest(name, list(labels))}The parameters are: {_listed(labels)}"


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels[:SHOWN]) + (f", ... ({len(labels)} in all)" if len(labels) > SHOWN else "")
