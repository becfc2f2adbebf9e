r"""Natural cubic splines, equal to R's ``splines::ns`` (without its intercept column).

A cubic spline is natural when its second derivative vanishes at both boundary knots. With B the cubic B-splines on the
interior knots and fourfold boundary knots, first one dropped, and C the (2, df + 2) matrix of their second derivatives at
the boundary, the basis is :math:`B Q_2`, where :math:`C' = [Q_1\;Q_2] R` is the QR decomposition by Householder
reflections: the columns of :math:`Q_2` span the null space of C.

References
----------
de Boor, C. (2001). *A Practical Guide to Splines*, revised ed., chapter IX. R Core Team, ``splines::ns``. Reflections of
LAPACK and of R's LINPACK choose the same signs, so that the bases agree column by column.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.interpolate import BSpline

from bayesglmm.errors import DesignError
from bayesglmm.types import FloatArray

_DEGREE = 3


class SplineKnots(NamedTuple):
    """Knots of a natural cubic spline.

    Attributes
    ----------
    knots
        (df - 1,) interior knots, increasing.
    boundary
        (2,) smallest and largest value.
    """

    knots: FloatArray
    boundary: FloatArray


def natural_spline_knots(x: FloatArray, df: int) -> SplineKnots:
    """Knots that ``splines::ns(x, df)`` chooses: interior ones at equally spaced quantiles (type 7), boundary at the range.

    Parameters
    ----------
    x
        (n,) values of the covariate, finite.
    df
        Columns of the basis, at least 1.

    Returns
    -------
    SplineKnots

    Raises
    ------
    DesignError
        If ``df`` is no positive integer, or x has too few distinct values, so that knots coincide.
    """
    x = np.asarray(x, dtype=np.float64)
    if int(df) != df or df < 1:
        raise DesignError(f"a natural spline with df={df} is not possible", fix="df is a whole number, at least 1")
    if x.size == 0 or not np.isfinite(x).all():
        raise DesignError("a spline needs values, all of them finite")
    boundary = np.array([x.min(), x.max()])
    knots = np.quantile(x, np.linspace(0.0, 1.0, int(df) + 1)[1:-1])
    _check_knots(knots, boundary)
    return SplineKnots(np.asarray(knots, dtype=np.float64), boundary)


def natural_spline_basis(x: FloatArray, knots: FloatArray, boundary: FloatArray) -> FloatArray:
    """Basis of natural cubic splines, as ``splines::ns(x, knots=knots, Boundary.knots=boundary)``.

    Parameters
    ----------
    x
        (n,) values, finite; beyond the boundary the basis goes on in straight lines.
    knots
        (k,) interior knots, increasing, strictly inside the boundary.
    boundary
        (2,) boundary knots.

    Returns
    -------
    ndarray, shape (n, k + 1)

    Raises
    ------
    DesignError
        If the knots are not increasing and inside the boundary, or a value is not finite.
    """
    x = np.asarray(x, dtype=np.float64)
    knots, boundary = np.asarray(knots, dtype=np.float64), np.asarray(boundary, dtype=np.float64)
    _check_knots(knots, boundary)
    _check_finite(x)
    sequence = np.concatenate([np.repeat(boundary[0], _DEGREE + 1), knots, np.repeat(boundary[1], _DEGREE + 1)])
    splines = BSpline(sequence, np.eye(sequence.size - _DEGREE - 1), _DEGREE)
    B = _continued(splines, x, boundary)[:, 1:]
    C = splines.derivative(2)(boundary)[:, 1:]
    Q, _ = linalg.qr(C.T)
    return np.asarray(B @ Q[:, 2:], dtype=np.float64)


def _continued(splines: BSpline, x: FloatArray, boundary: FloatArray) -> FloatArray:
    """Return all B-splines (n, k) inside the boundary, and their tangents at its ends beyond."""
    inside = np.clip(x, boundary[0], boundary[1])
    return np.asarray(splines(inside) + splines.derivative(1)(inside) * (x - inside)[:, None], dtype=np.float64)


def _check_knots(knots: FloatArray, boundary: FloatArray) -> None:
    """Refuse knots that coincide or lie outside."""
    if not (np.diff(np.concatenate([boundary[:1], knots, boundary[1:]])) > 0.0).all():
        raise DesignError(
            "the knots of a spline coincide or lie outside its boundary",
            where=f"interior knots {knots.tolist()}, boundary {boundary.tolist()}",
            fix="use fewer degrees of freedom, or give the knots",
        )


def _check_finite(x: FloatArray) -> None:
    """Refuse missing and infinite values."""
    bad = np.flatnonzero(~np.isfinite(x))
    if bad.size:
        shown = ", ".join(str(row) for row in bad[:5]) + (", ..." if bad.size > 5 else "")
        raise DesignError("a spline needs finite values", where=f"rows {shown}")
