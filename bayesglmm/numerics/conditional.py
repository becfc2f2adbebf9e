r"""Random effects of new subjects given their own data: exact when everything is normal, mode and curvature otherwise.

For one posterior draw the effects are :math:`b = Re` with :math:`D = RR'` and :math:`e \sim N(0, I)`, the predictor of the subject's n
rows is :math:`\eta = \eta_0 + Ae`, and :math:`\log p(e \mid y) = \sum_i \ell_i(\eta_i) - \tfrac12 e'e` plus a constant. In e everything is
well scaled, and an SD of zero is no special case. Draws S come first, then rows n, effects Q last.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.types import BoolArray, FloatArray

type RowDensity = Callable[[FloatArray], FloatArray]
"""Log densities of the rows at predictors (..., S, n), of the same shape."""

_STEP = 1e-3  # for differences: their error, about 1e-7, is repaired by the importance weights
_STEPS, _HALVINGS = 50, 30
_CLOSE = 1e-6  # of a Newton step, in SDs of the effects; far below the width of what is proposed
_SLACK = 1e-12  # relative: sums that differ by rounding only are equal
_DEGREES = 7.0  # of the proposal: its tails are heavier than a normal's, so that weights are bounded
_LOG_2PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class NormalLaw:
    """A normal law of the effects per draw.

    Attributes
    ----------
    location
        Shape (S, Q).
    precision
        Shape (S, Q, Q), at least the identity.
    """

    location: FloatArray
    precision: FloatArray


@dataclass(frozen=True, slots=True)
class Proposals:
    """M proposals per draw, and how much each counts.

    Attributes
    ----------
    effects
        Shape (S, M, Q).
    log_weights
        Shape (S, M): log of likelihood times prior over proposal density; minus infinity where the likelihood is zero. The mean of the
        weights of a draw over its M proposals estimates p(y | parameters of the draw) without bias.
    """

    effects: FloatArray
    log_weights: FloatArray


def effect_root(sd: FloatArray, corr: FloatArray | None) -> FloatArray:
    r"""Root of the covariance of random effects, :math:`D = RR'` with :math:`R = \operatorname{diag}(sd)\,C^{1/2}`.

    Parameters
    ----------
    sd
        Shape (S, q).
    corr
        Shape (S, q, q) correlation matrices C, which may be singular up to rounding; None when the effects are independent.

    Returns
    -------
    ndarray, shape (S, q, q)
        With the symmetric root of C, which unlike other roots is one matrix only.
    """
    if corr is None:
        return sd[..., :, None] * np.eye(sd.shape[-1])
    values, vectors = np.linalg.eigh(corr)
    symmetric = (vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    return np.asarray(sd[..., :, None] * symmetric)


def normal_posterior(residual: FloatArray, A: FloatArray, sigma: FloatArray, weights: FloatArray) -> tuple[NormalLaw, FloatArray]:
    r"""Effects given normal responses, and the marginal likelihood.

    .. math:: P = I + A'WA, \quad \hat e = P^{-1}A'Wr, \quad
              \log p(y) = -\sum_i w_i (\log \sigma_i + \tfrac12 \log 2\pi) - \tfrac12 r'Wr + \tfrac12 \hat e'P\hat e - \tfrac12 \log |P|,

    with :math:`W = \operatorname{diag}(w_i / \sigma_i^2)` and r the response less the predictor without the effects.

    Parameters
    ----------
    residual
        Shape (S, n).
    A
        Shape (S, n, Q).
    sigma
        Residual SDs, broadcasting with (S, n).
    weights
        Shape (n,): multipliers of the log densities.

    Returns
    -------
    tuple
        The law of e, and log p(y) of shape (S,).

    References
    ----------
    Lindley, D. V. and Smith, A. F. M. (1972). Bayes estimates for the linear model. *Journal of the Royal Statistical Society B* 34, 1-41.
    """
    sigma = np.broadcast_to(sigma, residual.shape)
    W = weights / np.square(sigma)
    precision = _precision(W, A)
    score = np.einsum("snq,sn->sq", A, W * residual)
    location = _solve(precision, score)
    constant = -np.sum(weights * (np.log(sigma) + 0.5 * _LOG_2PI), axis=1)
    fitted = np.sum(location * score, axis=1) - np.sum(W * np.square(residual), axis=1)
    return NormalLaw(location, precision), constant + 0.5 * fitted - 0.5 * np.linalg.slogdet(precision)[1]


def laplace(density: RowDensity, eta0: FloatArray, A: FloatArray) -> NormalLaw:
    r"""Mode and curvature of the effects given responses of any kind.

    Newton steps, halved until they go up; slopes and curvatures of each row's log density in its predictor are central differences. Where
    the density of a row is not concave its curvature counts as zero, so that the precision is at least the identity.

    Parameters
    ----------
    density
        Log densities of the rows.
    eta0
        Shape (S, n): predictors without the effects.
    A
        Shape (S, n, Q).

    Returns
    -------
    NormalLaw
        What is proposed from; that it is not the posterior itself is repaired by the weights of :func:`propose`.

    References
    ----------
    Tierney, L. and Kadane, J. B. (1986). Accurate approximations for posterior moments and marginal densities. *Journal of the American
    Statistical Association* 81, 82-86.
    """
    e = np.zeros((A.shape[0], A.shape[2]))
    value = _log_joint(density, eta0, A, e)
    for _ in range(_STEPS):
        slope, information = _derivatives(density, _predictor(eta0, A, e))
        step = _solve(_precision(information, A), np.einsum("snq,sn->sq", A, slope) - e)
        moved, found = _uphill(density, (eta0, A), (e, value), step)
        far = np.max(np.abs(moved - e), initial=0.0)
        e, value = moved, found
        if far < _CLOSE:
            break
    return NormalLaw(e, _precision(_derivatives(density, _predictor(eta0, A, e))[1], A))


def propose(rng: np.random.Generator, law: NormalLaw, density: RowDensity, eta0: FloatArray, A: FloatArray, *, size: int = 16) -> Proposals:
    r"""Proposals from a multivariate t around the mode, with their importance weights.

    .. math:: w = \frac{\prod_i \exp \ell_i(\eta_i)\;N(e; 0, I)}{t_\nu(e; \hat e, P^{-1})}, \qquad \nu = 7

    Parameters
    ----------
    rng
        Source of randomness.
    law
        Mode and precision; :func:`laplace`.
    density, eta0, A
        As for :func:`laplace`.
    size
        Proposals per draw, M.

    References
    ----------
    Geweke, J. (1989). Bayesian inference in econometric models using Monte Carlo integration. *Econometrica* 57, 1317-1339.
    """
    n_draws, q = law.location.shape
    root = np.linalg.cholesky(law.precision)
    normal = rng.standard_normal((n_draws, size, q))
    stretch = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, (n_draws, size, 1)))
    e = law.location[:, None] + np.swapaxes(np.linalg.solve(np.swapaxes(root, 1, 2), np.swapaxes(normal * stretch, 1, 2)), 1, 2)
    eta = np.moveaxis(eta0[:, None] + e @ np.swapaxes(A, 1, 2), 1, 0)
    likelihood = _finite_sum(density(eta)).T
    prior = -0.5 * np.sum(np.square(e), axis=2) - 0.5 * q * _LOG_2PI
    log_det = np.sum(np.log(np.diagonal(root, axis1=1, axis2=2)), axis=1)[:, None]
    constant = float(special.gammaln(0.5 * (_DEGREES + q)) - special.gammaln(0.5 * _DEGREES) - 0.5 * q * np.log(_DEGREES * np.pi))
    distance = np.sum(np.square(normal * stretch), axis=2)
    proposal = constant + log_det - 0.5 * (_DEGREES + q) * np.log1p(distance / _DEGREES)
    return Proposals(e, likelihood + prior - proposal)


def normal_draws(rng: np.random.Generator, law: NormalLaw) -> FloatArray:
    """One draw of the effects from each law, shape (S, Q)."""
    root = np.swapaxes(np.linalg.cholesky(law.precision), 1, 2)
    return law.location + np.linalg.solve(root, rng.standard_normal((*law.location.shape, 1)))[..., 0]


def _uphill(
    density: RowDensity, rows: tuple[FloatArray, FloatArray], start: tuple[FloatArray, FloatArray], step: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Halve the steps of the draws that would go down; a draw that finds no way up stays."""
    (eta0, A), (e, value) = rows, start
    share = np.ones(len(e))
    for _ in range(_HALVINGS):
        trial = e + share[:, None] * step
        found = _log_joint(density, eta0, A, trial)
        down = ~(found >= value - _SLACK * np.abs(value))
        if not down.any():
            return trial, found
        share[down] *= 0.5
    return np.where(down[:, None], e, trial), np.where(down, value, found)


def _log_joint(density: RowDensity, eta0: FloatArray, A: FloatArray, e: FloatArray) -> FloatArray:
    return _finite_sum(density(_predictor(eta0, A, e))) - 0.5 * np.sum(np.square(e), axis=1)


def _finite_sum(values: FloatArray) -> FloatArray:
    """Sum over rows; minus infinity where a row cannot be, also where the arithmetic has no number for it."""
    return np.nan_to_num(np.sum(values, axis=-1), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _predictor(eta0: FloatArray, A: FloatArray, e: FloatArray) -> FloatArray:
    return np.asarray(eta0 + np.einsum("snq,sq->sn", A, e))


def _derivatives(density: RowDensity, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slope and information (minus the curvature, not below zero) of each row's log density; zero where it is not finite."""
    low, middle, high = density(eta - _STEP), density(eta), density(eta + _STEP)
    usable: BoolArray = np.isfinite(low) & np.isfinite(middle) & np.isfinite(high)
    low, middle, high = (np.where(usable, v, 0.0) for v in (low, middle, high))
    return (high - low) / (2.0 * _STEP), np.maximum(2.0 * middle - low - high, 0.0) / _STEP**2


def _precision(information: FloatArray, A: FloatArray) -> FloatArray:
    return np.asarray(np.eye(A.shape[2]) + np.swapaxes(A, 1, 2) @ (information[..., None] * A))


def _solve(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.solve(matrix, vector[..., None])[..., 0])
