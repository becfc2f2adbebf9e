"""Posterior predictive check group by group."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.post import linear_predictor
from bayesglmm.post.check_groups import check_groups
from tests.fits import make_fit
from tests.post.check_cases import count_fit, gaussian_fit, labels, many, mean_share_is_small, without_effects
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

COLUMNS = ["factor", "level", "rows", "observed", "mean", "sd", "median", "ci_lower", "ci_upper", "outside"]
S = 1000


@pytest.mark.parametrize("statistic", ["mean", "sd", "zeros"])
def test_observed_statistics_are_those_of_the_groups(statistic):
    fit = crossed_fit()
    result = check_groups(fit, statistic=statistic)
    assert list(result.table) == COLUMNS
    for factor in ("g", "h"):
        part = result.table[result.table["factor"] == factor].set_index("level")
        by = fit.frame.groupby(factor, observed=True)["zero_one"]
        expected = {"mean": by.mean(), "sd": by.std(), "zeros": 1.0 - by.mean()}[statistic]
        np.testing.assert_allclose(part["observed"], expected.loc[part.index], rtol=ALGEBRAIC, atol=ALGEBRAIC)
        np.testing.assert_array_equal(part["rows"], by.size().loc[part.index])
        assert any(note.startswith(f"{factor}: {part['outside'].sum()} of {len(part)} levels outside") for note in result.notes)
    assert result.target.startswith("group: ")
    assert not result.draws.data_vars


def test_one_factor():
    assert set(check_groups(crossed_fit(), factor="h").table["level"]) == {"p", "q", "r", "s"}


@pytest.mark.parametrize("statistic", ["mean", "sd"])
def test_a_correct_model_is_inside(statistic):
    assert mean_share_is_small([check_groups(gaussian_fit(s), statistic=statistic, draws=100).table["outside"].mean() for s in range(10)])


def test_a_missing_slope_shows_in_the_spread_of_the_groups():
    fit = gaussian_fit(3, slope_sd=2.0)
    assert many(check_groups(fit, statistic="sd").table["outside"].mean(), 40)


def test_overdispersed_counts_show_in_every_group_statistic_of_spread():
    fit = count_fit(4, dispersion=1.0)
    for statistic in ("sd", "zeros"):
        assert many(check_groups(fit, statistic=statistic).table["outside"].mean(), 40)


def nested_fit(b_a: np.ndarray | None = None):
    """Five parents with four children of three rows; known SDs 3, 2 and 1, all draws alike."""
    rows = pd.DataFrame({"a": np.repeat(list("vwxyz"), 12), "b": np.tile(np.repeat(list("klmn"), 3), 5), "y": np.zeros(60)})
    rows["y"] = np.random.default_rng(1).normal(size=60)
    effects = {"a": np.zeros(5) if b_a is None else b_a, "a:b": np.zeros(20)}
    return make_fit("y ~ 1 + (1 | a/b)", rows, beta=[0.0], sd={"a": 3.0, "a:b": 2.0}, b=effects, spread=0.0, n_draws=S // 2)


@pytest.mark.parametrize(
    ("factor", "new", "variance"),
    [("a", False, 1 / 12), ("a", True, 9 + 4 / 4 + 1 / 12), ("a:b", False, 1 / 3), ("a:b", True, 4 + 1 / 3)],
)
def test_new_levels_have_new_effects_and_so_have_their_children_but_not_their_parents(factor, new, variance):
    """The SD of a normal mean from S draws, each level on its own: within MCSE_MULTIPLE standard errors sd / sqrt(2 S)."""
    found = check_groups(nested_fit(), factor=factor, new_groups=new, draws=S)
    assert np.all(np.abs(found.table["sd"] - np.sqrt(variance)) < MCSE_MULTIPLE * np.sqrt(variance / (2 * S)))
    assert ("b ~ N(0, D)" in found.target) == new


def test_a_new_child_keeps_the_effect_of_its_parent():
    parents = 10.0 * np.arange(5)
    found = check_groups(nested_fit(parents), factor="a:b", new_groups=True, draws=S).table
    error = MCSE_MULTIPLE * np.sqrt((4 + 1 / 3) / S)
    assert np.all(np.abs(found["mean"] - np.repeat(parents, 4)) < error)


def test_new_levels_are_distinct():
    """Two levels of one size, all draws alike: their replicated means come from different random numbers."""
    found = check_groups(nested_fit(), factor="a", new_groups=True).table
    assert found["mean"].nunique() == 5


def test_an_outlying_group_shows_among_new_groups_only():
    """Its own effect has been fitted to it."""
    fit = gaussian_fit(5)
    b = fit.posterior["1|g"].to_numpy().mean(axis=(0, 1))
    b[7] += 8.0
    y = fit.frame["y"] + np.where(fit.frame["g"] == labels(40)[7], 8.0, 0.0)
    moved = make_fit("y ~ x + time + (1 | g)", fit.frame.assign(y=y), beta=[0.5, 0.4, 0.0], b=b, spread=0.02)
    own = check_groups(moved).table.set_index("level")
    new = check_groups(moved, new_groups=True).table.set_index("level")
    assert not own.loc[labels(40)[7], "outside"]
    assert new.loc[labels(40)[7], "outside"]


def test_new_groups_need_no_draws_of_their_effects():
    fit = without_effects(gaussian_fit(6))
    assert len(check_groups(fit, new_groups=True).table) == 40
    with pytest.raises(ArgumentError, match="keeps no draws of the random effects"):
        check_groups(fit)


def test_groups_of_one_row_have_no_spread():
    rows = pd.DataFrame({"g": ["a", "b", "b", "c", "c", "c"], "y": [1.0, 2.0, 4.0, 0.0, 1.0, 2.0]})
    fit = make_fit("y ~ 1 + (1 | g)", rows)
    result = check_groups(fit, statistic="sd")
    assert result.table["level"].tolist() == ["b", "c"]
    np.testing.assert_allclose(result.table["observed"], [np.sqrt(2.0), 1.0], rtol=ALGEBRAIC)
    assert any("1 levels with fewer than 2 rows are left out" in note for note in result.notes)
    assert check_groups(fit).table["level"].tolist() == ["a", "b", "c"]


def test_no_group_with_rows_enough_is_refused():
    rows = pd.DataFrame({"g": list("abcdef"), "y": np.arange(6.0) ** 2, "s": np.ones(6)})
    fit = make_fit("y | se(s) ~ 1 + (1 | g)", rows)
    with pytest.raises(ArgumentError, match="no level has the 2 rows"):
        check_groups(fit, statistic="sd")


def test_random_numbers_do_not_depend_on_blocks(monkeypatch):
    fit = crossed_fit()
    whole = check_groups(fit, new_groups=True).table
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    pd.testing.assert_frame_equal(check_groups(fit, new_groups=True).table, whole)


def test_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match=r"no grouping factor.*g, h"):
        check_groups(crossed_fit(), factor="x")
    with pytest.raises(ArgumentError, match="statistic='median'"):
        check_groups(crossed_fit(), statistic="median")
    with pytest.raises(ArgumentError, match="has no grouping factor"):
        check_groups(make_fit("y ~ x", table()))


def binomial_fit():
    """Rows of a level with very different numbers of trials, so that counts per row say nothing of shares."""
    rows = pd.DataFrame({"g": ["a", "a", "b", "b"], "y": [1, 18, 4, 2], "n": [2, 90, 5, 5]})
    return make_fit("y | trials(n) ~ 1 + (1 | g)", rows, family="binomial", spread=0.0, b=np.zeros((2, 1)))


def test_the_mean_of_a_binomial_level_is_its_share_of_successes():
    result = check_groups(binomial_fit())
    np.testing.assert_allclose(result.table["observed"], [19 / 92, 6 / 10], rtol=ALGEBRAIC)
    assert result.table["ci_upper"].max() <= 1.0
    assert any("successes of all its rows over all their trials" in note for note in result.notes)
    assert "share of successes of each level" in result.title
    assert result.draws.attrs == {"statistic": "share of successes", "response": "y"}


@pytest.mark.parametrize(("statistic", "expected"), [("sd", [17 / np.sqrt(2.0), np.sqrt(2.0)]), ("zeros", [0.0, 0.0])])
def test_other_statistics_of_a_binomial_level_are_of_counts(statistic, expected):
    result = check_groups(binomial_fit(), statistic=statistic)
    np.testing.assert_allclose(result.table["observed"], expected, rtol=ALGEBRAIC)
    assert any("counts of successes" in note for note in result.notes)
