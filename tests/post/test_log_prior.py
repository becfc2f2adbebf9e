"""Log density of the priors: against scipy term by term, and against the graph that defines the model."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.fit.draws import correlation_draws, flatten
from bayesglmm.model.build import build_model
from bayesglmm.numerics.lkj import lkj_factors, lkj_log_density
from bayesglmm.post.log_prior import log_prior
from bayesglmm.post.prior_parameters import prior_parameters
from tests.fits import make_fit
from tests.post.makers import parameters, table
from tests.tolerances import ALGEBRAIC, TWO_FORMS

PRIORS = {
    "intercept": bg.Cauchy(1, 2),
    "b": bg.Laplace(0, 1.5),
    "b[x]": bg.StudentT(4, 0.5, 2),
    "sd": bg.Gamma(2, 1),
    "sd[g, x]": bg.HalfStudentT(4, 1.5),
    "cor": bg.LKJ(3.5),
    "sigma": bg.InverseGamma(3, 2),
}
CORR = [[1.0, 0.4], [0.4, 1.0]]
THREE = [[1.0, 0.5, 0.2], [0.5, 1.0, -0.3], [0.2, -0.3, 1.0]]


def correlated_fit(**options):
    formula = "y ~ x + drug + (x | g) + (1 | h)"
    given = {"beta": [0.3, 0.8, -0.4, 1.1], "sd": {"g": [1.2, 0.5], "h": [0.8]}, "corr": {"g": CORR}, "spread": 0.2, "priors": PRIORS}
    return make_fit(formula, table(), **{**given, **options})


def by_hand(fit):
    """Every term from scipy; the correlation's density is a beta density on (-1, 1) for two effects."""
    draws, X = parameters(fit), fit.design.X
    shift = draws.beta[:, 1:] @ X[:, 1:].mean(axis=0) if fit.spec.center else 0.0
    total = stats.cauchy(1, 2).logpdf(draws.beta[:, 0] + shift)
    total += stats.t(4, 0.5, 2).logpdf(draws.beta[:, 1]) + stats.laplace(0, 1.5).logpdf(draws.beta[:, 2:]).sum(axis=1)
    g, h = draws.groups
    total += stats.gamma(2).logpdf(g.sd[:, 0]) + np.log(2) + stats.t(4, 0, 1.5).logpdf(g.sd[:, 1]) + stats.gamma(2).logpdf(h.sd[:, 0])
    total += stats.beta(3.5, 3.5, -1, 2).logpdf(g.corr[:, 1, 0])
    return total + stats.invgamma(3, scale=2).logpdf(flatten(fit.posterior["sigma"].to_numpy()))


@pytest.mark.parametrize("center", [True, False])
def test_it_is_the_sum_over_all_parameters(center):
    fit = correlated_fit(center=center)
    found = log_prior(fit)
    assert found.shape == (100,)
    np.testing.assert_allclose(found, by_hand(fit), rtol=ALGEBRAIC)


def test_the_intercept_reported_is_not_the_one_with_the_prior():
    frame = table().assign(x=lambda d: d["x"] + 50.0)
    fit = make_fit("y ~ x", frame, beta=[1.0, 2.0], spread=0.0)
    (at_means, _, _) = prior_parameters(fit)
    assert at_means.label == naming.CENTERED_INTERCEPT
    np.testing.assert_allclose(at_means.draws, 1.0 + 2.0 * frame["x"].mean(), rtol=ALGEBRAIC)
    own = make_fit("y ~ x", frame, beta=[1.0, 2.0], spread=0.0, center=False)
    assert prior_parameters(own)[0].label == naming.INTERCEPT
    np.testing.assert_array_equal(prior_parameters(own)[0].draws, 1.0)
    assert prior_parameters(make_fit("y ~ 1", frame))[0].label == naming.INTERCEPT


FORMULAS = ["y | se(s) ~ x + (1 | g)", "y ~ 0 + drug + (x || g)", "y ~ 0 + x", "count ~ x + (1 | g) + (0 + x | g)"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_labels_are_those_of_the_summary(formula):
    fit = make_fit(formula, table(), family="poisson" if formula.startswith("count") else "gaussian")
    found = [p.label.removesuffix("_centered") for p in prior_parameters(fit)]
    assert found == bg.summary(fit).table.index.tolist()
    one_by_one = sum(flatten(p.law.logpdf(p.draws)) for p in prior_parameters(fit))
    np.testing.assert_allclose(log_prior(fit), one_by_one, rtol=ALGEBRAIC)


def test_three_correlated_effects_share_one_density():
    """Under LKJ(1) it is uniform: one over the volume of the matrices, pi^2 / 2, whatever the draws."""
    fit = make_fit("y ~ drug + (drug | h)", table(), corr=THREE, priors={"cor": bg.LKJ(1)}, spread=0.3)
    rest = sum(flatten(p.law.logpdf(p.draws)) for p in prior_parameters(fit) if p.kind != "cor")
    np.testing.assert_allclose(log_prior(fit) - rest, -np.log(np.pi**2 / 2), rtol=TWO_FORMS)


def test_a_draw_outside_the_support_has_no_density():
    fit = make_fit("y ~ x", table(), beta=[0.0, 3.0], spread=0.0, priors={"b": bg.Uniform(-1, 1)})
    assert (log_prior(fit) == -np.inf).all()


def test_it_is_the_prior_part_of_the_pymc_model():
    """At three draws. Two effects: the factor's one free entry is the correlation itself."""
    fit = correlated_fit()
    chosen = {"g": "noncentered", "h": "noncentered"}
    model = build_model(fit.spec, fit.design, fit.priors, family=fit.family, parameterization=chosen)
    corr = flatten(correlation_draws(fit.posterior, fit.design.groups[0]))
    at_means = parameters(fit).beta[:, 0] + parameters(fit).beta[:, 1:] @ fit.design.X[:, 1:].mean(axis=0)
    names = ["x", "drug", "1|g_sigma", "x|g_sigma", "1|h_sigma", "sigma"]
    draws = {name: flatten(fit.posterior[name].to_numpy()) for name in names}
    draws |= {naming.CENTERED_INTERCEPT: at_means, naming.correlation_factor("g"): np.linalg.cholesky(corr)}
    for s in (0, 33, 99):
        terms = [pm.logp(model[name], values[s]).sum().eval(mode="FAST_COMPILE") for name, values in draws.items()]
        assert log_prior(fit)[s] == pytest.approx(float(np.sum(terms)), rel=TWO_FORMS)


def test_the_matrix_density_is_that_of_pymc():
    """PyMC's density is that of the factor: the density of R = LL' times the Jacobian, L_ii to the power q - i."""
    L = lkj_factors(np.random.default_rng(3), 1.5, 3, 1)[0]
    factor = float(pm.logp(pm.LKJCorr.dist(n=3, eta=2.5), L).eval(mode="FAST_COMPILE"))
    assert lkj_log_density(L @ L.T, 2.5) == pytest.approx(factor - 2 * np.log(L[0, 0]) - np.log(L[1, 1]), rel=TWO_FORMS)
