"""Every prior as a distribution: density against quantiles, draws against both, supports, and LKJ's correlations."""

import numpy as np
import pytest
from scipy import stats

from bayesglmm.errors import PriorError
from bayesglmm.post.prior_laws import LARGEST, correlation_law, density_at, prior_law, sample_prior
from bayesglmm.post.prior_quantiles import correlation_quantile
from bayesglmm.spec.priors import LKJ, PRIORS, InverseGamma, prior_from_dict
from tests.tolerances import ALGEBRAIC

CDFS = {
    "normal": ({"mu": 1, "sigma": 2}, stats.norm(1, 2).cdf),
    "student_t": ({"nu": 3, "mu": 1, "sigma": 2}, stats.t(3, 1, 2).cdf),
    "cauchy": ({"mu": 1, "sigma": 2}, stats.cauchy(1, 2).cdf),
    "laplace": ({"mu": 1, "b": 2}, stats.laplace(1, 2).cdf),
    "half_normal": ({"sigma": 2}, lambda x: 2 * stats.norm(0, 2).cdf(x) - 1),
    "half_student_t": ({"nu": 3, "sigma": 2}, lambda x: 2 * stats.t(3, 0, 2).cdf(x) - 1),
    "half_cauchy": ({"sigma": 2}, lambda x: 2 * stats.cauchy(0, 2).cdf(x) - 1),
    "exponential": ({"rate": 2}, lambda x: 1 - np.exp(-2 * x)),
    "gamma": ({"alpha": 2, "beta": 3}, lambda x: stats.gamma(2, scale=1 / 3).cdf(x)),
    "inverse_gamma": ({"alpha": 3, "beta": 2}, lambda x: stats.gamma(3, scale=1 / 2).sf(1 / x)),
    "uniform": ({"lower": -1, "upper": 4}, lambda x: (x + 1) / 5),
}
"""Numbers, and the distribution function written apart from the law, from the whole distribution or the variable it is made of."""

LEVEL = 0.001 / len(CDFS)
"""Of each Kolmogorov test: one false alarm in a thousand seeds over all of them."""


def made(name):
    return prior_from_dict({"dist": name, **CDFS[name][0]})


def test_every_prior_of_one_number_is_here():
    assert set(CDFS) == {name for name, prior in PRIORS.items() if prior.support != "correlation"}


@pytest.mark.parametrize("name", CDFS)
def test_draws_follow_the_distribution_function(name):
    draws = sample_prior(made(name), np.random.default_rng(21), 5000)
    assert stats.kstest(draws, CDFS[name][1]).pvalue > LEVEL


@pytest.mark.parametrize("name", CDFS)
def test_density_is_the_slope_of_the_distribution_function(name):
    """Central differences over 1e-4 of a unit: their error is of the order of 1e-8 of the third derivative."""
    law, cdf = prior_law(made(name)), CDFS[name][1]
    x, step = np.array([law.ppf(p) for p in (0.2, 0.55, 0.9)]), 1e-4
    slope = (cdf(x + step) - cdf(x - step)) / (2 * step)
    np.testing.assert_allclose(law.pdf(x), slope, rtol=1e-5)
    np.testing.assert_allclose(np.exp(law.logpdf(x)), law.pdf(x), rtol=ALGEBRAIC)


@pytest.mark.parametrize("name", CDFS)
def test_nothing_lies_outside_the_support(name):
    law, prior = prior_law(made(name)), made(name)
    lower, upper = law.support()
    assert (lower, upper) == {"real": (-np.inf, np.inf), "positive": (0.0, np.inf), "interval": (-1.0, 4.0)}[prior.support]
    for outside in (e for e in (lower - 1.0, upper + 1.0) if np.isfinite(e)):
        assert law.pdf(outside) == 0.0
        assert law.logpdf(outside) == -np.inf


@pytest.mark.parametrize("name", CDFS)
def test_densities_at_the_ends_are_numbers_or_infinite(name):
    ends = [end for end in prior_law(made(name)).support() if np.isfinite(end)]
    values = density_at(prior_law(made(name)), np.array([*ends, 1.0]))
    assert (values >= 0.0).all()


def test_a_density_without_bound_is_infinite_at_its_end():
    unbounded = prior_law(prior_from_dict({"dist": "gamma", "alpha": 0.5, "beta": 1}))
    assert density_at(unbounded, np.array([0.0]))[0] == np.inf


def test_the_inverse_gamma_vanishes_at_zero():
    assert density_at(prior_law(InverseGamma(3, 2)), np.array([0.0]))[0] == 0.0


def test_draws_without_a_finite_size_are_cut():
    draws = sample_prior(InverseGamma(0.001, 0.001), np.random.default_rng(1), 1000)
    assert draws.max() == LARGEST
    assert np.isfinite(draws).all()


@pytest.mark.parametrize(("size", "eta"), [(2, 1.0), (2, 3.0), (4, 0.5)])
def test_correlations_have_a_beta_law_on_their_interval(size, eta):
    law = correlation_law(LKJ(eta), size)
    shape = eta - 1 + size / 2
    assert law.support() == (-1.0, 1.0)
    np.testing.assert_allclose(law.pdf(np.array([-0.4, 0.7])), stats.beta(shape, shape).pdf([0.3, 0.85]) / 2, rtol=ALGEBRAIC)
    assert law.ppf(0.3) == pytest.approx(correlation_quantile(LKJ(eta), size, 0.3), rel=ALGEBRAIC)


def test_a_matrix_prior_is_no_law_of_one_number():
    with pytest.raises(PriorError, match="one number"):
        prior_law(LKJ(2))
    with pytest.raises(PriorError, match="one number"):
        sample_prior(LKJ(2), np.random.default_rng(1), 3)
