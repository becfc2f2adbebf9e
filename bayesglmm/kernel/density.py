"""The log density of every model and its gradient, as one compiled function over plain arrays.

Coordinates of the flat vector x: scalars (p coefficients of the internal columns, SDs block by block, auxiliary parameters), then the
correlations of each block, then its effects (offsets when non-centered). :mod:`bayesglmm.kernel.layout` makes the arrays.
"""

import math

import numba as nb
import numpy as np

from bayesglmm.kernel.effects import correlation_factor, correlation_gradient, effects_density, effects_from_offsets, offsets_density
from bayesglmm.kernel.priors import log_prior, transform
from bayesglmm.kernel.rows import row
from bayesglmm.types import FloatArray, IntArray

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

# columns of the integer table of scalars, of its numbers, and of the table of blocks
TRANSFORM, PRIOR = range(2)
LOWER, UPPER, SCALE, SHIFT, FIRST, SECOND, THIRD = range(7)
SD_START, WIDTH, LEVELS, COR_START, EFFECT_START, Z_START, CENTERED, EFFECT_OFFSET = range(8)
RESPONSE, TRIALS, WEIGHT, OFFSET, ERROR = range(5)
NONE = -1


@compiled
def scalars(x, grad, kinds, numbers, intercept, theta, slope, gtheta):
    """Fill parameters, their derivatives and prior gradients; return log prior with Jacobians.

    The prior of a scalar refers to ``SCALE * theta``; that of the intercept to ``theta + sum SHIFT * theta`` (column means).
    """
    total = 0.0
    n = kinds.shape[0]
    for s in range(n):
        theta[s], slope[s], log_jacobian, jacobian_slope = transform(kinds[s, TRANSFORM], x[s], numbers[s, LOWER], numbers[s, UPPER])
        total += log_jacobian
        grad[s] += jacobian_slope
    for s in range(n):
        value = numbers[s, SCALE] * theta[s]
        if s == intercept:
            for k in range(n):
                value += numbers[k, SHIFT] * theta[k]
        density, derivative = log_prior(kinds[s, PRIOR], value, numbers[s, FIRST], numbers[s, SECOND], numbers[s, THIRD])
        total += density
        gtheta[s] += derivative * numbers[s, SCALE]
        if s == intercept:
            for k in range(n):
                gtheta[k] += derivative * numbers[k, SHIFT]
    return total


@compiled
def likelihood(theta, p, sigma, codes, X, data, index, Z, blocks, b, gb, gtheta):
    """Return the log likelihood and the derivative in log sigma; accumulate gradients in the coefficients and effects."""
    total, g_sigma = 0.0, 0.0
    n_blocks = blocks.shape[0]
    for i in range(X.shape[0]):
        eta = data[i, OFFSET]
        for k in range(p):
            eta += X[i, k] * theta[k]
        for t in range(n_blocks):
            width, z = blocks[t, WIDTH], blocks[t, Z_START]
            at = blocks[t, EFFECT_OFFSET] + index[i, t] * width
            if z == NONE:
                eta += b[at]
            else:
                for k in range(width):
                    eta += Z[i, z + k] * b[at + k]
        spread = sigma if data[i, ERROR] == 0.0 else data[i, ERROR]
        value, slope, slope_sigma = row(codes[0], codes[1], data[i, RESPONSE], data[i, TRIALS], eta, spread)
        weight = data[i, WEIGHT]
        total += weight * value
        g_sigma += weight * slope_sigma
        g = weight * slope
        for k in range(p):
            gtheta[k] += g * X[i, k]
        for t in range(n_blocks):
            width, z = blocks[t, WIDTH], blocks[t, Z_START]
            at = blocks[t, EFFECT_OFFSET] + index[i, t] * width
            if z == NONE:
                gb[at] += g
            else:
                for k in range(width):
                    gb[at + k] += g * Z[i, z + k]
    return total, g_sigma


@compiled
def fill_factor(x, grad, block, eta, theta, L, A):
    """Fill L and A = diag(sd) L of one block; return the log density of its correlations."""
    q, total = block[WIDTH], 0.0
    L[:, :] = 0.0
    if block[COR_START] == NONE:
        for i in range(q):
            L[i, i] = 1.0
    else:
        at, m = block[COR_START], q * (q - 1) // 2
        total = correlation_factor(x[at : at + m], q, eta, L, grad[at : at + m])
    for i in range(q):
        for k in range(q):
            A[i, k] = theta[block[SD_START] + i] * L[i, k]
    return total


@compiled
def block_density(x, grad, block, gb, theta, gtheta, L, A):
    """Return the log density of one block's effects and pass all gradients on to effects, SDs and correlations."""
    q, J = block[WIDTH], block[LEVELS]
    start, offset = block[EFFECT_START], block[EFFECT_OFFSET]
    values, gradient = x[start : start + J * q].reshape((J, q)), grad[start : start + J * q].reshape((J, q))
    likelihood_gradient = gb[offset : offset + J * q].reshape((J, q))
    dA = np.zeros((q, q))
    if block[CENTERED] == 1:
        total = effects_density(values, A, likelihood_gradient, gradient, dA)
    else:
        total = offsets_density(values, A, likelihood_gradient, gradient, dA)
    dL = np.zeros((q, q))
    for i in range(q):
        for k in range(i + 1):
            gtheta[block[SD_START] + i] += dA[i, k] * L[i, k]
            dL[i, k] = dA[i, k] * theta[block[SD_START] + i]
    if block[COR_START] != NONE:
        at, m = block[COR_START], q * (q - 1) // 2
        correlation_gradient(x[at : at + m], q, L, dL, grad[at : at + m])
    return total


@compiled
def log_density(
    x: FloatArray,
    grad: FloatArray,
    header: IntArray,
    kinds: IntArray,
    numbers: FloatArray,
    blocks: IntArray,
    etas: FloatArray,
    X: FloatArray,
    data: FloatArray,
    index: IntArray,
    Z: FloatArray,
) -> float:
    """Return the log density at x, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (d,) point and gradient.
    header
        (5,): family code, link code, number of coefficients, position of the intercept or -1, position of sigma or -1.
    kinds, numbers
        (s, 2) and (s, 7): transform and prior of every scalar.
    blocks, etas
        (t, 8) and (t,): covariance blocks and their LKJ parameters.
    X
        (n, p) internal columns.
    data
        (n, 5): response, trials, weight, offset, known standard error (0: none).
    index
        (n, t) int32: level of each row in each block.
    Z
        (n, sum of q) effect columns; blocks of plain intercepts have none.
    """
    n_scalars, n_blocks = kinds.shape[0], blocks.shape[0]
    theta, slope, gtheta = np.empty(n_scalars), np.empty(n_scalars), np.zeros(n_scalars)
    grad[:] = 0.0
    total = scalars(x, grad, kinds, numbers, header[3], theta, slope, gtheta)
    widest, n_effects = 1, 0
    for t in range(n_blocks):
        widest = max(widest, blocks[t, WIDTH])
        n_effects += blocks[t, WIDTH] * blocks[t, LEVELS]
    L, A = np.empty((n_blocks, widest, widest)), np.empty((n_blocks, widest, widest))
    b, gb = np.empty(n_effects), np.zeros(n_effects)
    for t in range(n_blocks):
        block = blocks[t]
        q, J, start, offset = block[WIDTH], block[LEVELS], block[EFFECT_START], block[EFFECT_OFFSET]
        total += fill_factor(x, grad, block, etas[t], theta, L[t, :q, :q], A[t, :q, :q])
        if block[CENTERED] == 1:
            b[offset : offset + J * q] = x[start : start + J * q]
        else:
            effects_from_offsets(x[start : start + J * q].reshape((J, q)), A[t, :q, :q], b[offset : offset + J * q].reshape((J, q)))
    sigma = theta[header[4]] if header[4] != NONE else 1.0
    value, g_sigma = likelihood(theta, header[2], sigma, header[:2], X, data, index, Z, blocks, b, gb, gtheta)
    total += value
    if header[4] != NONE:
        gtheta[header[4]] += g_sigma / sigma
    for t in range(n_blocks):
        q = blocks[t, WIDTH]
        total += block_density(x, grad, blocks[t], gb, theta, gtheta, L[t, :q, :q], A[t, :q, :q])
    for s in range(n_scalars):
        grad[s] += gtheta[s] * slope[s]
    return total if math.isfinite(total) else -math.inf
