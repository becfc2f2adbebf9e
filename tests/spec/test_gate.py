"""What passes the gate comes out canonical and passes again unchanged; comparisons pass where columns are derived."""

import ast

import pytest
from hypothesis import given, settings

from bayesglmm.errors import FormulaError
from bayesglmm.spec.gate import TRANSFORMS, check_expression, expression_tree, names_in
from tests.spec.strategies import transforms, values

CANONICAL = {
    "x": "x",
    " x ": "x",
    "`x`": "x",
    "n-k": "n - k",
    "(2*period-5)/10": "(2 * period - 5) / 10",
    "x^2^y": "x ** 2 ** y",
    "(x^2)^y": "(x ** 2) ** y",
    "-x^2": "-x ** 2",
    "(-x)^2": "(-x) ** 2",
    "x^-1": "x ** (-1)",
    "2^x": "2 ** x",
    "10^3*x": "10 ** 3 * x",
    "x - -1": "x - -1",
    "1.50*x": "1.5 * x",
    "1E3*x": "1000.0 * x",
    "007*x": "7 * x",
    "log( `a b`+1 )": "log(`a b` + 1)",
    "bs(x,df=5,degree=2)": "bs(x, df=5, degree=2)",
    "ns(x, knots=[1,2.50])": "ns(x, knots=[1, 2.5])",
    "cumulative(x, by=`my id`, time=t)": "cumulative(x, by=`my id`, time=t)",
}


@pytest.mark.parametrize(("text", "expected"), CANONICAL.items())
def test_canonical_text(text, expected):
    assert check_expression(text) == expected
    assert check_expression(expected) == expected


@given(values)
@settings(max_examples=200, deadline=None)
def test_canonical_text_passes_again(text):
    once = check_expression(text, plain=True)
    assert check_expression(once, plain=True) == once
    assert names_in(once) == names_in(text)


@given(transforms)
@settings(max_examples=100, deadline=None)
def test_transforms_pass_again(text):
    once = check_expression(text)
    assert check_expression(once) == once
    assert ast.dump(expression_tree(once, plain=False)) == ast.dump(expression_tree(check_expression(once), plain=False))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_can_be_called(name):
    fewest, most, keywords = TRANSFORMS[name]
    assert (fewest, most >= fewest) == (1, True)
    assert check_expression(f"{name}(x)") == f"{name}(x)"
    with pytest.raises(FormulaError, match="by position"):
        check_expression(f"{name}()")
    with pytest.raises(FormulaError, match="by position"):
        check_expression(f"{name}(x{', 2' * most})")
    with pytest.raises(FormulaError, match="no argument 'nonsense'"):
        check_expression(f"{name}(x, nonsense=2)")
    for keyword in keywords:
        value = "z" if keyword in ("by", "time") else "2"
        assert check_expression(f"{name}(x, {keyword}={value})") == f"{name}(x, {keyword}={value})"


COMPARISONS = {
    "CD4<sqrt(150)": "CD4 < sqrt(150)",
    "use=='Y'": "use == 'Y'",
    '`my use` != "Don\'t know"': '`my use` != "Don\'t know"',
    "livch != 0": "livch != 0",
    "x>=1 and (y<2 or z==3)": "x >= 1 and (y < 2 or z == 3)",
    "(x > 1) * y": "(x > 1) * y",
    "not x": "not x",
}


@pytest.mark.parametrize(("text", "expected"), COMPARISONS.items())
def test_comparisons_where_allowed(text, expected):
    assert check_expression(text, allow_comparison=True, plain=True) == expected
    assert check_expression(expected, allow_comparison=True, plain=True) == expected
    with pytest.raises(FormulaError):
        check_expression(text)


@pytest.mark.parametrize(
    "text",
    [
        "1 < x < 2",
        "x < 'a'",
        "'a' == x",
        "log(x) == 'a'",
        "'a' == 'a'",
        "x == None",
        "x == True",
        "x is y",
        "x in y",
        "x not in y",
        "x == [1]",
        "x <> y",
        "x = y",
    ],
)
def test_comparisons_that_are_refused(text):
    with pytest.raises(FormulaError):
        check_expression(text, allow_comparison=True, plain=True)
    with pytest.raises(FormulaError):
        expression_tree(text)


def test_literals_are_arguments_of_the_functions_that_take_them():
    for text in ("ns(x, 3, knots=None)", "bs(x, include_intercept=True)", "poly(x, raw=False)", "bs(x, knots=[])", "bs(x, lower_bound=-1)"):
        assert check_expression(text) == text
    for text in (
        "scale(True)",
        "log(None)",
        "I([1])",
        "ns(x, 'a')",
        "ns(x, True)",
        "bs(x, knots=['a'])",
        "bs(x, knots=[True])",
        "bs(x, knots=z)",
    ):
        with pytest.raises(FormulaError):
            check_expression(text)
