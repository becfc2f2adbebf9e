"""Calibration of predicted probabilities."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.post.check_calibration import check_calibration
from tests.fits import make_fit
from tests.post.check_cases import binary_fit, count_fit, gaussian_fit, mean_share_is_small
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

COLUMNS = ["predicted", "observed", "ci_lower", "ci_upper", "outside"]


@pytest.mark.parametrize("trials", [None, 5])
def test_the_curve_increases_between_its_ends(trials):
    result = check_calibration(binary_fit(1, trials=trials))
    assert list(result.table) == COLUMNS
    assert len(result.table) == 100
    for column in ("predicted", "observed"):
        assert result.table[column].between(0.0, 1.0).all()
        assert result.table[column].is_monotonic_increasing
    assert np.all(result.table["ci_lower"] <= result.table["ci_upper"])
    assert "given all other rows" in result.target
    assert not result.draws.data_vars


@pytest.mark.parametrize("trials", [None, 5])
def test_a_correct_model_is_inside(trials):
    shares = [check_calibration(binary_fit(seed, trials=trials), draws=100).table["outside"].mean() for seed in range(12)]
    assert mean_share_is_small(shares)


@pytest.mark.parametrize(("share", "flat"), [(1 / 3, True), (3.0, False)])
def test_predictors_of_the_wrong_size_are_outside_at_both_ends(share, flat):
    """Too small, predictions are too close to each other: small ones too large, large ones too small. Too large: the other way round."""
    fit = binary_fit(2, groups=80)
    b = share * fit.posterior["1|g"].to_numpy().mean(axis=(0, 1))
    wrong = make_fit("y ~ x + (1 | g)", fit.frame, family="bernoulli", beta=[share * 0.5, share * 0.4], sd=share, b=b, spread=0.02)
    found = check_calibration(wrong).table
    below, above = found["observed"] < found["ci_lower"], found["observed"] > found["ci_upper"]
    low, high = found["predicted"] < 0.5, found["predicted"] > 0.6
    assert (below if flat else above)[low].any()
    assert (above if flat else below)[high].any()
    assert not (above if flat else below)[low].any()


def test_one_prediction_has_the_band_of_a_share():
    """A model without predictors: the band holds binomial variation and that of the probability over draws, of a known variance.

    Without leaving rows out all predictions are one. Rows are independent in the band: the share of N trials has the variance
    sum_i (n_i p (1 - p) + n_i (n_i - 1) v) / N^2. Its ends are normal quantiles; the standard error of a quantile at 2.5 % of S values is
    2.67 sd / sqrt(S). Skewness and jumps of the share are below a tenth of its SD.
    """
    n = np.resize([40, 60], 50)
    rows = pd.DataFrame({"k": np.random.default_rng(1).binomial(n, 0.4), "n": n})
    fit = make_fit("k | trials(n) ~ 1", rows, family="binomial", beta=[-0.4], spread=0.4, n_draws=1000)
    found = check_calibration(fit, loo=False, draws=2000).table
    p = 1.0 / (1.0 + np.exp(-fit.posterior["Intercept"].to_numpy().reshape(-1)))
    variance = np.sum(n * p.mean() * (1.0 - p.mean()) + n * (n - 1) * p.var()) / n.sum() ** 2
    assert len(found) == 1
    assert found["predicted"].iloc[0] == pytest.approx(p.mean(), rel=ALGEBRAIC)
    assert found["observed"].iloc[0] == pytest.approx(rows["k"].sum() / n.sum(), rel=ALGEBRAIC)
    tolerance = (MCSE_MULTIPLE * 2.67 / np.sqrt(2000) + 0.1) * np.sqrt(variance)
    expected = p.mean() + 1.96 * np.sqrt(variance) * np.array([-1.0, 1.0])
    assert np.all(np.abs(found[["ci_lower", "ci_upper"]].to_numpy()[0] - expected) < tolerance)


def test_rows_without_trials_say_nothing():
    fit = binary_fit(3, trials=4)
    n = np.where(np.arange(480) % 5 == 0, 0, 4)
    some = fit.frame.assign(n=n, y=np.minimum(fit.frame["y"], n))
    result = check_calibration(make_fit("y | trials(n) ~ x + (1 | g)", some, family="binomial", beta=[0.5, 0.4], spread=0.02))
    assert result.table.notna().all().all()


def test_seeds_repeat():
    fit = binary_fit(4)
    pd.testing.assert_frame_equal(check_calibration(fit, draws=50).table, check_calibration(fit, draws=50).table)
    assert not check_calibration(fit, draws=50).table.equals(check_calibration(fit, draws=50, seed=2).table)


def test_other_responses_have_no_probability():
    for fit in (gaussian_fit(1), count_fit(1)):
        with pytest.raises(FamilyError, match="no predicted probability"):
            check_calibration(fit)


def test_few_replicates_make_no_band():
    with pytest.raises(ArgumentError, match="at least 20 replicated"):
        check_calibration(binary_fit(1), draws=10)
