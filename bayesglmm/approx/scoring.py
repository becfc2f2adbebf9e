r"""Steps for the covariances of the effects and the residual SD, from a mode and its variances.

With mode :math:`b_j` and variance :math:`V_j` of group j's effects given D, the EM step is :math:`\frac 1 J \sum_j (b_j b_j' + V_j)`. It
creeps where the data say little about one group. The scoring step multiplies each component of the same direction by what the data say: in
the coordinates :math:`u_j = L^{-1} b_j`, :math:`D = L L'`, the gradient of the log likelihood in a symmetric E, :math:`D = L e^E L'`, is

.. math:: \tfrac 1 2 G = \tfrac 1 2 \sum_j (u_j u_j' - S_j), \qquad S_j = I - L^{-1} V_j L'^{-1},

its expected information is :math:`\tfrac 1 2 \sum_j \operatorname{tr}(S_j E S_j E)` apart from what blocks share, and the step solves
:math:`\sum_j S_j E S_j = G`. Both steps stay where the likelihood of a Gaussian response with the identity link, coefficients and effects
integrated out, has its maximum; elsewhere where the approximation of the posterior of the effects by a normal puts it.

References
----------
Laird, N. M. and Ware, J. H. (1982). Random-effects models for longitudinal data. *Biometrics* 38, 963-974 (EM).

Harville, D. A. (1977). Maximum likelihood approaches to variance component estimation. *JASA* 72, 320-338 (scoring).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from bayesglmm.approx.pirls import Mode, Problem, Scales
from bayesglmm.types import FloatArray

LEAST_EIGENVALUE = 0.05
"""Smallest eigenvalue of a correlation matrix; keeps its inverse tame."""
LONGEST_STEP = 1.5
"""Most that a scoring step changes the logarithm of a variance."""
RIDGE = 1e-4
"""Least information of a step about one component, as a share of the number of groups."""
WIDEST = 20
"""Most correlated effects of one block for which the step solves for all pairs at once; beyond, each pair by itself."""
INDEPENDENT_GROUPS = 5.0
"""Groups, wholly known, that speak for independent effects with the SDs at hand where the response is not Gaussian: binary data in small
groups say next to nothing about a correlation, and the approximation would run to one of -1 or 1."""
LEAST_RESIDUAL_SHARE = 0.1
"""Least information of a step about the residual variance, as a share of the rows."""
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Where one block's effects are among a factor's: factor, columns, whether they correlate, bounds (q,) of the SDs."""

    factor: int
    columns: slice
    correlated: bool
    least: FloatArray
    most: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Variances:
    """Posterior variances given the covariances: (J, q, q) for each factor, and (p,) of the coefficients."""

    effects: tuple[FloatArray, ...]
    beta: FloatArray


def variances_at(mode: Mode) -> Variances:
    """Variances of all effects and coefficients at a mode."""
    return Variances(*mode.elimination.variances())


def em_step(problem: Problem, blocks: Sequence[Block], scales: Scales, mode: Mode, variances: Variances) -> Scales:
    """One EM step from the mode at ``scales``, the SDs held between their bounds.

    Parameters
    ----------
    problem, blocks
        The design, and where its blocks are.
    scales, mode, variances
        Where the step starts.
    """
    parts = []
    for block in blocks:
        b, V = _own(problem, block, mode, variances)
        parts.append(bounded((b.T @ b + V.sum(axis=0)) / len(b), block))
    return Scales(assemble(problem, blocks, parts), scales.sigma * float(np.sqrt(_residual_ratio(problem, scales, mode, variances))))


def scoring_step(problem: Problem, blocks: Sequence[Block], scales: Scales, mode: Mode, variances: Variances) -> Scales:
    """One scoring step, with the arguments of :func:`em_step`."""
    parts, explained = [], float(problem.structure.X.shape[1])
    for block in blocks:
        D = scales.covariances[block.factor][block.columns, block.columns]
        L = np.linalg.cholesky(D)
        b, V = _own(problem, block, mode, variances)
        u = linalg.solve_triangular(L, b.T, lower=True, check_finite=False)
        inverse = linalg.solve_triangular(L, np.eye(len(L)), lower=True, check_finite=False)
        S = np.eye(len(L)) - inverse @ V @ inverse.T
        known = 0.0 if problem.response.additive else INDEPENDENT_GROUPS
        independent = inverse @ np.diag(np.diagonal(D)) @ inverse.T - np.eye(len(L))
        E = _direction(u @ u.T - S.sum(axis=0) + known * independent, S, known, correlated=block.correlated)
        parts.append(bounded(L @ E @ L.T, block))
        explained += float(np.sum(S * S))
    return Scales(assemble(problem, blocks, parts), _residual_sd(problem, scales, mode, variances, explained))


def assemble(problem: Problem, blocks: Sequence[Block], parts: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """Block diagonal covariances of the factors from those of the blocks."""
    out = tuple(np.zeros((f.Z.shape[1], f.Z.shape[1])) for f in problem.structure.factors)
    for block, D in zip(blocks, parts, strict=True):
        out[block.factor][block.columns, block.columns] = D
    return out


def bounded(D: FloatArray, block: Block) -> FloatArray:
    """Covariance with SDs inside the bounds and a correlation matrix away from singular; diagonal where the block has no correlations."""
    sd = np.sqrt(np.maximum(np.diagonal(D), _TINY))
    R = (D / np.outer(sd, sd)) if block.correlated else np.eye(len(sd))
    smallest = float(np.linalg.eigvalsh(R)[0])
    if smallest < LEAST_EIGENVALUE:
        share = (1.0 - LEAST_EIGENVALUE) / (1.0 - smallest)
        R = share * R + (1.0 - share) * np.eye(len(sd))
    held = np.clip(sd, block.least, block.most)
    return np.asarray(R * np.outer(held, held))


def has_sigma(problem: Problem) -> bool:
    """Whether the residual SD is estimated."""
    return bool(problem.response.family.auxiliary) and problem.response.errors is None


def _own(problem: Problem, block: Block, mode: Mode, variances: Variances) -> tuple[FloatArray, FloatArray]:
    """Effects (J, q) and variances (J, q, q) of one block."""
    b = problem.structure.effects(mode.unknowns)[block.factor]
    return b[:, block.columns], variances.effects[block.factor][:, block.columns, block.columns]


def _direction(G: FloatArray, S: FloatArray, known: float, *, correlated: bool) -> FloatArray:
    """Return exp(E) for the E that solves ``sum_j S_j E S_j + known E = G``, its eigenvalues cut; E is diagonal without correlations."""
    q, ridge = len(G), RIDGE * len(S) + known
    if correlated and q > WIDEST:
        d = np.diagonal(S, axis1=1, axis2=2)
        return _exponential(G / (d.T @ d + ridge))
    if correlated:
        information = np.einsum("jkl,jmn->kmln", S, S, optimize=True).reshape(q * q, q * q)
        E = np.linalg.solve(information + ridge * np.eye(q * q), G.ravel()).reshape(q, q)
        return _exponential(E)
    changes = np.linalg.solve(np.sum(S * S, axis=0) + ridge * np.eye(q), np.diagonal(G))
    return np.diag(np.exp(np.clip(changes, -LONGEST_STEP, LONGEST_STEP)))


def _exponential(E: FloatArray) -> FloatArray:
    """Matrix exponential of a symmetric matrix with its eigenvalues cut."""
    values, vectors = np.linalg.eigh(0.5 * (E + E.T))
    return np.asarray((vectors * np.exp(np.clip(values, -LONGEST_STEP, LONGEST_STEP))) @ vectors.T)


def _residual_ratio(problem: Problem, scales: Scales, mode: Mode, variances: Variances) -> float:
    """EM step of the residual variance over its old value; its trace over the rows is one over the unknowns, without those of the prior."""
    if not has_sigma(problem):
        return 1.0
    squares = problem.response.squares(mode.eta) / scales.sigma**2
    return max((squares + _fitted(problem, scales, variances)) / float(np.sum(problem.response.weights)), _TINY)


def _residual_sd(problem: Problem, scales: Scales, mode: Mode, variances: Variances, explained: float) -> float:
    """Scoring step of the residual SD; with hat matrix H its information is half of n - 2 tr H + tr H^2, the last about ``explained``."""
    if not has_sigma(problem):
        return 1.0
    n = float(np.sum(problem.response.weights))
    information = max(n - 2.0 * _fitted(problem, scales, variances) + explained, LEAST_RESIDUAL_SHARE * n)
    change = n * (_residual_ratio(problem, scales, mode, variances) - 1.0) / information
    return float(scales.sigma * np.exp(0.5 * np.clip(change, -LONGEST_STEP, LONGEST_STEP)))


def _fitted(problem: Problem, scales: Scales, variances: Variances) -> float:
    """Trace of the hat matrix: the number of unknowns less the trace of prior precision times variance."""
    prior = sum(float(np.sum(np.linalg.inv(D) * V.sum(axis=0))) for D, V in zip(scales.covariances, variances.effects, strict=True))
    return max(problem.structure.size - prior - float(problem.penalty @ variances.beta), 0.0)
