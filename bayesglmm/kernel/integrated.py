r"""Random intercepts of one factor integrated out: the density of (beta, sd) alone, by the trapezoid rule with a stated error.

For group j, :math:`L_j = \int \prod_i p(y_i \mid m_i + \sigma e)\, \phi(e)\, de`. Off the real axis, at e + ia, the integrand is at
most :math:`e^{a^2/2} c(a)` times itself on the axis, so the rule with step h has a relative error of at most
:math:`2 e^{a^2/2} c(a) / (e^{2 \pi a / h} - 1)` for every a in the strip (Trefethen & Weideman 2014, *SIAM Review* 56, 385-458, theorem
5.1). Logit, N trials in the group: :math:`c(a) = \cos(a \sigma / 2)^{-N}`, because :math:`|1 + e^{x + iy}| \ge (1 + e^x) \cos(y / 2)`.
Poisson with total count Y: :math:`c(a) = \cos(a \sigma)^{-Y} e^{\delta L}`, :math:`\delta = -\log \cos(a \sigma) / \sigma`, by shifting e
by delta on (-L, L). The step is the widest that keeps the bound below a tolerance; the gradient is Fisher's identity on the same nodes.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.density import scalar_priors, transform_scalars
from bayesglmm.kernel.links import logit_tails

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

REACH = 9.0
"""Nodes lie in (-REACH, REACH); the normal has 2e-19 beyond."""
MOST_NODES = 4001
TRIES = 200
LOGIT, POISSON = range(2)
FINER = 2.0
ENVELOPE = 1.5


@compiled
def widest_step(kind: int, total: float, sd: float, log_tolerance: float) -> float:
    """Return the widest step whose relative error is below exp(log_tolerance) for a group of ``total`` trials or counts."""
    best = 2.0 * REACH / MOST_NODES
    limit = min((math.pi if kind == LOGIT else 0.5 * math.pi) / sd, 20.0)
    for k in range(1, TRIES):
        a = limit * k / TRIES
        if kind == LOGIT:
            growth = -total * math.log(math.cos(0.5 * a * sd))
        else:
            shrink = -math.log(math.cos(a * sd))
            growth = total * shrink + shrink / sd * REACH
        best = max(best, 2.0 * math.pi * a / (0.5 * a * a + growth + math.log(2.0) - log_tolerance))
    return best


@compiled
def make_nodes(step: float) -> Any:
    """Return equally spaced nodes on (-REACH, REACH) and the logarithms of their weights, step times the normal density."""
    half = np.int64(math.ceil(REACH / step))
    nodes = (np.arange(2 * half + 1) - half) * step
    return nodes, math.log(step) - 0.5 * nodes * nodes - 0.5 * math.log(2.0 * math.pi)


@compiled
def row_tables(kind: int, means: Any, sd: float, trials: Any, nodes: Any, table: Any) -> None:
    """Fill table (4, r, nodes): log p(y | eta) = y T0 + T1 and its slope in eta = y T2 + T3, at eta = mean + sd node."""
    for r in range(means.shape[0]):
        for k in range(nodes.shape[0]):
            eta = means[r] + sd * nodes[k]
            if kind == LOGIT:
                log_value, log_rest, slope_value, slope_rest = logit_tails(eta)
                table[0, r, k], table[1, r, k] = log_value - log_rest, trials[r] * log_rest
                table[2, r, k], table[3, r, k] = slope_value - slope_rest, trials[r] * slope_rest
            else:
                mu = math.exp(min(eta, 700.0))
                table[0, r, k], table[1, r, k], table[2, r, k], table[3, r, k] = eta, -mu, 1.0, -mu


@compiled
def pattern_weights(table: Any, weight: Any, row_of: Any, y: Any, begin: int, end: int, log_weights: Any, joint: Any) -> float:
    """Fill ``joint`` with the nodes' posterior probabilities for one pattern; return its log integrated likelihood."""
    joint[:] = log_weights
    for i in range(begin, end):
        r = row_of[i]
        w, wy = weight[r], weight[r] * y[i]
        for k in range(joint.shape[0]):
            joint[k] += wy * table[0, r, k] + w * table[1, r, k]
    top, mass = joint.max(), 0.0
    for k in range(joint.shape[0]):
        joint[k] = math.exp(joint[k] - top)
        mass += joint[k]
    for k in range(joint.shape[0]):
        joint[k] /= mass
    return top + math.log(mass)


@compiled
def log_density(
    x: Any,
    grad: Any,
    header: Any,
    limits: Any,
    kinds: Any,
    numbers: Any,
    prior_map: Any,
    X: Any,
    rows: Any,
    start: Any,
    row_of: Any,
    y: Any,
    count: Any,
) -> float:
    """Return the log density of coefficients and log SD, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (p + 1,) point and gradient.
    header
        (1,): kind of response.
    limits
        (2,): largest total of trials or counts in a group, and the log tolerance.
    kinds, numbers, prior_map
        As for :func:`bayesglmm.kernel.density.log_density`.
    X, rows
        (r, p) internal columns of the distinct rows, and (r, 3) their offset, trials and weight.
    start, row_of, y, count
        The patterns; see :class:`bayesglmm.kernel.patterns.Patterns`.
    """
    p, n_rows = X.shape[1], X.shape[0]
    theta, slope, gtheta = np.empty(p + 1), np.empty(p + 1), np.zeros(p + 1)
    grad[:] = 0.0
    total = transform_scalars(x, grad, kinds, numbers, theta, slope)
    total += scalar_priors(kinds, numbers, prior_map, theta, gtheta)
    sd = theta[p]
    if not (sd > 0.0 and math.isfinite(sd)):
        return -math.inf
    means = rows[:, 0].copy()
    for r in range(n_rows):
        for k in range(p):
            means[r] += X[r, k] * theta[k]
    nodes, log_weights = make_nodes(widest_step(header[0], limits[0], sd, limits[1]))
    table = np.empty((4, n_rows, nodes.shape[0]))
    row_tables(header[0], means, sd, rows[:, 1], nodes, table)
    joint, by_y, by_row = np.empty(nodes.shape[0]), np.zeros((n_rows, nodes.shape[0])), np.zeros((n_rows, nodes.shape[0]))
    for j in range(count.shape[0]):
        total += count[j] * pattern_weights(table, rows[:, 2], row_of, y, start[j], start[j + 1], log_weights, joint)
        for i in range(start[j], start[j + 1]):
            r = row_of[i]
            w, wy = count[j] * rows[r, 2], count[j] * rows[r, 2] * y[i]
            for k in range(nodes.shape[0]):
                by_y[r, k] += wy * joint[k]
                by_row[r, k] += w * joint[k]
    for r in range(n_rows):
        score = 0.0
        for k in range(nodes.shape[0]):
            here = by_y[r, k] * table[2, r, k] + by_row[r, k] * table[3, r, k]
            score += here
            gtheta[p] += here * nodes[k]
        for k in range(p):
            gtheta[k] += score * X[r, k]
    for s in range(p + 1):
        grad[s] += gtheta[s] * slope[s]
    return total


@compiled
def log_conditional(kind: int, e: float, sd: float, means: Any, rows: Any, row_of: Any, y: Any, begin: int, end: int) -> float:
    """Return log of phi(e) prod p(y | mean + sd e) for one pattern, without the normal's constant."""
    total = -0.5 * e * e
    for i in range(begin, end):
        r = row_of[i]
        eta = means[r] + sd * e
        if kind == LOGIT:
            log_value, log_rest, _, _ = logit_tails(eta)
            total += rows[r, 2] * (y[i] * log_value + (rows[r, 1] - y[i]) * log_rest)
        else:
            total += rows[r, 2] * (y[i] * eta - math.exp(min(eta, 700.0)))
    return total


@compiled
def draw_effects(
    theta: Any, header: Any, limits: Any, X: Any, rows: Any, start: Any, row_of: Any, y: Any, pattern_of: Any, seed: int, b: Any
) -> None:
    """Fill b (draws, J) with exact draws of the random intercepts given each draw of (coefficients, SD), by rejection.

    The proposal is linear between nodes ``FINER`` times closer than the rule's. The conditional density is log-concave and the rule's nodes
    resolve it, so it exceeds the proposal by less than ``ENVELOPE``: a normal density with nodes half an SD apart does by 1.03.
    """
    np.random.seed(seed)
    p, n_patterns, kind = X.shape[1], start.shape[0] - 1, header[0]
    for s in range(theta.shape[0]):
        sd = theta[s, p]
        means = rows[:, 0] + X @ np.ascontiguousarray(theta[s, :p])
        nodes, log_weights = make_nodes(widest_step(kind, limits[0], sd, limits[1]) / FINER)
        n = nodes.shape[0]
        table, density, cumulative = np.empty((4, X.shape[0], n)), np.empty((n_patterns, n)), np.zeros((n_patterns, n))
        row_tables(kind, means, sd, rows[:, 1], nodes, table)
        for j in range(n_patterns):
            pattern_weights(table, rows[:, 2], row_of, y, start[j], start[j + 1], log_weights, density[j])
            for k in range(1, n):
                cumulative[j, k] = cumulative[j, k - 1] + 0.5 * (density[j, k - 1] + density[j, k])
        for g in range(pattern_of.shape[0]):
            j = pattern_of[g]
            peak = density[j].argmax()
            log_peak = log_conditional(kind, nodes[peak], sd, means, rows, row_of, y, start[j], start[j + 1])
            while True:
                e, proposal = propose(cumulative[j], density[j], nodes)
                ratio = math.exp(log_conditional(kind, e, sd, means, rows, row_of, y, start[j], start[j + 1]) - log_peak) * density[j, peak]
                if np.random.random() * ENVELOPE * proposal <= ratio:
                    b[s, g] = sd * e
                    break


@compiled
def propose(cumulative: Any, density: Any, nodes: Any) -> Any:
    """Return a draw from the density that is linear between nodes, and that density there."""
    last = nodes.shape[0] - 1
    target = np.random.random() * cumulative[last]
    k = min(max(np.searchsorted(cumulative, target) - 1, 0), last - 1)
    rest, left, rise = target - cumulative[k], density[k], density[k + 1] - density[k]
    root = math.sqrt(max(left * left + 2.0 * rise * rest, 0.0))
    share = min(max(2.0 * rest / (left + root), 0.0), 1.0) if left + root > 0.0 else 0.0
    return nodes[k] + (nodes[1] - nodes[0]) * share, left + share * rise
