"""The grammar: what each form means, what is refused and how, and that text and records are two forms of one thing."""

import pytest
from hypothesis import given, settings

from bayesglmm.errors import FormulaError
from bayesglmm.spec.formula import expand_dot, parse_formula, parse_term
from bayesglmm.spec.gate import column_name, functions_in, names_in, quote, rename_columns
from bayesglmm.spec.terms import GroupTerm, Part, Response, Term
from tests.spec.strategies import formulas


def right(text: str) -> str:
    return parse_formula(f"y ~ {text}").fixed.text


# Term sets by the definitions of Wilkinson and Rogers (1973), ordered by number of factors and then as written.
ALGEBRA = {
    "1": "1",
    "0": "0",
    "-1": "0",
    "x": "1 + x",
    "0 + x": "0 + x",
    "x + 0": "0 + x",
    "x - 1": "0 + x",
    "-1 + x": "0 + x",
    "x - 1 + 1": "1 + x",
    "x + -1": "0 + x",
    "x - 0": "1 + x",
    "1 + x - 1 + x": "0 + x",
    "+x": "1 + x",
    "a + b": "1 + a + b",
    "a + a": "1 + a",
    "a:b + b:a": "1 + a:b",
    "a:a": "1 + a",
    "a*b": "1 + a + b + a:b",
    "a*a": "1 + a",
    "a*b*c": "1 + a + b + c + a:b + a:c + b:c + a:b:c",
    "a:b + a": "1 + a + a:b",
    "a + b + b:a": "1 + a + b + a:b",
    "x + z:x": "1 + x + z:x",
    "z:x": "1 + z:x",
    "c:b:a + a*b": "1 + a + b + a:b + c:a:b",
    "(a + b)^2": "1 + a + b + a:b",
    "(a + b)**2": "1 + a + b + a:b",
    "(a + b + c)^2": "1 + a + b + c + a:b + a:c + b:c",
    "(a + b + c)^3": "1 + a + b + c + a:b + a:c + b:c + a:b:c",
    "(a + b)^1": "1 + a + b",
    "(a*b)^2": "1 + a + b + a:b",
    "a/b": "1 + a + a:b",
    "a/b/c": "1 + a + a:b + a:b:c",
    "(a + b)/c": "1 + a + b + a:b:c",
    "a/(b + c)": "1 + a + a:b + a:c",
    "a/(b*c)": "1 + a + a:b + a:c + a:b:c",
    "a %in% b": "1 + a:b",
    "(a + b) %in% c": "1 + a:c + b:c",
    "a %in% (b + c)": "1 + a:b:c",
    "a + b %in% a": "1 + a + b:a",
    "a*b - a:b": "1 + a + b",
    "a*b - a": "1 + b + a:b",
    "a*b*c - a:b:c": "1 + a + b + c + a:b + a:c + b:c",
    "(a + b + c)^2 - a:b": "1 + a + b + c + a:c + b:c",
    "a*b - b:a": "1 + a + b",
    "a - b": "1 + a",
    "a - (b + a)": "1",
    "a + b - (a - b)": "1 + b",
    "(a + b):c": "1 + a:c + b:c",
    "(a + b):(c + d)": "1 + a:c + a:d + b:c + b:d",
    "(0 + a)*b": "0 + a + b + a:b",
    "a:b*c": "1 + c + a:b + a:b:c",
    "a*b:c": "1 + a + b:c + a:b:c",
    "a %in% b*c": "1 + c + a:b + a:b:c",
    "((a))": "1 + a",
    "a\n + b": "1 + a + b",
    "`my col`*x": "1 + `my col` + x + `my col`:x",
    "`x`": "1 + x",
    "`class`": "1 + `class`",
    "`_x`": "1 + `_x`",
    "`it's 5%`": "1 + `it's 5%`",
    "log": "1 + log",
    "größe": "1 + größe",
    "`ﬁle`": "1 + `ﬁle`",
    "I(x^2)": "1 + I(x ** 2)",
    "I(x^2) + I(x ** 2)": "1 + I(x ** 2)",
    "I(-x^2)": "1 + I(-x ** 2)",
    "I((x+1)/z)": "1 + I((x + 1) / z)",
    "log(x^2 + 1)": "1 + log(x ** 2 + 1)",
    "scale(log(x)):z": "1 + scale(log(x)):z",
    'C(x, "sum")': "1 + C(x, 'sum')",
    "C(x,'treatment','B')": "1 + C(x, 'treatment', 'B')",
    'C(x, "treatment", "Don\'t know")': "1 + C(x, 'treatment', \"Don't know\")",
    "C(x, 'treatment', 2)": "1 + C(x, 'treatment', 2)",
    "ns(year,2)*sex": "1 + ns(year, 2) + sex + ns(year, 2):sex",
    "bs(x, df=4, knots=[1,-2.5])": "1 + bs(x, df=4, knots=[1, -2.5])",
    "poly(x, 2, raw=True)": "1 + poly(x, 2, raw=True)",
    "I(x * 1e-3 + .5 + 1.)": "1 + I(x * 0.001 + 0.5 + 1.0)",
    "I(x / 10^3)": "1 + I(x / 10 ** 3)",
}


@pytest.mark.parametrize(("text", "expected"), ALGEBRA.items())
def test_algebra(text, expected):
    assert right(text) == expected
    assert right(expected) == expected


@pytest.mark.parametrize(("text", "expected"), [(t, e) for t, e in ALGEBRA.items() if e != "0"])
def test_effects_of_group_terms_have_the_same_algebra(text, expected):
    (group,) = parse_formula(f"y ~ ({text} | g)").groups
    assert group.effects.text == expected


GROUPS = {
    "(1 | g)": ["(1 | g)"],
    "(x | g)": ["(1 + x | g)"],
    "(x || g)": ["(1 + x || g)"],
    "(0 + x | g)": ["(0 + x | g)"],
    "(-1 + x | g)": ["(0 + x | g)"],
    "(x*z | g)": ["(1 + x + z + x:z | g)"],
    "(1 | g/h)": ["(1 | g)", "(1 | g:h)"],
    "(x | g/h/k)": ["(1 + x | g)", "(1 + x | g:h)", "(1 + x | g:h:k)"],
    "(1 | g:h/k)": ["(1 | g:h)", "(1 | g:h:k)"],
    "(1 | g:h)": ["(1 | g:h)"],
    "(1 | `my group`)": ["(1 | `my group`)"],
    "(1 | g) + (0 + x | g)": ["(1 | g)", "(0 + x | g)"],
    "(1 | h) + (1 | g)": ["(1 | h)", "(1 | g)"],
    "(1 | g) + (1 | g:h)": ["(1 | g)", "(1 | g:h)"],
    "us(x | g)": ["(1 + x | g)"],
    "diag(x | g)": ["(1 + x || g)"],
    "diag(x || g)": ["(1 + x || g)"],
    "cs(x | g)": ["cs(1 + x | g)"],
    "covcs(x | g)": ["cs(1 + x | g)"],
    "ar1(0 + t | g)": ["ar1(0 + t | g)"],
    "(x | p | g)": ["(1 + x | p | g)"],
    "(1 | g, by=arm)": ["(1 | g, by=arm)"],
    "(1 | p | g/h, by = `my arm`)": ["(1 | p | g, by=`my arm`)", "(1 | p | g:h, by=`my arm`)"],
    "x + (z + (1 | g))": ["(1 | g)"],
}


@pytest.mark.parametrize(("text", "expected"), GROUPS.items())
def test_group_terms(text, expected):
    parsed = parse_formula(f"y ~ {text}")
    assert [g.text for g in parsed.groups] == expected
    assert parse_formula(f"y ~ {' + '.join(expected)}").groups == parsed.groups


def test_shared_id_keeps_effects_and_id():
    (group,) = parse_formula("y ~ (x | p | g)").groups
    assert group == GroupTerm(("g",), Part(True, (Term(("x",)),)), "us", "p", None)


RESPONSES = {
    "y": Response("y"),
    "`my y`": Response("`my y`"),
    "log(y)": Response("log(y)"),
    "y/2": Response("y / 2"),
    "sqrt(y^2 + 1)": Response("sqrt(y ** 2 + 1)"),
    "k | trials(n)": Response("k", trials="n"),
    "k|trials(10)": Response("k", trials="10"),
    "prop(k, n)": Response("k", trials="n"),
    "cbind(k, n - k)": Response("k", failures="n - k"),
    "y | se(s)": Response("y", se="s"),
    "y | weights(w)": Response("y", weights="w"),
    "y | weights(w) + se(s^2)": Response("y", se="s ** 2", weights="w"),
    "cbind(k, f) | weights(w)": Response("k", failures="f", weights="w"),
    "prop(k, n) | weights(w)": Response("k", trials="n", weights="w"),
}


@pytest.mark.parametrize(("text", "expected"), RESPONSES.items())
def test_responses(text, expected):
    parsed = parse_formula(f"{text} ~ x")
    assert parsed.response == expected
    assert parse_formula(parsed.text) == parsed


def test_one_sided_formulas_have_no_response():
    parsed = parse_formula("~ x + (1 | g)")
    assert parsed.response is None
    assert parse_formula(parsed.text) == parsed


def test_offsets_and_columns():
    parsed = parse_formula(
        "k | trials(n) + weights(w) ~ a*log(`b c`) + lag(d, by=e, time=t) + (x | g/h, by=arm) + offset(log(u)) + offset(v)"
    )
    assert parsed.offsets == ("log(u)", "v")
    assert parsed.columns == ("k", "n", "w", "a", "b c", "d", "e", "t", "x", "g", "arm", "h", "u", "v")
    assert parsed.called == {"log", "lag"}


def test_dot():
    columns = ["y", "n", "x", "z", "g", "h", "w", "my col", "arm"]
    parsed = parse_formula("y | weights(w) ~ x:z + log(x) + . - h + (z | g, by=arm) + offset(n)")
    assert parsed.dot
    assert parsed.without == ("h",)
    expanded = expand_dot(parsed, columns)
    assert expanded.fixed.text == "1 + log(x) + x + z + `my col` + x:z"
    assert (expanded.dot, expanded.without) == (False, ())
    assert expand_dot(expanded, columns) == expanded
    assert expand_dot(parse_formula("y ~ . - h - 1"), ["y", "h", "g"]).fixed.text == "0 + g"
    assert expand_dot(parse_formula("y ~ . - h + h"), ["y", "h", "g"]).fixed.text == "1 + h + g"
    assert expand_dot(parse_formula("y ~ h + (. - h)"), ["y", "h", "g"]).fixed.text == "1 + h + g"
    for text in ("y ~ . - h + h", "y ~ h + (. - h)", "y ~ . - h", "y ~ h + . - h"):
        assert parse_formula(parse_formula(text).text) == parse_formula(text)
    with pytest.raises(FormulaError, match="rename the column"):
        expand_dot(parse_formula("y ~ ."), ["y", "a\\b"])


@given(formulas())
@settings(max_examples=400, deadline=None)
def test_text_and_records_are_two_forms_of_one_thing(text):
    try:
        parsed = parse_formula(text)
    except FormulaError as error:
        assert any(s in error.what for s in ("no effects", "plain numbers", "nothing is left")), error  # noqa: PT017
        return
    again = parse_formula(parsed.text)
    assert again == parsed
    assert again.text == parsed.text
    assert hash(again) == hash(parsed)


# Refused texts: the position of the caret, a piece of the message, and a piece of the closest supported form.
REFUSED = {
    "y": (2, "'~'", "y ~ x"),
    "": (1, "'~'", "y ~ x"),
    "y ~": (4, "nothing stands after", "y ~ 1"),
    "y ~ x ~ z": (7, "one '~'", "(x | g)"),
    "y ~ x +": (8, "term is missing", "y ~ x"),
    "y ~ x z": (7, "cannot stand here", "+ - : * ^ / %in%"),
    "y ~ x | g": (7, "cannot stand here", "(x | g)"),
    "y ~ x || g": (7, "cannot stand here", "(x || g)"),
    "y ~ 1 | g": (7, "cannot stand here", "(x | g)"),
    "y ~ (1 | g": (5, "never closed", "balance"),
    "y ~ 1 | g)": (10, "closes nothing", "balance"),
    "y ~ (1 | g]": (11, "closes nothing", "balance"),
    "y ~ ()": (5, "empty", "(1 | g)"),
    "y ~ (| g)": (6, "no effects", "(1 | g)"),
    "y ~ (0 | g)": (6, "no effects", "(1 | g)"),
    "y ~ (x |)": (9, "no grouping factor", "(1 | g)"),
    "y ~ (x | p | q | g)": (16, "two bars", "(x | id | g)"),
    "y ~ (x || p | g)": (13, "independent", "(x || g)"),
    "y ~ (x | p || g)": (12, "independent", "(x || g)"),
    "y ~ (x | p + q | g)": (10, "id", "(x | id | g)"),
    "y ~ (x | | g)": (10, "id", "(x | id | g)"),
    "y ~ (1 | g + h)": (12, "grouping factor is made of", "(1 | g) + (1 | h)"),
    "y ~ (1 | g*h)": (11, "grouping factor is made of", "(1 | g:h)"),
    "y ~ (1 | log(g))": (10, "cannot make a grouping factor", "(1 | g)"),
    "y ~ (1 | g:)": (10, "column is missing", "(1 | g:h)"),
    "y ~ (1 | g:g)": (10, "twice", "(1 | g)"),
    "y ~ (1 | g/g:h)": (10, "twice", "(1 | g/h)"),
    "y ~ (1 | 1)": (10, "column is expected", "(1 | g)"),
    "y ~ (1 | class)": (10, "column is expected", "back-quotes"),
    "y ~ (1 | g.h)": (11, "grouping factor is made of", "back-quotes"),
    "y ~ (1 | g, cov=x)": (13, "by=", "(1 | g, by=arm)"),
    "y ~ (1 | g, by=a, by=b)": (13, "by=", "(1 | g, by=arm)"),
    "y ~ (1 | g, by=a:b)": (17, "one column", "(1 | g, by=arm)"),
    "y ~ (1 | g, )": (13, "by=", "(1 | g, by=arm)"),
    "y ~ ((1 | h) | g)": (6, "effects of a group term", "offset"),
    "y ~ (offset(x) | g)": (6, "effects of a group term", "offset"),
    "y ~ (. | g)": (6, "effects of a group term", "offset"),
    "y ~ x*(1 | g)": (7, "joins terms", "name the columns"),
    "y ~ x:.": (7, "joins terms", "name the columns"),
    "y ~ (.)^2": (5, "joins terms", "name the columns"),
    "y ~ 1:x": (5, "joins terms", "I(2 * x)"),
    "y ~ x - (1 | g)": (9, "cannot be taken away", "leave"),
    "y ~ x - .": (9, "cannot be taken away", "leave"),
    "y ~ dag(x | g)": (5, "no covariance", "did you mean 'diag'"),
    "y ~ us(x || g)": (5, "independent", "us(x | g)"),
    "y ~ x^2": (6, "not its square", "I(x^2)"),
    "y ~ (a + b)^0": (13, "whole number", "(a + b)^2"),
    "y ~ (a + b)^c": (13, "whole number", "(a + b)^2"),
    "y ~ (a + b)^2^2": (14, "stacked", "(a + b)^2"),
    "y ~ 2*x": (5, "1 and 0", "I(2 * x)"),
    "y ~ x + 5": (9, "1 and 0", "offset"),
    "y ~ Intercept + x": (5, "intercept is written 1", "0 + x"),
    "y ~ total.fruits": (10, "attributes", "`total.fruits`"),
    "y ~ .x": (5, "begins with a dot", "back-quotes"),
    "y ~ class": (5, "reserved", "`class`"),
    "y ~ _x": (5, "underscore", "back-quotes"),
    "y ~ 'x'": (5, "string is no term", "`my column`"),
    "y ~ 1st": (6, "not a number", "back-quotes"),
    "y ~ x, z": (6, "cannot stand here", "'+'"),
    "y ~ x = z": (7, "cannot stand here", "arguments"),
    "y ~ x %% z": (7, "no meaning", "%in%"),
    "y ~ x & z": (7, "no meaning", "a:b"),
    "y ~ d$x": (6, "no meaning", "name alone"),
    "y ~ {x + z}": (5, "no meaning", "I(x + z)"),
    "y ~ lgo(x)": (5, "not listed", "did you mean log()"),
    "y ~ factor(x)": (5, "cannot be called", "C(x)"),
    "y ~ cs(x)": (5, "cannot be called", "cs(x | g)"),
    "y ~ I(offset(x))": (7, "cannot be called", "offset(log(n))"),
    "y ~ trials(n)": (5, "cannot be called", "k | trials(n)"),
    "y ~ log(x, 2)": (5, "1 argument", "log(x)"),
    "y ~ log()": (5, "1 argument", "log(x)"),
    "y ~ poly(x, dgree=2)": (13, "no argument 'dgree'", "did you mean 'degree'"),
    "y ~ poly(x, 2, raw=TRUE)": (20, "raw=", "True"),
    "y ~ C(x, 'summ')": (10, "contrast", "did you mean 'sum'"),
    "y ~ log(x):I(C(z))": (14, "makes columns", "C(x)"),
    "y ~ I(x > 3)": (9, "cannot stand inside", "column of its own"),
    "y ~ s(x)": (5, "out of scope", "ns(x, 4)"),
    "y ~ t2(x, z)": (5, "out of scope", "ns(x, 3)"),
    "y ~ mo(x)": (5, "out of scope", "C(x)"),
    "y ~ rr(x | g)": (5, "out of scope", "(x || g)"),
    "y ~ (1 | mm(a, b))": (10, "out of scope", "(1 | g)"),
    "y ~ (1 | gr(g, by=a))": (10, "out of scope", "(0 + arm || g)"),
    "y | cens(c) ~ x": (5, "out of scope", "weights(w)"),
    "y | trunc(lb=0) ~ x": (5, "out of scope", "weights(w)"),
    "cens(y) ~ x": (1, "out of scope", "weights(w)"),
    "y | ~ x": (3, "after the bar", "trials(n)"),
    "| trials(n) ~ x": (1, "no response", "k | trials(n)"),
    "y | trails(n) ~ x": (5, "not known", "did you mean 'trials'"),
    "y | se ~ x": (5, "after the bar", "se(s)"),
    "y | se(s, sigma=True) ~ x": (5, "one argument", "se(s)"),
    "y | se(s) + se(t) ~ x": (13, "twice", "se(s)"),
    "y | se(s) | weights(w) ~ x": (13, "one bar", "y | se(s) + weights(w)"),
    "prop(k, n) | trials(n) ~ x": (1, "given twice", "trials(n)"),
    "cbind(k, n) | trials(n) ~ x": (1, "given twice", "trials(n)"),
    "cbind(a, b, c) ~ x": (1, "two arguments", "cbind(successes, failures)"),
    "prop(k) ~ x": (1, "two arguments", "prop(successes, trials)"),
    "prop(k, n) / 2 ~ x": (1, "cannot be called", "prop(k, n)"),
    "trials(n) ~ x": (1, "after a bar", "y | trials(n)"),
    "1 ~ x": (1, "no column", "y"),
    ". ~ x": (1, "inside an expression", "back-quotes"),
    "scale(y) ~ x": (1, "cannot be used here", "log"),
    "y > 2 ~ x": (3, "inside an expression", "column of its own"),
    "y ~ x + offset(ns(t, 2))": (16, "cannot be used here", "log"),
    "y ~ x + offset()": (1, "empty", "column"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.items())
def test_refusals_point_and_help(text, expected):
    position, what, fix = expected
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert what in caught.value.what
    assert fix in (caught.value.fix or "")
    where = (caught.value.where or "").splitlines()
    assert where[0] == f"character {position}"
    assert where[2].index("^") - 4 == position - 1


@pytest.mark.parametrize(
    ("text", "effect", "factor"),
    [
        ("(1 | g) + (x | g)", "1", "g"),
        ("(x | g) + (0 + x || g)", "x", "g"),
        ("(1 | g/h) + (1 | g)", "1", "g"),
        ("(1 | g:h) + (1 | h:g)", "1", "h:g"),
        ("(0 + x:z | g) + (0 + z:x | g)", "z:x", "g"),
        ("(1 | g) + (1 | p | g)", "1", "g"),
    ],
)
def test_an_effect_of_a_factor_stands_once(text, effect, factor):
    with pytest.raises(FormulaError, match=rf"the effect {effect} of the factor {factor} stands in two group terms"):
        parse_formula(f"y ~ {text}")


def test_the_same_offset_stands_once():
    with pytest.raises(FormulaError, match="the same offset"):
        parse_formula("y ~ offset(log(n)) + offset(log( n ))")


def test_terms_alone():
    assert parse_term("x:I(z^2)") == Term(("x", "I(z ** 2)"))
    assert parse_term("f(x)", functions={"f": None}) == Term(("f(x)",))
    for text in ("x + z", "1", "0", "(1 | g)", "offset(x)", ".", "x*z", "1 + x", ""):
        with pytest.raises(FormulaError):
            parse_term(text)


def test_users_functions():
    parsed = parse_formula("y ~ f(x, 2):z + (f(x) | g)", functions=["f"])
    assert parsed.called == {"f"}
    assert parsed.columns == ("y", "x", "z", "g")
    assert parse_formula(parsed.text, functions=["f"]) == parsed
    with pytest.raises(FormulaError, match=r"f\(\) is not listed"):
        parse_formula(parsed.text)


def test_names():
    assert names_in("log(`b c` + a) / a ** k") == ("b c", "a", "k")
    assert functions_in("log(exp(x)) + log(z)") == ("log", "exp")
    assert rename_columns("I(`os.x` + log(z))", {"os.x": "c0", "z": "c1"}) == "I(c0 + log(c1))"
    assert [quote(n) for n in ("x", "my col", "class", "_x", "ﬁle")] == ["x", "`my col`", "`class`", "`_x`", "`ﬁle`"]
    assert [column_name(t) for t in ("x", "`my col`", "log(x)", "2", "x + 1")] == ["x", "my col", None, None, None]


def test_deepest_brackets_still_parse():
    assert right("(" * 25 + "x" + ")" * 25) == "1 + x"
    assert right("log(" * 24 + "x" + ")" * 24).count("log") == 24
    with pytest.raises(FormulaError, match="nested deeper than 25"):
        right("(" * 26 + "x" + ")" * 26)
