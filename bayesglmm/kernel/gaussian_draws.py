"""Draws of what a Gaussian model integrated out, from its exact joint conditional distribution: the root first, then the tree."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel import gaussian_tree as t
from bayesglmm.kernel.codes import NONE
from bayesglmm.kernel.density import transform_scalars
from bayesglmm.kernel.gaussian import CROSSED, FRONTS, MATRICES, SIGMA, WIDEST, fill_matrices
from bayesglmm.kernel.gaussian_nodes import eliminate, inlined
from bayesglmm.kernel.gaussian_root import TO_WHITENED, change_basis, factorize_root, fill_root
from bayesglmm.types import FloatArray

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

SCRATCH = 2**20
"""Effects of at most this many numbers (or one draw) are drawn before they are copied to where they are kept."""


KINDS, ROOT, PRIOR = 2, 14, 16
"""Positions among the arrays of the density."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one covariance block's effects are among all, (J, width) of its factor from ``start``, columns ``first:first + q``."""

    start: int
    n_levels: int
    width: int
    first: int
    q: int


@inlined
def draw_root(F: Any, crossed: Any, A: Any, noise: Any, state: Any, base: int, effects: Any) -> None:
    """Fill ``state`` from ``base`` with [-1 | crossed effects | coefficients] given the factorized root; keep the crossed effects."""
    state[base] = -1.0
    for i in range(F.shape[0] - 1, 0, -1):
        value = F[0, i] + noise[i - 1]
        for c in range(i + 1, F.shape[0]):
            value -= F[i, c] * state[base + c]
        state[base + i] = value / F[i, i]
    for f in range(crossed.shape[0]):
        q, begin, n = crossed[f, t.CROSSED_WIDTH], crossed[f, t.CROSSED_FACTOR], crossed[f, t.CROSSED_LEVELS]
        start = base + 1 + crossed[f, t.CROSSED_START]
        for first in range(start, start + n * q, q):
            for i in range(q - 1, -1, -1):
                value = 0.0
                for k in range(i + 1):
                    value += A[begin + i * q + k] * state[first + k]
                state[first + i] = value
        if effects.shape[0] > 0:
            for i in range(n * q):
                effects[crossed[f, t.CROSSED_EFFECT] + i] = state[start + i]


@inlined
def draw_node(n: int, levels: Any, nodes: Any, up: Any, A: Any, work: Any, state: Any, effects: Any) -> None:
    """Turn one node's noise into effects given its ancestors and the root: z = U^-1 (noise - K rest), b = A z."""
    k, m, where, kept = nodes[n, t.LEVEL], nodes[n, t.REST], nodes[n, t.MAP], nodes[n, t.EFFECT]
    q, begin, above, here = levels[k, t.WIDTH], levels[k, t.FACTOR], levels[k + 1, t.STATE], levels[k, t.STATE]
    for i in range(q - 1, -1, -1):
        row, value = nodes[n, t.START] + i * (q + m), effects[kept + i]
        for c in range(m):
            value -= work[row + q + c] * state[above + up[where + c]]
        for j in range(i + 1, q):
            value -= work[row + j] * effects[kept + j]
        effects[kept + i] = value / work[row + i]
    for i in range(q - 1, -1, -1):
        value = 0.0
        for j in range(i + 1):
            value += A[begin + i * q + j] * effects[kept + j]
        effects[kept + i] = value
        if k > 0:
            state[here + i] = value
    if k > 0:
        for c in range(m):
            state[here + q + c] = state[above + up[where + c]]


@compiled
def draw_rows(
    flat: Any,
    noise: Any,
    thetas: Any,
    coefficients: Any,
    effects: Any,
    header: Any,
    constants: Any,
    kinds: Any,
    numbers: Any,
    prior_map: Any,
    blocks: Any,
    etas: Any,
    shift: Any,
    levels: Any,
    nodes: Any,
    crossed: Any,
    up: Any,
    gram: Any,
    cross: Any,
    root: Any,
    sampled: Any,
    prior: Any,
) -> None:
    """Fill scalars (m, s) and integrated coefficients less the fit's (m, c) for points (m, d); turn noise in effects (m, E) into effects.

    ``noise`` (m, root) is the root's. E = 0 leaves the tree out. The rest is that of :func:`bayesglmm.kernel.gaussian.log_density`.
    """
    size = root.shape[0]
    L, A = np.zeros((blocks.shape[0], header[WIDEST], header[WIDEST])), np.empty(header[MATRICES])
    work, front, unused, slope = np.empty(gram.shape[0]), np.empty(header[FRONTS]), np.empty(flat.shape[1]), np.empty(kinds.shape[0])
    base = levels[levels.shape[0] - 1, t.STATE]
    state = np.empty(base + size)
    for r in range(flat.shape[0]):
        theta, out = thetas[r], effects[r]
        transform_scalars(flat[r], unused, kinds, numbers, theta, slope)
        fill_matrices(flat[r], unused, blocks, etas, theta, L, A)
        sigma, delta = theta[header[SIGMA]] if header[SIGMA] != NONE else 1.0, theta[: shift.shape[0]] - shift
        scale = 1.0 / (sigma * sigma)
        for i in range(front.shape[0]):
            front[i] = 0.0
        eliminate(levels, nodes, up, gram, cross, delta, scale, A, front, work)
        F = front[header[FRONTS] - size * size :].reshape((size, size))
        fill_root(F, root, cross, sampled, delta, scale)
        change_basis(F, crossed, A, np.int64(TO_WHITENED))
        factorize_root(F, prior, header[CROSSED])
        draw_root(F, crossed, A, noise[r], state, base, out)
        for c in range(coefficients.shape[1]):
            coefficients[r, c] = state[base + 1 + header[CROSSED] + c]
        if out.shape[0] > 0:
            for n in range(nodes.shape[0] - 1, -1, -1):
                draw_node(n, levels, nodes, up, A, work, state, out)


def draw_chains(
    flat: FloatArray, seed: int, arrays: Sequence[Any], places: Sequence[Place], kept: Sequence[np.ndarray] | None
) -> tuple[FloatArray, FloatArray]:
    """Draw what was integrated out, every chain in a thread with random numbers of its own.

    Parameters
    ----------
    flat
        Shape (chain, draw, d).
    seed
        Of the random numbers; the draws do not depend on the number of threads.
    arrays
        Those of :func:`bayesglmm.kernel.gaussian.log_density`, in its order.
    places
        Where each block's effects are.
    kept
        Arrays (chain, draw, J, q) to fill with the effects, one per block; None leaves the effects out.

    Returns
    -------
    tuple of arrays
        Scalars (chain, draw, s) and integrated coefficients less the fit's (chain, draw, c).
    """
    chains, draws = flat.shape[:2]
    root = len(arrays[ROOT]) - 1
    thetas, coefficients = np.empty((chains, draws, len(arrays[KINDS]))), np.empty((chains, draws, len(arrays[PRIOR]) - 1))
    n_effects = 0 if kept is None else max((p.start + p.n_levels * p.width for p in places), default=0)
    chunk = max(1, min(draws, SCRATCH // max(1, n_effects)))

    def draw(chain: int, seeds: np.random.SeedSequence) -> None:
        generator, scratch = np.random.default_rng(seeds), np.empty((chunk, n_effects))
        for begin in range(0, draws, chunk):
            rows = slice(begin, min(begin + chunk, draws))
            out = scratch[: rows.stop - begin]
            noise = generator.standard_normal((len(out), root))
            generator.standard_normal(out=out)
            draw_rows(flat[chain, rows], noise, thetas[chain, rows], coefficients[chain, rows], out, *arrays)
            for place, block in zip(places, kept or (), strict=kept is not None):
                own = out[:, place.start : place.start + place.n_levels * place.width].reshape(len(out), place.n_levels, place.width)
                block[chain, rows] = own[..., place.first : place.first + place.q]

    with ThreadPoolExecutor(min(chains, os.cpu_count() or 1)) as threads:
        list(threads.map(draw, range(chains), np.random.SeedSequence(seed).spawn(chains)))
    return thetas, coefficients
