r"""The penalized information of all effects and coefficients, factored with the largest grouping factor eliminated first.

Order the unknowns as the J effects of the largest factor, then everything else (the other factors' effects, then beta):

.. math:: H = \begin{pmatrix} A & B \\ B' & C \end{pmatrix}, \qquad A = \operatorname{diag}(A_1, \dots, A_J), \quad
    A_j = L_j L_j', \quad K = L^{-1} B, \quad S = C - K' K

A is block diagonal, so only S is factored densely. The inverse has :math:`S^{-1}` in its lower right corner, and the diagonal block of
group j is :math:`L_j'^{-1} (I + K_j S^{-1} K_j') L_j^{-1}`. No array of rows x groups is made: B is sparse where other factors cross the
largest one.

References
----------
Bates, D., Machler, M., Bolker, B. and Walker, S. (2015). Fitting linear mixed-effects models using lme4. *Journal of Statistical
Software* 67(1), section 3 (the sparse factor of the same matrix).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse

from bayesglmm.types import FloatArray, IntArray

CHUNK = 2_000_000
"""Most entries of a temporary array while the variances of the eliminated effects are computed."""

type Cross = Any
"""A dense array, or a sparse matrix in rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """All effects of one grouping factor.

    Attributes
    ----------
    index
        Shape (n,): the group of each row.
    Z
        Shape (n, q): effect columns.
    n_levels
        Number of groups J.
    order, starts
        Shapes (n,) and (J + 1,): rows sorted by group, and where each group starts among them.
    """

    index: IntArray
    Z: FloatArray
    n_levels: int
    order: IntArray
    starts: IntArray

    @property
    def size(self) -> int:
        """Number of effects, J q."""
        return self.n_levels * int(self.Z.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of a group of the eliminated factor and one of another that share rows.

    ``position`` (n,) is the pair of each row, ``first`` and ``second`` (pairs,) its groups, sorted by the first; ``starts`` (J + 1,).
    """

    position: IntArray
    first: IntArray
    second: IntArray
    starts: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """What of a design does not change while weights do.

    Attributes
    ----------
    X
        Shape (n, p).
    factors
        The eliminated factor first.
    pairs
        One per other factor.
    parts
        Where each factor's effects are in the flat vector of unknowns; beta comes after them.
    """

    X: FloatArray
    factors: tuple[Factor, ...]
    pairs: tuple[_Pairs, ...]
    parts: tuple[slice, ...]

    @property
    def size(self) -> int:
        """Number of unknowns: all effects, then the coefficients."""
        return int(self.parts[-1].stop) + int(self.X.shape[1])

    def effects(self, unknowns: FloatArray) -> tuple[FloatArray, ...]:
        """Split off the effects, shape (J, q) for each factor."""
        return tuple(unknowns[part].reshape(f.n_levels, -1) for part, f in zip(self.parts, self.factors, strict=True))

    def predictor(self, unknowns: FloatArray) -> FloatArray:
        """Linear predictor without the offset, shape (n,)."""
        eta = self.X @ unknowns[self.parts[-1].stop :]
        for factor, b in zip(self.factors, self.effects(unknowns), strict=True):
            for k in range(b.shape[1]):
                eta += factor.Z[:, k] * b[factor.index, k]
        return np.asarray(eta)

    def transposed(self, rows: FloatArray) -> FloatArray:
        """Return the sums of ``rows`` (n,) times each column of the whole design, shape of the unknowns."""
        sums = [_level_sums(f, rows) for f in self.factors]
        return np.concatenate([*(s.ravel() for s in sums), self.X.T @ rows])


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """Weighted cross-products of all columns.

    Attributes
    ----------
    own
        Shape (J, q, q): of the eliminated factor's effects.
    cross
        For each other factor, shape (pairs, q, q'); see :class:`Structure`.
    fixed
        Shape (J, q, p): of the eliminated effects with the columns of X.
    rest
        Shape (m, m): of everything else.
    """

    own: FloatArray
    cross: tuple[FloatArray, ...]
    fixed: FloatArray
    rest: FloatArray

    def times(self, factor: float) -> "Gram":
        """Return the cross-products under weights that are multiplied by a constant."""
        return Gram(factor * self.own, tuple(factor * c for c in self.cross), factor * self.fixed, factor * self.rest)


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """The factored penalized information.

    Attributes
    ----------
    structure
        What was factored.
    roots
        Shape (J, q, q): inverses of the Cholesky factors of A's blocks.
    cross
        K, shape (J q, m).
    lower
        Cholesky factor of S, shape (m, m).
    """

    structure: Structure
    roots: FloatArray
    cross: Cross
    lower: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """Solve ``H x = right``, both of the shape of the unknowns."""
        cut, shape = self.structure.parts[0].stop, (*self.roots.shape[:2], 1)
        u = (self.roots @ right[:cut].reshape(shape)).reshape(-1)
        rest = linalg.cho_solve((self.lower, True), right[cut:] - self.cross.T @ u, check_finite=False) if len(right) > cut else right[cut:]
        top = (u - self.cross @ rest).reshape(shape)
        return np.concatenate([(self.roots.transpose(0, 2, 1) @ top).reshape(-1), rest])

    def log_determinants(self) -> tuple[float, float]:
        """Log determinants of the effects' part of H and of what is left of the coefficients' part once the effects are eliminated."""
        diagonal = np.log(np.diagonal(self.lower))
        n_other = len(diagonal) - self.structure.X.shape[1]
        own = -2.0 * float(np.sum(np.log(np.diagonal(self.roots, axis1=1, axis2=2))))
        return own + 2.0 * float(np.sum(diagonal[:n_other])), 2.0 * float(np.sum(diagonal[n_other:]))

    def variances(self) -> tuple[tuple[FloatArray, ...], FloatArray]:
        """Diagonal blocks of the inverse of H: (J, q, q) for each factor, and the variances (p,) of the coefficients."""
        inverse = _inverse(self.lower)
        blocks, at = [self._eliminated(inverse)], 0
        for factor in self.structure.factors[1:]:
            q = factor.Z.shape[1]
            place = at + np.arange(factor.size).reshape(factor.n_levels, q)
            blocks.append(inverse[place[:, :, None], place[:, None, :]])
            at += factor.size
        return tuple(blocks), np.diagonal(inverse)[at:].copy()

    def _eliminated(self, inverse: FloatArray) -> FloatArray:
        """Variance blocks (J, q, q) of the eliminated effects, some groups at a time."""
        n_levels, q = self.roots.shape[:2]
        inner = np.empty_like(self.roots)
        step = max(1, CHUNK // max(1, q * len(inverse)))
        for start in range(0, n_levels, step):
            stop = min(start + step, n_levels)
            part = self.cross[start * q : stop * q]
            dense = part if isinstance(part, np.ndarray) else part.toarray()
            shape = (stop - start, q, len(inverse))
            inner[start:stop] = (part @ inverse).reshape(shape) @ dense.reshape(shape).transpose(0, 2, 1)
        return np.asarray(self.roots.transpose(0, 2, 1) @ (np.eye(q) + inner) @ self.roots)


def make_factor(index: IntArray, Z: FloatArray, n_levels: int) -> Factor:
    """Sort the rows of one grouping factor.

    Parameters
    ----------
    index
        Shape (n,): the group of each row.
    Z
        Shape (n, q).
    n_levels
        Number of groups.
    """
    order = np.argsort(index, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(index, minlength=n_levels))])
    return Factor(index, np.asarray(Z, dtype=np.float64), n_levels, order, starts)


def make_structure(X: FloatArray, factors: Sequence[Factor]) -> Structure:
    """Find which groups share rows; ``factors[0]`` is the one to eliminate, ``X`` has shape (n, p)."""
    first, *others = factors
    stops = np.cumsum([f.size for f in factors]).tolist()
    parts = tuple(slice(start, stop) for start, stop in zip([0, *stops[:-1]], stops, strict=True))
    return Structure(X, tuple(factors), tuple(_pairs(first, f) for f in others), parts)


def make_gram(structure: Structure, weights: FloatArray) -> Gram:
    """Cross-products of all columns under row weights, shape (n,)."""
    first, *others = structure.factors
    cross = tuple(_products(first, f, weights, p.position, len(p.first)) for f, p in zip(others, structure.pairs, strict=True))
    own = _products(first, first, weights, first.index, first.n_levels)
    return Gram(own, cross, _with_fixed(first, weights, structure.X), _rest(structure, weights))


def eliminate(structure: Structure, gram: Gram, precisions: Sequence[FloatArray], penalty: FloatArray) -> Elimination | None:
    """Factor the penalized information.

    Parameters
    ----------
    structure
        The design.
    gram
        Its cross-products under the weights.
    precisions
        For each factor the inverse covariance of a group's effects, shape (q, q).
    penalty
        Prior precision of each coefficient, shape (p,).

    Returns
    -------
    Elimination or None
        None where the information is not positive definite in double precision.
    """
    try:
        roots = np.linalg.inv(np.linalg.cholesky(gram.own + precisions[0]))
        cross = _cross(structure, gram, roots)
        outer = cross.T @ cross
        S = gram.rest - (outer if isinstance(outer, np.ndarray) else outer.toarray())
        at = 0
        for factor, precision in zip(structure.factors[1:], precisions[1:], strict=True):
            place = at + np.arange(factor.size).reshape(factor.n_levels, -1)
            S[place[:, :, None], place[:, None, :]] += precision
            at += factor.size
        S[np.arange(at, len(S)), np.arange(at, len(S))] += penalty
    except np.linalg.LinAlgError:
        return None
    # the transpose of a symmetric array is the same matrix in the order that LAPACK reads without a copy
    lower, failed = linalg.lapack.dpotrf(S.T, lower=1, clean=1, overwrite_a=1) if len(S) else (S, 0)
    return None if failed else Elimination(structure, roots, cross, lower)


def _cross(structure: Structure, gram: Gram, roots: FloatArray) -> Cross:
    """Return K: dense when only X is left, else sparse."""
    fixed = (roots @ gram.fixed).reshape(roots.shape[0] * roots.shape[1], gram.fixed.shape[2])
    if not structure.pairs:
        return fixed
    blocks = [
        sparse.bsr_array((roots[p.first] @ c, p.second, p.starts), shape=(len(fixed), f.size))
        for p, c, f in zip(structure.pairs, gram.cross, structure.factors[1:], strict=True)
    ]
    return sparse.csr_array(sparse.hstack([*blocks, sparse.csr_array(fixed)], format="csr"))


def _level_sums(factor: Factor, rows: FloatArray) -> FloatArray:
    """Sum ``rows`` times each effect column over the rows of each group, shape (J, q)."""
    columns = factor.Z.T * rows
    return np.stack([np.bincount(factor.index, c, minlength=factor.n_levels) for c in columns], axis=1)


def _inverse(lower: FloatArray) -> FloatArray:
    """Inverse of a matrix from its lower Cholesky factor."""
    if not len(lower):
        return lower
    half = linalg.lapack.dpotri(lower, lower=1)[0]
    full = half + half.T
    np.fill_diagonal(full, np.diagonal(half))
    return np.asarray(full)


def _pairs(first: Factor, other: Factor) -> _Pairs:
    found, position = np.unique(first.index.astype(np.int64) * other.n_levels + other.index, return_inverse=True)
    group, level = np.divmod(found, other.n_levels)
    starts = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=first.n_levels))])
    return _Pairs(position.reshape(-1), group, level, starts)


def _products(a: Factor, b: Factor, weights: FloatArray, cell: IntArray, n_cells: int) -> FloatArray:
    """Sum over the rows of each cell of w z_a z_b', shape (cells, q_a, q_b)."""
    out = np.empty((n_cells, a.Z.shape[1], b.Z.shape[1]))
    for k in range(a.Z.shape[1]):
        weighted = weights * a.Z[:, k]
        for m in range(b.Z.shape[1]):
            if a is b and m < k:
                out[:, k, m] = out[:, m, k]
            else:
                out[:, k, m] = np.bincount(cell, weighted * b.Z[:, m], minlength=n_cells)
    return out


def _with_fixed(factor: Factor, weights: FloatArray, X: FloatArray) -> FloatArray:
    """Sum w z x' over the rows of each group, shape (J, q, p)."""
    out = np.empty((factor.n_levels, factor.Z.shape[1], X.shape[1]))
    for k in range(factor.Z.shape[1]):
        values = (weights * factor.Z[:, k])[factor.order]
        out[:, k] = sparse.csr_array((values, factor.order, factor.starts), shape=(factor.n_levels, len(X))) @ X
    return out


def _rest(structure: Structure, weights: FloatArray) -> FloatArray:
    """Cross-products of everything but the eliminated factor, shape (m, m)."""
    others, X = structure.factors[1:], structure.X
    cut = structure.parts[0].stop
    spans = [slice(part.start - cut, part.stop - cut) for part in structure.parts[1:]]
    out = np.zeros((structure.size - cut, structure.size - cut))
    fixed = slice(structure.parts[-1].stop - cut, len(out))
    out[fixed, fixed] = (X.T * weights) @ X
    for s, (a, span) in enumerate(zip(others, spans, strict=True)):
        place = span.start + np.arange(a.size).reshape(a.n_levels, -1)
        out[place[:, :, None], place[:, None, :]] = _products(a, a, weights, a.index, a.n_levels)
        out[span, fixed] = _with_fixed(a, weights, X).reshape(a.size, X.shape[1])
        out[fixed, span] = out[span, fixed].T
        for b, other in zip(others[s + 1 :], spans[s + 1 :], strict=True):
            block = _products(a, b, weights, a.index * b.n_levels + b.index, a.n_levels * b.n_levels)
            out[span, other] = block.reshape(a.n_levels, b.n_levels, *block.shape[1:]).transpose(0, 2, 1, 3).reshape(a.size, b.size)
            out[other, span] = out[span, other].T
    return out
