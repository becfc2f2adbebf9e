"""The right-hand side, read by recursive descent with R's precedence: ``^``, then ``:``, ``%in%``, ``* /``, ``+ -``.

Every function takes a position in the tokens and returns what it has read with the position after it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bayesglmm.spec import wilkinson
from bayesglmm.spec.allowed import Rules
from bayesglmm.spec.bars import Bracket, cut_bracket, group_terms, has_bar
from bayesglmm.spec.gate import check_slice
from bayesglmm.spec.tokenizer import Token, closing, fault, split_top
from bayesglmm.spec.vocabulary import OUT_OF_SCOPE, TAGS, nearest
from bayesglmm.spec.wilkinson import Sum
from bayesglmm.types import CovarianceKind

type _Reader = Callable[["Text", int], tuple[Sum, int]]

_ARITHMETIC = "arithmetic goes inside I(...), as in 'I(2 * x)'; a constant shift of the linear predictor is 'offset(...)'"
_AFTER = {
    ".": "attributes have no place in a formula; a column with a dot in its name takes back-quotes: `total.fruits`",
    "|": "a group term stands in brackets: '(x | g)'",
    "||": "a group term stands in brackets: '(x || g)'",
    ",": "terms are joined by '+'",
    "=": "options are arguments of the fitting function, not of the formula",
    "[": "subscripts have no place in a formula: put the values in a column of their own",
    "~": "a formula has one '~'",
    "(": "an interaction is written 'a:b', a call 'log(x)'",
}
_OTHERWISE = "terms are joined by + - : * ^ / %in%"


@dataclass(frozen=True, slots=True)
class Text:
    """What is read: the formula, the tokens of one stretch of it (closed by ``end``), and the user's functions."""

    source: str
    tokens: tuple[Token, ...]
    functions: frozenset[str]

    def inner(self, start: int, stop: int) -> "Text":
        """Return the stretch ``tokens[start:stop]`` as a text of its own."""
        position = self.tokens[stop].start
        return Text(self.source, (*self.tokens[start:stop], Token("end", "", position, position)), self.functions)


def parse_sum(text: Text) -> Sum:
    """Read a whole stretch as a sum of terms.

    Raises
    ------
    FormulaError
        Anything outside the grammar, with its position and the closest supported form.
    """
    value, i = _sum(text, 0)
    token = text.tokens[i]
    if token.kind != "end":
        raise _unexpected(text, i)
    return value


def _sum(text: Text, i: int) -> tuple[Sum, int]:
    """``product (+|-) product ...``, with signs."""
    positive, i = _signs(text, i)
    value, i = _signed(text, i, Sum(), positive)
    while text.tokens[i].is_op("+", "-"):
        positive, i = _signs(text, i)
        value, i = _signed(text, i, value, positive)
    return value, i


def _signs(text: Text, i: int) -> tuple[bool, int]:
    """Read a run of signs and whether it says plus."""
    positive = True
    while text.tokens[i].is_op("+", "-"):
        positive = positive is text.tokens[i].is_op("+")
        i += 1
    return positive, i


def _signed(text: Text, i: int, before: Sum, positive: bool) -> tuple[Sum, int]:
    """Add or remove the product that begins here."""
    value, stop = _product(text, i)
    if positive:
        return wilkinson.add(before, value), stop
    if value.groups or value.offsets or value.dot:
        raise fault(text.source, text.tokens[i].start, "group terms, offsets and '.' cannot be taken away", "leave the term out")
    return wilkinson.remove(before, value), stop


def _product(text: Text, i: int) -> tuple[Sum, int]:
    return _left_to_right(text, i, _within, {"*": wilkinson.cross, "/": wilkinson.nest})


def _within(text: Text, i: int) -> tuple[Sum, int]:
    return _left_to_right(text, i, _interaction, {"%in%": wilkinson.within})


def _interaction(text: Text, i: int) -> tuple[Sum, int]:
    return _left_to_right(text, i, _power, {":": wilkinson.interact})


def _left_to_right(text: Text, i: int, read: _Reader, operators: dict[str, Callable[[Sum, Sum], Sum]]) -> tuple[Sum, int]:
    """Read a chain of binary operators of one precedence."""
    start = i
    value, i = read(text, i)
    while text.tokens[i].is_op(*operators):
        operator = text.tokens[i]
        right, stop = read(text, i + 1)
        for side, position in ((value, start), (right, i + 1)):
            _check_operand(text, side, position, operator)
        value, i = operators[operator.text](value, right), stop
    return value, i


def _power(text: Text, i: int) -> tuple[Sum, int]:
    """Read ``base ^ whole number``."""
    base, stop = _atom(text, i)
    if not text.tokens[stop].is_op("^", "**"):
        return base, stop
    _check_operand(text, base, i, text.tokens[stop])
    exponent = text.tokens[stop + 1]
    if len(base.terms) < 2:
        raise fault(
            text.source, text.tokens[stop].start, "a power of one term is that term, not its square", f"write 'I({base.terms[0].name}^2)'"
        )
    if exponent.kind != "number" or not exponent.text.isdigit() or not 1 <= int(exponent.text) <= wilkinson.MAX_POWER:
        raise fault(
            text.source, exponent.start, f"a power of terms is a whole number from 1 to {wilkinson.MAX_POWER}", "for example '(a + b)^2'"
        )
    if text.tokens[stop + 2].is_op("^", "**"):
        raise fault(text.source, text.tokens[stop + 2].start, "powers cannot be stacked", "for example '(a + b)^2'")
    return wilkinson.power(base, int(exponent.text)), stop + 2


def _check_operand(text: Text, value: Sum, i: int, operator: Token) -> None:
    """Operators other than plus and minus take terms and nothing else."""
    if value == Sum():
        raise fault(text.source, text.tokens[i].start, f"nothing is left here for {operator.text!r} to join", "leave this part out")
    if not value.pure:
        raise fault(
            text.source,
            text.tokens[i].start,
            f"{operator.text!r} joins terms; a number, '.', a group term or an offset can only be added",
            f"name the columns; {_ARITHMETIC}",
        )


def _atom(text: Text, i: int) -> tuple[Sum, int]:
    """Read a name, ``0``, ``1``, ``.``, a call, a tagged group term, or a bracket."""
    token = text.tokens[i]
    if token.is_op("("):
        return _bracket(text, i)
    if token.is_op("."):
        if text.tokens[i + 1].kind in ("name", "number", "quoted"):
            raise fault(text.source, token.start, "this name begins with a dot", "put it in back-quotes")
        return Sum(dot=True), i + 1
    if token.kind == "number":
        return _constant(text, token), i + 1
    if token.kind == "name" and text.tokens[i + 1].is_op("("):
        return _call(text, i)
    if token.kind in ("name", "quoted"):
        return _column(text, i), i + 1
    raise _unexpected(text, i)


def _constant(text: Text, token: Token) -> Sum:
    """``1`` and ``0``; no other number is a term."""
    if token.text not in ("0", "1"):
        raise fault(text.source, token.start, "the only numbers among terms are 1 and 0, for the intercept", _ARITHMETIC)
    return Sum(intercept=token.text == "1")


def _column(text: Text, i: int) -> Sum:
    """Read a main effect."""
    token = text.tokens[i]
    if token.text == "Intercept":
        raise fault(text.source, token.start, "the intercept is written 1", "'1 + x', or '0 + x' without it")
    if text.tokens[i + 1].is_op(".") and text.tokens[i + 1].start == token.stop:
        raise fault(
            text.source,
            text.tokens[i + 1].start,
            "attributes have no place in a formula",
            "a column with a dot in its name takes back-quotes: `total.fruits`",
        )
    return wilkinson.single(check_slice(text.source, (token,), Rules()))


def _call(text: Text, i: int) -> tuple[Sum, int]:
    """Read a call: an offset, a tagged group term, or a transform that the gate checks."""
    token, stop = text.tokens[i], closing(text.tokens, i + 1)
    inside = text.inner(i + 2, stop)
    if token.text == "offset":
        return Sum(offsets=(check_slice(text.source, inside.tokens[:-1], Rules(plain=True)),)), stop + 1
    if has_bar(inside.tokens[:-1]):
        return _tagged(text, token, inside), stop + 1
    factor = check_slice(text.source, text.tokens[i : stop + 1], Rules(text.functions))
    return wilkinson.single(factor), stop + 1


def _bracket(text: Text, i: int) -> tuple[Sum, int]:
    """Read a group term or a sum in brackets."""
    stop = closing(text.tokens, i)
    inside = text.inner(i + 1, stop)
    if has_bar(inside.tokens[:-1]):
        return _group(inside, "us"), stop + 1
    if len(inside.tokens) == 1:
        raise fault(text.source, text.tokens[i].start, "these brackets are empty", "'(1 | g)' for a group term, '(a + b)^2' for a sum")
    return parse_sum(inside), stop + 1


def _tagged(text: Text, token: Token, inside: Text) -> Sum:
    """Read a group term with a covariance tag, ``cs(x | g)``."""
    if token.text in OUT_OF_SCOPE:
        reason, closest = OUT_OF_SCOPE[token.text]
        raise fault(text.source, token.start, f"{token.text}(): {reason}", f"the closest supported form is {closest}")
    if token.text not in TAGS:
        raise fault(
            text.source, token.start, f"{token.text}() is no covariance", f"{nearest(token.text, list(TAGS))}Tags: {', '.join(TAGS)}"
        )
    kind = TAGS[token.text]
    if kind != "diag" and len(split_top(inside.tokens[:-1], "||")) > 1:
        raise fault(
            text.source, token.start, f"'||' makes effects independent, {token.text}() does not", f"'{token.text}(x | g)' or '(x || g)'"
        )
    return _group(inside, kind)


def _group(inside: Text, kind: CovarianceKind) -> Sum:
    """Read the group terms of one bracket."""
    bracket: Bracket = cut_bracket(inside.source, inside.tokens[:-1], inside.tokens[-1].start)
    start = bracket.effects[0].start
    value = parse_sum(inside.inner(0, len(bracket.effects)))
    if value.groups or value.offsets or value.dot:
        raise fault(
            inside.source,
            start,
            "effects of a group term are terms",
            "offsets, '.' and other group terms stand outside: '(1 + x | g) + offset(z)'",
        )
    effects = wilkinson.part(value)
    if not effects.intercept and not effects.terms:
        raise fault(inside.source, start, "this group term has no effects", "'(1 | g)', or leave it out")
    return Sum(groups=group_terms(bracket, effects, "diag" if bracket.double else kind))


def _unexpected(text: Text, i: int) -> Exception:
    """Error for a token that cannot stand here."""
    token: Token = text.tokens[i]
    if token.kind == "end":
        position = max(token.start, 0)
        return fault(text.source, position, "a term is missing here", "for example 'y ~ x + (1 | g)'; the constant alone is 'y ~ 1'")
    if token.kind == "string":
        return fault(text.source, token.start, "a string is no term", "a column with unusual characters takes back-quotes: `my column`")
    hint = _AFTER.get(token.text, _OTHERWISE) if token.kind == "op" else _OTHERWISE
    return fault(text.source, token.start, f"{token.text!r} cannot stand here", hint)
