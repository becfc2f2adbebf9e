"""The log density of every model and its gradient, as one compiled function over plain arrays.

Coordinates of the flat vector x: scalars (p coefficients, SDs block by block, auxiliary parameters), then the correlations of each
block, then its effects. The coefficients are those of a design in which the groups' effects have mean zero: what the groups share is taken
off them (``shear``), which leaves the likelihood unchanged and the posterior far better conditioned. :mod:`bayesglmm.kernel.layout` makes
the arrays.
"""

from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.effects import (
    coordinates_to_effects,
    correlation_factor,
    correlation_gradient,
    effect_density,
    offset_density,
    reflect,
)
from bayesglmm.kernel.priors import log_prior, transform
from bayesglmm.kernel.rows import row

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

# columns of the integer table of scalars, of its numbers, and of the table of blocks; positions in the header; columns of the rows
TRANSFORM, PRIOR = range(2)
LOWER, UPPER, FIRST, SECOND, THIRD = range(5)
SD_START, WIDTH, LEVELS, COR_START, EFFECT_START, Z_START, CENTERED, SCRATCH, COLUMN = range(9)
FAMILY, LINK, COEFFICIENTS, SIGMA = range(4)
RESPONSE, TRIALS, WEIGHT, OFFSET, ERROR = range(5)
NONE = -1


@compiled
def transform_scalars(x: Any, grad: Any, kinds: Any, numbers: Any, theta: Any, slope: Any) -> float:
    """Fill parameters and their derivatives in x; return the log Jacobian and add its gradient."""
    total = 0.0
    for s in range(kinds.shape[0]):
        theta[s], slope[s], log_jacobian, jacobian_slope = transform(kinds[s, TRANSFORM], x[s], numbers[s, LOWER], numbers[s, UPPER])
        total += log_jacobian
        grad[s] += jacobian_slope
    return total


@compiled
def scalar_priors(kinds: Any, numbers: Any, prior_map: Any, theta: Any, gtheta: Any) -> float:
    """Return the log prior of all scalars and add its gradient in theta; coefficient s has its prior on ``(prior_map theta)_s``."""
    total, p = 0.0, prior_map.shape[0]
    for s in range(kinds.shape[0]):
        value = theta[s]
        if s < p:
            value = 0.0
            for k in range(p):
                value += prior_map[s, k] * theta[k]
        density, derivative = log_prior(kinds[s, PRIOR], value, numbers[s, FIRST], numbers[s, SECOND], numbers[s, THIRD])
        total += density
        if s < p:
            for k in range(p):
                gtheta[k] += derivative * prior_map[s, k]
        else:
            gtheta[s] += derivative
    return total


@compiled
def likelihood(theta: Any, header: Any, X: Any, data: Any, index: Any, Z: Any, blocks: Any, b: Any, gb: Any, gtheta: Any) -> float:
    """Return the log likelihood and add its gradients in coefficients, effects and sigma."""
    total, g_sigma = 0.0, 0.0
    p, n_blocks = header[COEFFICIENTS], blocks.shape[0]
    sigma = theta[header[SIGMA]] if header[SIGMA] != NONE else 1.0
    for i in range(X.shape[0]):
        eta = data[i, OFFSET]
        for k in range(p):
            eta += X[i, k] * theta[k]
        for t in range(n_blocks):
            at = blocks[t, SCRATCH] + index[i, t] * blocks[t, WIDTH]
            if blocks[t, Z_START] == NONE:
                eta += b[at]
            else:
                for k in range(blocks[t, WIDTH]):
                    eta += Z[i, blocks[t, Z_START] + k] * b[at + k]
        spread = sigma if data[i, ERROR] == 0.0 else data[i, ERROR]
        value, slope, slope_sigma = row(header[FAMILY], header[LINK], data[i, RESPONSE], data[i, TRIALS], eta, spread)
        total += data[i, WEIGHT] * value
        g_sigma += data[i, WEIGHT] * slope_sigma
        g = data[i, WEIGHT] * slope
        for k in range(p):
            gtheta[k] += g * X[i, k]
        for t in range(n_blocks):
            at = blocks[t, SCRATCH] + index[i, t] * blocks[t, WIDTH]
            if blocks[t, Z_START] == NONE:
                gb[at] += g
            else:
                for k in range(blocks[t, WIDTH]):
                    gb[at + k] += g * Z[i, blocks[t, Z_START] + k]
    if header[SIGMA] != NONE:
        gtheta[header[SIGMA]] += g_sigma / sigma
    return total


@compiled
def fill_factor(x: Any, grad: Any, block: Any, eta: float, theta: Any, L: Any, A: Any) -> float:
    """Fill L and A = diag(sd) L of one block; return the log density of its correlations and add its gradient."""
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
def take_off_means(theta: Any, header: Any, blocks: Any, shear: Any, b: Any) -> None:
    """Subtract from the coefficients what the mean effect of every block adds to the linear predictor."""
    for t in range(blocks.shape[0]):
        q, J = blocks[t, WIDTH], blocks[t, LEVELS]
        for k in range(q):
            mean = 0.0
            for j in range(J):
                mean += b[blocks[t, SCRATCH] + j * q + k]
            mean /= J
            for m in range(header[COEFFICIENTS]):
                theta[m] -= mean * shear[blocks[t, COLUMN] + k, m]


@compiled
def block_density(x: Any, grad: Any, block: Any, gb: Any, theta: Any, gtheta: Any, L: Any, A: Any) -> float:
    """Return the log density of one block's effects and pass all gradients on to coordinates, SDs and correlations."""
    q, J = block[WIDTH], block[LEVELS]
    start, scratch, total = block[EFFECT_START], block[SCRATCH], 0.0
    values, gradient = x[start : start + J * q].reshape((J, q)), grad[start : start + J * q].reshape((J, q))
    gw = gb[scratch : scratch + J * q].reshape((J, q))
    reflect(gw)
    dA = np.zeros((q, q))
    for j in range(J):
        if block[CENTERED] == 1 and j > 0:
            total += effect_density(values[j], A, gw[j], gradient[j], dA)
        else:
            total += offset_density(values[j], A, gw[j], gradient[j], dA)
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
def mean_gradients(header: Any, blocks: Any, shear: Any, gtheta: Any, gb: Any) -> None:
    """Add to the effects' gradients what reaches them through the coefficients (transpose of :func:`take_off_means`)."""
    for t in range(blocks.shape[0]):
        q, J = blocks[t, WIDTH], blocks[t, LEVELS]
        for k in range(q):
            total = 0.0
            for m in range(header[COEFFICIENTS]):
                total += shear[blocks[t, COLUMN] + k, m] * gtheta[m]
            for j in range(J):
                gb[blocks[t, SCRATCH] + j * q + k] -= total / J


@compiled
def log_density(
    x: Any,
    grad: Any,
    header: Any,
    kinds: Any,
    numbers: Any,
    prior_map: Any,
    blocks: Any,
    etas: Any,
    shear: Any,
    X: Any,
    data: Any,
    index: Any,
    Z: Any,
) -> float:
    """Return the log density at x, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (d,) point and gradient.
    header
        (4,): family code, link code, number of coefficients, position of sigma or -1.
    kinds, numbers
        (s, 2) and (s, 5): transform and prior of every scalar.
    prior_map
        (p, p): the priors of the coefficients refer to ``prior_map theta``.
    blocks, etas
        (t, 9) and (t,): covariance blocks and their LKJ parameters.
    shear
        (sum of q, p): each effect column as a combination of the columns of X, zero where it is none.
    X
        (n, p) internal columns.
    data
        (n, 5): response, trials, weight, offset, known standard error (0: none).
    index
        (n, t) int32: level of each row in each block.
    Z
        (n, sum of q) effect columns of the blocks that are not plain intercepts.
    """
    n_blocks = blocks.shape[0]
    theta, slope, gtheta = np.empty(kinds.shape[0]), np.empty(kinds.shape[0]), np.zeros(kinds.shape[0])
    grad[:] = 0.0
    total = transform_scalars(x, grad, kinds, numbers, theta, slope)
    widest, n_effects = 1, 0
    for t in range(n_blocks):
        widest = max(widest, blocks[t, WIDTH])
        n_effects += blocks[t, WIDTH] * blocks[t, LEVELS]
    L, A = np.empty((n_blocks, widest, widest)), np.empty((n_blocks, widest, widest))
    b, gb = np.empty(n_effects), np.zeros(n_effects)
    for t in range(n_blocks):
        q, J, start, scratch = blocks[t, WIDTH], blocks[t, LEVELS], blocks[t, EFFECT_START], blocks[t, SCRATCH]
        total += fill_factor(x, grad, blocks[t], etas[t], theta, L[t, :q, :q], A[t, :q, :q])
        here = b[scratch : scratch + J * q].reshape((J, q))
        coordinates_to_effects(x[start : start + J * q].reshape((J, q)), A[t, :q, :q], blocks[t, CENTERED] == 1, here)
    take_off_means(theta, header, blocks, shear, b)
    total += scalar_priors(kinds, numbers, prior_map, theta, gtheta)
    total += likelihood(theta, header, X, data, index, Z, blocks, b, gb, gtheta)
    mean_gradients(header, blocks, shear, gtheta, gb)
    for t in range(n_blocks):
        q = blocks[t, WIDTH]
        total += block_density(x, grad, blocks[t], gb, theta, gtheta, L[t, :q, :q], A[t, :q, :q])
    for s in range(kinds.shape[0]):
        grad[s] += gtheta[s] * slope[s]
    return total
