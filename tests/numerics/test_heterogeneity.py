"""Heterogeneity and predictive intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.heterogeneity import heterogeneity_interval, opposite_sign_share, predictive_interval
from bayesglmm.numerics.links import LINKS
from tests.tolerances import ALGEBRAIC


def mixture_cdf(x: np.ndarray, m: np.ndarray, v: np.ndarray) -> np.ndarray:
    return stats.norm.cdf(x, m, np.sqrt(v)).mean(axis=0)


class TestHeterogeneityInterval:
    """m -+ c sqrt(v)."""

    def test_aids_at_baseline_under_zalcitabine(self):
        """Published for the AIDS data: m = 5.711 and sd 5.696 give (-5.45, 16.87); 0.9967 for b = 0 and (0.00427, 1)."""
        lower, upper = heterogeneity_interval(np.asarray(5.711), np.asarray(5.696**2), 0.95)
        inverse = LINKS["logit"].inverse
        assert (round(float(lower), 2), round(float(upper), 2)) == (-5.45, 16.87)
        assert round(float(inverse(np.asarray(5.711))), 4) == 0.9967
        assert (round(float(inverse(lower)), 5), round(float(inverse(upper)), 5)) == (0.00427, 1.0)

    @given(m=st.floats(-50.0, 50.0), v=st.floats(1e-6, 1e4), level=st.floats(0.01, 0.999))
    def test_it_holds_its_level_of_subjects(self, m, v, level):
        lower, upper = heterogeneity_interval(np.asarray(m), np.asarray(v), level)
        held = special.ndtr((upper - m) / np.sqrt(v)) - special.ndtr((lower - m) / np.sqrt(v))
        # atol: (m + c s) - m loses up to |m| / s = 5e4 units of the last place
        np.testing.assert_allclose(held, level, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    def test_shapes_broadcast_over_draws(self):
        ends = heterogeneity_interval(np.zeros((6, 4)), np.ones((6, 1)), 0.9)
        assert ends.lower.shape == ends.upper.shape == (6, 4)

    @pytest.mark.parametrize(("m", "v", "level"), [(0.0, -1.0, 0.9), (np.nan, 1.0, 0.9), (0.0, 1.0, 1.0), (0.0, 1.0, 95.0)])
    def test_impossible_arguments_are_refused(self, m, v, level):
        with pytest.raises(ArgumentError):
            heterogeneity_interval(m, v, level)


class TestPredictiveInterval:
    """Quantiles of the mixture over draws."""

    @settings(deadline=None)
    @given(seed=st.integers(0, 10_000), level=st.floats(0.05, 0.99))
    def test_the_mixture_has_the_asked_probability_at_both_ends(self, seed, level):
        rng = np.random.default_rng(seed)
        m, v = rng.normal(0.0, 3.0, (40, 3)), rng.gamma(2.0, 2.0, (40, 3)) + 0.01
        ends = predictive_interval(m, v, level)
        np.testing.assert_allclose(mixture_cdf(ends.lower, m, v), (1 - level) / 2, rtol=ALGEBRAIC, atol=ALGEBRAIC)
        np.testing.assert_allclose(mixture_cdf(ends.upper, m, v), (1 + level) / 2, rtol=ALGEBRAIC)

    def test_equal_draws_give_the_heterogeneity_interval(self):
        m, v = np.array([1.0, -4.0]), np.array([2.0, 30.0])
        ends = predictive_interval(np.tile(m, (50, 1)), np.tile(v, (50, 1)), 0.9)
        plain = heterogeneity_interval(m, v, 0.9)
        np.testing.assert_allclose(ends, plain, rtol=ALGEBRAIC)

    def test_two_far_components(self):
        """Half the draws at -100, half at +100, sd 1: the 5 % point of the mixture is the 10 % point of the left one."""
        m = np.array([[-100.0], [100.0]])
        lower, upper = predictive_interval(m, np.ones((2, 1)), 0.9)
        np.testing.assert_allclose([lower[0], upper[0]], [-100 + special.ndtri(0.1), 100 + special.ndtri(0.9)], rtol=ALGEBRAIC)

    def test_without_spread_it_is_the_quantile_of_the_draws(self):
        """v = 0: the smallest draw with at least that share of draws at or below it."""
        m = np.arange(1.0, 101.0)[:, None]
        lower, upper = predictive_interval(m, np.zeros((100, 1)), 0.9)
        np.testing.assert_allclose([lower[0], upper[0]], [5.0, 95.0], rtol=ALGEBRAIC)

    def test_many_columns_are_computed_in_parts(self):
        rng = np.random.default_rng(2)
        m, v = rng.normal(size=(4000, 150)), rng.uniform(0.5, 2.0, (4000, 150))
        ends = predictive_interval(m, v, 0.95)
        for column in (0, 64, 65, 149):
            one = predictive_interval(m[:, column], v[:, column], 0.95)
            np.testing.assert_allclose((ends.lower[column], ends.upper[column]), one, rtol=ALGEBRAIC)

    def test_shapes(self):
        assert predictive_interval(np.zeros((9, 2, 3)), 1.0, 0.5).lower.shape == (2, 3)
        assert predictive_interval(np.zeros(9), np.ones(9), 0.5).upper.shape == ()

    def test_no_draws_are_refused(self):
        with pytest.raises(ArgumentError, match="draws"):
            predictive_interval(np.zeros((0, 2)), np.ones((0, 2)), 0.9)


class TestOppositeSignShare:
    """Phi(-|beta| / sd)."""

    def test_values(self):
        found = opposite_sign_share(np.array([-1.96, 1.96, 0.0]), np.array([1.0, 1.0, 2.0]))
        np.testing.assert_allclose(found, [special.ndtr(-1.96), special.ndtr(-1.96), 0.5], rtol=ALGEBRAIC)

    def test_no_spread_no_opposites(self):
        np.testing.assert_array_equal(opposite_sign_share(np.array([0.0, 3.0]), 0.0), [0.0, 0.0])

    def test_a_tiny_spread_does_not_warn(self):
        assert opposite_sign_share(1e10, 1e-310) == 0.0

    def test_a_negative_spread_is_refused(self):
        with pytest.raises(ArgumentError, match="negative"):
            opposite_sign_share(1.0, -1.0)
