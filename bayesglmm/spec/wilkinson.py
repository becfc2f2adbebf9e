r"""Wilkinson's algebra of terms, as R has it: sums, products, powers, nesting, removal.

A value of the algebra is an ordered set of terms; a term is a set of factors. With :math:`A, B` sets of terms and
:math:`a, b` terms,

.. math::

    A{:}B = \{a \cup b\}, \quad A * B = A \cup B \cup A{:}B, \quad A/B = A \cup \{(\cup A) \cup b\}, \quad
    A^k = A * \cdots * A.

``1`` and ``0`` are not terms: they switch the intercept on and off, the last one counts.

References
----------
Wilkinson, G. N., Rogers, C. E. (1973). Symbolic description of factorial models for analysis of variance. Applied
Statistics 22, 392-399. Chambers, J. M., Hastie, T. J. (1992). Statistical Models in S, section 2.3.
"""

from dataclasses import dataclass, replace

from bayesglmm.errors import FormulaError
from bayesglmm.spec.terms import GroupTerm, Part, Term

MAX_TERMS = 1000
MAX_PAIRS = 20_000
MAX_POWER = 9


@dataclass(frozen=True, slots=True)
class Sum:
    """A partial result: what a stretch of a right-hand side stands for.

    Attributes
    ----------
    terms
        Distinct terms in the order of their first appearance.
    intercept
        True after ``1``, False after ``0`` or ``- 1``, None when nothing was said.
    groups
        Group terms.
    offsets
        Expressions of offsets.
    dot
        Whether ``.`` is in.
    without
        Columns that ``.`` shall not add.
    """

    terms: tuple[Term, ...] = ()
    intercept: bool | None = None
    groups: tuple[GroupTerm, ...] = ()
    offsets: tuple[str, ...] = ()
    dot: bool = False
    without: tuple[str, ...] = ()

    @property
    def pure(self) -> bool:
        """Whether there are terms and nothing that only a sum can hold."""
        return bool(self.terms) and not (self.groups or self.offsets or self.dot)


def term_key(term: Term) -> frozenset[str]:
    """Return what makes two terms the same: ``a:b`` is ``b:a``."""
    return frozenset(term.factors)


def single(factor: str) -> Sum:
    """Return the sum of one main effect."""
    return Sum(terms=(Term((factor,)),))


def add(left: Sum, right: Sum) -> Sum:
    """``left + right``: the union, in order of first appearance."""
    terms = _distinct(left.terms + right.terms)
    present = {t.name for t in terms}
    return Sum(
        terms=terms,
        intercept=left.intercept if right.intercept is None else right.intercept,
        groups=left.groups + right.groups,
        offsets=left.offsets + right.offsets,
        dot=left.dot or right.dot,
        without=tuple(w for w in dict.fromkeys(left.without + right.without) if w not in present),
    )


def remove(left: Sum, right: Sum) -> Sum:
    """``left - right``: the terms of ``right`` leave; removing ``1`` takes the intercept out, removing ``0`` puts it in."""
    gone = {term_key(t) for t in right.terms}
    never = tuple(t.name for t in right.terms if len(t.factors) == 1) if left.dot else ()
    return replace(
        left,
        terms=tuple(t for t in left.terms if term_key(t) not in gone),
        intercept=left.intercept if right.intercept is None else not right.intercept,
        without=tuple(dict.fromkeys(left.without + never)),
    )


def interact(left: Sum, right: Sum) -> Sum:
    """``left:right``, which is also ``left %in% right`` for one term on the right."""
    _check_size(len(left.terms) * len(right.terms))
    return _merged(left, right, tuple(_join(a, b) for a in left.terms for b in right.terms))


def cross(left: Sum, right: Sum) -> Sum:
    """``left * right``: both and their interactions."""
    return _merged(left, right, left.terms + right.terms + interact(left, right).terms)


def within(left: Sum, right: Sum) -> Sum:
    """``left %in% right``: every term of ``left`` joined with all factors of ``right``."""
    return _merged(left, right, tuple(_join(a, _all_factors(right)) for a in left.terms))


def nest(left: Sum, right: Sum) -> Sum:
    """``left / right``: ``left``, and ``right`` inside all factors of ``left``."""
    outer = _all_factors(left)
    return _merged(left, right, left.terms + tuple(_join(outer, b) for b in right.terms))


def power(base: Sum, exponent: int) -> Sum:
    """Return ``base ^ exponent``: all interactions of up to ``exponent`` terms."""
    result = base
    for _ in range(exponent - 1):
        result = cross(result, base)
    return result


def part(total: Sum, *, intercept: bool = True) -> Part:
    """Finish a sum: fixed effects, or effects of a group term; terms in the order of :func:`ordered`.

    Parameters
    ----------
    total
        The evaluated sum.
    intercept
        What holds when the formula does not say.
    """
    return Part(intercept if total.intercept is None else total.intercept, ordered(total.terms))


def ordered(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Terms by number of factors, then as written; within a term, factors that are main effects stand in the order of these.

    As in R, the model ``a + b + b:a`` has the term ``a:b``. Factors without a main effect keep their place, so that the text of
    a model parses back to the same terms.
    """
    by_degree = sorted(_distinct(terms), key=lambda t: len(t.factors))
    rank = {t.name: i for i, t in enumerate(by_degree) if len(t.factors) == 1}
    return tuple(_by_rank(t, rank) for t in by_degree)


def _by_rank(term: Term, rank: dict[str, int]) -> Term:
    """Return the term with its ranked factors sorted among the places that they take."""
    ranked = iter(sorted((f for f in term.factors if f in rank), key=rank.__getitem__))
    return Term(tuple(next(ranked) if f in rank else f for f in term.factors))


def _merged(left: Sum, right: Sum, terms: tuple[Term, ...]) -> Sum:
    """Return the sum of new terms, with the intercept that either side asked for."""
    distinct = _distinct(terms)
    _check_size(len(distinct), MAX_TERMS)
    return Sum(terms=distinct, intercept=left.intercept if right.intercept is None else right.intercept)


def _distinct(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Each term once, in its first spelling."""
    first: dict[frozenset[str], Term] = {}
    for term in terms:
        first.setdefault(term_key(term), term)
    return tuple(first.values())


def _join(left: Term, right: Term) -> Term:
    """Interaction of two terms: the union of their factors."""
    return Term(tuple(dict.fromkeys(left.factors + right.factors)))


def _all_factors(value: Sum) -> Term:
    """One term with every factor of a sum."""
    return Term(tuple(dict.fromkeys(f for t in value.terms for f in t.factors)))


def _check_size(size: int, most: int = MAX_PAIRS) -> None:
    """Refuse expansions that no model wants and no machine likes."""
    if size > most:
        raise FormulaError(
            f"the formula expands to {size} terms or more, {most} are allowed", fix="write the interactions you mean one by one"
        )
