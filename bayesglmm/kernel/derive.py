"""Draws to named parameters on the user's scale: what every form of a density, integrated or not, gives back."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.kernel import codes as d
from bayesglmm.kernel.layout import Internal, Layout
from bayesglmm.kernel.priors import EXP, INTERVAL
from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class BlockDraws:
    """One covariance block: SDs (..., q), correlations (..., q, q), effects (..., J, q), or None where they were not kept."""

    sd: FloatArray
    correlation: FloatArray
    effects: FloatArray | None


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


def derive(natural: FloatArray, layout: Layout) -> Derived:
    """Take parameters apart.

    Parameters
    ----------
    natural
        Shape (..., d), as :meth:`bayesglmm.kernel.program.Program.natural` returns them; without the effects where those were not kept.
    layout
        Where each parameter is.
    """
    p, n_sd = len(layout.internal.means), int(layout.blocks[:, d.WIDTH].sum())
    blocks = tuple(_block(natural, block) for block in layout.blocks)
    return Derived(natural[..., :p], blocks, natural[..., p + n_sd : len(layout.kinds)])


def scalars(x: FloatArray, kinds: IntArray, numbers: FloatArray) -> FloatArray:
    """Return scalars (..., s) on their own scale."""
    theta, kind = np.array(x, dtype=np.float64), kinds[:, d.TRANSFORM]
    theta[..., kind == EXP] = np.exp(x[..., kind == EXP])
    inside = kind == INTERVAL
    lower, width = numbers[inside, d.LOWER], numbers[inside, d.UPPER] - numbers[inside, d.LOWER]
    theta[..., inside] = lower + width / (1.0 + np.exp(-x[..., inside]))
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


def correlations(x: FloatArray, q: int) -> FloatArray:
    """Return correlation matrices (..., q, q) from unconstrained (..., q (q - 1) / 2)."""
    L = correlation_factors(x, q)
    found = L @ np.swapaxes(L, -1, -2)
    found[..., np.arange(q), np.arange(q)] = 1.0  # exactly, not to rounding
    return found


def _block(natural: FloatArray, block: np.ndarray) -> BlockDraws:
    q, J, start = int(block[d.WIDTH]), int(block[d.LEVELS]), block[d.EFFECT_START]
    sd = natural[..., block[d.SD_START] : block[d.SD_START] + q]
    correlation = np.broadcast_to(np.eye(q), (*natural.shape[:-1], q, q))
    if block[d.COR_START] != d.NONE:
        correlation = correlations(natural[..., block[d.COR_START] : block[d.COR_START] + q * (q - 1) // 2], q)
    kept = natural.shape[-1] > start
    effects = natural[..., start : start + J * q].reshape(*natural.shape[:-1], J, q) if kept else None
    return BlockDraws(sd, correlation, effects)


def on_users_scale(coefficients: FloatArray, internal: Internal) -> FloatArray:
    """Return coefficients (..., p) of the internal columns as those of the user's columns, the intercept at covariates zero."""
    beta = coefficients @ internal.basis.T
    if internal.intercept != d.NONE:
        beta[..., internal.intercept] -= beta @ internal.means
    return beta
