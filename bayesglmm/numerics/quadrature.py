r"""Averages over a standard normal by the trapezoid rule, with a proven bound on the error.

For :math:`\eta \sim N(m, s^2)`,

.. math:: E\,h(\eta) = \int h(m + s e)\,\phi(e)\,de \approx \sum_k w_k\, h(m + s e_k), \qquad e_k = k\,\delta,\;
          w_k \propto \phi(e_k).

The bound holds for every m and every standard deviation up to the stated one. It is the sum of four parts.

1. Discretization. If h is analytic and :math:`|h(z)| \le M_h(y)` for :math:`|\operatorname{Im} z| \le y`, then
   :math:`\int |\phi(x + ia) h(m + s(x + ia))|\,dx \le M(a) = e^{a^2/2} M_h(as)`, and the infinite sum with step
   :math:`\delta` misses the integral by at most :math:`2 M(a) / (e^{2 \pi a / \delta} - 1)` (Trefethen and Weideman 2014,
   theorem 5.1) for every a below A / s, A the half-width of the strip. ``_largest_step`` solves this for the step and takes
   the best a.
2. Truncation at :math:`\pm L`: at most :math:`2 \Phi(-L) \sup |h|`, because :math:`\phi` falls from there on. On the real
   axis all h here lie in [0, 1].
3. Scaling the weights to sum to one, so that an average of probabilities stays a probability: at most the error of the rule
   for h = 1, which is :math:`2 \sum_j e^{-2 \pi^2 j^2 / \delta^2}` (Poisson summation) plus :math:`2 \Phi(-L)`.
4. Rounding: summing K non-negative terms and rounding the K arguments m + s e_k; see ``_rounding``.

References
----------
Trefethen, L. N. and Weideman, J. A. C. (2014). The exponentially convergent trapezoidal rule. *SIAM Review* 56, 385-458.

Higham, N. J. (2002). *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 4.2 (error of a sum).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import get_link
from bayesglmm.numerics.strips import Strip
from bayesglmm.types import FloatArray

DEFAULT_TOLERANCE = 1e-10
"""Absolute error that a population mean is computed to, unless another one is asked for."""

_SHARES = 4.0  # the tolerance is shared by discretization, its twin for h = 1, two truncations, and rounding
_CANDIDATES = 400  # values of a that are tried; every one gives a valid bound
_ROWS_AT_ONCE = 4096
_VALUES_AT_ONCE = 65536


@dataclass(frozen=True, slots=True)
class NormalRule:
    r"""Nodes and weights with :math:`E f(e) \approx \sum_k w_k f(e_k)`, e standard normal.

    Attributes
    ----------
    nodes
        (K,) symmetric around zero, equally spaced.
    weights
        (K,) positive, summing to one.
    bound
        Upper bound on the absolute error of E h(m + s e), for the link, any m, and 0 <= s <= the largest sd asked for.
    """

    nodes: FloatArray
    weights: FloatArray
    bound: float


def normal_rule(link_name: str, largest_sd: float, *, tolerance: float = DEFAULT_TOLERANCE) -> NormalRule:
    """Trapezoid rule for the mean of an inverse link over a normal predictor.

    Parameters
    ----------
    link_name
        A link with a strip: logit, probit, cloglog, loglog, cauchit.
    largest_sd
        The largest standard deviation s of the predictor that the bound shall cover. The number of nodes grows linearly
        with it.
    tolerance
        What the absolute error must not exceed.

    Returns
    -------
    NormalRule
        With ``bound <= tolerance``.

    Raises
    ------
    FamilyError
        If the link is unknown, or is not bounded near the real axis (identity, log, inverse, sqrt).
    ArgumentError
        If ``largest_sd`` is negative or not finite, or double precision cannot hold the tolerance.

    Notes
    -----
    The formula and the four parts of the bound are stated at the top of this module.
    """
    strip = _strip_of(link_name)
    _check(largest_sd, tolerance)
    step = _largest_step(strip, largest_sd, tolerance / _SHARES)
    reach = -float(special.ndtri(tolerance / (4.0 * _SHARES)))
    count = int(np.ceil(reach / step))
    nodes = step * np.arange(-count, count + 1, dtype=np.float64)
    weights = np.exp(-0.5 * np.square(nodes))
    bound = tolerance / _SHARES + _error_for_one(step) + 4.0 * float(special.ndtr(-nodes[-1])) + _rounding(nodes, largest_sd)
    if bound > tolerance:
        raise ArgumentError(
            f"tolerance={tolerance:g} cannot be promised in double precision at a standard deviation of {largest_sd:g}",
            fix=f"ask for {2.0 * bound:.0e} or more",
        )
    return NormalRule(nodes, weights / weights.sum(), bound)


def normal_average(function: Callable[[FloatArray], FloatArray], m: FloatArray, s: FloatArray, rule: NormalRule) -> FloatArray:
    r"""Average an elementwise function over normal predictors: :math:`\sum_k w_k f(m + s e_k)`.

    Parameters
    ----------
    function
        Elementwise, float array to float array of the same shape.
    m, s
        Means and standard deviations of the predictor, of shapes that broadcast to (...).
    rule
        Nodes and weights; its bound covers the inverse link (and its complement) that it was made for.

    Returns
    -------
    ndarray, shape (...)

    Notes
    -----
    Streams over rows and nodes: the memory in use is that of the result plus a fixed half megabyte.
    """
    wide_m, wide_s = np.broadcast_arrays(np.asarray(m, dtype=np.float64), np.asarray(s, dtype=np.float64))
    flat_m, flat_s = wide_m.reshape(-1), wide_s.reshape(-1)
    result = np.empty(flat_m.shape)
    for start in range(0, flat_m.size, _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        result[rows] = _average_rows(function, flat_m[rows], flat_s[rows], rule)
    return result.reshape(wide_m.shape)


def _average_rows(function: Callable[[FloatArray], FloatArray], m: FloatArray, s: FloatArray, rule: NormalRule) -> FloatArray:
    """Weighted sum over the nodes for a few rows, as many nodes at once as fit in the cache."""
    block = max(1, _VALUES_AT_ONCE // m.size)
    total = np.zeros(m.shape)
    for start in range(0, rule.nodes.size, block):
        nodes = rule.nodes[start : start + block]
        total += function(m[:, None] + s[:, None] * nodes) @ rule.weights[start : start + block]
    return total


def _strip_of(link_name: str) -> Strip:
    """Strip of a link, or why it has none."""
    strip = get_link(link_name).strip
    if strip is None:
        raise FamilyError(
            f"the {link_name} link is unbounded, so that the trapezoid rule has no error bound for it",
            fix="use its closed form, where the population mean exists",
        )
    return strip


def _check(largest_sd: float, tolerance: float) -> None:
    """Refuse impossible arguments of the rule."""
    if not (np.isfinite(largest_sd) and largest_sd >= 0.0):
        raise ArgumentError(f"largest_sd={largest_sd} is not a standard deviation", fix="pass a finite number that is not negative")
    if not 0.0 < tolerance < 1.0:
        raise ArgumentError(f"tolerance={tolerance} is not between 0 and 1")


def _largest_step(strip: Strip, sd: float, target: float) -> float:
    r"""Largest step whose discretization bound is the target: :math:`\max_a 2 \pi a / \log(1 + 2 M(a) / target)`.

    Beyond :math:`a = \sqrt{2 \log(2 / target)}` the factor exp(a^2 / 2) alone makes every larger a worse.
    """
    useful = np.sqrt(2.0 * np.log(2.0 / target))
    width = min(useful, strip.half_width / sd if sd > 0.0 else np.inf)
    a = width * (np.arange(_CANDIDATES) + 0.5) / _CANDIDATES
    log_m = 0.5 * np.square(a) + strip.log_supremum(a * sd)
    return float(np.max(2.0 * np.pi * a / np.logaddexp(0.0, np.log(2.0 / target) + log_m)))


def _error_for_one(step: float) -> float:
    """Discretization error for h = 1, by the first term of its series and a geometric bound on the others."""
    first = float(np.exp(-2.0 * np.square(np.pi / step)))
    return 2.0 * first / (1.0 - first)


def _rounding(nodes: FloatArray, sd: float) -> float:
    r"""Bound on rounding: K + 8 units for the sum (Higham 2002, 4.4) and its weights, 2 s L for the arguments m + s e_k.

    An argument z is wrong by at most two units of s e_k plus one of z, its value by that times :math:`h' \le 1/2`, where
    :math:`|z h'(z)| \le 1` for all links here.
    """
    unit = float(np.finfo(np.float64).eps)
    return unit * (nodes.size + 8.0 + 2.0 * sd * float(nodes[-1]))
