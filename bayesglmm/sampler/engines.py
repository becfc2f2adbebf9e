"""From a prepared model to draws: which form of the density, which random effects are integrated out, which coordinates, and the run.

What is heavy to import (numba, nutpie, PyMC) is imported by the engine that needs it, when it runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesglmm import naming
from bayesglmm.approx.refine import refined_sketch
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.design import Design
from bayesglmm.design.prepare import Prepared
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.families.base import Family
from bayesglmm.fit.draws import stored_variables
from bayesglmm.fit.provenance import Settings
from bayesglmm.sampler.memory import check_memory
from bayesglmm.sampler.nutpie import RawDraws
from bayesglmm.sampler.start import find_start
from bayesglmm.types import Engine, Integrate, Parameterization, SampledForm

EFFECTS_DTYPE: Mapping[str, type | None] = {"float64": np.float64, "float32": np.float32, "none": None}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked of the sampler, beside its settings."""

    engine: Engine
    integrate: Integrate
    parameterization: Parameterization | Mapping[str, Parameterization]
    progress: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Draws and how they were made: engine, the reason for it, and the form of every covariance block."""

    raw: RawDraws
    engine: str
    reason: str
    forms: Mapping[str, SampledForm]


def run_sampler(ready: Prepared, asked: Asked, settings: Settings) -> Run:
    """Sample a prepared model.

    Parameters
    ----------
    ready
        Design and priors.
    asked
        Engine, integration, parameterization, progress.
    settings
        Draws, warm-up, chains, seed, target acceptance, tree depth, cores, precision of the effects.

    Raises
    ------
    NotBuiltError
        If an engine or an integration is asked for that the model cannot have; names the part.
    ArgumentError
        If the parameterization names a factor that is not in the model, or the draws do not fit into memory.
    SamplingError
        If no chain could start, or the run was interrupted before the first draw.
    """
    engine, reason = choose_engine(asked.engine, ready.family, ready.link.name)
    forms = asked_forms(ready.design, asked.parameterization)
    sketch = refined_sketch(ready)
    if engine == "pymc":
        return _run_pymc(ready, sketch, asked, settings, reason, forms)
    return _run_kernel(ready, sketch, asked, settings, reason, forms)


def choose_engine(engine: Engine, family: Family, link: str) -> tuple[str, str]:
    """Return the engine and the reason for it.

    Raises
    ------
    NotBuiltError
        If the kernel is asked for and cannot do what the model needs; names the part.
    """
    from bayesglmm.kernel.layout import unsupported

    if engine == "pymc":
        return "pymc", "asked for"
    lacking = unsupported(family, link)
    if lacking is None:
        return "kernel", "asked for" if engine == "kernel" else "every part of the model is in the compiled kernel"
    if engine == "kernel":
        raise NotBuiltError("the compiled kernel lacks a part of this model", where=lacking, fix="use engine='auto' or engine='pymc'")
    return "pymc", f"the compiled kernel lacks {lacking}"


def asked_forms(design: Design, asked: Parameterization | Mapping[str, Parameterization]) -> dict[str, Parameterization]:
    """Return what was asked for every covariance block, ``auto`` where nothing was.

    Raises
    ------
    ArgumentError
        If a mapping names a grouping factor that is not in the model.
    """
    blocks = [naming.block(g.name, g.position) for g in design.groups]
    if isinstance(asked, str):
        return dict.fromkeys(blocks, asked)
    unknown = [name for name in asked if name not in blocks]
    if unknown:
        listed = ", ".join(blocks) or "none"
        raise ArgumentError(
            "parameterization names a grouping factor that is not in the model", where=", ".join(unknown), fix=f"use {listed}"
        )
    return {block: asked.get(block, "auto") for block in blocks}


def plain_forms(asked: Mapping[str, Parameterization]) -> dict[str, Parameterization]:
    """Return the forms that the PyMC model has: what was asked, else non-centered, which no funnel hurts."""
    return {block: "noncentered" if form == "auto" else form for block, form in asked.items()}


def _run_pymc(ready: Prepared, sketch: Sketch, asked: Asked, settings: Settings, reason: str, forms: Mapping[str, Parameterization]) -> Run:
    from bayesglmm.model.build import build_model
    from bayesglmm.sampler import nutpie

    if asked.integrate == "all":
        fix = "use integrate='auto'"
        raise NotBuiltError("the random effects cannot be integrated out", where="integrate='all': the PyMC form samples them", fix=fix)
    check_memory(ready.design, settings, sampled=True)
    chosen, effects = plain_forms(forms), EFFECTS_DTYPE[settings.effects]
    model = build_model(ready.spec, ready.design, ready.priors, family=ready.family, parameterization=chosen)
    start = find_start(ready.design, ready.priors, sketch, center=ready.spec.center, parameterization=chosen)
    keep = stored_variables(ready.design, ready.family.auxiliary, effects=effects is not None)
    raw = nutpie.sample(model, start, settings, keep=keep, progress=asked.progress)
    names = [naming.effect(t.name, g.name) for g in ready.design.groups for t in g.effects] if effects is np.float32 else []
    reported: dict[str, SampledForm] = {b: "centered" if form == "centered" else "noncentered" for b, form in chosen.items()}
    posterior = raw.posterior.assign({name: raw.posterior[name].astype(effects) for name in names})
    return Run(RawDraws(posterior, raw.sample_stats), "pymc", reason, reported)


def _run_kernel(
    ready: Prepared, sketch: Sketch, asked: Asked, settings: Settings, reason: str, forms: Mapping[str, Parameterization]
) -> Run:
    from bayesglmm.sampler.centering import choose_forms, describe_forms
    from bayesglmm.sampler.integration import choose_integration
    from bayesglmm.sampler.kernel import sample_integrated, sample_program

    effects = EFFECTS_DTYPE[settings.effects]
    program = make_sampled(ready, sketch, choose_forms(ready.design, forms, sketch))
    given = any(form != "auto" for form in forms.values())
    integrated = choose_integration(ready, sketch, program, asked=asked.integrate, form_given=given)
    check_memory(ready.design, settings, sampled=integrated is None)
    if integrated is not None:
        raw = sample_integrated(integrated, ready.design, sketch, settings, progress=asked.progress, effects=effects)
        return Run(raw, "kernel", f"{reason}; {integrated.described}", dict.fromkeys(forms, "integrated"))
    raw = sample_program(program, ready.design, sketch, settings, progress=asked.progress, effects=effects)
    n, cells = len(ready.design.y), program.layout.n_cells
    joined = f"; {n} rows joined to {cells} distinct ones" if cells < n else ""
    return Run(raw, "kernel", reason + joined, describe_forms(choose_forms(ready.design, forms, sketch)))


def make_sampled(ready: Prepared, sketch: Sketch, forms: Mapping[str, Any]) -> Any:
    """Return the kernel's program with all random effects among its parameters."""
    from bayesglmm.kernel.program import make_program
    from bayesglmm.kernel.pulls import find_pulls

    plain = any(isinstance(form, str) for form in forms.values())
    sds = [moments.sd for moments in sketch.moments]
    pulls = None if plain else find_pulls(ready.design.groups, sds, sketch.mode.weights, sketch.mode.dispersion)
    link, center = ready.link.name, ready.spec.center
    return make_program(ready.design, ready.priors, family=ready.family, link=link, center=center, parameterization=forms, pulls=pulls)
