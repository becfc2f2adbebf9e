"""Models that Bambi really sampled: two short runs, and (slow) two long ones next to the same models fitted here."""

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.bridge.bambi import from_bambi
from bayesglmm.fit.diagnostics import mcse_mean, mcse_quantile
from bayesglmm.io.fits import load, save
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.marginal import marginal_coefficients
from bayesglmm.post.means import means
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.summary import summary
from tests.bridge.made_up import bambi_means, bambi_model, predictor
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

FAR = 40.0
"""Mean of a covariate so far from zero that the intercepts of centered and uncentered columns cannot be taken for each other."""


def data(seed=11):
    rng = np.random.default_rng(seed)
    groups, rows = 8, 6
    g = np.repeat(np.arange(groups), rows)
    x = FAR + rng.normal(size=groups * rows)
    drug = rng.permutation(np.resize(["b", "a", "c"], groups * rows))
    eta = 0.5 * (x - FAR) + 0.6 * (drug == "b") + rng.normal(size=groups)[g]
    answer = np.where(rng.random(len(eta)) < special.expit(eta), "yes", "no")
    return pd.DataFrame({"y": 3.0 + eta + rng.normal(size=len(eta)), "answer": answer, "x": x, "drug": drug, "g": [f"g{j}" for j in g]})


def sample(model, method, **settings):
    logging.getLogger("pymc").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(inference_method=method, cores=1, progressbar=False, **settings)


def taken(model, idata, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bg.errors.QualityWarning)
        return from_bambi(model, idata, **options)


@pytest.fixture(scope="module", params=["gaussian", "bernoulli"])
def run(request):
    """Model and draws: a Gaussian one by PyMC's sampler, a Bernoulli one by nutpie, which names its statistics differently."""
    short = {"draws": 50, "tune": 50, "chains": 2, "random_seed": 3}
    if request.param == "gaussian":
        model = bambi_model("y ~ x + drug + (x | g)", data())
        return model, sample(model, "pymc", **short)
    model = bambi_model("answer['yes'] ~ x + drug + (1 | g)", data(), family="bernoulli")
    return model, sample(model, "nutpie", **short)


def test_a_sampled_fit_has_bambis_means(run):
    model, idata = run
    fit = taken(model, idata)
    np.testing.assert_allclose(fit.link.inverse(predictor(fit)), bambi_means(model, idata), rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_the_intercept_is_the_one_at_zero(run):
    """An intercept that still belonged to centered columns would put the mean predictor about 40 slopes away from the mean response."""
    model, idata = run
    fit = taken(model, idata)
    found, expected = fit.link.inverse(predictor(fit)).mean(), fit.design.y.mean()
    assert abs(found - expected) < 0.5 * fit.design.y.std()
    assert fit.provenance.settings.draws == 50
    assert fit.provenance.settings.tune == 50


def test_a_sampled_fit_is_judged_and_stored(run, tmp_path):
    model, idata = run
    fit = taken(model, idata)
    assert all(fit.quality[c].verdict != "not run" for c in ("mcmc.divergences", "mcmc.depth", "mcmc.bfmi", "mcmc.acceptance", "mcmc.rhat"))
    again = load(save(fit, tmp_path / "fit.nc"))
    assert again.engine == fit.engine
    np.testing.assert_allclose(marginal_coefficients(again).table, marginal_coefficients(fit).table, rtol=ALGEBRAIC)


def sleepstudy_formulas():
    return bg.datasets.load("sleepstudy"), "Reaction ~ Days + (Days | Subject)", "Reaction ~ Days + (Days || Subject)", "gaussian"


def toenail_like():
    return data(21).assign(z=lambda d: (d["answer"] == "yes").astype(int)), "z ~ x + (1 | g)", "z ~ x + (1 | g)", "bernoulli"


def compared_draws(fit):
    """Draws behind the tables, (chain, draw, quantity): parameters, population means, marginal coefficients, ends of heterogeneity."""
    named = {"parameters": fit.posterior[[v for v in fit.posterior.data_vars if "|" not in v or v.endswith("_sigma")]].to_dataarray()}
    named["effects"] = fit.posterior[[v for v in fit.posterior.data_vars if "|" in v and not v.endswith("_sigma")]].to_dataarray()
    named["means"] = means(fit, target="population").draws["mean_response"]
    named["marginal"] = marginal_coefficients(fit).draws["marginal"]
    ends = heterogeneity(fit).draws
    named["ends"] = ends[["lower", "upper"]].to_dataarray()
    return {n: a.transpose("chain", "draw", ...).to_numpy().reshape(*(a.sizes[d] for d in ("chain", "draw")), -1) for n, a in named.items()}


@pytest.mark.slow
@pytest.mark.parametrize("model_of", [sleepstudy_formulas, toenail_like])
def test_a_fit_from_bambi_and_the_same_model_here_give_the_same_tables(model_of):
    """Bambi's priors are read from its model and used here, so the posteriors are one; means and quantiles agree within MCSE."""
    table, theirs, ours, family = model_of()
    settings = {"draws": 1000, "tune": 1000, "chains": 4}
    model = bambi_model(theirs, table, family=family)
    taken_over = taken(model, sample(model, "pymc", random_seed=1, nuts={"target_accept": 0.95}, **settings), target_accept=0.95)
    here = bg.glmm(ours, table, family=family, priors=dict(taken_over.spec.priors), seed=2, target_accept=0.95, **settings)
    assert here.spec.formula == taken_over.spec.formula
    assert here.priors == taken_over.priors
    a, b = compared_draws(taken_over), compared_draws(here)
    for name in a:
        bound = MCSE_MULTIPLE * np.hypot(mcse_mean(a[name]), mcse_mean(b[name]))
        assert np.all(np.abs(a[name].mean(axis=(0, 1)) - b[name].mean(axis=(0, 1))) < bound), name
        for prob in (0.025, 0.975):
            bound = MCSE_MULTIPLE * np.hypot(mcse_quantile(a[name], prob), mcse_quantile(b[name], prob))
            assert np.all(np.abs(np.quantile(a[name], prob, axis=(0, 1)) - np.quantile(b[name], prob, axis=(0, 1))) < bound), (name, prob)
    for result in (summary, random_effects):
        assert list(result(taken_over).table.index) == list(result(here).table.index)
