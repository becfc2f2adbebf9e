"""The law of the difference of two means of one subject: against simulation, closed forms and its own definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.within_subject import SETTLED, SETTLED_END, SubjectPair, difference_cdf, difference_intervals, subject_pair
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

MONOTONE = ["identity", "log", "logit", "probit", "cloglog", "loglog", "cauchit"]
SHAPES = {
    "two effects": [1.3, 0.7, 0.4],
    "nearly one": [2.0, 0.02, -0.6],
    "opposite": [1.0, 1.8, -0.95],
    "intercepts alone": [1.7, 0.0, 0.0],
}
"""SD of a random intercept, SD of a random slope, their correlation; the second row has the slope's column at one, the first at zero."""


def pair_of(shape: str, m: float = -0.3, change: float = 0.9, n: int = 1) -> SubjectPair:
    sd, slope, corr = SHAPES[shape]
    second = sd**2 + slope**2 + 2.0 * corr * sd * slope
    return subject_pair(*(np.full(n, x) for x in (m, sd**2, change, slope**2, second)))


def simulated(link: str, shape: str, n: int = 200_000, seed: int = 4) -> np.ndarray:
    """Differences of n subjects, from their two effects."""
    sd, slope, corr = SHAPES[shape]
    e, u = np.random.default_rng(seed).normal(size=(2, n))
    first = -0.3 + sd * e
    h = LINKS[link].inverse
    return h(first + 0.9 + slope * (corr * e + np.sqrt(1.0 - corr**2) * u)) - h(first)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("link", MONOTONE)
def test_the_share_below_is_that_of_simulated_subjects(link, shape):
    differences = simulated(link, shape)
    for t in np.quantile(differences, [0.02, 0.3, 0.5, 0.9, 0.99]) + 1e-9:
        wanted = np.mean(differences <= t)
        found = difference_cdf(LINKS[link], pair_of(shape), np.array([t]))[0]
        assert abs(found - wanted) < MCSE_MULTIPLE * np.sqrt(0.25 / len(differences)), (link, shape, t)


@given(m=st.floats(-3, 3), change=st.floats(-3, 3), sd=st.floats(0.1, 4), slope=st.floats(0.2, 3), corr=st.floats(-0.8, 0.8))
@settings(max_examples=40, deadline=None)
def test_under_the_identity_it_is_normal(m, change, sd, slope, corr):
    second = sd**2 + slope**2 + 2.0 * corr * sd * slope
    pair = subject_pair(*(np.array([x]) for x in (m, sd**2, change, slope**2, second)))
    t = change + np.array([0.7]) * slope
    np.testing.assert_allclose(difference_cdf(LINKS["identity"], pair, t), special.ndtr(0.7), atol=SETTLED)


def test_random_intercepts_under_the_log_link_are_log_normal():
    """D = exp(eta1) (exp(d) - 1), so its ends are those of a log-normal."""
    found = difference_intervals(LINKS["log"], pair_of("intercepts alone", n=2), 0.9)
    ends = np.exp(-0.3 + 1.7 * special.ndtri([0.05, 0.95])) * np.expm1(0.9)
    np.testing.assert_allclose([found.lower[0], found.upper[1]], ends, rtol=ALGEBRAIC)
    np.testing.assert_allclose([found.predictive_lower, found.predictive_upper], ends, rtol=ALGEBRAIC)
    assert found.error == 0.0


@pytest.mark.parametrize("t", [0.05, 0.15, 0.2])
def test_random_intercepts_under_the_logit_link_are_known(t):
    """expit(x + d/2) - expit(x - d/2) = sinh(d/2) / (cosh x + cosh(d/2)): it is above t between two places around x = 0."""
    half = 0.5 * 0.9
    edge = np.arccosh(np.sinh(half) / t - np.cosh(half))
    places = (np.array([-edge, edge]) - half + 0.3) / 1.7
    above = special.ndtr(places[1]) - special.ndtr(places[0])
    found = difference_cdf(LINKS["logit"], pair_of("intercepts alone"), np.array([t]))
    np.testing.assert_allclose(found, 1.0 - above, rtol=ALGEBRAIC)


def test_no_difference_is_above_the_largest_one():
    pair = pair_of("intercepts alone")
    largest = np.array([np.tanh(0.9 / 4)])
    np.testing.assert_allclose(difference_cdf(LINKS["logit"], pair, largest + 1e-12), 1.0, rtol=ALGEBRAIC)
    assert difference_cdf(LINKS["logit"], pair, largest - 1e-4) < 0.99


def test_without_spread_it_is_the_difference_of_the_means():
    pair = subject_pair(*(np.array([x]) for x in (0.2, 0.0, 1.0, 0.0, 0.0)))
    found = difference_intervals(LINKS["probit"], pair, 0.95)
    np.testing.assert_allclose([found.lower[0], found.upper[0]], special.ndtr(1.2) - special.ndtr(0.2), rtol=ALGEBRAIC)


def test_a_first_value_without_spread_leaves_one_normal():
    """z1 = 0: eta1 is known, so the ends are monotone in eta2."""
    pair = subject_pair(*(np.array([x]) for x in (0.2, 0.0, 1.0, 4.0, 4.0)))
    found = difference_intervals(LINKS["logit"], pair, 0.8)
    ends = special.expit(1.2 + 2.0 * special.ndtri([0.1, 0.9])) - special.expit(0.2)
    np.testing.assert_allclose([found.lower[0], found.upper[0]], ends, rtol=1e-9)  # solved to 1e-12 of the bracket


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("link", ["logit", "cauchit", "log"])
def test_the_ends_invert_to_the_level(link, shape):
    """An end is right to what it says of itself: the level lies between the shares a little below and a little above it."""
    found = difference_intervals(LINKS[link], pair_of(shape), 0.9)
    slack = max(found.error, SETTLED_END * (found.upper[0] - found.lower[0]))
    for end, wanted in ((found.lower, 0.05), (found.upper, 0.95)):
        below, above = (difference_cdf(LINKS[link], pair_of(shape), end + shift)[0] for shift in (-slack, slack))
        assert below <= wanted <= above
    assert found.error < 1e-3 * (found.upper[0] - found.lower[0])


def test_the_predictive_ends_are_those_of_the_mixture():
    rng = np.random.default_rng(3)
    n = 40
    parts = [(rng.normal(), rng.uniform(0.5, 2.0), rng.normal(), rng.uniform(0.2, 1.0)) for _ in range(n)]
    m, sd, change, slope = (np.array(x) for x in zip(*parts, strict=True))
    pair = subject_pair(m, sd**2, change, slope**2, sd**2 + slope**2)
    found = difference_intervals(LINKS["cloglog"], pair, 0.8)
    for end, wanted in ((found.predictive_lower, 0.1), (found.predictive_upper, 0.9)):
        np.testing.assert_allclose(
            difference_cdf(LINKS["cloglog"], pair, np.full(n, end)).mean(), wanted, atol=10.0 * SETTLED_END
        )  # heights of the mixture change by less than its ends over their length


def test_a_random_slope_alone_falls_and_rises():
    """One effect: eta2 = 3 b + 1, eta1 = b. Its difference turns twice, and both predictors follow from b."""
    sd, x = 2.0, 3.0
    pair = subject_pair(*(np.array([v]) for v in (0.0, sd**2, 1.0, (x - 1.0) ** 2 * sd**2, x**2 * sd**2)))
    assert pair.rest_sd == 0.0
    b = sd * np.random.default_rng(8).normal(size=200_000)
    differences = special.expit(1.0 + x * b) - special.expit(b)
    for t in np.quantile(differences, [0.05, 0.4, 0.8, 0.95]):
        found = difference_cdf(LINKS["logit"], pair, np.array([t]))[0]
        assert abs(found - np.mean(differences <= t)) < MCSE_MULTIPLE * np.sqrt(0.25 / len(b))


def test_what_has_no_law_is_refused():
    one = np.ones(2)
    with pytest.raises(ArgumentError, match="negative"):
        subject_pair(one, -one, one, one, one)
    with pytest.raises(ArgumentError, match="not finite"):
        subject_pair(one, one, np.nan * one, one, one)
    with pytest.raises(ArgumentError, match="beyond the range"):
        difference_intervals(LINKS["log"], subject_pair(800.0 * one, one, one, one, 2.0 * one), 0.9)
    with pytest.raises(ArgumentError, match="level"):
        difference_intervals(LINKS["log"], pair_of("two effects"), 95.0)
