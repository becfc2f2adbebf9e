"""Where chains start: near the fixed-effects mode, with modest random effects, scattered on the scale of the standard errors.

Starts drawn from the prior strand chains (a Poisson model with a log link sits at exp(20) and never comes back); these do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.spec.priors import Prior, ResolvedPriors, Uniform
from bayesglmm.types import FloatArray, Parameterization

MOST_SPREAD = 1.0
"""Largest scatter of a coefficient of a column with mean square one, in units of the predictor: a flat likelihood has huge errors."""
OFFSET_SPREAD = 0.3
"""Scatter of random effects, in their own SDs."""
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


def find_start(
    design: Design, priors: ResolvedPriors, sketch: Sketch, *, center: bool, parameterization: Mapping[str, Parameterization]
) -> Start:
    """Return starting values for every parameter of the PyMC form.

    Parameters
    ----------
    design
        Arrays of n rows.
    priors
        Resolved priors; a bounded prior keeps the start inside its bounds.
    sketch
        Rough location and scale of every parameter.
    center
        Whether the sampled intercept belongs to the centered columns.
    parameterization
        ``centered`` or ``noncentered`` for each covariance block.
    """
    values, spread = _fixed_start(design, priors, sketch, center=center)
    for group, found, sd_priors in zip(design.groups, sketch.moments, priors.sd, strict=True):
        for term in group.effects:
            name, here = naming.effect_sd(term.name, group.name), slice(term.start, term.stop)
            values[name] = _shaped(_inside(found.sd[here], sd_priors[here]), term)
            spread[name] = np.array(SD_SPREAD)
        block = naming.block(group.name, group.position)
        unit = found.sd if parameterization[block] == "centered" else np.ones_like(found.sd)
        spread[naming.offsets(block)] = np.tile(OFFSET_SPREAD * unit, len(group.levels))
    for name, prior in priors.aux:
        values[name] = _inside(np.array([sketch.mode.residual_sd]), (prior,))[0]
        spread[name] = np.array(OTHER_SPREAD)
    return Start(values, spread)


def _fixed_start(
    design: Design, priors: ResolvedPriors, sketch: Sketch, *, center: bool
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    values: dict[str, FloatArray] = {}
    spread: dict[str, FloatArray] = {}
    at = 0
    for term in design.fixed:
        here, beta = slice(term.start, term.stop), sketch.mode.beta
        if term.name == naming.INTERCEPT:
            moves = center and len(design.fixed) > 1
            name = naming.CENTERED_INTERCEPT if moves else naming.INTERCEPT
            value = beta[here] - (0.0 if moves else sketch.means @ beta)
            chosen: tuple[Prior, ...] = () if priors.intercept is None else (priors.intercept,)
        else:
            name, value = naming.variable(term.name), beta[here]
            chosen = priors.b[at : at + term.stop - term.start]
            at += term.stop - term.start
        values[name] = _shaped(_inside(value, chosen), term)
        most = MOST_SPREAD * sketch.mode.predictor_scale / np.maximum(np.sqrt(np.mean(design.X[:, here] ** 2, axis=0)), 1e-300)
        spread[name] = _shaped(np.minimum(sketch.mode.se[here], most), term)
    return values, spread


def _inside(values: FloatArray, priors: tuple[Prior, ...]) -> FloatArray:
    """Return values moved inside the bounds of bounded priors, a tenth of the width away from either end."""
    moved = np.array(values, dtype=float)
    for k, prior in enumerate(priors):
        if isinstance(prior, Uniform):
            margin = 0.1 * (prior.upper - prior.lower)
            moved[k] = np.clip(moved[k], prior.lower + margin, prior.upper - margin)
    return moved


def _shaped(values: FloatArray, term: TermColumns) -> FloatArray:
    """Return a scalar for a term without levels, a vector for one with."""
    return np.asarray(values[0] if term.levels is None else values)
