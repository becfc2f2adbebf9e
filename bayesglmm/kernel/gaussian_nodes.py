"""The nodes of a tree of Gaussian effects: elimination from the leaves up, second moments from the root down."""

import math
from collections.abc import Callable
from typing import Any

import numba as nb

from bayesglmm.kernel import gaussian_tree as t

# sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning
OPTIONS: Any = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}
NO_WRAPPERS: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

LARGE = 1e100
"""A running product of pivots (each at least 1) is turned into its logarithm when it exceeds this."""


def compiled[Function: Callable[..., Any]](function: Function) -> Function:
    """Compile a function that only compiled code calls: it gets no wrapper for Python, which would take as long as the function."""
    return nb.njit(**OPTIONS, **NO_WRAPPERS)(function)


def inlined[Function: Callable[..., Any]](function: Function) -> Function:
    """Make a function a part of those that call it, so that it is compiled once."""
    return nb.njit(**OPTIONS, inline="always")(function)


@inlined
def own_rows(n: int, levels: Any, nodes: Any, gram: Any, cross: Any, delta: Any, scale: float, front: Any, work: Any) -> None:
    """Fill a node's rows of ``work`` with its front's own rows: cross-products over sigma^2 and what its children left."""
    k, at = nodes[n, t.LEVEL], nodes[n, t.START]
    q, begin, stride = levels[k, t.WIDTH], levels[k, t.FRONT], levels[k, t.STRIDE]
    width, rhs = q + nodes[n, t.REST], q + levels[k, t.ABOVE]
    for i in range(q):
        row = at + i * width
        for c in range(width):
            work[row + c] = scale * gram[row + c]
        for s in range(delta.shape[0]):
            work[row + rhs] -= scale * delta[s] * cross[nodes[n, t.ROW] + i, s]
        if k > 0:
            for c in range(width):
                work[row + c] += front[begin + min(i, c) * stride + max(i, c)]


@inlined
def factorize(q: int, width: int, at: int, A: Any, begin: int, work: Any) -> float:
    """Turn own rows (q, width) from ``at`` into [U | K], in place, A (q, q) from ``begin``; return the determinant of U."""
    determinant = 1.0
    for i in range(q):
        row = at + i * width
        for c in range(width):
            value = 0.0
            for m in range(i, q):
                value += A[begin + m * q + i] * work[at + m * width + c]
            work[row + c] = value
    for i in range(q):
        row = at + i * width
        for j in range(q):
            value = 1.0 if i == j else 0.0
            for m in range(j, q):
                value += work[row + m] * A[begin + m * q + j]
            work[row + j] = value
        for j in range(i):
            factor = work[at + j * width + i]
            for c in range(i, width):
                work[row + c] -= factor * work[at + j * width + c]
        pivot = math.sqrt(work[row + i])
        determinant *= pivot
        pivot = 1.0 / pivot
        for c in range(i, width):
            work[row + c] *= pivot
    return determinant


@inlined
def pass_up(n: int, levels: Any, nodes: Any, up: Any, front: Any, work: Any) -> None:
    """Add what is left of a node's front to its parent's (upper triangle), and clear the node's."""
    k, m, where = nodes[n, t.LEVEL], nodes[n, t.REST], nodes[n, t.MAP]
    q, begin, stride = levels[k, t.WIDTH], levels[k + 1, t.FRONT], levels[k + 1, t.STRIDE]
    here, wide, at, width = levels[k, t.FRONT], levels[k, t.STRIDE], nodes[n, t.START] + q, q + m
    for c in range(m):
        target, left = begin + up[where + c] * stride, here + (q + c) * wide + q
        for e in range(c, m):
            value = front[left + e] if k > 0 else 0.0
            for i in range(q):
                value -= work[at + i * width + c] * work[at + i * width + e]
            front[target + up[where + e]] += value
    if k > 0:
        for c in range(width):
            for e in range(width):
                front[here + c * wide + e] = 0.0


@compiled
def eliminate(levels: Any, nodes: Any, up: Any, gram: Any, cross: Any, delta: Any, scale: float, A: Any, front: Any, work: Any) -> float:
    """Eliminate all nodes, children first; return half the log determinant of their precisions."""
    total, product = 0.0, 1.0
    for n in range(nodes.shape[0]):
        k = nodes[n, t.LEVEL]
        q = levels[k, t.WIDTH]
        own_rows(n, levels, nodes, gram, cross, delta, scale, front, work)
        product *= factorize(q, q + nodes[n, t.REST], nodes[n, t.START], A, levels[k, t.FACTOR], work)
        pass_up(n, levels, nodes, up, front, work)
        if product > LARGE:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@inlined
def invert_rows(q: int, width: int, at: int, work: Any) -> None:
    """Turn rows [U | K] (q, width) from ``at`` into [U^-1 | U^-1 K], in place."""
    for i in range(q - 1, -1, -1):
        row = at + i * width
        inverse = 1.0 / work[row + i]
        work[row + i] = inverse
        for c in range(q, width):
            work[row + c] *= inverse
        for j in range(q - 1, i, -1):
            factor = work[row + j] * inverse
            work[row + j] = 0.0
            for c in range(j, width):
                work[row + c] -= factor * work[at + j * width + c]


@inlined
def node_moments(n: int, levels: Any, nodes: Any, up: Any, front: Any, work: Any, moments: Any, scratch: Any) -> None:
    """Add E[z z'] of a node to its factor's; fill Y = U^-1 K E[b b'] (q, rest) and E[z z'] (q, q) at the start of ``scratch``."""
    k, at, m, where = nodes[n, t.LEVEL], nodes[n, t.START], nodes[n, t.REST], nodes[n, t.MAP]
    q, above, stride = levels[k, t.WIDTH], levels[k + 1, t.FRONT], levels[k + 1, t.STRIDE]
    width = q + m
    invert_rows(q, width, at, work)
    for e in range(m):
        source = above + up[where + e] * stride
        for i in range(q):
            value = 0.0
            for c in range(m):
                value += work[at + i * width + q + c] * front[source + up[where + c]]
            scratch[i * m + e] = value
    for i in range(q):
        for j in range(i + 1):
            value = 0.0
            for c in range(i, q):
                value += work[at + i * width + c] * work[at + j * width + c]
            for c in range(m):
                value += work[at + i * width + q + c] * scratch[j * m + c]
            scratch[q * m + i * q + j] = value
            scratch[q * m + j * q + i] = value
    for i in range(q * q):
        moments[levels[k, t.FACTOR] + i] += scratch[q * m + i]


@inlined
def keep_moments(n: int, levels: Any, nodes: Any, up: Any, front: Any, A: Any, scratch: Any) -> None:
    """Fill the front of a node that has children with its second moments, full and raw."""
    level, m, where = nodes[n, t.LEVEL], nodes[n, t.REST], nodes[n, t.MAP]
    q, first = levels[level, t.WIDTH], levels[level, t.FACTOR]
    begin, stride = levels[level, t.FRONT], levels[level, t.STRIDE]
    above, wide = levels[level + 1, t.FRONT], levels[level + 1, t.STRIDE]
    for c in range(m):
        for e in range(m):
            front[begin + (q + c) * stride + q + e] = front[above + up[where + c] * wide + up[where + e]]
        for i in range(q):
            value = 0.0
            for j in range(i + 1):
                value -= A[first + i * q + j] * scratch[j * m + c]
            front[begin + i * stride + q + c] = value
            front[begin + (q + c) * stride + i] = value
    for i in range(q):
        for k in range(q):
            value = 0.0
            for j in range(i + 1):
                for e in range(k + 1):
                    value += A[first + i * q + j] * scratch[q * m + j * q + e] * A[first + k * q + e]
            front[begin + i * stride + k] = value


@compiled
def descend(levels: Any, nodes: Any, up: Any, cross: Any, A: Any, front: Any, work: Any, moments: Any, score: Any, scratch: Any) -> None:
    """Go from the root to the leaves: sum E[z z'] of every factor, and take the effects' share off the score."""
    for n in range(nodes.shape[0] - 1, -1, -1):
        k, m = nodes[n, t.LEVEL], nodes[n, t.REST]
        q, begin, rhs = levels[k, t.WIDTH], levels[k, t.FACTOR], levels[k, t.ABOVE]
        node_moments(n, levels, nodes, up, front, work, moments, scratch)
        if k > 0:
            keep_moments(n, levels, nodes, up, front, A, scratch)
        for s in range(score.shape[0]):
            for i in range(q):
                for j in range(i + 1):
                    score[s] -= A[begin + i * q + j] * scratch[j * m + rhs] * cross[nodes[n, t.ROW] + i, s]
