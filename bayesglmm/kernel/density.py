"""The log density of every model and its gradient, as one compiled function over plain arrays.

Coordinates of the flat vector x: scalars (p coefficients, SDs block by block, auxiliary parameters), then the correlations of each
block, then its effects. The coefficients are those of a design in which the groups' effects have mean zero: what the groups share is taken
off them (``shear``), which leaves the likelihood unchanged and the posterior far better conditioned. :mod:`bayesglmm.kernel.layout` makes
the arrays.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.codes import (
    COEFFICIENTS,
    COLUMN,
    COR_START,
    EFFECT_START,
    FIRST,
    LEVELS,
    LOWER,
    NONE,
    ORDER,
    PRIOR,
    SCRATCH,
    SD_START,
    SECOND,
    THIRD,
    TRANSFORM,
    UPPER,
    WIDTH,
)
from bayesglmm.kernel.compiling import INNER, Decorator
from bayesglmm.kernel.effects import (
    SHARES,
    add,
    coordinate_density,
    coordinates_to_effects,
    correlation_factor,
    correlation_gradient,
    effect_density,
    fill,
    fill_powers,
    intercept_density,
    less_mean,
    pull,
    push,
    reflect,
)
from bayesglmm.kernel.likelihood import likelihood
from bayesglmm.kernel.priors import log_prior, transform

compiled: Decorator = nb.njit(**INNER)
folded: Decorator = nb.njit(inline="always")
"""For a function with one caller: it is compiled as a part of that."""


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
def fill_factor(x: Any, grad: Any, block: Any, eta: float, theta: Any, L: Any, A: Any) -> float:
    """Fill L and A = diag(sd) L of one block; return the log density of its correlations and add its gradient."""
    q, total = block[WIDTH], 0.0
    if block[COR_START] == NONE:
        for i in range(q):
            for k in range(q):
                L[i, k] = 1.0 if i == k else 0.0
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
def pulled_density(
    x: Any,
    grad: Any,
    block: Any,
    shares: Any,
    powers: Any,
    starts: Any,
    sources: Any,
    weights: Any,
    b: Any,
    gb: Any,
    g_deviation: Any,
    sd: float,
) -> tuple[float, float]:
    """Return the log density of intercepts that give way to others, and its slope in their SD; pass gradients on to coordinates."""
    J, start, scratch = block[LEVELS], block[EFFECT_START], block[SCRATCH]
    gw, share, steps = gb[scratch : scratch + J], shares[scratch : scratch + J], 0
    total = effect_density(b[scratch : scratch + J], sd, gw)
    squares = -2.0 * total
    push(gb, g_deviation, scratch, scratch + J, starts, sources, weights)
    reflect(gw, 1)
    slope = intercept_density(x[start : start + J], sd, powers, share, gw, grad[start : start + J], squares)
    for j in range(J):
        steps += share[j]
    return total + steps * math.log(powers[SHARES]) / SHARES, slope


@compiled
def block_density(x: Any, grad: Any, block: Any, shares: Any, powers: Any, gb: Any, theta: Any, gtheta: Any, L: Any, A: Any) -> float:
    """Return the log density of one block's coordinates and pass all gradients on to coordinates, SDs and correlations."""
    q, J = block[WIDTH], block[LEVELS]
    start, scratch = block[EFFECT_START], block[SCRATCH]
    gw, dA, dL = gb[scratch : scratch + J * q], np.zeros((q, q)), np.zeros((q, q))
    reflect(gw, q)
    total = coordinate_density(
        x[start : start + J * q],
        A,
        powers,
        shares[scratch : scratch + J * q],
        gw,
        grad[start : start + J * q],
        dA,
    )
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
def fill_effects(
    x: Any,
    grad: Any,
    theta: Any,
    blocks: Any,
    etas: Any,
    shares: Any,
    units: Any,
    starts: Any,
    sources: Any,
    weights: Any,
    L: Any,
    A: Any,
    powers: Any,
    b: Any,
) -> float:
    """Fill factors, powers and effects of all blocks; return the log density of the correlations and add its gradient."""
    total, deviation = 0.0, np.empty(b.shape[0])
    for k in range(blocks.shape[0]):
        t = blocks[k, ORDER]
        q, J, start, scratch = blocks[t, WIDTH], blocks[t, LEVELS], blocks[t, EFFECT_START], blocks[t, SCRATCH]
        total += fill_factor(x, grad, blocks[t], etas[t], theta, L[t, :q, :q], A[t, :q, :q])
        fill_powers(A[t, :q, :q], units[blocks[t, COLUMN] :], powers[t, :q])
        coordinates_to_effects(
            x[start : start + J * q],
            A[t, :q, :q],
            powers[t, :q],
            shares[scratch : scratch + J * q],
            b[scratch : scratch + J * q],
        )
        if starts[scratch + J * q] > starts[scratch]:
            pull(b, deviation, scratch, scratch + J * q, starts, sources, weights)
        less_mean(b[scratch : scratch + J * q], deviation[scratch : scratch + J * q])
    return total


@compiled
def sizes_of(blocks: Any) -> tuple[int, int]:
    """Return the widest block and the number of effects."""
    widest, n_effects = 1, 0
    for t in range(blocks.shape[0]):
        widest = max(widest, blocks[t, WIDTH])
        n_effects += blocks[t, WIDTH] * blocks[t, LEVELS]
    return widest, n_effects


@folded
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
    shares: Any,
    units: Any,
    starts: Any,
    sources: Any,
    weights: Any,
    X: Any,
    response: Any,
    size: Any,
    offset: Any,
    totals: Any,
    index: Any,
    Z: Any,
) -> float:
    """Return the log density at x, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (d,) point and gradient.
    header
        (6,): family code, link code, number of coefficients, positions of sigma, the constant column and the block that rows are sorted by,
        -1 for none.
    kinds, numbers
        (s, 2) and (s, 5): transform and prior of every scalar.
    prior_map
        (p, p): the priors of the coefficients refer to ``prior_map theta``.
    blocks, etas
        (t, 9) and (t,): covariance blocks and their LKJ parameters.
    shear
        (sum of q, p): each effect column as a combination of the columns of X, zero where it is none.
    shares, units
        (sum of J q,) int32 and (sum of q,): shares of centering in steps, and the constants s; see :mod:`bayesglmm.kernel.effects`.
    starts, sources, weights
        Effects that give way to others, as :class:`bayesglmm.kernel.pulls.Pulls` holds them.
    X
        (p, n) internal columns.
    response, size, offset
        (n,) each, of every cell; ``size`` is empty where all are one, ``offset`` where all are zero.
    totals
        (2,): sum of squares within cells, and sum of weights.
    index
        (t, n) uint32: level of each row in each block.
    Z
        (sum of q, n): effect columns of the blocks that are not plain intercepts.
    """
    n_blocks, (widest, n_effects) = blocks.shape[0], sizes_of(blocks)
    theta, slope, gtheta = np.empty(kinds.shape[0]), np.empty(kinds.shape[0]), np.zeros(kinds.shape[0])
    L, A, powers = (
        np.empty((n_blocks, widest, widest)),
        np.empty((n_blocks, widest, widest)),
        np.empty((n_blocks, widest, SHARES + 1)),
    )
    b, gb, g_deviation = np.empty(n_effects), np.zeros(n_effects), np.zeros(n_effects)
    fill(grad, 0.0)
    total = transform_scalars(x, grad, kinds, numbers, theta, slope)
    total += fill_effects(x, grad, theta, blocks, etas, shares, units, starts, sources, weights, L, A, powers, b)
    take_off_means(theta, header, blocks, shear, b)
    total += scalar_priors(kinds, numbers, prior_map, theta, gtheta)
    total += likelihood(theta, header, X, response, size, offset, totals, index, Z, blocks, b, gb, gtheta)
    mean_gradients(header, blocks, shear, gtheta, gb)
    for k in range(n_blocks - 1, -1, -1):
        t = blocks[k, ORDER]
        q, first, last = blocks[t, WIDTH], blocks[t, SCRATCH], blocks[t, SCRATCH] + blocks[t, LEVELS] * blocks[t, WIDTH]
        less_mean(g_deviation[first:last], g_deviation[first:last])
        add(gb[first:last], g_deviation[first:last])
        if starts[last] > starts[first]:
            sd = theta[blocks[t, SD_START]]
            value, g = pulled_density(x, grad, blocks[t], shares, powers[t, 0], starts, sources, weights, b, gb, g_deviation, sd)
            total, gtheta[blocks[t, SD_START]] = total + value, gtheta[blocks[t, SD_START]] + g
        else:
            total += block_density(x, grad, blocks[t], shares, powers[t, :q], gb, theta, gtheta, L[t, :q, :q], A[t, :q, :q])
    for s in range(kinds.shape[0]):
        grad[s] += gtheta[s] * slope[s]
    return total
