"""Flat draws to named parameters on the user's scale: the numpy twin of the coordinates of :mod:`bayesglmm.kernel.density`."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.kernel import density as d
from bayesglmm.kernel.layout import Internal, Layout
from bayesglmm.kernel.priors import EXP, INTERVAL
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class BlockDraws:
    """One covariance block: SDs (..., q), correlations (..., q, q), effects (..., J, q)."""

    sd: FloatArray
    correlation: FloatArray
    effects: FloatArray


@dataclass(frozen=True, slots=True)
class Derived:
    """All parameters of a model on the user's scale.

    Attributes
    ----------
    beta
        Shape (..., p), intercept at covariates zero.
    blocks
        One per group term.
    auxiliary
        Shape (..., a).
    """

    beta: FloatArray
    blocks: tuple[BlockDraws, ...]
    auxiliary: FloatArray


def derive(flat: FloatArray, layout: Layout) -> Derived:
    """Turn points of the sampler's space into parameters.

    Parameters
    ----------
    flat
        Shape (..., d).
    layout
        Where each parameter is.
    """
    theta = scalars(flat, layout)
    p = len(layout.internal.means)
    coefficients = theta[..., :p].copy()
    blocks = []
    for block in layout.blocks:
        found = _block(flat, theta, block)
        mean = found.effects.mean(axis=-2)
        coefficients -= mean @ layout.shear[block[d.COLUMN] : block[d.COLUMN] + block[d.WIDTH]]
        blocks.append(found)
    n_sd = int(layout.blocks[:, d.WIDTH].sum())
    return Derived(on_users_scale(coefficients, layout.internal), tuple(blocks), theta[..., p + n_sd :])


def scalars(flat: FloatArray, layout: Layout) -> FloatArray:
    """Return the scalars on their own scale, shape (..., s)."""
    x = flat[..., : len(layout.kinds)]
    theta = np.array(x, dtype=np.float64)
    kind = layout.kinds[:, d.TRANSFORM]
    theta[..., kind == EXP] = np.exp(x[..., kind == EXP])
    lower, upper = layout.numbers[:, d.LOWER], layout.numbers[:, d.UPPER]
    inside = kind == INTERVAL
    theta[..., inside] = lower[inside] + (upper - lower)[inside] / (1.0 + np.exp(-x[..., inside]))
    return theta


def correlation_factors(x: FloatArray, q: int) -> FloatArray:
    """Return Cholesky factors (..., q, q) of correlation matrices from unconstrained (..., q (q - 1) / 2)."""
    L = np.zeros((*x.shape[:-1], q, q))
    L[..., 0, 0] = 1.0
    at = 0
    for i in range(1, q):
        left = np.ones(x.shape[:-1])
        for m in range(i):
            partial = np.tanh(x[..., at])
            L[..., i, m] = partial * left
            left = left * np.sqrt(1.0 - partial**2)
            at += 1
        L[..., i, i] = left
    return L


def _block(flat: FloatArray, theta: FloatArray, block: np.ndarray) -> BlockDraws:
    q, J = int(block[d.WIDTH]), int(block[d.LEVELS])
    sd = theta[..., block[d.SD_START] : block[d.SD_START] + q]
    if block[d.COR_START] == d.NONE:
        L = np.broadcast_to(np.eye(q), (*flat.shape[:-1], q, q))
    else:
        L = correlation_factors(flat[..., block[d.COR_START] : block[d.COR_START] + q * (q - 1) // 2], q)
    A = sd[..., :, None] * L
    x = flat[..., block[d.EFFECT_START] : block[d.EFFECT_START] + J * q].reshape(*flat.shape[:-1], J, q)
    offsets = 1 if block[d.CENTERED] == 1 else J
    w = x.astype(np.float64, copy=True)
    w[..., :offsets, :] = x[..., :offsets, :] @ np.swapaxes(A, -1, -2)
    correlation = L @ np.swapaxes(L, -1, -2)
    correlation[..., np.arange(q), np.arange(q)] = 1.0  # exactly, not to rounding
    return BlockDraws(sd, correlation, _reflect(w))


def _reflect(w: FloatArray) -> FloatArray:
    """Apply the reflection of :func:`bayesglmm.kernel.effects.reflect` to (..., J, q), in place."""
    root = np.sqrt(w.shape[-2])
    c = (w[..., 0, :] - w.sum(axis=-2) / root) / (1.0 - 1.0 / root)
    w[..., 0, :] -= c
    w += (c / root)[..., None, :]
    return w


def on_users_scale(coefficients: FloatArray, internal: Internal) -> FloatArray:
    """Return coefficients (..., p) of the internal columns as those of the user's columns, the intercept at covariates zero."""
    beta = coefficients @ internal.basis.T
    if internal.intercept != d.NONE:
        beta[..., internal.intercept] -= beta @ internal.means
    return beta
