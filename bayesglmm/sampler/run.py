"""One run: choose the engine, sample, judge."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.approx.sketch import Sketch
from bayesglmm.design.design import Design
from bayesglmm.design.prepare import Prepared
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.families.base import Family
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.fit.provenance import Settings
from bayesglmm.fit.quality import Quality, RunStatistics, judge
from bayesglmm.types import Engine, Parameterization

CENTERED_FROM = 3.0
FEW_LEVELS = 10
"""``auto`` centers a block of J groups in the kernel from an information ratio of ``CENTERED_FROM * (1 + FEW_LEVELS / J)``: with few
groups the SD may be small even when the groups in the data differ, and a centered block then is a funnel."""


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


def choose_parameterization(
    design: Design, asked: Parameterization | Mapping[str, Parameterization], sketch: Sketch | None = None
) -> dict[str, Parameterization]:
    """Return ``centered`` or ``noncentered`` for every covariance block.

    With a sketch, ``auto`` centers a block when for each of its effects the data tell several times (``CENTERED_FROM``) as much about a
    typical group as the group's prior does (Papaspiliopoulos, Roberts & Skold 2007, *Statistical Science* 22, 59-73). Without one it is
    non-centered, the form that no funnel hurts.

    Raises
    ------
    ArgumentError
        If a mapping names a grouping factor that is not in the model.
    """
    blocks = [naming.block(g.name, g.position) for g in design.groups]
    if isinstance(asked, str):
        asked = dict.fromkeys(blocks, asked)
    unknown = [name for name in asked if name not in blocks]
    if unknown:
        listed = ", ".join(blocks) or "none"
        raise ArgumentError(
            "parameterization names a grouping factor that is not in the model", where=", ".join(unknown), fix=f"use {listed}"
        )
    needed = [CENTERED_FROM * (1.0 + FEW_LEVELS / len(g.levels)) for g in design.groups]
    informed = [sketch is not None and bool(np.all(sketch.moments[t].information >= needed[t])) for t in range(len(blocks))]
    automatic: dict[str, Parameterization] = {b: "centered" if yes else "noncentered" for b, yes in zip(blocks, informed, strict=True)}
    return {b: automatic[b] if asked.get(b, "auto") == "auto" else asked[b] for b in blocks}


def choose_integration(
    ready: Prepared, sketch: Sketch, asked: str, engine: str, parameterization: Parameterization | Mapping[str, Parameterization]
) -> Any | None:
    """Return the program with the random intercepts integrated out when it is asked for or pays, or None.

    ``auto`` integrates when that costs less than it gains (a count of operations), and never when the user chose a parameterization.

    Raises
    ------
    NotBuiltError
        If ``all`` is asked for where it cannot be done; names what stands against it.
    """
    if asked == "none" or (asked == "auto" and (engine != "kernel" or parameterization != "auto")):
        return None
    from bayesglmm.kernel.integrated_program import make_integrated, not_integrable, pays

    against = "the PyMC form samples them" if engine != "kernel" else not_integrable(ready.design, ready.family, ready.link.name)
    if against is not None and asked == "all":
        raise NotBuiltError("the random effects cannot be integrated out", where=f"integrate='all': {against}", fix="use integrate='auto'")
    if against is not None:
        return None
    program = make_integrated(ready.design, ready.priors, family=ready.family, link=ready.link.name, center=ready.spec.center)
    return program if asked == "all" or pays(program, len(ready.design.y), float(sketch.moments[0].sd[0])) else None


def judge_run(posterior: xr.Dataset, stats: xr.Dataset, design: Design, family: Family, settings: Settings) -> Quality:
    """Return the verdict on a run: statistics of every fixed effect, SD, correlation and auxiliary parameter.

    Parameters
    ----------
    posterior, stats
        Dims (chain, draw, ...); statistics under ArviZ's names.
    design, family
        They say which parameters there are.
    settings
        What was asked for.
    """
    parameters = parameter_draws(posterior, design, family.auxiliary)
    values = parameters.values
    sampler = {str(n): stats[n].transpose("chain", "draw").to_numpy() for n in stats.data_vars}
    few = values.shape[1] < 4
    nothing = np.full(values.shape[-1], np.nan)
    run = RunStatistics(
        parameters=parameters.labels,
        rhat=nothing if few else diagnostics.rhat(values),
        ess_bulk=nothing if few else diagnostics.ess_bulk(values),
        ess_tail=nothing if few else diagnostics.ess_tail(values),
        mcse_share=nothing if few else diagnostics.mcse_mean(values) / values.std(axis=(0, 1)),
        sampler=sampler,
        bfmi=None if few or "energy" not in sampler else diagnostics.bfmi(sampler["energy"]),
        chains=values.shape[0],
        draws=values.shape[1],
        requested_chains=settings.chains,
        requested_draws=settings.draws,
        target_accept=settings.target_accept,
    )
    return judge(run)
