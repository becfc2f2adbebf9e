"""What the priors say about the response, judged."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayesglmm as bg
from bayesglmm.fit.quality import IMPLIED_FOLD, IMPOSSIBLE_SHARE, PRIOR_OVERLAP, SATURATED_SHARE
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


def with_prior_as_posterior(fit, name, draw):
    """The fit that has learned nothing about one parameter: its draws are the prior's."""
    groups = {key: node.to_dataset() for key, node in fit.idata.children.items()}
    old = groups["posterior"][name]
    changed = groups["posterior"].assign({name: (old.dims, draw(np.random.default_rng(7), old.shape))})
    return replace(fit, idata=xr.DataTree.from_dict({**groups, "posterior": changed}))


MANY = {"n_chains": 4, "n_draws": 500}


@pytest.mark.parametrize(("scale", "wide"), [(1.0, False), (50.0, True)])
def test_a_wide_intercept_saturates_probabilities_and_matters_where_the_data_leave_it_there(scale, wide):
    fit = make_fit("zero_one ~ 1 + (1 | g)", table(), family="bernoulli", priors={"intercept": bg.Normal(0, scale)}, **MANY)
    check = check_of(section(context_of(fit)), "prior.saturated")
    assert (check.verdict, check.value > SATURATED_SHARE) == ("ok", wide)
    assert ("the data outweigh the priors" in check.detail) == wide
    assert check.value == prior_checks(fit, draws=DRAWS, seed=3).saturated
    unlearned = with_prior_as_posterior(fit, "Intercept", lambda rng, shape: scale * rng.standard_normal(shape))
    check = check_of(section(context_of(unlearned)), "prior.saturated")
    assert check.verdict == ("attention" if wide else "ok")
    assert ("the data hardly moved it" in check.detail) == wide


@pytest.mark.parametrize(("scale", "wide"), [(0.5, False), (50.0, True)])
def test_a_wide_intercept_makes_impossible_counts_and_matters_where_the_data_leave_it_there(scale, wide):
    priors = {"intercept": bg.Normal(1, scale), "sd": bg.HalfNormal(0.3)}
    fit = make_fit("count ~ 1 + (1 | g)", table(), family="poisson", priors=priors, **MANY)
    made = section(context_of(fit))
    check = check_of(made, "prior.impossible")
    assert (check.verdict, check.value > IMPOSSIBLE_SHARE) == ("ok", wide)
    assert "Plausible" in check.detail
    assert check_of(made, "prior.saturated").verdict == "not run"
    unlearned = with_prior_as_posterior(fit, "Intercept", lambda rng, shape: 1.0 + scale * rng.standard_normal(shape))
    assert check_of(section(context_of(unlearned)), "prior.impossible").verdict == ("attention" if wide else "ok")


def test_an_sd_that_is_not_learned_counts_as_the_intercept_does():
    fit = make_fit("zero_one ~ 1 + (1 | g)", table(), family="bernoulli", priors={"sd": bg.HalfNormal(50.0)}, **MANY)
    assert check_of(section(context_of(fit)), "prior.saturated").verdict == "ok"
    unlearned = with_prior_as_posterior(fit, "1|g_sigma", lambda rng, shape: np.abs(50.0 * rng.standard_normal(shape)))
    check = check_of(section(context_of(unlearned)), "prior.saturated")
    assert check.verdict == "attention"
    assert "1|g_sigma" in check.detail


def test_draws_that_do_not_vary_prove_nothing():
    priors = {"intercept": bg.Normal(0, 50.0)}
    fit = make_fit("zero_one ~ 1 + (1 | g)", table(), family="bernoulli", priors=priors, spread=0.0)
    check = check_of(section(context_of(fit)), "prior.saturated")
    assert check.verdict == "attention"
    assert "no overlap" in check.detail


def test_without_intercept_and_sds_the_slopes_are_asked():
    priors = {"b": bg.Normal(0, 50.0)}
    fit = make_fit("zero_one ~ 0 + drug", table(), family="bernoulli", priors=priors, **MANY)
    assert check_of(section(context_of(fit)), "prior.saturated").verdict == "ok"
    unlearned = with_prior_as_posterior(fit, "drug", lambda rng, shape: 50.0 * rng.standard_normal(shape))
    assert check_of(section(context_of(unlearned)), "prior.saturated").verdict == "attention"


def test_the_rule_is_written_where_it_is_read():
    made = section(context_of(MODELS["crossed logit"]()))
    for check_id in ("prior.saturated", "prior.impossible"):
        assert f"overlap theirs by <= {PRIOR_OVERLAP:g}" in check_of(made, check_id).threshold


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
