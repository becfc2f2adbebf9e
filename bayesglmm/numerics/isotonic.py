"""Isotonic regression of shares on predictions: the calibration curve that is as close to the data as an increasing one can be."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """Distinct predictions in order.

    Attributes
    ----------
    values
        Shape (m,), increasing.
    step
        Shape (n,): where each row's prediction is among them.
    size
        Shape (m,): trials at each.
    """

    values: FloatArray
    step: IntArray
    size: FloatArray


def make_ladder(predicted: FloatArray, trials: FloatArray) -> Ladder:
    """Sort predictions, equal ones into one; rows without trials are left out by their weight of zero.

    Parameters
    ----------
    predicted, trials
        Shape (n,).
    """
    values, step = np.unique(predicted, return_inverse=True)
    return Ladder(values, step.reshape(-1).astype(np.int64), np.bincount(step.reshape(-1), trials, len(values)))


def increasing_shares(ladder: Ladder, successes: FloatArray) -> FloatArray:
    r"""Shares of successes at each prediction, as an increasing function of it.

    .. math:: \min_{f_1 \le \dots \le f_m} \sum_k n_k (s_k / n_k - f_k)^2

    Parameters
    ----------
    ladder
        Of the predictions, with at least one trial at each.
    successes
        Shape (n,): successes of each row.

    Returns
    -------
    ndarray, shape (m,)

    References
    ----------
    Dimitriadis, T., Gneiting, T. and Jordan, A. I. (2021). Stable reliability diagrams for probabilistic classifiers. *Proceedings of the
    National Academy of Sciences* 118, e2016191118.
    """
    total = np.bincount(ladder.step, successes, len(ladder.values))
    return np.asarray(isotonic_regression(total / ladder.size, weights=ladder.size).x)
