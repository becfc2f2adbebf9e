"""Checks on the draws that a report adds to those of the fit."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from arviz_stats.base import array_stats

from bayesglmm.fit.quality import ESS_LIMITS, RHAT_UNUSABLE
from bayesglmm.reporting import computation, convergence
from bayesglmm.reporting.computation import NEEDED, section
from bayesglmm.reporting.convergence import quantile_ess
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import MODELS, check_of, context_of, entries_of
from tests.tolerances import REFERENCE

NAMES = "chains rhat ess_bulk ess_tail mcse divergences depth bfmi acceptance"
MORE = "stats_complete ess_limits rank_ecdf nested_rhat derived"
IDS = {f"mcmc.{name}" for name in f"{NAMES} {MORE}".split()}


def fit_of(**options):
    return make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", **{"n_chains": 4, "n_draws": 400, **options})


def with_draws(fit, change):
    """The fit with other posterior draws."""
    groups = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    return replace(fit, idata=xr.DataTree.from_dict({**groups, "posterior": change(groups["posterior"])}))


def with_statistics(fit, change):
    groups = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    return replace(fit, idata=xr.DataTree.from_dict({**groups, "sample_stats": change(groups["sample_stats"])}))


@pytest.mark.parametrize("name", MODELS)
def test_every_check_is_there_once(name):
    found = section(context_of(MODELS[name]()))
    assert len(entries_of(found)) == len(found.entries)
    assert set(entries_of(found)) == IDS


def test_good_draws_pass():
    found = section(context_of(fit_of()))
    for name in ("rank_ecdf", "derived", "stats_complete", "ess_limits"):
        check = check_of(found, f"mcmc.{name}")
        assert check.verdict == "ok", check
    assert found.verdict == "ok"


def test_the_checks_of_the_fit_are_shown_as_they_are():
    fit = fit_of()
    shown = {e.check for e in section(context_of(fit)).entries}
    assert shown >= {c for c in fit.quality.checks if c.id.startswith("mcmc.")}
    assert all(e.source for e in section(context_of(fit)).entries if e.check in fit.quality.checks)


@pytest.mark.parametrize("prob", [0.025, 0.5, 0.975])
def test_the_size_of_a_quantile_is_that_of_arviz(prob):
    draws = np.random.default_rng(1).normal(size=(4, 300, 2)).cumsum(axis=1)
    draws[..., 1] = np.random.default_rng(2).normal(size=(4, 300))
    expected = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="quantile", prob=prob)
    np.testing.assert_allclose(quantile_ess(draws, prob), expected, rtol=REFERENCE)


def test_few_draws_do_not_tell_interval_ends():
    check = check_of(section(context_of(fit_of(n_draws=100))), "mcmc.ess_limits")
    assert check.verdict == "attention"
    assert 0 < check.value < ESS_LIMITS


def test_a_chain_apart_leaves_the_envelope_and_spoils_what_is_derived():
    def move(posterior):
        step = xr.DataArray([0.0, 0.0, 0.0, 0.5], dims="chain")
        return posterior.assign(Intercept=posterior["Intercept"] + step)

    found = section(context_of(with_draws(fit_of(), move)))
    ranks, derived = check_of(found, "mcmc.rank_ecdf"), check_of(found, "mcmc.derived")
    assert (ranks.verdict, derived.verdict) == ("attention", "do not use")
    assert "1 of 3 parameters" in ranks.detail
    assert "Intercept" in ranks.detail
    assert derived.value > RHAT_UNUSABLE


def test_draws_that_never_move_pass_nothing():
    found = section(context_of(fit_of(spread=0.0, n_draws=40)))
    for name in ("ess_limits", "rank_ecdf", "derived"):
        entry = entries_of(found)[f"mcmc.{name}"]
        assert (entry.check.verdict, entry.required) == ("not run", True)
    assert found.verdict == "attention"


@pytest.mark.parametrize("draws", [1, 3])
def test_hardly_any_draws(draws):
    found = section(context_of(fit_of(n_draws=draws)))
    for name in ("ess_limits", "rank_ecdf", "derived"):
        assert check_of(found, f"mcmc.{name}").verdict == "not run"


def test_one_chain():
    assert check_of(section(context_of(fit_of(n_chains=1))), "mcmc.rank_ecdf").verdict == "not run"


@pytest.mark.parametrize("name", NEEDED)
def test_a_statistic_that_is_missing_is_named_and_counts(name):
    fit = with_statistics(fit_of(n_draws=30), lambda s: s.drop_vars(name))
    entry = entries_of(section(context_of(fit)))["mcmc.stats_complete"]
    assert (entry.check.verdict, entry.required) == ("not run", True)
    assert name in entry.check.detail


def test_where_divergent_draws_lie():
    fit = fit_of(n_draws=50)
    sd = fit.posterior["1|g_sigma"].to_numpy()
    fit = with_statistics(fit, lambda s: s.assign(diverging=(("chain", "draw"), sd < np.quantile(sd, 0.05))))
    (grid,) = section(context_of(fit)).blocks
    assert grid.rows[0][0] == "log 1|g_sigma"
    assert grid.rows[0][1] < -1.0
    assert section(context_of(fit_of(n_draws=50))).blocks == ()


def test_a_bad_run_is_bad_in_the_report():
    fit = fit_of(n_draws=50)
    bad = tuple(replace(c, verdict="do not use") if c.id == "mcmc.rhat" else c for c in fit.quality.checks)
    fit = replace(fit, quality=replace(fit.quality, checks=bad))
    assert section(context_of(fit)).verdict == "do not use"


def test_modules_say_which_rules_they_use():
    assert {c.id for c in fit_of(n_draws=2).quality.checks} <= IDS | {"prov.complete"}
    assert set(computation.SOURCES) <= IDS
    assert {convergence.ESS_ENDS.id, convergence.RANKS.id, convergence.DERIVED.id} <= IDS
