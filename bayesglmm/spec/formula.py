"""From the text of a formula to records, and from records to text that parses back to them.

The grammar is lme4's, with a scanner and a parser of its own (:mod:`bayesglmm.spec.tokenizer`, ``syntax``, ``bars``,
``response``), R's algebra of terms (``wilkinson``) and a gate for every expression (``gate``). What parses and is not
computed by this version is refused by :func:`check_built`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from bayesglmm.errors import FormulaError
from bayesglmm.spec.bars import check_distinct
from bayesglmm.spec.built import check_built
from bayesglmm.spec.gate import column_name, functions_in, names_in, quote
from bayesglmm.spec.response import parse_response
from bayesglmm.spec.syntax import Text, parse_sum
from bayesglmm.spec.terms import GroupTerm, Part, Response, Term
from bayesglmm.spec.tokenizer import Token, bare, fault, name_problem, split_top, tokenize
from bayesglmm.spec.vocabulary import TAGS, TRANSFORMS
from bayesglmm.spec.wilkinson import Sum, ordered, part

__all__ = ["ParsedFormula", "check_built", "check_functions", "expand_dot", "parse_formula", "parse_term"]


@dataclass(frozen=True, slots=True)
class ParsedFormula:
    """A formula as records.

    Attributes
    ----------
    response
        The left-hand side; None for a one-sided formula.
    fixed
        Fixed effects.
    groups
        Group terms, in the order of the formula; ``(1 | g/h)`` is two.
    offsets
        Expressions of offsets.
    dot
        Whether ``.`` stands for the columns that are not named; see :func:`expand_dot`.
    without
        Columns that ``.`` shall not add, ``. - x``.
    """

    response: Response | None
    fixed: Part
    groups: tuple[GroupTerm, ...] = ()
    offsets: tuple[str, ...] = ()
    dot: bool = False
    without: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Canonical text; parsing it gives this record back."""
        added = [self.fixed.text, *(["."] if self.dot else []), *(g.text for g in self.groups), *(f"offset({o})" for o in self.offsets)]
        right = " + ".join(added) + "".join(f" - {w}" for w in self.without)
        return f"{self.response.text} ~ {right}" if self.response else f"~ {right}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, in order, each once, without back-quotes."""
        expressions = [*_response_expressions(self.response), *_part_expressions(self.fixed)]
        for group in self.groups:
            expressions += [*_part_expressions(group.effects), *_group_columns(group)]
        return tuple(dict.fromkeys(name for e in (*expressions, *self.offsets) for name in names_in(e)))

    @property
    def called(self) -> frozenset[str]:
        """Functions called by the terms."""
        parts = (self.fixed, *(g.effects for g in self.groups))
        return frozenset(name for p in parts for e in _part_expressions(p) for name in functions_in(e))


def parse_formula(text: str, *, functions: Collection[str] = frozenset()) -> ParsedFormula:
    """Read a formula; nothing is evaluated and no table is needed.

    Parameters
    ----------
    text
        For example ``"y ~ year * drug + (year | id)"``.
    functions
        Names of the user's own functions, allowed in fixed effects and in effects of group terms.

    Returns
    -------
    ParsedFormula
        With every expression as canonical text that has passed the gate.

    Raises
    ------
    FormulaError
        Anything outside the grammar, with its position and the closest supported form; the same effect of the same grouping
        factor twice.
    """
    names = check_functions(functions)
    tokens = tokenize(text)
    sides = split_top(tokens[:-1], "~")
    if len(sides) != 2:
        _refuse_sides(text, tokens, len(sides))
    response = parse_response(text, sides[0])
    right = (*sides[1], tokens[-1])
    if len(right) == 1:
        raise fault(text, len(text), "nothing stands after '~'", "'y ~ 1' for the constant alone")
    value = parse_sum(Text(text, right, names))
    check_distinct(value.groups)
    if len(set(value.offsets)) < len(value.offsets):
        raise FormulaError("the same offset stands twice", where=f"offset({value.offsets[0]})", fix="keep it once")
    return ParsedFormula(response, part(value), value.groups, value.offsets, value.dot, _without(value))


def parse_term(text: str, *, functions: Collection[str] = frozenset()) -> Term:
    """Read one term, such as ``x:I(z^2)``, to canonical factors.

    Raises
    ------
    FormulaError
        If the text is outside the grammar, or not exactly one term.
    """
    tokens = tokenize(text)
    value = parse_sum(Text(text, tokens, check_functions(functions)))
    if not value.pure or len(value.terms) != 1 or value.intercept is not None:
        raise FormulaError("one term is expected", where=text, fix="for example x, I(x^2) or x:z")
    return value.terms[0]


def expand_dot(parsed: ParsedFormula, columns: Sequence[str]) -> ParsedFormula:
    """Replace ``.`` by main effects of the columns that are not used elsewhere.

    Parameters
    ----------
    parsed
        A formula.
    columns
        Names of all columns of the table, in its order.

    Returns
    -------
    ParsedFormula
        Without ``.``. Added are the columns that are neither in the response (with its trials, standard errors, weights), nor
        in a grouping factor, ``by=`` or offset, nor taken away by ``. - x``; as in R, a column that stands in a transform on the
        right is added too.

    Raises
    ------
    FormulaError
        If a column to add has a name that no formula can hold.
    """
    if not parsed.dot:
        return parsed
    elsewhere = [
        *_response_expressions(parsed.response),
        *(c for g in parsed.groups for c in _group_columns(g)),
        *parsed.offsets,
        *parsed.without,
    ]
    used = {name for e in elsewhere for name in names_in(e)}
    fresh = [c for c in columns if c not in used]
    for name in fresh:
        problem = name_problem(name)
        if problem:
            raise FormulaError(
                f"'.' would add a column whose name {problem}", where=f"column {name!r}", fix="rename the column, or name the terms"
            )
    terms = ordered(parsed.fixed.terms + tuple(Term((quote(c),)) for c in fresh))
    return replace(parsed, fixed=Part(parsed.fixed.intercept, terms), dot=False, without=())


def check_functions(functions: Collection[str]) -> frozenset[str]:
    """Names of the user's own functions, checked: identifiers that are not listed transforms or covariance tags.

    Raises
    ------
    FormulaError
        Naming the function that cannot be used.
    """
    for name in functions:
        if not isinstance(name, str) or not bare(name) or name.startswith("_") or name in TRANSFORMS or name in TAGS or name == "offset":
            raise FormulaError(f"a function of your own cannot be called {name!r}", where="functions=", fix="use another name")
    return frozenset(functions)


def _refuse_sides(text: str, tokens: Sequence[Token], sides: int) -> None:
    """Say what is wrong with the number of tildes."""
    if sides == 1:
        inside = next((t for t in tokens if t.is_op("~")), tokens[-1])
        raise fault(text, inside.start, "a formula has one '~' between response and terms", "for example 'y ~ x + (1 | g)'")
    second = [t for t in tokens if t.is_op("~")][1]
    raise fault(
        text, second.start, "a formula has one '~'", "random effects are written in the formula, '(x | g)', other parts are arguments"
    )


def _without(value: Sum) -> tuple[str, ...]:
    """Columns that ``.`` shall not add: of what was taken away, the plain columns."""
    return tuple(w for w in value.without if value.dot and column_name(w) is not None)


def _part_expressions(p: Part) -> tuple[str, ...]:
    """Factors of all terms of a part."""
    return tuple(f for t in p.terms for f in t.factors)


def _group_columns(group: GroupTerm) -> tuple[str, ...]:
    """Columns that say which group a row belongs to, as canonical text."""
    return (*group.factor, *([group.by] if group.by is not None else []))


def _response_expressions(response: Response | None) -> tuple[str, ...]:
    """Expressions of the left-hand side."""
    if response is None:
        return ()
    optional = (response.trials, response.failures, response.se, response.weights)
    return (response.expression, *(e for e in optional if e is not None))
