"""Isotonic regression on predictions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.numerics.isotonic import increasing_shares, make_ladder
from tests.tolerances import ALGEBRAIC


def test_shares_that_increase_are_kept_and_equal_predictions_pooled():
    ladder = make_ladder(np.array([0.5, 0.1, 0.5, 0.9]), np.ones(4))
    np.testing.assert_allclose(ladder.values, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(ladder.size, [1.0, 2.0, 1.0])
    np.testing.assert_allclose(increasing_shares(ladder, np.array([1.0, 0.0, 0.0, 1.0])), [0.0, 0.5, 1.0])


def test_shares_that_fall_are_pooled_by_trials():
    ladder = make_ladder(np.array([0.2, 0.4, 0.6]), np.array([10.0, 30.0, 5.0]))
    np.testing.assert_allclose(increasing_shares(ladder, np.array([5.0, 9.0, 4.0])), [0.35, 0.35, 0.8], rtol=ALGEBRAIC)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 20), st.integers(0, 20)), min_size=1, max_size=30))
def test_it_increases_and_keeps_the_total(rows):
    predicted, trials, successes = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    successes = np.minimum(successes, trials)
    ladder = make_ladder(predicted, trials)
    found = increasing_shares(ladder, successes)
    assert np.all(np.diff(found) >= 0.0)
    np.testing.assert_allclose(found @ ladder.size, successes.sum(), rtol=ALGEBRAIC, atol=ALGEBRAIC)
