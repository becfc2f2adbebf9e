r"""The marginal covariance of a Gaussian response that random effects imply: :math:`V = Z D Z' + \Sigma`.

References
----------
Verbeke, G. and Molenberghs, G. (2000). *Linear Mixed Models for Longitudinal Data*, section 3.3.
"""

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.types import FloatArray


def shared_covariance(z: FloatArray, sd: FloatArray, corr: FloatArray | None) -> FloatArray:
    r"""Covariance that one group term gives to rows of one level, :math:`Z D Z'`.

    Parameters
    ----------
    z
        (T, q) effect columns of the rows.
    sd
        (..., q) standard deviations, draws first.
    corr
        (..., q, q) correlation matrices; None means uncorrelated.

    Returns
    -------
    ndarray, shape (..., T, T)
        Symmetric exactly.

    Raises
    ------
    ArgumentError
        If shapes do not match.
    """
    z, sd = np.asarray(z, dtype=np.float64), np.asarray(sd, dtype=np.float64)
    if z.ndim != 2 or sd.shape[-1:] != z.shape[1:]:
        raise ArgumentError(
            f"effect columns of shape {z.shape} do not go with standard deviations of shape {sd.shape}",
            fix="give columns (T, q) and standard deviations (..., q) of the same q effects",
        )
    product = np.asarray(z @ covariance_matrix(sd, corr) @ z.T)
    V = product + np.swapaxes(product, -1, -2)
    V *= 0.5
    return V


def add_to_diagonal(V: FloatArray, variance: FloatArray) -> FloatArray:
    """Add variances (..., T), or (..., 1), to the diagonal of V (..., T, T), which is changed in place and returned."""
    own = np.arange(V.shape[-1])
    V[..., own, own] += variance
    return V


def correlation_of(V: FloatArray) -> FloatArray:
    r"""Correlation matrices :math:`V_{kl} / \sqrt{V_{kk} V_{ll}}` of covariance matrices.

    Parameters
    ----------
    V
        (..., T, T) covariance matrices with a positive diagonal.

    Returns
    -------
    ndarray, shape (..., T, T)
        Ones on the diagonal exactly, entries within [-1, 1].

    Raises
    ------
    ArgumentError
        If a variance is not positive and finite.
    """
    V = np.asarray(V, dtype=np.float64)
    variance = np.diagonal(V, axis1=-2, axis2=-1)
    if not (np.isfinite(variance).all() and (variance > 0.0).all()):
        raise ArgumentError(
            "a variance is not positive and finite, so that there is no correlation",
            fix="check the draws for missing values and for variances of zero",
        )
    sd = np.sqrt(variance)
    R = np.clip(V / sd[..., :, None] / sd[..., None, :], -1.0, 1.0)
    return np.where(np.eye(V.shape[-1], dtype=np.bool_), 1.0, R)
