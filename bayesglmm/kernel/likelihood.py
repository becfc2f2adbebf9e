"""The log likelihood of all rows and its gradients, a stretch of rows at a time so that everything in between stays in the cache.

Rows are cells: equal rows counted once, with what their responses add up to (:mod:`bayesglmm.kernel.cells`). Columns are contiguous, and
levels unsigned, so that no index is tested for its sign.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.codes import (
    COEFFICIENTS,
    CONSTANT,
    FAMILY,
    GAUSSIAN,
    GAUSSIAN_LOG,
    LINK,
    NONE,
    POISSON,
    SCRATCH,
    SIGMA,
    SORTED,
    WIDTH,
    Z_START,
)
from bayesglmm.kernel.compiling import INNER, Decorator
from bayesglmm.kernel.effects import fill
from bayesglmm.kernel.elementary import fast_exp, fast_log
from bayesglmm.kernel.links import tails

compiled: Decorator = nb.njit(**INNER)
# sums may be taken in any order and products fused; infinities and NaN keep their meaning
summing: Decorator = nb.njit(**INNER, fastmath={"reassoc", "nsz", "contract"})

WITHIN, WEIGHT = range(2)
STRETCH = 1024
ETA_OVERFLOW = 700.0


@summing
def add_column(eta: Any, column: Any, factor: float) -> None:
    """Add a multiple of one column."""
    for i in range(eta.shape[0]):
        eta[i] += factor * column[i]


@summing
def dot(a: Any, b: Any) -> float:
    """Return the sum of products."""
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


@summing
def sum_of(a: Any) -> float:
    """Return the sum."""
    total = 0.0
    for i in range(a.shape[0]):
        total += a[i]
    return total


@compiled
def gather(eta: Any, level: Any, b: Any) -> None:
    """Add each row's effect."""
    for i in range(eta.shape[0]):
        eta[i] += b[level[i]]


@compiled
def gather_two(eta: Any, level: Any, b: Any, other_level: Any, other: Any) -> None:
    """Add each row's effects of two blocks."""
    for i in range(eta.shape[0]):
        eta[i] += b[level[i]] + other[other_level[i]]


@compiled
def gather_times(eta: Any, level: Any, b: Any, width: int, column: Any) -> None:
    """Add each row's effect times a column."""
    step = np.uint64(width)
    for i in range(eta.shape[0]):
        eta[i] += b[level[i] * step] * column[i]


@compiled
def scatter(g: Any, level: Any, gb: Any) -> None:
    """Add each row's slope to its effect's."""
    for i in range(g.shape[0]):
        gb[level[i]] += g[i]


@compiled
def scatter_runs(g: Any, level: Any, gb: Any) -> None:
    """Add each row's slope to its effect's where neighbours mostly share a level: a run is summed before it is stored."""
    i, n = 0, g.shape[0]
    while i < n:
        here, even, odd = level[i], 0.0, 0.0
        while i + 1 < n and level[i] == here and level[i + 1] == here:
            even += g[i]
            odd += g[i + 1]
            i += 2
        if i < n and level[i] == here:
            even += g[i]
            i += 1
        gb[here] += even + odd


@compiled
def scatter_times(g: Any, level: Any, gb: Any, width: int, column: Any) -> None:
    """Add each row's slope times a column to its effect's."""
    step = np.uint64(width)
    for i in range(g.shape[0]):
        gb[level[i] * step] += g[i] * column[i]


@compiled
def fill_predictor(eta: Any, begin: int, theta: Any, header: Any, X: Any, offset: Any, index: Any, Z: Any, blocks: Any, b: Any) -> None:
    """Fill the linear predictor of a stretch of rows."""
    end = begin + eta.shape[0]
    fill(eta, theta[header[CONSTANT]] if header[CONSTANT] != NONE else 0.0)
    if offset.shape[0] > 0:
        add_column(eta, offset[begin:end], 1.0)
    for k in range(header[COEFFICIENTS]):
        if k != header[CONSTANT]:
            add_column(eta, X[k, begin:end], theta[k])
    waiting = NONE
    for t in range(blocks.shape[0]):
        q, here = blocks[t, WIDTH], b[blocks[t, SCRATCH] :]
        if blocks[t, Z_START] == NONE and waiting == NONE:
            waiting = t
        elif blocks[t, Z_START] == NONE:
            gather_two(eta, index[t, begin:end], here, index[waiting, begin:end], b[blocks[waiting, SCRATCH] :])
            waiting = NONE
        else:
            for k in range(q):
                gather_times(eta, index[t, begin:end], here[k:], q, Z[blocks[t, Z_START] + k, begin:end])
    if waiting != NONE:
        gather(eta, index[waiting, begin:end], b[blocks[waiting, SCRATCH] :])


@compiled
def pass_slopes(g: Any, begin: int, gtheta: Any, header: Any, X: Any, index: Any, Z: Any, blocks: Any, gb: Any) -> None:
    """Add what a stretch of rows contributes to the gradients in coefficients and effects."""
    end = begin + g.shape[0]
    for k in range(header[COEFFICIENTS]):
        gtheta[k] += sum_of(g) if k == header[CONSTANT] else dot(X[k, begin:end], g)
    for t in range(blocks.shape[0]):
        q, here = blocks[t, WIDTH], gb[blocks[t, SCRATCH] :]
        if blocks[t, Z_START] == NONE and t == header[SORTED]:
            scatter_runs(g, index[t, begin:end], here)
        elif blocks[t, Z_START] == NONE:
            scatter(g, index[t, begin:end], here)
        else:
            for k in range(q):
                scatter_times(g, index[t, begin:end], here[k:], q, Z[blocks[t, Z_START] + k, begin:end])


@summing
def gaussian_rows(y: Any, size: Any, eta: Any, precision: float, g: Any) -> float:
    """Fill the slopes of normal rows; return the weighted sum of squares."""
    total = 0.0
    for i in range(y.shape[0]):
        r = y[i] - eta[i]
        g[i] = precision * size[i] * r
        total += size[i] * r * r
    return total


@compiled
def gaussian_log_rows(y: Any, size: Any, eta: Any, precision: float, g: Any) -> float:
    """Fill the slopes of normal rows with mean exp(eta); return the weighted sum of squares."""
    total = 0.0
    for i in range(y.shape[0]):
        mu = math.exp(min(eta[i], ETA_OVERFLOW))
        r = y[i] - mu
        g[i] = precision * size[i] * r * mu
        total += size[i] * r * r
    return total


@summing
def poisson_rows(y: Any, size: Any, eta: Any, g: Any) -> float:
    """Fill the slopes of Poisson rows; return their log likelihood up to a constant."""
    total = 0.0
    for i in range(y.shape[0]):
        mu = size[i] * fast_exp(eta[i])
        g[i] = y[i] - mu
        total += y[i] * eta[i] - mu
    return total


@summing
def logit_rows(y: Any, size: Any, eta: Any, g: Any) -> float:
    """Fill the slopes of binomial rows with logit link; return their log likelihood up to a constant."""
    total = 0.0
    for i in range(y.shape[0]):
        small = fast_exp(-abs(eta[i]))
        share = (1.0 if eta[i] > 0.0 else small) / (1.0 + small)
        g[i] = y[i] - size[i] * share
        total += y[i] * eta[i] - size[i] * (max(eta[i], 0.0) + fast_log(1.0 + small))
    return total


@compiled
def binomial_rows(link: int, y: Any, size: Any, eta: Any, g: Any) -> float:
    """Fill the slopes of binomial rows with any link; return their log likelihood up to a constant."""
    total = 0.0
    for i in range(y.shape[0]):
        log_value, log_rest, slope_value, slope_rest = tails(link, eta[i])
        failures = size[i] - y[i]
        g[i] = 0.0
        if y[i] > 0:
            total += y[i] * log_value
            g[i] += y[i] * slope_value
        if failures > 0:
            total += failures * log_rest
            g[i] += failures * slope_rest
    return total


@compiled
def rows_without_scale(family: int, link: int, y: Any, size: Any, eta: Any, g: Any) -> float:
    """Fill the slopes of rows of a family without a scale; return their log likelihood up to a constant."""
    if family == POISSON:
        return poisson_rows(y, size, eta, g)
    if link == 0:
        return logit_rows(y, size, eta, g)
    return binomial_rows(link, y, size, eta, g)


@compiled
def likelihood(
    theta: Any,
    header: Any,
    X: Any,
    response: Any,
    size: Any,
    offset: Any,
    totals: Any,
    index: Any,
    Z: Any,
    blocks: Any,
    b: Any,
    gb: Any,
    gtheta: Any,
) -> float:
    """Return the log likelihood and add its gradients in coefficients, effects and sigma."""
    n, family, total = response.shape[0], header[FAMILY], 0.0
    sigma = theta[header[SIGMA]] if header[SIGMA] != NONE else 1.0
    precision = 1.0 / (sigma * sigma)
    etas, slopes, ones = np.empty(STRETCH), np.empty(STRETCH), np.ones(STRETCH)
    for begin in range(0, n, STRETCH):
        end = min(begin + STRETCH, n)
        eta, g, y = etas[: end - begin], slopes[: end - begin], response[begin:end]
        sizes = size[begin:end] if size.shape[0] > 0 else ones[: end - begin]
        fill_predictor(eta, begin, theta, header, X, offset, index, Z, blocks, b)
        if family == GAUSSIAN:
            total += gaussian_rows(y, sizes, eta, precision, g)
        elif family == GAUSSIAN_LOG:
            total += gaussian_log_rows(y, sizes, eta, precision, g)
        else:
            total += rows_without_scale(family, header[LINK], y, sizes, eta, g)
        pass_slopes(g, begin, gtheta, header, X, index, Z, blocks, gb)
    if family not in (GAUSSIAN, GAUSSIAN_LOG):
        return total
    squares = total + totals[WITHIN]
    if header[SIGMA] == NONE:
        return -0.5 * squares
    gtheta[header[SIGMA]] += (squares * precision - totals[WEIGHT]) / sigma
    return -0.5 * squares * precision - totals[WEIGHT] * math.log(sigma)
