"""From the sampler's coordinates to parameters on the user's scale: the numpy twin of the map in :mod:`bayesglmm.kernel.density`."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from bayesglmm.kernel import codes as d
from bayesglmm.kernel.derive import correlation_factors, on_users_scale, scalars
from bayesglmm.kernel.effects import SHARES
from bayesglmm.kernel.layout import Arrays, Layout
from bayesglmm.types import FloatArray, IntArray

ELEMENTS = 4_000_000
"""Numbers that are worked on at a time: what lies between stays small beside the draws."""


def to_natural(points: FloatArray, arrays: Arrays, layout: Layout) -> None:
    """Turn points of the sampler's space into parameters, in place.

    Afterwards a row holds coefficients of the user's columns (the intercept at covariates zero), SDs, auxiliary parameters, correlations
    as they were, then effects, (J, q) block after block.

    Parameters
    ----------
    points
        Shape (S, d), changed.
    arrays, layout
        Of the model.
    """
    weights = _weights(arrays, len(layout.shares))
    for part in _parts(points):
        theta = scalars(part[:, : len(layout.kinds)], layout.kinds, layout.numbers)
        _fill_effects(part, theta, arrays, layout, weights)
        p, effects = len(layout.internal.means), part[:, layout.n_parameters :]
        for block in layout.blocks:
            J, q = block[d.LEVELS], block[d.WIDTH]
            mean = effects[:, block[d.SCRATCH] : block[d.SCRATCH] + J * q].reshape(-1, J, q).mean(axis=1)
            theta[:, :p] -= mean @ arrays.shear[block[d.COLUMN] : block[d.COLUMN] + q]
        theta[:, :p] = on_users_scale(theta[:, :p], layout.internal)
        part[:, : len(layout.kinds)] = theta


def _parts(points: FloatArray) -> Iterator[FloatArray]:
    step = max(1, ELEMENTS // max(points.shape[1], 1))
    for start in range(0, len(points), step):
        yield points[start : start + step]


def _weights(arrays: Arrays, n_effects: int) -> sparse.csr_array:
    return sparse.csr_array((arrays.weights, arrays.sources, arrays.starts), shape=(n_effects, n_effects))


def _fill_effects(part: FloatArray, theta: FloatArray, arrays: Arrays, layout: Layout, weights: sparse.csr_array) -> None:
    """Put effects in the place of their coordinates, blocks of few levels first, because others give way to them."""
    effects = part[:, layout.n_parameters :]
    deviation = np.zeros_like(effects) if len(arrays.weights) else None
    for block in layout.blocks[layout.blocks[:, d.ORDER]] if len(layout.blocks) else layout.blocks:
        J, q = block[d.LEVELS], block[d.WIDTH]
        here = slice(block[d.SCRATCH], block[d.SCRATCH] + J * q)
        b = _block_effects(part, theta, block, layout)
        if deviation is not None:
            if arrays.starts[here.stop] > arrays.starts[here.start]:
                moved = (weights[here] @ deviation.T).T
                b -= (moved - moved.mean(axis=1, keepdims=True))[..., None]
            deviation[:, here] = (b - b.mean(axis=1, keepdims=True)).reshape(len(b), -1)
        effects[:, here] = b.reshape(len(b), -1)


def _block_effects(part: FloatArray, theta: FloatArray, block: IntArray, layout: Layout) -> FloatArray:
    """Return effects (S, J, q) of one block before they give way to others."""
    J, q, start = block[d.LEVELS], block[d.WIDTH], block[d.EFFECT_START]
    sd, L = theta[:, block[d.SD_START] : block[d.SD_START] + q], np.eye(q)
    if block[d.COR_START] != d.NONE:
        L = correlation_factors(part[:, block[d.COR_START] : block[d.COR_START] + q * (q - 1) // 2], q)
    A = sd[:, :, None] * L
    shares = layout.shares[block[d.SCRATCH] : block[d.SCRATCH] + J * q].reshape(J, q)
    units = layout.units[block[d.COLUMN] : block[d.COLUMN] + q]
    x = part[:, start : start + J * q].reshape(-1, J, q)
    w, z = np.empty_like(x), np.empty_like(x)
    for k in range(q):
        scale, c = A[:, k, k][:, None], shares[:, k] / SHARES
        powers = (units[k] / scale) ** (np.arange(SHARES + 1) / SHARES)
        r = powers[:, shares[:, k]] * x[..., k]
        m = np.einsum("sji,si->sj", z[..., :k], A[:, k, :k])
        z[..., k] = r - c / scale * m
        w[..., k] = (1.0 - c) * m + scale * r
    return _reflect(w)


def _reflect(w: FloatArray) -> FloatArray:
    """Apply the reflection of :func:`bayesglmm.kernel.effects.reflect` to (..., J, q), in place."""
    root = np.sqrt(w.shape[-2])
    c = (w[..., 0, :] - w.sum(axis=-2) / root) / (1.0 - 1.0 / root)
    w[..., 0, :] -= c
    w += (c / root)[..., None, :]
    return w
