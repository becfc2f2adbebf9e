r"""Population means and marginal coefficients: what a mixed model says about the average over subjects.

For given parameters the predictor of a random subject is :math:`\eta \sim N(m, v)` with :math:`m = o + x'\beta` and
:math:`v = \sum_t z_t' D_t z_t`, however many effects and factors there are, so each population mean
:math:`\pi_M = E\,h(\eta)` is a one-dimensional integral: closed for identity, log and probit, by
:mod:`bayesglmm.numerics.quadrature` for the others, never by simulation.
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.numerics.links import Link, get_link
from bayesglmm.numerics.quadrature import DEFAULT_TOLERANCE, NormalRule, normal_average, normal_rule
from bayesglmm.types import FloatArray

LOGIT_ATTENUATION = 16.0 * float(np.sqrt(3.0)) / (15.0 * float(np.pi))
"""The constant c of Zeger, Liang and Albert (1988): expit(x) is close to Phi(c x); c^2 is 0.346."""

_SMALLEST_MEAN = float(np.finfo(np.float64).tiny)


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
    rule = _rule_for(link, wide_v, tolerance)
    if rule is None:
        return PopulationMean(link.inverse(wide_m), 0.0)
    averages = normal_average(link.inverse, wide_m, np.sqrt(wide_v), rule)
    return PopulationMean(np.where(wide_v == 0.0, link.inverse(wide_m), averages), rule.bound)


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
    rule = _rule_for(link, wide_v, tolerance)
    if rule is None:
        return PopulationPredictor(wide_m.copy(), 0.0)
    return PopulationPredictor(np.where(wide_v == 0.0, wide_m, _predictor_by_rule(link, wide_m, np.sqrt(wide_v), rule)), rule.bound)


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


def _rule_for(link: Link, v: FloatArray, tolerance: float) -> NormalRule | None:
    """Rule for the largest variance; none is needed when all are zero."""
    largest = float(np.sqrt(v.max(initial=0.0)))
    return None if largest == 0.0 else normal_rule(link.name, largest, tolerance=tolerance)


def _predictor_by_rule(link: Link, m: FloatArray, s: FloatArray, rule: NormalRule) -> FloatArray:
    """g(E h) from the smaller tail; the upper one is averaged only where the mean is above one half."""
    if link.complement is None or link.link_of_tails is None:
        return link.link(normal_average(link.inverse, m, s, rule))
    mean = np.asarray(np.maximum(normal_average(link.inverse, m, s, rule), _SMALLEST_MEAN))
    upper = mean > 0.5
    rest = np.asarray(1.0 - mean)
    rest[upper] = np.maximum(normal_average(link.complement, m[upper], s[upper], rule), _SMALLEST_MEAN)
    return link.link_of_tails(mean, rest)


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
