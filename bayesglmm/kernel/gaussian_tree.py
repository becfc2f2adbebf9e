"""Grouping factors as a tree over a dense root, and the cross-products of every node: all that a Gaussian likelihood needs of the rows.

The factor with the most levels and the factors that it is nested in make the tree; each level of a factor is a node that holds the effects
of all terms of that factor. Effects of the other factors, and coefficients that are integrated out, are columns of the root. A node's front
is [its own effects | those of its ancestors | right-hand side | the root's columns that its rows touch]; the root's is [right-hand side |
columns]. Nodes are numbered so that every node stands after its children.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.design.groups import GroupDesign
from bayesglmm.types import FloatArray, IntArray

# columns of the tables of levels, of nodes and of the crossed factors
WIDTH, ABOVE, FACTOR, FRONT, STRIDE, STATE = range(6)
LEVEL, REST, START, MAP, ROW, EFFECT = range(6)
CROSSED_LEVELS, CROSSED_WIDTH, CROSSED_FACTOR, CROSSED_START, CROSSED_EFFECT = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """One grouping factor with the effects of all its terms.

    Attributes
    ----------
    name
        As the formula calls it.
    terms
        Positions of its group terms in the design.
    index
        Shape (n,): the level of each row.
    n_levels
        Number of levels J.
    Z
        Shape (n, q): effect columns, term by term.
    """

    name: str
    terms: tuple[int, ...]
    index: IntArray
    n_levels: int
    Z: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What the rows hold besides the random effects.

    Attributes
    ----------
    weight
        Shape (n,): multiplier of each row's squared residual.
    y
        Shape (n,): response less offset and a fixed fit.
    integrated, sampled
        Shapes (n, s) and (n, r): columns of the coefficients of either kind.
    """

    weight: FloatArray
    y: FloatArray
    integrated: FloatArray
    sampled: FloatArray


@dataclass(frozen=True, slots=True)
class Tree:
    """Tables and cross-products; see :mod:`bayesglmm.kernel.gaussian` for how they are read.

    Attributes
    ----------
    levels
        Shape (depth + 1, 6), the root last: own width, width of the ancestors, where the factor's matrix is, where the front is and its
        stride, where the state of a draw is.
    nodes
        Shape (N, 6): level, width of the rest of the front, where its cross-products are, where its map is, its first row in ``cross``,
        its first effect.
    crossed
        Shape (c, 5): levels, width, matrix, first column in the root and first effect of each crossed factor.
    up
        For each node, where the rest of its front is in its parent's.
    gram
        For each node, its own columns times those of its front.
    cross
        Shape (own rows + 1 + root, r): the nodes' own columns, the response and the root's columns times the sampled ones.
    root
        Shape (1 + root, 1 + root): response and root columns times themselves.
    sampled
        Shape (r, r): sampled columns times themselves.
    """

    levels: IntArray
    nodes: IntArray
    crossed: IntArray
    up: IntArray
    gram: FloatArray
    cross: FloatArray
    root: FloatArray
    sampled: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """One level of the tree: pattern of its nodes in the root, sizes, and cross-products in the order of the design's levels."""

    factor: Factor
    above: int
    node: IntArray
    column: IntArray
    begin: IntArray
    dense: FloatArray
    sparse: FloatArray
    sampled: FloatArray

    @property
    def rest(self) -> IntArray:
        return self.above + 1 + np.diff(self.begin)


def find_factors(groups: Sequence[GroupDesign]) -> list[Factor]:
    """Collect the terms of each grouping factor, in the order in which the factors first occur."""
    terms: dict[str, list[int]] = {}
    for t, group in enumerate(groups):
        terms.setdefault(group.name, []).append(t)
    return [
        Factor(
            name, tuple(ts), groups[ts[0]].index, len(groups[ts[0]].levels), np.column_stack([groups[t].Z for t in ts]).astype(np.float64)
        )
        for name, ts in terms.items()
    ]


def is_nested(fine: Factor, coarse: Factor) -> bool:
    """Whether every level of the finer factor occurs in one level of the coarser only."""
    return bool(np.all(_parents(fine, coarse)[fine.index] == coarse.index))


def _parents(fine: Factor, coarse: Factor) -> IntArray:
    parent = np.zeros(fine.n_levels, dtype=np.int64)
    parent[fine.index] = coarse.index
    return parent


def split_factors(factors: Sequence[Factor]) -> tuple[list[int], list[int]]:
    """Return positions of the tree's factors, finest first, and of the crossed ones.

    The finest is the one with the most levels; of the chains that it is nested in, the one with the most effects is taken.
    """
    if not factors:
        return [], []
    finest = int(np.argmax([f.n_levels for f in factors]))
    above = [i for i, f in enumerate(factors) if i != finest and is_nested(factors[finest], f)]
    above.sort(key=lambda i: -factors[i].n_levels)
    best: dict[int, tuple[int, list[int]]] = {}
    for at in range(len(above) - 1, -1, -1):
        i = above[at]
        tails = [best[j] for j in above[at + 1 :] if is_nested(factors[i], factors[j])]
        weight, tail = max(tails, key=lambda found: found[0], default=(0, []))
        best[i] = (weight + factors[i].n_levels * factors[i].Z.shape[1], [i, *tail])
    chain = [finest, *max(best.values(), key=lambda found: found[0], default=(0, []))[1]]
    return chain, [i for i in range(len(factors)) if i not in chain]


def make_tree(factors: Sequence[Factor], columns: Columns) -> Tree:
    """Lay out the tree and sum the cross-products of all rows.

    Parameters
    ----------
    factors
        Grouping factors; effects are stored in their order, level by level.
    columns
        Weights, response and coefficients' columns of the rows.
    """
    chain, others = split_factors(factors)
    sizes = [f.n_levels * f.Z.shape[1] for f in factors]
    widths = [f.Z.shape[1] ** 2 for f in factors]
    effect, matrix = np.cumsum([0, *sizes]), np.cumsum([0, *widths])
    starts = np.cumsum([0, *(sizes[i] for i in others)])
    crossed = [(factors[i].n_levels, factors[i].Z.shape[1], matrix[i], starts[k], effect[i]) for k, i in enumerate(others)]
    stages = _stages([factors[i] for i in chain], [factors[i] for i in others], starts, columns)
    levels = _level_table(stages, [int(matrix[i]) for i in chain], int(starts[-1]) + columns.integrated.shape[1])
    nodes, place = _node_table(stages, [int(effect[i]) for i in chain])
    total_map, total_gram, total_rows = _totals(nodes, levels)
    up, gram = np.zeros(total_map, dtype=np.int64), np.zeros(total_gram)
    root, root_sampled = _root([factors[i] for i in others], columns)
    cross = np.zeros((total_rows + len(root), columns.sampled.shape[1]))
    for k, stage in enumerate(stages):
        parents = None if k + 1 == len(stages) else (_parents(stage.factor, stages[k + 1].factor), stages[k + 1])
        here = nodes[place[k]]
        _write(stage, here, gram, cross)
        _write_map(stage, here, parents, up, len(root) - 1)
    cross[total_rows:] = root_sampled
    weighted = columns.sampled * columns.weight[:, None]
    table = np.array(crossed, dtype=np.int64).reshape(-1, 5)
    return Tree(levels, nodes, table, up, gram, cross, root, np.ascontiguousarray(columns.sampled.T @ weighted))


def _totals(nodes: IntArray, levels: IntArray) -> tuple[int, int, int]:
    """Sizes of the map, of the nodes' cross-products and of their own rows."""
    q = levels[nodes[:, LEVEL], WIDTH]
    return int(nodes[:, REST].sum()), int((q * (q + nodes[:, REST])).sum()), int(q.sum())


def _stages(chain: Sequence[Factor], others: Sequence[Factor], starts: IntArray, columns: Columns) -> list[_Stage]:
    """Patterns and cross-products of every level of the tree, finest first."""
    stages = []
    for k, factor in enumerate(chain):
        Z_above = [f.Z for f in chain[k + 1 :]]
        above = sum(Z.shape[1] for Z in Z_above)
        front = np.column_stack([factor.Z, *Z_above, columns.y])
        everywhere = int(starts[-1]) + np.arange(columns.integrated.shape[1])
        J, q = factor.n_levels, factor.Z.shape[1]
        parts = [_pairs(factor, other, int(start), columns.weight) for other, start in zip(others, starts, strict=False)]
        nodes = np.concatenate([*(p[0] for p in parts), np.repeat(np.arange(J), len(everywhere))])
        at = np.concatenate([*(p[1] for p in parts), np.tile(everywhere, J)])
        shared = _sums(factor, columns.integrated, columns.weight).transpose(1, 0, 2).reshape(q, -1)
        values = np.concatenate([*(p[2] for p in parts), shared], axis=1)
        order = np.lexsort((at, nodes))
        begin = np.searchsorted(nodes[order], np.arange(J + 1))
        dense, sampled = _sums(factor, front, columns.weight), _sums(factor, columns.sampled, columns.weight)
        stages.append(_Stage(factor, above, nodes[order], at[order], begin, dense, values[:, order], sampled))
    return stages


def _sums(factor: Factor, columns: FloatArray, weight: FloatArray) -> FloatArray:
    """Sum own column times each column over the rows of every level, shape (J, q, c)."""
    J, q = factor.n_levels, factor.Z.shape[1]
    found = np.empty((J, q, columns.shape[1]))
    for i in range(q):
        own = weight * factor.Z[:, i]
        for c in range(columns.shape[1]):
            found[:, i, c] = np.bincount(factor.index, own * columns[:, c], minlength=J)
    return found


def _pairs(factor: Factor, other: Factor, start: int, weight: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Nodes, root columns and cross-products (q, entries) with those levels of a crossed factor that occur in each node."""
    key, which = np.unique(factor.index * other.n_levels + other.index, return_inverse=True)
    node, level = np.divmod(key, other.n_levels)
    width, q = other.Z.shape[1], factor.Z.shape[1]
    values = np.empty((q, len(key), width))
    for i in range(q):
        for k in range(width):
            values[i, :, k] = np.bincount(which, weight * factor.Z[:, i] * other.Z[:, k], minlength=len(key))
    column = start + level[:, None] * width + np.arange(width)
    return np.repeat(node, width), column.reshape(-1), values.reshape(q, -1)


def _level_table(stages: Sequence[_Stage], matrices: Sequence[int], root: int) -> IntArray:
    """One row per level and one for the root; only levels above the finest have a front that is kept."""
    table = np.zeros((len(stages) + 1, 6), dtype=np.int64)
    front = state = 0
    for k, stage in enumerate(stages):
        q = stage.factor.Z.shape[1]
        stride = q + int(stage.rest.max()) if k > 0 else 0
        table[k] = q, stage.above, matrices[k], front, stride, state
        front, state = front + stride * stride, state + stride
    table[-1, [FRONT, STRIDE, STATE]] = front, root + 1, state
    return table


def _node_table(stages: Sequence[_Stage], effects: Sequence[int]) -> tuple[IntArray, list[IntArray]]:
    """Return the table of nodes, children before parents and siblings side by side, and the places of each level's nodes in it."""
    if not stages:
        return np.zeros((0, 6), dtype=np.int64), []
    leaves = stages[0].factor
    ancestors = [np.arange(leaves.n_levels), *(_parents(leaves, s.factor) for s in stages[1:])]
    rank = np.empty(leaves.n_levels, dtype=np.int64)
    rank[np.lexsort(ancestors)] = np.arange(leaves.n_levels)
    last, rows = [], []
    for k, stage in enumerate(stages):
        J, q = stage.factor.n_levels, stage.factor.Z.shape[1]
        latest = np.zeros(J, dtype=np.int64)
        np.maximum.at(latest, ancestors[k], rank)
        last.append(latest)
        nothing = np.zeros(J, dtype=np.int64)
        rows.append(
            np.stack([np.full(J, k), stage.rest, q * (q + stage.rest), nothing, np.full(J, q), effects[k] + q * np.arange(J)], axis=1)
        )
    table = np.concatenate(rows)
    order = np.lexsort((table[:, LEVEL], np.concatenate(last)))
    place = np.empty(len(table), dtype=np.int64)
    place[order] = np.arange(len(table))
    table = np.ascontiguousarray(table[order])
    for column, size in ((MAP, table[:, REST]), (START, table[:, START].copy()), (ROW, table[:, ROW].copy())):
        table[:, column] = np.cumsum(size) - size
    ends = np.cumsum([0, *(s.factor.n_levels for s in stages)])
    return table, [place[ends[k] : ends[k + 1]] for k in range(len(stages))]


def _write(stage: _Stage, here: IntArray, gram: FloatArray, cross: FloatArray) -> None:
    """Put one level's cross-products into the flat arrays."""
    q = stage.factor.Z.shape[1]
    width = q + here[:, REST]
    lead = q + stage.above + 1
    within = np.arange(len(stage.node)) - stage.begin[stage.node]
    for i in range(q):
        row = here[:, START] + i * width
        gram[row[:, None] + np.arange(lead)] = stage.dense[:, i]
        gram[row[stage.node] + lead + within] = stage.sparse[i]
        cross[here[:, ROW] + i] = stage.sampled[:, i]


def _write_map(stage: _Stage, here: IntArray, parents: tuple[IntArray, _Stage] | None, up: IntArray, root: int) -> None:
    """Put where the rest of each front is in its parent's: ancestors and right-hand side keep their places, columns are looked up."""
    lead = stage.above + 1
    up[here[:, MAP][:, None] + np.arange(lead)] = np.arange(lead)
    position = stage.column
    if parents is not None:
        parent, coarser = parents
        above = parent[stage.node]
        position = np.searchsorted(coarser.node * root + coarser.column, above * root + stage.column) - coarser.begin[above]
    within = np.arange(len(stage.node)) - stage.begin[stage.node]
    up[here[stage.node, MAP] + lead + within] = lead + position


def _root(others: Sequence[Factor], columns: Columns) -> tuple[FloatArray, FloatArray]:
    """Cross-products of [response | crossed effects | integrated columns] with themselves, and with the sampled columns."""
    nowhere = np.zeros(len(columns.y), dtype=np.int64)
    parts = [Factor("", (), nowhere, 1, columns.y[:, None]), *others, Factor("", (), nowhere, 1, columns.integrated)]
    ends = np.cumsum([0, *(f.n_levels * f.Z.shape[1] for f in parts)])
    total, sampled = np.zeros((ends[-1], ends[-1])), np.zeros((ends[-1], columns.sampled.shape[1]))
    for a, first in enumerate(parts):
        sampled[ends[a] : ends[a + 1]] = _sums(first, columns.sampled, columns.weight).reshape(int(ends[a + 1] - ends[a]), sampled.shape[1])
        for b, second in enumerate(parts):
            total[ends[a] : ends[a + 1], ends[b] : ends[b + 1]] = _products(first, second, columns.weight)
    return total, sampled


def _products(first: Factor, second: Factor, weight: FloatArray) -> FloatArray:
    """Cross-products of two sets of effect columns, shape (J q, J' q')."""
    (J, q), (K, width) = (first.n_levels, first.Z.shape[1]), (second.n_levels, second.Z.shape[1])
    found = np.empty((J, q, K, width))
    cell = first.index * K + second.index
    for i in range(q):
        for k in range(width):
            found[:, i, :, k] = np.bincount(cell, weight * first.Z[:, i] * second.Z[:, k], minlength=J * K).reshape(J, K)
    return found.reshape(J * q, K * width)
