r"""Crossed and nested intercepts without their ridges: effects of a larger factor give way to those of smaller ones.

When all instructors of a department move up and the department moves down by as much, the likelihood hardly changes: a ridge in the
coordinates (department, instructors). Given its smaller neighbours l, effect j of a larger factor has the conditional mean
:math:`-\sum_l W_{jl} b_l` plus a constant, :math:`W_{jl} = n_{jl} / (n_j + \phi / \sigma_b^2)`, n the sums of the rows' weights. So the
coordinates of factor j stand for :math:`b_j + \sum_l W_{jl} b_l`, all means left out: what groups share is dealt with elsewhere
(:mod:`bayesglmm.kernel.effects`). The map has determinant one, whatever the weights: they are constants
from a rough fit, and the posterior does not depend on them (hierarchical centering, Gelfand, Sahu & Carlin 1995, *Biometrika* 82, 479-488,
extended to factors that are not nested).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.design.groups import GroupDesign
from bayesglmm.types import FloatArray, IntArray

LEAST_LEVELS = 30
"""Fewer levels may have an SD near zero; then their effects must not stand in for others."""
LEAST_SHARE = 0.3
"""Smallest median of n / (n + phi / sd^2) for a factor whose effects give way."""
FEWER = 0.5
"""A smaller factor has at most this share of the larger one's levels."""
MOST_PAIRS = 0.5
"""Largest number of pairs of levels, as a share of the rows: beyond it the likelihood itself would cost less."""


@dataclass(frozen=True, slots=True)
class Pulls:
    """Sparse rows of W over all effects, in the order of the blocks.

    Attributes
    ----------
    start
        Shape (effects + 1,): effect j gives way to the entries ``start[j]:start[j + 1]``.
    source
        Shape (e,), int32: which effects these are.
    weight
        Shape (e,).
    """

    start: IntArray
    source: np.ndarray
    weight: FloatArray

    @property
    def any(self) -> bool:
        """Whether there is an entry."""
        return len(self.weight) > 0


def no_pulls(n_effects: int) -> Pulls:
    """Return no entry for any effect."""
    return Pulls(np.zeros(n_effects + 1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0))


def find_pulls(groups: Sequence[GroupDesign], sds: Sequence[FloatArray], weights: FloatArray, dispersion: float) -> Pulls:
    """Return which effects give way to which.

    Parameters
    ----------
    groups
        Group terms.
    sds
        Rough SDs of their effects, each (q,).
    weights
        Shape (n,): weight of each row in the rough fit.
    dispersion
        Variance of a working residual times its weight.
    """
    sizes = [len(g.levels) * len(g.labels) for g in groups]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows, sources, shares = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for t, group in enumerate(groups):
        total = np.bincount(group.index, weights, minlength=len(group.levels))
        needed = total + dispersion / sds[t][0] ** 2
        if not _plain(group) or len(group.levels) < LEAST_LEVELS or np.median(total / needed) < LEAST_SHARE:
            continue
        for s, other in enumerate(groups):
            if _plain(other) and len(other.levels) <= FEWER * len(group.levels):
                pair, position = np.unique(group.index * len(other.levels) + other.index, return_inverse=True)
                if len(pair) <= MOST_PAIRS * len(weights):
                    level, source = np.divmod(pair, len(other.levels))
                    rows.append(offsets[t] + level)
                    sources.append(offsets[s] + source)
                    shares.append(np.bincount(position, weights) / needed[level])
    row, source, share = np.concatenate(rows), np.concatenate(sources), np.concatenate(shares)
    order = np.argsort(row, kind="stable")
    start = np.searchsorted(row[order], np.arange(offsets[-1] + 1)).astype(np.int64)
    return Pulls(start, source[order].astype(np.int32), share[order])


def _plain(group: GroupDesign) -> bool:
    """Whether the term has random intercepts only."""
    return group.Z.shape[1] == 1 and bool(np.all(np.asarray(group.Z) == 1.0))
