r"""How different subjects are: intervals for the predictor of a random subject, and how many slopes have the other sign.

These say where subjects are, not how sure we are. The predictor of a random subject is :math:`\eta \sim N(m, v)` given the
parameters; over posterior draws it is a mixture of such normals.
"""

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.intervals import Interval, check_prob
from bayesglmm.types import FloatArray

_STEPS = 200  # some sixty halve a bracket to the spacing of doubles; most often ten are enough
_LAST_STEP = 1e-10  # of the bracket; Newton squares the error, so that what is left after it is rounding
_SMALLEST = float(np.finfo(np.float64).tiny)
_ROOT_2PI = float(np.sqrt(2.0 * np.pi))
_VALUES_AT_ONCE = 262144


def heterogeneity_interval(m: FloatArray, v: FloatArray, level: float) -> Interval:
    r"""Central interval of the predictor over subjects, per draw: :math:`m \pm \Phi^{-1}((1 + level)/2)\,\sqrt v`.

    On the response scale it is the inverse link of its ends, for monotone links.

    Parameters
    ----------
    m, v
        (...) mean and variance of the predictor of a random subject.
    level
        Share of subjects inside, between 0 and 1.

    Returns
    -------
    Interval
        Ends of shape (...), on the link scale.

    Raises
    ------
    ArgumentError
        If ``level`` is not inside (0, 1), a variance is negative or something is not finite.
    """
    mean, sd = _law(m, v, level)
    half = float(special.ndtri(0.5 * (1.0 + level))) * sd
    return Interval(mean - half, mean + half)


def predictive_interval(m: FloatArray, v: FloatArray, level: float) -> Interval:
    r"""Central interval of the predictor of a new subject, over posterior draws and random effects.

    The law is the mixture :math:`F(x) = S^{-1} \sum_s \Phi((x - m_s)/\sqrt{v_s})`; its quantiles are found by Newton
    steps and bisection between the smallest and the largest quantile of the components. No simulation.

    Parameters
    ----------
    m, v
        (S, ...) mean and variance of the predictor per draw, draws first.
    level
        Probability inside, between 0 and 1.

    Returns
    -------
    Interval
        Ends of shape (...), on the link scale.

    Raises
    ------
    ArgumentError
        As :func:`heterogeneity_interval`, or if there are no draws.

    References
    ----------
    Press, W. H., Teukolsky, S. A., Vetterling, W. T. and Flannery, B. P. (2007). *Numerical Recipes*, 3rd ed., section 9.4
    (Newton steps safeguarded by bisection).
    """
    mean, sd = _law(m, v, level)
    if mean.ndim == 0 or mean.shape[0] == 0:
        raise ArgumentError("a predictive interval needs draws as its first axis", fix="give arrays of shape (draws, ...)")
    flat_mean, flat_sd = mean.reshape(mean.shape[0], -1), sd.reshape(mean.shape[0], -1)
    columns = max(1, _VALUES_AT_ONCE // mean.shape[0])
    ends = np.empty((2, flat_mean.shape[1]))
    for start in range(0, flat_mean.shape[1], columns):
        part = slice(start, start + columns)
        for end, prob in enumerate((0.5 * (1.0 - level), 0.5 * (1.0 + level))):
            ends[end, part] = _mixture_quantile(flat_mean[:, part], flat_sd[:, part], prob)
    return Interval(ends[0].reshape(mean.shape[1:]), ends[1].reshape(mean.shape[1:]))


def opposite_sign_share(beta: FloatArray, sd: FloatArray) -> FloatArray:
    r"""Share of groups in the population whose slope has the other sign: :math:`\Phi(-|\beta| / sd)`.

    Parameters
    ----------
    beta
        (...) fixed slope.
    sd
        (...) standard deviation of the group slopes, not negative.

    Returns
    -------
    ndarray, shape (...)
        Zero where ``sd`` is zero: all slopes are then equal.

    Raises
    ------
    ArgumentError
        If a standard deviation is negative.
    """
    slope, spread = np.broadcast_arrays(np.abs(np.asarray(beta, dtype=np.float64)), np.asarray(sd, dtype=np.float64))
    if (spread < 0.0).any():
        raise ArgumentError("a standard deviation is negative", fix="give square roots of variances")
    positive = spread > 0.0
    with np.errstate(over="ignore"):
        return np.where(positive, special.ndtr(-slope / np.where(positive, spread, 1.0)), 0.0)


def _law(m: FloatArray, v: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the predictor, of one shape, checked."""
    check_prob("level", level)
    mean, variance = np.broadcast_arrays(np.asarray(m, dtype=np.float64), np.asarray(v, dtype=np.float64))
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()) or (variance < 0.0).any():
        raise ArgumentError(
            "the mean of a predictor is not finite, or its variance is negative or not finite",
            fix="choose rows nearer to the data, and check that the draws are finite and no standard deviation is negative",
        )
    return mean, np.sqrt(variance)


def _mixture_quantile(mean: FloatArray, sd: FloatArray, prob: float) -> FloatArray:
    """Smallest x with F(x) >= prob for the mixture over axis 0, (S, n) to (n,): Newton steps kept in a shrinking bracket.

    A Newton step that leaves the bracket, or is more than half the step before, is replaced by bisection, so that flat
    stretches and jumps of F cost time and not accuracy (the rule of ``rtsafe``, Press et al. 2007, section 9.4).
    """
    component = mean + float(special.ndtri(prob)) * sd
    low, high = component.min(axis=0), component.max(axis=0)
    spacing = 2.0 * np.spacing(np.maximum(np.abs(low), np.abs(high)))
    close = spacing + _LAST_STEP * (high - low)
    x, moved = low + 0.5 * (high - low), high - low
    for _ in range(_STEPS):
        height, slope = _mixture_law(x, mean, sd)
        low, high = np.where(height >= prob, low, x), np.where(height >= prob, x, high)
        newton = x - (height - prob) / np.maximum(slope, _SMALLEST)
        inside = (newton >= low - close) & (newton <= high + close) & (slope > 0.0)
        found = inside & (np.abs(newton - x) <= close)
        if (found | (high - low <= spacing)).all():
            break
        ahead = np.where(found | (inside & (np.abs(newton - x) <= 0.5 * moved)), newton, low + 0.5 * (high - low))
        x, moved = ahead, np.abs(ahead - x)
    return np.where(found, newton, high)


def _mixture_law(x: FloatArray, mean: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """F(x) and its derivative, a component without spread being a step."""
    spread = np.where(sd > 0.0, sd, 1.0)
    with np.errstate(over="ignore"):
        z = (x - mean) / spread
        height = np.where(sd > 0.0, special.ndtr(z), x >= mean)
        slope = np.where(sd > 0.0, np.exp(-0.5 * np.square(z)) / (_ROOT_2PI * spread), 0.0)
    return height.mean(axis=0), slope.mean(axis=0)
