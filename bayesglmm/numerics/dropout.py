r"""Monotone drop-out that depends on the last observed response: missing at random in the sense of Rubin (1976, *Biometrika* 63)."""

import numpy as np
from scipy import special

from bayesglmm.types import BoolArray, FloatArray


def leaving_probability(y: FloatArray, level: float, slope: float) -> FloatArray:
    r"""Compute the chance to leave after a visit from the response there, :math:`\operatorname{expit}(a + c\,y)`.

    Parameters
    ----------
    y
        (...) responses.
    level, slope
        a and c, on the logit scale; the slope per unit of the response.

    Returns
    -------
    ndarray, shape (...)
    """
    return np.asarray(special.expit(level + slope * np.asarray(y, dtype=np.float64)))


def observed_visits(leaving: FloatArray, uniforms: FloatArray) -> BoolArray:
    """Visits that are observed: the first always, each later one unless the subject has left before.

    Parameters
    ----------
    leaving
        (J, T) chance to leave after each visit; what it is after a visit that is not observed plays no part.
    uniforms
        (J, T) numbers in [0, 1): a subject leaves after a visit when its number is below the chance.

    Returns
    -------
    ndarray, shape (J, T)
        Each row is True up to a visit and False after it.
    """
    stays = uniforms[:, :-1] >= leaving[:, :-1]
    first = np.ones((len(stays), 1), dtype=np.bool_)
    return np.concatenate([first, np.logical_and.accumulate(stays, axis=1)], axis=1)
