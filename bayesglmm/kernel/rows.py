"""Row likelihoods by code: log density of one row with its derivatives in the linear predictor and in log sigma."""

import math

import numba as nb

from bayesglmm.kernel.links import tails

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

GAUSSIAN, GAUSSIAN_LOG, POISSON, BINOMIAL = range(4)
ETA_OVERFLOW = 700.0


@compiled
def gaussian(y: float, mu: float, slope: float, sigma: float) -> tuple[float, float, float]:
    """Return log N(y; mu, sigma^2) without its constant, d/d eta with d mu / d eta = slope, and d / d log sigma."""
    r = (y - mu) / sigma
    return -0.5 * r * r - math.log(sigma), r * slope / sigma, r * r - 1.0


@compiled
def row(code: int, link: int, y: float, trials: float, eta: float, sigma: float) -> tuple[float, float, float]:
    """Return log p(y | eta) up to a constant, its derivative in eta, and in log sigma (0 where there is no sigma)."""
    if code == GAUSSIAN:
        return gaussian(y, eta, 1.0, sigma)
    if code == GAUSSIAN_LOG:
        mu = math.exp(min(eta, ETA_OVERFLOW))
        return gaussian(y, mu, mu, sigma)
    if code == POISSON:
        mu = math.exp(min(eta, ETA_OVERFLOW))
        return y * eta - mu, y - mu, 0.0
    log_value, log_rest, slope_value, slope_rest = tails(link, eta)
    failures = trials - y
    value, slope = 0.0, 0.0
    if y > 0:
        value += y * log_value
        slope += y * slope_value
    if failures > 0:
        value += failures * log_rest
        slope += failures * slope_rest
    return value, slope, 0.0
