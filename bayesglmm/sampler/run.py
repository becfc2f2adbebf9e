"""One run: choose the engine, sample, judge."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.design import Design
from bayesglmm.errors import ArgumentError, NotBuiltError
from bayesglmm.families.base import Family
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.fit.provenance import Settings
from bayesglmm.fit.quality import Quality, RunStatistics, judge
from bayesglmm.types import Engine, Parameterization

KERNEL_REASON = "the compiled kernel covers no model in this version, so the PyMC form was sampled"
PYMC_REASON = "asked for"


def choose_engine(engine: Engine) -> tuple[str, str]:
    """Engine and reason.

    Raises
    ------
    NotBuiltError
        If the kernel is asked for by name.
    """
    if engine == "kernel":
        raise NotBuiltError(
            "the compiled kernel is not part of this version", where="engine='kernel'", fix="use engine='auto' or engine='pymc'"
        )
    return "pymc", PYMC_REASON if engine == "pymc" else KERNEL_REASON


def choose_parameterization(design: Design, asked: Parameterization | Mapping[str, Parameterization]) -> dict[str, Parameterization]:
    """Return ``centered`` or ``noncentered`` for every covariance block; ``auto`` is non-centered, which no funnel hurts.

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
        raise ArgumentError("parameterization names a grouping factor that is not in the model", where=", ".join(unknown), fix=f"use {listed}")
    return {block: "centered" if asked.get(block, "auto") == "centered" else "noncentered" for block in blocks}


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
        requested_draws=settings.draws,
        target_accept=settings.target_accept,
    )
    return judge(run)
