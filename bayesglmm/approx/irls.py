"""Fixed effects alone by penalized iteratively reweighted least squares: where the chains start."""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesglmm.families.base import Family
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray

ITERATIONS = 25
RIDGE_SD = 2.5
"""Prior SD of a coefficient on the column's own scale; keeps a separated design finite."""
INTERCEPT_SD = 5.0
"""Prior SD of the constant column's coefficient around the link of the mean response; keeps a constant response finite."""
ETA_LIMIT = 20.0
_FLOOR = 1e-8


@dataclass(frozen=True, slots=True)
class GlmMode:
    """Mode of the penalized likelihood without random effects.

    Attributes
    ----------
    beta
        Coefficients on the columns as given, shape (p,).
    se
        Standard errors from the penalized information, shape (p,).
    residual_sd
        Root mean square of response minus fitted mean.
    residuals, weights
        Working residuals on the scale of the linear predictor and their weights, shape (n,).
    dispersion
        Variance of a working residual times its weight: the residual variance for families that have one, else 1.
    predictor_scale
        Natural scale of the linear predictor: the residual SD under the identity link, else 1.
    """

    beta: FloatArray
    se: FloatArray
    residual_sd: float
    residuals: FloatArray
    weights: FloatArray
    dispersion: float
    predictor_scale: float


def glm_mode(X: FloatArray, y: FloatArray, offset: FloatArray, *, family: Family, link: Link, trials: FloatArray | None = None) -> GlmMode:
    """Penalized mode of a generalized linear model by IRLS with a fixed number of steps.

    Parameters
    ----------
    X
        Design, shape (n, p).
    y
        Response, shape (n,); counts of successes when ``trials`` is given.
    offset
        Shape (n,).
    family, link
        Response family and link.
    trials
        Shape (n,), or None.

    Notes
    -----
    A start, not an estimate: the linear predictor is held within ``ETA_LIMIT`` of zero on nonlinear links and every
    coefficient has a normal penalty in units of its column's SD, the constant column's around the link of the mean response.
    """
    n = np.ones_like(y) if trials is None else trials
    spread, scale = X.std(axis=0), _response_spread(y, link)
    center = family.response_center(y, link, trials=trials, weights=None)
    constant = spread <= np.abs(X).max(axis=0, initial=0.0) * np.finfo(float).eps
    penalty = np.where(constant, (np.abs(X).max(axis=0, initial=0.0) / (INTERCEPT_SD * scale)) ** 2, (spread / (RIDGE_SD * scale)) ** 2)
    pull = np.where(constant, penalty * (center - offset.mean()), 0.0)
    eta = np.full_like(y, center)
    beta = np.zeros(X.shape[1])
    information = np.eye(X.shape[1])
    for _ in range(ITERATIONS):
        weights, working = _working_response(y, eta, n, family, link)
        information = (X.T * weights) @ X + np.diag(penalty + _FLOOR)
        beta = linalg.solve(information, X.T @ (weights * (working - offset)) + pull, assume_a="pos")
        eta = _bounded(offset + X @ beta, link)
    residual_sd = max(float(np.sqrt(np.mean((y / n - link.inverse(eta)) ** 2))), _FLOOR)
    dispersion = residual_sd**2 if family.auxiliary else 1.0
    weights, working = _working_response(y, eta, n, family, link)
    se = np.sqrt(dispersion * np.diag(linalg.inv(information)))
    return GlmMode(beta, se, residual_sd, working - eta, weights, dispersion, residual_sd if link.name == "identity" else 1.0)


def _response_spread(y: FloatArray, link: Link) -> float:
    """Scale of the linear predictor: the response's SD when the link is the identity, 1 otherwise."""
    return max(float(y.std()), _FLOOR) if link.name == "identity" else 1.0


def _working_response(y: FloatArray, eta: FloatArray, n: FloatArray, family: Family, link: Link) -> tuple[FloatArray, FloatArray]:
    mu, slope = link.inverse(eta), link.derivative(eta)
    slope = np.where(np.abs(slope) < _FLOOR, _FLOOR, slope)
    one = np.ones_like(y)
    variance = np.maximum(family.variance(mu, one if family.needs_trials else None, **dict.fromkeys(family.auxiliary, one)), _FLOOR)
    return n * slope**2 / variance, eta + (y / n - mu) / slope


def _bounded(eta: FloatArray, link: Link) -> FloatArray:
    return eta if link.name == "identity" else np.clip(eta, -ETA_LIMIT, ETA_LIMIT)
