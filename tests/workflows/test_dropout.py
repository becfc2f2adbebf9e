"""The simulation of drop-out: its data, its truth, its arithmetic, and (slow) what it is there to show.

The slow tests: ``.venv/bin/pytest tests/workflows/test_dropout.py -m slow``.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.workflows import dropout as module
from bayesglmm.workflows.dropout import COEFFICIENTS, ESTIMATORS, GAUSSIAN, Scenario, dropout, simulate, true_coefficients
from tests.fits import make_fit
from tests.tolerances import ALGEBRAIC

LARGE = Scenario(n_subjects=40_000)


def visits(scenario, seed=1):
    frame, seen = simulate(scenario, np.random.default_rng(seed))
    shape = (scenario.n_subjects, scenario.visits)
    return frame["y"].to_numpy().reshape(shape), seen.reshape(shape)


def test_chance_to_leave_depends_on_the_last_response_and_on_nothing_before():
    y, seen = visits(LARGE)
    assert seen[:, 0].all()
    assert np.all(seen[:, 1:] <= seen[:, :-1])
    for before in (0, 1):
        for last in (0, 1):
            there = seen[:, 1] & (y[:, 0] == before) & (y[:, 1] == last)
            left, chance = ~seen[there, 2], special.expit(LARGE.leaving[0] + LARGE.leaving[1] * last)
            assert abs(left.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / left.size)


def test_responses_have_the_population_s_mean():
    """Before anybody leaves: at each visit and arm the share of ones is the mean over the random intercepts, by simulation of those."""
    y, _ = visits(LARGE)
    b = LARGE.sd[0] * special.ndtri((np.arange(4000) + 0.5) / 4000)
    for arm in (0, 1):
        for time in range(LARGE.visits):
            expected = special.expit(np.dot(LARGE.beta, [1, time, arm, time * arm]) + b).mean()
            found = y[arm::2, time].mean()
            assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / (LARGE.n_subjects / 2))


def test_truth_in_closed_form():
    np.testing.assert_allclose(true_coefficients(GAUSSIAN), GAUSSIAN.beta, atol=1e-9)
    probit = Scenario(link="probit", sd=(1.5, 0.0))
    np.testing.assert_allclose(true_coefficients(probit), np.array(probit.beta) / np.sqrt(1 + 1.5**2), atol=1e-9)
    counts = Scenario(family="poisson", sd=(0.6, 0.0))
    np.testing.assert_allclose(true_coefficients(counts), np.add(counts.beta, [0.18, 0, 0, 0]), atol=1e-9)
    slopes = Scenario(link="probit", sd=(1.5, 0.4))
    X = module.design_matrix(slopes.design)
    eta = X @ np.array(slopes.beta) / np.sqrt(1 + 1.5**2 + (0.4 * X[:, 1]) ** 2)
    np.testing.assert_allclose(true_coefficients(slopes), np.linalg.lstsq(X, eta, rcond=None)[0], atol=1e-9)


def true_fit(scenario):
    """A stand-in for the sampler: every draw is the truth."""

    def fit(formula, data, *, family, link, **options):
        sd = [s for s in scenario.sd if s > 0.0]
        return make_fit(formula, data, family=family, link=link, beta=scenario.beta, sd=sd, spread=0.0, n_chains=1, n_draws=3)

    return fit


SMALL = Scenario(n_subjects=60, visits=4, sd=(1.5, 0.0))


@pytest.fixture
def small_result(monkeypatch):
    monkeypatch.setattr(module, "glmm", true_fit(SMALL))
    return dropout(SMALL, repeats=4, seed=3)


@pytest.mark.parametrize("scenario", [SMALL, replace(SMALL, sd=(1.5, 0.3), link="probit"), replace(GAUSSIAN, n_subjects=60)])
def test_a_mixed_model_that_knows_the_truth_has_no_bias(monkeypatch, scenario):
    monkeypatch.setattr(module, "glmm", true_fit(scenario))
    table = dropout(scenario, repeats=2).table
    mixed = table[table["estimator"] == "mixed_model"]
    np.testing.assert_allclose(mixed["bias"], 0.0, atol=1e-8)


def test_table_is_the_arithmetic_of_the_draws(small_result):
    table, draws = small_result.table, small_result.draws
    assert list(table["estimator"]) == [e for e in ESTIMATORS for _ in COEFFICIENTS]
    assert dict(draws.sizes) == {"repeat": 4, "estimator": 4, "coefficient": 4}
    row = table[(table["estimator"] == "gee_independence") & (table["coefficient"] == "time")].iloc[0]
    part = draws.sel(estimator="gee_independence", coefficient="time")
    assert row["bias"] == pytest.approx(float(part["estimate"].mean() - part["truth"]), rel=ALGEBRAIC)
    assert row["mc_se"] == pytest.approx(float(part["estimate"].std(ddof=1)) / 2.0, rel=ALGEBRAIC)
    assert row["coverage"] == float(((part["lower"] <= part["truth"]) & (part["truth"] <= part["upper"])).mean())
    assert row["repeats"] == 4
    assert "population" in small_result.target


def test_a_repeat_is_the_same_whatever_their_number(monkeypatch, small_result):
    shorter = dropout(SMALL, repeats=2, seed=3).draws["estimate"]
    np.testing.assert_array_equal(shorter, small_result.draws["estimate"].isel(repeat=slice(2)))
    other = dropout(SMALL, repeats=2, seed=4).draws["estimate"]
    assert not np.allclose(other.sel(estimator="gee_complete"), shorter.sel(estimator="gee_complete"))


def test_the_two_scenarios_are_reached_from_the_public_name(monkeypatch):
    assert bg.Scenario.binary() == Scenario()
    assert bg.Scenario.gaussian() == GAUSSIAN
    scenario = replace(bg.Scenario.gaussian(), n_subjects=60)
    monkeypatch.setattr(module, "glmm", true_fit(scenario))
    assert ", gaussian, 60 subjects" in dropout(scenario, repeats=2).title
    with pytest.raises(ArgumentError, match=r"no Scenario.*Scenario\.gaussian\(\)"):
        dropout("gaussian", repeats=2)


def test_the_notes_name_the_seed(monkeypatch):
    monkeypatch.setattr(module, "glmm", true_fit(SMALL))
    assert "seed 3;" in dropout(SMALL, repeats=2, seed=3).notes[0]
    fresh = dropout(SMALL, repeats=2, seed=None)
    seed = int(re.findall(r"seed (\d+);", fresh.notes[0])[0])
    again = dropout(SMALL, repeats=2, seed=seed)
    np.testing.assert_array_equal(again.draws["estimate"], fresh.draws["estimate"])


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True])
def test_bad_seeds_are_refused(seed):
    with pytest.raises(ArgumentError, match="seed"):
        dropout(SMALL, repeats=2, seed=seed)


def test_marginal_models_without_a_solution_are_counted_not_guessed(monkeypatch):
    real, calls = module.gee, []

    def failing(formula, data, **options):
        calls.append(options["structure"])
        if options["structure"] == "exchangeable" and calls.count("exchangeable") == 1:
            raise DesignError("no solution")
        return real(formula, data, **options)

    monkeypatch.setattr(module, "gee", failing)
    monkeypatch.setattr(module, "glmm", true_fit(SMALL))
    table = dropout(SMALL, repeats=3).table
    assert table[table["estimator"] == "gee_exchangeable"]["repeats"].eq(2).all()
    assert table[table["estimator"] != "gee_exchangeable"]["repeats"].eq(3).all()
    assert table["bias"].notna().all()


def test_two_repeats_with_the_sampler():
    result = dropout(replace(GAUSSIAN, n_subjects=60), repeats=2, draws=100, tune=150)
    mixed = result.draws["estimate"].sel(estimator="mixed_model")
    assert np.isfinite(mixed).all()
    assert (result.draws["lower"] < result.draws["upper"]).all()
    assert any("Verdicts on the runs" in n and "2 " in n for n in result.notes)


@pytest.mark.parametrize(
    ("scenario", "repeats", "error"),
    [
        (Scenario(), 1, ArgumentError),
        (Scenario(), 2.5, ArgumentError),
        (Scenario(visits=1), 2, ArgumentError),
        (Scenario(n_subjects=3), 2, ArgumentError),
        (Scenario(sd=(0.0, 1.0)), 2, ArgumentError),
        (Scenario(sd=(1.0, -1.0)), 2, ArgumentError),
        (Scenario(family="binomial"), 2, ArgumentError),
        (Scenario(family="bernoulli", link="log"), 2, FamilyError),
    ],
)
def test_refusals(scenario, repeats, error):
    with pytest.raises(error):
        dropout(scenario, repeats=repeats)


def in_errors(table, estimator):
    """Biases in units of their Monte Carlo standard errors, by coefficient."""
    part = table[table["estimator"] == estimator].set_index("coefficient")
    return part["bias"] / part["mc_se"]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [Scenario(), GAUSSIAN], ids=["binary", "gaussian"])
def test_drop_out_biases_gee_and_not_the_mixed_model(scenario):
    table = dropout(scenario, repeats=80, seed=1).table
    assert in_errors(table, "gee_independence")["time"] < -3.0, "who is ill leaves, so the others look ever better"
    if scenario.sd[1] > 0.0:
        assert in_errors(table, "gee_exchangeable")["time"] < -3.0, "random slopes make no exchangeable correlation"
    assert in_errors(table, "mixed_model").abs().max() < 3.0
    assert in_errors(table, "gee_complete").abs().max() < 3.0
