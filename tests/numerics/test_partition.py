"""Shares of variance: closed forms, another quadrature, simulation, and what must hold for every m, v and link."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.covariance import linear_predictor_variance
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.partition import (
    LATENT_VARIANCES,
    VarianceFunction,
    latent_shares,
    latent_variance,
    lognormal_variance,
    mean_predictor_variance,
    response_shares,
    row_variance,
)
from bayesglmm.numerics.quadrature import normal_average, normal_rule
from tests.numerics.integrals import _pieces
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

UNIT_LINKS = [name for name, link in LINKS.items() if link.onto_unit_interval]
AVERAGED = [name for name, link in LINKS.items() if link.has_population_mean]
POISSON = VarianceFunction(np.zeros(1), np.ones(1), np.zeros(1))
BATCHES, BATCH = 40, 20_000


def gaussian(sd: float) -> VarianceFunction:
    return VarianceFunction(np.array([sd**2]), np.zeros(1), np.zeros(1))


def noise(name: str) -> VarianceFunction | None:
    return None if name in UNIT_LINKS else gaussian(1.3) if name == "identity" else POISSON


def shares(name: str, m: float, factors: list[float]):
    return response_shares(name, np.array([m]), np.array(factors)[:, None], noise(name))


def total_by_adaptive_quadrature(name: str, m: float, s: float) -> float:
    """1 - E mu (1 - mu) / (E mu E(1 - mu)), each by adaptive integration over e, to about 1e-12 relative."""
    link, step = LINKS[name], -m / s + np.array([-10.0, -3.0, -1.0, 0.0, 1.0, 3.0, 10.0]) / s
    breaks = np.concatenate([np.linspace(-20.0, 20.0, 21), step[np.abs(step) < 20.0]])

    def average(*functions) -> float:
        def integrand(e: float) -> float:
            eta = np.asarray(m + s * e)
            return float(np.prod([f(eta) for f in functions])) * np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)

        return _pieces(integrand, breaks, 0.0).value

    return 1.0 - average(link.inverse, link.complement) / (average(link.inverse) * average(link.complement))


def two_levels(name: str, m: float, s: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means of pairs of responses that share the first factor only: their own two draws of all other effects."""
    rng, link = np.random.default_rng(seed), LINKS[name]
    own, one, other = rng.normal(size=(3, BATCHES, BATCH))
    first, second = link.inverse(m + s[0] * own + s[1] * one), link.inverse(m + s[0] * own + s[1] * other)
    return own, first, second


class TestLatent:
    def test_variances_of_the_latent_residual(self):
        assert latent_variance("logit") == pytest.approx(np.pi**2 / 3, rel=ALGEBRAIC)
        assert latent_variance("probit") == 1.0
        assert latent_variance("cloglog") == latent_variance("loglog") == pytest.approx(np.pi**2 / 6, rel=ALGEBRAIC)

    @pytest.mark.parametrize("name", sorted(LATENT_VARIANCES))
    def test_they_are_the_variances_of_the_distributions_behind_the_links(self, name):
        """Var u = 2 int |x| P(tail) dx - (E u)^2 with distribution function h: both moments from h alone, by a fine trapezoid rule.

        The integrand has a kink in its derivative at 0, so the rule is of second order there: step^2 / 12 times the jump of slope, 2.
        """
        link, step = LINKS[name], 1e-3
        x = step * np.arange(0, 60_000)
        below, above = link.inverse(-x), link.complement(x)
        weight = np.where(np.arange(x.size) == 0, 0.5, 1.0) * step
        mean, second = weight @ (above - below), 2.0 * (weight @ (x * (above + below)))
        assert second - mean**2 == pytest.approx(latent_variance(name), abs=10.0 * step**2)

    def test_what_has_none_is_refused(self):
        with pytest.raises(FamilyError, match=r"Cauchy residual has no variance.*scale='response' of variance_partition"):
            latent_variance("cauchit")
        with pytest.raises(FamilyError, match="only links of a probability"):
            latent_variance("log")

    @given(log_mean=st.floats(-30.0, 30.0))
    def test_poisson_residual(self, log_mean):
        found = lognormal_variance(np.array([log_mean]), POISSON)
        np.testing.assert_allclose(found, np.log1p(np.exp(-log_mean)), rtol=ALGEBRAIC)

    def test_residual_of_a_tiny_mean_does_not_overflow(self):
        assert lognormal_variance(np.array([-800.0]), POISSON)[0] == pytest.approx(800.0, rel=ALGEBRAIC)

    def test_residual_of_a_negative_binomial(self):
        """Nakagawa et al. (2017), table 1: log(1 + 1/lambda + 1/theta)."""
        variance = VarianceFunction(np.zeros(1), np.ones(1), np.array([1 / 2.5]))
        assert lognormal_variance(np.log([3.0]), variance)[0] == pytest.approx(np.log(1 + 1 / 3 + 1 / 2.5), rel=ALGEBRAIC)

    @given(v=st.lists(st.floats(0.0, 1e4), min_size=1, max_size=4), d=st.floats(1e-6, 1e4))
    def test_shares_and_residual_add_up_to_one(self, v, d):
        found = latent_shares(np.array(v)[:, None], np.array([d]))
        np.testing.assert_allclose(found.factors.sum(axis=0), found.total, rtol=ALGEBRAIC, atol=1e-300)
        np.testing.assert_allclose(found.total + d / (sum(v) + d), 1.0, rtol=ALGEBRAIC)


class TestResponse:
    @pytest.mark.parametrize("name", UNIT_LINKS)
    @pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (-2.0, 0.5), (1.0, 3.0), (-9.0, 1.2), (0.5, 1e-3)])
    def test_total_equals_another_quadrature(self, name, m, s):
        """Absolute error of a difference from one: the reference promises 1e-12 relative in three averages."""
        assert shares(name, m, [s**2]).total[0] == pytest.approx(total_by_adaptive_quadrature(name, m, s), abs=1e-10)

    @pytest.mark.parametrize("name", AVERAGED)
    def test_shares_equal_simulated_pairs_that_share_a_level(self, name):
        """Cov(mu_1, mu_2) = Var(E[mu | b]): batch means give the error of the simulation, five of which are allowed."""
        m, v = (-1.0, np.array([0.9, 0.4])) if name != "log" else (0.3, np.array([0.25, 0.1]))
        found = shares(name, m, list(v))
        _, first, second = two_levels(name, m, np.sqrt(v), seed=4)
        _, same, _ = two_levels(name, m, np.sqrt(v), seed=5)
        within = {"identity": np.full_like(same, 1.3**2), "log": same}.get(name, same * (1.0 - same))
        whole = same.var(axis=1) + within.mean(axis=1)
        covariance = np.mean((first - first.mean(axis=1, keepdims=True)) * (second - second.mean(axis=1, keepdims=True)), axis=1)
        for simulated, value in ((covariance / whole, found.factors[0, 0]), (same.var(axis=1) / whole, found.total[0])):
            assert abs(simulated.mean() - value) < MCSE_MULTIPLE * simulated.std(ddof=1) / np.sqrt(BATCHES)

    @pytest.mark.parametrize("name", UNIT_LINKS)
    @settings(max_examples=8, deadline=None)
    @given(m=st.floats(-30.0, 30.0), v=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=3))
    def test_shares_are_shares(self, name, m, v):
        found = shares(name, m, v)
        for values in (found.factors, found.total):
            assert np.all((values >= 0.0) & (values <= 1.0))
        assert np.all(found.factors <= found.total + 1e-8)
        assert found.factors.sum(axis=0) <= found.total + 1e-8  # what is missing are interactions, never negative (1e-10 per moment)

    @given(m=st.floats(-1e4, 1e4), v=st.lists(st.floats(0.0, 1e4), min_size=1, max_size=3))
    def test_shares_of_closed_forms_stay_in_range_far_out(self, m, v):
        for name in ("identity", "log", "probit"):
            found = shares(name, m, v)
            assert np.all((found.total >= 0.0) & (found.total <= 1.0))
            assert np.all(found.factors <= found.total + ALGEBRAIC)

    @pytest.mark.parametrize("name", AVERAGED)
    def test_no_variance_no_share(self, name):
        found = shares(name, 0.7, [0.0, 0.0])
        np.testing.assert_array_equal(found.factors, 0.0)
        np.testing.assert_array_equal(found.total, 0.0)

    @pytest.mark.parametrize("name", AVERAGED)
    def test_one_factor_is_the_total_and_factors_without_variance_change_nothing(self, name):
        alone, beside = shares(name, -0.4, [1.1]), shares(name, -0.4, [1.1, 0.0])
        np.testing.assert_array_equal(alone.factors[0], alone.total)
        np.testing.assert_allclose(beside.total, alone.total, rtol=ALGEBRAIC)
        np.testing.assert_allclose(
            beside.factors[:, 0], [alone.total[0], 0.0], rtol=0, atol=1e-9
        )  # twice the bound of two moments, over p q

    @pytest.mark.parametrize("name", ["logit", "cauchit"])
    def test_symmetric_links(self, name):
        left, right = shares(name, -1.7, [1.0, 0.5]), shares(name, 1.7, [1.0, 0.5])
        np.testing.assert_allclose(left.factors, right.factors, rtol=ALGEBRAIC)

    def test_loglog_mirrors_cloglog(self):
        np.testing.assert_allclose(shares("loglog", -0.8, [1.0, 0.5]).factors, shares("cloglog", 0.8, [1.0, 0.5]).factors, rtol=ALGEBRAIC)

    @pytest.mark.parametrize(("m", "v"), [(-20.0, [0.6, 0.3]), (-60.0, [9.0, 4.0]), (-45.0, [0.2, 9.0, 1.0])])
    def test_rare_events_are_those_of_the_log_link(self, m, v):
        """For exp(eta) below 1e-9 logit, cloglog and log are one link, and a rare binary response is a rare count: first order in mu.

        Second moments peak at 2 s, seven standard deviations from the middle in the second case, where exp(eta) is still 1e-15.
        """
        count = shares("log", m, v)
        for name in ("logit", "cloglog"):
            found = shares(name, m, v)
            np.testing.assert_allclose(found.factors, count.factors, rtol=1e-6)  # a few times mu
            np.testing.assert_allclose(found.total, count.total, rtol=1e-6)

    @given(m=st.floats(-8.0, 8.0), v=st.floats(0.01, 9.0))
    @settings(max_examples=20, deadline=None)
    def test_probit_total_is_the_rule_s(self, m, v):
        rule = normal_rule("probit", 2.0 * np.sqrt(v))
        h, g = LINKS["probit"].inverse, LINKS["probit"].complement
        p, q, within = (normal_average(f, np.array([m]), np.sqrt([v]), rule)[0] for f in (h, g, lambda x: h(x) * g(x)))
        assert abs(shares("probit", m, [v]).total[0] - (1.0 - within / (p * q))) <= 3.0 * rule.bound / (p * q)

    def test_log_link(self):
        """Var mu = lambda^2 (e^v - 1) with lambda = exp(m + v/2), over Var mu + lambda."""
        m, v = 0.7, np.array([0.5, 0.2])
        mean = np.exp(m + v.sum() / 2)
        found, whole = shares("log", m, list(v)), mean**2 * np.expm1(v.sum()) + mean
        np.testing.assert_allclose(found.total[0], mean**2 * np.expm1(v.sum()) / whole, rtol=ALGEBRAIC)
        np.testing.assert_allclose(found.factors[:, 0], mean**2 * np.expm1(v) / whole, rtol=ALGEBRAIC)

    def test_log_link_with_a_quadratic_variance(self):
        """E var(y | b) = E mu + E mu^2 / theta, E mu^2 = lambda^2 e^v."""
        m, v, theta = 0.2, 0.8, 1.5
        variance = VarianceFunction(np.zeros(1), np.ones(1), np.array([1 / theta]))
        mean = np.exp(m + v / 2)
        between = mean**2 * np.expm1(v)
        found = response_shares("log", np.array([m]), np.array([[v]]), variance).total[0]
        assert found == pytest.approx(between / (between + mean + mean**2 * np.exp(v) / theta), rel=ALGEBRAIC)

    def test_identity_is_the_latent_scale(self):
        found, latent = shares("identity", 5.0, [2.0, 1.0]), latent_shares(np.array([[2.0], [1.0]]), np.array([1.3**2]))
        np.testing.assert_array_equal(found.factors, latent.factors)

    def test_the_bound_is_stated(self):
        assert 0.0 < shares("logit", 0.0, [4.0]).bound <= 2.1e-10
        assert shares("probit", 0.0, [4.0, 1.0]).bound == 0.0

    @pytest.mark.parametrize("v", [[4.0, 1.0], [1.0, 4.0], [0.0, 2.0], [0.5, 0.3, 6.0]])
    def test_the_bound_covers_an_outer_rule_over_an_inner_one(self, v):
        """Each rule is made for twice the SD and its bound counts twice (for squares); the inner rule's error enters a square twice."""
        s = np.sqrt(np.array([v, np.sum(v) - np.array(v)]))
        outer, inner = ([2.0 * normal_rule("logit", 2.0 * sd).bound for sd in row] for row in s)
        found = shares("logit", -0.3, v).bound
        assert found >= max(a + 2.0 * b for a, b in zip(outer, inner, strict=True))
        assert found <= 6.3e-10  # thrice the tolerance of two moments, and rounding

    def test_what_cannot_be_shared_is_refused(self):
        with pytest.raises(ArgumentError, match=r"at least one factor.*What to do"):
            response_shares("logit", np.zeros(1), np.empty((0, 1)))
        with pytest.raises(ArgumentError, match="negative or not finite"):
            shares("logit", 0.0, [-1.0])
        with pytest.raises(ArgumentError, match="negative or not finite"):
            shares("logit", 0.0, [np.nan])
        with pytest.raises(ArgumentError, match="mean of a linear predictor"):
            shares("logit", np.inf, [1.0])
        with pytest.raises(ArgumentError, match=r"variance of the response must be given.*What to do"):
            response_shares("log", np.zeros(1), np.ones((1, 1)))
        with pytest.raises(FamilyError, match=r"inverse.*What to do"):
            response_shares("inverse", np.zeros(1), np.ones((1, 1)), POISSON)


class TestRows:
    """Variances over the rows of a design."""

    def test_fixed_part(self):
        rng = np.random.default_rng(3)
        X, beta = np.column_stack([np.ones(9), rng.normal(size=(9, 2))]), rng.normal(size=(5, 3))
        np.testing.assert_allclose(row_variance(X, beta), (beta @ X.T).var(axis=1, ddof=1), rtol=ALGEBRAIC)

    def test_random_part(self):
        rng = np.random.default_rng(3)
        Z, sd = np.column_stack([np.ones(9), rng.normal(size=9)]), rng.uniform(0.5, 2.0, (5, 2))
        corr = np.broadcast_to([[1.0, -0.3], [-0.3, 1.0]], (5, 2, 2))
        for R in (None, corr):
            np.testing.assert_allclose(mean_predictor_variance(Z, sd, R), linear_predictor_variance(Z, sd, R).mean(axis=1), rtol=ALGEBRAIC)
