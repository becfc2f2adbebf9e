"""What is particular to Bernoulli, binomial and Poisson responses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from bayesglmm.errors import ArgumentError, FamilyError, ResponseError
from bayesglmm.families.bernoulli import Bernoulli
from bayesglmm.families.binomial import Binomial
from bayesglmm.families.poisson import Poisson
from bayesglmm.numerics.links import LINKS
from tests.tolerances import ALGEBRAIC

LOGIT, LOG = LINKS["logit"], LINKS["log"]


class TestBernoulli:
    """Zeros and ones."""

    def test_two_is_refused_with_its_rows(self):
        with pytest.raises(ResponseError, match=r"0 or 1.*\(7 of 9 rows\).*rows 1, 2, 4, 5, 6, \.\.\."):
            Bernoulli().check_response(np.array([0.0, 2.0, 0.5, 1.0, -1.0, 3.0, 3.0, 3.0, 3.0]))

    @given(eta=st.floats(-700.0, 700.0), link=st.sampled_from(Bernoulli().links))
    def test_swapping_the_outcome_swaps_the_tail(self, eta, link):
        """P(y = 1) + P(y = 0) = 1, and each logarithm is finite."""
        found = Bernoulli().log_prob(np.array([0.0, 1.0]), np.asarray(eta), LINKS[link])
        assert np.isfinite(found).all()
        np.testing.assert_allclose(special.logsumexp(found), 0.0, atol=ALGEBRAIC)

    def test_the_logit_is_linear_in_its_far_tail(self):
        found = Bernoulli().log_prob(np.ones(3), np.array([-40.0, -700.0, -1e6]), LOGIT)
        np.testing.assert_allclose(found, [-40.0, -700.0, -1e6], rtol=ALGEBRAIC)

    def test_a_mean_that_is_no_probability_is_refused(self):
        with pytest.raises(FamilyError, match="not a probability"):
            Bernoulli().log_prob(np.ones(1), np.zeros(1), LOG)

    def test_all_ones_keep_the_center_inside(self):
        """(5 + 1/2) / (5 + 1) successes."""
        np.testing.assert_allclose(Bernoulli().response_center(np.ones(5), LOGIT), np.log(5.5 / 0.5), rtol=ALGEBRAIC)


class TestBinomial:
    """Successes in n trials."""

    def test_one_trial_is_bernoulli(self):
        y, eta = np.array([[0.0], [1.0]]), np.linspace(-30.0, 30.0, 13)
        found = Binomial().log_prob(y, eta, LOGIT, trials=np.ones(13))
        np.testing.assert_allclose(found, Bernoulli().log_prob(y, eta, LOGIT), rtol=ALGEBRAIC)

    @given(n=st.integers(0, 60), share=st.floats(0.0, 1.0), eta=st.floats(-30.0, 30.0))
    def test_counting_failures_mirrors_the_logit(self, n, share, eta):
        k = np.floor(share * n)
        a = Binomial().log_prob(k, np.asarray(eta), LOGIT, trials=np.asarray(n))
        b = Binomial().log_prob(n - k, np.asarray(-eta), LOGIT, trials=np.asarray(n))
        np.testing.assert_allclose(a, b, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    @pytest.mark.parametrize(
        ("y", "n", "message"),
        [
            ([3.0, 5.0], [4.0, 4.0], r"more successes than trials \(1 of 2 rows\).*rows 1 "),
            ([0.5, 1.0], [4.0, 4.0], "number of successes"),
            ([-1.0, 1.0], [4.0, 4.0], "number of successes"),
            ([1.0, 1.0], [4.0, 2.5], "number of trials"),
            ([0.0, 0.0], [-1.0, 2.0], "number of trials"),
            ([0.0, 0.0], [np.nan, 2.0], "number of trials"),
        ],
    )
    def test_impossible_counts_are_refused(self, y, n, message):
        with pytest.raises(ResponseError, match=message):
            Binomial().check_response(np.array(y), np.array(n))

    def test_more_successes_than_trials_have_no_probability(self):
        assert Binomial().log_prob(np.asarray(5.0), np.asarray(0.0), LOGIT, trials=np.asarray(4.0)) == -np.inf

    def test_trials_are_asked_for(self):
        with pytest.raises(ArgumentError, match="trials"):
            Binomial().check_response(np.ones(2))

    def test_rows_without_trials_carry_no_information(self):
        assert Binomial().log_prob(np.asarray(0.0), np.asarray(3.0), LOGIT, trials=np.asarray(0.0)) == 0.0
        Binomial().check_response(np.zeros(2), np.array([0.0, 3.0]))

    def test_the_center_pools_rows(self):
        y, n = np.array([1.0, 8.0]), np.array([2.0, 10.0])
        np.testing.assert_allclose(Binomial().response_center(y, LOGIT, trials=n), np.log(9.0 / 3.0), rtol=ALGEBRAIC)
        np.testing.assert_allclose(Binomial().response_center(0 * y, LOGIT, trials=n), np.log(0.5 / 12.5), rtol=ALGEBRAIC)

    def test_the_variance_is_that_of_the_count(self):
        np.testing.assert_allclose(Binomial().variance(np.asarray(0.2), np.array([1.0, 10.0])), [0.16, 1.6], rtol=ALGEBRAIC)

    def test_a_hopeless_outcome_is_minus_infinity_and_not_a_warning(self):
        found = Binomial().log_prob(np.asarray(0.0), np.asarray(1e4), LINKS["cloglog"], trials=np.asarray(12.0))
        assert found == -np.inf


class TestPoisson:
    """Counts."""

    @pytest.mark.parametrize("bad", [-1.0, 2.5])
    def test_negative_and_fractional_counts_are_refused(self, bad):
        with pytest.raises(ResponseError, match=r"count.*rows 2 "):
            Poisson().check_response(np.array([0.0, 4.0, bad]))

    def test_a_large_count_is_possible(self):
        Poisson().check_response(np.array([0.0, 1e9]))

    def test_means_beyond_integers_are_drawn_as_floats(self):
        """At mean e^60 = 1e26 a Poisson draw is normal to 1e-13; within 6 standard deviations, whole, not all equal."""
        draws = Poisson().sample(np.random.default_rng(4), np.full(1000, 60.0), LOG)
        assert (np.abs(draws - np.exp(60.0)) < 6.0 * np.exp(30.0)).all()
        assert (draws == np.rint(draws)).all()
        assert np.unique(draws).size > 500

    def test_a_mean_beyond_the_range_of_a_double_gives_infinite_counts_and_no_probability(self):
        assert (Poisson().sample(np.random.default_rng(4), np.full(50, 800.0), LOG) == np.inf).all()
        assert Poisson().log_prob(np.asarray(3.0), np.asarray(800.0), LOG) == -np.inf

    def test_all_zero_counts_keep_the_center_finite(self):
        np.testing.assert_allclose(Poisson().response_center(np.zeros(4), LOG), np.log(0.5 / 5.0), rtol=ALGEBRAIC)

    def test_a_link_without_a_logarithm_of_the_mean_is_refused(self):
        with pytest.raises(FamilyError, match="sqrt"):
            Poisson().log_prob(np.ones(1), np.ones(1), LINKS["sqrt"])
