"""Where chains start: near the fixed-effects mode, with modest random effects, scattered on the scale of the standard errors.

Starts drawn from the prior strand chains (a Poisson model with a log link sits at exp(20) and never comes back); these do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm import naming
from bayesglmm.approx.irls import GlmMode, glm_mode
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.numerics.links import Link
from bayesglmm.spec.priors import Prior, ResolvedPriors, Uniform
from bayesglmm.types import FloatArray

GROUP_SHARE = 0.5
"""Starting SD of a random effect, as a share of the linear predictor's residual scale."""
OFFSET_SPREAD = 0.3
SD_SPREAD = 0.3
OTHER_SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class Start:
    """Starting values on the parameters' own scale and the scatter of chains around them.

    Attributes
    ----------
    values
        By variable name; variables that are left out start at their prior's center.
    spread
        SD of the scatter in the sampler's unconstrained coordinates, by variable name.
    """

    values: Mapping[str, FloatArray]
    spread: Mapping[str, FloatArray]


def find_start(design: Design, priors: ResolvedPriors, *, family: Family, link: Link, center: bool) -> Start:
    """Return starting values for every parameter of the PyMC form.

    Parameters
    ----------
    design
        Arrays of n rows.
    priors
        Resolved priors; a bounded prior keeps the start inside its bounds.
    family, link
        Response family and link.
    center
        Whether the sampled intercept belongs to the centered columns.
    """
    X = np.asarray(design.X, dtype=float)
    has_intercept = priors.intercept is not None
    if center and has_intercept and X.shape[1] > 1:
        means = np.where(_intercept_column(design), 0.0, X.mean(axis=0))
        X = X - means
    mode = glm_mode(X, design.y, design.offset, family=family, link=link, trials=design.trials)
    values, spread = _fixed_start(design, priors, mode, center=center)
    scale = mode.residual_sd if family.auxiliary and link.name == "identity" else 1.0
    for group, sd_priors in zip(design.groups, priors.sd, strict=True):
        for term in group.effects:
            name = naming.effect_sd(term.name, group.name)
            rms = np.sqrt(np.mean(group.Z[:, term.start : term.stop] ** 2, axis=0))
            values[name] = _shaped(_inside(GROUP_SHARE * scale / np.maximum(rms, 1e-8), sd_priors[term.start : term.stop]), term)
            spread[name] = np.array(SD_SPREAD)
        spread[naming.offsets(naming.block(group.name, group.position))] = np.array(OFFSET_SPREAD)
    for name, prior in priors.aux:
        values[name] = _inside(np.array([max(mode.residual_sd, 1e-8)]), (prior,))[0]
        spread[name] = np.array(OTHER_SPREAD)
    return Start(values, spread)


def _intercept_column(design: Design) -> FloatArray:
    flags = np.zeros(design.X.shape[1])
    for term in design.fixed:
        if term.name == naming.INTERCEPT:
            flags[term.start : term.stop] = 1.0
    return flags.astype(bool)


def _fixed_start(
    design: Design, priors: ResolvedPriors, mode: GlmMode, *, center: bool
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    values: dict[str, FloatArray] = {}
    spread: dict[str, FloatArray] = {}
    at = 0
    for term in design.fixed:
        here = slice(term.start, term.stop)
        if term.name == naming.INTERCEPT:
            only = len(design.fixed) == 1
            name = naming.CENTERED_INTERCEPT if center and not only else naming.INTERCEPT
            chosen: tuple[Prior, ...] = () if priors.intercept is None else (priors.intercept,)
        else:
            name, width = naming.variable(term.name), term.stop - term.start
            chosen = priors.b[at : at + width]
            at += width
        values[name] = _shaped(_inside(mode.beta[here], chosen), term)
        spread[name] = _shaped(mode.se[here], term)
    return values, spread


def _inside(values: FloatArray, priors: tuple[Prior, ...]) -> FloatArray:
    """Values moved inside the bounds of bounded priors, a tenth of the width away from either end."""
    moved = np.array(values, dtype=float)
    for k, prior in enumerate(priors):
        if isinstance(prior, Uniform):
            margin = 0.1 * (prior.upper - prior.lower)
            moved[k] = np.clip(moved[k], prior.lower + margin, prior.upper - margin)
    return moved


def _shaped(values: FloatArray, term: TermColumns) -> FloatArray:
    """Return a scalar for a term without levels, a vector for one with."""
    return values[0] if term.levels is None else values
