"""Parameters, group effects and how far posteriors moved from their priors, judged."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.fit.quality import PRIOR_OVERLAP
from bayesglmm.reporting import posterior
from bayesglmm.reporting.posterior import section
from bayesglmm.reporting.records import Image, Numbers, Pairs
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.reporting.models import DRAWS, MODELS, check_of, context_of, keeps_the_rules, sketch


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    monkeypatch.setattr(posterior, "picture", sketch)


IDS = ("post.table", "post.forest", "post.re_qq", "post.sd_prior", "post.corr", "post.decision", "post.names")
LARGE = {"n_chains": 4, "n_draws": 500}


def made_with(fit, **draws):
    """The section of a fit whose draws of some variables are replaced."""
    for name, values in draws.items():
        variable = fit.idata["posterior"][name]
        variable.values[:] = values.reshape(variable.shape)
    return section(context_of(fit))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_every_check(name):
    keeps_the_rules(section(context_of(MODELS[name]())), IDS)


def test_the_table_has_both_levels_and_the_simulation_error():
    made = section(context_of(crossed_fit(**DRAWS)))
    wide, narrow = [b.result for b in made.blocks if isinstance(b, Numbers)][:2]
    assert (wide.interval.prob, narrow.interval.prob) == (0.95, 0.89)
    assert (wide.interval.kind, narrow.interval.kind) == ("eti", "eti")
    assert {"mcse_mean", "ess_bulk", "ess_tail", "r_hat"} <= set(wide.table.columns)
    assert list(narrow.table.index) == list(wide.table.index)
    assert (narrow.table["ci_lower"] > wide.table["ci_lower"]).all()
    assert (narrow.table["ci_upper"] < wide.table["ci_upper"]).all()


def test_every_factor_is_drawn_and_listed():
    made = section(context_of(crossed_fit(**DRAWS)))
    assert check_of(made, "post.forest").value == 24.0
    for factor in ("g", "h"):
        assert any(f"random effects of {factor}," in b.alt for b in made.blocks if isinstance(b, Image))


def test_many_levels_are_not_listed_but_named(monkeypatch):
    monkeypatch.setattr(posterior, "MOST_LEVELS", 10)
    made = section(context_of(crossed_fit(**DRAWS)))
    assert "Not listed: g (20 levels)" in check_of(made, "post.forest").detail
    assert not any("random effects of g," in b.alt for b in made.blocks if isinstance(b, Image))
    assert any("random effects of h," in b.alt for b in made.blocks if isinstance(b, Image))


@pytest.mark.parametrize(("like_prior", "verdict"), [(True, "attention"), (False, "ok")])
def test_an_sd_whose_posterior_is_its_prior_is_barely_identified(like_prior, verdict):
    fit = make_fit("y ~ x + (1 | g)", table(), priors={"sd": bg.HalfNormal(1.0)}, **LARGE)
    draws = np.abs(np.random.default_rng(1).normal(size=2000)) if like_prior else np.random.default_rng(1).normal(2.5, 0.05, size=2000)
    check = check_of(made_with(fit, **{"1|g_sigma": draws}), "post.sd_prior")
    assert check.verdict == verdict
    assert (check.value > PRIOR_OVERLAP) == like_prior
    assert "1|g_sigma" in check.detail
    assert ("Mode at zero" in check.detail) == like_prior
    assert "singular" not in f"{check.detail} {check.meaning} {check.remedy}"


def test_a_mode_at_zero_is_enough():
    fit = make_fit("y ~ x + (1 | g)", table(), priors={"sd": bg.HalfNormal(10.0)}, **LARGE)
    draws = np.abs(np.random.default_rng(1).normal(size=2000))
    check = check_of(made_with(fit, **{"1|g_sigma": draws}), "post.sd_prior")
    assert check.value < PRIOR_OVERLAP
    assert check.verdict == "attention"
    assert "Mode at zero: 1|g_sigma" in check.detail


@pytest.mark.parametrize(("like_prior", "verdict"), [(True, "attention"), (False, "ok")])
def test_a_correlation_whose_posterior_is_its_prior_has_not_been_learned(like_prior, verdict):
    fit = make_fit("y ~ x + (x | g)", table(), sd=[2.5, 2.5], priors={"cor": bg.LKJ(1)}, **LARGE)
    rng = np.random.default_rng(2)
    rho = rng.uniform(-1.0, 1.0, 2000) if like_prior else rng.normal(0.7, 0.02, 2000)
    matrices = np.stack([np.stack([np.ones(2000), rho], axis=1), np.stack([rho, np.ones(2000)], axis=1)], axis=1)
    check = check_of(made_with(fit, g_corr=matrices), "post.corr")
    assert check.verdict == verdict
    assert (check.value > PRIOR_OVERLAP) == like_prior


def test_without_a_correlation_its_check_counts_as_nothing():
    made = section(context_of(make_fit("y ~ x + (1 | g)", table(), **DRAWS)))
    assert check_of(made, "post.corr").verdict == "not run"
    assert "no correlation" in check_of(made, "post.corr").detail


@pytest.mark.parametrize(("two_kinds", "verdict"), [(True, "attention"), (False, "ok")])
def test_effects_of_two_kinds_leave_the_normal_band(two_kinds, verdict):
    data = table(360)
    normal = np.sort(np.random.default_rng(5).normal(size=60))
    b = np.where(np.arange(60) < 30, -1.0, 1.0) if two_kinds else normal
    fit = make_fit("y ~ x + (1 | g)", data, sd=1.0, b=b[:, None], **DRAWS)
    check = check_of(section(context_of(fit)), "post.re_qq")
    assert check.verdict == verdict
    assert "1 of g" in check.detail


def test_no_decision_is_drawn_and_signs_are_shares_of_draws():
    fit = make_fit("y ~ x + (1 | g)", table(), beta={"Intercept": 0.0, "x": 9.0}, **DRAWS)
    made = section(context_of(fit))
    assert check_of(made, "post.decision").verdict == "not run"
    (signs,) = [dict(b.rows) for b in made.blocks if isinstance(b, Pairs)]
    share = float((fit.posterior["Intercept"].to_numpy() > 0.0).mean())
    assert 0.0 < share < 1.0
    assert signs == {"Intercept": f"{share:.3f}", "x": "all of 200 draws"}


def test_the_intercept_is_that_of_the_formula():
    check = check_of(section(context_of(make_fit("y ~ x + (1 | g)", table(), **DRAWS))), "post.names")
    assert check.verdict == "ok"
    assert "columns of the design at zero" in check.detail
    assert "prior was set with every column at its mean" in check.detail
    assert check_of(section(context_of(MODELS["no intercept"]())), "post.names").verdict == "not run"


def test_a_fit_without_effects_says_so_and_keeps_the_rest():
    fit = make_fit("y ~ x + (1 | g)", table(), **DRAWS)
    del fit.idata["posterior"]["1|g"]
    made = section(context_of(fit))
    for check_id in ("post.forest", "post.re_qq"):
        assert check_of(made, check_id).verdict == "not run"
        assert "no draws of the random effects" in check_of(made, check_id).detail
    assert made.verdict == "attention"
    assert check_of(made, "post.table").verdict == "ok"
