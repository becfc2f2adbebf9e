r"""Population means of many rows and draws from one table: :math:`F(m, s) = E\,h(m + s e)`, e standard normal, as a polynomial.

For one link F is one smooth function of two numbers, whatever the model. A table holds its Chebyshev interpolant for an octave of s,
:math:`2^{o-1} \le s \le 2^o`, and an interval of m; the variables are m and :math:`w = \log_2 s`. All parts of its error are bounded.

1. Interpolation. A function that is analytic and at most M in the ellipse with foci at the ends of an interval of half-width r and
   semi-axes' sum :math:`\rho r` is interpolated in n + 1 Chebyshev points to :math:`4 M \rho^{-n} / (\rho - 1)` (Trefethen 2013,
   theorem 8.2); the ellipse's imaginary parts stay below :math:`y = r (\rho - 1 / \rho) / 2`, so that :math:`\log \rho =
   \operatorname{arsinh}(y / r)`.

   In m: shifting the line of integration by a gives :math:`|F(m + iy)| \le e^{a^2/2} \sup_{|\operatorname{Im} z| \le y - sa} |h(z)|`,
   the last factor from the link's strip; it is largest for the smallest s of the octave.

   In :math:`\log v`, :math:`v = s^2`: F is the integral of h against a normal density of variance v, which is analytic for
   :math:`\operatorname{Re} v > 0`; :math:`|F| \le (\cos \theta)^{-1/2}` at :math:`\arg v = \theta`, because :math:`|h| \le 1`.
2. The second axis is interpolated from values of the first: the errors add, that of w times the Lebesgue constant of m,
   :math:`\Lambda_n \le 1 + (2/\pi) \log(n + 1)` (Trefethen 2013, theorem 15.2).
3. Values at the points: the quadrature's own bound, and the largest distance of the finished polynomial from them, which covers the
   rounding of its coefficients and those that were dropped; both times :math:`\Lambda_m \Lambda_w`.
4. Rounding when a point is evaluated; see ``_rounding``.

References
----------
Trefethen, L. N. (2013). *Approximation Theory and Approximation Practice*. SIAM.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import Elementwise, get_link
from bayesglmm.numerics.quadrature import NormalRule, normal_average, normal_rule
from bayesglmm.types import FloatArray, IntArray

SMALLEST_TAIL = 1e-4
"""A mean, or its complement, below this is integrated on its own: a table's error is absolute, and a tail's should be relative to it."""

_LEAST_WORK = 2**18  # evaluations of the inverse link below which no table is considered
_SHARE = 1e-2  # of the tolerance, for interpolation along each axis
_NEGLIGIBLE = 1e-3  # of the tolerance: coefficients that may be dropped along each axis
_POINTS_AT_ONCE = 8192
_LARGEST_PRODUCT = 2**18  # multiplications: larger matrix products start threads of their own, which those of the caller wait for
_FARTHEST = 2.0**30  # a predictor beyond which no tail is looked for


@dataclass(frozen=True, slots=True)
class MeanTable:
    r"""Polynomial :math:`\sum_{kl} c_{kl} T_k(t) T_l(u)` for E h(m + s e).

    Attributes
    ----------
    octave
        o: :math:`2^{o-1} \le s \le 2^o`; :math:`u = 2 \log_2 s - 2 o + 1`.
    lowest, highest
        Interval of m, mapped to t in (-1, 1).
    coefficients
        (K, L).
    bound
        Upper bound on the absolute error of the mean inside the table's ranges.
    """

    octave: int
    lowest: float
    highest: float
    coefficients: FloatArray
    bound: float

    def mean(self, m: FloatArray, s: FloatArray) -> FloatArray:
        """E h(m + s e) for means and standard deviations (n,) inside the table's ranges: (n,)."""
        result = np.empty(m.shape)
        for start in range(0, m.size, _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            t = (m[part] - 0.5 * (self.lowest + self.highest)) * (2.0 / (self.highest - self.lowest))
            u = 2.0 * np.log2(np.ldexp(s[part], -self.octave)) + 1.0
            result[part] = _evaluate(self.coefficients, t, u)
        return result


def octaves(s: FloatArray) -> IntArray:
    """Octave o of each standard deviation, with 2^(o-1) <= s < 2^o; that of zero means nothing."""
    return np.asarray(np.frexp(s)[1], dtype=np.int64)


def worthwhile_table(link_name: str, m: FloatArray, octave: int, rule: NormalRule, tolerance: float) -> MeanTable | None:
    """Table for means m (n,) at standard deviations of one octave, where it costs less than the rule at every point.

    The choice depends on counts only. Limits of m are rounded outwards, so that blocks of one computation share their tables.

    Parameters
    ----------
    link_name
        A link with a strip.
    m
        (n,) means of the predictor.
    octave
        Of all their standard deviations.
    rule
        What would be used without a table.
    tolerance
        What the table's bound must not exceed.

    Returns
    -------
    MeanTable or None
        None if it does not pay or cannot keep the tolerance. The table may be narrower than m: means far in a tail are left out.
    """
    if m.size * rule.nodes.size < _LEAST_WORK:
        return None
    reach = _reach(link_name, octave)
    unit = max(1.0, 2.0 ** (octave - 1))
    low, high = np.floor(max(float(m.min()), reach[0]) / unit), np.ceil(min(float(m.max()), reach[1]) / unit)
    if low >= high:
        return None
    inside = int(np.count_nonzero((m >= low * unit) & (m <= high * unit)))
    K, L = degrees(link_name, octave, 0.5 * (high - low) * unit, tolerance)
    if not _pays(inside, rule.nodes.size, K, L):
        return None
    return mean_table(link_name, octave, (low * unit, high * unit), tolerance)


@lru_cache(maxsize=128)
def mean_table(link_name: str, octave: int, limits: tuple[float, float], tolerance: float) -> MeanTable | None:
    """Make the table of an octave of s and an interval of m; None if double precision cannot keep the tolerance.

    Parameters
    ----------
    link_name
        A link with a strip.
    octave
        o: standard deviations from 2^(o-1) to 2^o.
    limits
        Smallest and largest m.
    tolerance
        What the bound must not exceed.

    Raises
    ------
    FamilyError
        If the link is unknown or unbounded.
    """
    link, middle, half = get_link(link_name), 0.5 * (limits[0] + limits[1]), 0.5 * (limits[1] - limits[0])
    K, L = degrees(link_name, octave, half, tolerance)
    growth = _lebesgue(K) * _lebesgue(L)
    try:
        rule = normal_rule(link_name, 2.0**octave, tolerance=tolerance / (4.0 * growth))
    except ArgumentError:
        return None
    t, u = _points(K), _points(L)
    values = normal_average(link.inverse, (middle + half * t)[:, None], np.exp2(octave + 0.5 * (u - 1.0)), rule)
    coefficients = _chopped(_transform(K) @ values @ _transform(L).T, _NEGLIGIBLE * tolerance)
    grid_t, grid_u = (part.reshape(-1) for part in np.meshgrid(t, u, indexing="ij"))
    residual = float(np.abs(_evaluate(coefficients, grid_t, grid_u) - values.reshape(-1)).max())
    interpolation = _SHARE * tolerance * (1.0 + _lebesgue(K))
    bound = interpolation + growth * (rule.bound + residual) + _rounding(coefficients, abs(middle) / half)
    return MeanTable(octave, limits[0], limits[1], coefficients, bound) if bound <= tolerance else None


@lru_cache(maxsize=1024)
def degrees(link_name: str, octave: int, half: float, tolerance: float) -> tuple[int, int]:
    """Numbers of Chebyshev points in m and in w that hold each interpolation error to a hundredth of the tolerance.

    Parameters
    ----------
    link_name
        A link with a strip.
    octave
        Octave of s.
    half
        Half-width of the interval of m.
    tolerance
        That of the table.

    Raises
    ------
    FamilyError
        If the link is unbounded.
    """
    strip = get_link(link_name).strip
    if strip is None:
        raise FamilyError(f"the {link_name} link is unbounded, so that a table has no error bound for it", fix="use its closed form")
    target = _SHARE * tolerance
    a = np.linspace(0.0, np.sqrt(2.0 * np.log(4.0 / target)), 65)[1:, None]
    inner = min(strip.half_width, 8.0) * np.arange(32.0) / 32.0
    in_m = _least_points((2.0 ** (octave - 1) * a + inner) / half, 0.5 * np.square(a) + strip.log_supremum(inner), target)
    theta = 0.5 * np.pi * (np.arange(200.0) + 0.5) / 200.0
    return in_m, _least_points(theta / np.log(2.0), -0.5 * np.log(np.cos(theta)), target)


@lru_cache(maxsize=128)
def _reach(link_name: str, octave: int) -> tuple[float, float]:
    """Means of the predictor between which no tail is smaller than ``SMALLEST_TAIL`` at the largest s of the octave, roughly."""
    link, s = get_link(link_name), 2.0**octave
    rule = normal_rule(link_name, s, tolerance=1e-2 * SMALLEST_TAIL)
    upper = link.inverse if link.complement is None else link.complement
    return _crossing(link.inverse, -1.0, s, rule), _crossing(upper, 1.0, s, rule)


def _crossing(tail: Elementwise, toward: float, s: float, rule: NormalRule) -> float:
    """Where an averaged tail falls to ``SMALLEST_TAIL``, on the side of zero that ``toward`` points to, to a hundredth of it."""

    def reached(m: float) -> bool:
        return bool(normal_average(tail, np.asarray(m), np.asarray(s), rule) <= SMALLEST_TAIL)

    inner, outer = 0.0, toward
    while not reached(outer) and abs(outer) < _FARTHEST:
        inner, outer = outer, 2.0 * outer
    while abs(outer - inner) > 0.01 * abs(outer):
        middle = 0.5 * (inner + outer)
        inner, outer = (inner, middle) if reached(middle) else (middle, outer)
    return outer


def _pays(points: int, nodes: int, K: int, L: int) -> bool:
    """Whether a table costs less than the rule at every point, in evaluations of an inverse link (measured once, for logit)."""
    per_point = 3.0 + (K + 2.0 * L) / 12.0 + K * L / 120.0
    return K * L * nodes + points * per_point < points * nodes


def _least_points(ratio: FloatArray, log_supremum: FloatArray, target: float) -> int:
    """Least n + 1 whose interpolation bound is the target, over ellipses of imaginary part y: ``ratio`` is y over the half-width."""
    log_rho = np.arcsinh(ratio)
    degree = (np.log(4.0 / target) + log_supremum - np.log(np.expm1(log_rho))) / log_rho
    return int(np.ceil(max(float(degree.min()), 0.0))) + 1


def _points(count: int) -> FloatArray:
    """Chebyshev points of the first kind, (count,)."""
    return np.asarray(np.cos(np.pi * (np.arange(count) + 0.5) / count))


def _transform(count: int) -> FloatArray:
    """Matrix from values at the points to coefficients, (count, count)."""
    angles = np.pi * (np.arange(count) + 0.5) / count
    matrix = 2.0 / count * np.cos(np.arange(count)[:, None] * angles)
    matrix[0] *= 0.5
    return np.asarray(matrix)


def _lebesgue(count: int) -> float:
    """Upper bound on the Lebesgue constant of so many Chebyshev points."""
    return 1.0 + 2.0 / np.pi * float(np.log(count))


def _chopped(coefficients: FloatArray, negligible: float) -> FloatArray:
    """Leave out trailing rows and columns whose absolute sum is negligible."""
    size = np.abs(coefficients)
    rows, columns = (np.cumsum(size.sum(axis=axis)[::-1])[::-1] > negligible for axis in (1, 0))
    return np.ascontiguousarray(coefficients[: max(1, np.count_nonzero(rows)), : max(1, np.count_nonzero(columns))])


def _evaluate(coefficients: FloatArray, t: FloatArray, u: FloatArray) -> FloatArray:
    """Sum of c_kl T_k(t) T_l(u), (n,)."""
    K, L = coefficients.shape
    in_t, in_u, result = _polynomials(t, K), _polynomials(u, L), np.empty(t.size)
    step = max(1, _LARGEST_PRODUCT // (K * L))
    for start in range(0, t.size, step):
        part = slice(start, start + step)
        products = coefficients.T @ in_t[:, part]
        products *= in_u[:, part]
        np.sum(products, axis=0, out=result[part])
    return result


def _polynomials(t: FloatArray, count: int) -> FloatArray:
    """Chebyshev polynomials T_0, T_1, ... by their recurrence, (count, n)."""
    values, twice = np.empty((count, t.size)), 2.0 * t
    values[0] = 1.0
    if count > 1:
        values[1] = t
    for k in range(2, count):
        np.multiply(twice, values[k - 1], out=values[k])
        values[k] -= values[k - 2]
    return values


def _rounding(coefficients: FloatArray, shift: float) -> float:
    r"""Bound on rounding in the sum of c_kl T_k(t) T_l(u).

    A perturbation of one step of the recurrence grows at most by k, one of the argument by k^2 (the largest slope of T_k): with 1.5
    units in each step and at most 5 in an argument (and ``shift``, from the middle of the interval), 9 (k + 1)^2 units hold T_k.
    """
    K, L = coefficients.shape
    k, j = np.arange(K)[:, None] + 1.0, np.arange(L) + 1.0
    units = (9.0 + shift) * np.square(k) + 9.0 * np.square(j) + (K + L + 8.0)
    return float(np.finfo(np.float64).eps * np.sum(np.abs(coefficients) * units))
