"""Shares above a threshold, median and interval ratios of two random groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.heterogeneity import opposite_sign_share
from bayesglmm.numerics.spread import interval_ratio, median_ratio, share_above
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

PAIRS = 400_000


def pairs(sd: float, change: float = 0.0) -> np.ndarray:
    """Log ratios of pairs of random groups, the second one changed."""
    b = np.random.default_rng(5).normal(scale=sd, size=(2, PAIRS))
    return change + b[1] - b[0]


def near(found: float, share: float) -> bool:
    """Whether a simulated share is within five standard errors."""
    return abs(found - share) < MCSE_MULTIPLE * np.sqrt(share * (1.0 - share) / PAIRS)


def test_half_of_the_pairs_are_beyond_the_median_ratio():
    ratios = np.exp(np.abs(pairs(0.8)))
    assert near(np.mean(ratios > median_ratio(2.0 * 0.8**2)), 0.5)


def test_the_interval_holds_its_share_of_the_pairs():
    log_ratios = pairs(0.8, change=0.5)
    ends = interval_ratio(0.5, 2.0 * 0.8**2, 0.8)
    assert near(np.mean(np.exp(log_ratios) < ends.lower), 0.1)
    assert near(np.mean(np.exp(log_ratios) > ends.upper), 0.1)
    assert near(np.mean(log_ratios < 0.0), float(opposite_sign_share(0.5, np.sqrt(2.0) * 0.8)))


def test_larsen_and_merlo_s_formula_in_its_usual_form():
    """As printed: MOR = exp(0.95 sqrt(v)), that is sqrt(2) times 0.6745 rounded."""
    v = np.array([0.0, 0.1, 1.0, 4.0])
    np.testing.assert_allclose(np.log(median_ratio(2.0 * v)), 0.95 * np.sqrt(v), rtol=0.005)  # the rounding of 0.95
    assert median_ratio(np.asarray(0.0)) == 1.0


@given(m=st.floats(-20, 20), v=st.floats(0, 100), cutoff=st.floats(-20, 20))
def test_a_share_is_a_share_and_its_complement_is_the_mirrored_one(m, v, cutoff):
    found = share_above(cutoff, m, v)
    assert 0.0 <= found <= 1.0
    if m != cutoff or v > 0.0:
        np.testing.assert_allclose(found + share_above(-cutoff, -m, v), 1.0, rtol=ALGEBRAIC)


def test_shares_of_known_laws():
    np.testing.assert_allclose(share_above(1.0, np.array([1.0, 3.0]), np.array([4.0, 4.0])), [0.5, special.ndtr(1.0)], rtol=ALGEBRAIC)
    np.testing.assert_array_equal(share_above(1.0, np.array([0.0, 2.0]), 0.0), [0.0, 1.0])


@given(change=st.floats(-5, 5), w=st.floats(0, 50), level=st.floats(0.01, 0.99))
def test_the_interval_is_around_the_ratio(change, w, level):
    ends = interval_ratio(change, w, level)
    np.testing.assert_allclose(np.log(ends.lower) + np.log(ends.upper), 2.0 * change, rtol=ALGEBRAIC, atol=ALGEBRAIC)
    assert ends.lower <= ends.upper


def test_impossible_arguments_are_refused():
    with pytest.raises(ArgumentError, match=r"negative.*What to do: choose rows"):
        median_ratio(np.asarray(-1.0))
    with pytest.raises(ArgumentError, match="level"):
        interval_ratio(0.0, 1.0, 80.0)
    with pytest.raises(ArgumentError, match="cutoff"):
        share_above(np.inf, 0.0, 1.0)
    with pytest.raises(ArgumentError, match="not finite"):
        share_above(0.0, np.nan, 1.0)
