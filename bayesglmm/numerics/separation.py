"""Separation: predictors that split an outcome, so that the likelihood alone has no largest value."""

import numpy as np

from bayesglmm.types import BoolArray, FloatArray, IntArray


def splits(x: FloatArray, failure: BoolArray, success: BoolArray) -> bool:
    """Whether a threshold in ``x`` parts failures from successes, ties at the threshold allowed (quasi-complete separation).

    Parameters
    ----------
    x
        Shape (n,).
    failure, success
        Shape (n,): rows with at least one failure, and with at least one success; a row of many trials can be both.

    References
    ----------
    Albert, A. and Anderson, J. A. (1984). On the existence of maximum likelihood estimates in logistic regression models. *Biometrika* 71,
    1-10.
    """
    if not failure.any() or not success.any() or np.ptp(x) == 0.0:
        return False
    low, high = x[failure], x[success]
    return bool(low.max() <= high.min() or high.max() <= low.min())


def one_sided(codes: IntArray, n_levels: int, happened: FloatArray, possible: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Tell the levels in which nothing happened, and those in which everything possible did, (L,) each.

    Parameters
    ----------
    codes
        Shape (n,): the level of each row; every level occurs.
    n_levels
        L.
    happened, possible
        Shape (n,): successes and trials of each row; infinite trials for counts without an upper limit.
    """
    total = np.bincount(codes, weights=happened, minlength=n_levels)
    most = np.bincount(codes, weights=possible, minlength=n_levels)
    return np.asarray(total == 0.0), np.asarray((total == most) & (most > 0.0))
