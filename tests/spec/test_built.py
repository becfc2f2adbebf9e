"""What the grammar knows and this version does not compute is refused by name, and what it suggests instead is built."""

import re

import pytest

from bayesglmm.errors import NotBuiltError
from bayesglmm.spec.formula import check_built, parse_formula
from bayesglmm.spec.vocabulary import OUT_OF_SCOPE

NOT_BUILT = {
    "(x | p | g)": ("'p'", "(1 + x | g)"),
    "cs(x | g)": ("cs()", "(1 + x || g)"),
    "ar1(0 + t | g)": ("ar1()", "(0 + t | g)"),
    "(1 | g, by=arm)": ("by=", "(1 | g)"),
    "x:log(lag(z, by=id, time=t))": ("lag()", "table"),
    "cumulative(z, by=id, time=t)": ("cumulative()", "table"),
    "(locf(z) | g)": ("locf()", "table"),
}


@pytest.mark.parametrize(("text", "expected"), NOT_BUILT.items())
def test_what_is_not_built_is_refused_by_name(text, expected):
    parsed = parse_formula(f"y ~ {text}")
    with pytest.raises(NotBuiltError) as caught:
        check_built(parsed)
    assert expected[0] in caught.value.what
    assert expected[1] in (caught.value.fix or "")


@pytest.mark.parametrize("text", ["x", "(x | g)", "(x || g/h)", "(1 | g) + (0 + x | g)", "ns(x, 2)*C(z) + offset(log(n))", "."])
def test_what_is_built_passes(text):
    check_built(parse_formula(f"y ~ {text}"))


@pytest.mark.parametrize("form", sorted(set(re.findall(r"\([^()]*\|[^()]*\)", " ".join(closest for _, closest in OUT_OF_SCOPE.values())))))
def test_group_terms_that_stand_in_for_what_is_out_of_scope_are_built(form):
    check_built(parse_formula(f"y ~ {form}"))
