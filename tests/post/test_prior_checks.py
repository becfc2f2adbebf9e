"""What priors say that cannot be: saturated probabilities, impossible responses, how different subjects are."""

import numpy as np
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.design.prepare import family_and_link, prepare
from bayesglmm.errors import ArgumentError
from bayesglmm.post.prior_checks import prior_checks
from bayesglmm.spec.model_spec import make_spec
from tests.fits import make_fit
from tests.post.makers import table
from tests.tolerances import MCSE_MULTIPLE


def checked(formula, family, priors=None, *, draws=1000, link=None):
    record, function = family_and_link(family, link)
    return prior_checks(prepare(make_spec(formula, family=record.name, link=function.name, priors=priors or {}), table()), draws=draws)


@pytest.mark.parametrize("given", ["x", None, 3])
def test_what_has_no_priors_is_refused(given):
    with pytest.raises(ArgumentError, match="a Fit is needed"):
        prior_checks(given)


@pytest.mark.parametrize(("link", "scale"), [("logit", np.log(99.0)), ("probit", stats.norm.ppf(0.99)), ("cauchit", np.tan(np.pi * 0.49))])
def test_saturated_is_the_mass_beyond_one_and_ninety_nine_percent(link, scale):
    """Intercept and SD nearly fixed: the predictor is N(0, 1 + 2^2), and the links are symmetric."""
    priors = {"intercept": bg.Normal(0, 1), "sd": bg.Uniform(2.0, 2.000001)}
    found = checked("zero_one ~ 1 + (1 | g)", "bernoulli", priors, link=link, draws=4000).saturated
    expected = 2 * stats.norm.sf(scale / np.sqrt(5.0))
    # the mean over draws of a share between 0 and 1 with this mean has at most a binomial standard error
    assert abs(found - expected) < MCSE_MULTIPLE * np.sqrt(expected * (1 - expected) / 4000)


def test_an_asymmetric_link_counts_both_ends():
    priors = {"intercept": bg.Uniform(-6.000001, -6.0)}
    assert checked("zero_one ~ 1", "bernoulli", priors, link="cloglog").saturated == 1.0
    priors = {"intercept": bg.Uniform(1.6, 1.600001)}
    assert checked("zero_one ~ 1", "bernoulli", priors, link="cloglog").saturated == 1.0
    priors = {"intercept": bg.Uniform(0.0, 0.000001)}
    assert checked("zero_one ~ 1", "bernoulli", priors, link="cloglog").saturated == 0.0


@pytest.mark.parametrize(("formula", "family"), [("y ~ x + (1 | g)", "gaussian"), ("count ~ x + (1 | g)", "poisson")])
def test_means_that_are_no_probabilities_do_not_saturate(formula, family):
    assert checked(formula, family).saturated is None


def test_the_fold_is_the_median_ratio_of_two_subjects():
    priors = {"sd": bg.Uniform(0.999999, 1.000001)}
    found = checked("count ~ x + (1 | g)", "poisson", priors)
    assert found.implied_fold == pytest.approx(np.exp(np.sqrt(2.0) * stats.norm.ppf(0.75)), rel=1e-5)
    assert found.fold_of == "ratios of means"
    assert checked("zero_one ~ x + (1 | g)", "bernoulli").fold_of == "odds ratios"
    probit = ("zero_one ~ x + (1 | g)", "bernoulli", "probit")
    for formula, family, link in (("y ~ x + (1 | g)", "gaussian", None), probit, ("count ~ x", "poisson", None)):
        without = checked(formula, family, link=link)
        assert without.implied_fold is None
        assert without.fold_of is None


def test_the_fold_is_at_the_prior_median():
    """Half-normal SDs: the median of the SD is 0.6745 times its scale."""
    found = checked("count ~ 1 + (1 | g)", "poisson", {"sd": bg.HalfNormal(2.0)}, draws=20_000)
    median = 2.0 * stats.halfnorm.ppf(0.5)
    error = 0.5 / (stats.halfnorm(0, 2).pdf(median) * np.sqrt(20_000))  # of a sample median
    assert abs(np.log(found.implied_fold) / (np.sqrt(2.0) * stats.norm.ppf(0.75)) - median) < MCSE_MULTIPLE * error


def test_impossible_counts_new_responses_outside_the_plausible_range():
    y = table()["y"]
    width = y.max() - y.min()
    edge = y.max() + 10 * width
    priors = {"intercept": bg.Uniform(edge, edge + 1e-6), "sigma": bg.Uniform(1.0, 1.000001)}
    found = checked("y ~ 1", "gaussian", priors)
    assert abs(found.impossible - 0.5) < MCSE_MULTIPLE * 0.5 / np.sqrt(120 * 1000)
    assert f"{edge:.4g}" in found.plausible
    tight = {"intercept": bg.Normal(0, 1), "sigma": bg.Exponential(1), "b": bg.Normal(0, 0.1)}
    assert checked("y ~ x", "gaussian", tight).impossible == 0.0


def test_counts_may_be_a_thousand_times_the_largest():
    largest = table()["count"].max()
    low, high = ({"intercept": bg.Uniform(v, v + 1e-6)} for v in np.log([500.0 * largest, 2000.0 * largest]))
    assert checked("count ~ 1", "poisson", low).impossible == 0.0
    assert checked("count ~ 1", "poisson", high).impossible == 1.0
    assert "1000 times the largest" in checked("count ~ 1", "poisson").plausible


def test_a_bounded_family_gives_nothing_impossible():
    found = checked("k | trials(n) ~ x + (1 | g)", "binomial")
    assert found.impossible == 0.0
    assert "every response" in found.plausible


def test_a_fit_and_its_model_are_checked_alike():
    fit = make_fit("zero_one ~ x + (x | g)", table(), family="bernoulli")
    found = prior_checks(fit)
    assert found == checked("zero_one ~ x + (x | g)", "bernoulli")
    assert (found.draws, found.seed) == (1000, 1)
    assert prior_checks(fit, seed=2) != found


def test_impossible_arguments_are_refused():
    with pytest.raises(ArgumentError, match="draws"):
        prior_checks(make_fit("y ~ x", table()), draws=0)
