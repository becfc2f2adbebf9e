"""The PyMC graph has the density that the documents state: priors, random effects and likelihood written out in numpy and scipy.

Compared are differences between two random points, so that additive constants do not matter, over the support table.
"""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.model.build import build_model
from tests.cases import CASES, RNG, TABLE, ready_for
from tests.tolerances import TWO_FORMS

SCIPY = {
    "Normal": lambda p: stats.norm(p.mu, p.sigma),
    "StudentT": lambda p: stats.t(p.nu, p.mu, p.sigma),
    "Cauchy": lambda p: stats.cauchy(p.mu, p.sigma),
    "Laplace": lambda p: stats.laplace(p.mu, p.b),
    "HalfNormal": lambda p: stats.halfnorm(scale=p.sigma),
    "HalfStudentT": lambda p: stats.t(p.nu, 0, p.sigma),
    "HalfCauchy": lambda p: stats.halfcauchy(scale=p.sigma),
    "Exponential": lambda p: stats.expon(scale=1 / p.rate),
    "Gamma": lambda p: stats.gamma(p.alpha, scale=1 / p.beta),
    "InverseGamma": lambda p: stats.invgamma(p.alpha, scale=p.beta),
    "Uniform": lambda p: stats.uniform(p.lower, p.upper - p.lower),
}


def log_prior(values, priors):
    return sum(SCIPY[type(p).__name__](p).logpdf(v) for v, p in zip(np.atleast_1d(values).ravel(), priors, strict=True))


def models(ready):
    for name in ("noncentered", "centered"):
        chosen = {naming.block(g.name, g.position): name for g in ready.design.groups}
        yield name, build_model(ready.spec, ready.design, ready.priors, family=ready.family, parameterization=chosen)


def points(model, count=3):
    """Random points: the values that the log density takes, and all named quantities there."""
    rng = np.random.default_rng(9)
    everything = model.compile_fn(model.unobserved_value_vars, inputs=model.value_vars, mode="FAST_COMPILE", point_fn=True)
    for _ in range(count):
        point = {k: np.asarray(v) + 0.4 * rng.normal(size=np.shape(v)) for k, v in model.initial_point().items()}
        yield point, dict(zip([v.name for v in model.unobserved_value_vars], everything(point), strict=True))


def fixed_part(ready, named):
    """Linear predictor of the fixed effects and their log prior."""
    design, priors = ready.design, ready.priors
    beta = np.concatenate([np.atleast_1d(named[t.name]) for t in design.fixed])
    slopes = np.array([t.name != naming.INTERCEPT for t in design.fixed])
    slopes = np.repeat(slopes, [t.stop - t.start for t in design.fixed])
    total = log_prior(beta[slopes], priors.b)
    if priors.intercept is not None:
        at = beta[~slopes][0] + (design.X[:, slopes].mean(axis=0) @ beta[slopes] if ready.spec.center else 0.0)
        total += log_prior(at, [priors.intercept])
    return design.offset + design.X @ beta, total


def random_part(ready, named, *, centered):
    """z'b and the log density of the random effects and their SDs and correlations, in the coordinates of the graph."""
    eta, total = 0.0, 0.0
    for group, sd_priors, cor in zip(ready.design.groups, ready.priors.sd, ready.priors.cor, strict=True):
        sd = np.concatenate([np.atleast_1d(named[naming.effect_sd(t.name, group.name)]) for t in group.effects])
        total += log_prior(sd, sd_priors)
        q, R = len(sd), np.eye(len(sd))
        block = naming.block(group.name, group.position)
        if naming.correlation(block) in named:
            R = named[naming.correlation(block)]
            L = np.linalg.cholesky(R)
            # density of R times the Jacobian of R = L L', which is the coordinate that PyMC's value takes before its transform
            total += (cor.eta - 1) * np.linalg.slogdet(R)[1] + sum((q - i) * np.log(L[i - 1, i - 1]) for i in range(1, q + 1))
        b = np.column_stack([np.reshape(named[naming.effect(t.name, group.name)], (len(group.levels), -1)) for t in group.effects])
        D = np.outer(sd, sd) * R
        total += stats.multivariate_normal(np.zeros(q), D).logpdf(b).sum()
        total += 0.0 if centered else 0.5 * len(b) * np.linalg.slogdet(D)[1]
        eta = eta + (group.Z * b[group.index]).sum(axis=1)
    return eta, total


def stated_density(ready, named, *, centered):
    eta, total = fixed_part(ready, named)
    more, random_total = random_part(ready, named, centered=centered)
    design, aux = ready.design, {}
    if ready.family.auxiliary:
        aux["sigma"] = design.se if design.se is not None else named["sigma"]
        total += 0.0 if design.se is not None else log_prior(named["sigma"], [dict(ready.priors.aux)["sigma"]])
    rows = ready.family.log_prob(design.y, eta + more, ready.link, trials=design.trials, **aux)
    return total + random_total + np.sum(rows if design.weights is None else design.weights * rows)


@pytest.mark.parametrize("case", CASES)
def test_density_is_the_stated_one(case):
    formula, family, link, priors = CASES[case]
    ready = ready_for(formula, family, link, priors)
    for name, model in models(ready):
        log_density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")
        both = [(log_density(p), stated_density(ready, named, centered=name == "centered")) for p, named in points(model)]
        ours, stated = np.array(both).T
        np.testing.assert_allclose(np.diff(ours), np.diff(stated), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(ours).max())


def test_center_false_puts_the_intercept_prior_at_zero():
    ready = ready_for("real ~ x + (1 | g)", "gaussian", "identity", {"intercept": bg.Normal(5, 0.1)}, center=False)
    _, model = next(models(ready))
    assert naming.CENTERED_INTERCEPT not in model.named_vars
    log_density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")
    ours, stated = np.array([(log_density(p), stated_density(ready, named, centered=False)) for p, named in points(model)]).T
    np.testing.assert_allclose(np.diff(ours), np.diff(stated), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(ours).max())


@pytest.mark.parametrize("case", ["correlated", "probit", "binomial loglog", "poisson offset"])
def test_gradient_matches_finite_differences(case):
    formula, family, link, priors = CASES[case]
    for _, model in models(ready_for(formula, family, link, priors)):
        log_density, gradient = model.compile_logp(mode="FAST_COMPILE"), model.compile_dlogp(mode="FAST_COMPILE")
        point, _ = next(points(model))
        direction = {k: RNG.normal(size=v.shape) for k, v in point.items()}
        step = 1e-5
        ahead, behind = ({k: v + sign * step * direction[k] for k, v in point.items()} for sign in (1, -1))
        slope = (log_density(ahead) - log_density(behind)) / (2 * step)
        along = gradient(point) @ np.concatenate([direction[v.name].ravel() for v in model.value_vars])
        # central differences: relative error of order step^2 plus rounding of the density over the step
        assert slope == pytest.approx(along, rel=1e-6)


def test_names_and_dims_are_bambis():
    ready = ready_for("real ~ x * f + (1 + x + f | g)", "gaussian", "identity", {})
    model = dict(models(ready))["noncentered"]
    dims = {k: tuple(v) for k, v in model.named_vars_to_dims.items()}
    assert {"Intercept", "x", "f", "x:f", "sigma", "1|g", "x|g", "f|g", "1|g_sigma", "x|g_sigma", "f|g_sigma", "g_corr"} <= set(
        model.named_vars
    )
    assert dims["f"] == ("f_dim",)
    assert dims["x:f"] == ("x:f_dim",)
    assert dims["1|g"] == ("g__factor_dim",)
    assert dims["f|g"] == ("g__factor_dim", "f__expr_dim")
    assert dims["f|g_sigma"] == ("f__expr_dim",)
    assert dims["g_corr"] == ("g__effect_dim", "g__effect_dim_2")
    assert tuple(model.coords["f_dim"]) == ("b", "c")
    assert tuple(model.coords["g__effect_dim"]) == ("1", "x", "f[b]", "f[c]")


def test_effects_share_one_dim_across_terms_of_one_factor():
    ready = ready_for("real ~ x + (1 | g) + (0 + x | g)", "gaussian", "identity", {})
    model = dict(models(ready))["noncentered"]
    assert model.named_vars_to_dims["1|g"] == model.named_vars_to_dims["x|g"] == ("g__factor_dim",)
    assert {"g_offset", "g.2_offset"} <= set(model.named_vars)


def test_prior_draws_of_a_stable_binomial_stay_within_the_trials():
    ready = ready_for("k | trials(size) ~ x + (1 | g)", "binomial", "cloglog", {})
    _, model = next(models(ready))
    with model:
        drawn = pm.sample_prior_predictive(20, random_seed=3, compile_kwargs={"mode": "FAST_COMPILE"})
    y = drawn["prior_predictive"]["k"].to_numpy()
    assert y.min() >= 0
    assert np.all(y <= TABLE["size"].to_numpy())
    assert len(np.unique(y)) > 2


def test_levels_with_priors_of_different_kinds_are_refused():
    ready = ready_for("real ~ f + (1 | g)", "gaussian", "identity", {"b[f[b]]": bg.Cauchy(0, 1)})
    with pytest.raises(bg.errors.PriorError, match="different kinds"):
        next(models(replace(ready)))
