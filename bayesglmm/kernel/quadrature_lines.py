"""A group's integrand at equally spaced nodes on a line, and the sums over them.

Each observation is one pass over contiguous nodes, in vector instructions: with the logit link it costs one exponential and one division
per node, and the logarithm is taken of a product over observations.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import INNER, Decorator, stay_apart
from bayesglmm.kernel.elementary import fast_exp, fast_log
from bayesglmm.kernel.links import tails
from bayesglmm.kernel.quadrature_bounds import CAUCHIT, LOGIT, RATE
from bayesglmm.kernel.quadrature_mode import MOST_ETA
from bayesglmm.kernel.quadrature_table import LINE, OUT, OUT_FIRST, OUT_SECOND, SIZE, STEP, Y

compiled: Decorator = nb.njit(**INNER)
fused: Decorator = nb.njit(**INNER, fastmath={"contract"})
summing: Decorator = nb.njit(**INNER, fastmath={"reassoc", "contract"})
ordering: Decorator = nb.njit(**INNER, fastmath={"nnan", "nsz"})

VALUE, PRODUCT, WEIGHT, WEIGHT_TIMES = range(4)
"""Rows of the table of nodes: log integrand, product that is still to be divided by, weight, weight times the node's number."""
N_NODE_ROWS = 4

E0, E1, D0, D1, WIDTH, RISE = range(6)
"""A line: its node zero and its step in the standard normal effects, nodes to start with, and how far below the top nodes count."""
N_LINE = 6

FOLD = 500
"""A product of this many numbers between 1 and 2 does not overflow."""
CHUNK = 8
"""Nodes come in multiples of this, a whole number of vector registers."""


@fused
def logit_nodes(G: Any, n: int, shift: int, a: Any, b: Any, nodes: Any, P: Any) -> None:
    """Add observations at columns a to b (unsigned, so that no index is tested for its sign), column k being node k + shift."""
    stay_apart()
    waiting = 0
    for i in range(n):
        base, step, y, size = G[LINE, i] + G[STEP, i] * shift, G[STEP, i], G[Y, i], G[SIZE, i]
        if size == 1.0:
            for k in range(a, b):
                eta = base + step * k
                small = fast_exp(-abs(eta))
                share = 1.0 / (1.0 + small)
                P[i, k] = share if eta > 0.0 else small * share
                nodes[VALUE, k] += y * eta - max(eta, 0.0)
                nodes[PRODUCT, k] *= 1.0 + small
            waiting += 1
        else:
            for k in range(a, b):
                eta = base + step * k
                small = fast_exp(-abs(eta))
                share = 1.0 / (1.0 + small)
                P[i, k] = size * (share if eta > 0.0 else small * share)
                nodes[VALUE, k] += y * eta - size * (max(eta, 0.0) + fast_log(1.0 + small))
        if waiting == FOLD or (i == n - 1 and waiting > 0):
            for k in range(a, b):
                nodes[VALUE, k] -= fast_log(nodes[PRODUCT, k])
                nodes[PRODUCT, k] = 1.0
            waiting = 0


@fused
def rate_nodes(G: Any, n: int, shift: int, a: Any, b: Any, nodes: Any, P: Any) -> None:
    """Add counts at columns a to b."""
    stay_apart()
    for i in range(n):
        base, step, y, size = G[LINE, i] + G[STEP, i] * shift, G[STEP, i], G[Y, i], G[SIZE, i]
        for k in range(a, b):
            eta = base + step * k
            mu = size * fast_exp(min(eta, MOST_ETA))
            P[i, k] = mu
            nodes[VALUE, k] += y * eta - mu


@compiled
def other_nodes(kind: int, G: Any, n: int, shift: int, a: Any, b: Any, nodes: Any, P: Any) -> None:
    """Add observations of a link without a faster form; P is successes less the slope, so that slopes add up alike."""
    stay_apart()
    for i in range(n):
        y, rest = G[Y, i], G[SIZE, i] - G[Y, i]
        base, step = G[LINE, i] + G[STEP, i] * shift, G[STEP, i]
        for k in range(a, b):
            log_value, log_rest, slope_value, slope_rest = tails(kind, base + step * k)
            slope = 0.0
            if y > 0.0:
                nodes[VALUE, k] += y * log_value
                slope += y * slope_value
            if rest > 0.0:
                nodes[VALUE, k] += rest * log_rest
                slope += rest * slope_rest
            P[i, k] = y - slope


@fused
def start_nodes(line: Any, shift: int, a: Any, b: Any, nodes: Any) -> None:
    """Fill the normal density's logarithm at columns a to b."""
    c0 = -0.5 * (line[E0] * line[E0] + line[E1] * line[E1])
    c1 = line[E0] * line[D0] + line[E1] * line[D1]
    c2 = 0.5 * (line[D0] * line[D0] + line[D1] * line[D1])
    from_zero = 1.0 * shift
    for k in range(a, b):
        at = from_zero + k
        nodes[VALUE, k] = c0 - at * (c1 + at * c2)
        nodes[PRODUCT, k] = 1.0


@ordering
def largest(nodes: Any, a: Any, b: Any) -> float:
    """Return the maximum of columns a to b; what is not a number shows in the sums."""
    most = nodes[VALUE, a]
    for k in range(a, b):
        most = max(most, nodes[VALUE, k])
    return most


@compiled
def fill_nodes(kind: int, G: Any, n: int, line: Any, first: int, begin: int, end: int, nodes: Any, P: Any) -> float:
    """Fill log integrand and fitted values at nodes begin to end, column 0 being node ``first``; return the largest value."""
    stay_apart()
    a, b = np.uint64(begin - first), np.uint64(end - first)
    start_nodes(line, first, a, b, nodes)
    if kind == LOGIT:
        logit_nodes(G, n, first, a, b, nodes, P)
    elif kind == RATE:
        rate_nodes(G, n, first, a, b, nodes, P)
    else:
        other_nodes(kind, G, n, first, a, b, nodes, P)
    return largest(nodes, a, b)


@compiled
def nodes_beyond(nodes: Any, at: int, inward: int, level: float, bend: float, most: float) -> float:
    """Return how many more nodes it takes at most to get below a level, in multiples of ``CHUNK``; zero if none, about ``most`` if more.

    The log integrand falls by at least the last difference per node, and that by at least ``bend`` more at each.
    """
    above, slope = nodes[VALUE, at] - level, nodes[VALUE, at] - nodes[VALUE, at + inward]
    if not (above > 0.0 or slope > 0.0):
        return 0.0
    slope -= 0.5 * bend
    needed = (slope + math.sqrt(max(slope * slope + 2.0 * bend * above, 0.0))) / bend
    return CHUNK * math.ceil(min(max(needed, 1.0), most) / CHUNK)


@compiled
def walk(kind: int, G: Any, n: int, line: Any, start: int, top: float, nodes: Any, P: Any) -> Any:
    """Fill the nodes that count: from ``start`` outward until the log integrand is ``RISE`` below the top on both sides.

    Returns
    -------
    begin, end
        Numbers of the first node and of the one after the last, a multiple of ``CHUNK`` apart; equal when the tables are too short.
    top
        The largest value, or what was passed if that is larger.
    """
    stay_apart()
    first, room = -(P.shape[1] // 2), P.shape[1]
    if not 2.0 * line[WIDTH] < room:
        return 0, 0, top
    half = int(line[WIDTH])
    length = CHUNK * ((2 * half + CHUNK) // CHUNK)
    begin = start - length // 2
    end = begin + length
    if begin < first or end > first + room:
        return 0, 0, top
    top = max(top, fill_nodes(kind, G, n, line, first, begin, end, nodes, P))
    bend = line[D0] * line[D0] + line[D1] * line[D1]
    more = nodes_beyond(nodes, end - 1 - first, -1, top - line[RISE], bend, end - begin)
    while kind != CAUCHIT and more > 0.0:
        if not end + more <= first + room:
            return 0, 0, top
        chunk = int(more)
        top = max(top, fill_nodes(kind, G, n, line, first, end, end + chunk, nodes, P))
        end += chunk
        more = nodes_beyond(nodes, end - 1 - first, -1, top - line[RISE], bend, end - begin)
    more = nodes_beyond(nodes, begin - first, 1, top - line[RISE], bend, end - begin)
    while kind != CAUCHIT and more > 0.0:
        if not begin - more >= first:
            return 0, 0, top
        chunk = int(more)
        top = max(top, fill_nodes(kind, G, n, line, first, begin - chunk, begin, nodes, P))
        begin -= chunk
        more = nodes_beyond(nodes, begin - first, 1, top - line[RISE], bend, end - begin)
    return begin, end, top


@fused
def weigh_nodes(top: float, shift: int, a: Any, b: Any, nodes: Any) -> None:
    """Fill the weights, exp(value - top), and their products with the nodes' numbers."""
    from_zero = 1.0 * shift
    for k in range(a, b):
        weight = fast_exp(nodes[VALUE, k] - top)
        nodes[WEIGHT, k] = weight
        nodes[WEIGHT_TIMES, k] = weight * (from_zero + k)


@summing
def total_of(row: Any, a: Any, b: Any, nodes: Any) -> float:
    """Return the sum of columns a to b of one row."""
    total = 0.0
    for k in range(a, b):
        total += nodes[row, k]
    return total


@summing
def add_fitted(G: Any, n: int, line: Any, a: Any, b: Any, nodes: Any, P: Any) -> None:
    """Add the weighted fitted values, alone and times either effect."""
    for i in range(n):
        plain, timed = 0.0, 0.0
        for k in range(a, b):
            plain += P[i, k] * nodes[WEIGHT, k]
            timed += P[i, k] * nodes[WEIGHT_TIMES, k]
        G[OUT, i] += plain
        G[OUT_FIRST, i] += line[E0] * plain + line[D0] * timed
        G[OUT_SECOND, i] += line[E1] * plain + line[D1] * timed


@compiled
def add_line(G: Any, n: int, line: Any, begin: int, end: int, top: float, nodes: Any, P: Any, sums: Any) -> float:
    """Add a line's nodes to the observations' sums and to the sums of weights and effects; return the line's sum of weights."""
    stay_apart()
    first = -(P.shape[1] // 2)
    a, b = np.uint64(begin - first), np.uint64(end - first)
    weigh_nodes(top, first, a, b, nodes)
    mass, timed = total_of(WEIGHT, a, b, nodes), total_of(WEIGHT_TIMES, a, b, nodes)
    sums[0] += mass
    sums[1] += line[E0] * mass + line[D0] * timed
    sums[2] += line[E1] * mass + line[D1] * timed
    add_fitted(G, n, line, a, b, nodes, P)
    return mass


@compiled
def rescale(G: Any, n: int, sums: Any, factor: float) -> None:
    """Multiply all sums, when a larger top was found."""
    for c in range(3):
        sums[c] *= factor
        for i in range(n):
            G[OUT + c, i] *= factor


@summing
def log_sum(nodes: Any, a: Any, b: Any, top: float) -> float:
    """Return the log of the sum of exponentials of columns a to b."""
    total = 0.0
    for k in range(a, b):
        total += fast_exp(nodes[VALUE, k] - top)
    return top + math.log(total)
