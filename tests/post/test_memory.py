"""Large results stream: the peak does not grow with draws x rows x nodes, nor with draws x rows when rows are averaged."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.post import means as means_module
from tests.fits import make_fit

ROWS, CHAINS, DRAWS = 2000, 2, 1000


@pytest.fixture(scope="module")
def large_fit():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.integers(0, 2, ROWS), "x": rng.normal(size=ROWS), "g": np.repeat(np.arange(40), ROWS // 40)})
    return make_fit("y ~ x + (1 | g)", data, family="bernoulli", beta=[0.3, 1.0], sd=1.0, n_chains=CHAINS, n_draws=DRAWS)


def peak_of(call) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_average_over_rows_needs_less_than_one_array_of_draws_by_rows(large_fit):
    """S x n is 32 MB here, S x n x nodes more than 700 MB: with all rows distinct, the peak stays below a single S x n array.

    Blocks hold 2^16 numbers (half a MB) in each of about ten arrays, and at most four blocks are in work at one time.
    """
    draws_by_rows = CHAINS * DRAWS * ROWS * 8
    assert peak_of(lambda: bg.means(large_fit, target="population")) < draws_by_rows


def test_marginal_coefficients_need_less_than_one_array_of_draws_by_rows(large_fit):
    assert peak_of(lambda: bg.marginal_coefficients(large_fit)) < CHAINS * DRAWS * ROWS * 8


def test_a_grid_needs_a_few_arrays_of_its_own_size(large_fit):
    """400 rows: the result is S x 400 (6.4 MB); it and its summary need a few such arrays, not one per quadrature node (about 30)."""
    at = {"x": np.linspace(-2, 2, 400)}
    assert peak_of(lambda: bg.means(large_fit, at, target="population")) < 8 * CHAINS * DRAWS * 400 * 8


def test_observed_groups_never_make_draws_by_rows_by_groups():
    """200 draws x 2,000 rows x 40 groups are 128 MB; the peak stays below a quarter of that."""
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"y": rng.integers(0, 2, ROWS), "x": rng.normal(size=ROWS), "g": np.repeat(np.arange(40), ROWS // 40)})
    fit = make_fit("y ~ x + (x | g)", data, family="bernoulli", beta=[0.3, 1.0], n_chains=2, n_draws=100)
    assert peak_of(lambda: bg.means(fit, target="observed_groups")) < 2 * 100 * ROWS * 40 * 8 / 4


def test_averages_of_many_groups_without_draws_never_make_draws_by_groups(monkeypatch):
    """4,000 groups of two rows, 2,000 draws: 64 MB for the draws of all averages; without them the peak stays below half of that."""
    rng, groups = np.random.default_rng(3), 4000
    data = pd.DataFrame({"y": rng.normal(size=2 * groups), "x": rng.normal(size=2 * groups), "g": np.repeat(np.arange(groups), 2)})
    data = data.assign(h=np.resize([1, 2, 3], 2 * groups))
    fit = make_fit("y ~ x + (1 | h)", data, beta=[0.3, 1.0], n_chains=2, n_draws=1000)
    monkeypatch.setattr(means_module, "AT_ONCE", 2**18)
    assert peak_of(lambda: bg.means(fit, data, target="average_subject", by="g", keep_draws=False)) < 2000 * groups * 8 / 2
