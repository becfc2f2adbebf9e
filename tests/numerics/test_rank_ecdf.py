"""Rank distributions of chains that agree, and of chains that do not."""

import numpy as np
import pytest

from bayesglmm.numerics.envelope import ecdf_envelope
from bayesglmm.numerics.rank_ecdf import rank_excursion
from tests.tolerances import ALGEBRAIC

CHAINS, DRAWS = 4, 100


def chains(seed):
    return np.random.default_rng(seed).normal(size=(CHAINS, DRAWS))


def test_chains_that_agree_seldom_leave_the_envelope():
    """With Bonferroni over chains at most one in a hundred sets of four chains leaves it; 300 sets have 10 with probability below 1e-3."""
    envelope = ecdf_envelope(DRAWS, 1.0 - 0.01 / CHAINS)
    assert sum(rank_excursion(chains(seed), envelope) > 0.0 for seed in range(300)) < 10


@pytest.mark.parametrize("change", [lambda x: x + np.eye(4)[:, 3:], lambda x: x * (1.0 + 2.0 * np.eye(4)[:, 3:])])
def test_a_chain_elsewhere_or_wider_leaves_it(change):
    assert rank_excursion(change(chains(1)), ecdf_envelope(DRAWS, 0.99)) > 0.0


def test_two_chains_apart_by_hand():
    """Of two chains that do not overlap one has the lower half of the ranks: its function is min(2 z, 1), the other's max(2 z - 1, 0)."""
    envelope = ecdf_envelope(10, 0.95)
    z = envelope.at
    expected = max(np.max(np.minimum(2.0 * z, 1.0) - envelope.upper), np.max(envelope.lower - np.maximum(2.0 * z - 1.0, 0.0)))
    assert expected > 0.0
    assert rank_excursion(np.vstack([np.arange(10.0), np.arange(10.0) + 100.0]), envelope) == pytest.approx(expected, rel=ALGEBRAIC)


def test_only_order_counts():
    envelope = ecdf_envelope(DRAWS, 0.5)
    x = chains(5) + 0.4 * np.eye(4)[:, 3:]
    assert rank_excursion(x, envelope) == rank_excursion(np.exp(3.0 * x), envelope)
