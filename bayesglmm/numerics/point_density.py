r"""Density of draws at one point: a normal density, corrected by a kernel.

.. math:: \hat f(x) = \varphi(x; \hat\mu, \hat\sigma)\, S^{-1} \sum_s K_w(x - x_s) / \varphi(x_s; \hat\mu, \hat\sigma)

with a normal kernel K of width w. A plain kernel estimate is too low at the mode and too high in the tails; this one has no such bias
where the draws are normal, and less of it where they are nearly so, as posterior draws of coefficients mostly are.

References
----------
Hjort, N. L. and Glad, I. K. (1995). Nonparametric density estimation with a parametric start. *Annals of Statistics* 23, 882-904.

Silverman, B. W. (1986). *Density Estimation for Statistics and Data Analysis*, equation (3.31), for the width.
"""

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray

FEWEST_BEYOND = 10
"""Draws that must lie on either side of the point; beyond the draws there is nothing to estimate from."""

_NORMAL_QUARTILES = 1.349  # distance between the quartiles of a standard normal


def density_terms(draws: FloatArray, point: float) -> FloatArray:
    """Terms whose mean is the density at a point.

    Parameters
    ----------
    draws
        Shape (S,).
    point
        Where.

    Returns
    -------
    ndarray, shape (S,)

    Raises
    ------
    ArgumentError
        If the draws do not vary.
    """
    check_varying(draws)
    center, spread = float(draws.mean()), float(draws.std())
    quartiles = float(np.diff(np.quantile(draws, [0.25, 0.75]))[0]) / _NORMAL_QUARTILES
    width = 0.9 * min(spread, quartiles) * len(draws) ** -0.2
    kernel = -0.5 * np.square((point - draws) / width)
    start = 0.5 * (np.square((draws - center) / spread) - ((point - center) / spread) ** 2)
    return np.asarray(np.exp(kernel + start) / (width * np.sqrt(2.0 * np.pi)))


def check_varying(draws: FloatArray, *, where: str | None = None) -> None:
    """Refuse draws of which half or more are one number; ``where`` says to a reader what they are draws of.

    Raises
    ------
    ArgumentError
    """
    lower, upper = np.quantile(draws, [0.25, 0.75])
    if lower == upper:
        fix = "test an inequality instead, such as 'x > 0'"
        raise ArgumentError("the draws do not vary, so they have no density", where=where, fix=fix)


def within_draws(draws: FloatArray, point: float) -> bool:
    """Whether at least ``FEWEST_BEYOND`` draws lie on either side of a point."""
    return bool(min(np.count_nonzero(draws < point), np.count_nonzero(draws > point)) >= FEWEST_BEYOND)
