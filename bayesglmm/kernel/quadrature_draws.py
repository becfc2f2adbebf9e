r"""Exact draws of a group's effects given everything else, by rejection from the nodes of its integral.

Between two nodes a concave function is at most where the secants through the next nodes on either side meet, and at least its chord (Gilks
1992, *Bayesian Statistics 4*, 641-649): cells are proposed with the first, and the second settles most proposals without an evaluation. A
function with second derivative at most K is treated alike after :math:`K (x - 1/2)^2 / 2` is taken off in each cell, x from 0 to 1: slopes
of secants change by K, and the chord by K / 8. That is needed for cauchit alone, where :math:`(\log h)'' <` ``BEND``.

Of two effects the first coordinate is drawn from its marginal, which is log-concave as the integrand is (Prekopa 1973); an evaluation of it
is the sum over a line of nodes, as exact as the density. The second coordinate follows on the line through the first. What lies outside
the nodes is left out.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import COMPILED, Decorator, stay_apart
from bayesglmm.kernel.elementary import fast_exp
from bayesglmm.kernel.links import tails
from bayesglmm.kernel.quadrature import MOST_WIDTH, WIDTH, fill_rows, gather
from bayesglmm.kernel.quadrature_bounds import CAUCHIT, LOGIT, RATE
from bayesglmm.kernel.quadrature_group import H0, N_KEPT, N_PLACE, heaviest, place_nodes, set_line
from bayesglmm.kernel.quadrature_lines import D0, D1, E0, E1, N_LINE, N_NODE_ROWS, VALUE, log_sum, walk
from bayesglmm.kernel.quadrature_mode import MOST_ETA
from bayesglmm.kernel.quadrature_table import LINE, N_COLUMNS, PADDING, SIZE, STEP, Y

folded = nb.njit(inline="always")
compiled: Decorator = nb.njit(**COMPILED)

BEND = 0.25
"""The second derivative of the log of the Cauchy distribution function is largest at -1.10, 0.2344."""


@compiled
def log_integrand(kind: int, G: Any, n: int, line: Any, u: float) -> float:
    """Return the log integrand at position u (in nodes) of a line, as the nodes have it."""
    stay_apart()
    e0, e1 = line[E0] + u * line[D0], line[E1] + u * line[D1]
    total = -0.5 * (e0 * e0 + e1 * e1)
    for i in range(n):
        eta, y, size = G[LINE, i] + G[STEP, i] * u, G[Y, i], G[SIZE, i]
        if kind == LOGIT:
            total += y * eta - size * (max(eta, 0.0) + math.log1p(fast_exp(-abs(eta))))
        elif kind == RATE:
            total += y * eta - size * fast_exp(min(eta, MOST_ETA))
        else:
            log_value, log_rest, _, _ = tails(kind, eta)
            if y > 0.0:
                total += y * log_value
            if size - y > 0.0:
                total += (size - y) * log_rest
    return total


@compiled
def fill_cells(value: Any, bend: float, most: Any, cumulative: Any) -> None:
    """Fill an upper bound of the log density in each cell between nodes, and the cumulative sums of its exponentials."""
    stay_apart()
    n = value.shape[0]
    top, total = -math.inf, 0.0
    for k in range(n - 1):
        left, right = value[k], value[k + 1]
        rise = left - value[k - 1] + bend if k > 0 else math.inf
        fall = value[k + 2] - right - bend if k < n - 2 else -math.inf
        if rise <= 0.0:
            most[k] = left
        elif fall >= 0.0:
            most[k] = right
        elif k == 0:
            most[k] = right - fall
        elif k == n - 2:
            most[k] = left + rise
        else:
            share = min(max((right - fall - left) / (rise - fall), 0.0), 1.0)
            most[k] = max(left + rise * share, max(left, right))
        top = max(top, most[k])
    for k in range(n - 1):
        total += fast_exp(most[k] - top)
        cumulative[k] = total


@compiled
def propose(rng: Any, cumulative: Any, most: Any) -> Any:
    """Return a cell, a place in it, and the log height of a point below the bound."""
    cell = min(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"), cumulative.shape[0] - 1)
    return cell, rng.random(), most[cell] + math.log(rng.random())


@compiled
def below_chord(value: Any, cell: int, x: float, bend: float, height: float) -> bool:
    """Whether a point is surely below the density."""
    return height <= value[cell] + x * (value[cell + 1] - value[cell]) - 0.125 * bend


@compiled
def bend_of(kind: int, G: Any, n: int, line: Any) -> float:
    """Return the largest second derivative per node of the log integrand on a line; zero if it is concave."""
    if kind != CAUCHIT:
        return 0.0
    total = -line[D0] * line[D0] - line[D1] * line[D1]
    for i in range(n):
        total += BEND * G[SIZE, i] * G[STEP, i] * G[STEP, i]
    return max(total, 0.0)


@compiled
def draw_on_line(rng: Any, kind: int, G: Any, n: int, line: Any, begin: int, value: Any, most: Any, cumulative: Any, bend: float) -> float:
    """Return an exact draw of the position (in nodes) on a line whose cells are filled."""
    stay_apart()
    while True:
        cell, x, height = propose(rng, cumulative, most)
        u = begin + cell + x
        if below_chord(value, cell, x, bend, height) or height <= log_integrand(kind, G, n, line, u):
            return u


@folded
def draw_one(
    rng: Any,
    kind: int,
    G: Any,
    n: int,
    limits: Any,
    A: Any,
    place: Any,
    line: Any,
    nodes: Any,
    P: Any,
    members: Any,
    begin_of: int,
    end_of: int,
    b: Any,
) -> bool:
    """Draw one effect for the groups of a pattern; return whether the tables were wide enough."""
    set_line(np.int64(1), G, n, place, 0.0, limits[1], line)
    begin, end, _ = walk(kind, G, n, line, np.int64(0), -math.inf, nodes, P)
    if begin == end:
        return False
    first = P.shape[1] // 2
    value = nodes[VALUE, begin + first : end + first]
    most, cumulative = np.empty(end - begin - 1), np.empty(end - begin - 1)
    bend = bend_of(kind, G, n, line)
    fill_cells(value, bend, most, cumulative)
    for m in range(begin_of, end_of):
        j = members[m]
        u = draw_on_line(rng, kind, G, n, line, begin, value, most, cumulative, bend)
        b[j, 0] = A[0, 0] * (line[E0] + u * line[D0])
    return True


@compiled
def marginal_at(kind: int, G: Any, n: int, limits: Any, place: Any, at: float, start: int, line: Any, nodes: Any, P: Any) -> Any:
    """Return the log marginal (up to a constant) of the first coordinate at ``at``, and the line's first and last nodes."""
    stay_apart()
    set_line(np.int64(2), G, n, place, at, limits[1], line)
    begin, end, top = walk(kind, G, n, line, start, -math.inf, nodes, P)
    first = P.shape[1] // 2
    if begin == end:
        return -math.inf, 0, 0
    return log_sum(nodes, np.uint64(begin + first), np.uint64(end + first), top), begin, end


@folded
def fill_marginal(kind: int, G: Any, n: int, limits: Any, place: Any, line: Any, nodes: Any, P: Any, marginal: Any, starts: Any) -> Any:
    """Fill the log marginal at the lines that count; return the first and the one after the last, equal if tables are too narrow."""
    middle, ends = marginal.shape[0] // 2, np.zeros(2, dtype=np.int64)
    top = -math.inf
    for side in range(2):
        sign, k = 1 - 2 * side, 0
        start = 0 if side == 0 else starts[middle]
        while True:
            if k > 0 or side == 0:
                if k >= middle:
                    return 0, 0
                at = middle + sign * k
                marginal[at], begin, end = marginal_at(kind, G, n, limits, place, sign * k * place[H0], start, line, nodes, P)
                if begin == end:
                    return 0, 0
                start = heaviest(nodes, begin, end, P.shape[1] // 2)
                starts[at] = start
                top = max(top, marginal[at])
                if k > 0 and marginal[at] < top - limits[1] and marginal[at] <= marginal[at - sign]:
                    break
            k += 1
        ends[side] = k
    return middle - ends[1], middle + ends[0] + 1


@folded
def draw_two(
    rng: Any,
    kind: int,
    G: Any,
    n: int,
    limits: Any,
    A: Any,
    place: Any,
    line: Any,
    nodes: Any,
    P: Any,
    members: Any,
    begin_of: int,
    end_of: int,
    b: Any,
) -> bool:
    """Draw two effects for the groups of a pattern; return whether the tables were wide enough."""
    width = P.shape[1]
    marginal, starts = np.empty(width), np.empty(width, dtype=np.int64)
    most, cumulative, line_most, line_cumulative = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    a, z = fill_marginal(kind, G, n, limits, place, line, nodes, P, marginal, starts)
    if a == z:
        return False
    value, cells = marginal[a:z], z - a - 1
    fill_cells(value, 0.0, most[:cells], cumulative[:cells])
    for m in range(begin_of, end_of):
        j = members[m]
        while True:
            cell, x, height = propose(rng, cumulative[:cells], most[:cells])
            at = (a + cell + x - width // 2) * place[H0]
            log_marginal, begin, end = marginal_at(kind, G, n, limits, place, at, starts[a + cell], line, nodes, P)
            if begin == end:
                return False
            if height <= log_marginal:
                break
        cells_here = end - begin - 1
        here = nodes[VALUE, begin + width // 2 : end + width // 2]
        fill_cells(here, 0.0, line_most[:cells_here], line_cumulative[:cells_here])
        u = draw_on_line(rng, kind, G, n, line, begin, here, line_most[:cells_here], line_cumulative[:cells_here], 0.0)
        e0, e1 = line[E0] + u * line[D0], line[E1] + u * line[D1]
        b[j, 0], b[j, 1] = A[0, 0] * e0, A[1, 0] * e0 + A[1, 1] * e1
    return True


@compiled
def draw_effects(
    beta: Any,
    A: Any,
    header: Any,
    limits: Any,
    X: Any,
    Z: Any,
    offset: Any,
    start: Any,
    row_of: Any,
    y: Any,
    size: Any,
    members: Any,
    begins: Any,
    rng: Any,
    b: Any,
) -> None:
    """Fill b (draws, J, q) with draws of the effects given each draw of the coefficients (draws, p) and of A (draws, q, q).

    ``members`` (J,) are the groups pattern by pattern, pattern j's from ``begins[j]``. Groups without a density become NaN.
    """
    kind, q, longest = header[0], Z.shape[1], 0
    for j in range(begins.shape[0] - 1):
        longest = max(longest, start[j + 1] - start[j])
    rows, width = np.empty((3, X.shape[0])), WIDTH
    G, out, place, line = np.zeros((N_COLUMNS, longest + PADDING)), np.zeros(6), np.zeros(N_PLACE + N_KEPT), np.zeros(N_LINE)
    nodes, P = np.empty((N_NODE_ROWS, width)), np.empty((longest, width))
    for s in range(beta.shape[0]):
        fill_rows(X, Z, offset, beta[s], A[s], rows)
        for j in range(begins.shape[0] - 1):
            n, _ = gather(header, rows, row_of, y, size, start[j], start[j + 1], G)
            place_nodes(kind, q, G, n, limits, out, place)
            done = False
            while not done:
                if P.shape[0] < n or P.shape[1] < width:
                    nodes, P = np.empty((N_NODE_ROWS, width)), np.empty((n, width))
                if q == 1:
                    done = draw_one(rng, kind, G, n, limits, A[s], place, line, nodes, P, members, begins[j], begins[j + 1], b[s])
                else:
                    done = draw_two(rng, kind, G, n, limits, A[s], place, line, nodes, P, members, begins[j], begins[j + 1], b[s])
                width = width if done else 2 * width
                if width > MOST_WIDTH[q]:
                    b[s, :, :] = math.nan
                    return
