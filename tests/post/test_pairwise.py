"""All pairs, against contrasts."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.post.contrasts import contrasts
from bayesglmm.post.pairwise import MAX_VALUES, pairwise
from tests.post.makers import crossed_fit, draws_of


@pytest.mark.parametrize("compare", ["difference", "odds_ratio"])
def test_pairs_are_contrasts(compare):
    fit = crossed_fit()
    result = pairwise(fit, "drug", target="population", compare=compare, by="h")
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    wanted = contrasts(fit, "drug", pairs, target="population", compare=compare, by="h")
    np.testing.assert_array_equal(draws_of(result, "contrast"), draws_of(wanted, "contrast"))
    pd.testing.assert_frame_equal(result.table.drop(columns="prob_positive"), wanted.table)
    assert list(zip(result.table["from"], result.table["to"], strict=True)) == pairs * 4


def test_probability_is_that_of_a_positive_contrast():
    fit = crossed_fit(beta={"drug[b]": 0.02, "drug[c]": -0.05})
    difference = pairwise(fit, "drug", target="average_subject", at={})
    ratio = pairwise(fit, "drug", target="average_subject", at={}, compare="odds_ratio")
    np.testing.assert_array_equal(difference.table["prob_positive"], np.mean(draws_of(difference, "contrast") > 0, axis=0))
    np.testing.assert_array_equal(ratio.table["prob_positive"], difference.table["prob_positive"])
    assert difference.table["prob_positive"].between(0.01, 0.99).any()


def test_too_many_values_are_refused():
    with pytest.raises(ArgumentError, match="make 1275 pairs"):
        pairwise(crossed_fit(), "x", np.arange(MAX_VALUES + 1.0), target="population")


def test_values_are_checked():
    with pytest.raises(ArgumentError, match="occurs twice"):
        pairwise(crossed_fit(), "drug", ["a", "b", "a"], target="population")
    with pytest.raises(ArgumentError, match="two or more values"):
        pairwise(crossed_fit(), "drug", [("a", "b")], target="population")


def test_draws_may_be_left_out():
    kept, left = (pairwise(crossed_fit(), "drug", target="average_subject", keep_draws=keep) for keep in (True, False))
    assert not left.draws.data_vars
    pd.testing.assert_frame_equal(left.table, kept.table)
