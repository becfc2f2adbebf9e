r"""The linear predictor from draws: its fixed part, its variance over random effects, and the random effects themselves.

.. math:: \eta = o + x'\beta + \sum_t z_t' b_{t, j_t}, \qquad m = o + x'\beta, \qquad v = \sum_t z_t' D_t z_t

Draws S are the first axis, rows n the second. The functions make arrays of S x n and nothing larger; callers that reduce over
rows pass blocks of draws (:func:`draw_blocks`), so that their memory does not grow with S x n either.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import correlation_draws, effect_draws, fixed_draws, flatten, sd_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.covariance import linear_predictor_variance
from bayesglmm.post.rows import Rows
from bayesglmm.types import FloatArray, IntArray

BLOCK_ELEMENTS = 2**16
"""Numbers in one array of a block, half a MiB of doubles: draws are taken so many at a time that draws x rows stays below it."""

MOST_THREADS = 4
"""Blocks in work at one time; NumPy lets other threads run inside its loops."""


@dataclass(frozen=True, slots=True)
class GroupParameters:
    """Draws of one group term.

    Attributes
    ----------
    sd
        Shape (S, q).
    corr
        Shape (S, q, q); None when the effects are independent.
    b
        Shape (S, L, q), random effects of the L observed levels; None when they were not asked for.
    """

    sd: FloatArray
    corr: FloatArray | None
    b: FloatArray | None

    def take(self, draws: slice) -> "GroupParameters":
        """Take some of the draws, as views."""
        corr = None if self.corr is None else self.corr[draws]
        return GroupParameters(self.sd[draws], corr, None if self.b is None else self.b[draws])


@dataclass(frozen=True, slots=True)
class Parameters:
    """Draws of everything that the linear predictor is made of, chains joined.

    Attributes
    ----------
    beta
        Shape (S, p).
    groups
        One per group term of the design.
    """

    beta: FloatArray
    groups: tuple[GroupParameters, ...]

    @property
    def n_draws(self) -> int:
        """S."""
        return len(self.beta)

    def take(self, draws: slice) -> "Parameters":
        """Take some of the draws, as views."""
        return Parameters(self.beta[draws], tuple(g.take(draws) for g in self.groups))

    def choose(self, terms: Sequence[int]) -> "Parameters":
        """Take some of the group terms, by position."""
        return Parameters(self.beta, tuple(self.groups[i] for i in terms))


def fit_parameters(fit: Fit, *, effects: bool | Collection[str]) -> Parameters:
    """Draws of fixed effects, SDs and correlations, and of random effects: of all factors, of none, or of those named in ``effects``."""
    posterior, groups = fit.posterior, []
    for group in fit.design.groups:
        corr = correlation_draws(posterior, group)
        wanted = effects if isinstance(effects, bool) else group.name in effects
        b = flatten(effect_draws(posterior, group)) if wanted else None
        groups.append(GroupParameters(flatten(sd_draws(posterior, group)), None if corr is None else flatten(corr), b))
    return Parameters(flatten(fixed_draws(posterior, fit.design)), tuple(groups))


def draw_blocks(n_draws: int, width: int) -> Iterator[slice]:
    """Slices of draws with at most ``BLOCK_ELEMENTS`` numbers in draws x ``width``, at least one draw each."""
    step = block_length(width)
    for start in range(0, n_draws, step):
        yield slice(start, min(start + step, n_draws))


def block_length(width: int) -> int:
    """How many rows of an array with ``width`` columns make at most ``BLOCK_ELEMENTS`` numbers, at least one."""
    return max(1, BLOCK_ELEMENTS // max(1, width))


def map_blocks[T](n_draws: int, width: int, work: Callable[[slice], T]) -> list[T]:
    """Do the same work on every block of draws, a few at a time on threads; the results in the order of the blocks.

    Parameters
    ----------
    n_draws, width
        As for :func:`draw_blocks`: blocks, and so results, do not depend on the number of threads.
    work
        From a slice of draws to a result; called once per block, with nothing shared but arrays that it reads and parts of arrays
        that only it writes.
    """
    blocks = list(draw_blocks(n_draws, width))
    threads = min(MOST_THREADS, os.cpu_count() or 1, len(blocks))
    if threads < 2:
        return [work(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, blocks))


def fixed_eta(parameters: Parameters, rows: Rows) -> FloatArray:
    r"""Compute the fixed part of the linear predictor, :math:`m = o + x'\beta`, shape (S, n): that of the average subject."""
    return parameters.beta @ rows.X.T + rows.offset


def group_variance(parameters: Parameters, rows: Rows) -> FloatArray:
    r"""Variance of the linear predictor over random effects of all factors, :math:`v = \sum_t z_t' D_t z_t`, shape (S, n)."""
    v = np.zeros((parameters.n_draws, rows.n_rows))
    for group, z in zip(parameters.groups, rows.Z, strict=True):
        v += linear_predictor_variance(z, group.sd, group.corr)
    return v


def group_eta(parameters: Parameters, rows: Rows, index: Sequence[IntArray]) -> FloatArray:
    r"""Random part of the linear predictor at given levels, :math:`\sum_t z_t' b_{t, j_t}`, shape (S, n).

    Parameters
    ----------
    parameters
        With random effects.
    rows
        Their effect columns are used.
    index
        For each group term the level of each row, shape (n,).
    """
    eta = np.zeros((parameters.n_draws, rows.n_rows))
    for group, z, levels in zip(parameters.groups, rows.Z, index, strict=True):
        eta += term_eta(group, z, levels)
    return eta


def combination_eta(group: GroupParameters, z: FloatArray, levels: IntArray) -> FloatArray:
    r"""Random part of one group term for every row at every level given, :math:`z_i' b_c`, shape (S, n, C).

    Parameters
    ----------
    group
        With random effects.
    z
        Effect columns, shape (n, q).
    levels
        Shape (C,).

    Raises
    ------
    ArgumentError
        If the draws of the random effects were not asked for.
    """
    return np.asarray(z @ _effects(group)[:, levels].swapaxes(1, 2))


def term_eta(group: GroupParameters, z: FloatArray, levels: IntArray) -> FloatArray:
    r"""Random part of one group term, :math:`z' b_j`, shape (S, n), one effect at a time.

    Parameters
    ----------
    group
        With random effects.
    z
        Effect columns, shape (n, q); or (1, q), one row at n levels.
    levels
        Shape (n,).

    Raises
    ------
    ArgumentError
        If the draws of the random effects were not asked for.
    """
    b, eta = _effects(group), np.zeros((len(group.sd), len(levels)))
    for k in range(z.shape[1]):
        eta += b[:, levels, k] * z[:, k]
    return eta


def _effects(group: GroupParameters) -> FloatArray:
    """Random effects, which must have been asked for."""
    if group.b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    return group.b
