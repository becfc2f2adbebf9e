"""Serial correlation of residuals within groups."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError, ColumnError, MissingValueError
from bayesglmm.post import linear_predictor
from bayesglmm.post.check_autocorrelation import check_autocorrelation
from tests.fits import make_fit
from tests.post.check_cases import binary_fit, count_fit, exact_fit, false_alarms, gaussian_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

COLUMNS = ["lag", "pairs", "observed", "mean", "sd", "median", "ci_lower", "ci_upper", "outside"]


def test_the_observed_correlation_is_that_of_the_residuals():
    """All draws alike: residuals y - mu in standard deviations, pairs of rows of one group."""
    fit = gaussian_fit(1, spread=0.0)
    found = check_autocorrelation(fit, "time", lags=3)
    eta = fit.posterior["1|g"].to_numpy()[0, 0][fit.design.groups[0].index] + fit.design.X @ [0.5, 0.4, 0.0]
    r = (fit.design.y - eta).reshape(40, 12)
    expected = [np.mean(r[:, :-lag] * r[:, lag:]) / np.mean(r**2) for lag in (1, 2, 3)]
    assert list(found.table) == COLUMNS
    assert found.table["pairs"].tolist() == [440, 400, 360]
    np.testing.assert_allclose(found.table["observed"], expected, rtol=ALGEBRAIC)
    assert found.draws["replicated"].sizes == {"chain": 1, "draw": 100, "row": 3}
    np.testing.assert_array_equal(found.draws["lag"], [1, 2, 3])


def test_serial_correlation_is_outside():
    found = check_autocorrelation(gaussian_fit(2, rho=0.4), "time").table
    assert found["outside"].iloc[0]
    assert found["observed"].iloc[0] > found["ci_upper"].iloc[0]


@pytest.mark.parametrize("make", [gaussian_fit, count_fit, binary_fit, lambda seed: binary_fit(seed, trials=5)])
def test_a_correct_model_is_inside(make):
    found = [
        check_autocorrelation(make(seed), np.tile(np.arange(12), 40), lags=1, draws=100).table["outside"].iloc[0] for seed in range(20)
    ]
    assert false_alarms(found)


def test_small_groups_of_a_correct_model_are_not_taken_for_serial_correlation():
    """Groups of three rows: residuals from posterior means have a correlation of about -1/3 with each other, those of draws none."""
    fit = exact_fit(3, groups=300, size=3)
    found = check_autocorrelation(fit, "time", lags=2)
    assert not found.table["outside"].any()
    mean = fit.posterior["1|g"].to_numpy().mean(axis=(0, 1))
    r = fit.design.y.reshape(300, 3) - mean[:, None]
    naive = np.mean(r[:, :-1] * r[:, 1:]) / np.mean(r**2)
    assert naive < found.table["ci_lower"].iloc[0]


def test_the_order_of_the_rows_does_not_matter_but_that_of_time_does():
    fit = gaussian_fit(4, rho=0.5)
    mixed = fit.frame.sample(frac=1.0, random_state=1)
    again = make_fit("y ~ x + time + (1 | g)", mixed, beta=[0.5, 0.4, 0.0], b=fit.posterior["1|g"].to_numpy()[0, 0], spread=0.0)
    plain = make_fit("y ~ x + time + (1 | g)", fit.frame, beta=[0.5, 0.4, 0.0], b=fit.posterior["1|g"].to_numpy()[0, 0], spread=0.0)
    expected = check_autocorrelation(plain, "time").table["observed"]
    np.testing.assert_allclose(check_autocorrelation(again, "time").table["observed"], expected, rtol=1e-8)
    shuffled = check_autocorrelation(plain, np.random.default_rng(1).permutation(480)).table["observed"]
    assert shuffled.iloc[0] < expected.iloc[0]


def test_times_may_be_numbers_dates_or_a_column():
    fit = gaussian_fit(5)
    numbers = fit.frame["time"].to_numpy()
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(numbers, unit="D")
    expected = check_autocorrelation(fit, "time").table
    for time in (numbers, list(numbers), 0.5 * numbers, dates):
        pd.testing.assert_frame_equal(check_autocorrelation(fit, time).table, expected)


def test_lags_without_pairs_and_tied_times_are_told():
    found = check_autocorrelation(exact_fit(6, groups=30, size=3), "time")
    assert found.table["lag"].tolist() == [1, 2]
    assert any(note.endswith("has rows more than 2 apart: longer lags are left out.") for note in found.notes)


def test_many_lags_without_pairs_need_no_long_note():
    found = check_autocorrelation(exact_fit(6, groups=30, size=3), "time", lags=50)
    assert found.table["lag"].tolist() == [1, 2]
    (note,) = [note for note in found.notes if "left out" in note]
    assert len(note) < 100
    tied = check_autocorrelation(exact_fit(6, groups=30, size=3), np.zeros(90))
    assert any("60 rows share level and time" in note for note in tied.notes)


def test_the_factor_with_most_levels_is_the_series():
    assert "levels of g" in check_autocorrelation(crossed_fit(), "x").title
    assert "levels of h" in check_autocorrelation(crossed_fit(), "x", factor="h").title


def test_random_numbers_do_not_depend_on_blocks(monkeypatch):
    fit = gaussian_fit(7)
    whole = check_autocorrelation(fit, "time").table
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1000)
    pd.testing.assert_frame_equal(check_autocorrelation(fit, "time").table, whole)


def test_wrong_arguments_are_refused():
    fit = gaussian_fit(8)
    with pytest.raises(ColumnError, match=r"no column 'visit'.*time"):
        check_autocorrelation(fit, "visit")
    with pytest.raises(ColumnError, match="numbers or dates"):
        check_autocorrelation(fit, "g")
    with pytest.raises(ArgumentError, match="time has 3 values"):
        check_autocorrelation(fit, [1, 2, 3])
    with pytest.raises(MissingValueError, match=r"1 times are missing.*row 4"):
        check_autocorrelation(fit, np.where(np.arange(480) == 4, np.nan, 1.0))
    for lags in (0, 1.5, True):
        with pytest.raises(ArgumentError, match="lags="):
            check_autocorrelation(fit, "time", lags=lags)
    with pytest.raises(ArgumentError, match="no grouping factor of the model"):
        check_autocorrelation(fit, "time", factor="x")
    with pytest.raises(ArgumentError, match="has no grouping factor"):
        check_autocorrelation(make_fit("y ~ x", table()), "x")
    single = pd.DataFrame({"g": list("abcdef"), "y": np.arange(6.0) ** 2, "s": np.ones(6)})
    with pytest.raises(ArgumentError, match="no level has two rows"):
        check_autocorrelation(make_fit("y | se(s) ~ 1 + (1 | g)", single), np.arange(6))
