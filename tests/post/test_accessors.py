"""lme4's accessors against their definitions."""

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.post import linear_predictor
from bayesglmm.post.accessors import VarCorr, fitted, fixef, nobs, ranef, residuals, sigma, vcov
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC, REFERENCE


def flat(formula: str, mean: float, **options):
    """A fit whose linear predictor is one number everywhere."""
    return make_fit(formula, table(), beta=[mean], spread=0.0, b=np.zeros((20, 1)), **options)


def test_fixed_effects_by_label():
    fit = crossed_fit()
    assert list(fixef(fit).index) == list(fit.design.labels)
    np.testing.assert_allclose(fixef(fit), parameters(fit).beta.mean(axis=0), rtol=ALGEBRAIC)
    found = vcov(fit)
    assert list(found.index) == list(found.columns) == list(fit.design.labels)
    np.testing.assert_allclose(found, np.cov(parameters(fit).beta.T), rtol=1e-9)
    with pytest.raises(ArgumentError, match="two draws"):
        vcov(make_fit("y ~ x", table(), n_chains=1, n_draws=1))


def test_random_effects_by_factor_level_and_effect():
    fit = make_fit("y ~ x + (1 | g) + (0 + x | g) + (drug | h)", table())
    found = ranef(fit)
    assert list(found) == ["g", "h"]
    assert list(found["g"].columns) == ["1", "x"]
    assert list(found["h"].columns) == list(fit.design.groups[2].labels)
    assert list(found["h"].index) == ["p", "q", "r", "s"]
    np.testing.assert_allclose(found["g"]["x"], parameters(fit).groups[1].b[:, :, 0].mean(axis=0), rtol=ALGEBRAIC)
    assert found["h"].index.name == "h"
    assert ranef(make_fit("y ~ x", table())) == {}


def test_factors_are_named_without_back_quotes():
    data = table().assign(**{"my school": table()["h"], "a:b": table()["h"], "a": table()["h"], "b": table()["drug"]})
    fit = make_fit("y ~ x + (x | `my school`) + (1 | `my school`:drug)", data)
    assert list(ranef(fit)) == ["my school", "my school:drug"]
    assert ranef(fit)["my school"].index.name == "my school"
    assert VarCorr(fit)["factor"].tolist() == ["my school"] * 3 + ["my school:drug", "Residual"]
    two = make_fit("y ~ x + (1 | a:b) + (1 | `a:b`)", data)
    assert list(ranef(two)) == ["a:b", "`a:b`"]


def test_variances_and_correlations():
    fit = make_fit("y ~ x + (drug | g) + (1 | h)", table(), aux={"sigma": 2.0})
    found, draws = VarCorr(fit), parameters(fit)
    assert list(found.columns) == ["factor", "effect", "with", "variance", "sd", "correlation"]
    assert found["factor"].tolist() == ["g"] * 6 + ["h", "Residual"]
    assert found["with"].tolist()[3:6] == ["drug[b]", "drug[c]", "drug[c]"]
    np.testing.assert_allclose(found["sd"][:3], draws.groups[0].sd.mean(axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(found["correlation"][4], draws.groups[0].corr[:, 2, 0].mean(), rtol=ALGEBRAIC, atol=ALGEBRAIC)
    alone = found[found["with"].isna()]
    np.testing.assert_allclose(alone["variance"], alone["sd"] ** 2, rtol=ALGEBRAIC)
    assert found["sd"].iloc[-1] == pytest.approx(sigma(fit), rel=ALGEBRAIC)
    assert "Residual" not in VarCorr(crossed_fit())["factor"].tolist()


def test_sigma_is_refused_where_there_is_none():
    assert sigma(make_fit("y ~ x", table(), aux={"sigma": 2.0}, spread=0.0)) == 2.0
    with pytest.raises(FamilyError, match="bernoulli family has no sigma"):
        sigma(crossed_fit())
    with pytest.raises(FamilyError, match="known, not estimated"):
        sigma(make_fit("y | se(s) ~ x + (1 | g)", table()))


def test_fitted_means_are_averaged_after_the_inverse_link(monkeypatch):
    fit = crossed_fit(spread=0.5)
    wanted = bg.means(fit, fit.frame, target="group").table["mean"]
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    np.testing.assert_allclose(fitted(fit), wanted, rtol=ALGEBRAIC)
    np.testing.assert_array_equal(fitted(fit).index, fit.frame.index)
    assert nobs(fit) == len(fitted(fit)) == 120


def test_fitted_means_of_a_model_without_groups():
    fit = make_fit("y ~ x", table(), beta=[1.0, 2.0], spread=0.0)
    np.testing.assert_allclose(fitted(fit), 1.0 + 2.0 * table()["x"], rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_gaussian_residuals():
    fit = flat("y ~ 1 + (1 | g)", 0.3, aux={"sigma": 2.0})
    raw = table()["y"] - 0.3
    np.testing.assert_allclose(residuals(fit), raw, rtol=ALGEBRAIC)
    np.testing.assert_allclose(residuals(fit, "pearson"), raw / 2.0, rtol=ALGEBRAIC)
    np.testing.assert_allclose(residuals(fit, "deviance"), raw / 2.0, rtol=REFERENCE)
    weighted = flat("y | weights(w) ~ 1 + (1 | g)", 0.3, aux={"sigma": 2.0})
    np.testing.assert_allclose(residuals(weighted, "pearson"), np.sqrt(table()["w"]) * raw / 2.0, rtol=ALGEBRAIC)
    known = flat("y | se(s) ~ 1 + (1 | g)", 0.3)
    np.testing.assert_allclose(residuals(known, "pearson"), raw / table()["s"], rtol=ALGEBRAIC)


def test_count_residuals_against_closed_forms():
    """McCullagh and Nelder (1989), section 2.3, table 2.1: deviances of the binomial and Poisson distributions."""
    counts, mu = table()["count"], 2.5
    poisson = flat("count ~ 1 + (1 | g)", np.log(mu), family="poisson")
    deviance = 2.0 * (special.xlogy(counts, counts / mu) - (counts - mu))
    np.testing.assert_allclose(residuals(poisson, "deviance"), np.sign(counts - mu) * np.sqrt(deviance), rtol=REFERENCE)
    np.testing.assert_allclose(residuals(poisson, "pearson"), (counts - mu) / np.sqrt(mu), rtol=ALGEBRAIC)
    k, n, p = table()["k"], 6, 0.3
    binomial = flat("k | trials(n) ~ 1 + (1 | g)", special.logit(p), family="binomial")
    deviance = 2.0 * (special.xlogy(k, k / (n * p)) + special.xlogy(n - k, (n - k) / (n * (1 - p))))
    np.testing.assert_allclose(residuals(binomial, "deviance"), np.sign(k - n * p) * np.sqrt(deviance), rtol=REFERENCE)
    np.testing.assert_allclose(residuals(binomial, "pearson"), (k - n * p) / np.sqrt(n * p * (1 - p)), rtol=ALGEBRAIC)
    np.testing.assert_allclose(residuals(binomial), k / n - p, rtol=ALGEBRAIC)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
def test_zero_one_residuals_under_every_link(link):
    from bayesglmm.numerics.links import get_link

    y, p = table()["zero_one"], 0.3
    fit = flat("zero_one ~ 1 + (1 | g)", float(get_link(link).link(np.array(p))), family="bernoulli", link=link)
    wanted = np.where(y == 1, np.sqrt(-2.0 * np.log(p)), -np.sqrt(-2.0 * np.log1p(-p)))
    np.testing.assert_allclose(residuals(fit, "deviance"), wanted, rtol=REFERENCE)


def test_rows_without_trials_have_no_residual():
    data = table().assign(n=np.resize([0, 6], 120)).assign(k=lambda d: np.minimum(d["k"], d["n"]))
    fit = make_fit("k | trials(n) ~ 1 + (1 | g)", data, family="binomial", spread=0.0)
    for kind in ("response", "pearson", "deviance"):
        found = residuals(fit, kind)
        assert np.all(found[data["n"] == 0] == 0.0)
        assert np.isfinite(found).all()


def test_kinds_are_checked():
    with pytest.raises(ArgumentError, match="did you mean 'pearson'"):
        residuals(crossed_fit(), "person")
