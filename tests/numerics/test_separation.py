"""Separation of an outcome by one predictor."""

import numpy as np
import pytest

from bayesglmm.numerics.separation import one_sided, splits


def outcome(y):
    y = np.array(y, dtype=float)
    return y < 1.0, y > 0.0


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1], True),
        ([4, 3, 2, 1], [0, 0, 1, 1], True),
        ([1, 2, 2, 4], [0, 0, 1, 1], True),  # quasi-complete: both outcomes at the threshold only
        ([1, 2, 3, 4], [0, 1, 0, 1], False),
        ([0, 0, 1, 1], [0, 1, 1, 1], True),  # all ones at x = 1
        ([0, 0, 1, 1], [0, 1, 0, 1], False),
        ([1, 1, 1, 1], [0, 1, 0, 1], False),  # does not vary
        ([1, 2, 3, 4], [1, 1, 1, 1], False),  # one outcome only: nothing to be split
    ],
)
def test_splits(x, y, expected):
    assert splits(np.array(x, dtype=float), *outcome(y)) is expected


def test_a_row_of_trials_can_be_both():
    """k of 5: a row with 2 of 5 holds failures and successes, so that only the ends may share a threshold."""
    x, k = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 5.0])
    assert splits(x, k < 5.0, k > 0.0)
    assert not splits(x, np.array([True, True, True]), np.array([False, True, True]))


def test_levels_with_one_outcome():
    codes = np.array([0, 0, 1, 1, 2, 2])
    nothing, everything = one_sided(codes, 3, np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0]), np.ones(6))
    assert nothing.tolist() == [True, False, False]
    assert everything.tolist() == [False, True, False]


def test_counts_have_no_upper_end():
    nothing, everything = one_sided(np.array([0, 0, 1]), 2, np.array([0.0, 0.0, 7.0]), np.full(3, np.inf))
    assert nothing.tolist() == [True, False]
    assert everything.tolist() == [False, False]
