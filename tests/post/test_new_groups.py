"""Levels that a fit has not seen: whose draw is whose, and what law it has."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError, ColumnError, LevelError
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.post import linear_predictor
from bayesglmm.post.new_groups import check_seed, group_predictor, make_source, read_group_rows
from bayesglmm.post.predict import predict
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def rows(g, h="p", x=0.0, drug="a") -> pd.DataFrame:
    return pd.DataFrame({"x": x, "drug": drug, "g": g, "h": h}, index=range(len(g)))


def link_draws(fit, newdata, rule="population", seed=1) -> np.ndarray:
    return draws_of(predict(fit, newdata, new_groups=rule, scale="link", seed=seed))


def nested_fit(**options):
    data = table().assign(batch=np.repeat(["A", "B", "C"], 40), cask=np.repeat([f"{c}" for c in "abcdefghijkl"], 10))
    return make_fit("y ~ 1 + (1 | batch/cask)", data, sd={"batch": 2.0, "batch:cask": 0.5}, **options)


@pytest.mark.parametrize("rule", ["population", "observed"])
def test_rows_of_a_new_level_share_its_draw_and_levels_do_not(rule):
    found = link_draws(crossed_fit(), rows(["new", "new", "other"]), rule)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])
    assert np.mean(found[:, 0] != found[:, 2]) > 0.5


@pytest.mark.parametrize("rule", ["population", "observed"])
def test_a_levels_draw_does_not_depend_on_the_other_rows(rule):
    fit = crossed_fit()
    many = link_draws(fit, rows(["zz", "new", "aa", "g03"]), rule)
    np.testing.assert_array_equal(many[:, 1], link_draws(fit, rows(["new"]), rule)[:, 0])
    assert np.any(many[:, 1] != link_draws(fit, rows(["new"]), rule, seed=2)[:, 0])


@pytest.mark.parametrize("rule", ["population", "observed"])
def test_draws_do_not_depend_on_the_size_of_blocks(rule, monkeypatch):
    fit, new = crossed_fit(), rows(["zz", "new", "aa", "g03", "new"], h=["p", "u", "q", "v", "u"], x=[0.0, 1.0, 2.0, 3.0, 4.0])
    whole = link_draws(fit, new, rule)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1)
    np.testing.assert_allclose(link_draws(fit, new, rule), whole, rtol=ALGEBRAIC)


def test_effects_of_a_new_level_are_correlated_as_d_says():
    """Empirical covariance of 20,000 draws; its entries have a variance of (D_kl^2 + D_kk D_ll) / S."""
    fit = crossed_fit(spread=0.0, n_draws=10_000, b={"h": np.zeros((4, 1))})
    found = link_draws(fit, rows(["new", "new"], x=[0.0, 1.0]))
    b = np.stack([found[:, 0] - 0.4, found[:, 1] - found[:, 0] - 0.8], axis=1)
    D = covariance_matrix(np.array([1.3, 0.7]), np.array([[1.0, 0.4], [0.4, 1.0]]))
    error = np.sqrt((D**2 + np.outer(np.diag(D), np.diag(D))) / len(b))
    assert np.all(np.abs(b.T @ b / len(b) - D) < MCSE_MULTIPLE * error)
    assert np.all(np.abs(b.mean(axis=0)) < MCSE_MULTIPLE * np.sqrt(np.diag(D) / len(b)))


def test_two_new_levels_and_two_factors_are_independent():
    fit = crossed_fit(spread=0.0, n_draws=10_000, b={"g": np.zeros((20, 2)), "h": np.zeros((4, 1))})
    found = link_draws(fit, pd.concat([rows(["new", "other", "g00"]), rows(["g00"], h="new")])[:5])
    new_g, other_g, new_h = (found[:, k] - 0.4 for k in (0, 1, 3))
    for a, b in [(new_g, other_g), (new_g, new_h)]:
        assert abs(np.corrcoef(a, b)[0, 1]) < MCSE_MULTIPLE / np.sqrt(len(a))


def test_terms_and_factors_are_independent_though_their_level_has_one_name():
    data, zero = table(), {"b": {"g": np.zeros((20, 1)), "g.2": np.zeros((20, 1)), "h": np.zeros((4, 1))}}
    fit = make_fit("y ~ 0 + (1 | g) + (0 + x | g) + (1 | h)", data, spread=0.0, n_draws=5000, **zero)
    at = pd.DataFrame({"x": [0.0, 1.0, 0.0], "g": ["new", "new", "g01"], "h": ["p", "p", "new"]})
    found = link_draws(fit, at)
    r = np.corrcoef([found[:, 0], found[:, 1] - found[:, 0], found[:, 2]])
    assert np.all(np.abs(r - np.eye(3)) < MCSE_MULTIPLE / np.sqrt(len(found)))


def test_a_new_child_keeps_the_draws_of_its_known_parent():
    fit = nested_fit(spread=0.3)
    draws, at = parameters(fit), pd.DataFrame({"batch": ["B", "B", "Z"], "cask": ["new", "f", "f"]})
    found = link_draws(fit, at)
    parent = draws.beta[:, 0] + draws.groups[0].b[:, 1, 0]
    child = found[:, 0] - parent
    known = parent + draws.groups[1].b[:, fit.design.groups[1].levels.index("B:f"), 0]
    np.testing.assert_allclose(found[:, 1], known, rtol=ALGEBRAIC)
    assert 0.35 < child.std() < 0.7, "the child's own SD is 0.5, the parent's 2"
    assert abs(np.corrcoef(child, parent)[0, 1]) < MCSE_MULTIPLE / np.sqrt(len(child))


def test_children_of_one_new_parent_share_it():
    fit = nested_fit(spread=0.0, n_draws=5000)
    found = link_draws(fit, pd.DataFrame({"batch": ["Z", "Z"], "cask": ["a", "b"]}))
    r = np.corrcoef(found.T)[0, 1]
    wanted = 4.0 / 4.25
    assert abs(r - wanted) < MCSE_MULTIPLE * (1.0 - wanted**2) / np.sqrt(len(found))


def test_observed_takes_a_level_of_the_data_with_all_its_effects():
    fit = make_fit("y ~ x + (1 | g) + (0 + x | g)", table(), spread=0.0, sd={"g": 1.0, "g.2": 2.0}, n_draws=200)
    new = pd.DataFrame({"x": [0.0, 1.0], "g": "new"})
    found = link_draws(fit, new, "observed")
    levels = {tuple(pair) for pair in np.round(np.stack([g.b[0, :, 0] for g in parameters(fit).groups], axis=1), 9)}
    taken = {tuple(pair) for pair in np.round(np.stack([found[:, 0], found[:, 1] - found[:, 0]], axis=1), 9)}
    assert taken <= levels
    assert len(taken) > 10, "400 draws of 20 levels"


def test_effects_of_known_levels_are_read_only_where_they_are_needed():
    fit = make_fit("y ~ x + (1 | g)", table())
    new = read_group_rows(fit, pd.DataFrame({"x": [0.0], "g": ["new"]}), new_groups="population")
    old = read_group_rows(fit, pd.DataFrame({"x": [0.0], "g": ["g01"]}), new_groups="error")
    assert make_source(fit, new, new_groups="population", seed=1).parameters.groups[0].b is None
    assert make_source(fit, new, new_groups="observed", seed=1).parameters.groups[0].b is not None
    assert make_source(fit, old, new_groups="error", seed=1).parameters.groups[0].b is not None


def test_without_spread_between_levels_a_new_one_is_average_and_draws_may_be_chosen():
    fit = crossed_fit(sd={"g": [0.0, 0.5], "h": [0.0]}, spread=0.0, b={"h": np.zeros((4, 1))})
    np.testing.assert_allclose(link_draws(fit, rows(["new"])), 0.4, rtol=ALGEBRAIC)
    new = read_group_rows(fit, rows(["new"]), new_groups="population")
    source = make_source(fit, new, new_groups="population", seed=1, which=np.array([3, 3]))
    assert group_predictor(source, new.rows, slice(0, 1)).shape == (2, 1)


def test_new_levels_are_refused_unless_something_is_said_about_them():
    with pytest.raises(LevelError, match=r"g: 'new'.*rows 1.*new_groups='population'"):
        predict(crossed_fit(), rows(["g00", "new"]))
    with pytest.raises(LevelError, match="drug"):
        predict(crossed_fit(), rows(["new"], drug="z"), new_groups="population")
    with pytest.raises(ColumnError, match="'g'"):
        predict(crossed_fit(), rows(["new"]).drop(columns="g"), new_groups="population")


def test_seeds_are_checked_and_fresh_ones_named():
    for seed in (-1, 1.5, True, "one"):
        with pytest.raises(ArgumentError, match="seed"):
            check_seed(seed)
    assert check_seed(np.int64(3)) == 3
    result = predict(crossed_fit(), rows(["new"]), new_groups="population")
    seed = int(next(n for n in result.notes if n.startswith("Seed")).split(": ")[1].rstrip("."))
    np.testing.assert_array_equal(draws_of(result), draws_of(predict(crossed_fit(), rows(["new"]), new_groups="population", seed=seed)))
