r"""Generalized least squares with the effects of groups integrated out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RandomBlock:
    """Effects of the levels of one factor.

    Attributes
    ----------
    index
        Shape (n,): the level of each row.
    Z
        Shape (n, q): effect columns.
    covariance
        Shape (q, q): covariance of the effects of a level; may be singular.
    """

    index: IntArray
    Z: FloatArray
    covariance: FloatArray

    def take(self, rows: IntArray) -> "RandomBlock":
        """Take some rows."""
        return RandomBlock(self.index[rows], self.Z[rows], self.covariance)


def generalized_least_squares(
    X: FloatArray, y: FloatArray, precision: FloatArray, blocks: Sequence[RandomBlock]
) -> tuple[FloatArray, FloatArray]:
    r"""Coefficients of a linear model whose rows share random effects of known variance.

    .. math:: \hat\beta = (X'V^{-1}X)^{-1} X'V^{-1} y, \qquad \operatorname{cov} \hat\beta = (X'V^{-1}X)^{-1},
              \qquad V = \operatorname{diag}(1 / w) + \textstyle\sum_t Z_t D_t Z_t'

    Parameters
    ----------
    X
        Shape (n, p), of full rank.
    y
        Shape (n,).
    precision
        Shape (n,): reciprocals w of the residual variances.
    blocks
        Random effects.

    Returns
    -------
    tuple
        Coefficients (p,) and their covariance (p, p).

    Notes
    -----
    No matrix of rows by rows is made: with :math:`A = Z L`, :math:`D = L L'`, :math:`V^{-1} = W - W A (I + A'WA)^{-1} A'W` (Woodbury 1950),
    and the inner matrix is sparse.

    References
    ----------
    Henderson, C. R. (1975). Best linear unbiased estimation and prediction under a selection model. *Biometrics* 31, 423-447.
    """
    weighted = precision[:, None] * np.column_stack([X, y])
    if blocks:
        A: Any = sparse.hstack([_scaled_columns(block) for block in blocks], format="csr")
        inner = sparse.csc_array(sparse.eye_array(A.shape[1]) + A.T @ sparse.csr_array(A.multiply(precision[:, None])))
        weighted = weighted - precision[:, None] * (A @ linalg.splu(inner).solve(A.T @ weighted))
    p = X.shape[1]
    information = X.T @ weighted[:, :p]
    covariance = np.linalg.inv(0.5 * (information + information.T))
    return covariance @ (X.T @ weighted[:, p]), covariance


def _scaled_columns(block: RandomBlock) -> Any:
    """Columns (n, levels x q), sparse, of the effects in units of their SDs."""
    values, vectors = np.linalg.eigh(block.covariance)
    scaled = block.Z @ (vectors * np.sqrt(np.maximum(values, 0.0)))
    n, q = scaled.shape
    level = np.unique(block.index, return_inverse=True)[1].reshape(-1)
    columns = level[:, None] * q + np.arange(q)
    return sparse.csr_array((scaled.ravel(), columns.ravel(), np.arange(0, n * q + 1, q)), shape=(n, q * (int(level.max()) + 1)))
