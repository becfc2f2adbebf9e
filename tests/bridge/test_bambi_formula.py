"""What a Bambi model says in our words, and what is refused by its Bambi name."""

import numpy as np
import pytest
import xarray as xr

from bayesglmm.bridge.bambi import from_bambi
from bayesglmm.bridge.bambi_formula import read_model
from bayesglmm.errors import ArgumentError, FamilyError, NotBuiltError, QualityWarning
from tests.bridge.made_up import bambi_model, made_up_idata, table
from tests.tolerances import ALGEBRAIC


def test_a_reading_holds_terms_and_table():
    reading = read_model(bambi_model("y ~ x + arm + (x | g)"))
    assert (reading.formula, reading.family, reading.link) == ("y ~ 1 + x + arm + (1 + x || g)", "gaussian", "identity")
    assert [(t.name, t.variable, t.labels) for t in reading.fixed] == [
        ("Intercept", "Intercept", None),
        ("x", "x", None),
        ("arm", "arm", ("placebo",)),
    ]
    assert [(t.name, t.sd_variable, t.factor) for t in reading.groups] == [("1|g", "1|g_sigma", ("g",)), ("x|g", "x|g_sigma", ("g",))]
    assert list(reading.data["arm"].cat.categories) == ["active", "placebo"]  # Bambi sorts categories without an order


def test_columns_with_odd_names_are_quoted():
    data = table().rename(columns={"g": "the group", "x": "x-1"})
    reading = read_model(bambi_model("y ~ `x-1` + np.log(`time of day`) + (1 | `the group`)", data))
    assert reading.formula == "y ~ 1 + `x-1` + log(`time of day`) + (1 | `the group`)"


def prior(name, **numbers):
    import bambi

    return bambi.Prior(name, **numbers)


REFUSED = {
    "gaussian process": ("y ~ hsgp(x, m=5, c=2)", {}, NotBuiltError, r"'hsgp\(x, m=5, c=2\)' has no counterpart.*HSGPTerm"),
    "ordinal": ("stage ~ x", {"family": "cumulative"}, NotBuiltError, "family 'cumulative'"),
    "categorical": ("drug ~ x", {"family": "categorical"}, NotBuiltError, "family 'categorical'"),
    "multivariate": ("c(k, n) ~ x", {"family": "multinomial"}, NotBuiltError, "family 'multinomial'"),
    "a family of other draws": ("count ~ x", {"family": "negativebinomial"}, NotBuiltError, "family 'negativebinomial'"),
    "no such link": ("zero_one ~ x", {"family": "bernoulli", "link": "identity"}, FamilyError, "identity"),
    "truncated": ("truncated(y, -9) ~ x", {}, NotBuiltError, "truncated responses"),
    "constrained": ("constrained(y, -9) ~ x", {}, NotBuiltError, "constrained responses"),
    "potentials": ("y ~ x", {"potentials": [("x", lambda b: b)]}, NotBuiltError, "potentials"),
    "a number for sigma": ("y ~ x", {"priors": {"sigma": 1.0}}, NotBuiltError, "'sigma' is fixed to 1.0"),
    "no such function": ("y ~ np.sin(x)", {}, NotBuiltError, r"sin\(\) is not listed"),
    "its own coding": ("y ~ T(drug, ref='b')", {}, NotBuiltError, r"T\(\) is not listed"),
    "a computed factor": ("y ~ x + (1 | C(k))", {}, NotBuiltError, r"'1\|C\(k\)'.*grouping factor C\(k\) is computed"),
    "another coding of the same formula": (
        "y ~ x + (x:drug | g)",
        {},
        NotBuiltError,
        r"'x:drug\|g' has no counterpart.*as this package codes",
    ),
    "effects that are no normal ones": (
        "y ~ x + (1 | g)",
        {"priors": {"1|g": lambda: prior("Laplace", mu=0, b=prior("HalfNormal", sigma=1))}},
        NotBuiltError,
        r"'1\|g' has no counterpart.*Laplace",
    ),
    "effects with a mean": (
        "y ~ x + (1 | g)",
        {"priors": {"1|g": lambda: prior("Normal", mu=prior("Normal", mu=0, sigma=1), sigma=prior("HalfNormal", sigma=1))}},
        NotBuiltError,
        "mean zero",
    ),
    "effects that are shifted": (
        "y ~ x + (1 | g)",
        {"priors": {"1|g": lambda: prior("Normal", mu=2, sigma=prior("HalfNormal", sigma=1))}},
        NotBuiltError,
        "mean zero",
    ),
}
"""Name: formula, options, error, words."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(name):
    formula, options, error, words = REFUSED[name]
    priors = {k: p() if callable(p) else p for k, p in options.get("priors", {}).items()}
    model = bambi_model(formula, **{**options, **({"priors": priors} if priors else {})})
    with pytest.raises(error, match=words):
        from_bambi(model, {})


def test_a_formula_for_sigma_is_refused():
    import bambi

    model = bambi_model(bambi.Formula("y ~ x", "sigma ~ x"))
    with pytest.raises(NotBuiltError, match=r"second parameter.*sigma ~ x"):
        from_bambi(model, {})


def test_a_scaled_column_is_refused_and_taken_when_it_is_in_the_table():
    """Bambi's scale() divides by the standard deviation with n, ours and R's by the one with n - 1: the coefficients differ."""
    model = bambi_model("y ~ scale(x)")
    idata = made_up_idata(model)
    with pytest.raises(NotBuiltError, match=r"'scale\(x\)' has no counterpart.*rename the variable in idata"):
        from_bambi(model, idata)
    data = table().assign(x_scaled=model.parameters["mu"].terms["scale(x)"].data)
    renamed = xr.DataTree.from_dict({"posterior": idata["posterior"].to_dataset().rename({"scale(x)": "x_scaled"})})
    with pytest.warns(QualityWarning):
        fit = from_bambi(bambi_model("y ~ x_scaled", data), renamed)
    np.testing.assert_array_equal(fit.posterior["x_scaled"], idata["posterior"]["scale(x)"])


def test_offsets_are_added_up():
    model = bambi_model("y ~ x + offset(w) + offset(z)")
    with pytest.warns(QualityWarning):
        fit = from_bambi(model, made_up_idata(model))
    np.testing.assert_allclose(fit.design.offset, table()["w"] + table()["z"], rtol=ALGEBRAIC)


def test_python_variables_of_the_caller_are_no_columns():
    power = 2.0
    model = bambi_model("y ~ I(x ** power)", extra_namespace={"power": power})
    with pytest.raises(NotBuiltError, match="'power' is no column"):
        from_bambi(model, {})


@pytest.mark.parametrize("thing", [None, "y ~ x", 3, np.ones(2)])
def test_what_is_no_bambi_model_is_refused(thing):
    with pytest.raises(ArgumentError, match="a Bambi model is needed"):
        from_bambi(thing, {})
