"""Densities of draws: against the sum of kernels that they stand for, at bounds, and with heavy tails."""

import numpy as np
import pytest
from scipy import stats

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.kernel_density import MOST_POINTS, STEPS_PER_WIDTH, kernel_density, overlap, varies
from tests.tolerances import MCSE_MULTIPLE, REFERENCE

RNG = np.random.default_rng(3)
CASES = {
    "normal": (RNG.normal(2.0, 3.0, 2000), -np.inf, np.inf),
    "half normal": (np.abs(RNG.normal(size=2000)), 0.0, np.inf),
    "away from the bound": (RNG.gamma(40.0, size=2000), 0.0, np.inf),
    "piled up at both bounds": (2 * RNG.beta(0.5, 0.4, 2000) - 1, -1.0, 1.0),
    "below a bound only": (-RNG.exponential(size=500), -np.inf, 0.0),
    "few": (RNG.normal(size=5), -np.inf, np.inf),
}


@pytest.mark.parametrize("case", CASES)
def test_it_integrates_to_one_within_the_bounds(case):
    draws, lower, upper = CASES[case]
    found = kernel_density(draws, lower=lower, upper=upper)
    assert found.point[0] >= lower
    assert found.point[-1] <= upper
    assert (found.density >= 0.0).all()
    # four widths beyond the outermost draw a share of 3e-5 of one draw is left
    assert np.trapezoid(found.density, found.point) == pytest.approx(1.0, abs=1e-4 / len(draws) + REFERENCE)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_sum_of_kernels_reflected(case):
    """Binning widens the kernel by a variance of 1 / (4 STEPS^2) at most and so lowers a peak by half of that; nothing else differs."""
    draws, lower, upper = CASES[case]
    found = kernel_density(draws, lower=lower, upper=upper)
    at = found.point[:: max(1, len(found.point) // 50)]
    images = [draws, *(2 * end - draws for end in (lower, upper) if np.isfinite(end))]
    plain = sum(stats.norm.pdf(at[:, None], image, found.width).mean(axis=1) for image in images)
    allowed = stats.norm.pdf(0.0) / found.width / (8 * STEPS_PER_WIDTH**2)
    np.testing.assert_allclose(found.at(at), plain, rtol=0.0, atol=allowed)


def test_the_density_at_a_bound_is_not_halved():
    """Uniform draws: the density is one, also at 0 and 1, within noise. The variance is f / (2 sqrt(pi) S w), twice that at a bound."""
    draws = np.random.default_rng(8).random(20_000)
    found = kernel_density(draws, lower=0.0, upper=1.0)
    noise = np.sqrt(2.0 / (2.0 * np.sqrt(np.pi) * len(draws) * found.width))
    np.testing.assert_allclose(found.density, 1.0, rtol=0.0, atol=MCSE_MULTIPLE * noise)
    open_ended = kernel_density(draws)
    assert open_ended.at(np.array([0.0]))[0] < 0.6


def test_heavy_tails_neither_fill_the_memory_nor_hide_the_middle():
    draws = np.random.default_rng(4).standard_cauchy(50_000)
    found = kernel_density(draws)
    assert len(found.point) <= MOST_POINTS + 2
    assert found.point[-1] < draws.max()
    noise = np.sqrt(1 / np.pi / (2.0 * np.sqrt(np.pi) * len(draws) * found.width))
    bias = 0.5 * found.width**2 * 2 / np.pi  # w^2 f'' / 2 at the mode
    assert abs(found.at(np.array([0.0]))[0] - 1 / np.pi) < MCSE_MULTIPLE * noise + 2 * bias
    assert np.trapezoid(found.density, found.point) > 0.99


def test_rounding_beyond_a_bound_is_forgiven_and_no_more():
    draws = np.random.default_rng(4).uniform(-1, 1, 400)
    draws[0] = 1.0 + 1e-12
    assert kernel_density(draws, lower=-1.0, upper=1.0).point[-1] == 1.0
    draws[0] = 1.01
    with pytest.raises(ArgumentError, match="beyond the bounds"):
        kernel_density(draws, lower=-1.0, upper=1.0)


@pytest.mark.parametrize("draws", [np.array([1.0]), np.array([0.0, np.nan, 1.0]), np.array([0.0, 1.0, np.inf]), np.ones(20)])
def test_what_has_no_density_is_refused(draws):
    with pytest.raises(ArgumentError):
        kernel_density(draws)


def test_draws_that_are_mostly_one_number_do_not_vary():
    assert not varies(np.array([0.0] * 10 + [1.0] * 3))
    assert varies(np.arange(5.0))


def test_overlap_of_two_normals():
    point = np.linspace(-12.0, 14.0, 20_001)
    for shift in (0.0, 0.5, 2.0):
        found = overlap(point, stats.norm.pdf(point), stats.norm.pdf(point, shift))
        assert found == pytest.approx(2 * stats.norm.cdf(-shift / 2), rel=REFERENCE)
    assert overlap(point, stats.norm.pdf(point, -5, 0.1), stats.norm.pdf(point, 5, 0.1)) == pytest.approx(0.0, abs=REFERENCE)
    infinite = np.where(point == point[0], np.inf, stats.norm.pdf(point))
    assert overlap(point, infinite, stats.norm.pdf(point)) == pytest.approx(1.0, rel=REFERENCE)
