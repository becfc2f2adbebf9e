"""The parameter table."""

from dataclasses import replace

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.fit import diagnostics
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC


def test_every_parameter_once_with_its_kind():
    frame = bg.summary(crossed_fit()).table
    assert frame.index.tolist() == ["Intercept", "x", "drug[b]", "drug[c]", "1|g_sigma", "x|g_sigma", "1|h_sigma", "g_corr[1, x]"]
    assert frame["kind"].tolist() == ["fixed"] * 4 + ["sd"] * 3 + ["cor"]
    assert "sigma" in bg.summary(make_fit("y ~ x + (1 | g)", table())).table.index


def test_numbers_are_those_of_the_draws():
    fit = crossed_fit()
    frame, draws = bg.summary(fit, ci_prob=0.5).table, parameters(fit)
    np.testing.assert_allclose(frame["mean"].iloc[:4], draws.beta.mean(axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(frame.loc["1|h_sigma", "ci_upper"], np.quantile(draws.groups[1].sd, 0.75), rtol=ALGEBRAIC)
    np.testing.assert_allclose(frame.loc["g_corr[1, x]", "median"], np.median(draws.groups[0].corr[:, 1, 0]), rtol=ALGEBRAIC)


def test_diagnostics_are_those_of_the_chains():
    fit = crossed_fit(n_draws=100)
    frame, values = bg.summary(fit).table, bg.summary(fit).draws["value"].to_numpy()
    np.testing.assert_array_equal(frame["r_hat"], diagnostics.rhat(values))
    np.testing.assert_array_equal(frame["ess_bulk"], diagnostics.ess_bulk(values))
    np.testing.assert_array_equal(frame["mcse_mean"], diagnostics.mcse_mean(values))


def test_too_few_draws_have_no_diagnostics():
    frame = bg.summary(crossed_fit(n_draws=3)).table
    assert frame[["mcse_mean", "ess_bulk", "ess_tail", "r_hat"]].isna().all(axis=None)
    assert np.isfinite(frame["mean"]).all()


def test_fixed_effects_are_named_subject_specific():
    assert "subject-specific" in bg.summary(crossed_fit()).target
    assert "no grouping factor" in bg.summary(make_fit("y ~ x", table())).target


def test_verdict_and_partial_run_are_noted():
    fit = crossed_fit()
    assert "Verdict on the run: ok." in bg.summary(fit).notes
    settings = replace(fit.provenance.settings, draws=1000)
    partial = replace(fit, provenance=replace(fit.provenance, settings=settings))
    assert "Partial run: 2 chains of 20 draws, asked for were 2 of 1000." in bg.summary(partial).notes


def test_interval_kind_is_checked():
    with pytest.raises(ValueError, match="ci_kind"):
        bg.summary(crossed_fit(), ci_kind="bci")
