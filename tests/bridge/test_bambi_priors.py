"""Bambi's priors as ours: the same log density, or a refusal."""

import subprocess
import sys

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm import api
from bayesglmm.bridge.bambi import from_bambi
from bayesglmm.bridge.bambi_priors import convert_prior, convert_priors, is_bambi_prior
from bayesglmm.design.prepare import prepare
from bayesglmm.errors import PriorError, QualityWarning
from bayesglmm.model.priors import prior_variable
from bayesglmm.spec.model_spec import make_spec
from tests.bridge.made_up import bambi_model, made_up_idata, table
from tests.tolerances import ALGEBRAIC

PRIORS = {
    "normal": ("Normal", {"mu": 1.5, "sigma": 2}, bg.Normal(1.5, 2)),
    "precision": ("Normal", {"mu": 0, "tau": 4}, bg.Normal(0, 0.5)),
    "student t": ("StudentT", {"nu": 4, "mu": 1, "sigma": 2}, bg.StudentT(4, 1, 2)),
    "student t, precision": ("StudentT", {"nu": 4, "lam": 0.25}, bg.StudentT(4, 0, 2)),
    "cauchy": ("Cauchy", {"alpha": 1, "beta": 3}, bg.Cauchy(1, 3)),
    "laplace": ("Laplace", {"mu": 1, "b": 2}, bg.Laplace(1, 2)),
    "half normal": ("HalfNormal", {"sigma": 2}, bg.HalfNormal(2)),
    "half t": ("HalfStudentT", {"nu": 3, "sigma": 2}, bg.HalfStudentT(3, 2)),
    "half cauchy": ("HalfCauchy", {"beta": 2}, bg.HalfCauchy(2)),
    "exponential": ("Exponential", {"lam": 3}, bg.Exponential(3)),
    "exponential, scale": ("Exponential", {"scale": 0.5}, bg.Exponential(2)),
    "gamma": ("Gamma", {"alpha": 2, "beta": 3}, bg.Gamma(2, 3)),
    "gamma, moments": ("Gamma", {"mu": 2, "sigma": 4}, bg.Gamma(0.25, 0.125)),
    "inverse gamma": ("InverseGamma", {"alpha": 3, "beta": 2}, bg.InverseGamma(3, 2)),
    "inverse gamma, moments": ("InverseGamma", {"mu": 2, "sigma": 2}, bg.InverseGamma(3, 4)),
    "uniform": ("Uniform", {"lower": -1, "upper": 2}, bg.Uniform(-1, 2)),
}


def bambi_prior(name, **numbers):
    import bambi

    return bambi.Prior(name, **numbers)


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_is_converted_to_the_same_numbers(name):
    kind, numbers, ours = PRIORS[name]
    assert convert_prior(bambi_prior(kind, **numbers)) == ours


@pytest.mark.parametrize("name", PRIORS)
def test_a_prior_is_converted_to_the_same_density(name):
    """Log densities of the two PyMC distributions, at points inside the support of all of them."""
    import pymc as pm

    kind, numbers, _ = PRIORS[name]
    points = np.array([0.1, 0.5, 1.0, 1.9])
    theirs = pm.logp(getattr(pm, kind).dist(**numbers), points).eval()
    with pm.Model():
        ours = prior_variable("v", [convert_prior(bambi_prior(kind, **numbers))], None)
    np.testing.assert_allclose(pm.logp(ours, points).eval(), theirs, rtol=ALGEBRAIC)


def test_columns_of_a_term_have_their_own_numbers():
    prior = bambi_prior("Normal", mu=np.zeros(3), sigma=np.array([1.0, 2.0, 3.0]))
    assert convert_prior(prior, column=2) == bg.Normal(0, 3)


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("Flat", {}, "no counterpart"),
        ("LogNormal", {"mu": 0, "sigma": 1}, "no counterpart"),
        ("StudentT", {"sigma": 1}, "cannot be read"),
        ("Normal", {"mu": 0, "sigma": -1}, "positive"),
    ],
)
def test_priors_that_cannot_be_converted_are_refused(kind, numbers, words):
    with pytest.raises(PriorError, match=words):
        convert_prior(bambi_prior(kind, **numbers))


def test_hyperpriors_and_functions_are_refused():
    with pytest.raises(PriorError, match="pass the prior of its sigma"):
        convert_prior(bambi_prior("Normal", mu=0, sigma=bambi_prior("HalfNormal", sigma=1)))
    with pytest.raises(PriorError, match="no counterpart"):
        convert_prior(bambi_prior("Normal", mu=0, sigma=1, dist=lambda name, **k: None))
    with pytest.raises(PriorError, match=r"no bambi\.Prior"):
        convert_prior(bg.Normal(0, 1))


def test_only_bambis_priors_are_touched():
    ours, theirs = bg.HalfNormal(1), bambi_prior("Normal", mu=0, sigma=2)
    assert convert_priors({"sd": ours, "b": theirs}) == {"sd": ours, "b": bg.Normal(0, 2)}
    assert convert_priors(None) is None
    assert convert_priors([1]) == [1]
    assert not is_bambi_prior(ours)
    with pytest.raises(PriorError, match="b"):
        convert_priors({"b": bambi_prior("Flat")})


def test_the_api_takes_them(monkeypatch):
    """Up to the spec that would be fitted; a prior that means something else is refused before anything is read."""
    monkeypatch.setattr(api, "fit_spec", lambda spec, data, **settings: spec)
    spec = bg.glmm("y ~ x + (1 | g)", table(), priors={"b": bambi_prior("Normal", mu=0, sigma=2), "sd": bg.HalfNormal(1)})
    assert dict(spec.priors) == {"b": bg.Normal(0, 2), "sd": bg.HalfNormal(1)}
    with pytest.raises(PriorError, match=r"Flat\(\) has no counterpart.*b"):
        bg.glmm("y ~ x", table(), priors={"b": bambi_prior("Flat")})


def test_no_bambi_is_imported():
    code = "import sys; from bayesglmm.bridge import bambi, bambi_priors; print('bambi' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def test_a_fit_records_bambis_priors_parameter_by_parameter():
    priors = {
        "x": bambi_prior("StudentT", nu=3, mu=0, sigma=2),
        "1|g": bambi_prior("Normal", mu=0, sigma=bambi_prior("Exponential", lam=0.5)),
        "sigma": bambi_prior("HalfCauchy", beta=2),
    }
    model = bambi_model("y ~ x + drug + (1 + drug | g)", priors=priors)
    with pytest.warns(QualityWarning):
        fit = from_bambi(model, made_up_idata(model))
    scales = model.parameters["mu"].terms["drug"].prior.args["sigma"]
    deviations = model.parameters["mu"].terms["drug|g"].prior.args["sigma"].args["sigma"]
    assert fit.priors.b == (bg.StudentT(3, 0, 2), bg.Normal(0, scales[0]), bg.Normal(0, scales[1]))
    assert fit.priors.sd == ((bg.Exponential(0.5), bg.HalfNormal(deviations[0]), bg.HalfNormal(deviations[1])),)
    assert fit.priors.cor == (None,)
    assert fit.priors.aux == (("sigma", bg.HalfCauchy(2)),)
    assert fit.priors.intercept == convert_prior(model.parameters["mu"].intercept_term.prior)
    assert fit.spec.center


def test_the_same_spec_prepares_the_same_model_again():
    model = bambi_model("zero_one ~ x + stage + (1 | g)", family="bernoulli")
    with pytest.warns(QualityWarning):
        fit = from_bambi(model, made_up_idata(model))
    assert prepare(fit.spec, fit.frame).priors == fit.priors


def test_addresses_hold_labels_with_brackets_and_commas():
    data = table().assign(drug=lambda d: d["drug"].map({"a": "[0, 1)", "b": "[1, 2)", "c": "(2, 3]"}))
    model = bambi_model("y ~ drug:arm + (drug | g)", data)
    with pytest.warns(QualityWarning):
        fit = from_bambi(model, made_up_idata(model))
    assert len(fit.spec.priors) == 1 + len(fit.priors.b) + len(fit.priors.sd[0]) + 1
    assert make_spec(fit.spec.formula, family="gaussian", link="identity", priors=dict(fit.spec.priors)).priors == fit.spec.priors
