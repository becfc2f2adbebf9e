"""Posterior predictive check of the distribution of the response."""

import numpy as np
import pandas as pd

from bayesglmm.post import check_distribution as module
from bayesglmm.post.check_distribution import check_distribution
from tests.fits import make_fit
from tests.post.check_cases import binary_fit, count_fit, gaussian_fit, mean_share_is_small
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

COLUMNS = ["value", "observed", "mean", "sd", "median", "ci_lower", "ci_upper", "outside"]


def test_counts_are_numbers_of_rows_with_each_value():
    fit = count_fit(1)
    result = check_distribution(fit)
    assert list(result.table) == COLUMNS
    np.testing.assert_array_equal(result.table["value"], np.arange(len(result.table)))
    expected = fit.frame["y"].value_counts().reindex(result.table["value"], fill_value=0)
    np.testing.assert_array_equal(result.table["observed"], expected)
    assert result.table["observed"].sum() == len(fit.design.y)
    assert "number of rows with each value" in result.title
    assert "numbers of rows" in result.notes[0]
    assert not result.draws.data_vars


def test_replicated_counts_are_those_of_the_density():
    """All draws alike: the expected number of rows with each value is the sum of their probabilities."""
    fit = count_fit(2, spread=0.0)
    result = check_distribution(fit).table
    eta = fit.posterior["1|g"].to_numpy()[0, 0][fit.design.groups[0].index] + fit.design.X @ [0.5, 0.4]
    p = np.exp(fit.family.log_prob(result["value"].to_numpy()[:, None], eta, fit.link))
    error = np.sqrt(np.sum(p * (1.0 - p), axis=1) / 100)
    assert np.all(np.abs(result["mean"] - p.sum(axis=1)) < MCSE_MULTIPLE * error + ALGEBRAIC)


def test_measurements_are_compared_by_distribution_functions():
    fit = gaussian_fit(1)
    result, y = check_distribution(fit), fit.frame["y"].to_numpy()
    assert len(result.table) == 100
    np.testing.assert_allclose(result.table["observed"], [(y <= v).mean() for v in result.table["value"]], rtol=ALGEBRAIC)
    assert result.table["observed"].iloc[[0, -1]].tolist() == [0.0, 1.0]
    assert "distribution function" in result.title
    assert "shares of rows" in result.notes[0]


def test_correct_models_are_inside():
    for make in (gaussian_fit, count_fit):
        assert mean_share_is_small([check_distribution(make(seed), draws=100).table["outside"].mean() for seed in range(10)])


def test_overdispersion_and_skewness_are_outside():
    counts = check_distribution(count_fit(3, dispersion=1.0)).table
    assert counts["outside"].iloc[0]
    assert counts["observed"].iloc[0] > counts["ci_upper"].iloc[0]
    fit = gaussian_fit(4)
    residual = fit.frame["y"] - np.random.default_rng(4).normal(size=len(fit.frame))
    skewed = fit.frame.assign(y=residual + np.random.default_rng(5).exponential(3.0, len(fit.frame)))
    wrong = make_fit("y ~ x + time + (1 | g)", skewed, beta=[3.5, 0.4, 0.0], aux={"sigma": 3.0}, b=np.zeros(40), spread=0.02)
    assert check_distribution(wrong).table["outside"].mean() > 0.2


def test_zero_and_one_have_two_rows_and_successes_all_that_can_be():
    assert check_distribution(binary_fit(1)).table["value"].tolist() == [0.0, 1.0]
    successes = check_distribution(binary_fit(1, trials=7)).table
    assert successes["value"].tolist() == list(range(8))
    assert successes["observed"].sum() == 480


def test_large_counts_are_compared_by_distribution_functions():
    rows = pd.DataFrame({"g": np.repeat(list("abcdef"), 10), "y": np.random.default_rng(1).poisson(300, 60)})
    fit = make_fit("y ~ 1 + (1 | g)", rows, family="poisson", beta=[np.log(300)], sd=0.01, spread=0.01)
    result = check_distribution(fit)
    assert len(result.table) == 100
    assert "distribution function" in result.title


def test_replicates_beyond_the_table_are_told(monkeypatch):
    """A model with far too large a mean: its responses are above twice the limit, and the note says how many."""
    monkeypatch.setattr(module, "MOST_VALUES", 4)
    rows = pd.DataFrame({"g": np.repeat(list("abc"), 4), "y": [0, 1, 2, 3] * 3})
    fit = make_fit("y ~ 1 + (1 | g)", rows, family="poisson", beta=[np.log(50.0)], sd=0.01, spread=0.0)
    result = check_distribution(fit)
    assert any("100 % of the replicated responses are above 8" in note for note in result.notes)
    assert result.table["value"].max() == 3.0


def test_the_notes_compare_with_data_sets_of_the_model_itself():
    """A correct model has a common number of values outside, overdispersed counts one that the model never makes."""
    right, wrong = (check_distribution(count_fit(6, dispersion=d)) for d in (0.0, 1.0))
    shares = [float(r.notes[1].split("interval; ")[1].split(" %")[0]) for r in (right, wrong)]
    assert shares[0] > 5.0
    assert shares[1] < 1.0
    assert f"{int(wrong.table['outside'].sum())} of {len(wrong.table)} places outside" in wrong.notes[1]
