"""The law of the difference of two means of one subject: against simulation, closed forms and its own definition."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.links import LINKS, Link
from bayesglmm.numerics.within_subject import SETTLED_END, SubjectPair, difference_intervals, subject_pair
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

PROBS = (0.02, 0.3, 0.9, 0.99)
SOLVED = 1e-9
"""Relative: an end is solved to 1e-12 of its bracket, or of its probability."""

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


def end_of(link: Link, pair: SubjectPair, prob: float) -> np.ndarray:
    """Where this share of the subjects of each draw is below."""
    found = difference_intervals(link, pair, abs(2.0 * prob - 1.0))
    return found.lower if prob < 0.5 else found.upper


def share_below(link: Link, pair: SubjectPair, t: float, draw: int = 0) -> float:
    """Share of subjects with a difference of at most t, by its definition: adaptive quadrature over e, or the places where it is t."""
    m1, s1, m2, a, r = (float(x[draw]) for x in (pair.first, pair.first_sd, pair.second, pair.loading, pair.rest_sd))
    lowest, highest = link.mean_interval

    def needed(e: float) -> float:
        return float(link.link(np.clip(t + link.inverse(np.asarray(m1 + s1 * e)), lowest, highest)))

    def above(e: float) -> float:
        return float(link.inverse(np.asarray(m2 + a * e)) - link.inverse(np.asarray(m1 + s1 * e))) - t

    if r > 0.0:
        last = (highest if t > 0.0 else lowest) - t
        edge = [float(link.link(np.asarray(last)) - m1) / s1] if lowest < last < highest else []
        places = sorted(x for x in (-8.0, *np.linspace(-6.0, 6.0, 25), *edge, 8.0) if abs(x) <= 8.0)
        parts = itertools.pairwise(places)
        density = lambda e: special.ndtr((needed(e) - m2 - a * e) / r) * np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi)  # noqa: E731
        return sum(integrate.quad(density, *part, epsabs=1e-10, limit=200)[0] for part in parts)
    grid = np.linspace(-8.0, 8.0, 16_001)
    heights = link.inverse(m2 + a * grid) - link.inverse(m1 + s1 * grid) - t
    turns = np.flatnonzero(np.sign(heights[:-1]) != np.sign(heights[1:]))
    ends = special.ndtr([-np.inf, *(optimize.brentq(above, grid[k], grid[k + 1], xtol=1e-15) for k in turns), np.inf])
    return float(np.diff(ends)[int(heights[0] > 0.0) :: 2].sum())


def check_ends(link: Link, pair: SubjectPair, differences: np.ndarray) -> None:
    """An end has its share of simulated subjects below it; a few may be at it, where many have one difference."""
    for prob in PROBS:
        end, slack = end_of(link, pair, prob)[0], MCSE_MULTIPLE * np.sqrt(prob * (1.0 - prob) / len(differences))
        assert np.mean(differences < end - SOLVED) <= prob + slack, (link.name, prob)
        assert np.mean(differences <= end + SOLVED) >= prob - slack, (link.name, prob)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("link", MONOTONE)
def test_the_ends_hold_their_share_of_simulated_subjects(link, shape):
    check_ends(LINKS[link], pair_of(shape), simulated(link, shape))


@given(m=st.floats(-3, 3), change=st.floats(-3, 3), sd=st.floats(0.1, 4), slope=st.floats(0.2, 3), corr=st.floats(-0.8, 0.8))
@settings(max_examples=40, deadline=None)
def test_under_the_identity_it_is_normal(m, change, sd, slope, corr):
    second = sd**2 + slope**2 + 2.0 * corr * sd * slope
    pair = subject_pair(*(np.array([x]) for x in (m, sd**2, change, slope**2, second)))
    found = difference_intervals(LINKS["identity"], pair, 0.9)
    ends = change + slope * special.ndtri([0.05, 0.95])
    np.testing.assert_allclose([found.lower[0], found.upper[0]], ends, rtol=0, atol=SETTLED_END * (ends[1] - ends[0]))


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
    np.testing.assert_allclose(end_of(LINKS["logit"], pair_of("intercepts alone"), 1.0 - above), t, rtol=SOLVED)


def test_no_difference_is_above_the_largest_one():
    """tanh(d / 4), which more than one in a hundred subjects come near."""
    pair, largest = pair_of("intercepts alone"), np.tanh(0.9 / 4)
    assert largest - 1e-4 < end_of(LINKS["logit"], pair, 0.99)[0] <= largest * (1.0 + SOLVED)
    assert end_of(LINKS["logit"], pair, 1.0 - 1e-9)[0] <= largest * (1.0 + SOLVED)


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
@pytest.mark.parametrize("level", [0.9, 0.98])
@pytest.mark.parametrize("link", ["logit", "cauchit", "log", "cloglog", "loglog"])
def test_the_ends_invert_to_the_level(link, shape, level):
    """An end is right to what it says of itself: the level lies between the shares a little below and a little above it."""
    found = difference_intervals(LINKS[link], pair_of(shape), level)
    slack = max(found.error, SETTLED_END * (found.upper[0] - found.lower[0]))
    for end, wanted in ((found.lower, 0.5 - 0.5 * level), (found.upper, 0.5 + 0.5 * level)):
        below, above = (share_below(LINKS[link], pair_of(shape), end[0] + shift) for shift in (-slack, slack))
        assert below <= wanted <= above
    assert found.error <= SETTLED_END * (found.upper[0] - found.lower[0])


def test_the_predictive_ends_are_those_of_the_mixture():
    rng = np.random.default_rng(3)
    n = 40
    parts = [(rng.normal(), rng.uniform(0.5, 2.0), rng.normal(), rng.uniform(0.2, 1.0)) for _ in range(n)]
    m, sd, change, slope = (np.array(x) for x in zip(*parts, strict=True))
    pair = subject_pair(m, sd**2, change, slope**2, sd**2 + slope**2)
    found = difference_intervals(LINKS["cloglog"], pair, 0.8)
    for end, wanted in ((found.predictive_lower, 0.1), (found.predictive_upper, 0.9)):
        share = np.mean([share_below(LINKS["cloglog"], pair, end, draw) for draw in range(n)])
        np.testing.assert_allclose(
            share, wanted, atol=10.0 * SETTLED_END
        )  # heights of the mixture change by less than its ends over their length


def test_a_random_slope_alone_falls_and_rises():
    """One effect: eta2 = 3 b + 1, eta1 = b. Its difference turns twice, and both predictors follow from b."""
    sd, x = 2.0, 3.0
    pair = subject_pair(*(np.array([v]) for v in (0.0, sd**2, 1.0, (x - 1.0) ** 2 * sd**2, x**2 * sd**2)))
    assert pair.rest_sd == 0.0
    b = sd * np.random.default_rng(8).normal(size=200_000)
    differences = special.expit(1.0 + x * b) - special.expit(b)
    check_ends(LINKS["logit"], pair, differences)


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
