r"""How much groups differ, from passes over working residuals: where SDs start, and whether a block is sampled centered.

With the fixed-effects fit's working residuals r and weights w, group j's estimate of an effect with column z is
:math:`\hat b_j = \sum_j w z r / \sum_j w z^2`. Its sampling variance is :math:`\phi / \sum_j w z^2` plus what the other effects, with
columns z' and groups l, add: :math:`\sigma_{b'}^2 \sum_l (c_{jl} - \bar c_l)^2`, where :math:`c_{jl} = \sum_{jl} w z z' / \sum_j w z^2`.
What all groups j share (a balanced crossed factor) does not spread their estimates. The variance between groups is what the spread of
the :math:`\hat b_j` exceeds the sampling variance by (DerSimonian & Laird 1986, *Controlled Clinical Trials* 7, 177-188).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.approx.irls import GlmMode
from bayesglmm.types import FloatArray, IntArray

LEAST_SHARE = 0.1
"""Smallest starting SD, as a share of the linear predictor's scale."""
MOST_SHARE = 3.0
PASSES = 4

type Block = tuple[IntArray, FloatArray, int]


@dataclass(frozen=True, slots=True)
class EffectMoments:
    """Rough size of one block's effects.

    Attributes
    ----------
    sd
        SD of each effect between groups, shape (q,); never zero.
    information
        Variance between groups over the sampling variance of a typical group's estimate, given the other effects of the same block: how
        much more the data tell about one group than its prior does, shape (q,).
    shrinkage
        How much of what is known about each group's effect comes from the data, from 0 to 1, shape (J, q).
    """

    sd: FloatArray
    information: FloatArray
    shrinkage: FloatArray


@dataclass(frozen=True, slots=True)
class _Effect:
    """One effect column: groups (n,), column (n,), number of groups, estimate and precision factor per group, and a natural scale."""

    index: IntArray
    z: FloatArray
    n_levels: int
    estimate: FloatArray
    weight: FloatArray
    scale: float


def effect_moments(mode: GlmMode, blocks: Sequence[Block], *, has_dispersion: bool) -> tuple[EffectMoments, ...]:
    """SDs and information ratios of all blocks from the working residuals of the fixed-effects fit.

    Parameters
    ----------
    mode
        Fixed-effects fit with working residuals and weights, shape (n,).
    blocks
        For each block the group of each row (n,), the effect columns (n, q) and the number of groups.
    has_dispersion
        Whether the residual variance is a parameter: then what the effects explain is taken off it.
    """
    effects = [_effect(mode, index, Z[:, k], n_levels) for index, Z, n_levels in blocks for k in range(Z.shape[1])]
    of_block = np.repeat(np.arange(len(blocks)), [Z.shape[1] for _, Z, _ in blocks])
    leaks = [[_leak(mode, a, b) if a is not b else np.zeros(a.n_levels) for b in effects] for a in effects]
    sd, information, dispersion = np.zeros(len(effects)), np.zeros(len(effects)), mode.dispersion
    n_levels, shrinkage = np.array([e.n_levels for e in effects]), [np.zeros(e.n_levels) for e in effects]
    for _ in range(PASSES):
        for k in sorted(range(len(effects)), key=lambda k: -effects[k].n_levels):
            leak = sd[:, None] ** 2 * np.array(leaks[k])
            own = dispersion / effects[k].weight
            sd[k] = _sd_between(effects[k], own + leak.sum(axis=0))
            others = own + leak[of_block != of_block[k]].sum(axis=0)
            information[k] = sd[k] ** 2 / np.nanmedian(others)
            # a factor with fewer levels is known better than its variance says: only finer ones blur a group
            finer = own + leak[(of_block != of_block[k]) & (n_levels > n_levels[k])].sum(axis=0)
            shrinkage[k] = np.nan_to_num(sd[k] ** 2 / (sd[k] ** 2 + finer))
        if has_dispersion:
            explained = sum(float(np.mean((e.z * s) ** 2)) for e, s in zip(effects, sd, strict=True))
            dispersion = max(mode.dispersion - explained, LEAST_SHARE**2 * mode.dispersion)
    return tuple(
        EffectMoments(sd[here], information[here], np.column_stack([shrinkage[k] for k in np.flatnonzero(here)]))
        for here in (of_block == t for t in range(len(blocks)))
    )


def _effect(mode: GlmMode, index: IntArray, z: FloatArray, n_levels: int) -> _Effect:
    weight = np.bincount(index, mode.weights * z**2, minlength=n_levels)
    total = np.bincount(index, mode.weights * z * mode.residuals, minlength=n_levels)
    informed = weight > 1e-10 * max(float(weight.max()), 1e-300)
    estimate = np.where(informed, total / np.where(informed, weight, 1.0), np.nan)
    rms = max(float(np.sqrt(np.mean(z**2))), 1e-300)
    return _Effect(index, z, n_levels, estimate, np.where(informed, weight, np.nan), mode.predictor_scale / rms)


def _leak(mode: GlmMode, effect: _Effect, other: _Effect) -> FloatArray:
    """Return what one unit of the other effect's variance adds to the sampling variance of each group's estimate, less what all share."""
    pairs, position = np.unique(effect.index.astype(np.int64) * other.n_levels + other.index, return_inverse=True)
    cross = np.bincount(position, mode.weights * effect.z * other.z, minlength=len(pairs))
    group, level = pairs // other.n_levels, pairs % other.n_levels
    common = np.bincount(level, cross, minlength=other.n_levels) / np.nansum(effect.weight)
    share = cross / effect.weight[group]
    spread = np.bincount(group, share**2 - 2.0 * share * common[level], minlength=effect.n_levels)
    return np.maximum(spread + np.sum(common**2), 0.0)


def _sd_between(effect: _Effect, variance: FloatArray) -> float:
    """SD between groups of one effect, given the sampling variance of each group's estimate."""
    informed = np.isfinite(effect.estimate)
    low, high = LEAST_SHARE * effect.scale, MOST_SHARE * effect.scale
    if informed.sum() < 2:
        return low
    estimate, variance = effect.estimate[informed], variance[informed]
    share = 1.0 / variance / np.sum(1.0 / variance)
    spread = float(share @ (estimate - share @ estimate) ** 2)
    excess = (spread - float(share @ ((1.0 - share) * variance))) / (1.0 - float(share @ share))
    return float(np.clip(np.sqrt(max(excess, 0.0)), low, high))
