"""Draws from the compiled kernel, with all effects or with some integrated out: start in its coordinates, sample, name what comes back."""

from dataclasses import replace

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.fit.provenance import Settings
from bayesglmm.kernel import codes as d
from bayesglmm.kernel.derive import Derived, derive
from bayesglmm.kernel.effects import SHARES
from bayesglmm.kernel.integration import Integrated
from bayesglmm.kernel.layout import Internal, Layout
from bayesglmm.kernel.natural import to_natural
from bayesglmm.kernel.pointers import copy_out
from bayesglmm.kernel.priors import EXP, INTERVAL
from bayesglmm.kernel.program import Program
from bayesglmm.sampler.nutpie import FlatDensity, RawDraws, sample_flat
from bayesglmm.sampler.start import MOST_SPREAD, OFFSET_SPREAD, OTHER_SPREAD, SD_SPREAD
from bayesglmm.types import FloatArray, IntArray

EFFECTS_STREAM = 1
"""Random numbers for what was integrated out come from a stream of their own, apart from the sampler's."""


def sample_program(
    program: Program, design: Design, sketch: Sketch, settings: Settings, *, progress: bool, effects: type | None = np.float64
) -> RawDraws:
    """Draw from a program with NUTS.

    Parameters
    ----------
    program
        Compiled density with its data.
    design
        Names and levels of what comes back.
    sketch
        Rough location and scale of every parameter.
    settings
        Draws, warm-up, chains, seed, target acceptance, tree depth, cores.
    progress
        Whether a bar is shown.
    effects
        Precision of the random effects' draws, None to keep none.

    Raises
    ------
    SamplingError
        If no chain could start, or the run was interrupted before the first draw after warm-up.
    """
    start, spread = flat_start(program.layout, sketch)
    raw = sample_flat(_flat(program, start, spread), settings, progress=progress)
    values = raw.values.reshape(-1, program.layout.size)
    to_natural(values, program.arrays, program.layout)
    if effects is None:
        values = values[:, : program.layout.n_parameters].copy()
    derived = derive(values.reshape(*raw.values.shape[:2], -1), program.layout)
    return RawDraws(name_draws(in_precision(derived, effects), design, program.layout.auxiliary), raw.sample_stats)


def in_precision(derived: Derived, effects: type | None) -> Derived:
    """Return the parameters with their effects in another precision; a copy only where it differs."""
    if effects is None:
        return derived
    blocks = [replace(b, effects=None if b.effects is None else b.effects.astype(effects, copy=False)) for b in derived.blocks]
    return replace(derived, blocks=tuple(blocks))


def sample_integrated(
    program: Integrated, design: Design, sketch: Sketch, settings: Settings, *, progress: bool, effects: type | None = np.float64
) -> RawDraws:
    """Draw what is left of a model with NUTS, then what was integrated out from its exact conditional distribution.

    Parameters
    ----------
    program
        Compiled density with the random effects integrated out.
    design, sketch, settings, progress, effects
        As for :func:`sample_program`.

    Raises
    ------
    SamplingError
        As for :func:`sample_program`.
    """
    start, spread = integrated_start(program, sketch)
    raw = sample_flat(_flat(program, start, spread), settings, progress=progress)
    seed = int(np.random.SeedSequence(settings.seed, spawn_key=(EFFECTS_STREAM,)).generate_state(1)[0])
    return RawDraws(name_draws(program.derive(raw.values, seed, effects=effects), design, program.auxiliary), raw.sample_stats)


def _flat(program: Program | Integrated, start: FloatArray, spread: FloatArray) -> FlatDensity:
    return FlatDensity(program.pointer(), copy_out, program.record, program, start, spread, len(start))


def integrated_start(program: Integrated, sketch: Sketch) -> tuple[FloatArray, FloatArray]:
    """Return where chains start and the SD of their scatter, each of the length of the flat vector; correlations start at zero."""
    values, scatter = scalar_start(program.kinds, program.numbers, program.internal, sketch, program.sampled, len(program.auxiliary))
    start, spread = np.zeros(program.size), np.full(program.size, OTHER_SPREAD)
    start[: len(values)], spread[: len(values)] = values, scatter
    return start, spread


def flat_start(layout: Layout, sketch: Sketch) -> tuple[FloatArray, FloatArray]:
    """Return where chains start and the SD of their scatter, each of the length of the flat vector: effects at the sketch's."""
    everything = np.arange(len(layout.internal.means))
    scalars, scatter = scalar_start(layout.kinds, layout.numbers, layout.internal, sketch, everything, len(layout.auxiliary))
    start, spread = np.zeros(layout.size), np.full(layout.size, OTHER_SPREAD)
    start[: len(scalars)], spread[: len(scalars)] = scalars, scatter
    for block, moments, effects in zip(layout.blocks, sketch.moments, sketch.effects, strict=True):
        J, q = block[d.LEVELS], block[d.WIDTH]
        shares = layout.shares[block[d.SCRATCH] : block[d.SCRATCH] + J * q].reshape(J, q) / SHARES
        unit = layout.units[block[d.COLUMN] : block[d.COLUMN] + q]
        scale = moments.sd * (unit / moments.sd) ** shares
        here = slice(block[d.EFFECT_START], block[d.EFFECT_START] + J * q)
        # effects less their mean, which the coefficients have; what the other effects of a group and other factors add is left out
        start[here] = ((effects - effects.mean(axis=0)) / scale).reshape(-1)
        spread[here] = OFFSET_SPREAD * (moments.sd / scale * np.sqrt(1.0 - moments.shrinkage)).reshape(-1)
    return start, spread


def scalar_start(
    kinds: IntArray, numbers: FloatArray, internal: Internal, sketch: Sketch, sampled: IntArray, auxiliary: int
) -> tuple[FloatArray, FloatArray]:
    """Return starting values and scatter of the sampled coefficients, SDs and auxiliary parameters, in the sampler's coordinates."""
    beta = sketch.mode.beta.copy()
    if internal.intercept != d.NONE:
        beta[internal.intercept] += (internal.means - sketch.means) @ sketch.mode.beta
    inverse = np.linalg.inv(internal.basis)
    sds = np.concatenate([np.empty(0), *(m.sd for m in sketch.moments)])
    theta = np.concatenate([(inverse @ beta)[sampled], sds, np.full(auxiliary, sketch.mode.residual_sd)])
    scatter = np.minimum(np.sqrt((inverse**2) @ sketch.mode.se**2), MOST_SPREAD * sketch.mode.predictor_scale)
    spread = np.concatenate([scatter[sampled], np.full(len(sds), SD_SPREAD), np.full(auxiliary, OTHER_SPREAD)])
    return _unconstrained(theta, kinds, numbers), spread


def name_draws(derived: Derived, design: Design, auxiliary: tuple[str, ...]) -> xr.Dataset:
    """Return parameters under the names and dims of :mod:`bayesglmm.naming`."""
    variables: dict[str, tuple[tuple[str, ...], FloatArray]] = {}
    coords: dict[str, np.ndarray] = {}
    for term in design.fixed:
        variables[naming.variable(term.name)] = _columns(derived.beta, term, naming.SAMPLE_DIMS, naming.level_dim(term.name))
        coords |= _levels(term, naming.level_dim(term.name))
    for group, draws in zip(design.groups, derived.blocks, strict=True):
        levels = naming.factor_dim(group.name)
        if draws.effects is not None:
            coords[levels] = np.array(group.levels, dtype=object)
        for term in group.effects:
            dim = naming.effect_level_dim(term.name)
            variables[naming.effect_sd(term.name, group.name)] = _columns(draws.sd, term, naming.SAMPLE_DIMS, dim)
            if draws.effects is not None:
                variables[naming.effect(term.name, group.name)] = _columns(draws.effects, term, (*naming.SAMPLE_DIMS, levels), dim)
            coords |= _levels(term, dim)
        block = naming.block(group.name, group.position)
        if group.term.covariance == "us" and len(group.labels) > 1:
            dims = naming.correlation_dims(block)
            variables[naming.correlation(block)] = ((*naming.SAMPLE_DIMS, *dims), draws.correlation)
            coords |= dict.fromkeys(dims, np.array(group.labels, dtype=object))
    for k, name in enumerate(auxiliary):
        variables[name] = (naming.SAMPLE_DIMS, derived.auxiliary[..., k])
    chains, draws_per_chain = derived.beta.shape[:2]
    sample = {"chain": np.arange(chains), "draw": np.arange(draws_per_chain)}
    return xr.Dataset(variables, coords={**sample, **coords})


def _columns(values: FloatArray, term: TermColumns, dims: tuple[str, ...], level_dim: str) -> tuple[tuple[str, ...], FloatArray]:
    """Return one term's columns of ``values`` (the last axis) with their dims."""
    if term.levels is None:
        return dims, values[..., term.start]
    return (*dims, level_dim), values[..., term.start : term.stop]


def _levels(term: TermColumns, dim: str) -> dict[str, np.ndarray]:
    return {} if term.levels is None else {dim: np.array(term.levels, dtype=object)}


def _unconstrained(theta: FloatArray, kinds: IntArray, numbers: FloatArray) -> FloatArray:
    """Return scalars in the sampler's coordinates; those with bounds are moved a tenth of the width away from either end."""
    kind = kinds[:, d.TRANSFORM]
    x = np.array(theta, dtype=np.float64)
    x[kind == EXP] = np.log(theta[kind == EXP])
    inside = kind == INTERVAL
    lower, width = numbers[inside, d.LOWER], numbers[inside, d.UPPER] - numbers[inside, d.LOWER]
    share = np.clip((theta[inside] - lower) / width, 0.1, 0.9)
    x[inside] = np.log(share / (1.0 - share))
    return x
