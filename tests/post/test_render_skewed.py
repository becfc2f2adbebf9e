"""Digits of skewed posteriors and of very large and small numbers; weights in the words of averages."""

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.post.render import format_table
from tests.post.makers import crossed_fit


def cells(**row):
    table = pd.DataFrame({name: [value] for name, value in row.items()})
    return dict(zip(table.columns, format_table(table, n_draws=1200, headers={}).cells[0], strict=True))


def test_a_skewed_ratio_keeps_the_digits_of_its_median_and_interval():
    shown = cells(mean=2000.0, sd=11000.0, median=20.71, ci_lower=1.268, ci_upper=26000.0)
    assert (shown["median"], shown["ci_lower"], shown["ci_upper"]) == ("20.7", "1.27", "26000")


def test_a_symmetric_estimate_shows_no_more_digits_than_its_error_allows():
    shown = cells(mean=0.381, sd=0.651, median=0.379, ci_lower=-0.884, ci_upper=1.652)
    assert (shown["mean"], shown["median"], shown["ci_upper"]) == ("0.4", "0.4", "1.7")


def test_numbers_far_from_one_have_an_exponent():
    shown = cells(mean=2.0e26, sd=1.0e24, median=2.0e26, ci_lower=1.98e26, ci_upper=2.02e26)
    assert shown["mean"] == "2e+26"
    tiny = cells(mean=2.0e-20, sd=1.0e-22, median=2.0e-20, ci_lower=1.98e-20, ci_upper=2.02e-20)
    assert tiny["median"] == "2e-20"


@pytest.mark.parametrize("call", [lambda f, **k: bg.means(f, target="population", **k), bg.marginal_coefficients])
def test_weights_are_told(call):
    fit = crossed_fit()
    assert any(", weighted as given" in note for note in call(fit, weights=np.ones(len(fit.frame))).notes)
    assert not any("weighted" in note for note in call(fit).notes)


def test_a_ratio_with_rare_huge_draws_keeps_the_digits_of_its_median_and_interval():
    """A nearly symmetric interval that the SD, made by a few draws, is far wider than."""
    shown = cells(mean=-0.31, sd=250.0, median=0.7172, ci_lower=0.3114, ci_upper=0.9321)
    assert (shown["median"], shown["ci_lower"], shown["ci_upper"]) == ("0.717", "0.311", "0.932")
    assert shown["mean"] == "0"


@pytest.mark.parametrize(("width", "median"), [(0.99, "0.510"), (1.01, "0.5")])
def test_an_sd_wider_than_the_interval_says_nothing_about_it(width, median):
    shown = cells(mean=0.51, sd=1.0, median=0.51, ci_lower=0.51 - width / 2, ci_upper=0.51 + width / 2)
    assert shown["median"] == median


def test_an_unknown_error_leaves_four_digits():
    table = pd.DataFrame({"mean": [0.123456], "sd": [0.98765], "median": [0.112233], "ci_lower": [-0.81236], "ci_upper": [1.23456]})
    assert format_table(table, n_draws=0, headers={}).cells == (("0.1235", "0.9877", "0.1122", "-0.8124", "1.235"),)


@pytest.mark.parametrize("column", ["mean", "shrinkage", "x", "ess_bulk"])
def test_no_zero_has_a_sign(column):
    values = pd.DataFrame({column: [-0.0, -0.0, -1e-9], "sd": [0.0, np.nan, 0.5]}).iloc[: 2 if column == "x" else 3]
    assert not [cell for cell, _ in format_table(values, n_draws=100, headers={}).cells if cell.startswith("-")]


def test_the_print_of_equal_targets_has_no_negative_zero():
    fit = crossed_fit(sd={"g": [1e-9, 1e-9], "h": [1e-9]}, spread=0.0)
    text = str(bg.compare_targets(fit, at={"x": [0.0]}))
    assert "-0 " not in text
    assert not text.endswith("-0")


def test_an_sd_is_never_rounded_away():
    """Few effective draws: the error of the mean is nearly the SD itself."""
    frame = pd.DataFrame({"mean": [12.3], "sd": [4.2], "mcse_mean": [2.1]})
    assert format_table(frame, n_draws=400, headers={}).cells[0][:2] == ("10", "4")
    assert format_table(frame.assign(sd=0.0), n_draws=400, headers={}).cells[0][1] == "0"
