"""Draws from the compiled kernel: start in its coordinates, sample, and name what comes back."""

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.fit.provenance import Settings
from bayesglmm.kernel import density as d
from bayesglmm.kernel.derive import Derived, derive
from bayesglmm.kernel.layout import Internal, Layout
from bayesglmm.kernel.priors import EXP, INTERVAL
from bayesglmm.kernel.program import Program, copy_out, density_pointer
from bayesglmm.sampler.nutpie import FLAT, FlatDensity, RawDraws, sample_flat
from bayesglmm.sampler.start import MOST_SPREAD, OFFSET_SPREAD, OTHER_SPREAD, SD_SPREAD
from bayesglmm.types import FloatArray, IntArray


def sample_program(program: Program, design: Design, sketch: Sketch, settings: Settings, *, progress: bool) -> RawDraws:
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

    Raises
    ------
    SamplingError
        If no chain could start, or the run was interrupted before the first draw after warm-up.
    """
    start, spread = flat_start(program.layout, sketch)
    raw = sample_flat(FlatDensity(density_pointer, copy_out, program.record, start, spread), settings, progress=progress)
    flat = raw.posterior[FLAT].transpose(*naming.SAMPLE_DIMS, ...).to_numpy()
    return RawDraws(name_draws(derive(flat, program.layout), design, program.layout.auxiliary), raw.sample_stats)


def flat_start(layout: Layout, sketch: Sketch) -> tuple[FloatArray, FloatArray]:
    """Return where chains start and the SD of their scatter, each of the length of the flat vector."""
    scalars, scatter = scalar_start(layout.kinds, layout.numbers, layout.internal, sketch, auxiliary=len(layout.auxiliary))
    start, spread = np.zeros(layout.size), np.full(layout.size, OTHER_SPREAD)
    start[: len(scalars)], spread[: len(scalars)] = scalars, scatter
    for block, moments in zip(layout.blocks, sketch.moments, strict=True):
        unit = moments.sd if block[d.CENTERED] == 1 else np.ones_like(moments.sd)
        here = slice(block[d.EFFECT_START], block[d.EFFECT_START] + block[d.LEVELS] * block[d.WIDTH])
        spread[here] = OFFSET_SPREAD * np.tile(unit, block[d.LEVELS])
        spread[block[d.EFFECT_START] : block[d.EFFECT_START] + block[d.WIDTH]] = OFFSET_SPREAD
    return start, spread


def scalar_start(
    kinds: IntArray, numbers: FloatArray, internal: Internal, sketch: Sketch, *, auxiliary: int
) -> tuple[FloatArray, FloatArray]:
    """Return starting values and scatter of coefficients, SDs and auxiliary parameters, in the sampler's coordinates."""
    beta = sketch.mode.beta.copy()
    if internal.intercept != d.NONE:
        beta[internal.intercept] += (internal.means - sketch.means) @ sketch.mode.beta
    inverse = np.linalg.inv(internal.basis)
    sds = np.concatenate([np.empty(0), *(m.sd for m in sketch.moments)])
    theta = np.concatenate([inverse @ beta, sds, np.full(auxiliary, sketch.mode.residual_sd)])
    scatter = np.minimum(np.sqrt((inverse**2) @ sketch.mode.se**2), MOST_SPREAD * sketch.mode.predictor_scale)
    spread = np.concatenate([scatter, np.full(len(sds), SD_SPREAD), np.full(auxiliary, OTHER_SPREAD)])
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
        coords[levels] = np.array(group.levels, dtype=object)
        for term in group.effects:
            dim = naming.effect_level_dim(term.name)
            variables[naming.effect_sd(term.name, group.name)] = _columns(draws.sd, term, naming.SAMPLE_DIMS, dim)
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
        return dims, np.ascontiguousarray(values[..., term.start])
    return (*dims, level_dim), np.ascontiguousarray(values[..., term.start : term.stop])


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
