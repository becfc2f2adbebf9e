r"""Condition of columns: how close some of them come to a combination of the others."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """How well columns can be told apart.

    Attributes
    ----------
    number
        Largest over smallest singular value of the columns at length one; 1 for orthogonal columns, and for fewer than two.
    shares
        Shape (p,): the share of each coefficient's variance that goes with the smallest singular value; two or more large ones name the
        columns that are nearly dependent.
    """

    number: float
    shares: FloatArray


def condition(X: FloatArray, *, center: bool) -> Condition:
    r"""Condition number of scaled columns, and the variance decomposition that names the columns behind it.

    .. math:: \kappa = d_1 / d_p, \qquad \pi_j = \frac{v_{jp}^2 / d_p^2}{\sum_k v_{jk}^2 / d_k^2}

    with the singular value decomposition :math:`U \operatorname{diag}(d) V'` of the columns divided by their lengths.

    Parameters
    ----------
    X
        Shape (n, p), columns that are not zero.
    center
        Whether means are taken out first: for the columns beside a constant.

    References
    ----------
    Belsley, D. A., Kuh, E. and Welsch, R. E. (1980). *Regression Diagnostics*, Wiley, chapter 3.
    """
    p = X.shape[1]
    if p < 2:
        return Condition(1.0, np.zeros(p))
    columns = X - X.mean(axis=0) if center else X
    # the triangle of a QR decomposition has the same singular values and vectors, and p rows instead of n
    triangle = np.linalg.qr(columns / np.linalg.norm(columns, axis=0), mode="r")
    _, d, Vt = np.linalg.svd(triangle)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.square(Vt.T / d)
        return Condition(float(d[0] / d[-1]), np.nan_to_num(parts[:, -1] / parts.sum(axis=1), nan=1.0))
