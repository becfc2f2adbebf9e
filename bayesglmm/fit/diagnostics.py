"""Convergence statistics of draws: the one door to arviz-stats, which is imported when first needed.

All functions take draws of shape (chain, draw, ...) and return arrays of the trailing shape.
"""

from typing import Any

import numpy as np

from bayesglmm.types import FloatArray

CHAIN_AXIS, DRAW_AXIS = 0, 1
TAILS = (0.05, 0.95)


def _statistics() -> Any:
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]  # lazy in the package, so not seen as exported

    return array_stats


def rhat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat, the larger of bulk and folded (Vehtari et al. 2021); shape of the trailing axes."""
    return np.asarray(_statistics().rhat(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="rank"), dtype=float)


def ess_bulk(draws: FloatArray) -> FloatArray:
    """Bulk effective sample size (Vehtari et al. 2021)."""
    return np.asarray(_statistics().ess(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="bulk"), dtype=float)


def ess_tail(draws: FloatArray) -> FloatArray:
    """Tail effective sample size: the smaller of the 5 % and 95 % quantiles' (Vehtari et al. 2021)."""
    return np.asarray(_statistics().ess(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="tail", prob=TAILS), dtype=float)


def mcse_mean(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the posterior mean."""
    return np.asarray(_statistics().mcse(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="mean"), dtype=float)


def mcse_sd(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the posterior standard deviation."""
    return np.asarray(_statistics().mcse(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="sd"), dtype=float)


def mcse_quantile(draws: FloatArray, prob: float) -> FloatArray:
    """Monte Carlo standard error of a posterior quantile."""
    return np.asarray(_statistics().mcse(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, method="quantile", prob=prob), dtype=float)


def bfmi(energy: FloatArray) -> FloatArray:
    """Energy Bayesian fraction of missing information, one number per chain (Betancourt 2016); ``energy`` is (chain, draw)."""
    return np.asarray(_statistics().bfmi(energy, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS), dtype=float)
