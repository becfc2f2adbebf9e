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
