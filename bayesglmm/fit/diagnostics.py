"""Convergence statistics of draws: the one door to arviz-stats, which is imported when first needed.

All functions take draws of shape (chain, draw, ...) and return arrays of the trailing shape, NaN where the draws never move.
"""

import warnings
from typing import Any

import numpy as np

from bayesglmm.types import FloatArray

CHAIN_AXIS, DRAW_AXIS = 0, 1
TAILS = (0.05, 0.95)


def rhat(draws: FloatArray) -> FloatArray:
    """Rank-normalised split R-hat, the larger of bulk and folded (Vehtari et al. 2021); shape of the trailing axes."""
    return _computed("rhat", draws, method="rank")


def ess_bulk(draws: FloatArray) -> FloatArray:
    """Bulk effective sample size (Vehtari et al. 2021)."""
    return _computed("ess", draws, method="bulk")


def ess_tail(draws: FloatArray) -> FloatArray:
    """Tail effective sample size: the smaller of the 5 % and 95 % quantiles' (Vehtari et al. 2021)."""
    return _computed("ess", draws, method="tail", prob=TAILS)


def mcse_mean(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the posterior mean."""
    return _computed("mcse", draws, method="mean")


def mcse_sd(draws: FloatArray) -> FloatArray:
    """Monte Carlo standard error of the posterior standard deviation."""
    return _computed("mcse", draws, method="sd")


def mcse_quantile(draws: FloatArray, prob: float) -> FloatArray:
    """Monte Carlo standard error of a posterior quantile."""
    return _computed("mcse", draws, method="quantile", prob=prob)


def bfmi(energy: FloatArray) -> FloatArray:
    """Energy Bayesian fraction of missing information, one number per chain (Betancourt 2016); ``energy`` is (chain, draw)."""
    return _computed("bfmi", energy)


def _statistics() -> Any:
    from arviz_stats.base import array_stats  # type: ignore[attr-defined]  # lazy in the package, so not seen as exported

    return array_stats


def _computed(name: str, draws: FloatArray, **options: object) -> FloatArray:
    """One statistic; a warning about more chains than draws, or about draws that never move, says nothing that a NaN does not."""
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.filterwarnings("ignore", message="Found chain dimension to be longer", category=UserWarning)
        values = getattr(_statistics(), name)(draws, chain_axis=CHAIN_AXIS, draw_axis=DRAW_AXIS, **options)
    return np.asarray(values, dtype=float)
