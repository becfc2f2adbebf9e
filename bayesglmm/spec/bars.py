"""Group terms: what stands between the brackets of ``(x | g)``.

This module cuts the tokens of a bracket into effects, bars, id, grouping factor and ``by=``, and reads the grouping
factor; the effects are read by the caller, who knows the algebra of terms.
"""

import keyword
from collections.abc import Sequence
from dataclasses import dataclass

from bayesglmm.errors import FormulaError
from bayesglmm.spec.gate import quote
from bayesglmm.spec.terms import INTERCEPT, GroupTerm, Part
from bayesglmm.spec.tokenizer import Token, fault, split_top
from bayesglmm.spec.vocabulary import OUT_OF_SCOPE
from bayesglmm.spec.wilkinson import term_key
from bayesglmm.types import CovarianceKind

MAX_NESTING = 10

_FORMS = "supported: (1 | g), (x | g), (x || g), (0 + x | g), (1 | g/h), (1 | g:h)"


@dataclass(frozen=True, slots=True)
class Bracket:
    """One bracket with bars, cut but not yet read.

    Attributes
    ----------
    effects
        Tokens left of the first bar.
    double
        Whether the bar is ``||``.
    shared_id
        The middle of ``(x | id | g)``.
    factors
        Grouping factors: ``g/h`` gives ``("g",)`` and ``("g", "h")``.
    by
        Column of ``by=``.
    """

    effects: tuple[Token, ...]
    double: bool
    shared_id: str | None
    factors: tuple[tuple[str, ...], ...]
    by: str | None


def has_bar(tokens: Sequence[Token]) -> bool:
    """Whether a bar stands at the top level of these tokens."""
    return len(split_top(tokens, "|", "||")) > 1


def cut_bracket(source: str, tokens: Sequence[Token], stop: int) -> Bracket:
    """Cut the inside of a bracket that has bars.

    Parameters
    ----------
    source
        The whole formula, for carets.
    tokens
        What stands between the brackets.
    stop
        Position of the closing bracket in the source.

    Raises
    ------
    FormulaError
        More bars than the grammar has, an empty piece, an option other than ``by=``, or a grouping factor that is not made
        of columns by ``:`` and ``/``.
    """
    pieces = split_top(tokens, "|", "||")
    bars = _top_bars(tokens)
    if len(bars) > 2:
        raise fault(source, bars[2].start, "a group term has at most two bars", "'(x | g)', '(x || g)' or '(x | id | g)'")
    if len(bars) == 2 and any(b.text == "||" for b in bars):
        raise fault(source, bars[1].start, "'||' makes effects independent, so no id can be shared", "'(x || g)' or '(x | id | g)'")
    if not pieces[0]:
        raise fault(source, bars[0].start, "no effects stand before the bar", "'(1 | g)' for intercepts that vary")
    grouping, *options = split_top(pieces[-1], ",")
    return Bracket(
        effects=pieces[0],
        double=bars[0].text == "||",
        shared_id=_shared_id(source, pieces[1], bars[1].start) if len(bars) == 2 else None,
        factors=_factors(source, grouping, grouping[0].start if grouping else stop),
        by=_by(source, options, stop),
    )


def group_terms(bracket: Bracket, effects: Part, covariance: CovarianceKind) -> tuple[GroupTerm, ...]:
    """One group term per grouping factor of the bracket."""
    return tuple(GroupTerm(factor, effects, covariance, bracket.shared_id, bracket.by) for factor in bracket.factors)


def check_distinct(groups: Sequence[GroupTerm]) -> None:
    """Refuse the same effect of the same grouping factor twice.

    Raises
    ------
    FormulaError
        Naming the effect, the factor and the two group terms.
    """
    seen: dict[tuple[frozenset[str], frozenset[str]], GroupTerm] = {}
    for group in groups:
        named = [(term_key(t), t.name) for t in group.effects.terms]
        effects = ([(frozenset({INTERCEPT}), INTERCEPT)] if group.effects.intercept else []) + named
        for key, name in effects:
            before = seen.setdefault((frozenset(group.factor), key), group)
            if before is not group:
                raise FormulaError(
                    f"the effect {name} of the factor {group.name} stands in two group terms",
                    where=f"{before.text} and {group.text}",
                    fix=f"keep it in one; without its intercept a group term is written '(0 + x | {group.name})'",
                )


def _top_bars(tokens: Sequence[Token]) -> list[Token]:
    """Return the bars that stand outside inner brackets."""
    lengths = [len(p) for p in split_top(tokens, "|", "||")[:-1]]
    positions = [sum(lengths[: i + 1]) + i for i in range(len(lengths))]
    return [tokens[p] for p in positions]


def _shared_id(source: str, tokens: Sequence[Token], position: int) -> str:
    """Read the id between two bars: one plain name."""
    if len(tokens) != 1 or tokens[0].kind != "name" or _reserved(tokens[0].text):
        raise fault(
            source,
            tokens[0].start if tokens else position,
            "between two bars stands an id, one plain name",
            "'(x | id | g)', or '(x | g)' without an id",
        )
    return tokens[0].text


def _by(source: str, options: Sequence[Sequence[Token]], stop: int) -> str | None:
    """Read the column of ``by=``, the one option of a group term."""
    if not options:
        return None
    option = options[0]
    if len(options) > 1 or len(option) < 3 or option[0].text != "by" or not option[1].is_op("="):
        position = option[0].start if option else stop
        raise fault(source, position, "the one option of a group term is by=", "'(1 | g, by=arm)'")
    if len(option) != 3:
        raise fault(source, option[3].start, "by= takes one column", "'(1 | g, by=arm)'")
    return _column(source, option[2])


def _factors(source: str, tokens: Sequence[Token], position: int) -> tuple[tuple[str, ...], ...]:
    """Read grouping factors: columns joined by ``:``, nested by ``/``."""
    if not tokens:
        raise fault(source, position, "no grouping factor stands after the bar", _FORMS)
    levels = split_top(tokens, "/")
    if len(levels) > MAX_NESTING:
        raise fault(source, tokens[0].start, f"grouping factors are nested deeper than {MAX_NESTING}", _FORMS)
    found: list[tuple[str, ...]] = []
    for level in levels:
        names = (found[-1] if found else ()) + tuple(_one_column(source, piece, position) for piece in split_top(level, ":"))
        if len(set(names)) < len(names):
            raise fault(source, tokens[0].start, "a column stands twice in one grouping factor", _FORMS)
        found.append(names)
    return tuple(found)


def _one_column(source: str, tokens: Sequence[Token], position: int) -> str:
    """Read a piece of a grouping factor, which must be one column."""
    if not tokens:
        raise fault(source, position, "a column is missing in the grouping factor", _FORMS)
    if len(tokens) > 1:
        _refuse_grouping(source, tokens)
    return _column(source, tokens[0])


def _refuse_grouping(source: str, tokens: Sequence[Token]) -> None:
    """Say why this is no grouping factor, and what is."""
    first, second = tokens[0], tokens[1]
    if first.kind == "name" and second.is_op("("):
        reason, closest = OUT_OF_SCOPE.get(
            first.text, (f"{first.text}() cannot make a grouping factor", "(1 | g) with a column made in the table")
        )
        raise fault(source, first.start, reason, f"the closest supported form is {closest}")
    hints = {
        "+": "'(1 | g) + (1 | h)'",
        "*": "'(1 | g) + (1 | h) + (1 | g:h)'",
        ".": "`back-quotes` around a column with a dot in its name",
        "%in%": "'(1 | g:h)'",
    }
    raise fault(source, second.start, "a grouping factor is made of columns by ':' and '/'", hints.get(second.text, _FORMS))


def _column(source: str, token: Token) -> str:
    """Read a column as canonical text."""
    if token.kind == "quoted" or (token.kind == "name" and not _reserved(token.text)):
        return quote(token.text)
    raise fault(source, token.start, "a column is expected here", f"{_FORMS}; unusual names take back-quotes")


def _reserved(name: str) -> bool:
    """Whether a bare name may not be used: a reserved word or a leading underscore."""
    return keyword.iskeyword(name) or name.startswith("_")
