"""Means averaged over some grouping factors, given named levels of the others, against the formula written out per draw."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, LevelError
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.numerics.marginal import population_mean
from bayesglmm.post import linear_predictor
from bayesglmm.post.rows import NO_LEVEL, build_rows, distinct_rows
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC

AVERAGES = ("population", "observed_groups")


def casks() -> pd.DataFrame:
    """Twelve casks in three batches, crossed with nothing."""
    return table().assign(batch=np.repeat(["A", "B", "C"], 40), cask=np.repeat([f"{c}" for c in "abcdefghijkl"], 10))


def m_of(fit, x: float) -> np.ndarray:
    """Fixed part of the crossed fit at a value of x and the reference drug, per draw."""
    return parameters(fit).beta @ np.array([1.0, x, 0.0, 0.0])


def test_population_over_the_factor_with_slopes_given_the_other():
    fit, draws = crossed_fit(), parameters(crossed_fit())
    slopes, intercepts = draws.groups
    found = draws_of(bg.means(fit, {"x": [-1.0, 2.0], "h": ["p", "s"]}, target="population", over=["g"]))
    for k, (x, level) in enumerate([(-1.0, 0), (-1.0, 3), (2.0, 0), (2.0, 3)]):
        z = np.array([1.0, x])
        v = np.einsum("k,skl,l->s", z, covariance_matrix(slopes.sd, slopes.corr), z)
        expected = population_mean("logit", m_of(fit, x) + intercepts.b[:, level, 0], v)
        np.testing.assert_allclose(found[:, k], expected.value, rtol=0, atol=2 * expected.bound)


def test_population_over_the_factor_of_intercepts_given_the_other():
    fit, draws = crossed_fit(), parameters(crossed_fit())
    slopes, intercepts = draws.groups
    found = draws_of(bg.means(fit, {"x": 1.5, "g": "g07"}, target="population", over=["h"]))
    m = m_of(fit, 1.5) + slopes.b[:, 7] @ np.array([1.0, 1.5])
    expected = population_mean("logit", m, np.square(intercepts.sd[:, 0]))
    np.testing.assert_allclose(found[:, 0], expected.value, rtol=0, atol=2 * expected.bound)


def test_observed_groups_average_over_the_levels_of_the_named_factor_alone():
    fit = crossed_fit()
    slopes, intercepts = parameters(fit).groups
    found = draws_of(bg.means(fit, {"x": 0.5, "h": ["q", "r"]}, target="observed_groups", over=["g"]))
    for k, level in enumerate([1, 2]):
        eta = (m_of(fit, 0.5) + intercepts.b[:, level, 0])[:, None] + slopes.b @ np.array([1.0, 0.5])
        np.testing.assert_allclose(found[:, k], special.expit(eta).mean(axis=1), rtol=ALGEBRAIC)


def test_observed_groups_over_two_of_three_factors_use_their_observed_combinations():
    data = table().assign(room=np.resize([f"room{i}" for i in range(8)], 120))
    fit = make_fit("zero_one ~ 1 + (1 | g) + (1 | h) + (1 | room)", data, family="bernoulli", beta=[0.3], n_draws=5)
    draws = parameters(fit).groups
    found = draws_of(bg.means(fit, {"h": "r"}, target="observed_groups", over=["g", "room"]))
    pairs = sorted({(int(i), int(j)) for i, j in zip(fit.design.groups[0].index, fit.design.groups[2].index, strict=True)})
    assert len(pairs) < 20 * 8, "the test needs a combination that does not occur"
    base = parameters(fit).beta[:, 0] + draws[1].b[:, 2, 0]
    expected = np.mean([special.expit(base + draws[0].b[:, i, 0] + draws[2].b[:, j, 0]) for i, j in pairs], axis=0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=ALGEBRAIC)


@pytest.mark.parametrize("target", AVERAGES)
def test_over_all_factors_is_the_default(target):
    fit, at = crossed_fit(), {"x": [0.0, 1.0]}
    default = bg.means(fit, at, target=target)
    for over in (["g", "h"], ["h", "g"], ("g", "h", "g")):
        result = bg.means(fit, at, target=target, over=over)
        np.testing.assert_array_equal(draws_of(result), draws_of(default))
        assert result.target == default.target


def test_one_name_need_not_be_a_list():
    fit, at = crossed_fit(), {"h": "p"}
    first, second = (draws_of(bg.means(fit, at, target="population", over=over)) for over in ("g", ["g"]))
    np.testing.assert_array_equal(first, second)


def test_a_given_factor_without_effects_changes_nothing():
    """With all effects of h zero, given h is over g alone, and h adds no variance."""
    fit = crossed_fit(sd={"g": [1.3, 0.7], "h": [0.0]}, b={"h": np.zeros((4, 1))})
    given = draws_of(bg.means(fit, {"x": 1.0, "h": ["p", "s"]}, target="population", over=["g"]))
    alone = draws_of(bg.means(fit, {"x": 1.0}, target="population"))
    np.testing.assert_allclose(given, np.repeat(alone, 2, axis=1), rtol=0, atol=2e-10)


def test_identity_link_given_levels_add_their_effects():
    fit = make_fit("y ~ x + (1 | g) + (1 | h)", table(), beta=[1.0, 2.0], n_draws=5)
    effects = parameters(fit).groups[1].b[:, :, 0]
    given = draws_of(bg.means(fit, {"x": 0.0, "h": "all"}, target="population", over=["g"]))
    np.testing.assert_allclose(given, parameters(fit).beta[:, :1] + effects, rtol=ALGEBRAIC)


@pytest.mark.parametrize("target", AVERAGES)
def test_rows_of_the_data_name_their_own_levels(target):
    fit = crossed_fit()
    rows = draws_of(bg.means(fit, fit.frame, target=target, over=["g"]))
    result = bg.means(fit, target=target, over=["g"], by="h")
    for k, level in enumerate(result.table["h"]):
        mask = (fit.frame["h"] == level).to_numpy()
        np.testing.assert_allclose(draws_of(result)[:, k], rows[:, mask].mean(axis=1), rtol=0, atol=2e-10)


def test_rows_of_different_given_levels_stay_apart():
    fit = make_fit("zero_one ~ drug + (1 | g) + (1 | h)", table(), family="bernoulli")
    rows = build_rows(fit, None, target="population", given=["h"])
    unique, which = distinct_rows(rows, levels=True)
    assert unique.n_rows == len({pair for pair in fit.frame[["drug", "h"]].itertuples(index=False, name=None)})
    np.testing.assert_array_equal(unique.index[1][which], fit.design.groups[1].index)
    assert set(rows.index[0]) == {NO_LEVEL}
    by_level = draws_of(bg.means(fit, {"drug": "a", "h": "all"}, target="population", over=["g"]))
    assert np.ptp(by_level.mean(axis=0)) > 0.01


@pytest.mark.parametrize("target", AVERAGES)
def test_blocks_do_not_matter(target, monkeypatch):
    fit = crossed_fit()
    whole = draws_of(bg.means(fit, target=target, over=["g"], by="h"))
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    np.testing.assert_allclose(draws_of(bg.means(fit, target=target, over=["g"], by="h")), whole, rtol=0, atol=2e-10)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_matter(threads, monkeypatch):
    fit = crossed_fit(n_draws=40)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 500)
    whole = draws_of(bg.means(fit, target="population", by="drug"))
    monkeypatch.setattr(linear_predictor, "MOST_THREADS", threads)
    np.testing.assert_array_equal(draws_of(bg.means(fit, target="population", by="drug")), whole)


def test_nested_cells_are_averaged_within_a_named_parent():
    fit = make_fit("zero_one ~ 1 + (1 | batch/cask)", casks(), family="bernoulli", beta=[0.2], n_draws=5)
    batch, cask = parameters(fit).groups
    found = draws_of(bg.means(fit, {"batch": ["A", "C"]}, target="population", over=["batch:cask"]))
    for k, level in enumerate([0, 2]):
        expected = population_mean("logit", parameters(fit).beta[:, 0] + batch.b[:, level, 0], np.square(cask.sd[:, 0]))
        np.testing.assert_allclose(found[:, k], expected.value, rtol=0, atol=2 * expected.bound)


def test_all_terms_of_a_factor_are_averaged_together():
    fit = make_fit("zero_one ~ x + (1 | g) + (0 + age | g) + (1 | h)", table(), family="bernoulli", sd={"g": 1.0, "g.2": 0.02, "h": 0.8})
    draws = parameters(fit)
    first, second, other = draws.groups
    found = draws_of(bg.means(fit, {"x": 1.0, "age": 30.0, "h": "q"}, target="population", over=["g"]))
    v = np.square(first.sd[:, 0]) + np.square(30.0 * second.sd[:, 0])
    expected = population_mean("logit", draws.beta @ np.array([1.0, 1.0]) + other.b[:, 1, 0], v)
    np.testing.assert_allclose(found[:, 0], expected.value, rtol=0, atol=2 * expected.bound)


@pytest.mark.parametrize("target", AVERAGES)
def test_the_link_scale_is_the_link_of_the_given_mean(target):
    fit, at = crossed_fit(), {"x": [-1.0, 1.0], "h": "all"}
    response, link = (draws_of(bg.means(fit, at, target=target, over="g", scale=scale)) for scale in ("response", "link"))
    np.testing.assert_allclose(link, special.logit(response), rtol=1e-9)  # logit loses digits of 1 - p


def test_the_sentence_says_both():
    result = bg.means(crossed_fit(), {"h": "p"}, target="population", over=["g"])
    assert "averaged over the random-effects distribution of g:" in result.target
    assert "given the named levels of h" in result.target
    data = table().assign(room=np.resize(["one", "two"], 120))
    three = make_fit("y ~ 1 + (1 | g) + (1 | h) + (1 | room)", data)
    result = bg.means(three, {"h": "p", "room": "two"}, target="observed_groups", over=["g"])
    assert "given the named levels of h and room" in result.target


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (["gg"], "over names 'gg'.*did you mean 'g'.*The grouping factors are: g, h"),
        ("drug", "over names 'drug'.*The grouping factors are: g, h"),
        (["g", 3], "over names 3"),
        (3, "over names 3"),
        ([], "over names no grouping factor.*target='group'"),
    ],
)
def test_names_that_are_no_factor_are_refused(over, words):
    with pytest.raises(ArgumentError, match=words):
        bg.means(crossed_fit(), {"h": "p"}, target="population", over=over)


def test_a_model_without_factors_says_so():
    with pytest.raises(ArgumentError, match="The model has none"):
        bg.means(make_fit("y ~ x", table()), target="population", over=["g"])


@pytest.mark.parametrize(("target", "why"), [("average_subject", "random effects are zero"), ("group", "at a named level")])
def test_targets_that_average_nothing_refuse_over(target, why):
    with pytest.raises(ArgumentError, match=f"target='{target}' averages over no grouping factor.*{why}.*over="):
        bg.means(crossed_fit(), target=target, over=["g"])


@pytest.mark.parametrize("target", AVERAGES)
def test_a_missing_level_is_named(target):
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match=r"level is needed of every grouping factor that over leaves out.*h\..*at={'h'"):
        bg.means(fit, {"x": 1.0}, target=target, over=["g"])
    with pytest.raises(ColumnError, match="no column 'h'"):
        bg.means(fit, fit.frame[["x", "drug"]], target=target, over=["g"])


def test_the_levels_of_an_averaged_factor_are_not_read():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match=r"averaged over is named in at.*column 'g'"):
        bg.means(fit, {"g": "g01", "h": "p"}, target="population", over=["g"])
    rows = fit.frame.drop(columns="g")
    assert len(bg.means(fit, rows, target="population", over=["g"]).table) == len(rows)


def test_an_unseen_level_of_a_given_factor_is_refused():
    with pytest.raises(LevelError, match=r"h: 'z'.*leave h out of at and name h in over"):
        bg.means(crossed_fit(), {"h": "z"}, target="population", over=["g"])


def test_only_effects_of_given_factors_are_needed(monkeypatch):
    """A mean that integrates patients reads no draws of the patients' effects, however many there are."""
    fit, read = crossed_fit(), []
    original = linear_predictor.effect_draws
    monkeypatch.setattr(linear_predictor, "effect_draws", lambda posterior, group: read.append(group.name) or original(posterior, group))
    bg.means(fit, {"h": "p"}, target="population", over=["g"])
    assert read == ["h"]
