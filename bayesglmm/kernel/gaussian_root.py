"""The dense root of a tree of Gaussian effects: crossed effects and integrated coefficients, [response | columns] first to last."""

import math
from typing import Any

import numpy as np

from bayesglmm.kernel import gaussian_tree as t
from bayesglmm.kernel.gaussian_nodes import compiled

TO_WHITENED, TO_RAW = range(2)


@compiled
def change_basis(F: Any, crossed: Any, A: Any, way: Any) -> None:
    """Replace F, symmetric and full, by T'F T, or on the way ``TO_RAW`` by T F T': T is the crossed factors' block-diagonal matrix."""
    for f in range(crossed.shape[0]):
        q, begin, start = crossed[f, t.CROSSED_WIDTH], crossed[f, t.CROSSED_FACTOR], 1 + crossed[f, t.CROSSED_START]
        down, along = (1, q) if way == TO_WHITENED else (q, 1)
        old = np.empty(q)
        for first in range(start, start + crossed[f, t.CROSSED_LEVELS] * q, q):
            for side in range(2):
                for c in range(F.shape[0]):
                    for k in range(q):
                        old[k] = F[first + k, c] if side == 0 else F[c, first + k]
                    for k in range(q):
                        value = 0.0
                        for m in range(q):
                            value += A[begin + k * down + m * along] * old[m]
                        if side == 0:
                            F[first + k, c] = value
                        else:
                            F[c, first + k] = value


@compiled
def fill_root(F: Any, root: Any, cross: Any, sampled: Any, delta: Any, scale: float) -> None:
    """Add the root's cross-products over sigma^2, the sampled coefficients off the response, to what the nodes left; make F full."""
    size, first = F.shape[0], cross.shape[0] - F.shape[0]
    for c in range(size):
        for e in range(c, size):
            F[c, e] += scale * root[c, e]
        for s in range(delta.shape[0]):
            F[0, c] -= (2.0 if c == 0 else 1.0) * scale * delta[s] * cross[first + c, s]
    for s in range(delta.shape[0]):
        for r in range(delta.shape[0]):
            F[0, 0] += scale * delta[s] * sampled[s, r] * delta[r]
    for c in range(size):
        for e in range(c):
            F[c, e] = F[e, c]


@compiled
def factorize_root(F: Any, prior: Any, n_crossed: int) -> float:
    """Add the priors and factorize in place: U in the upper triangle of rows and columns from 1, K in row 0, Q at (0, 0).

    Return half the log determinant.
    """
    size, half = F.shape[0], 0.0
    for c in range(prior.shape[0]):
        for e in range(prior.shape[0]):
            F[n_crossed + c if c > 0 else 0, n_crossed + e if e > 0 else 0] += prior[c, e]
    for i in range(1, size):
        pivot = math.sqrt(F[i, i] + (1.0 if i <= n_crossed else 0.0))
        half += math.log(pivot)
        F[i, i] = pivot
        for c in range(i + 1, size):
            F[i, c] /= pivot
        F[0, i] /= pivot
        F[0, 0] -= F[0, i] * F[0, i]
        for j in range(i + 1, size):
            factor = F[i, j]
            for c in range(j, size):
                F[j, c] -= factor * F[i, c]
            F[0, j] -= factor * F[0, i]
    return half


@compiled
def root_moments(F: Any) -> None:
    """Replace the factorized root by the second moments of [-1 | whitened columns]."""
    size = F.shape[0]
    for i in range(size - 1, 0, -1):
        inverse = 1.0 / F[i, i]
        F[i, i] = inverse
        for j in range(size - 1, i, -1):
            factor = F[i, j] * inverse
            F[i, j] = 0.0
            for c in range(j, size):
                F[i, c] -= factor * F[j, c]
    for i in range(1, size):
        value = 0.0
        for c in range(i, size):
            value += F[i, c] * F[0, c]
        F[0, i] = -value
    F[0, 0] = 1.0
    for i in range(1, size):
        F[i, 0] = F[0, i]
        for j in range(i, size):
            value = F[0, i] * F[0, j]
            for c in range(j, size):
                value += F[i, c] * F[j, c]
            F[i, j] = value
    for i in range(1, size):
        for j in range(i):
            F[i, j] = F[j, i]


@compiled
def expected_prior(E: Any, prior: Any, crossed: Any, n_crossed: int, moments: Any) -> float:
    """Add the crossed effects' second moments to their factors'; return the expected prior term of the integrated coefficients."""
    for f in range(crossed.shape[0]):
        q, begin, start = crossed[f, t.CROSSED_WIDTH], crossed[f, t.CROSSED_FACTOR], 1 + crossed[f, t.CROSSED_START]
        for first in range(start, start + crossed[f, t.CROSSED_LEVELS] * q, q):
            for i in range(q):
                for k in range(q):
                    moments[begin + i * q + k] += E[first + i, first + k]
    total = 0.0
    for c in range(prior.shape[0]):
        for e in range(prior.shape[0]):
            total += prior[c, e] * E[n_crossed + c if c > 0 else 0, n_crossed + e if e > 0 else 0]
    return total
