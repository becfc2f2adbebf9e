"""The algebra against formulaic's, an independent implementation, on random expressions of names.

Without ``%in%``: R and we read ``b %in% a`` as ``a:b``, formulaic as ``a + a:b``.
"""

from formulaic import Formula
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bayesglmm.errors import FormulaError
from bayesglmm.spec.formula import parse_formula

LETTERS = st.sampled_from("abcde")


def _operation(inner):
    binary = st.tuples(inner, st.sampled_from(["+", "-", "*", ":", "/"]), inner).map(lambda t: f"({''.join(t)})")
    return st.one_of(binary, st.tuples(inner, inner).map(lambda t: f"(({t[0]} + {t[1]} + q)^2)"))


EXPRESSIONS = st.recursive(LETTERS, _operation, max_leaves=6)
UNBRACKETED = st.lists(st.tuples(LETTERS, st.sampled_from([" + ", " - ", "*", ":", "/"])), min_size=1, max_size=6).map(
    lambda items: "".join(a + b for a, b in items) + "f"
)


def _sets(terms) -> set[frozenset[str]]:
    return {frozenset(str(f) for f in term.factors) for term in terms} - {frozenset({"1"})}


@given(st.one_of(EXPRESSIONS, UNBRACKETED))
@settings(max_examples=400, deadline=None)
def test_sets_of_terms(text):
    try:
        ours = parse_formula(f"~ {text} + r").fixed
    except FormulaError as error:
        assume("nothing is left" not in error.what and "not its square" not in error.what)  # an operand without terms, or with one
        raise
    theirs = Formula(f"{text} + r")
    assert _sets(ours.terms) == _sets(theirs)
    assert len(ours.terms) == len(_sets(ours.terms))
    degrees = [len(t.factors) for t in ours.terms]
    assert degrees == sorted(degrees)
