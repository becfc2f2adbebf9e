r"""Population means and marginal coefficients: what a mixed model says about the average over subjects.

For given parameters the predictor of a random subject is :math:`\eta \sim N(m, v)` with :math:`m = o + x'\beta` and
:math:`v = \sum_t z_t' D_t z_t`, however many effects and factors there are, so each population mean
:math:`\pi_M = E\,h(\eta)` is a one-dimensional integral: closed for identity, log and probit, by
:mod:`bayesglmm.numerics.quadrature` for the others, never by simulation. Many of them come from one table
(:mod:`bayesglmm.numerics.tabulate`), whose bound is held to the same tolerance.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.numerics.links import Elementwise, Link, get_link
from bayesglmm.numerics.quadrature import DEFAULT_TOLERANCE, NormalRule, normal_average, normal_rule
from bayesglmm.numerics.tabulate import SMALLEST_TAIL, octaves, worthwhile_table
from bayesglmm.types import FloatArray

LOGIT_ATTENUATION = 16.0 * float(np.sqrt(3.0)) / (15.0 * float(np.pi))
"""The constant c of Zeger, Liang and Albert (1988): expit(x) is close to Phi(c x); c^2 is 0.346."""

_SMALLEST_MEAN = float(np.finfo(np.float64).tiny)
_NO_OCTAVE = -2000  # stands for that of a standard deviation of zero; doubles begin above 2^-1100


@dataclass(frozen=True, slots=True)
class PopulationMean:
    """Means over normal random effects.

    Attributes
    ----------
    value
        (...) E h(eta), on the response scale.
    bound
        Upper bound on the absolute error of every entry; 0 for a closed form, which is exact up to rounding.
    """

    value: FloatArray
    bound: float


@dataclass(frozen=True, slots=True)
class PopulationPredictor:
    """The link of means over normal random effects.

    Attributes
    ----------
    value
        (...) g(E h(eta)), on the link scale.
    mean_bound
        Upper bound on the absolute error of E h(eta); on the link scale it is this divided by h'(value), to first order.
    """

    value: FloatArray
    mean_bound: float


def population_mean(link_name: str, m: FloatArray, v: FloatArray, *, tolerance: float = DEFAULT_TOLERANCE) -> PopulationMean:
    r"""Mean of the response over normal predictors, :math:`E\,h(\eta)` with :math:`\eta \sim N(m, v)`.

    .. math:: \text{identity: } m, \quad \text{log: } e^{m + v/2}, \quad \text{probit: } \Phi(m / \sqrt{1 + v}),
              \quad \text{else } \textstyle\int h(m + \sqrt{v}\,e)\,\phi(e)\,de.

    Parameters
    ----------
    link_name
        Name of the link.
    m, v
        Mean and variance of the predictor, finite, of shapes that broadcast to (...).
    tolerance
        Largest absolute error of the quadrature, whatever m and v.

    Returns
    -------
    PopulationMean
        Where v is zero the value is h(m), exactly.

    Raises
    ------
    FamilyError
        If the link is unknown or has no population mean (inverse, sqrt); gives the reason.
    ArgumentError
        If a variance is negative or anything is not finite.

    References
    ----------
    Zeger, S. L., Liang, K.-Y. and Albert, P. S. (1988). *Biometrics* 44, 1049-1060.
    """
    link = _averaging_link(link_name)
    wide_m, wide_v = _predictor_law(m, v)
    if link.marginal_predictor is not None:
        return PopulationMean(link.inverse(link.marginal_predictor(wide_m, wide_v)), 0.0)
    tails = _tails(link, wide_m.reshape(-1), wide_v.reshape(-1), tolerance)
    return PopulationMean(tails.lower.reshape(wide_m.shape), tails.bound)


def population_predictor(link_name: str, m: FloatArray, v: FloatArray, *, tolerance: float = DEFAULT_TOLERANCE) -> PopulationPredictor:
    r"""Link of the population mean, :math:`g(E\,h(\eta))` with :math:`\eta \sim N(m, v)`.

    Closed forms give it directly (m; m + v/2; m / sqrt(1 + v)). Otherwise it is taken from whichever of E h and E(1 - h) is
    smaller, each averaged on its own, so that a mean that rounds to one still has a finite predictor.

    Parameters
    ----------
    link_name, m, v, tolerance
        As for :func:`population_mean`.

    Returns
    -------
    PopulationPredictor
        Where v is zero the value is m, exactly. A mean below the range of a double is taken as the smallest double.

    Raises
    ------
    FamilyError, ArgumentError
        As :func:`population_mean`.
    """
    link = _averaging_link(link_name)
    wide_m, wide_v = _predictor_law(m, v)
    if link.marginal_predictor is not None:
        return PopulationPredictor(link.marginal_predictor(wide_m, wide_v), 0.0)
    tails = _tails(link, wide_m.reshape(-1), wide_v.reshape(-1), tolerance)
    for tail in (tails.lower, tails.upper):
        np.maximum(tail, _SMALLEST_MEAN, out=tail)
    value = link.link(tails.lower) if link.link_of_tails is None else link.link_of_tails(tails.lower, tails.upper)
    value = value.reshape(wide_m.shape)
    np.copyto(value, wide_m, where=wide_v == 0.0)
    return PopulationPredictor(value, tails.bound)


def marginal_coefficients(
    X: FloatArray, population_eta: FloatArray, *, offset: FloatArray | None = None, weights: FloatArray | None = None
) -> FloatArray:
    r"""Coefficients of the population mean: the projection of its predictor on the design, per draw.

    .. math:: \beta_M = (X'WX)^{-1} X'W\,(g(\pi_M) - o)

    with W the row weights (not IRLS weights), computed from the QR decomposition of :math:`W^{1/2} X`.

    Parameters
    ----------
    X
        (n, p) fixed-effects design.
    population_eta
        (..., n) link of the population means, draws first, from :func:`population_predictor`.
    offset
        (n,) known part of the predictor; none means zero.
    weights
        (n,) row weights, not negative; none means one.

    Returns
    -------
    ndarray, shape (..., p)

    Raises
    ------
    DesignError
        If the weighted design has fewer rows than columns, or linearly dependent columns.
    ArgumentError
        If shapes do not match, a weight is negative, or a number is not finite.

    References
    ----------
    Hedeker, D., du Toit, S. H. C., Demirtas, H. and Gibbons, R. D. (2018). A note on marginalization of regression
    parameters from mixed models of binary outcomes. *Biometrics* 74, 354-361.
    """
    X = np.asarray(X, dtype=np.float64)
    eta = np.asarray(population_eta, dtype=np.float64)
    shift = np.zeros(X.shape[:1]) if offset is None else np.asarray(offset, dtype=np.float64)
    root = np.ones(X.shape[:1]) if weights is None else _root_weights(weights)
    _check_projection(X, eta, shift, root)
    target = eta - shift
    Q, R = linalg.qr(root[:, None] * X, mode="economic")
    _check_rank(X, root, R)
    stacked = (target * root).reshape(-1, X.shape[0])
    solution = linalg.solve_triangular(R, Q.T @ stacked.T)
    return np.ascontiguousarray(solution.T).reshape(*target.shape[:-1], X.shape[1])


def logit_attenuation(variance: FloatArray) -> FloatArray:
    r"""Approximate ratio of marginal to subject-specific logit coefficients for random intercepts.

    .. math:: \beta_M / \beta \approx (1 + c^2 v)^{-1/2}, \qquad c = \frac{16 \sqrt 3}{15 \pi}, \; c^2 = 0.346

    Shown next to the exact coefficients, never used for them.

    Parameters
    ----------
    variance
        (...) variance v of the random intercepts.

    Returns
    -------
    ndarray, shape (...)

    References
    ----------
    Zeger, S. L., Liang, K.-Y. and Albert, P. S. (1988). *Biometrics* 44, 1049-1060.
    """
    v = np.asarray(variance, dtype=np.float64)
    return np.asarray(1.0 / np.sqrt(1.0 + LOGIT_ATTENUATION**2 * v))


def _averaging_link(link_name: str) -> Link:
    """Return the link, if it has a population mean."""
    link = get_link(link_name)
    if link.refusal is not None:
        raise FamilyError(
            f"there is no population mean under the {link_name} link",
            where=link.refusal,
            fix="use the target 'average_subject', 'observed_groups' or 'group', or another link",
        )
    return link


def _predictor_law(m: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance as float arrays of one shape, checked."""
    wide_m, wide_v = np.broadcast_arrays(np.asarray(m, dtype=np.float64), np.asarray(v, dtype=np.float64))
    if not (np.isfinite(wide_m).all() and np.isfinite(wide_v).all()):
        raise ArgumentError("the mean or variance of a linear predictor is not finite", fix="check the draws for missing values")
    if (wide_v < 0.0).any():
        raise ArgumentError(f"a variance of a linear predictor is negative ({wide_v.min():g})")
    return wide_m, wide_v


@dataclass(frozen=True, slots=True)
class _Tails:
    """E h and E(1 - h), each of shape (n,), and a bound on the absolute error of both."""

    lower: FloatArray
    upper: FloatArray
    bound: float


def _tails(link: Link, m: FloatArray, v: FloatArray, tolerance: float) -> _Tails:
    """Both tails of the mean at every (m, v), octave by octave of the standard deviation; exact where v is zero."""
    s = np.sqrt(v)
    octave = np.where(v > 0.0, octaves(s), _NO_OCTAVE)
    lower, upper, bound = np.empty(m.shape), np.empty(m.shape), 0.0
    for each in np.flatnonzero(np.bincount(octave - _NO_OCTAVE)) + _NO_OCTAVE:
        at = slice(None) if np.all(octave == each) else np.flatnonzero(octave == each)
        part = _exact(link, m[at]) if each == _NO_OCTAVE else _octave_tails(link, m[at], s[at], int(each), tolerance)
        lower[at], upper[at], bound = part.lower, part.upper, max(bound, part.bound)
    return _Tails(lower, upper, bound)


def _exact(link: Link, m: FloatArray) -> _Tails:
    return _Tails(link.inverse(m), _complement(link)(m), 0.0)


def _octave_tails(link: Link, m: FloatArray, s: FloatArray, octave: int, tolerance: float) -> _Tails:
    """Tails for standard deviations of one octave: from a table where that pays, by the rule elsewhere and far out in a tail."""
    rule = normal_rule(link.name, float(s.max()), tolerance=tolerance)
    table = worthwhile_table(link.name, m, octave, rule, tolerance)
    if table is None:
        return _Tails(*_by_rule(link, m, s, rule), rule.bound)
    lower = table.mean(np.clip(m, table.lowest, table.highest), s)
    upper = 1.0 - lower
    again = np.flatnonzero((m < table.lowest) | (m > table.highest) | (np.minimum(lower, upper) < SMALLEST_TAIL))
    if again.size == 0:
        return _Tails(lower, upper, table.bound)
    lower[again], upper[again] = _by_rule(link, m[again], s[again], rule)
    return _Tails(lower, upper, max(table.bound, rule.bound))


def _by_rule(link: Link, m: FloatArray, s: FloatArray, rule: NormalRule) -> tuple[FloatArray, FloatArray]:
    """Both tails by one average each: of the tail that is the smaller one without random effects, so that it keeps its digits."""
    high = np.asarray(link.inverse(m) > 0.5)
    lower, upper = np.empty(m.shape), np.empty(m.shape)
    lower[~high] = normal_average(link.inverse, m[~high], s[~high], rule)
    upper[high] = normal_average(_complement(link), m[high], s[high], rule)
    upper[~high], lower[high] = 1.0 - lower[~high], 1.0 - upper[high]
    return lower, upper


def _complement(link: Link) -> Elementwise:
    """Return 1 - h."""
    return link.complement if link.complement is not None else lambda eta: 1.0 - link.inverse(eta)


def _root_weights(weights: FloatArray) -> FloatArray:
    """Square roots of the row weights."""
    w = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(w).all() or (w < 0.0).any():
        raise ArgumentError("a row weight is negative or not finite")
    return np.sqrt(w)


def _check_projection(X: FloatArray, eta: FloatArray, shift: FloatArray, root: FloatArray) -> None:
    """Refuse shapes that do not match, numbers that are not finite, and too few rows."""
    rows = X.shape[:1]
    if X.ndim != 2 or eta.shape[-1:] != rows or shift.shape != rows or root.shape != rows:
        raise ArgumentError(
            f"shapes do not match: design {X.shape}, predictor {eta.shape}, offset {shift.shape}, weights {root.shape}",
            fix="pass (n, p), (..., n), (n,) and (n,)",
        )
    if not (np.isfinite(X).all() and np.isfinite(eta).all() and np.isfinite(shift).all()):
        raise ArgumentError("the design, the offset or the population predictor is not finite", fix="check the draws for missing values")
    if np.count_nonzero(root) < X.shape[1]:
        raise DesignError(f"{X.shape[1]} marginal coefficients cannot be computed from {np.count_nonzero(root)} weighted rows")


def _check_rank(X: FloatArray, root: FloatArray, R: FloatArray) -> None:
    """Refuse a column that the ones before it explain, up to rounding relative to its own length."""
    lengths = np.linalg.norm(root[:, None] * X, axis=0)
    dependent = np.flatnonzero(np.abs(np.diag(R)) <= X.shape[0] * np.finfo(np.float64).eps * lengths)
    if dependent.size:
        raise DesignError("columns of the design are linearly dependent", where=f"column {dependent[0]} (counted from 0)")
