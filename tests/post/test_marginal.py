"""Marginal coefficients: exact special cases, an independent projection, and what is shown beside them."""

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import DesignError
from bayesglmm.post import linear_predictor
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC

MARGINAL = "marginal"


def test_identity_link_changes_nothing():
    fit = make_fit("y ~ x + drug + offset(s) + (x | g)", table(), beta=[1.0, 2.0, -1.0, 0.5])
    result = bg.marginal_coefficients(fit)
    np.testing.assert_allclose(
        draws_of(result, MARGINAL), draws_of(result, "subject_specific"), rtol=1e-9, atol=1e-9
    )  # a least-squares solve


def test_log_link_with_random_intercepts_moves_the_intercept_by_half_the_variance():
    fit = make_fit("count ~ x + offset(s) + (1 | g) + (1 | h)", table(), family="poisson", beta=[0.5, 0.3], sd={"g": 0.7, "h": 0.4})
    draws = parameters(fit)
    v = sum(g.sd[:, 0] ** 2 for g in draws.groups)
    expected = draws.beta + np.stack([v / 2, np.zeros_like(v)], axis=1)
    np.testing.assert_allclose(draws_of(bg.marginal_coefficients(fit), MARGINAL), expected, rtol=1e-9, atol=1e-9)


def test_probit_link_with_random_intercepts_is_attenuated():
    fit = make_fit("zero_one ~ x + drug + (1 | g)", table(), family="bernoulli", link="probit", beta=[0.5, 1.0, -1.0, 0.3], sd=1.7)
    draws = parameters(fit)
    expected = draws.beta / np.sqrt(1 + draws.groups[0].sd ** 2)
    np.testing.assert_allclose(draws_of(bg.marginal_coefficients(fit), MARGINAL), expected, rtol=1e-9, atol=1e-9)


def test_no_grouping_factor_is_no_difference():
    result = bg.marginal_coefficients(make_fit("zero_one ~ x", table(), family="bernoulli", beta=[0.5, 1.0]))
    np.testing.assert_allclose(draws_of(result, MARGINAL), draws_of(result, "subject_specific"), rtol=1e-9)
    assert "logit_approximation" not in result.table.columns


def test_projection_is_least_squares_on_all_rows():
    fit = crossed_fit()
    eta = draws_of(bg.means(fit, fit.frame, target="population", scale="link"))
    weights = np.random.default_rng(3).uniform(0.5, 2.0, 120)
    root = np.sqrt(weights)
    expected = np.linalg.lstsq(root[:, None] * fit.design.X, (root * eta).T, rcond=None)[0].T
    np.testing.assert_allclose(draws_of(bg.marginal_coefficients(fit, weights=weights), MARGINAL), expected, rtol=1e-8)  # bound 1e-10 / h'


def test_integer_weights_count_rows_repeatedly():
    times = np.resize([1, 2, 3], 120)
    fit = crossed_fit()
    data = table().iloc[np.repeat(np.arange(120), times)]
    again = make_fit("zero_one ~ x + drug + (x | g) + (1 | h)", data, family="bernoulli")
    twin = type(fit)(fit.spec, again.design, again.frame, fit.priors, fit.idata, fit.quality, fit.provenance)
    found = draws_of(bg.marginal_coefficients(fit, weights=times), MARGINAL)
    np.testing.assert_allclose(found, draws_of(bg.marginal_coefficients(twin), MARGINAL), rtol=1e-8)


def test_blocks_do_not_matter(monkeypatch):
    fit = crossed_fit()
    whole = draws_of(bg.marginal_coefficients(fit), MARGINAL)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 500)
    np.testing.assert_allclose(draws_of(bg.marginal_coefficients(fit), MARGINAL), whole, rtol=1e-8)


def test_the_logit_approximation_is_shown_for_random_intercepts_only():
    fit = make_fit("zero_one ~ x + (1 | g) + (1 | h)", table(), family="bernoulli", beta=[0.5, 1.0], sd={"g": 1.0, "h": 2.0}, spread=0.0)
    shown = bg.marginal_coefficients(fit).table
    c = 16 * np.sqrt(3) / (15 * np.pi)
    np.testing.assert_allclose(shown["logit_approximation"], np.array([0.5, 1.0]) / np.sqrt(1 + c**2 * 5.0), rtol=ALGEBRAIC)
    assert not np.allclose(shown["logit_approximation"], shown["marginal"], rtol=1e-4), "the approximation must not be the result"
    assert "logit_approximation" not in bg.marginal_coefficients(crossed_fit()).table.columns
    other = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", link="cloglog")
    assert "logit_approximation" not in bg.marginal_coefficients(other).table.columns


def test_table_summarises_the_draws():
    result = bg.marginal_coefficients(crossed_fit(n_draws=100), ci_prob=0.8)
    draws, row = draws_of(result, MARGINAL), result.table.loc["drug[b]"]
    assert row["marginal"] == pytest.approx(draws[:, 2].mean(), rel=ALGEBRAIC)
    assert row["marginal_lower"] == pytest.approx(np.quantile(draws[:, 2], 0.1), rel=ALGEBRAIC)
    assert row["ratio"] == pytest.approx(row["marginal"] / row["subject_specific"], rel=ALGEBRAIC)


def test_a_model_without_fixed_effects_has_none():
    with pytest.raises(DesignError, match="no fixed effect"):
        bg.marginal_coefficients(make_fit("y ~ 0 + (1 | g)", table()))


def test_saturated_design_reproduces_the_population_probabilities():
    """With as many coefficients as distinct rows the projection is exact: expit(X beta_M) is the population probability."""
    fit = make_fit("zero_one ~ drug + (1 | g)", table(), family="bernoulli", beta=[0.5, 1.0, -2.0], sd=2.5)
    marginal = draws_of(bg.marginal_coefficients(fit), MARGINAL)
    population = draws_of(bg.means(fit, {"drug": "all"}, target="population"))
    contrast = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1]])
    np.testing.assert_allclose(special.expit(marginal @ contrast.T), population, rtol=1e-9)
