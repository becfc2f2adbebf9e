"""Equal-tailed and highest-density intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.intervals import Interval, equal_tailed, highest_density, interval
from tests.tolerances import ALGEBRAIC

probs = st.floats(0.05, 0.99)
samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)


def test_equal_tails_of_a_ladder():
    """0 to 100: the quantiles of type 7 are the numbers themselves."""
    lower, upper = equal_tailed(np.arange(101.0)[::-1], 0.9)
    np.testing.assert_allclose([lower, upper], [5.0, 95.0], rtol=ALGEBRAIC)


@given(x=samples, prob=probs)
def test_the_shortest_interval_by_brute_force(x, prob):
    """Every interval between two draws with floor(prob S) steps; no other is shorter."""
    ordered = sorted(x)
    steps = min(int(np.floor(prob * len(x))), len(x) - 1)
    widths = [ordered[i + steps] - ordered[i] for i in range(len(x) - steps)]
    first = int(np.argmin(widths))
    found = highest_density(np.array(x), prob)
    assert (found.lower, found.upper) == (ordered[first], ordered[first + steps])


@given(x=samples, prob=probs)
def test_reflection_reflects_the_equal_tails(x, prob):
    a, b = equal_tailed(np.array(x), prob), equal_tailed(-np.array(x), prob)
    np.testing.assert_allclose((a.lower, a.upper), (-b.upper, -b.lower), rtol=ALGEBRAIC, atol=ALGEBRAIC * max(1.0, max(map(abs, x))))


@pytest.mark.parametrize("kind", ["eti", "hdi"])
def test_draws_may_lie_on_any_axis(kind):
    draws = np.random.default_rng(6).gamma(2.0, size=(50, 3, 4))
    first, last = interval(draws, 0.8, kind), interval(np.moveaxis(draws, 0, -1), 0.8, kind, axis=-1)
    assert first.lower.shape == (3, 4)
    np.testing.assert_array_equal(first, last)
    np.testing.assert_array_equal(first.upper[1, 2], interval(draws[:, 1, 2], 0.8, kind).upper)


def test_the_kinds_differ_on_a_skewed_sample():
    draws = np.random.default_rng(7).gamma(1.0, size=4000)
    eti, hdi = interval(draws, 0.9, "eti"), interval(draws, 0.9, "hdi")
    assert isinstance(hdi, Interval)
    assert hdi.upper - hdi.lower < eti.upper - eti.lower
    assert hdi.lower < eti.lower


def test_one_draw_is_its_own_interval():
    assert highest_density(np.array([3.0]), 0.95) == (3.0, 3.0)
    assert equal_tailed(np.array([3.0]), 0.95) == (3.0, 3.0)


def test_an_unknown_kind_is_refused_with_the_nearest():
    with pytest.raises(ArgumentError, match="did you mean 'hdi'"):
        interval(np.zeros(3), 0.9, "hpdi")


@pytest.mark.parametrize(("draws", "prob"), [([], 0.9), ([1.0, np.nan], 0.9), ([1.0, 2.0], 95.0), ([1.0, 2.0], 0.0)])
def test_impossible_arguments_are_refused(draws, prob):
    for function in (equal_tailed, highest_density):
        with pytest.raises(ArgumentError):
            function(np.array(draws), prob)
