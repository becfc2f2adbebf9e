"""Draws from the kernel with the random intercepts integrated out."""

import numpy as np

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.design import Design
from bayesglmm.fit.provenance import Settings
from bayesglmm.kernel.integrated_pointer import integrated_pointer
from bayesglmm.kernel.integrated_program import IntegratedProgram, derive_integrated
from bayesglmm.kernel.program import copy_out
from bayesglmm.sampler.kernel import name_draws, scalar_start
from bayesglmm.sampler.nutpie import FLAT, FlatDensity, RawDraws, sample_flat

EFFECTS_STREAM = 1
"""Random numbers for the effects come from a stream of their own, apart from the sampler's."""


def sample_integrated(program: IntegratedProgram, design: Design, sketch: Sketch, settings: Settings, *, progress: bool) -> RawDraws:
    """Draw coefficients and SD with NUTS, then the random intercepts from their exact conditional distribution.

    Parameters
    ----------
    program
        Compiled density with the random intercepts integrated out.
    design, sketch, settings, progress
        As for :func:`bayesglmm.sampler.kernel.sample_program`.

    Raises
    ------
    SamplingError
        As for :func:`bayesglmm.sampler.kernel.sample_program`.
    """
    start, spread = scalar_start(program.arrays.kinds, program.arrays.numbers, program.internal, sketch, auxiliary=0)
    raw = sample_flat(FlatDensity(integrated_pointer, copy_out, program.record, start, spread), settings, progress=progress)
    flat = raw.posterior[FLAT].transpose(*naming.SAMPLE_DIMS, ...).to_numpy()
    seed = int(np.random.SeedSequence(settings.seed, spawn_key=(EFFECTS_STREAM,)).generate_state(1)[0])
    return RawDraws(name_draws(derive_integrated(flat, program, seed), design, ()), raw.sample_stats)
