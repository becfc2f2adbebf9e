"""Probability integral transforms: their values, that they are uniform under a correct model, and what wrong models do to them."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.numerics.envelope import ecdf_envelope
from bayesglmm.post import linear_predictor
from bayesglmm.post.check_pit import check_pit
from bayesglmm.post.pit import pit_residuals
from tests.fits import make_fit
from tests.post.check_cases import binary_fit, count_fit, exact_fit, exact_pit, false_alarms, gaussian_fit, labels, without_effects
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

COLUMNS = ["at", "difference", "lower", "upper", "outside"]
MAKERS = {
    "gaussian": gaussian_fit,
    "poisson": count_fit,
    "bernoulli": binary_fit,
    "binomial": lambda seed: binary_fit(seed, trials=5),
}


def outside(fit, **options) -> bool:
    return bool(check_pit(fit, **options).table["outside"].any())


def test_with_known_parameters_it_is_the_distribution_function_of_the_family():
    fit = gaussian_fit(1, spread=0.0)
    result = pit_residuals(fit).table
    eta = fit.posterior["1|g"].to_numpy()[0, 0][fit.design.groups[0].index] + fit.design.X @ [0.5, 0.4, 0.0]
    z = fit.design.y - eta
    assert list(result) == ["g", "fitted", "pit", "residual"]
    np.testing.assert_array_equal(result["g"], fit.frame["g"])
    np.testing.assert_allclose(result["fitted"], eta, rtol=ALGEBRAIC)
    np.testing.assert_allclose(result["pit"], special.ndtr(z), rtol=ALGEBRAIC)
    np.testing.assert_allclose(result["residual"], z, rtol=1e-8)  # through the distribution function and back


@pytest.mark.parametrize("name", ["poisson", "bernoulli", "binomial"])
def test_counts_are_spread_over_their_jump(name):
    fit = MAKERS[name](2, spread=0.0) if name != "binomial" else binary_fit(2, trials=5, spread=0.0)
    eta = fit.posterior["1|g"].to_numpy()[0, 0][fit.design.groups[0].index] + fit.design.X @ [0.5, 0.4]
    y, trials = fit.design.y, fit.design.trials
    low, high = (fit.family.cdf(v, eta, fit.link, trials=trials) for v in (y - 1.0, y))
    found = pit_residuals(fit).table["pit"]
    share = (found - low) / (high - low)
    assert share.between(-ALGEBRAIC, 1.0 + ALGEBRAIC).all()
    assert stats.kstest(share, "uniform").pvalue > 1e-6
    assert not found.equals(pit_residuals(fit, seed=2).table["pit"])
    pd.testing.assert_series_equal(found, pit_residuals(fit).table["pit"])


@pytest.mark.parametrize("loo", [True, False])
def test_averages_over_draws_are_those_of_the_exact_posterior(loo):
    """Groups of four rows, 2,000 exact draws: each value has a standard error below 0.5 / sqrt(ESS); the weights of leaving one of four
    normal rows out are worth more than a quarter of the draws."""
    fit = exact_fit(3, groups=50, size=4, draws=2000)
    found = pit_residuals(fit, loo=loo, draws=2000).table["pit"].to_numpy()
    error = np.sqrt(np.mean(np.square(found - exact_pit(fit, loo=loo))))
    assert error < 0.5 / np.sqrt(2000 / 4)
    assert np.sqrt(np.mean(np.square(found - exact_pit(fit, loo=not loo)))) > 2.0 * error


def test_in_small_groups_only_rows_that_are_left_out_are_uniform():
    """A correct model with 400 groups of three rows: with the row itself, values crowd around 1/2."""
    fit = exact_fit(4, groups=400, size=3)
    assert not outside(fit)
    assert outside(fit, loo=False)
    assert np.var(exact_pit(fit, loo=False)) < 0.8 / 12


@pytest.mark.parametrize("name", MAKERS)
def test_a_correct_model_is_inside(name):
    assert false_alarms([outside(MAKERS[name](seed), draws=100) for seed in range(12)])


def test_overdispersed_counts_vary_more_than_predicted():
    """Too many small and too many large values: above the diagonal on the left, below it on the right."""
    found = check_pit(count_fit(5, groups=80, dispersion=1.0)).table
    assert found["difference"].iloc[9] > found["upper"].iloc[9]
    assert found["difference"].iloc[89] < found["lower"].iloc[89]


def test_a_residual_sd_that_is_too_large_is_seen_the_other_way_round():
    fit = gaussian_fit(6)
    wide = make_fit("y ~ x + time + (1 | g)", fit.frame, beta=[0.5, 0.4, 0.0], b=effects(fit), aux={"sigma": 2.0}, spread=0.0)
    found = check_pit(wide).table
    assert found["difference"].iloc[9] < found["lower"].iloc[9]
    assert found["difference"].iloc[89] > found["upper"].iloc[89]


def test_a_missing_shift_is_of_one_sign():
    fit = gaussian_fit(7)
    low = make_fit("y ~ x + time + (1 | g)", fit.frame, beta=[0.0, 0.4, 0.0], b=effects(fit), spread=0.0)
    found = check_pit(low).table
    assert found["outside"].any()
    assert (found.loc[found["outside"], "difference"] < 0.0).all()


def effects(fit) -> np.ndarray:
    return fit.posterior["1|g"].to_numpy().mean(axis=(0, 1))


def test_the_table_compares_with_the_envelope():
    fit = gaussian_fit(8)
    result = check_pit(fit, ci_prob=0.9)
    envelope, pit = ecdf_envelope(480, 0.9), pit_residuals(fit).table["pit"].to_numpy()
    assert list(result.table) == COLUMNS
    np.testing.assert_allclose(result.table["difference"], [(pit <= z).mean() - z for z in envelope.at], atol=ALGEBRAIC)
    np.testing.assert_allclose(result.table["lower"], envelope.lower - envelope.at, atol=ALGEBRAIC)
    np.testing.assert_allclose(result.table["upper"], envelope.upper - envelope.at, atol=ALGEBRAIC)
    assert "90 % simultaneous envelope" in result.notes[0]
    assert not result.draws.data_vars


@pytest.mark.parametrize("make", [gaussian_fit, count_fit])
def test_one_level_has_the_transforms_of_its_rows(make):
    fit = make(9)
    rows = pit_residuals(fit).table
    pit = rows.loc[rows["g"] == labels(40)[3], "pit"].to_numpy()
    found = check_pit(fit, factor="g", level=labels(40)[3])
    np.testing.assert_allclose(
        found.table["difference"] + found.table["at"], [(pit <= z).mean() for z in found.table["at"]], rtol=ALGEBRAIC
    )
    assert len(found.table) == 11
    assert f"g = {labels(40)[3]}" in found.title


def test_places_where_few_rows_exclude_nothing_are_left_out():
    fit = exact_fit(10, groups=5, size=4)
    assert len(check_pit(fit, factor="g", level="g000").table) <= 3
    with pytest.raises(ArgumentError, match="excludes nothing"):
        check_pit(exact_fit(10, groups=5, size=2), factor="g", level="g000")


def test_other_responses():
    """Known errors, weights, no grouping factor, two crossed factors."""
    assert pit_residuals(make_fit("y | se(s) ~ x + (1 | g)", table())).table["pit"].between(0.0, 1.0).all()
    weighted = pit_residuals(make_fit("y | weights(w) ~ x + (1 | g)", table()))
    assert any("Likelihood weights" in note for note in weighted.notes)
    assert list(pit_residuals(make_fit("y ~ x", table())).table) == ["fitted", "pit", "residual"]
    crossed = pit_residuals(crossed_fit())
    assert list(crossed.table) == ["g", "h", "fitted", "pit", "residual"]
    assert crossed.table["residual"].abs().max() < 9.0


def test_blocks_do_not_matter(monkeypatch):
    fit = crossed_fit()
    whole = pit_residuals(fit).table
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    pd.testing.assert_frame_equal(pit_residuals(fit).table, whole)


def test_impossible_rows_give_extreme_but_finite_residuals():
    rows = pd.DataFrame({"g": np.repeat(list("abc"), 4), "y": [0.0] * 11 + [1e6]})
    found = pit_residuals(make_fit("y ~ 1 + (1 | g)", rows, b=np.zeros(3))).table
    assert np.isfinite(found["residual"]).all()
    assert found["pit"].iloc[-1] == 1.0


def test_wrong_arguments_are_refused():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match="factor and level together"):
        check_pit(fit, factor="g")
    with pytest.raises(ArgumentError, match="factor and level together"):
        check_pit(fit, level="g01")
    with pytest.raises(LevelError, match=r"no row.*g: 'g99'.*g00"):
        check_pit(fit, factor="g", level="g99")
    with pytest.raises(ArgumentError, match="no grouping factor of the model"):
        check_pit(fit, factor="x", level="1")
    with pytest.raises(ArgumentError, match="equal tails"):
        check_pit(fit, ci_kind="hdi")
    with pytest.raises(ArgumentError, match="draws=0"):
        check_pit(fit, draws=0)
    with pytest.raises(ArgumentError, match="seed=-1"):
        pit_residuals(fit, seed=-1)
    with pytest.raises(ArgumentError, match="keeps no draws"):
        pit_residuals(without_effects(fit))
    one = pd.DataFrame({"g": ["a", "b", "b", "b"], "y": [1.0, 2.0, 4.0, 0.0]})
    with pytest.raises(ArgumentError, match="at least two values"):
        check_pit(make_fit("y ~ 1 + (1 | g)", one), factor="g", level="a")
