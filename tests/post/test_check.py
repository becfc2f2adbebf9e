"""Posterior predictive check of whole data sets."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.post import linear_predictor
from bayesglmm.post.check import check
from bayesglmm.post.check_autocorrelation import check_autocorrelation
from bayesglmm.post.check_distribution import check_distribution
from bayesglmm.post.check_groups import check_groups
from bayesglmm.post.pit import pit_residuals
from tests.fits import make_fit
from tests.post.check_cases import count_fit, exact_fit, false_alarms, gaussian_fit, without_effects
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

COLUMNS = ["statistic", "observed", "mean", "sd", "median", "ci_lower", "ci_upper", "outside"]


def outside(result) -> dict[str, bool]:
    return dict(zip(result.table["statistic"], result.table["outside"], strict=True))


def test_the_table_holds_the_statistics_of_the_data():
    fit = count_fit(1)
    result, y = check(fit), fit.frame["y"]
    assert list(result.table) == COLUMNS
    assert result.table["statistic"].tolist() == ["mean", "sd", "min", "max", "zeros"]
    np.testing.assert_allclose(result.table["observed"], [y.mean(), y.std(), y.min(), y.max(), (y == 0).mean()], rtol=ALGEBRAIC)
    assert dict(result.draws.sizes) == {"chain": 1, "draw": 100, "row": 5}
    np.testing.assert_allclose(result.draws["replicated"].mean(("chain", "draw")), result.table["mean"], rtol=ALGEBRAIC)
    assert "not of their means" in result.target
    assert "observed levels of g" in result.target
    assert any("100 posterior draws, seed 1" in note for note in result.notes)


def test_replicated_means_are_those_of_the_model():
    """All draws alike: the mean of n normal responses has the SD 1 / sqrt(n) around the mean predictor."""
    fit = exact_fit(1, groups=20, size=5)
    fit_at_zero = make_fit("y ~ 1 + (1 | g)", fit.frame, beta=[0.3], b=np.zeros(20), spread=0.0, n_draws=500)
    row = check(fit_at_zero, draws=1000).table.iloc[0]
    assert abs(row["mean"] - 0.3) < MCSE_MULTIPLE * 0.1 / np.sqrt(1000)
    assert abs(row["sd"] - 0.1) < MCSE_MULTIPLE * 0.1 / np.sqrt(2000)


@pytest.mark.parametrize("make", [gaussian_fit, count_fit])
def test_a_correct_model_is_inside(make):
    found = [outside(check(make(seed), draws=100)) for seed in range(20)]
    for statistic in ("mean", "sd", "max"):
        assert false_alarms([f[statistic] for f in found])


def test_overdispersed_counts_have_too_large_a_spread_and_too_many_zeros():
    found = outside(check(count_fit(2, dispersion=1.0)))
    assert found["sd"]
    assert found["zeros"]


def test_seeds_repeat_and_blocks_do_not_matter(monkeypatch):
    fit = crossed_fit()
    first, other = check(fit).table, check(fit, seed=2).table
    assert not first.equals(other)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    pd.testing.assert_frame_equal(check(fit).table, first)


def test_a_statistic_that_cannot_vary_is_inside():
    """Zeros and ones: the smallest is 0 and the largest 1 in every data set, and a tie is no departure."""
    found = check(crossed_fit()).table.set_index("statistic")
    assert found.loc["min", ["ci_lower", "observed", "ci_upper"]].tolist() == [0.0, 0.0, 0.0]
    assert not found.loc[["min", "max"], "outside"].any()


def test_other_responses():
    """Known errors, trials, weights, no grouping factor: each is replicated by its own rule, and told."""
    known = check(make_fit("y | se(s) ~ x + (1 | g)", table()))
    assert known.table["sd"].gt(0.0).all() or known.table["statistic"].iloc[-1] == "zeros"
    successes = check(make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial"))
    assert successes.table.set_index("statistic").loc["max", "ci_upper"] <= 6
    assert any("number of successes" in note for note in successes.notes)
    assert any("weight 1" in note for note in check(make_fit("y | weights(w) ~ x + (1 | g)", table())).notes)
    assert "levels" not in check(make_fit("y ~ x", table())).target


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"draws": 0}, "draws=0"),
        ({"draws": 2.5}, "draws=2.5"),
        ({"draws": True}, "draws=True"),
        ({"draws": 19}, "at least 20 posterior draws"),
        ({"seed": -1}, "seed=-1"),
        ({"ci_prob": 95}, "ci_prob=95"),
        ({"ci_kind": "sd"}, "ci_kind='sd'"),
    ],
)
def test_wrong_arguments_are_refused(wrong, message):
    with pytest.raises(ArgumentError, match=message):
        check(crossed_fit(), **wrong)


def test_effects_that_were_not_kept_are_missed():
    with pytest.raises(ArgumentError, match="keeps no draws of the random effects"):
        check(without_effects(crossed_fit()))


@pytest.mark.parametrize(
    "call",
    [
        check,
        lambda fit: check_groups(fit, new_groups=True),
        check_distribution,
        lambda fit: check_autocorrelation(fit, np.arange(20_000), lags=2),
        lambda fit: pit_residuals(fit, loo=False),
        pit_residuals,
    ],
    ids=["check", "groups", "distribution", "autocorrelation", "pit", "pit without the row"],
)
def test_no_array_of_all_draws_by_all_rows_is_made(call):
    """400 draws x 20,000 rows are 64 MB in one array; blocks hold 2^16 numbers in each of some ten arrays, rows some 2 MB."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.integers(0, 2, 20_000), "x": rng.normal(size=20_000), "g": np.repeat(np.arange(40), 500)})
    fit = make_fit("y ~ x + (1 | g)", data, family="bernoulli", spread=0.01, n_draws=200)
    call(fit)  # what is imported or cached at the first call does not count
    tracemalloc.start()
    try:
        call(fit)
        assert tracemalloc.get_traced_memory()[1] < 400 * 20_000 * 8 / 2
    finally:
        tracemalloc.stop()
