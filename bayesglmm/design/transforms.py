"""Transforms that learn from the training rows: what each one learned is a small record that replays on new rows.

Every record has ``apply``, which is used for the training rows and for new rows alike, so both are coded by the same arithmetic.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import BSpline

from bayesglmm.errors import ArgumentError, DesignError
from bayesglmm.numerics.splines import natural_spline_basis, natural_spline_knots
from bayesglmm.types import FloatArray

CUBIC = 3
NEGLIGIBLE = 1e-12
"""Spread relative to the largest value below which a column is constant but for rounding."""


class Transform(Protocol):
    """What was learned from the training rows.

    Attributes
    ----------
    domain
        Closed interval of the training rows, outside of which ``apply`` extrapolates a curve, or None where there is no curve.
    """

    @property
    def domain(self) -> tuple[float, float] | None:
        """Interval that the training rows cover, or that the formula names; None where nothing can be extrapolated."""

    def apply(self, x: FloatArray) -> FloatArray:
        """Transform x (n,) to (n,) or (n, k)."""


@dataclass(frozen=True, slots=True)
class Standardizer:
    """``(x - shift) / spread``; result (n,)."""

    shift: float
    spread: float

    @property
    def domain(self) -> tuple[float, float] | None:
        """None: a straight line is the same everywhere."""
        return None

    def apply(self, x: FloatArray) -> FloatArray:
        """Transform x (n,) to (n,)."""
        return (x - self.shift) / self.spread


@dataclass(frozen=True, slots=True)
class Polynomial:
    r"""Polynomials orthonormal over the training rows by their three-term recurrence; result (n, degree).

    :math:`p_{k+1}(x) = (x - a_k) p_k(x) - (c_k / c_{k-1}) p_{k-1}(x)`, columns :math:`p_k / \sqrt{c_k}`, :math:`c_k = \sum p_k^2`
    (Forsythe 1957; Kennedy & Gentle 1980, section 8.1). Equal to R's ``poly``. With no coefficients: raw powers. ``trained`` is the range
    of the training rows.
    """

    degree: int
    alpha: tuple[float, ...] = ()
    norms: tuple[float, ...] = ()
    trained: tuple[float, float] = (-np.inf, np.inf)

    @property
    def domain(self) -> tuple[float, float] | None:
        """Range of the training rows."""
        return self.trained

    def apply(self, x: FloatArray) -> FloatArray:
        """Transform x (n,) to (n, degree)."""
        if not self.alpha:
            return np.stack([x**k for k in range(1, self.degree + 1)], axis=1)
        basis = [np.ones_like(x)]
        for k, (a, c) in enumerate(zip(self.alpha, self.norms[:-1], strict=True)):
            basis.append((x - a) * basis[k] - (c / self.norms[k - 1] * basis[k - 1] if k else 0.0))
        return np.stack([p / np.sqrt(c) for p, c in zip(basis[1:], self.norms[1:], strict=True)], axis=1)


@dataclass(frozen=True, slots=True)
class NaturalSpline:
    """Natural cubic spline basis of R's ``splines::ns``, straight beyond its boundary; result (n, number of interior knots + 1)."""

    knots: tuple[float, ...]
    boundary: tuple[float, float]

    @property
    def domain(self) -> tuple[float, float] | None:
        """Between the boundary knots."""
        return self.boundary

    def apply(self, x: FloatArray) -> FloatArray:
        """Transform x (n,) to (n, k)."""
        return natural_spline_basis(x, np.array(self.knots), np.array(self.boundary))


@dataclass(frozen=True, slots=True)
class BasisSpline:
    """B-spline basis of R's ``splines::bs``, without its first column unless ``intercept``; result (n, k)."""

    knots: tuple[float, ...]
    boundary: tuple[float, float]
    degree: int
    intercept: bool

    @property
    def domain(self) -> tuple[float, float] | None:
        """Between the boundary knots."""
        return self.boundary

    def apply(self, x: FloatArray) -> FloatArray:
        """Transform x (n,) to (n, k); beyond the boundary the outermost polynomials go on, as in R."""
        lower, upper = self.boundary
        padded = np.array([lower] * (self.degree + 1) + list(self.knots) + [upper] * (self.degree + 1))
        basis = BSpline(padded, np.eye(len(padded) - self.degree - 1), self.degree)(x)
        return np.asarray(basis if self.intercept else basis[:, 1:], dtype=np.float64)


def learn_center(x: FloatArray) -> Standardizer:
    """``center(x)``: subtract the mean."""
    return Standardizer(float(np.mean(x)), 1.0)


def learn_scale(x: FloatArray) -> Standardizer:
    """``scale(x)``: subtract the mean, divide by the standard deviation (n - 1), as R does.

    Raises
    ------
    DesignError
        If x is constant.
    """
    shift = float(np.mean(x))
    spread = float(np.sqrt(np.sum((x - shift) ** 2) / max(len(x) - 1, 1)))
    if spread <= NEGLIGIBLE * max(float(np.max(np.abs(x))), np.finfo(float).tiny):
        raise DesignError("a constant column cannot be scaled to a standard deviation of 1", fix="leave the term out of the formula")
    return Standardizer(shift, spread)


def learn_poly(x: FloatArray, degree: float = 1, raw: bool = False) -> Polynomial:
    """``poly(x, degree)``: polynomials orthonormal over the rows given, or raw powers.

    Raises
    ------
    ArgumentError
        If the degree is no positive whole number.
    DesignError
        If x has too few distinct values for the degree.
    """
    k = _whole("degree", degree, least=1)
    distinct = len(np.unique(x))
    if distinct <= k:
        raise DesignError(f"a polynomial of degree {k} needs more than {k} distinct values", fix=f"use a degree below {distinct}")
    trained = float(np.min(x)), float(np.max(x))
    if raw:
        return Polynomial(k, trained=trained)
    alpha, norms = [], [float(len(x))]
    previous, current = np.zeros_like(x), np.ones_like(x)
    for order in range(k):
        alpha.append(float(np.sum(x * current**2) / norms[order]))
        ratio = norms[order] / norms[order - 1] if order else 0.0
        previous, current = current, (x - alpha[order]) * current - ratio * previous
        norms.append(float(np.sum(current**2)))
    return Polynomial(k, tuple(alpha), tuple(norms), trained)


def learn_ns(
    x: FloatArray,
    df: float | None = None,
    knots: Sequence[float] | None = None,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
) -> NaturalSpline:
    """``ns(x, df)`` or ``ns(x, knots=[...])``: natural cubic spline, boundary knots at the range of x unless given.

    Raises
    ------
    ArgumentError
        If ``df`` is no positive whole number, or both ``df`` and ``knots`` are given.
    DesignError
        If the knots are not increasing and strictly inside the boundary.
    """
    boundary = _boundary(x, lower_bound, upper_bound)
    interior = _interior_knots(df, knots, lambda n: natural_spline_knots(x, n).knots, least=1)
    return NaturalSpline(_inside(interior, boundary), boundary)


def learn_bs(
    x: FloatArray,
    df: float | None = None,
    knots: Sequence[float] | None = None,
    degree: float = CUBIC,
    include_intercept: bool = False,
    **bounds: float | None,
) -> BasisSpline:
    """``bs(x, df)`` or ``bs(x, knots=[...])``: B-spline, interior knots at equally spaced quantiles; boundary and ``bounds`` as for ``ns``.

    Raises
    ------
    ArgumentError
        If ``df`` is too small for the degree, or both ``df`` and ``knots`` are given.
    DesignError
        If the knots are not increasing and strictly inside the boundary.
    """
    k = _whole("degree", degree, least=1)
    boundary = _boundary(x, bounds.get("lower_bound"), bounds.get("upper_bound"))
    least = k + int(include_intercept)

    def quantiles(n: int) -> FloatArray:
        return np.asarray(np.quantile(x, np.linspace(0.0, 1.0, n - least + 2)[1:-1]), dtype=float)

    return BasisSpline(_inside(_interior_knots(df, knots, quantiles, least=least), boundary), boundary, k, bool(include_intercept))


LEARNERS: dict[str, Callable[..., Transform]] = {
    "center": learn_center,
    "scale": learn_scale,
    "poly": learn_poly,
    "ns": learn_ns,
    "bs": learn_bs,
}
"""Transforms with a state, by the name that formulas use."""


def _boundary(x: FloatArray, lower: float | None, upper: float | None) -> tuple[float, float]:
    return float(np.min(x)) if lower is None else float(lower), float(np.max(x)) if upper is None else float(upper)


def _interior_knots(df: float | None, knots: Sequence[float] | None, place: Callable[[int], FloatArray], *, least: int) -> list[float]:
    """Interior knots: as given, or placed for ``df`` columns; none when neither is given."""
    if df is not None and knots is not None:
        raise ArgumentError("a spline takes df or knots, not both", fix="leave one of them out")
    if knots is not None:
        return [float(k) for k in np.atleast_1d(np.asarray(knots, dtype=float))]
    n = _whole("df", least if df is None else df, least=least)
    return [float(k) for k in place(n)] if n > least else []


def _inside(knots: list[float], boundary: tuple[float, float]) -> tuple[float, ...]:
    """Check that knots are increasing and strictly inside the boundary."""
    if not np.all(np.diff([boundary[0], *knots, boundary[1]]) > 0.0):
        raise DesignError(
            f"a spline's knots must increase strictly between {boundary[0]:g} and {boundary[1]:g}",
            where=f"knots {', '.join(f'{k:g}' for k in knots) or 'none: the covariate is constant'}",
            fix="use fewer df, or give knots=[...] inside the range; the covariate may have too few distinct values",
        )
    return tuple(knots)


def _whole(name: str, value: float, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < least:
        raise ArgumentError(f"{name}={value!r} must be a whole number of at least {least}")
    return int(value)
