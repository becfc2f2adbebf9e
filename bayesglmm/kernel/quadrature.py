"""The density of coefficients, SDs and a correlation, one or two effects of one factor integrated out by the trapezoid rule.

The sum over groups of the errors that :mod:`bayesglmm.kernel.quadrature_bounds` and :mod:`bayesglmm.kernel.quadrature_group` bound is below
the tolerance that the limits hold; rounding comes on top. Where that would take more than ``MOST_WIDTH`` nodes along an axis (with few rows
per group: SDs of several hundreds with one effect, of some tens with two), the density is zero: link functions are flat there.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import COMPILED, Decorator, stay_apart
from bayesglmm.kernel.density import scalar_priors, transform_scalars
from bayesglmm.kernel.effects import correlation_factor, correlation_gradient
from bayesglmm.kernel.quadrature_bounds import RATE
from bayesglmm.kernel.quadrature_group import N_KEPT, N_PLACE, TOO_NARROW, integrate, place_nodes
from bayesglmm.kernel.quadrature_lines import N_LINE, N_NODE_ROWS
from bayesglmm.kernel.quadrature_mode import MOST_ETA
from bayesglmm.kernel.quadrature_shared import shared_groups
from bayesglmm.kernel.quadrature_table import BASE, FIRST, N_COLUMNS, OUT, OUT_FIRST, OUT_SECOND, PADDING, SECOND, SIZE, Y

folded = nb.njit(inline="always")
compiled: Decorator = nb.njit(**COMPILED)

KIND, CORRELATED, CONSTANT, SHARED = range(4)
"""Header: kind of response, whether the two effects have a correlation, whether each group's effect column is constant, whether all groups
share their nodes."""
LOG_TOLERANCE, RISE, LKJ = range(3)
"""Limits: log of the relative error along one axis, how far below the top nodes count, the correlation's parameter."""

WIDTH = 136
MOST_WIDTH = np.array([0, 1 << 15, 1 << 10])
"""Most nodes along an axis, by the number of effects."""


@compiled
def fill_factor(x: Any, grad: Any, header: Any, limits: Any, theta: Any, L: Any, A: Any) -> float:
    """Fill L and A = diag(sd) L; return the log density of the correlation and add its gradient."""
    stay_apart()
    q, s = L.shape[0], theta.shape[0]
    p, total = s - q, 0.0
    L[:, :] = 0.0
    for i in range(q):
        L[i, i] = 1.0
    if header[CORRELATED] == 1:
        total = correlation_factor(x[s:], q, limits[LKJ], L, grad[s:])
    for i in range(q):
        for k in range(q):
            A[i, k] = theta[p + i] * L[i, k]
    return total


@compiled
def fill_rows(X: Any, Z: Any, offset: Any, theta: Any, A: Any, rows: Any) -> None:
    """Fill rows (3, r): predictor without effects, and its change per unit of either standard normal effect."""
    stay_apart()
    p, q = X.shape[1], Z.shape[1]
    for r in range(X.shape[0]):
        eta = offset[r]
        for k in range(p):
            eta += X[r, k] * theta[k]
        rows[0, r] = eta
        rows[2, r] = 0.0
        for c in range(q):
            change = 0.0
            for a in range(c, q):
                change += Z[r, a] * A[a, c]
            rows[1 + c, r] = change


@compiled
def gather(header: Any, rows: Any, row_of: Any, y: Any, size: Any, begin: int, end: int, G: Any) -> Any:
    """Fill a group's table; return its length and a constant of its log likelihood.

    Counts of a group whose effect column is constant enter by their sum alone: all rates are multiples of one number.
    """
    stay_apart()
    n, constant = end - begin, 0.0
    if header[KIND] == RATE and header[CONSTANT] == 1:
        rates, counts = 0.0, 0.0
        for i in range(begin, end):
            eta = rows[0, row_of[i]]
            rates += size[i] * math.exp(min(eta, MOST_ETA))
            counts += y[i]
            constant += y[i] * eta
        r, n = row_of[begin], 1
        G[BASE, 0], G[FIRST, 0], G[SECOND, 0], G[Y, 0], G[SIZE, 0] = math.log(rates), rows[1, r], rows[2, r], counts, 1.0
        constant -= counts * G[BASE, 0]
    else:
        for i in range(n):
            r = row_of[begin + i]
            G[BASE, i], G[FIRST, i], G[SECOND, i], G[Y, i], G[SIZE, i] = rows[0, r], rows[1, r], rows[2, r], y[begin + i], size[begin + i]
    for i in range(n, n + PADDING):
        G[BASE, i], G[FIRST, i], G[SECOND, i], G[Y, i], G[SIZE, i] = 0.0, 0.0, 0.0, 0.0, 0.0
    return n, constant


@compiled
def scatter(header: Any, rows: Any, row_of: Any, y: Any, size: Any, begin: int, end: int, count: float, G: Any, sums: Any, by: Any) -> None:
    """Add ``count`` groups' expected slopes to the distinct rows: by (3, r), alone and times either effect."""
    stay_apart()
    scale = count / sums[0]
    mean, first, second = count, scale * sums[1], scale * sums[2]
    shared = header[KIND] == RATE and header[CONSTANT] == 1
    for i in range(begin, end):
        r, at, factor = row_of[i], i - begin, scale
        if shared:
            at, factor = 0, scale * size[i] * math.exp(min(rows[0, r], MOST_ETA) - G[BASE, 0])
        by[0, r] += y[i] * mean - factor * G[OUT, at]
        by[1, r] += y[i] * first - factor * G[OUT_FIRST, at]
        by[2, r] += y[i] * second - factor * G[OUT_SECOND, at]


@folded
def all_groups(header: Any, limits: Any, q: int, rows: Any, start: Any, row_of: Any, y: Any, size: Any, count: Any, by: Any) -> float:
    """Return the integrated log likelihood and add its slopes to ``by``; minus infinity where there is none."""
    longest, total, width = 1, 0.0, WIDTH
    for j in range(count.shape[0]):
        longest = max(longest, start[j + 1] - start[j])
    G, out, line, sums = np.zeros((N_COLUMNS, longest + PADDING)), np.zeros(6), np.zeros(N_LINE), np.zeros(3)
    place = np.zeros(N_PLACE + N_KEPT)
    nodes, P = np.empty((N_NODE_ROWS, width)), np.empty((longest, width))
    for j in range(count.shape[0]):
        n, constant = gather(header, rows, row_of, y, size, start[j], start[j + 1], G)
        place_nodes(header[KIND], q, G, n, limits, out, place)
        value, enough = 0.0, TOO_NARROW
        while enough == TOO_NARROW and math.isfinite(place[:N_PLACE].sum()) and width <= MOST_WIDTH[q]:
            if P.shape[0] < n or P.shape[1] < width:
                nodes, P = np.empty((N_NODE_ROWS, width)), np.empty((n, width))
            value, enough = integrate(header[KIND], q, G, n, limits, place, line, nodes, P, sums)
            if enough == TOO_NARROW:
                width *= 2
        if enough == TOO_NARROW or not math.isfinite(value):
            return -math.inf
        total += count[j] * (value + constant)
        scatter(header, rows, row_of, y, size, start[j], start[j + 1], count[j], G, sums, by)
    return total


@compiled
def pull_back(x: Any, grad: Any, header: Any, X: Any, Z: Any, theta: Any, L: Any, by: Any, gtheta: Any) -> None:
    """Add the gradients in coefficients and SDs to ``gtheta``, in the correlation to ``grad``."""
    stay_apart()
    q, s = L.shape[0], theta.shape[0]
    p = s - q
    dA, dL = np.zeros((q, q)), np.zeros((q, q))
    for r in range(X.shape[0]):
        for k in range(p):
            gtheta[k] += by[0, r] * X[r, k]
        for a in range(q):
            for c in range(a + 1):
                dA[a, c] += Z[r, a] * by[1 + c, r]
    for a in range(q):
        for c in range(a + 1):
            gtheta[p + a] += dA[a, c] * L[a, c]
            dL[a, c] = dA[a, c] * theta[p + a]
    if header[CORRELATED] == 1:
        correlation_gradient(x[s:], q, L, dL, grad[s:])


@folded
def log_density(
    x: Any,
    grad: Any,
    header: Any,
    limits: Any,
    kinds: Any,
    numbers: Any,
    prior_map: Any,
    X: Any,
    Z: Any,
    offset: Any,
    start: Any,
    row_of: Any,
    y: Any,
    size: Any,
    count: Any,
) -> float:
    """Return the log density of coefficients, SDs and correlation, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (d,) point and gradient.
    header, limits
        (4,) and (3,); see the names at the top.
    kinds, numbers, prior_map
        As for :func:`bayesglmm.kernel.density.log_density`.
    X, Z, offset
        (r, p) internal columns, (r, q) effect columns and (r,) offset of the distinct rows.
    start, row_of, y, size, count
        The patterns; see :class:`bayesglmm.kernel.patterns.Patterns`.
    """
    q = Z.shape[1]
    theta, slope, gtheta = np.empty(kinds.shape[0]), np.empty(kinds.shape[0]), np.zeros(kinds.shape[0])
    grad[:] = 0.0
    total = transform_scalars(x, grad, kinds, numbers, theta, slope)
    total += scalar_priors(kinds, numbers, prior_map, theta, gtheta)
    L, A = np.empty((q, q)), np.empty((q, q))
    total += fill_factor(x, grad, header, limits, theta, L, A)
    for s in range(kinds.shape[0]):
        if not math.isfinite(theta[s]):
            return -math.inf
    rows, by = np.empty((3, X.shape[0])), np.zeros((3, X.shape[0]))
    fill_rows(X, Z, offset, theta, A, rows)
    for r in range(rows.shape[1]):
        # beyond this a rate or a probability has no digits, and nodes have no place
        if not abs(rows[0, r]) <= MOST_ETA:
            return -math.inf
    found = math.nan
    if header[SHARED] == 1:
        found = shared_groups(header[KIND], limits, rows, start, row_of, y, size, count, by)
    if math.isnan(found):
        by[:, :] = 0.0
        found = all_groups(header, limits, q, rows, start, row_of, y, size, count, by)
    total += found
    if not math.isfinite(total):
        return -math.inf
    pull_back(x, grad, header, X, Z, theta, L, by, gtheta)
    for s in range(kinds.shape[0]):
        grad[s] += gtheta[s] * slope[s]
    return total
