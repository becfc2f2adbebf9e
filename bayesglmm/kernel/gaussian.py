r"""Gaussian models with random effects integrated out exactly: log density and gradient from cross-products, never from rows.

Effects are :math:`b_j = A z_j`, :math:`A = \mathrm{diag}(sd) L`, z standard normal, so that nothing is divided by an SD. Each node of the
tree (:mod:`bayesglmm.kernel.gaussian_tree`) is eliminated in turn: with F its front, :math:`U'U = I + A'F_{oo}A` and
:math:`K = U'^{-1} A' F_{o,rest}`, the rest of the front loses :math:`K'K` and goes to the parent (block Cholesky factorization; Bates et
al. 2015, *Journal of Statistical Software* 67(1), section 5). What is left of the response's entry is the penalized residual sum of
squares Q, and :math:`\log p = -Q/2 - \sum \log |U| - N \log \sigma`.

Gradient by Fisher's identity on the way back down. In the extended vector the right-hand side has the value -1; then
:math:`z = U^{-1}(\epsilon - K b_{rest})`, and second moments :math:`E[b b']` of parents give those of children. Because
:math:`E[\partial \log p(y, z) / \partial z \; z'] = -I`, the gradient in A is :math:`A'^{-1}(\sum_j E[z_j z_j'] - J I)`. The expected
residual sum of squares over :math:`\sigma^2` is :math:`Q + m - E|z|^2` less the expected prior term of the coefficients, m the number of
effects and coefficients.
"""

import math
from typing import Any

import numpy as np

from bayesglmm.kernel.codes import COR_START, LEVELS, NONE, SD_START, WIDTH
from bayesglmm.kernel.density import scalar_priors, transform_scalars
from bayesglmm.kernel.effects import correlation_factor, correlation_gradient
from bayesglmm.kernel.gaussian_nodes import compiled, descend, eliminate, inlined
from bayesglmm.kernel.gaussian_root import TO_RAW, TO_WHITENED, change_basis, expected_prior, factorize_root, fill_root, root_moments

FACTOR, FIRST_ROW, FACTOR_WIDTH = range(4, 7)
"""Columns of the table of blocks after those of :mod:`bayesglmm.kernel.codes` that are used: where the factor's matrix is, the
block's first row in it, and its width."""
SIGMA, CROSSED, MATRICES, FRONTS, SCRATCH, WIDEST = range(6)
"""Header: position of sigma or -1, crossed columns of the root, sizes of matrices, fronts and scratch, widest block."""
WEIGHT, EFFECTS = range(2)
"""Constants: the weight that sigma's logarithm has, and how many effects and coefficients are integrated out."""


@compiled
def fill_matrices(x: Any, grad: Any, blocks: Any, etas: Any, theta: Any, L: Any, A: Any) -> float:
    """Fill L of every block and the block-diagonal A of every factor; return the log density of the correlations, add its gradient."""
    total = 0.0
    for i in range(A.shape[0]):
        A[i] = 0.0
    for b in range(blocks.shape[0]):
        q, width, at = blocks[b, WIDTH], blocks[b, FACTOR_WIDTH], blocks[b, COR_START]
        if at != NONE:
            total += correlation_factor(x[at:], q, etas[b], L[b], grad[at:])
        begin = blocks[b, FACTOR] + blocks[b, FIRST_ROW] * (width + 1)
        for i in range(q):
            if at == NONE:
                L[b, i, i] = 1.0
            for k in range(i + 1):
                A[begin + i * width + k] = theta[blocks[b, SD_START] + i] * L[b, i, k]
    return total


@compiled
def block_gradient(b: int, blocks: Any, x: Any, grad: Any, theta: Any, gtheta: Any, L: Any, moments: Any, H: Any) -> float:
    """Add the gradient in SDs and correlations of one block; return its E|z|^2.

    With H = sum E[z z'] - J I the gradient in L is L'^-1 H, and that in log sd the sums of its products with L.
    """
    q, width, at, sd = blocks[b, WIDTH], blocks[b, FACTOR_WIDTH], blocks[b, COR_START], blocks[b, SD_START]
    begin, total = blocks[b, FACTOR] + blocks[b, FIRST_ROW] * (width + 1), 0.0
    for i in range(q - 1, -1, -1):
        total += moments[begin + i * width + i]
        for k in range(q):
            value = moments[begin + i * width + k] - (blocks[b, LEVELS] if i == k else 0.0)
            for m in range(i + 1, q):
                value -= L[b, m, i] * H[m, k]
            H[i, k] = value / L[b, i, i]
    for i in range(q):
        for k in range(i + 1):
            gtheta[sd + i] += H[i, k] * L[b, i, k] / theta[sd + i]
    if at != NONE:
        correlation_gradient(x[at:], q, L[b], H, grad[at:])
    return total


@compiled
def expected_score(score: Any, E: Any, cross: Any, sampled: Any, delta: Any, scale: float, gtheta: Any) -> None:
    """Add the gradient in the sampled coefficients: their columns times the expected residual, over sigma^2.

    ``score`` holds the nodes' share. The extended vector has -1 for the response: its row of E is -1 times the columns' means.
    """
    first = cross.shape[0] - E.shape[0]
    for s in range(score.shape[0]):
        value = score[s]
        for c in range(E.shape[0]):
            value += E[0, c] * cross[first + c, s]
        for r in range(score.shape[0]):
            value -= sampled[s, r] * delta[r]
        gtheta[s] += scale * value


@compiled
def all_positive(theta: Any, first: int) -> bool:
    """Whether SDs and sigma are positive and finite."""
    found = True
    for s in range(first, theta.shape[0]):
        found &= theta[s] > 0.0 and math.isfinite(theta[s])
    return found


@inlined
def log_density(
    x: Any,
    grad: Any,
    header: Any,
    constants: Any,
    kinds: Any,
    numbers: Any,
    prior_map: Any,
    blocks: Any,
    etas: Any,
    shift: Any,
    levels: Any,
    nodes: Any,
    crossed: Any,
    up: Any,
    gram: Any,
    cross: Any,
    root: Any,
    sampled: Any,
    prior: Any,
) -> float:
    """Return the log density of what is sampled, up to one constant, and fill its gradient.

    Parameters
    ----------
    x, grad
        (d,) point and gradient.
    header, constants
        (6,) and (2,); see the positions above.
    kinds, numbers, prior_map
        As for :func:`bayesglmm.kernel.density.log_density`, of the sampled scalars and coefficients.
    blocks, etas
        (t, 7) and (t,): covariance blocks and their LKJ parameters.
    shift
        (r,): sampled coefficients of the fit that is off the response.
    levels, nodes, crossed, up, gram, cross, root, sampled
        See :class:`bayesglmm.kernel.gaussian_tree.Tree`.
    prior
        (1 + s, 1 + s): normal prior of the integrated coefficients less the fit's as a quadratic form of (-1, coefficients).
    """
    theta, slope, gtheta = np.empty(kinds.shape[0]), np.empty(kinds.shape[0]), np.zeros(kinds.shape[0])
    L, H = np.zeros((blocks.shape[0], header[WIDEST], header[WIDEST])), np.empty((header[WIDEST], header[WIDEST]))
    A, work, front, moments = np.empty(header[MATRICES]), np.empty(gram.shape[0]), np.zeros(header[FRONTS]), np.zeros(header[MATRICES])
    for s in range(grad.shape[0]):
        grad[s] = 0.0
    total = transform_scalars(x, grad, kinds, numbers, theta, slope)
    total += scalar_priors(kinds, numbers, prior_map, theta, gtheta)
    if not all_positive(theta, shift.shape[0]):
        return -math.inf
    total += fill_matrices(x, grad, blocks, etas, theta, L, A)
    sigma, delta, score = theta[header[SIGMA]] if header[SIGMA] != NONE else 1.0, theta[: shift.shape[0]] - shift, np.zeros(shift.shape[0])
    scale, size = 1.0 / (sigma * sigma), root.shape[0]
    total -= constants[WEIGHT] * math.log(sigma) + eliminate(levels, nodes, up, gram, cross, delta, scale, A, front, work)
    F = front[header[FRONTS] - size * size :].reshape((size, size))
    fill_root(F, root, cross, sampled, delta, scale)
    change_basis(F, crossed, A, np.int64(TO_WHITENED))
    total -= factorize_root(F, prior, header[CROSSED])
    squares = F[0, 0]
    root_moments(F)
    expected = squares + constants[EFFECTS] - expected_prior(F, prior, crossed, header[CROSSED], moments)
    change_basis(F, crossed, A, np.int64(TO_RAW))
    descend(levels, nodes, up, cross, A, front, work, moments, score, np.empty(header[SCRATCH]))
    expected_score(score, F, cross, sampled, delta, scale, gtheta)
    for b in range(blocks.shape[0]):
        expected -= block_gradient(b, blocks, x, grad, theta, gtheta, L, moments, H)
    if header[SIGMA] != NONE:
        gtheta[header[SIGMA]] += (expected - constants[WEIGHT]) / sigma
    for s in range(kinds.shape[0]):
        grad[s] += gtheta[s] * slope[s]
    return total - 0.5 * squares
