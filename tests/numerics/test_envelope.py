"""The envelope of an empirical distribution function: its coverage by enumeration and by simulation; limits of order statistics."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.envelope import coverage, ecdf_envelope, normal_positions, order_limits, pointwise_counts
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

SIZES = (10, 50, 300)


def inside(counts: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return ((counts >= lower) & (counts <= upper)).all(axis=-1)


@pytest.mark.parametrize("level", [0.02, 0.2, 0.6])
@pytest.mark.parametrize("at", [[0.2, 0.4, 0.6, 0.8], [0.1, 0.15, 0.7]])
def test_coverage_is_that_of_all_ways_to_fall_into_cells(level, at):
    """Six numbers in K + 1 cells: a multinomial law, summed over all its outcomes."""
    size, at = 6, np.array(at)
    lower, upper = pointwise_counts(size, at, level)
    cells = np.array([c for c in product(range(size + 1), repeat=len(at)) if sum(c) <= size])
    widths = np.diff(np.concatenate([[0.0], at, [1.0]]))
    whole = np.concatenate([cells, size - cells.sum(axis=1, keepdims=True)], axis=1)
    mass = stats.multinomial(size, widths).pmf(whole)
    expected = mass[inside(np.cumsum(cells, axis=1), lower, upper)].sum()
    assert coverage(size, at, lower, upper) == pytest.approx(expected, rel=ALGEBRAIC)


def test_limits_that_exclude_nothing_cover_all():
    at = np.arange(1, 8) / 8
    assert coverage(30, at, np.zeros(7, dtype=np.int64), np.full(7, 30)) == pytest.approx(1.0, rel=ALGEBRAIC)


@pytest.mark.parametrize("size", SIZES)
def test_uniform_numbers_stay_inside_as_often_as_said(size):
    """Simultaneous coverage of 4,000 samples, within MCSE_MULTIPLE standard errors of a share."""
    envelope, repeats = ecdf_envelope(size), 4000
    samples = np.sort(np.random.default_rng(size).random((repeats, size)), axis=1)
    shares = np.array([np.searchsorted(s, envelope.at, side="right") for s in samples]) / size
    share = inside(shares, envelope.lower, envelope.upper).mean()
    error = np.sqrt(envelope.coverage * (1.0 - envelope.coverage) / repeats)
    assert abs(share - envelope.coverage) < MCSE_MULTIPLE * error


@pytest.mark.parametrize("prob", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("size", [3, 7, 40, 500])
def test_it_is_the_narrowest_envelope_that_covers_enough(size, prob):
    envelope = ecdf_envelope(size, prob)
    assert envelope.coverage >= prob
    wider = pointwise_counts(size, envelope.at, envelope.pointwise * (1.0 + 1e-6))
    assert coverage(size, envelope.at, *wider) < prob


def test_it_is_symmetric_around_the_diagonal():
    envelope = ecdf_envelope(80)
    np.testing.assert_allclose(envelope.upper, 1.0 - envelope.lower[::-1], rtol=ALGEBRAIC)
    assert np.all(envelope.lower < envelope.at)
    assert np.all(envelope.at < envelope.upper)


def test_large_samples_have_a_hundred_places_and_a_narrow_envelope():
    """The binomial counts of large samples hardly jump: the coverage is what was asked, to a part in 200."""
    envelope = ecdf_envelope(100_000)
    assert len(envelope.at) == 99
    assert 0.95 <= envelope.coverage < 0.955
    assert np.max(envelope.upper - envelope.lower) < 4.0 / np.sqrt(100_000)


def test_it_is_computed_once_and_cannot_be_written_to():
    envelope = ecdf_envelope(33)
    assert ecdf_envelope(33) is envelope
    with pytest.raises(ValueError, match="read-only"):
        envelope.lower[0] = 0.0


def test_one_value_has_no_envelope():
    with pytest.raises(ArgumentError, match="at least two values"):
        ecdf_envelope(1)


def test_order_statistics_stay_inside_their_limits():
    """Each of 12 order statistics, 20,000 samples: the share inside within MCSE_MULTIPLE standard errors of 0.9."""
    lower, upper = order_limits(12, 0.9)
    z = np.sort(np.random.default_rng(3).standard_normal((20_000, 12)), axis=1)
    share = ((z >= lower) & (z <= upper)).mean(axis=0)
    assert np.all(np.abs(share - 0.9) < MCSE_MULTIPLE * np.sqrt(0.9 * 0.1 / len(z)))


def test_the_order_statistic_of_one_is_a_normal_number():
    lower, upper = order_limits(1, 0.95)
    np.testing.assert_allclose([lower[0], upper[0]], stats.norm.ppf([0.025, 0.975]), rtol=ALGEBRAIC)


def test_positions_are_near_the_means_of_order_statistics():
    """Blom's approximation of the means, good to 0.02 for ten numbers; simulated with a standard error below 0.002."""
    z = np.sort(np.random.default_rng(4).standard_normal((100_000, 10)), axis=1).mean(axis=0)
    found = normal_positions(10)
    assert np.all(np.abs(found - z) < 0.02 + MCSE_MULTIPLE * 0.002)
    np.testing.assert_allclose(found, -found[::-1], atol=ALGEBRAIC)
