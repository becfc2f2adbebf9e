"""What the priors say about the response, judged."""

import pytest

import bayesglmm as bg
from bayesglmm.fit.quality import IMPLIED_FOLD, IMPOSSIBLE_SHARE, SATURATED_SHARE
from bayesglmm.post.prior_checks import prior_checks
from bayesglmm.reporting.prior import DRAWS, section
from bayesglmm.reporting.records import Numbers
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import MODELS, check_of, context_of, keeps_the_rules

IDS = ("prior.saturated", "prior.impossible", "prior.implied_sd", "prior.table")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_every_check(name):
    made = section(context_of(MODELS[name]()))
    keeps_the_rules(made, IDS)
    assert [b.result.target.partition(":")[0] for b in made.blocks if isinstance(b, Numbers)] == ["prior"]


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, "ok"), (50.0, "attention")])
def test_a_wide_intercept_saturates_probabilities(scale, verdict):
    fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", priors={"intercept": bg.Normal(0, scale)})
    check = check_of(section(context_of(fit)), "prior.saturated")
    assert check.verdict == verdict
    assert (check.value > SATURATED_SHARE) == (verdict == "attention")
    assert check.value == prior_checks(fit, draws=DRAWS, seed=3).saturated


@pytest.mark.parametrize(("scale", "verdict"), [(0.5, "ok"), (50.0, "attention")])
def test_a_wide_intercept_makes_impossible_counts(scale, verdict):
    priors = {"intercept": bg.Normal(1, scale), "b": bg.Normal(0, 0.2), "sd": bg.HalfNormal(0.3)}
    fit = make_fit("count ~ x + (1 | g)", table(), family="poisson", priors=priors)
    made = section(context_of(fit))
    check = check_of(made, "prior.impossible")
    assert check.verdict == verdict
    assert (check.value > IMPOSSIBLE_SHARE) == (verdict == "attention")
    assert "Plausible" in check.detail
    assert check_of(made, "prior.saturated").verdict == "not run"


@pytest.mark.parametrize(("scale", "verdict"), [(0.5, "ok"), (20.0, "attention")])
def test_a_wide_prior_of_the_sd_makes_subjects_differ_a_hundredfold(scale, verdict):
    fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", priors={"sd": bg.HalfNormal(scale)})
    check = check_of(section(context_of(fit)), "prior.implied_sd")
    assert check.verdict == verdict
    assert (check.value > IMPLIED_FOLD) == (verdict == "attention")


def test_what_a_gaussian_model_does_not_have_counts_as_nothing():
    made = section(context_of(make_fit("y ~ x + (1 | g)", table())))
    for check_id in ("prior.saturated", "prior.implied_sd"):
        assert check_of(made, check_id).verdict == "not run"
    assert made.verdict == "ok"


def test_the_same_seed_gives_the_same_numbers():
    fit = MODELS["crossed logit"]()
    one, two = (section(context_of(fit)) for _ in range(2))
    assert [e.check for e in one.entries] == [e.check for e in two.entries]
