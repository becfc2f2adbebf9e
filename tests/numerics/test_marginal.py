"""Population means and marginal coefficients: closed forms, identities and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.marginal import (
    LOGIT_ATTENUATION,
    logit_attenuation,
    marginal_coefficients,
    population_mean,
    population_predictor,
)
from bayesglmm.numerics.quadrature import normal_average, normal_rule
from tests.tolerances import ALGEBRAIC, REFERENCE

QUADRATURE = [name for name, link in LINKS.items() if link.has_population_mean and link.marginal_predictor is None]
AVERAGED = [name for name, link in LINKS.items() if link.has_population_mean]
REFUSED = [name for name, link in LINKS.items() if not link.has_population_mean]

means = st.floats(-20.0, 20.0)
variances = st.floats(0.0, 100.0)


def design(rows: int = 12) -> np.ndarray:
    rng = np.random.default_rng(20)
    return np.column_stack([np.ones(rows), rng.normal(size=rows), rng.integers(0, 2, rows)])


class TestPopulationMean:
    """E h(eta), eta ~ N(m, v)."""

    @given(m=means, v=variances)
    def test_closed_forms(self, m, v):
        assert population_mean("identity", m, v).value == m
        np.testing.assert_allclose(population_mean("log", m, v).value, np.exp(m + v / 2), rtol=ALGEBRAIC)
        np.testing.assert_allclose(population_mean("probit", m, v).value, special.ndtr(m / np.sqrt(1 + v)), rtol=ALGEBRAIC)

    @pytest.mark.parametrize("name", ["identity", "log", "probit"])
    def test_closed_forms_state_no_error(self, name):
        assert population_mean(name, np.zeros(3), np.ones(3)).bound == 0.0

    @settings(deadline=None)
    @given(m=means, v=variances)
    def test_the_closed_form_of_probit_is_the_rule(self, m, v):
        rule = normal_rule("probit", 10.0)
        by_rule = normal_average(LINKS["probit"].inverse, np.asarray(m), np.sqrt(v), rule)
        assert abs(by_rule - population_mean("probit", m, v).value) <= rule.bound

    @pytest.mark.parametrize("name", AVERAGED)
    def test_without_variance_it_is_the_inverse_link_exactly(self, name):
        m = np.linspace(-8.0, 8.0, 9)
        mixed = np.where(np.arange(9) % 2 == 0, 0.0, 4.0)
        np.testing.assert_array_equal(population_mean(name, m, 0.0).value, LINKS[name].inverse(m))
        np.testing.assert_array_equal(population_mean(name, m, mixed).value[::2], LINKS[name].inverse(m)[::2])
        assert population_mean(name, m, 0.0).bound == 0.0

    @pytest.mark.parametrize("name", QUADRATURE)
    def test_the_bound_is_stated_and_kept_to(self, name):
        found = population_mean(name, np.zeros(2), np.array([1.0, 100.0]))
        assert 0.0 < found.bound <= 1e-10
        assert population_mean(name, 0.0, 1.0, tolerance=1e-4).bound <= 1e-4

    @pytest.mark.parametrize("name", ["logit", "cauchit"])
    @settings(deadline=None)
    @given(m=means, v=variances)
    def test_symmetric_links(self, name, m, v):
        both = population_mean(name, np.array([m, -m]), v)
        assert abs(both.value.sum() - 1.0) <= 2.0 * both.bound + ALGEBRAIC

    @settings(deadline=None)
    @given(m=means, v=variances)
    def test_loglog_mirrors_cloglog(self, m, v):
        a, b = population_mean("loglog", m, v), population_mean("cloglog", -m, v)
        assert abs(a.value + b.value - 1.0) <= a.bound + b.bound + ALGEBRAIC

    @pytest.mark.parametrize("name", QUADRATURE)
    @settings(deadline=None)
    @given(m=means, v=variances, by=st.floats(0.01, 5.0))
    def test_it_grows_with_m_and_stays_a_probability(self, name, m, v, by):
        found = population_mean(name, np.array([m, m + by]), v)
        assert ((found.value >= 0.0) & (found.value <= 1.0 + ALGEBRAIC)).all()
        assert found.value[1] - found.value[0] >= -ALGEBRAIC

    @settings(deadline=None)
    @given(m=st.floats(0.1, 20.0), v=st.floats(0.1, 100.0))
    def test_the_logit_mean_is_pulled_towards_one_half(self, m, v):
        found = population_mean("logit", m, v)
        assert 0.5 - found.bound < found.value < LINKS["logit"].inverse(np.asarray(m)) + found.bound

    def test_stein_identity_of_the_logistic_integral(self):
        """Exact for any v: E expit(m + s e) = exp(m + v/2) E expit(-(m + v) - s e)."""
        m, v = np.array([-3.0, -1.0, 0.5]), np.array([0.2, 1.0, 2.5])
        left, right = population_mean("logit", m, v), population_mean("logit", -(m + v), v)
        assert (np.abs(left.value - np.exp(m + v / 2) * right.value) <= left.bound + np.exp(m + v / 2) * right.bound).all()

    def test_shapes_broadcast(self):
        found = population_mean("logit", np.zeros((4, 1, 3)), np.ones((5, 1)))
        assert found.value.shape == (4, 5, 3)
        assert population_mean("logit", 0.3, 2.0).value.shape == ()
        assert population_mean("logit", np.zeros((0, 3)), np.ones(3)).value.shape == (0, 3)

    def test_a_log_mean_beyond_the_range_of_a_double_is_infinite(self):
        assert population_mean("log", 10.0, 5000.0).value == np.inf

    @pytest.mark.parametrize("name", REFUSED)
    def test_links_without_a_population_mean_are_refused_with_the_reason(self, name):
        with pytest.raises(FamilyError, match="eta"):
            population_mean(name, 1.0, 1.0)
        with pytest.raises(FamilyError, match="eta"):
            population_predictor(name, 1.0, 1.0)

    @pytest.mark.parametrize(("m", "v"), [(np.nan, 1.0), (0.0, np.inf), (0.0, -1e-12)])
    def test_impossible_predictors_are_refused(self, m, v):
        with pytest.raises(ArgumentError, match=r"predictor"):
            population_mean("logit", m, v)


class TestPopulationPredictor:
    """g(E h(eta))."""

    @pytest.mark.parametrize("name", AVERAGED)
    def test_it_is_the_link_of_the_mean(self, name):
        m = np.linspace(-3.0, 3.0, 7)
        mean = population_mean(name, m, 2.0).value
        np.testing.assert_allclose(population_predictor(name, m, 2.0).value, LINKS[name].link(mean), rtol=ALGEBRAIC, atol=ALGEBRAIC)

    @pytest.mark.parametrize("name", AVERAGED)
    def test_without_variance_it_is_m_exactly(self, name):
        m = np.array([-50.0, -1.0, 0.0, 2.0, 50.0])
        np.testing.assert_array_equal(population_predictor(name, m, 0.0).value, m)
        np.testing.assert_array_equal(population_predictor(name, m, np.array([0.0, 1.0, 0.0, 1.0, 0.0])).value[::2], m[::2])

    def test_a_mean_that_rounds_to_one_keeps_its_logit(self):
        """For m far above v, 1 - E h = E exp(-eta) (1 + o(1)) = exp(-m + v/2), so that the logit is m - v/2."""
        np.testing.assert_allclose(population_predictor("logit", np.array([45.0, -45.0]), 1.0).value, [44.5, -44.5], rtol=REFERENCE)

    @pytest.mark.parametrize("name", QUADRATURE)
    def test_it_is_finite_for_any_predictor(self, name):
        assert np.isfinite(population_predictor(name, np.array([-2000.0, -90.0, 90.0, 2000.0]), 9.0).value).all()


class TestMarginalCoefficients:
    """(X'WX)^-1 X'W (g(pi_M) - o)."""

    beta = np.array([[0.4, -1.1, 0.7], [2.0, 0.3, -0.2]])

    def test_identity_link_changes_nothing(self):
        X = design()
        eta = population_predictor("identity", self.beta @ X.T, 3.0).value
        np.testing.assert_allclose(marginal_coefficients(X, eta), self.beta, rtol=ALGEBRAIC)

    def test_log_link_with_random_intercepts_shifts_the_intercept_by_half_the_variance(self):
        X, v = design(), np.array([[0.8], [2.4]])
        eta = LINKS["log"].link(population_mean("log", self.beta @ X.T, v).value)
        np.testing.assert_allclose(marginal_coefficients(X, eta), self.beta + v / 2 * np.array([1.0, 0.0, 0.0]), rtol=ALGEBRAIC)

    def test_probit_link_with_random_intercepts_shrinks_all_coefficients(self):
        X, v = design(), np.array([[0.8], [2.4]])
        eta = LINKS["probit"].link(population_mean("probit", self.beta @ X.T, v).value)
        np.testing.assert_allclose(marginal_coefficients(X, eta), self.beta / np.sqrt(1 + v), rtol=ALGEBRAIC)

    def test_logit_of_a_saturated_design_returns_every_cell(self):
        """With as many columns as rows the projection is exact: X beta_M = g(pi_M)."""
        X = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
        eta = population_predictor("logit", self.beta @ X.T, 4.0).value
        np.testing.assert_allclose(marginal_coefficients(X, eta) @ X.T, eta, rtol=ALGEBRAIC, atol=ALGEBRAIC)

    def test_a_weight_is_a_number_of_copies(self):
        X, copies = design(), np.array([1, 2, 3, 1, 1, 4, 1, 2, 1, 1, 5, 2])
        eta = np.random.default_rng(3).normal(size=(4, 12))
        rows = np.repeat(np.arange(12), copies)
        weighted = marginal_coefficients(X, eta, weights=copies)
        np.testing.assert_allclose(weighted, marginal_coefficients(X[rows], eta[:, rows]), rtol=ALGEBRAIC)
        assert np.abs(weighted - marginal_coefficients(X, eta)).max() > 0.01

    def test_the_offset_is_taken_off(self):
        X, offset = design(), np.linspace(-1.0, 2.0, 12)
        eta = population_predictor("log", self.beta @ X.T + offset, 1.0).value
        np.testing.assert_allclose(marginal_coefficients(X, eta, offset=offset), self.beta + np.array([0.5, 0.0, 0.0]), rtol=ALGEBRAIC)

    def test_normal_equations_hold(self):
        X, w = design(), np.linspace(0.5, 2.0, 12)
        eta = np.random.default_rng(4).normal(size=(3, 2, 12))
        found = marginal_coefficients(X, eta, weights=w)
        assert found.shape == (3, 2, 3)
        residual = (eta - found @ X.T) * w
        np.testing.assert_allclose(residual @ X, 0.0, atol=ALGEBRAIC)

    def test_badly_scaled_columns_keep_their_digits(self):
        """QR, not normal equations: a column 1e8 times the other, condition number about 1e8, loses half the digits at most."""
        X = np.column_stack([np.ones(20), 1e8 + np.arange(20.0)])
        beta = np.array([1.0, 1e-3])
        np.testing.assert_allclose(marginal_coefficients(X, X @ beta)[1], 1e-3, rtol=REFERENCE)

    def test_one_draw_without_an_axis(self):
        X = design()
        assert marginal_coefficients(X, X @ self.beta[0]).shape == (3,)

    def test_rows_of_weight_zero_do_not_count(self):
        X, w = design(), np.r_[np.ones(8), np.zeros(4)]
        eta = np.random.default_rng(5).normal(size=12)
        np.testing.assert_allclose(marginal_coefficients(X, eta, weights=w), marginal_coefficients(X[:8], eta[:8]), rtol=ALGEBRAIC)

    def test_dependent_columns_are_refused(self):
        X = np.column_stack([design(), design()[:, 1] - 2 * design()[:, 2]])
        with pytest.raises(DesignError, match="column 3"):
            marginal_coefficients(X, np.zeros(12))

    def test_too_few_rows_are_refused(self):
        with pytest.raises(DesignError, match="from 2"):
            marginal_coefficients(design()[:2], np.zeros(2))

    @pytest.mark.parametrize(
        "arguments",
        [
            {"population_eta": np.zeros(11)},
            {"population_eta": np.full(12, np.inf)},
            {"population_eta": np.zeros(12), "weights": -np.ones(12)},
            {"population_eta": np.zeros(12), "weights": np.ones(11)},
            {"population_eta": np.zeros(12), "offset": np.ones(11)},
        ],
        ids=["rows", "infinite", "negative weight", "weights", "offset"],
    )
    def test_impossible_arguments_are_refused(self, arguments):
        with pytest.raises(ArgumentError):
            marginal_coefficients(design(), **arguments)


class TestLogitAttenuation:
    """1 / sqrt(1 + c^2 v)."""

    def test_the_constant_is_0_346(self):
        """c = 16 sqrt(3) / (15 pi), c^2 = 0.346 (Zeger, Liang and Albert 1988)."""
        assert round(LOGIT_ATTENUATION**2, 3) == 0.346

    def test_values(self):
        expected = 1.0 / np.sqrt(1.0 + 256.0 * 3.0 / (225.0 * np.pi**2) * np.array([0.0, 1.0, 25.0]))
        np.testing.assert_allclose(logit_attenuation(np.array([0.0, 1.0, 25.0])), expected, rtol=ALGEBRAIC)

    def test_it_approximates_the_exact_slope_at_the_middle(self):
        """At eta = 0 the exact ratio is E h' / h'(0); over the approximation it tends to 4 phi(0) c = 0.938 as sd grows."""
        for sd in (0.5, 1.0, 2.0, 5.0, 50.0):
            exact = (population_predictor("logit", 0.01, sd**2).value - population_predictor("logit", -0.01, sd**2).value) / 0.02
            assert 0.93 < exact / logit_attenuation(sd**2) < 1.0
