r"""Covariance matrices of random effects: from standard deviations and correlations, and what they do to a predictor.

:math:`D = \operatorname{diag}(sd)\,R\,\operatorname{diag}(sd)`; draws come first, effects last.
"""

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray


def covariance_matrix(sd: FloatArray, corr: FloatArray | None) -> FloatArray:
    r"""Covariance matrix :math:`D_{kl} = sd_k\,R_{kl}\,sd_l`.

    Parameters
    ----------
    sd
        (..., q) standard deviations.
    corr
        (..., q, q) correlation matrices; None means uncorrelated.

    Returns
    -------
    ndarray, shape (..., q, q)
    """
    sd = np.asarray(sd, dtype=np.float64)
    R = np.eye(sd.shape[-1]) if corr is None else np.asarray(corr, dtype=np.float64)
    return sd[..., :, None] * R * sd[..., None, :]


def linear_predictor_variance(z: FloatArray, sd: FloatArray, corr: FloatArray | None) -> FloatArray:
    r"""Variance that one group term gives to the predictor: :math:`v_i = z_i' D z_i`.

    Variances of several terms (factors) add, because their effects are independent.

    Parameters
    ----------
    z
        (n, q) effect columns of each row.
    sd
        (..., q) standard deviations, draws first.
    corr
        (..., q, q) correlation matrices; None means uncorrelated.

    Returns
    -------
    ndarray, shape (..., n)
        Not negative.

    Notes
    -----
    One product of the (..., q^2) entries of D with the (q^2, n) products z_k z_l: no array of draws x rows x effects.
    """
    z = np.asarray(z, dtype=np.float64)
    sd = np.asarray(sd, dtype=np.float64)
    if z.ndim != 2 or sd.shape[-1:] != z.shape[1:]:
        raise ArgumentError(f"effect columns of shape {z.shape} do not go with standard deviations of shape {sd.shape}")
    if corr is None:
        return np.square(sd) @ np.square(z).T
    D = covariance_matrix(sd, corr)
    products = (z[:, :, None] * z[:, None, :]).reshape(z.shape[0], -1)
    return np.maximum(D.reshape(*D.shape[:-2], -1) @ products.T, 0.0)


def correlation_cholesky(corr: FloatArray) -> FloatArray:
    r"""Lower Cholesky factor of correlation matrices, :math:`R = L L'`.

    Parameters
    ----------
    corr
        (..., q, q) correlation matrices.

    Returns
    -------
    ndarray, shape (..., q, q)
        Lower triangular, rows of length one.

    Raises
    ------
    ArgumentError
        If a matrix is not positive definite, or its diagonal is not one.
    """
    R = np.asarray(corr, dtype=np.float64)
    if not np.allclose(np.diagonal(R, axis1=-2, axis2=-1), 1.0, rtol=0.0, atol=1e-8):
        raise ArgumentError("a correlation matrix does not have ones on its diagonal")
    try:
        return np.linalg.cholesky(R)
    except np.linalg.LinAlgError as error:
        raise ArgumentError("a correlation matrix is not positive definite") from error


def correlation_from_cholesky(L: FloatArray) -> FloatArray:
    r"""Correlation matrix from the Cholesky factor of a correlation or covariance matrix.

    .. math:: R = \tilde L \tilde L', \qquad \tilde L_{kl} = L_{kl} / \|L_k\|

    Parameters
    ----------
    L
        (..., q, q) lower triangular factors without zero rows.

    Returns
    -------
    ndarray, shape (..., q, q)
        Symmetric, with ones on the diagonal exactly.
    """
    L = np.asarray(L, dtype=np.float64)
    unit = L / np.linalg.norm(L, axis=-1, keepdims=True)
    R = np.clip(unit @ np.swapaxes(unit, -1, -2), -1.0, 1.0)
    return np.where(np.eye(L.shape[-1], dtype=np.bool_), 1.0, 0.5 * (R + np.swapaxes(R, -1, -2)))
