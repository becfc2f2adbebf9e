r"""Covariance blocks: correlation matrices from unconstrained numbers, effects from offsets, and all gradients.

A correlation matrix is :math:`R = L L'`, row i of L built from canonical partial correlations :math:`p_{im} = \tanh x_{im}`:
:math:`L_{im} = p_{im} \prod_{l<m} \sqrt{1 - p_{il}^2}`. Under LKJ(eta) these are independent with density proportional to
:math:`(1 - p^2)^{\eta - 1 + (q - 1 - m)/2}`, m = 1, ..., q - 1 (Lewandowski, Kurowicka & Joe 2009, *J. Multivariate Analysis* 100, 1989-2001).
"""

import math

import numba as nb
import numpy as np

from bayesglmm.types import FloatArray

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")


@compiled
def correlation_factor(x: FloatArray, q: int, eta: float, L: FloatArray, grad: FloatArray) -> float:
    """Fill L (q, q); return log LKJ(eta) with the Jacobian of tanh, up to a constant, and add its gradient to ``grad``.

    ``x`` holds the strictly lower triangle row by row.
    """
    total, at = 0.0, 0
    L[:, :] = 0.0
    L[0, 0] = 1.0
    for i in range(1, q):
        left = 1.0
        for m in range(i):
            p = math.tanh(x[at])
            power = eta + 0.5 * (q - 2 - m)
            log_rest = -2.0 * (abs(x[at]) + math.log1p(math.exp(-2.0 * abs(x[at]))) - math.log(2.0))
            total += power * log_rest
            grad[at] += -2.0 * power * p
            L[i, m] = p * left
            left *= math.exp(0.5 * log_rest)
            at += 1
        L[i, i] = left
    return total


@compiled
def correlation_gradient(x: FloatArray, q: int, L: FloatArray, dL: FloatArray, grad: FloatArray) -> None:
    """Add to ``grad`` the gradient in x of a function whose gradient in L is dL (lower triangle)."""
    at = 0
    for i in range(1, q):
        left = 1.0
        for m in range(i):
            p = math.tanh(x[at])
            rest = 1.0 - p * p
            tail = 0.0
            for k in range(m + 1, i + 1):
                tail += dL[i, k] * L[i, k]
            grad[at] += dL[i, m] * rest * left - p * tail
            left *= math.sqrt(rest)
            at += 1


@compiled
def effects_from_offsets(z: FloatArray, A: FloatArray, b: FloatArray) -> None:
    """Fill b (J, q) with z A', A lower triangular."""
    for j in range(z.shape[0]):
        for i in range(z.shape[1]):
            value = 0.0
            for k in range(i + 1):
                value += A[i, k] * z[j, k]
            b[j, i] = value


@compiled
def offsets_density(z: FloatArray, A: FloatArray, gb: FloatArray, gz: FloatArray, dA: FloatArray) -> float:
    """Return log N(z; 0, I); fill its gradient and that of the likelihood (gb in b) in z, and accumulate dA, the gradient in A."""
    total = 0.0
    q = z.shape[1]
    for j in range(z.shape[0]):
        for k in range(q):
            total -= 0.5 * z[j, k] * z[j, k]
            slope = -z[j, k]
            for i in range(k, q):
                slope += A[i, k] * gb[j, i]
                dA[i, k] += gb[j, i] * z[j, k]
            gz[j, k] += slope
    return total


@compiled
def effects_density(b: FloatArray, A: FloatArray, gb: FloatArray, gx: FloatArray, dA: FloatArray) -> float:
    """Return log N(b; 0, A A') up to a constant; fill its gradient and the likelihood's in b, and accumulate dA, the gradient in A."""
    J, q = b.shape
    total = 0.0
    w, s = np.empty(q), np.empty(q)
    for i in range(q):
        total -= J * math.log(A[i, i])
        dA[i, i] -= J / A[i, i]
    for j in range(J):
        for i in range(q):
            value = b[j, i]
            for k in range(i):
                value -= A[i, k] * w[k]
            w[i] = value / A[i, i]
            total -= 0.5 * w[i] * w[i]
        for i in range(q - 1, -1, -1):
            value = w[i]
            for k in range(i + 1, q):
                value -= A[k, i] * s[k]
            s[i] = value / A[i, i]
        for i in range(q):
            gx[j, i] += gb[j, i] - s[i]
            for k in range(i + 1):
                dA[i, k] += s[i] * w[k]
    return total
