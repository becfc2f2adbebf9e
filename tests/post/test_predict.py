"""Means of new rows for the groups that they name."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.post.predict import predict
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def test_rows_of_the_data_have_their_own_groups():
    fit = crossed_fit()
    found = draws_of(predict(fit))
    np.testing.assert_allclose(found, draws_of(bg.means(fit, fit.frame, target="group")), rtol=ALGEBRAIC)
    np.testing.assert_allclose(found, draws_of(predict(fit, fit.frame)), rtol=ALGEBRAIC)


def test_a_row_is_the_inverse_link_of_its_predictor():
    fit, draws = crossed_fit(), parameters(crossed_fit())
    new = {"x": [0.5], "drug": ["b"], "g": ["g03"], "h": ["q"]}
    eta = draws.beta @ [1.0, 0.5, 1.0, 0.0] + draws.groups[0].b[:, 3] @ [1.0, 0.5] + draws.groups[1].b[:, 1, 0]
    np.testing.assert_allclose(draws_of(predict(fit, new))[:, 0], special.expit(eta), rtol=ALGEBRAIC)
    np.testing.assert_allclose(draws_of(predict(fit, new, scale="link"))[:, 0], eta, rtol=ALGEBRAIC)
    assert predict(fit, new).title == "Predicted probabilities, response scale"
    assert predict(fit, new).target.startswith("group: named combinations of levels of g and h")


@pytest.mark.parametrize(
    ("family", "response", "link"),
    [("bernoulli", "zero_one", "logit"), ("bernoulli", "zero_one", "cloglog"), ("poisson", "count", "log"), ("gaussian", "y", "identity")],
)
def test_a_new_group_averages_to_the_population(family, response, link):
    """With all draws alike, the mean over draws of b is the population's mean, within five simulation errors."""
    formula = f"{response} ~ x + (x | g)"
    options = {"beta": [0.4, 0.3], "sd": [0.6, 0.3], "corr": [[1.0, -0.3], [-0.3, 1.0]], "spread": 0.0, "n_draws": 4000}
    fit = make_fit(formula, table(), family=family, link=link, **options)
    new = pd.DataFrame({"x": [-1.0, 0.5], "g": ["new", "newer"]})
    found = predict(fit, new, new_groups="population", seed=5).table
    wanted = bg.means(fit, new[["x"]], target="population").table["mean"]
    error = found["sd"] / np.sqrt(8000)
    assert np.all(np.abs(found["mean"] - wanted) < MCSE_MULTIPLE * error)
    assert np.all(found["sd"] > 0.05)


def test_an_observed_group_averages_to_the_observed_ones():
    fit = make_fit("zero_one ~ x + (x | g)", table(), family="bernoulli", sd=[1.0, 0.5], spread=0.0, n_draws=4000)
    new = pd.DataFrame({"x": [0.7], "g": ["new"]})
    found = predict(fit, new, new_groups="observed", seed=5).table
    wanted = bg.means(fit, new[["x"]], target="observed_groups").table["mean"]
    assert abs(found["mean"].item() - wanted.item()) < MCSE_MULTIPLE * found["sd"].item() / np.sqrt(8000)


def test_offsets_count():
    fit = make_fit("k | trials(n) ~ x + offset(s) + (1 | g)", table(), family="binomial", beta=[0.2, 0.5], b=np.zeros((20, 1)), spread=0.0)
    found = predict(fit, {"x": [1.0], "s": [0.7], "g": ["g01"]})
    np.testing.assert_allclose(found.table["mean"], special.expit(1.4), rtol=ALGEBRAIC)


def test_the_table_shows_the_rows_and_the_notes_the_new_levels():
    new = {"x": [0.0, 1.0, 1.0], "drug": "a", "g": ["g01", "new", "newer"], "h": ["p", "p", "u"]}
    result = predict(crossed_fit(), new, new_groups="population", seed=3, ci_prob=0.5, ci_kind="hdi")
    assert list(result.table.columns) == ["x", "drug", "g", "h", "mean", "sd", "median", "ci_lower", "ci_upper"]
    assert result.draws["g"].to_numpy().tolist() == ["g01", "new", "newer"]
    assert dict(result.draws.sizes) == {"chain": 2, "draw": 20, "row": 3}
    assert any(n.startswith("New levels of g: 2 (new, newer); effects drawn from N(0, D)") for n in result.notes)
    assert any(n.startswith("New levels of h: 1 (u)") for n in result.notes)
    assert "Seed of the new levels: 3." in result.notes
    assert result.interval is not None
    assert result.interval.text == "50 % highest-density interval"
    assert not predict(crossed_fit(), {"x": [0.0], "drug": "a", "g": "g01", "h": "p"}).notes


def test_no_grouping_factor_and_no_fixed_effect():
    plain = make_fit("y ~ x", table(), beta=[1.0, 2.0], spread=0.0)
    assert predict(plain, {"x": [3.0]}).table["mean"].tolist() == [7.0]
    bare = make_fit("y ~ 0 + (1 | g)", table(), spread=0.0)
    level = parameters(bare).groups[0].b[0, 2, 0]
    np.testing.assert_allclose(predict(bare, {"g": ["g02"]}).table["mean"], level, rtol=ALGEBRAIC)


def test_the_target_has_no_inverse_link_on_the_link_scale():
    new = {"x": [0.5], "drug": ["b"], "g": ["g03"], "h": ["q"]}
    response, link = (predict(crossed_fit(), new, scale=s).target for s in ("response", "link"))
    assert response == "group: named combinations of levels of g and h: h(x'beta + z'b_j)"
    assert link == "group: named combinations of levels of g and h: x'beta + z'b_j"
    assert predict(make_fit("y ~ x", table()), {"x": [3.0]}, scale="link").target.endswith("the four targets are one, x'beta")


def test_options_are_checked():
    new = {"x": [0.0], "drug": "a", "g": "new", "h": "p"}
    with pytest.raises(ArgumentError, match="did you mean 'population'"):
        predict(crossed_fit(), new, new_groups="popluation")
    with pytest.raises(ArgumentError, match="scale"):
        predict(crossed_fit(), new, new_groups="population", scale="odds")
    with pytest.raises(ArgumentError, match="ci_prob"):
        predict(crossed_fit(), new, new_groups="population", ci_prob=95)


def test_without_draws_memory_does_not_grow_with_draws_by_rows():
    """S x n is 32 MB: the peak without draws stays below half of it."""
    n, rng = 2000, np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.integers(0, 2, n), "x": rng.normal(size=n), "g": np.repeat(np.arange(40), n // 40)})
    fit = make_fit("y ~ x + (1 | g)", data, family="bernoulli", beta=[0.3, 1.0], n_draws=1000)
    tracemalloc.start()
    try:
        result = predict(fit, keep_draws=False)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2000 * n * 8 / 2
    assert not result.draws.data_vars
    pd.testing.assert_frame_equal(result.table, predict(fit).table)
