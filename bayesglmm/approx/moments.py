r"""How much groups differ, from one pass over working residuals: where SDs start, and whether a block is sampled centered.

With the fixed-effects fit's working residuals r and weights w, group j's estimate of an effect with column z is
:math:`\hat b_j = \sum w z r / \sum w z^2`, with sampling variance about :math:`\phi / \sum w z^2`. The variance between groups is what the
spread of the :math:`\hat b_j` exceeds the sampling variance by (DerSimonian & Laird 1986, *Controlled Clinical Trials* 7, 177-188), and the
information ratio :math:`\sigma_b^2 \sum w z^2 / \phi` says how much more the data tell about one group than its prior does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.approx.irls import GlmMode
from bayesglmm.types import FloatArray, IntArray

LEAST_SHARE = 0.1
"""Smallest starting SD, as a share of the linear predictor's scale."""
MOST_SHARE = 3.0
PASSES = 3


@dataclass(frozen=True, slots=True)
class EffectMoments:
    """Rough size of one block's effects.

    Attributes
    ----------
    sd
        SD of each effect between groups, shape (q,); never zero.
    information
        Information ratio of each effect, averaged over groups by its median, shape (q,).
    """

    sd: FloatArray
    information: FloatArray


def effect_moments(mode: GlmMode, blocks: Sequence[tuple[IntArray, FloatArray, int]], *, has_dispersion: bool) -> tuple[EffectMoments, ...]:
    """SDs and information ratios of all blocks from the working residuals of the fixed-effects fit.

    Parameters
    ----------
    mode
        Fixed-effects fit with working residuals and weights, shape (n,).
    blocks
        For each block the group of each row (n,), the effect columns (n, q) and the number of groups.
    has_dispersion
        Whether the residual variance is a parameter: then what each block's largest effect explains is taken off it, in ``PASSES`` passes,
        because the random effects of all blocks are in the residuals.
    """
    dispersion = mode.dispersion
    found: tuple[EffectMoments, ...] = ()
    for _ in range(PASSES if has_dispersion else 1):
        rows = replace(mode, dispersion=dispersion)
        found = tuple(_block(rows, *block) for block in blocks)
        explained = sum(float(np.mean((Z * m.sd) ** 2, axis=0).max()) for (_, Z, _), m in zip(blocks, found, strict=True))
        dispersion = max(mode.dispersion - explained, LEAST_SHARE * mode.dispersion)
    return found


def _block(mode: GlmMode, index: IntArray, Z: FloatArray, n_levels: int) -> EffectMoments:
    effects = [_one_effect(mode, index, Z[:, k], n_levels) for k in range(Z.shape[1])]
    return EffectMoments(np.array([sd for sd, _ in effects]), np.array([ratio for _, ratio in effects]))


def _one_effect(mode: GlmMode, index: IntArray, z: FloatArray, n_levels: int) -> tuple[float, float]:
    """SD between groups and information ratio of one effect column."""
    precision = np.bincount(index, mode.weights * z**2, minlength=n_levels) / mode.dispersion
    informed = precision > 1e-10 * max(float(precision.max()), 1e-300)
    estimate = np.bincount(index, mode.weights * z * mode.residuals, minlength=n_levels)[informed] / (precision[informed] * mode.dispersion)
    scale = mode.predictor_scale / max(float(np.sqrt(np.mean(z**2))), 1e-300)
    if informed.sum() < 2:
        return LEAST_SHARE * scale, 0.0
    share = precision[informed] / precision[informed].sum()
    center = float(share @ estimate)
    excess = float(share @ (estimate - center) ** 2) - float((1.0 - share).mean() * np.sum(share / precision[informed]))
    sd = float(np.clip(np.sqrt(max(excess, 0.0)), LEAST_SHARE * scale, MOST_SHARE * scale))
    return sd, float(sd**2 * np.median(precision[informed]))
