"""One effect, the same nodes for all groups: a table over (distinct row, node), and a few multiply-adds per group's entry and node.

It pays where many patterns are made of few rows. The step is that of the group that needs the narrowest. No likelihood exceeds one, so
nodes reach to where the normal density alone is ``rise`` below the largest of each group's integrand at a few points. Kinds with rates need
modes for a bound.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import INNER, Decorator, stay_apart
from bayesglmm.kernel.elementary import fast_exp, fast_log
from bayesglmm.kernel.links import tails
from bayesglmm.kernel.quadrature_bounds import LOGIT, widest_step

compiled: Decorator = nb.njit(**INNER)
summing: Decorator = nb.njit(**INNER, fastmath={"reassoc", "contract"})

MOST_CELLS = 1 << 22
"""Beyond so many cells of the table groups are integrated one by one."""
POINTS = np.linspace(-4.0, 4.0, 5)
"""Where a pattern's integrand is looked at before nodes are laid out."""
LOG_2PI = math.log(2.0 * math.pi)


@summing
def logit_table(rows: Any, step: float, half: int, table: Any) -> None:
    """Fill table (4, r, nodes): log p(y) = y T0 + size T1, and its slope y T2 + size T3."""
    stay_apart()
    for r in range(table.shape[1]):
        base, change = rows[0, r] - half * rows[1, r] * step, rows[1, r] * step
        for k in range(table.shape[2]):
            eta = base + change * k
            small = fast_exp(-abs(eta))
            share = 1.0 / (1.0 + small)
            table[0, r, k] = eta
            table[1, r, k] = -max(eta, 0.0) - fast_log(1.0 + small)
            table[2, r, k] = 1.0
            table[3, r, k] = -(share if eta > 0.0 else small * share)


@compiled
def other_table(kind: int, rows: Any, step: float, half: int, table: Any) -> None:
    """Fill what :func:`logit_table` does for another link."""
    stay_apart()
    for r in range(table.shape[1]):
        for k in range(table.shape[2]):
            log_value, log_rest, slope_value, slope_rest = tails(kind, rows[0, r] + rows[1, r] * step * (k - half))
            table[0, r, k], table[1, r, k] = log_value - log_rest, log_rest
            table[2, r, k], table[3, r, k] = slope_value - slope_rest, slope_rest


@compiled
def lowest_top(kind: int, rows: Any, start: Any, row_of: Any, y: Any, size: Any) -> float:
    """Return the smallest, over the patterns, of the largest log integrand at ``POINTS``, at most zero: no pattern's top is lower."""
    stay_apart()
    value, rest, best = np.empty(rows.shape[1]), np.empty(rows.shape[1]), np.full(start.shape[0] - 1, -math.inf)
    for e in POINTS:
        for r in range(rows.shape[1]):
            value[r], rest[r], _, _ = tails(kind, rows[0, r] + rows[1, r] * e)
        for j in range(start.shape[0] - 1):
            total = -0.5 * e * e
            for i in range(start[j], start[j + 1]):
                if y[i] > 0.0:
                    total += y[i] * value[row_of[i]]
                if size[i] - y[i] > 0.0:
                    total += (size[i] - y[i]) * rest[row_of[i]]
            best[j] = max(best[j], total)
    lowest = 0.0
    for j in range(best.shape[0]):
        lowest = min(lowest, best[j])
    return lowest


@compiled
def shared_nodes(kind: int, limits: Any, rows: Any, start: Any, row_of: Any, y: Any, size: Any) -> Any:
    """Return the step and how many nodes lie on either side of zero."""
    stay_apart()
    most, squares = 0.0, 0.0
    for r in range(rows.shape[1]):
        most = max(most, abs(rows[1, r]))
    for j in range(start.shape[0] - 1):
        total = 0.0
        for i in range(start[j], start[j + 1]):
            total += size[i] * rows[1, row_of[i]] * rows[1, row_of[i]]
        squares = max(squares, total)
    step = widest_step(kind, squares / (most * most) if most > 0.0 else 0.0, most, 1.0, limits[0])
    below = limits[1] - lowest_top(kind, rows, start, row_of, y, size)
    return step, np.ceil(min(math.sqrt(2.0 * below) / step, 1e9))


@summing
def entry_sums(table: Any, row_of: Any, y: Any, size: Any, begin: int, end: int, normal: Any, joint: Any) -> float:
    """Fill ``joint`` with the nodes' probabilities for one pattern; return the log of their sum before."""
    stay_apart()
    n = joint.shape[0]
    for k in range(n):
        joint[k] = normal[k]
    for i in range(begin, end):
        r, wins, trials = np.uint64(row_of[i]), y[i], size[i]
        for k in range(n):
            joint[k] += wins * table[0, r, k] + trials * table[1, r, k]
    top, mass = joint[0], 0.0
    for k in range(n):
        top = max(top, joint[k])
    for k in range(n):
        joint[k] = fast_exp(joint[k] - top)
        mass += joint[k]
    return top + math.log(mass)


@summing
def add_entries(row_of: Any, y: Any, size: Any, begin: int, end: int, scale: float, joint: Any, at: Any) -> None:
    """Add a pattern's probabilities to its rows: at (2, r, nodes), times successes and times trials."""
    stay_apart()
    for i in range(begin, end):
        r, wins, trials = np.uint64(row_of[i]), scale * y[i], scale * size[i]
        for k in range(joint.shape[0]):
            at[0, r, k] += wins * joint[k]
            at[1, r, k] += trials * joint[k]


@summing
def row_sums(table: Any, at: Any, step: float, half: int, by: Any) -> None:
    """Add the expected slopes of all rows to by (3, r), alone and times the effect."""
    stay_apart()
    for r in range(table.shape[1]):
        plain, timed = 0.0, 0.0
        for k in range(table.shape[2]):
            slope = at[0, r, k] * table[2, r, k] + at[1, r, k] * table[3, r, k]
            plain += slope
            timed += slope * (k - half)
        by[0, r] += plain
        by[1, r] += timed * step


@compiled
def shared_groups(kind: int, limits: Any, rows: Any, start: Any, row_of: Any, y: Any, size: Any, count: Any, by: Any) -> float:
    """Return the integrated log likelihood and add its slopes to ``by``; NaN where the table would be too large."""
    stay_apart()
    step, reach = shared_nodes(kind, limits, rows, start, row_of, y, size)
    n_rows = rows.shape[1]
    if not (2.0 * reach + 1.0) * n_rows <= MOST_CELLS:
        return math.nan
    half = int(reach)
    n = 2 * half + 1
    table, at, normal, joint = np.empty((4, n_rows, n)), np.zeros((2, n_rows, n)), np.empty(n), np.empty(n)
    if kind == LOGIT:
        logit_table(rows, step, half, table)
    else:
        other_table(kind, rows, step, half, table)
    for k in range(n):
        normal[k] = -0.5 * (step * (k - half)) ** 2
    total = 0.0
    for j in range(count.shape[0]):
        value = entry_sums(table, row_of, y, size, start[j], start[j + 1], normal, joint)
        total += count[j] * (value + math.log(step) - 0.5 * LOG_2PI)
        mass = 0.0
        for k in range(n):
            mass += joint[k]
        add_entries(row_of, y, size, start[j], start[j + 1], count[j] / mass, joint, at)
    row_sums(table, at, step, half, by)
    return total
