"""Bins along a covariate and intervals of their means, against SciPy's distributions and plain loops."""

import numpy as np
import pytest
from scipy import stats

from bayesglmm.numerics.binned import bin_of, jeffreys_interval, sd_by, student_interval, sums_by
from tests.tolerances import ALGEBRAIC, REFERENCE


def test_bins_of_distinct_values_are_of_one_size_and_in_order():
    x = np.random.default_rng(1).permutation(np.arange(1000.0) ** 1.5)
    code = bin_of(x, 10)
    np.testing.assert_array_equal(np.bincount(code), 100)
    ordered = code[np.argsort(x)]
    assert np.all(np.diff(ordered) >= 0)


def test_equal_values_share_a_bin():
    x = np.repeat([5.0, 1.0, 2.0, 3.0, 4.0, 9.0], [1, 50, 3, 40, 2, 4])
    code = bin_of(x, 3)
    assert all(len(set(code[x == value])) == 1 for value in np.unique(x))
    assert set(code) == set(range(code.max() + 1))
    assert code.max() < 3


def test_few_values_are_bins_of_their_own():
    x = np.array([6.0, 0.0, 2.0, 0.0, 12.0])
    np.testing.assert_array_equal(bin_of(x, 4), [2, 0, 1, 0, 3])


@pytest.mark.parametrize(("k", "n"), [(0, 1), (0, 7), (3, 10), (10, 10), (250, 1000)])
@pytest.mark.parametrize("prob", [0.5, 0.95])
def test_jeffreys_interval_is_that_of_the_beta_distribution(k, n, prob):
    lower, upper = jeffreys_interval(np.array([k]), np.array([n]), prob)
    law = stats.beta(k + 0.5, n - k + 0.5)
    assert lower[0] == pytest.approx(law.ppf(0.5 - prob / 2) if k else 0.0, rel=REFERENCE)
    assert upper[0] == pytest.approx(law.ppf(0.5 + prob / 2) if k < n else 1.0, rel=REFERENCE)


def test_student_interval_of_values():
    y = np.random.default_rng(2).normal(1e6, 2.0, 9)
    lower, upper = student_interval(np.array([y.mean()]), np.array([y.std(ddof=1)]), np.array([9]), 0.9)
    expected = stats.t.interval(0.9, 8, y.mean(), stats.sem(y))
    np.testing.assert_allclose([lower[0], upper[0]], expected, rtol=REFERENCE)


def test_one_value_has_no_interval():
    lower, upper = student_interval(np.array([3.0]), np.array([np.nan]), np.array([1]), 0.95)
    assert np.isnan(lower[0])
    assert np.isnan(upper[0])


def test_sums_and_spreads_by_code():
    rng = np.random.default_rng(3)
    code, y = rng.integers(0, 4, 50), rng.normal(1e8, 1.0, 50)
    code[0], code[code == 3] = 3, 2
    code[0] = 3
    sums, spread = sums_by(code, 5, y), sd_by(code, 5, y)
    for j in range(3):
        assert sums[j] == pytest.approx(y[code == j].sum(), rel=ALGEBRAIC)
        assert spread[j] == pytest.approx(np.std(y[code == j], ddof=1), rel=REFERENCE)
    assert np.isnan(spread[3:]).all()
    assert sums[4] == 0.0
