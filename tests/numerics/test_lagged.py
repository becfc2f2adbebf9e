"""Autocorrelations within groups."""

import numpy as np
import pytest

from bayesglmm.numerics.lagged import lagged_correlations, make_series
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def test_pairs_never_cross_groups_and_follow_time():
    """Two groups, rows out of order: times 3 1 2 of group 0, times 2 1 of group 1."""
    series = make_series(np.array([0, 1, 0, 0, 1]), np.array([3, 2, 1, 2, 1]))
    assert series.order.tolist() == [2, 3, 0, 4, 1]
    assert series.pairs(1).tolist() == [0, 1, 3]
    assert series.pairs(2).tolist() == [0]
    assert series.pairs(7).tolist() == []
    r = np.array([[3.0, 20.0, 1.0, 2.0, 10.0]])
    power = (9 + 400 + 1 + 4 + 100) / 5
    expected = [(1 * 2 + 2 * 3 + 10 * 20) / 3 / power, 1 * 3 / power]
    np.testing.assert_allclose(lagged_correlations(r, series, np.array([1, 2]))[0], expected, rtol=ALGEBRAIC)


def test_no_residuals_have_no_correlation():
    series = make_series(np.zeros(4, dtype=int), np.arange(4))
    assert lagged_correlations(np.zeros((1, 4)), series, np.array([1]))[0, 0] == 0.0


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.6])
def test_an_autoregression_has_powers_of_its_coefficient(rho):
    """500 series of 20 rows, 40 data sets: the mean correlation within MCSE_MULTIPLE standard errors, from the spread of the data sets.

    The ratio of two means has a bias of order 1 / 10,000 rows, far below these standard errors.
    """
    rng = np.random.default_rng(7)
    r = np.empty((40, 500, 20))
    r[..., 0] = rng.standard_normal((40, 500))
    for t in range(1, 20):
        r[..., t] = rho * r[..., t - 1] + np.sqrt(1 - rho**2) * rng.standard_normal((40, 500))
    series = make_series(np.repeat(np.arange(500), 20), np.tile(np.arange(20), 500))
    found = lagged_correlations(r.reshape(40, -1), series, np.array([1, 2, 3]))
    error = found.std(axis=0, ddof=1) / np.sqrt(40)
    assert np.all(np.abs(found.mean(axis=0) - rho ** np.arange(1, 4)) < MCSE_MULTIPLE * error)
