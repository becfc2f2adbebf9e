r"""Covariance blocks: correlation matrices from unconstrained numbers, effects from their coordinates, and all gradients.

A correlation matrix is :math:`R = L L'`, row i of L built from canonical partial correlations :math:`p_{im} = \tanh x_{im}`:
:math:`L_{im} = p_{im} \prod_{l<m} \sqrt{1 - p_{il}^2}`. Under LKJ(eta) these are independent, with density proportional to
:math:`(1 - p^2)^{\eta - 1 + (q - 1 - m)/2}` (Lewandowski, Kurowicka & Joe 2009, *Journal of Multivariate Analysis* 100, 1989-2001).

The J effects of a block are :math:`b = H w`, H the Householder reflection that takes the first axis to the direction in which all groups
move together. H is orthogonal, so the rows of w are independent N(0, D) as those of b are; the first row is :math:`\sqrt J` times the mean
of the effects, the one direction that fixed effects can undo.
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
def reflect(w: FloatArray) -> None:
    """Apply H to the rows of w (J, q) in place; H is its own inverse and transpose. J is at least 2."""
    J = w.shape[0]
    root = math.sqrt(float(J))
    for k in range(w.shape[1]):
        total = 0.0
        for j in range(J):
            total += w[j, k]
        c = (w[0, k] - total / root) / (1.0 - 1.0 / root)
        w[0, k] -= c
        for j in range(J):
            w[j, k] += c / root


@compiled
def coordinates_to_effects(x: FloatArray, A: FloatArray, centered: bool, b: FloatArray) -> None:
    """Fill b (J, q) from the coordinates x (J, q): offsets times A' in the first row, and in the others unless centered; then reflect."""
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            if centered and j > 0:
                b[j, i] = x[j, i]
            else:
                value = 0.0
                for k in range(i + 1):
                    value += A[i, k] * x[j, k]
                b[j, i] = value
    reflect(b)


@compiled
def offset_density(z: FloatArray, A: FloatArray, gw: FloatArray, gz: FloatArray, dA: FloatArray) -> float:
    """Return log N(z; 0, I) of one row; add its gradient and the likelihood's (gw, in w = A z) to gz, and accumulate dA, that in A."""
    total = 0.0
    q = z.shape[0]
    for k in range(q):
        total -= 0.5 * z[k] * z[k]
        slope = -z[k]
        for i in range(k, q):
            slope += A[i, k] * gw[i]
            dA[i, k] += gw[i] * z[k]
        gz[k] += slope
    return total


@compiled
def effect_density(w: FloatArray, A: FloatArray, gw: FloatArray, gx: FloatArray, dA: FloatArray) -> float:
    """Return log N(w; 0, A A') of one row up to a constant; add its gradient and the likelihood's to gx, and accumulate dA."""
    q = w.shape[0]
    total = 0.0
    half, full = np.empty(q), np.empty(q)
    for i in range(q):
        value = w[i]
        for k in range(i):
            value -= A[i, k] * half[k]
        half[i] = value / A[i, i]
        total -= 0.5 * half[i] * half[i] + math.log(A[i, i])
        dA[i, i] -= 1.0 / A[i, i]
    for i in range(q - 1, -1, -1):
        value = half[i]
        for k in range(i + 1, q):
            value -= A[k, i] * full[k]
        full[i] = value / A[i, i]
    for i in range(q):
        gx[i] += gw[i] - full[i]
        for k in range(i + 1):
            dA[i, k] += full[i] * half[k]
    return total
