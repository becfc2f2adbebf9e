r"""Covariance blocks: correlation matrices from unconstrained numbers, effects from their coordinates, and all gradients.

A correlation matrix is :math:`R = L L'`, row i of L built from canonical partial correlations :math:`p_{im} = \tanh x_{im}`:
:math:`L_{im} = p_{im} \prod_{l<m} \sqrt{1 - p_{il}^2}`. Under LKJ(eta) these are independent, with density proportional to
:math:`(1 - p^2)^{\eta - 1 + (q - 1 - m)/2}` (Lewandowski, Kurowicka & Joe 2009, *Journal of Multivariate Analysis* 100, 1989-2001).

The J effects of a block are :math:`b = H w`, H the Householder reflection that takes the first axis to the direction in which all groups
move together. H is orthogonal, so the rows of w are independent N(0, D) as those of b are; the first row is :math:`\sqrt J` times the mean
of the effects, the one direction that fixed effects can undo.

A row of w has coordinates x between non-centered and centered, with a share c in [0, 1] for each effect (Papaspiliopoulos, Roberts & Skold
2007, *Statistical Science* 22, 59-73). With D = A A', A lower triangular, w = A z, s a constant and :math:`m_k = \sum_{l<k} A_{kl} z_l`:
:math:`w_k = (1 - c) m_k + A_{kk} (s / A_{kk})^c x_k`, so that :math:`z_k = (s / A_{kk})^c x_k - (c / A_{kk}) m_k`. At c = 0 x is z, at
c = 1 it is w / s.
"""

import math

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import INNER, Decorator
from bayesglmm.types import FloatArray, IntArray

compiled: Decorator = nb.njit(**INNER)

SHARES = 8
"""Shares of centering are whole multiples of 1 / SHARES, so that their powers come from a short table."""


@compiled
def correlation_factor(x: FloatArray, q: int, eta: float, L: FloatArray, grad: FloatArray) -> float:
    """Fill L (q, q); return log LKJ(eta) with the Jacobian of tanh, up to a constant, and add its gradient to ``grad``.

    ``x`` holds the strictly lower triangle row by row.
    """
    total, at = 0.0, 0
    L[0, 0] = 1.0
    for i in range(1, q):
        left = 1.0
        for m in range(i):
            L[m, i] = 0.0
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
def fill(values: FloatArray, value: float) -> None:
    """Set all numbers to one."""
    for i in range(values.shape[0]):
        values[i] = value


@compiled
def add(values: FloatArray, more: FloatArray) -> None:
    """Add number by number."""
    for i in range(values.shape[0]):
        values[i] += more[i]


@compiled
def reflect(w: FloatArray, q: int) -> None:
    """Apply H to the rows of w (J q,) in place, q numbers each; H is its own inverse and transpose. J is at least 2."""
    root = math.sqrt(w.shape[0] / q)
    for k in range(q):
        total = 0.0
        for at in range(k, w.shape[0], q):
            total += w[at]
        c = (w[k] - total / root) / (1.0 - 1.0 / root)
        w[k] -= c
        for at in range(k, w.shape[0], q):
            w[at] += c / root


@compiled
def fill_powers(A: FloatArray, units: FloatArray, powers: FloatArray) -> None:
    """Fill powers (q, SHARES + 1) with (s_k / A_kk)^c for every share c."""
    for k in range(A.shape[0]):
        ratio = math.log(units[k] / A[k, k])
        for m in range(SHARES + 1):
            powers[k, m] = math.exp(m * ratio / SHARES)


@compiled
def coordinates_to_effects(x: FloatArray, A: FloatArray, powers: FloatArray, shares: FloatArray, b: FloatArray) -> None:
    """Fill b (J q,) from the coordinates x (J q,), whose shares of centering are multiples of 1 / SHARES; then reflect."""
    q = A.shape[0]
    z = np.empty(q)
    for row in range(0, x.shape[0], q):
        for k in range(q):
            m, r = 0.0, powers[k, shares[row + k]]
            for i in range(k):
                m += A[k, i] * z[i]
            c = shares[row + k] / SHARES
            z[k] = r * x[row + k] - c / A[k, k] * m
            b[row + k] = (1.0 - c) * m + A[k, k] * r * x[row + k]
    reflect(b, q)


@compiled
def coordinate_density(
    x: FloatArray, A: FloatArray, powers: FloatArray, shares: FloatArray, gw: FloatArray, gx: FloatArray, dA: FloatArray
) -> float:
    """Return the log density of the coordinates x (J q,); add its gradient and the likelihood's to gx, and accumulate dA, that in A.

    ``gw`` (J q,) is the likelihood's gradient in w. A row's density is N(z; 0, I) times the product of
    (s / A_kk)^c, from the map of w to x.
    """
    q, total = A.shape[0], 0.0
    z, m, gz = np.empty(q), np.empty(q), np.empty(q)
    for row in range(0, x.shape[0], q):
        for k in range(q):
            m[k] = 0.0
            for i in range(k):
                m[k] += A[k, i] * z[i]
            z[k] = powers[k, shares[row + k]] * x[row + k] - shares[row + k] / SHARES / A[k, k] * m[k]
            total -= 0.5 * z[k] * z[k]
            gz[k] = -z[k]
        for k in range(q - 1, -1, -1):
            at, c, r = row + k, shares[row + k] / SHARES, powers[k, shares[row + k]]
            gx[at] += r * (gz[k] + A[k, k] * gw[at])
            gm = (1.0 - c) * gw[at] - c / A[k, k] * gz[k]
            dA[k, k] += (1.0 - c) * r * gw[at] * x[at] - c / A[k, k] * (1.0 + gz[k] * (r * x[at] - m[k] / A[k, k]))
            for i in range(k):
                dA[k, i] += gm * z[i]
                gz[i] += gm * A[k, i]
    for k in range(q):
        steps = 0
        for at in range(k, x.shape[0], q):
            steps += shares[at]
        total += steps * math.log(powers[k, SHARES]) / SHARES
    return total


@compiled
def less_mean(values: FloatArray, out: FloatArray) -> None:
    """Fill ``out`` with values less their mean."""
    mean = 0.0
    for j in range(values.shape[0]):
        mean += values[j]
    mean /= max(values.shape[0], 1)
    for j in range(values.shape[0]):
        out[j] = values[j] - mean


@compiled
def pull(b: FloatArray, deviation: FloatArray, begin: int, end: int, start: IntArray, source: IntArray, weight: FloatArray) -> None:
    """Let effects ``begin:end`` give way: subtract W times the others' deviations from their means, less its mean."""
    moved = np.empty(end - begin)
    for j in range(begin, end):
        moved[j - begin] = 0.0
        for e in range(start[j], start[j + 1]):
            moved[j - begin] += weight[e] * deviation[source[e]]
    less_mean(moved, moved)
    for j in range(begin, end):
        b[j] -= moved[j - begin]


@compiled
def push(gb: FloatArray, g_deviation: FloatArray, begin: int, end: int, start: IntArray, source: IntArray, weight: FloatArray) -> None:
    """Pass the gradients of effects ``begin:end`` on to the deviations they depend on (transpose of :func:`pull`)."""
    moved = np.empty(end - begin)
    less_mean(gb[begin:end], moved)
    for j in range(begin, end):
        for e in range(start[j], start[j + 1]):
            g_deviation[source[e]] -= weight[e] * moved[j - begin]


@compiled
def effect_density(b: FloatArray, sd: float, gb: FloatArray) -> float:
    """Return log N(b; 0, sd^2 I) of intercepts up to a constant, without its - J log sd; add its gradient in b to gb."""
    total = 0.0
    for j in range(b.shape[0]):
        total -= 0.5 * (b[j] / sd) ** 2
        gb[j] -= b[j] / sd / sd
    return total


@compiled
def intercept_density(
    x: FloatArray, sd: float, powers: FloatArray, shares: FloatArray, gw: FloatArray, gx: FloatArray, squares: float
) -> float:
    """Add the gradient in coordinates of intercepts that give way to gx (J,); return that in the SD.

    ``gw`` (J,) is the gradient of likelihood and prior in w, ``squares`` the sum of squares of b / sd. With w = sd (s / sd)^c x the log
    density has c log(s / sd) for each effect.
    """
    slope = squares / sd
    for j in range(x.shape[0]):
        c, r = shares[j] / SHARES, powers[shares[j]]
        gx[j] += sd * r * gw[j]
        slope += (1.0 - c) * r * gw[j] * x[j] - c / sd
    return slope
