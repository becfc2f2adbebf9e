"""A sketch of the posterior: fixed effects without groups, then how much groups differ; refined by the Laplace approximation."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.approx.irls import GlmMode, glm_mode
from bayesglmm.approx.moments import EffectMoments, effect_moments
from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.naming import INTERCEPT
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class Sketch:
    """Rough location and scale of every parameter; a start, not an estimate.

    Attributes
    ----------
    mode
        Fixed-effects fit on the columns less ``means``.
    means
        Column means, shape (p,); zero for the intercept, and for all columns when there is no intercept.
    moments
        Size of the effects of each group term.
    effects
        Rough effects of each group term, each (J, q).
    correlations
        Rough correlations of each group term's effects, each (q, q).
    source
        How it was made, in words.
    """

    mode: GlmMode
    means: FloatArray
    moments: tuple[EffectMoments, ...]
    effects: tuple[FloatArray, ...]
    correlations: tuple[FloatArray, ...]
    source: str


def make_sketch(design: Design, family: Family, link: Link) -> Sketch:
    """Sketch the posterior of a design.

    Parameters
    ----------
    design
        Arrays of n rows.
    family, link
        Response family and link.
    """
    X = np.asarray(design.X, dtype=np.float64)
    constant = np.array([label == INTERCEPT for label in design.labels], dtype=bool)
    means = np.where(constant, 0.0, X.mean(axis=0)) if constant.any() else np.zeros(X.shape[1])
    mode = glm_mode(X - means, design.y, design.offset, family=family, link=link, trials=design.trials)
    blocks = [(group.index, group.Z, len(group.levels)) for group in design.groups]
    moments = effect_moments(mode, blocks, has_dispersion=bool(family.auxiliary))
    effects = tuple(np.zeros_like(m.shrinkage) for m in moments)
    return Sketch(mode, means, moments, effects, tuple(np.eye(len(m.sd)) for m in moments), "moments of working residuals")
