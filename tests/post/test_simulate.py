"""New observations: their law given the parameters, and that they are kept apart from means."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError, ColumnError, LevelError, ResponseError
from bayesglmm.post import linear_predictor
from bayesglmm.post.new_groups import level_generator
from bayesglmm.post.predict import predict
from bayesglmm.post.simulate import STREAM, simulate
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, table
from tests.tolerances import MCSE_MULTIPLE

S = 4000
CASES = {
    "gaussian": ("y ~ x + (1 | g)", {"aux": {"sigma": 1.5}}, lambda mu: np.full_like(mu, 1.5**2), "y"),
    "bernoulli": ("zero_one ~ x + (1 | g)", {"family": "bernoulli"}, lambda mu: mu * (1 - mu), "zero_one"),
    "binomial": ("k | trials(n) ~ x + (1 | g)", {"family": "binomial"}, lambda mu: 6 * mu * (1 - mu), "k"),
    "poisson": ("count ~ x + (1 | g)", {"family": "poisson"}, lambda mu: mu, "count"),
    "known errors": ("y | se(s) ~ x + (1 | g)", {}, lambda mu: table()["s"].to_numpy()[:4] ** 2, "y"),
}


@pytest.mark.parametrize("case", CASES)
def test_moments_are_those_of_the_family(case):
    """All draws alike: mean and variance of S observations per row, within five standard errors (kurtosis from the draws)."""
    formula, options, variance, name = CASES[case]
    fit = make_fit(formula, table(), beta=[0.3, 0.2], spread=0.0, n_draws=S // 2, **options)
    rows = fit.frame.iloc[:4]
    y, mu = draws_of(simulate(fit, rows, seed=2), name), predict(fit, rows).table["mean"].to_numpy()
    size = 6 if case == "binomial" else 1
    assert np.all(np.abs(y.mean(axis=0) - size * mu) < MCSE_MULTIPLE * y.std(axis=0) / np.sqrt(S))
    squares = np.square(y - size * mu)
    assert np.all(np.abs(squares.mean(axis=0) - variance(mu)) < MCSE_MULTIPLE * squares.std(axis=0) / np.sqrt(S))


def test_observations_vary_more_than_means_and_say_so():
    fit = crossed_fit(n_draws=200)
    new, mean = simulate(fit, fit.frame.iloc[:5], seed=1), predict(fit, fit.frame.iloc[:5])
    assert np.all(new.table["sd"] > mean.table["sd"])
    assert set(np.unique(draws_of(new, "zero_one"))) == {0.0, 1.0}
    assert "new observation" in new.target
    assert "not its mean" in new.target
    assert any("prediction interval of a new observation" in note for note in new.notes)
    assert "mean_response" not in new.draws


def test_the_data_are_the_default_rows_and_seeds_repeat():
    fit = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial")
    first, again, other = (draws_of(simulate(fit, seed=s), "k") for s in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert first.shape == (100, 120)
    assert first.max() <= 6


def test_observations_do_not_depend_on_the_size_of_blocks(monkeypatch):
    fits = [make_fit(CASES[c][0], table(), n_draws=10, **CASES[c][1]) for c in CASES]
    whole = [simulate(fit, seed=1).table["mean"] for fit in fits]
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 100)
    for fit, mean in zip(fits, whole, strict=True):
        pd.testing.assert_series_equal(simulate(fit, seed=1).table["mean"], mean)


def test_new_groups_have_their_draw_and_each_row_its_own_noise():
    fit = make_fit("y ~ x + (1 | g)", table(), sd=3.0, aux={"sigma": 0.5}, spread=0.0, n_draws=2000)
    new = pd.DataFrame({"x": 0.0, "g": ["new", "new", "newer"]})
    y = draws_of(simulate(fit, new, new_groups="population", seed=4), "y")
    eta = draws_of(predict(fit, new, new_groups="population", seed=4))
    noise = y - eta
    error = MCSE_MULTIPLE / np.sqrt(len(y))
    assert np.all(np.abs(np.corrcoef(noise.T) - np.eye(3)) < error)
    assert abs(noise.std() - 0.5) < 0.5 * error
    with pytest.raises(LevelError, match="'new'"):
        simulate(fit, new)


def test_some_of_the_draws():
    fit = crossed_fit(n_draws=20)
    result = simulate(fit, fit.frame.iloc[:3], draws=10, seed=1)
    assert dict(result.draws.sizes) == {"chain": 1, "draw": 10, "row": 3}
    for wrong in (0, 41, 2.0, True):
        with pytest.raises(ArgumentError, match="from 1 to 40"):
            simulate(fit, draws=wrong)
    assert not simulate(fit, keep_draws=False).draws.data_vars


def test_each_draw_has_its_own_sigma():
    """The standardised noise is the stream of standard normal numbers, rows first."""
    fit = make_fit("y ~ x + (1 | g)", table(), aux={"sigma": 2.0}, spread=0.5, n_draws=20)
    rows, chosen = fit.frame.iloc[:3], np.arange(10) * 4
    y, eta = draws_of(simulate(fit, rows, draws=10, seed=1), "y"), draws_of(predict(fit, rows))[chosen]
    noise = (y - eta) / fit.posterior["sigma"].to_numpy().reshape(-1)[chosen, None]
    np.testing.assert_allclose(noise, level_generator(1, STREAM).standard_normal((3, 10)).T, rtol=1e-9)


def test_weights_do_not_change_an_observation():
    fit = make_fit("y | weights(w) ~ x + (1 | g)", table(), spread=0.0, aux={"sigma": 2.0}, n_draws=2000)
    result = simulate(fit, fit.frame.iloc[:2], seed=1)
    assert np.all(np.abs(result.table["sd"] - 2.0) < MCSE_MULTIPLE * 2.0 / np.sqrt(2 * 4000))
    assert any("weight 1" in note for note in result.notes)


def test_an_observation_needs_its_trials_and_standard_errors():
    counts = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial")
    row = {"x": [0.0], "g": ["g01"]}
    with pytest.raises(ColumnError, match=r"number of trials.*Where: n\."):
        simulate(counts, row)
    with pytest.raises(ResponseError, match="number of trials must be a whole number"):
        simulate(counts, {**row, "n": [2.5]})
    both = make_fit("cbind(k, n - k) ~ x + (1 | g)", table(), family="binomial")
    with pytest.raises(ColumnError, match=r"Where: k, n\."):
        simulate(both, {**row, "n": [6]})
    known = make_fit("y | se(s) ~ x + (1 | g)", table())
    with pytest.raises(ColumnError, match=r"known standard error.*Where: s\."):
        simulate(known, row)
    with pytest.raises(ResponseError, match="positive"):
        simulate(known, {**row, "s": [0.0]})


def test_a_response_called_row():
    fit = make_fit("row ~ x", table().rename(columns={"y": "row"}))
    assert list(simulate(fit, {"x": [0.0]}).draws.data_vars) == ["row_"]
