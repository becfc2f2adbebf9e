"""Where a group's integrand is largest and how it curves there: nodes are placed by it, and the integral does not depend on it."""

import math
from typing import Any

import numba as nb

from bayesglmm.kernel.compiling import INNER, Decorator, stay_apart
from bayesglmm.kernel.elementary import fast_exp
from bayesglmm.kernel.links import tails
from bayesglmm.kernel.quadrature_bounds import CLOGLOG, LOGIT, LOGLOG, RATE
from bayesglmm.kernel.quadrature_table import BASE, FIRST, PADDING, SECOND, SIZE, Y

folded = nb.njit(inline="always")
compiled: Decorator = nb.njit(**INNER)
# sums may be taken in any order and products fused; infinities and NaN keep their meaning
summing: Decorator = nb.njit(**INNER, fastmath={"reassoc", "contract"})

MODE0, MODE1 = range(2)
"""The first two numbers of a group's place: the mode."""

STEPS = 60
LONGEST = 2.0
"""Largest change of a linear predictor in the first steps."""
CLOSE = 1e-2
NEAR = 0.02
MOST_ETA = 600.0


@summing
def logit_slopes(G: Any, n: int, place: Any, out: Any) -> None:
    """Fill the log likelihood's gradient and minus its second derivatives in the effects."""
    stay_apart()
    e0, e1 = place[MODE0], place[MODE1]
    g0, g1, h00, h01, h11 = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(PADDING * ((n + PADDING - 1) // PADDING)):
        s0, s1 = G[FIRST, i], G[SECOND, i]
        eta = G[BASE, i] + s0 * e0 + s1 * e1
        small = fast_exp(-abs(eta))
        share = 1.0 / (1.0 + small)
        r = G[Y, i] - G[SIZE, i] * (share if eta > 0.0 else small * share)
        v = G[SIZE, i] * small * share * share
        g0 += s0 * r
        g1 += s1 * r
        h00 += v * s0 * s0
        h01 += v * s0 * s1
        h11 += v * s1 * s1
    out[0], out[1], out[2], out[3], out[4], out[5] = g0, g1, h00, h01, h11, 0.0


@compiled
def row_slopes(kind: int, eta: float, y: float, size: float) -> Any:
    """Return slope, curvature (probit, cauchit: its expectation) and rate of one observation."""
    if kind == RATE:
        mu = size * math.exp(min(eta, MOST_ETA))
        return y - mu, mu, mu
    _, _, slope_value, slope_rest = tails(kind, eta)
    r, rest = y * slope_value + (size - y) * slope_rest, size - y
    if kind == CLOGLOG:
        mu = -slope_rest
        return r, y * slope_value * max(mu + slope_value - 1.0, 0.0) + rest * mu, rest * mu
    if kind == LOGLOG:
        mu = slope_value
        return r, y * mu - rest * slope_rest * max(mu - slope_rest - 1.0, 0.0), y * mu
    return r, -size * slope_value * slope_rest, 0.0


@compiled
def other_slopes(kind: int, G: Any, n: int, place: Any, out: Any) -> None:
    """Fill what :func:`logit_slopes` does for the other kinds, and the sum of the rates."""
    stay_apart()
    e0, e1 = place[MODE0], place[MODE1]
    for c in range(6):
        out[c] = 0.0
    for i in range(n):
        s0, s1 = G[FIRST, i], G[SECOND, i]
        r, v, rate = row_slopes(kind, G[BASE, i] + s0 * e0 + s1 * e1, G[Y, i], G[SIZE, i])
        out[0] += s0 * r
        out[1] += s1 * r
        out[2] += v * s0 * s0
        out[3] += v * s0 * s1
        out[4] += v * s1 * s1
        out[5] += rate


@folded
def find_mode(kind: int, G: Any, n: int, place: Any, out: Any) -> float:
    """Fill the place with (roughly) the mode and ``out`` with slopes, curvature and rates there; return how far the predictors may be off.

    Newton's steps, no predictor moving by more than a length that halves whenever a step went too far. Minus the log integrand has a
    curvature of at least one, so the mode is no further than its slope.
    """
    widest, longest, d0, d1 = 0.0, LONGEST, 0.0, 0.0
    for i in range(n):
        widest = max(widest, math.hypot(G[FIRST, i], G[SECOND, i]))
    place[MODE0], place[MODE1] = 0.0, 0.0
    if kind == RATE and n == 1:
        s, y = G[FIRST, 0], G[Y, 0]
        place[MODE0] = (math.log(y + 0.5) - G[BASE, 0]) * s * y / (1.0 + y * s * s)
    for _ in range(STEPS):
        if kind == LOGIT:
            logit_slopes(G, n, place, out)
        else:
            other_slopes(kind, G, n, place, out)
        g0, g1 = out[0] - place[MODE0], out[1] - place[MODE1]
        h00, h01, h11 = 1.0 + out[2], out[3], 1.0 + out[4]
        if g0 * d0 + g1 * d1 < 0.0:
            longest *= 0.5
        determinant = h00 * h11 - h01 * h01
        d0, d1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        distance = widest * math.hypot(g0, g1)
        if not (g0 * d0 + g1 * d1 > CLOSE or (out[5] > 0.0 and distance > NEAR)):
            break
        move = widest * math.hypot(d0, d1)
        shrink = longest / move if move > longest else 1.0
        place[MODE0] += shrink * d0
        place[MODE1] += shrink * d1
    return distance
