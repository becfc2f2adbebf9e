"""Ranks of chains against SciPy's, and the band against the hypergeometric distribution."""

import numpy as np
import pytest
from scipy import stats

from bayesglmm.numerics.ranks import bin_sizes, hypergeometric_band, pooled_ranks, rank_counts


@pytest.mark.parametrize("digits", [8, 1])
def test_ranks_share_ties(digits):
    values = np.random.default_rng(1).normal(size=(3, 40)).round(digits)
    np.testing.assert_array_equal(pooled_ranks(values).ravel(), stats.rankdata(values, method="average"))


@pytest.mark.parametrize(("draws", "bins"), [(50, 10), (37, 20), (5, 1)])
def test_counts_add_up_to_chains_and_bins(draws, bins):
    values = np.random.default_rng(2).normal(size=(4, draws))
    counts = rank_counts(values, bins)
    np.testing.assert_array_equal(counts.sum(axis=1), draws)
    np.testing.assert_array_equal(counts.sum(axis=0), bin_sizes(4 * draws, bins))
    assert np.ptp(bin_sizes(4 * draws, bins)) <= 1


def test_a_chain_that_lies_above_has_the_high_ranks():
    values = np.stack([np.arange(10.0), 100.0 + np.arange(10.0)])
    np.testing.assert_array_equal(rank_counts(values, 4), [[5, 5, 0, 0], [0, 0, 5, 5]])


@pytest.mark.parametrize("tail", [0.025, 1e-4])
@pytest.mark.parametrize(("draws", "K", "total"), [(50, 10, 200), (7, 3, 10), (1000, 200, 4000), (5, 20, 20)])
def test_the_band_leaves_out_the_tails(draws, K, total, tail):
    (lower,), (upper,) = hypergeometric_band(draws, np.array([K]), total, tail)
    law = stats.hypergeom(total, K, draws)
    assert law.cdf(lower - 1) <= tail < law.cdf(lower)
    assert law.sf(upper) <= tail < law.sf(upper - 1)


def test_chains_that_agree_stay_inside_as_often_as_the_band_says():
    n_chains, n_draws, bins, repeats = 4, 100, 10, 400
    rng = np.random.default_rng(3)
    tail = 0.025 / (n_chains * bins)
    lower, upper = hypergeometric_band(n_draws, bin_sizes(n_chains * n_draws, bins), n_chains * n_draws, tail)
    counts = np.stack([rank_counts(rng.random((n_chains, n_draws)), bins) for _ in range(repeats)])
    inside = np.mean(np.all((counts >= lower) & (counts <= upper), axis=(1, 2)))
    assert inside >= 0.95 - 4.0 * np.sqrt(0.95 * 0.05 / repeats)
