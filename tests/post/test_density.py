"""Log likelihood by row and draw, against scipy's densities at the conditional mean."""

import numpy as np
import pytest
from scipy import special, stats

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post import linear_predictor
from bayesglmm.post.density import log_likelihood, probe_log_likelihood
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, table
from tests.tolerances import TWO_FORMS


def conditional_mean(fit: Fit) -> np.ndarray:
    return draws_of(bg.means(fit, fit.frame, target="group"))


def test_bernoulli():
    fit = crossed_fit()
    np.testing.assert_allclose(log_likelihood(fit), stats.bernoulli.logpmf(fit.design.y, conditional_mean(fit)), rtol=TWO_FORMS)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_binomial(link):
    fit = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial", link=link)
    np.testing.assert_allclose(log_likelihood(fit), stats.binom.logpmf(fit.design.y, 6, conditional_mean(fit)), rtol=TWO_FORMS)


def test_poisson_with_offset():
    fit = make_fit("count ~ x + offset(log(s)) + (x | g)", table(), family="poisson", beta=[1.0, 0.2], sd=[0.3, 0.2])
    np.testing.assert_allclose(log_likelihood(fit), stats.poisson.logpmf(fit.design.y, conditional_mean(fit)), rtol=TWO_FORMS)


def test_gaussian_with_sigma_and_weights():
    fit = make_fit("y | weights(w) ~ x + (1 | g)", table(), aux={"sigma": 1.5})
    sigma = fit.posterior["sigma"].to_numpy().reshape(-1, 1)
    expected = fit.design.weights * stats.norm.logpdf(fit.design.y, conditional_mean(fit), sigma)
    np.testing.assert_allclose(log_likelihood(fit), expected, rtol=TWO_FORMS)


def test_gaussian_with_known_standard_errors():
    fit = make_fit("y | se(s) ~ x + (1 | g)", table())
    expected = stats.norm.logpdf(fit.design.y, conditional_mean(fit), table()["s"].to_numpy())
    np.testing.assert_allclose(log_likelihood(fit), expected, rtol=TWO_FORMS)


def test_some_rows_in_the_order_asked_for():
    fit = crossed_fit()
    np.testing.assert_array_equal(log_likelihood(fit, [7, 3]), log_likelihood(fit)[:, [7, 3]])


@pytest.mark.parametrize("rows", [[0, 120], [-1], [0.5], [True], "a", 3])
def test_what_is_no_row_is_refused(rows):
    with pytest.raises(ArgumentError, match="no rows of the data"):
        log_likelihood(crossed_fit(), rows)


def test_blocks_do_not_matter(monkeypatch):
    fit = crossed_fit()
    whole = log_likelihood(fit)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 200)
    np.testing.assert_allclose(log_likelihood(fit), whole, rtol=TWO_FORMS)


def test_the_probe_is_one_draw_of_a_few_rows():
    fit = crossed_fit()
    assert probe_log_likelihood(fit, [0, 5, 9], draw=3) == pytest.approx(log_likelihood(fit)[3, [0, 5, 9]].sum(), rel=TWO_FORMS)


def test_certainty_costs_nothing_and_contradiction_is_finite():
    fit = crossed_fit(beta={"Intercept": 400.0}, sd={"g": [0.1, 0.1], "h": [0.1]}, spread=0.0)
    found = log_likelihood(fit)
    ones = fit.design.y == 1
    assert np.all(np.abs(found[:, ones]) < 1e-100)
    eta = special.logit(0.5) + np.array([400.0])
    assert np.all(found[:, ~ones] < -eta + 5)
    assert np.all(np.isfinite(found))
