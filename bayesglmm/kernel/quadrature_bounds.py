r"""How far apart nodes may be: bounds on the trapezoid rule's error for a group's integral over its effects.

For group j, :math:`L = \int F(e)\,de`, :math:`F = \phi(e) \prod_i p(y_i \mid m_i + s_i'e)`. Along a line :math:`e_0 + t u` the rule with
step h has a relative error of at most :math:`2 B / (e^{2 \pi a / h} - 1)` for every a with :math:`\int |F(t + ia)|\,dt \le B \int F\,dt`
and F analytic in between (Trefethen & Weideman 2014, *SIAM Review* 56, 385-458, theorem 5.1). In two dimensions the rule is used along one
axis and then the other, and the errors add: each bound holds on every line. With :math:`\sigma_i = s_i'u` and :math:`\rho = |u|`,
:math:`B = e^{a^2 \rho^2 / 2 + \sum_i T_i f(a \sigma_i)}`, of which the first part is the normal density's. At x + iy, per trial:

* logit, :math:`f = -\log \cos(y / 2)`, since :math:`|1 + e^{x + iy}| \ge (1 + e^x) \cos(y / 2)`;
* probit, :math:`f = y^2 / 2`, since :math:`|\Phi(x + iy)| = |\int_{-\infty}^x \phi(t + iy)\,dt| \le e^{y^2 / 2} \Phi(x)`, below the first
  zeros of :math:`\Phi` at y = 2.816;
* cauchit, :math:`f = -\log(1 - y^2)`, by the same step from :math:`|1 + (t + iy)^2| \ge (1 - y^2)(1 + t^2)`;
* cloglog success, :math:`f = -\log \cos y`: :math:`|1 - e^{-w}| = |\int_0^w e^{-s}\,ds| \le (1 - e^{-|w| \cos y}) / \cos y`,
  :math:`|w| = e^x`;
* cloglog failure and Poisson: :math:`|e^{-w}| = e^{-|w| \cos y}`, the value with all rates times :math:`\cos y = e^{-\delta}`.

The last needs the integral's growth when all rates shrink, :math:`\int_0^\delta E_\epsilon[M]\,d\epsilon`, M the sum of the rates. Let M*
be that at the mode. Integration by parts with the field e - e*, and concavity of the other factors, give
:math:`E \sum \mu_i^* u_i (e^{u_i} - 1) \le q`, :math:`u_i = s_i'(e - e^*)`; and :math:`(u - c)(e^u - 1) \ge -c (e^c - 1) / 4` for c > 0, so
:math:`E[M] \le M^* (1 + (e^c - 1) / 4) + q / c`. Shrinking all rates shrinks M* (its slope is minus the squared length of a residual of
weighted least squares), so :math:`f = -\log \cos y` with that number for T bounds the growth. The loglog link is the cloglog link's mirror.

Every f is a power series in :math:`y^2` with no negative coefficient, hence convex in :math:`y^2` and zero at zero:
:math:`\sum_i T_i f(a \sigma_i) \le f(a \max \sigma) \sum_i T_i \sigma_i^2 / \max \sigma^2`, and chords of a table lie above f.
"""

import math
from typing import Any

import numba as nb
import numpy as np

from bayesglmm.kernel.compiling import COMPILED, Decorator, stay_apart
from bayesglmm.kernel.quadrature_table import SIZE, Y
from bayesglmm.types import FloatArray

compiled: Decorator = nb.njit(**COMPILED)

LOGIT, PROBIT, CLOGLOG, LOGLOG, CAUCHIT, RATE = range(6)
"""Kinds of response: the links onto probabilities by their codes, then counts with a log link."""

CHORDS = 64
LIMITS = np.array([math.pi, 2.8, 0.5 * math.pi, 0.5 * math.pi, 1.0, 0.5 * math.pi])
"""Largest distance of the linear predictor from the real axis."""
INSIDE = 0.99
CURVATURES = np.array([0.125, 0.5, 0.5, 0.5, 1.0, 0.5])
"""Coefficients of the first power of the square of the distance."""
SHORTER = 0.8
"""Ratio of the distances that are tried."""


def _tables() -> FloatArray:
    """Return the growths at equal steps of the square of the distance, shape (kinds, CHORDS + 1)."""
    y = INSIDE * LIMITS[:, None] * np.sqrt(np.linspace(0.0, 1.0, CHORDS + 1))
    logit, rate = -np.log(np.cos(0.5 * y[LOGIT])), -np.log(np.cos(y[RATE]))
    return np.stack([logit, 0.5 * y[PROBIT] ** 2, rate, rate, -np.log1p(-(y[CAUCHIT] ** 2)), rate])


GROWTH = _tables()


@compiled
def growth(kind: int, y: float) -> float:
    """Return the bound on the log growth per trial (or expected count) at distance y from the real axis, infinite beyond the limit."""
    at = CHORDS * (y / (INSIDE * LIMITS[kind])) ** 2
    if not at < CHORDS:
        return math.inf
    k = np.int64(at)
    return GROWTH[kind, k] + (at - k) * (GROWTH[kind, k + 1] - GROWTH[kind, k])


@compiled
def widest_step(kind: int, total: float, sigma: float, rho: float, log_tolerance: float) -> float:
    """Return a step whose relative error is below exp(log_tolerance), close to the widest such step.

    Parameters
    ----------
    kind
        Kind of response.
    total
        Trials, or the bound on expected counts; see :func:`bound_of_rates`.
    sigma
        Largest change of a linear predictor per unit.
    rho
        Change of the standard normal effects per unit.
    log_tolerance
        Logarithm of the relative error.
    """
    stay_apart()
    need = math.log(2.0) - log_tolerance
    a = math.sqrt(need / (0.5 * rho * rho + CURVATURES[kind] * total * sigma * sigma))
    a = min(a, 0.999 * INSIDE * LIMITS[kind] / max(sigma, 1e-300))
    best = 0.0
    while True:
        step = 2.0 * math.pi * a / (need + 0.5 * a * a * rho * rho + total * growth(kind, a * sigma))
        if not step > best:
            return best
        best = step
        a *= SHORTER


@compiled
def bound_of_rates(fitted: float, q: int, distance: float) -> float:
    """Return the bound on the expected sum of rates, from that at a point at most ``distance`` from the mode in any linear predictor."""
    most = fitted * math.exp(min(distance, 300.0))
    c = min(1.0, 2.0 * math.sqrt(q / max(most, 1e-300)))
    return most * (1.0 + 0.25 * math.expm1(c)) + q / c


@compiled
def total_along(kind: int, rates: float, G: Any, n: int, axis: int) -> Any:
    """Return the total for :func:`widest_step` and the largest |sigma| along one direction.

    Parameters
    ----------
    kind
        Kind of response.
    rates
        Bound of the expected rates; zero where there are none.
    G, n, axis
        Table of the group's observations, their number, and the row of the change of their predictors per unit.
    """
    stay_apart()
    most, squares = 0.0, 0.0
    for i in range(n):
        trials, sigma = G[SIZE, i], G[axis, i]
        if kind == CLOGLOG:
            trials = G[Y, i]
        elif kind == LOGLOG:
            trials -= G[Y, i]
        elif kind == RATE:
            trials = 0.0
        most = max(most, abs(sigma))
        squares += trials * sigma * sigma
    return rates + (squares / (most * most) if most > 0.0 else 0.0), most
