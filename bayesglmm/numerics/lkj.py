r"""The LKJ distribution of correlation matrices, :math:`p(R) \propto \det(R)^{\eta - 1}`: its density and draws from it.

References
----------
Lewandowski, D., Kurowicka, D. and Joe, H. (2009). Generating random correlation matrices based on vines and extended onion method. *Journal
of Multivariate Analysis* 100, 1989-2001.
"""

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray


def lkj_log_density(corr: FloatArray, eta: float) -> FloatArray:
    r"""Log density of correlation matrices, its constant included.

    .. math:: \log p(R) = (\eta - 1) \log\det R + (q - 1) \log\Gamma(\eta + \tfrac{q - 1}{2})
              - \sum_{k=1}^{q-1} \left[\tfrac k2 \log\pi + \log\Gamma(\eta + \tfrac{q - 1 - k}{2})\right]

    with respect to the q (q - 1) / 2 correlations below the diagonal.

    Parameters
    ----------
    corr
        (..., q, q) symmetric matrices with ones on the diagonal.
    eta
        Positive.

    Returns
    -------
    ndarray, shape (...)
        Minus infinity where a matrix is not positive definite.

    Raises
    ------
    ArgumentError
        If eta is not positive, or the matrices are not square.
    """
    R = np.asarray(corr, dtype=np.float64)
    if R.ndim < 2 or R.shape[-1] != R.shape[-2]:
        raise ArgumentError(f"correlation matrices are square, not of shape {R.shape}")
    q = R.shape[-1]
    k = np.arange(1, q)
    _check(eta, q)
    halves = 0.5 * k * np.log(np.pi) + special.gammaln(eta + 0.5 * (q - 1 - k))
    constant = (q - 1) * float(special.gammaln(eta + 0.5 * (q - 1))) - float(np.sum(halves))
    roots = np.linalg.eigvalsh(R)
    inside = np.all(roots > 0.0, axis=-1)
    log_det = np.sum(np.log(np.where(inside[..., None], roots, 1.0)), axis=-1)
    return np.where(inside, constant + (eta - 1.0) * log_det, -np.inf)


def lkj_factors(rng: np.random.Generator, eta: float, q: int, size: int) -> FloatArray:
    r"""Cholesky factors L of random correlation matrices, :math:`LL' \sim LKJ(\eta)`, by the extended onion method.

    Row k of L, counted from 0, is :math:`(\sqrt y\,u, \sqrt{1 - y})` with u uniform on the sphere in k dimensions and
    :math:`y \sim Beta(k / 2, \eta + (q - 1 - k) / 2)`.

    Parameters
    ----------
    rng
        Source of randomness.
    eta
        Positive.
    q
        Number of effects, at least 1.
    size
        Number of matrices S.

    Returns
    -------
    ndarray, shape (S, q, q)
        Lower triangular, rows of length one.

    Raises
    ------
    ArgumentError
        If eta is not positive or q is below 1.
    """
    _check(eta, q)
    L = np.zeros((size, q, q))
    L[:, 0, 0] = 1.0
    for k in range(1, q):
        y = rng.beta(0.5 * k, eta + 0.5 * (q - 1 - k), size)
        u = rng.standard_normal((size, k))
        L[:, k, :k] = (np.sqrt(y) / np.linalg.norm(u, axis=1))[:, None] * u
        L[:, k, k] = np.sqrt(1.0 - y)
    return L


def _check(eta: float, q: int) -> None:
    if not (np.isfinite(eta) and eta > 0.0 and q >= 1):
        raise ArgumentError(f"there is no LKJ distribution with eta={eta!r} of {q} effects", fix="give eta > 0 and at least one effect")
