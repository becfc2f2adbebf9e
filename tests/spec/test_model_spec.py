"""A spec is a finished, hashable record whose formula parses back to it."""

import pytest
from hypothesis import given, settings

from bayesglmm.errors import ArgumentError, FormulaError, PriorError
from bayesglmm.spec.formula import parse_formula
from bayesglmm.spec.model_spec import expand_spec, make_spec
from bayesglmm.spec.priors import LKJ, HalfNormal, Normal
from tests.spec.strategies import formulas

NAMES = {"family": "bernoulli", "link": "logit"}


def test_everything_that_was_asked():
    spec = make_spec(
        "low ~ obstime * drug + f(age) + (obstime | patient)",
        **NAMES,
        priors={"sd[patient]": HalfNormal(2), "b": Normal(0, 2.5), "cor": LKJ(2)},
        center=False,
        contrasts={"sex": "sum", "drug": "helmert"},
        functions={"g": None, "f": None},
        weights="w^2",
        offset="log(n)",
    )
    assert spec.formula == "low | weights(w ** 2) ~ 1 + obstime + drug + f(age) + obstime:drug + (1 + obstime | patient) + offset(log(n))"
    assert spec.columns == ("low", "w", "obstime", "drug", "age", "patient", "n")
    assert spec.priors == (("b", Normal(0, 2.5)), ("cor", LKJ(2)), ("sd[patient]", HalfNormal(2)))
    assert spec.contrasts == (("drug", "helmert"), ("sex", "sum"))
    assert spec.functions == ("f",)
    assert spec.center is False
    assert str(spec).splitlines() == [
        f"formula    {spec.formula}",
        "family     bernoulli (logit link)",
        "prior      b ~ Normal(0, 2.5)",
        "prior      cor ~ LKJ(2)",
        "prior      sd[patient] ~ HalfNormal(2)",
        "contrasts  drug: helmert",
        "contrasts  sex: sum",
        "functions  f",
        "center     no: the intercept's prior refers to covariates at zero",
    ]
    with pytest.raises(AttributeError):
        spec.family = "poisson"


@given(formulas())
@settings(max_examples=150, deadline=None)
def test_formula_parses_back(text):
    try:
        spec = make_spec(text, **NAMES)
    except FormulaError:
        return
    assert parse_formula(spec.formula) == spec.parsed
    again = make_spec(spec.formula, **NAMES)
    assert again == spec
    assert len({spec, again}) == 1


def test_spellings_of_one_model_are_one_spec():
    one = make_spec("y ~ a*b + (1 | g/h)", **NAMES, priors={"b[a:b]": Normal()})
    other = make_spec("y ~ 1 + a + b + a:b + a + (1|g) + (1|g:h)", **NAMES, priors={" b[ a:b ] ": Normal(0, 1)})
    assert one == other
    assert hash(one) == hash(other)


def test_dot_is_expanded_with_the_columns():
    spec = make_spec("y ~ . - z + (1 | g)", **NAMES)
    assert spec.dot
    assert spec.without == ("z",)
    expanded = expand_spec(spec, ["y", "x", "z", "g", "my col"])
    assert expanded.formula == "y ~ 1 + x + `my col` + (1 | g)"
    assert expanded == make_spec("y ~ x + `my col` + (1 | g)", **NAMES)


@pytest.mark.parametrize(
    ("formula", "options", "error", "message"),
    [
        ("~ x", {}, FormulaError, "no response"),
        ("y | weights(w) ~ x", {"weights": "v"}, FormulaError, "weights are given twice"),
        ("y ~ x + offset(log(n))", {"offset": "log( n )"}, FormulaError, "offset is given twice"),
        ("y ~ x", {"weights": "scale(w)"}, FormulaError, "cannot be used here"),
        ("y ~ x", {"priors": {"b[q]": 3}}, PriorError, "no prior"),
        ("y ~ x", {"center": 1}, ArgumentError, "True or False"),
        ("y ~ x", {"contrasts": {"x": "summ"}}, ArgumentError, "did you mean 'sum'"),
        ("y ~ x", {"contrasts": {"a\\b": "sum"}}, FormulaError, "back-quoted name"),
        ("y ~ x", {"prior": {}}, ArgumentError, "did you mean 'priors'"),
        ("y ~ x", {"family": "os.system('x')"}, ArgumentError, "no name"),
        ("y ~ x", {"link": None}, ArgumentError, "no name"),
        ("y ~ x", {"functions": ["log"]}, FormulaError, "cannot be called"),
        ("y ~ x", {"priors": [HalfNormal(2)]}, ArgumentError, "priors= takes a mapping, not list"),
        ("y ~ x", {"contrasts": ["x"]}, ArgumentError, "contrasts= takes a mapping, not list"),
        ("y ~ x", {"weights": [1.0, 2.0]}, ArgumentError, "weights= takes the name of a column or an expression, not list"),
        ("y ~ x", {"offset": 2}, ArgumentError, "offset= takes the name of a column or an expression, not int"),
    ],
)
def test_refusals(formula, options, error, message):
    with pytest.raises(error, match=message):
        make_spec(formula, **{**NAMES, **options})
