"""Section 6: whether the chains found the posterior, and whether there are enough draws for the numbers that are shown.

The checks that the fit itself has made are shown as they are. Every statistic here can be computed from any run of this version, so
one that is missing counts as attention; only what a run of long chains cannot have counts as nothing.
"""

from types import MappingProxyType
from typing import Final

import numpy as np

from bayesglmm.fit.draws import parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import NESTED_RHAT_OK
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.convergence import derived, interval_limits, rank_ecdf
from bayesglmm.reporting.parts import OWN, Part, Rule, joined
from bayesglmm.reporting.records import Entry, Grid, Section, not_run

VEHTARI: Final = "Vehtari et al. 2021"
MANUAL: Final = "Stan reference manual"
SOURCES: Final = MappingProxyType(
    {
        "mcmc.chains": VEHTARI,
        "mcmc.rhat": VEHTARI,
        "mcmc.ess_bulk": VEHTARI,
        "mcmc.ess_tail": VEHTARI,
        "mcmc.mcse": VEHTARI,
        "mcmc.divergences": "Betancourt 2017",
        "mcmc.depth": MANUAL,
        "mcmc.bfmi": "Betancourt 2016",
        "mcmc.acceptance": OWN,
    }
)
NEEDED: Final = ("diverging", "reached_max_treedepth", "acceptance_rate", "energy")
"""Sampler statistics that the checks read, by ArviZ's names."""
SHOWN_PARAMETERS: Final = 8

COMPLETE = Rule(
    "mcmc.stats_complete",
    "A statistic that is missing makes its check impossible, not passed.",
    "Sample with a sampler that reports it, or rename it to ArviZ's name.",
    "all sampler statistics that the checks read are there",
)


def section(context: Context) -> Section:
    """Judge the run.

    Parameters
    ----------
    context
        The fit.
    """
    fit = context.fit
    own = tuple(Entry(check, SOURCES.get(check.id, "")) for check in fit.quality.checks if check.id.startswith("mcmc."))
    nested = not_run("mcmc.nested_rhat", f"< {NESTED_RHAT_OK:g}", "For many short chains only; these are a few long ones.", required=False)
    whole = joined([Part((*own, _complete(fit))), interval_limits(fit), rank_ecdf(fit), Part((nested,)), derived(fit), _divergent(fit)])
    intro = "Did the chains find the posterior, and are there enough draws for the digits that are shown?"
    return Section("computation", "Computation", intro, whole.entries, whole.blocks)


def _complete(fit: Fit) -> Entry:
    statistics = fit.idata["sample_stats"].to_dataset()
    missing = [name for name in NEEDED if name not in statistics]
    if missing:
        return not_run(COMPLETE.id, COMPLETE.threshold, f"Missing: {', '.join(missing)}. {COMPLETE.remedy}")
    return COMPLETE.entry(float(len(NEEDED)), f"{', '.join(NEEDED)}.")


def _divergent(fit: Fit) -> Part:
    """Where divergent draws lie, when there are any: how far their mean is from that of the others, SDs on the log scale."""
    statistics = fit.idata["sample_stats"].to_dataset()
    if "diverging" not in statistics:
        return Part()
    diverging = statistics["diverging"].transpose("chain", "draw").to_numpy().astype(bool)
    if not diverging.any() or diverging.all():
        return Part()
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    rows = []
    for k, (label, kind) in enumerate(zip(found.labels, found.kinds, strict=True)):
        values = np.log(found.values[..., k]) if kind in ("sd", "aux") else found.values[..., k]
        spread = float(values.std())
        shift = float(values[diverging].mean() - values[~diverging].mean()) / spread if spread > 0.0 else 0.0
        rows.append((f"log {label}" if kind in ("sd", "aux") else label, shift))
    rows.sort(key=lambda row: -abs(row[1]))
    caption = "Where the divergent draws lie: their mean minus that of the others, in posterior SDs; the farthest parameters"
    return Part(blocks=(Grid(caption, ("parameter", "shift"), tuple(rows[:SHOWN_PARAMETERS])),))
