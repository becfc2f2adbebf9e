"""The verdict on a run."""

import numpy as np
import xarray as xr

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.fit.provenance import Settings
from bayesglmm.fit.quality import Quality, RunStatistics, judge


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
