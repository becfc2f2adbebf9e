r"""Intervals from posterior draws: equal-tailed and highest-density. Draws are the first axis unless said otherwise."""

from typing import NamedTuple

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray, IntervalKind, check_choice


class Interval(NamedTuple):
    """Two ends of an interval.

    Attributes
    ----------
    lower, upper
        Arrays of one shape.
    """

    lower: FloatArray
    upper: FloatArray


def equal_tailed(draws: FloatArray, prob: float, axis: int = 0) -> Interval:
    r"""Interval between the quantiles :math:`(1 - prob)/2` and :math:`(1 + prob)/2`.

    Parameters
    ----------
    draws
        Posterior draws, chains flattened.
    prob
        Probability in the interval, between 0 and 1.
    axis
        The axis of the draws; it disappears.

    Returns
    -------
    Interval
        Ends of the shape of ``draws`` without ``axis``. Quantiles by linear interpolation (Hyndman and Fan 1996, type 7,
        as R's and ArviZ's default).

    Raises
    ------
    ArgumentError
        If there are no draws, one is missing, or ``prob`` is not inside (0, 1).
    """
    values = _checked(draws, prob, axis)
    lower, upper = np.quantile(values, [0.5 * (1.0 - prob), 0.5 * (1.0 + prob)], axis=0)
    return Interval(np.asarray(lower), np.asarray(upper))


def highest_density(draws: FloatArray, prob: float, axis: int = 0) -> Interval:
    r"""Shortest interval between two draws with :math:`\lfloor prob \cdot S \rfloor` steps between them.

    Parameters
    ----------
    draws, prob, axis
        As for :func:`equal_tailed`.

    Returns
    -------
    Interval
        The first of several shortest ones. One interval also for several modes.

    Raises
    ------
    ArgumentError
        As :func:`equal_tailed`.

    References
    ----------
    Chen, M.-H. and Shao, Q.-M. (1999). Monte Carlo estimation of Bayesian credible and HPD intervals. *Journal of
    Computational and Graphical Statistics* 8, 69-92. Same rule as ArviZ's ``hdi(method="nearest")``.
    """
    values = np.sort(_checked(draws, prob, axis), axis=0)
    steps = min(int(np.floor(prob * values.shape[0])), values.shape[0] - 1)
    starts = values[: values.shape[0] - steps]
    best = np.argmin(values[steps:] - starts, axis=0)[None]
    return Interval(np.take_along_axis(values, best, axis=0)[0], np.take_along_axis(values, best + steps, axis=0)[0])


def interval(draws: FloatArray, prob: float, kind: IntervalKind, axis: int = 0) -> Interval:
    """Interval of the kind asked for: ``"eti"`` equal-tailed, ``"hdi"`` highest density.

    Parameters
    ----------
    draws, prob, axis
        As for :func:`equal_tailed`.
    kind
        Which interval.

    Returns
    -------
    Interval

    Raises
    ------
    ArgumentError
        If ``kind`` is not known, or as :func:`equal_tailed`.
    """
    return {"eti": equal_tailed, "hdi": highest_density}[check_choice("ci_kind", kind, IntervalKind)](draws, prob, axis)


def check_prob(name: str, prob: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1.

    Raises
    ------
    ArgumentError
    """
    if not 0.0 < prob < 1.0:
        raise ArgumentError(f"{name}={prob} is not a probability between 0 and 1", fix="for 95 % pass 0.95")


def _checked(draws: FloatArray, prob: float, axis: int) -> FloatArray:
    """Draws as floats with their axis first; refuses none, missing ones, and an impossible probability."""
    check_prob("ci_prob", prob)
    values = np.moveaxis(np.asarray(draws, dtype=np.float64), axis, 0)
    if values.shape[0] == 0 or np.isnan(values).any():
        raise ArgumentError("an interval needs draws, none of them missing", where=f"draws of shape {values.shape}")
    return values
