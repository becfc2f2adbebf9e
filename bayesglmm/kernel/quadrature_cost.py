"""What a gradient costs, by a count of operations from the data's sizes and a guess at the SDs: the same on every machine."""

import math
from typing import Any

import numba as nb

from bayesglmm.kernel.compiling import COMPILED, Decorator
from bayesglmm.kernel.quadrature_bounds import CAUCHIT, CLOGLOG, CURVATURES, LOGIT, LOGLOG, RATE, bound_of_rates, widest_step

compiled: Decorator = nb.njit(**COMPILED)

PER_NODE = 8.0
"""Multiply-adds of one observation at one node: a fifth of an exponential's and a division's, for they are vector instructions."""
PER_OTHER_NODE = 90.0
"""The same for a link without a vector form: three or four functions."""
PER_OBSERVATION = 150.0
"""Finding the mode: four steps, each with an exponential."""
INFORMATION = 0.6
"""Information of an observation over its largest, on average."""


ENTRY = 1.0
"""One entry at one node shared by all groups: four multiply-adds in vector instructions."""


@compiled
def shared_operations(kind: int, sd: float, limits: Any, Z: Any, start: Any, row_of: Any, size: Any) -> float:
    """Return multiply-adds of one gradient when all groups share their nodes; infinite for kinds with rates."""
    if Z.shape[1] != 1 or kind in (CLOGLOG, LOGLOG, RATE):
        return math.inf
    most, trials = 0.0, 0.0
    for r in range(Z.shape[0]):
        most = max(most, abs(Z[r, 0]) * sd)
    for j in range(start.shape[0] - 1):
        total = 0.0
        for i in range(start[j], start[j + 1]):
            total += size[i]
        trials = max(trials, total)
    nodes = 2.0 * math.sqrt(2.0 * (limits[1] + trials)) / widest_step(kind, trials, most, 1.0, limits[0])
    each = PER_NODE if kind == LOGIT else PER_OTHER_NODE
    return nodes * (each * Z.shape[0] + ENTRY * row_of.shape[0] + 0.5 * PER_NODE * (start.shape[0] - 1))


@compiled
def operations(kind: int, sd: Any, limits: Any, Z: Any, start: Any, row_of: Any, y: Any, size: Any, shared: int) -> float:
    """Return multiply-adds of one gradient.

    Parameters
    ----------
    kind
        Kind of response.
    sd
        (q,) SDs of the effects.
    limits
        As for :func:`bayesglmm.kernel.quadrature.log_density`.
    Z, start, row_of, y, size
        Effect columns of the distinct rows, and the patterns.
    shared
        1 where a group's counts enter by their sum.
    """
    total, q = 0.0, Z.shape[1]
    each = PER_NODE if kind in (LOGIT, RATE) else PER_OTHER_NODE
    for j in range(start.shape[0] - 1):
        n, nodes = start[j + 1] - start[j], 1.0
        for c in range(q):
            most, trials, fitted = 0.0, 0.0, 0.0
            for i in range(start[j], start[j + 1]):
                most = max(most, abs(Z[row_of[i], c]) * sd[c])
                trials += size[i]
                fitted += y[i] if kind != CLOGLOG else size[i] - y[i]
            information = 2.0 * INFORMATION * CURVATURES[kind] * (fitted if kind == RATE else trials) * most * most
            rho = 1.0 if kind == CAUCHIT else 1.0 / math.sqrt(1.0 + information)
            rates = bound_of_rates(fitted, q, 0.0) if kind in (CLOGLOG, LOGLOG, RATE) else 0.0
            step = widest_step(kind, rates if kind == RATE else rates + trials, most * rho, rho, limits[0])
            nodes *= 2.0 * math.sqrt(2.0 * limits[1]) / step
        corners = 0.25 * math.pi if q == 2 else 1.0
        total += (1.0 if shared == 1 else n) * (each * corners * nodes + PER_OBSERVATION) + PER_NODE * corners * nodes
    return total
