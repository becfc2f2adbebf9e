r"""The integral of one group's likelihood over its one or two effects, and its slopes by Fisher's identity on the same nodes.

Nodes lie at e = mode + R t, t on a grid, R the inverse of the transposed Cholesky factor of the curvature at the mode: near-normal groups
need few. The integral does not depend on where they are, so mode and R need no derivative.

Where the integrand is log-concave (all links but cauchit), nodes are left out from where its logarithm is r below the largest, found by
walking outward. With the largest value at node 0 and :math:`e^{-r}` of it at node k, those up to k are at least, those beyond at most, a
geometric series with ratio :math:`e^{-r / k}`: what is left out is at most :math:`e^{-r}` of what is there. In two dimensions it is at
most :math:`(1 + r) e^{-r}` of the integral, for which r is larger. Cauchit nodes reach to where the normal density alone is that small.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import INNER, Decorator, stay_apart
from bayesglmm.kernel.links import tails
from bayesglmm.kernel.quadrature_bounds import CAUCHIT, bound_of_rates, total_along, widest_step
from bayesglmm.kernel.quadrature_lines import D0, D1, E0, E1, RISE, VALUE, WIDTH, add_line, rescale, walk
from bayesglmm.kernel.quadrature_mode import MODE0, MODE1, find_mode
from bayesglmm.kernel.quadrature_table import BASE, CENTER, FIRST, LINE, OUT, SECOND, SIGMA_FIRST, SIGMA_SECOND, SIZE, STEP, Y

folded = nb.njit(inline="always")
compiled: Decorator = nb.njit(**INNER)

R00, R01, R11, H0, H1, REACH = range(2, 8)
"""Where a group's nodes are, after the mode: R, the steps, how far they go (cauchit)."""
N_PLACE = 8
KEPT = 16
"""Steps that are kept for groups to come: with one effect they depend on the trials and the largest slope alone."""
N_KEPT = 3 * KEPT

LOG_2PI = math.log(2.0 * math.pi)
ENOUGH, TOO_NARROW = range(2)


@compiled
def place_nodes(kind: int, q: int, G: Any, n: int, limits: Any, out: Any, place: Any) -> None:
    """Fill ``place`` (``N_PLACE`` numbers, then ``N_KEPT`` of its own) with the mode, R and the steps, and the table's rows for them."""
    stay_apart()
    distance = find_mode(kind, G, n, place, out)
    place[R00], place[R01], place[R11], place[REACH] = 1.0, 0.0, 1.0, 0.0
    if kind == CAUCHIT:
        place[REACH] = reach_of(kind, G, n, place[MODE0], limits[1])
        place[MODE0] = 0.0
    else:
        c00 = math.sqrt(1.0 + out[2])
        c10 = out[3] / c00
        c11 = math.sqrt(1.0 + out[4] - c10 * c10)
        place[R00], place[R01], place[R11] = 1.0 / c00, -c10 / (c00 * c11), 1.0 / c11
    for i in range(n):
        G[SIGMA_FIRST, i] = G[FIRST, i] * place[R00]
        G[SIGMA_SECOND, i] = G[FIRST, i] * place[R01] + G[SECOND, i] * place[R11]
        G[CENTER, i] = G[BASE, i] + G[FIRST, i] * place[MODE0] + G[SECOND, i] * place[MODE1]
    rates = bound_of_rates(out[5], q, distance) if out[5] > 0.0 else 0.0
    if q == 1:
        total, sigma = total_along(kind, rates, G, n, FIRST)
        place[H0] = kept_step(kind, total, sigma, limits[0], place[N_PLACE:]) / place[R00]
    else:
        total, sigma = total_along(kind, rates, G, n, SIGMA_FIRST)
        place[H0] = widest_step(kind, total, sigma, place[R00], limits[0])
        total, sigma = total_along(kind, rates, G, n, SIGMA_SECOND)
        place[H1] = widest_step(kind, total, sigma, math.hypot(place[R01], place[R11]), limits[0])


@compiled
def kept_step(kind: int, total: float, sigma: float, log_tolerance: float, kept: Any) -> float:
    """Return the step in units of the effect, from those kept where it is among them."""
    slot = 3 * (int(min(total, 1e6)) % KEPT)
    if not (kept[slot] == total and kept[slot + 1] == sigma and kept[slot + 2] > 0.0):
        kept[slot], kept[slot + 1] = total, sigma
        kept[slot + 2] = widest_step(kind, total, sigma, 1.0, log_tolerance)
    return kept[slot + 2]


@compiled
def reach_of(kind: int, G: Any, n: int, e: float, rise: float) -> float:
    """Return the distance from zero at which the integrand is surely ``rise`` below its value at e.

    No likelihood exceeds that of the data's own proportions.
    """
    total = -0.5 * e * e
    for i in range(n):
        log_value, log_rest, _, _ = tails(kind, G[BASE, i] + G[FIRST, i] * e)
        y, size = G[Y, i], G[SIZE, i]
        if y > 0.0:
            total += y * (log_value - math.log(y / size))
        if size - y > 0.0:
            total += (size - y) * (log_rest - math.log(1.0 - y / size))
    return math.sqrt(2.0 * (rise - min(total, 0.0)))


@compiled
def set_line(q: int, G: Any, n: int, place: Any, at: float, rise: float, line: Any) -> None:
    """Fill a line: all nodes for one effect; those with first coordinate ``at`` for two."""
    stay_apart()
    line[RISE] = rise
    if q == 1:
        line[E0], line[E1], line[D0], line[D1] = place[MODE0], 0.0, place[R00] * place[H0], 0.0
        step, left = place[H0], rise
        for i in range(n):
            G[LINE, i], G[STEP, i] = G[CENTER, i], G[SIGMA_FIRST, i] * step
    else:
        step, left = place[H1], max(rise - 0.5 * at * at, 2.0)
        line[E0], line[E1] = place[MODE0] + place[R00] * at, place[MODE1]
        line[D0], line[D1] = place[R01] * step, place[R11] * step
        for i in range(n):
            G[LINE, i], G[STEP, i] = G[CENTER, i] + G[SIGMA_FIRST, i] * at, G[SIGMA_SECOND, i] * step
    if place[REACH] > 0.0:
        line[WIDTH] = np.ceil(place[REACH] / step)
    else:
        line[WIDTH] = np.ceil(math.sqrt(2.0 * left) / step)


@folded
def integrate(kind: int, q: int, G: Any, n: int, limits: Any, place: Any, line: Any, nodes: Any, P: Any, sums: Any) -> Any:
    """Integrate one group whose nodes are placed.

    Returns
    -------
    value
        Log of the integral, up to the likelihood's constant.
    enough
        ``TOO_NARROW`` if the tables must be wider.
    """
    sums[:] = 0.0
    for c in range(3):
        G[OUT + c, :n] = 0.0
    set_line(q, G, n, place, 0.0, limits[1], line)
    begin, end, top = walk(kind, G, n, line, np.int64(0), -math.inf, nodes, P)
    if begin == end:
        return 0.0, TOO_NARROW
    first = P.shape[1] // 2
    mass = add_line(G, n, line, begin, end, top, nodes, P, sums)
    log_area = math.log(place[R00] * place[H0]) - 0.5 * LOG_2PI
    if q == 2:
        log_area += math.log(place[R11] * place[H1]) - 0.5 * LOG_2PI
        start = heaviest(nodes, begin, end, first)
        for side in (1.0, -1.0):
            top, enough = add_side(kind, G, n, limits, place, side, start, top, mass, line, nodes, P, sums)
            if enough == TOO_NARROW:
                return 0.0, TOO_NARROW
    return top + math.log(sums[0]) + log_area, ENOUGH


@compiled
def heaviest(nodes: Any, begin: int, end: int, first: int) -> int:
    """Return the number of the node with the largest value."""
    best = begin
    for k in range(begin, end):
        if nodes[VALUE, k + first] > nodes[VALUE, best + first]:
            best = k
    return best


@folded
def add_side(
    kind: int,
    G: Any,
    n: int,
    limits: Any,
    place: Any,
    side: float,
    start: int,
    top: float,
    mass: float,
    line: Any,
    nodes: Any,
    P: Any,
    sums: Any,
) -> Any:
    """Add the lines on one side of the middle one until a line's sum is ``rise`` below the largest; return the top and whether it went."""
    first, number, heaviest_line, last = P.shape[1] // 2, 0, math.log(mass) + top, math.log(mass) + top
    while True:
        number += 1
        at = side * number * place[H0]
        if number > first:
            return top, TOO_NARROW
        set_line(np.int64(2), G, n, place, at, limits[1], line)
        begin, end, here = walk(kind, G, n, line, start, top, nodes, P)
        if begin == end:
            return top, TOO_NARROW
        start = heaviest(nodes, begin, end, first)
        if here > top:
            rescale(G, n, sums, math.exp(top - here))
            top = here
        line_mass = math.log(add_line(G, n, line, begin, end, top, nodes, P, sums)) + top
        if not (line_mass >= heaviest_line - limits[1] or line_mass > last):
            return top, ENOUGH
        heaviest_line, last = max(heaviest_line, line_mass), line_mass
