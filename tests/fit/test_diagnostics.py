"""Convergence statistics of odd runs: numbers or NaN, never a warning of another library (warnings are errors here)."""

import numpy as np
import pytest

from bayesglmm.fit import diagnostics


@pytest.mark.parametrize("statistic", [diagnostics.rhat, diagnostics.ess_bulk, diagnostics.ess_tail, diagnostics.mcse_mean])
def test_more_chains_than_draws(statistic):
    draws = np.random.default_rng(0).normal(size=(8, 5, 2))
    values = statistic(draws)
    assert values.shape == (2,)
    assert np.all(np.isfinite(values))


def test_energy_that_never_moves_has_no_fraction():
    energy = np.stack([np.full(50, 3.0), np.random.default_rng(0).normal(size=50)])
    values = diagnostics.bfmi(energy)
    assert np.isnan(values[0])
    assert values[1] > 0.0
