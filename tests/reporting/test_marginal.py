"""One subject beside the population, judged: factors, ranges, shares and integrals with known values."""

import numpy as np
import pytest
from scipy.special import ndtri

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.quality import QUADRATURE_ERROR
from bayesglmm.reporting import curves, marginal
from bayesglmm.reporting.marginal import RULES, section
from bayesglmm.reporting.records import Image, Numbers
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import DRAWS, MODELS, check_of, context_of, entries_of, keeps_the_rules, sketch
from tests.tolerances import ALGEBRAIC


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(marginal, "picture", sketch)
    monkeypatch.setattr(curves, "picture", sketch)


IDS = tuple(rule.id for rule in RULES)
FIXED = {"spread": 0.0, "n_chains": 1, "n_draws": 4}
BINARY = {"family": "bernoulli", "beta": {"Intercept": 0.3, "x": 0.8}}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_every_check(name):
    keeps_the_rules(section(context_of(MODELS[name]())), IDS)


def test_the_factor_of_a_probit_model_is_exact():
    fit = make_fit("zero_one ~ x + (1 | g)", table(), link="probit", sd=1.5, **BINARY, **FIXED)
    check = check_of(section(context_of(fit)), "marg.side")
    assert check.value == pytest.approx(np.sqrt(1.0 + 1.5**2), rel=ALGEBRAIC)
    assert check.verdict == "ok"
    assert "Both targets" in check.detail


def test_under_the_identity_link_the_two_are_one():
    fit = make_fit("y ~ x + (1 | g)", table(), beta={"x": 0.5}, **FIXED)
    assert check_of(section(context_of(fit)), "marg.side").value == pytest.approx(1.0, rel=ALGEBRAIC)


def test_both_targets_stand_in_one_table():
    made = section(context_of(make_fit("zero_one ~ x + (1 | g)", table(), sd=1.5, **BINARY, **DRAWS)))
    tables = [b.result.table for b in made.blocks if isinstance(b, Numbers)]
    assert any({"subject_specific", "marginal"} <= set(t.columns) for t in tables)
    assert any({"average_subject", "population"} <= set(t["quantity"]) for t in tables if "quantity" in t.columns)


def test_the_interval_of_the_mean_and_the_range_of_subjects_are_two():
    fit = make_fit("zero_one ~ 1 + (1 | g)", table(), family="bernoulli", sd=1.0, beta={"Intercept": 0.0}, **FIXED)
    detail = check_of(section(context_of(fit)), "marg.intervals").detail
    ends = [f"{1.0 / (1.0 + np.exp(sign * ndtri(0.975))):.3g}" for sign in (1.0, -1.0)]
    assert "95 % interval 0.5 to 0.5" in detail
    assert f"95 % of subjects are in {ends[0]} to {ends[1]}" in detail


@pytest.mark.parametrize(("spread_of_slopes", "both"), [(2.0, True), (0.1, False)])
def test_slopes_of_both_signs_are_told_with_the_share_of_the_other_sign(spread_of_slopes, both):
    fit = make_fit("zero_one ~ x + (x | g)", table(), sd=[0.5, spread_of_slopes], **BINARY, **FIXED)
    made = section(context_of(fit))
    check = check_of(made, "marg.hetero")
    assert (check.verdict, check.value) == ("ok", float(both))
    low, high = (0.8 + sign * ndtri(0.975) * spread_of_slopes for sign in (-1.0, 1.0))
    assert (f"{low:.3g} to {high:.3g}" in check.detail) == both
    assert any("other sign" in b.result.title for b in made.blocks if isinstance(b, Numbers))


def test_random_slopes_of_a_factor_are_compared_with_its_reference():
    fit = make_fit("y ~ drug + (drug | g)", table(), beta={"drug[b]": 0.1, "drug[c]": 9.0}, sd=[0.5, 1.0, 1.0], **FIXED)
    check = check_of(section(context_of(fit)), "marg.hetero")
    assert check.value == 1.0
    assert check.verdict == "attention"


def test_with_random_intercepts_alone_all_subjects_change_alike():
    made = section(context_of(make_fit("zero_one ~ x + (1 | g)", table(), **BINARY, **DRAWS)))
    assert check_of(made, "marg.hetero").verdict == "not run"
    assert not entries_of(made)["marg.hetero"].required


def test_the_share_of_variance_is_known():
    fit = make_fit("y ~ x + (1 | g)", table(), sd=2.0, aux={"sigma": 1.0}, **FIXED)
    check = check_of(section(context_of(fit)), "marg.vpc")
    assert check.value == pytest.approx(0.8, rel=ALGEBRAIC)
    assert check.verdict == "ok"


def test_the_range_of_the_share_of_variance_is_that_of_its_draws():
    """The SD alone varies, the residual variance is that of the logistic distribution: draws of the total, not of residual or factors."""
    fit = make_fit("zero_one ~ x + (1 | g)", table(), sd=1.5, **BINARY, spread=0.1, n_chains=1, n_draws=40)
    variance = np.square(fit.posterior["1|g_sigma"].to_numpy())
    share = variance / (variance + np.pi**2 / 3.0)
    check = check_of(section(context_of(fit)), "marg.vpc")
    assert f"median {np.median(share):.3g}; its draws from {share.min():.3g} to {share.max():.3g}." in check.detail


def test_without_effects_the_share_with_the_other_sign_is_not_said_to_be_quoted(monkeypatch):
    def refuse(*args, **options):
        raise ArgumentError("the fit keeps no random effects")

    fit = make_fit("zero_one ~ x + (x | g)", table(), sd=[0.5, 2.0], **BINARY, **FIXED)
    assert "x: the share with the other sign is quoted below." in check_of(section(context_of(fit)), "marg.hetero").detail
    monkeypatch.setattr(marginal, "opposite_slopes", refuse)
    check = check_of(section(context_of(fit)), "marg.hetero")
    assert check.verdict == "attention"
    assert "x: the share with the other sign is not quoted below." in check.detail
    assert "below" not in check.threshold


def test_the_median_ratio_of_two_levels_is_known():
    fit = make_fit("zero_one ~ x + (1 | g)", table(), sd=0.7, **BINARY, **FIXED)
    check = check_of(section(context_of(fit)), "marg.mor")
    assert check.value == pytest.approx(np.exp(np.sqrt(2.0) * ndtri(0.75) * 0.7), rel=ALGEBRAIC)
    made = section(context_of(make_fit("y ~ x + (1 | g)", table(), **FIXED)))
    assert check_of(made, "marg.mor").verdict == "not run"
    assert not entries_of(made)["marg.mor"].required


def test_integrals_are_done_twice():
    fit = make_fit("zero_one ~ x + (1 | g)", table(), sd=4.0, **BINARY, **DRAWS)
    check = check_of(section(context_of(fit)), "marg.quadrature")
    assert 0.0 < check.value <= QUADRATURE_ERROR
    assert check.verdict == "ok"
    closed = check_of(section(context_of(make_fit("y ~ x + (1 | g)", table(), **DRAWS))), "marg.quadrature")
    assert closed.value == 0.0
    assert "Closed form" in closed.detail


def test_without_a_grouping_factor_everything_says_so_and_counts_as_nothing():
    made = section(context_of(MODELS["no groups"]()))
    assert {e.check.verdict for e in made.entries} == {"not run"}
    assert made.verdict == "ok"
    assert len([b for b in made.blocks if isinstance(b, Numbers)]) == 1


def test_curves_go_along_the_first_number():
    made = section(context_of(make_fit("y ~ drug + x + (x | g)", table(), sd=[1.0, 0.5], **DRAWS)))
    alts = [b.alt for b in made.blocks if isinstance(b, Image)]
    assert any("Means along x" in alt for alt in alts)
    assert any("Implied covariance" in alt for alt in alts)
    made = section(context_of(MODELS["probit"]()))
    assert any("Means along drug" in b.alt for b in made.blocks if isinstance(b, Image))


def test_a_model_without_covariates_says_that_there_are_no_curves():
    check = check_of(section(context_of(MODELS["no covariate, trials"]())), "marg.side.curves")
    assert check.verdict == "not run"
    assert "no covariate" in check.detail
