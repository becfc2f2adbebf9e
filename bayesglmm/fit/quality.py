"""The verdict on a run: thresholds as constants, one check per statistic, the worst check decides.

Thresholds are quoted by name wherever a document needs them and written nowhere else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm.fit.provenance import describe_run
from bayesglmm.types import FloatArray, Verdict

RHAT_OK = 1.01
RHAT_UNUSABLE = 1.05
MIN_CHAINS = 4
ESS_PER_CHAIN = 100
ESS_TOTAL = 400
MCSE_SHARE = 0.05
DIVERGENT_SHARE_UNUSABLE = 0.01
MAX_DEPTH_SHARE = 0.01
BFMI_OK = 0.3
ACCEPTANCE_GAP = 0.1
ESS_LIMITS = 1000
ESS_LIMITS_PREFERRED = 10_000
RANK_ENVELOPE_PROB = 0.99
NESTED_RHAT_OK = 1.01

# data and design
DROPPED_SHARE = 0.05
SINGLE_ROW_GROUPS_SHARE = 0.5
FEW_LEVELS = 5
CONDITION_NUMBER = 30.0
MEAN_OVER_SD = 10.0
SMALLEST_SD, LARGEST_SD = 0.01, 100.0
MEMORY_SHARE = 0.25
GROUPS_PER_COVARIANCE_PARAMETER = 5
LKJ_ETA_FLAT = 1.0

# prior, posterior, hierarchical against marginal, posterior predictive
SATURATED_SHARE = 0.5
IMPOSSIBLE_SHARE = 0.01
IMPLIED_FOLD = 100.0
PRIOR_OVERLAP = 0.8
ATTENUATION_FACTOR = 1.2
QUADRATURE_ERROR = 1e-6
GROUPS_OUTSIDE = 0.05
BAND_OUTSIDE = 0.2  # rule of thumb: order statistics leave a band together, so that a share above 5 % says little by itself
PREDICTIVE_PROB = 0.99  # some eight predictive checks stand side by side: one alarm in twelve reports on correct models, not one in three
CHANCE = 1.0 - PREDICTIVE_PROB

# predictive accuracy and influence, prior sensitivity
PARETO_K_GOOD, PARETO_K_UNUSABLE = 0.7, 1.0
POWER_SCALING = 0.05
SD_REFIT_SHIFT, LKJ_SHIFT = 0.5, 0.2

_ORDER: tuple[Verdict, ...] = ("ok", "not run", "attention", "do not use")


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes
    ----------
    id
        Stable identifier, ``mcmc.rhat``.
    value
        The number checked, or None when it could not be computed.
    threshold
        The rule in words, with its number.
    verdict
        ``ok``, ``attention``, ``do not use``, or ``not run`` with the reason in ``detail``.
    detail
        Where the worst value is, or why the check did not run.
    meaning
        One sentence: what the statistic tells.
    remedy
        One sentence: what to do.
    percent
        Whether the value is a share that the threshold gives as a percentage.
    """

    id: str
    value: float | None
    threshold: str
    verdict: Verdict
    detail: str
    meaning: str
    remedy: str
    percent: bool = False

    @property
    def value_text(self) -> str | None:
        """The value in the unit of its threshold, a percentage or a plain number; None where there is none."""
        if self.value is None:
            return None
        return f"{100.0 * self.value:.3g}%" if self.percent else f"{self.value:.4g}"


@dataclass(frozen=True, slots=True)
class Quality:
    """All checks of a run; ``verdict`` is the worst of them, a check not run counting as attention."""

    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """``ok``, ``attention`` or ``do not use``."""
        worst = _ORDER[max((_ORDER.index(c.verdict) for c in self.checks), default=_ORDER.index("not run"))]
        return "attention" if worst == "not run" else worst

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that are not ok, worst first."""
        bad = [c for c in self.checks if c.verdict != "ok"]
        return tuple(sorted(bad, key=lambda c: -_ORDER.index(c.verdict)))

    def __getitem__(self, check_id: str) -> Check:
        """Return the check with this identifier."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def __str__(self) -> str:
        lines = [f"Verdict: {self.verdict}"]
        for check in self.failed:
            value = "" if check.value is None else f" = {check.value_text}"
            lines.append(
                f"  {check.verdict}: {check.id}{value} ({check.threshold}). {check.detail} {check.meaning} {check.remedy}".rstrip()
            )
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class RunStatistics:
    """What the verdict is made from.

    Attributes
    ----------
    parameters
        Labels of the checked parameters: fixed effects, SDs, correlations, auxiliary parameters.
    rhat, ess_bulk, ess_tail, mcse_share
        One value per parameter; ``mcse_share`` is MCSE of the mean over the posterior SD.
    sampler
        Sampler statistics by ArviZ's names, each (chain, draw); a missing one makes its check ``not run``.
    bfmi
        One value per chain; None when the energy is missing.
    chains, draws
        Chains and draws per chain that were obtained.
    requested_chains, requested_draws
        The same as asked for.
    target_accept
        The acceptance rate that was asked for.
    """

    parameters: tuple[str, ...]
    rhat: FloatArray
    ess_bulk: FloatArray
    ess_tail: FloatArray
    mcse_share: FloatArray
    sampler: Mapping[str, FloatArray]
    bfmi: FloatArray | None
    chains: int
    draws: int
    requested_chains: int
    requested_draws: int
    target_accept: float


def judge(run: RunStatistics) -> Quality:
    """All checks on one run.

    Sources: Vehtari et al. 2021 (R-hat, ESS, MCSE); Betancourt 2016, 2017 (E-BFMI, divergences).
    """
    makers: tuple[Callable[[RunStatistics], Check], ...] = (
        _complete,
        _chains,
        _rhat,
        _ess_bulk,
        _ess_tail,
        _mcse,
        _divergences,
        _depth,
        _bfmi,
        _acceptance,
    )
    return Quality(tuple(make(run) for make in makers))


def _not_run(check_id: str, threshold: str, reason: str) -> Check:
    return Check(
        check_id, None, threshold, "not run", reason, "The check could not be computed.", "Find out why the sampler did not report it."
    )


def _complete(run: RunStatistics) -> Check:
    full = run.draws >= run.requested_draws and run.chains >= run.requested_chains
    detail = "" if full else f"{describe_run(run.chains, run.draws, run.requested_chains, run.requested_draws)}."
    meaning = "A partial run is a shorter run; its draws are valid but fewer."
    threshold = "all draws that were asked for"
    return Check("prov.complete", float(run.draws), threshold, "ok" if full else "attention", detail, meaning, "Let the run finish.")


def _chains(run: RunStatistics) -> Check:
    verdict: Verdict = "ok" if run.chains >= MIN_CHAINS else "attention"
    meaning = "R-hat compares chains; with few of them it sees little."
    return Check("mcmc.chains", float(run.chains), f">= {MIN_CHAINS}", verdict, f"{run.chains} chains.", meaning, "Run more chains.")


def _rhat(run: RunStatistics) -> Check:
    threshold = f"< {RHAT_OK} ok, > {RHAT_UNUSABLE} do not use"
    if not len(run.rhat) or not np.all(np.isfinite(run.rhat)):
        return _not_run("mcmc.rhat", threshold, _unfinite(run, run.rhat))
    worst = int(np.argmax(run.rhat))
    value = float(run.rhat[worst])
    verdict: Verdict = "ok" if value <= RHAT_OK else "attention" if value <= RHAT_UNUSABLE else "do not use"
    meaning = "Chains that agree have R-hat near 1."
    remedy = "Run longer, use another centering, or look for parameters that the data cannot tell apart."
    return Check("mcmc.rhat", value, threshold, verdict, f"Worst: {run.parameters[worst]}.", meaning, remedy)


def _ess_bulk(run: RunStatistics) -> Check:
    return _ess(run, "mcmc.ess_bulk", run.ess_bulk, "Draws worth this many independent ones tell the center.")


def _ess_tail(run: RunStatistics) -> Check:
    return _ess(run, "mcmc.ess_tail", run.ess_tail, "Draws worth this many independent ones tell the interval ends.")


def _ess(run: RunStatistics, check_id: str, values: FloatArray, meaning: str) -> Check:
    needed = max(ESS_TOTAL, ESS_PER_CHAIN * run.chains)
    threshold = f">= {needed}"
    if not len(values) or not np.all(np.isfinite(values)):
        return _not_run(check_id, threshold, _unfinite(run, values))
    worst = int(np.argmin(values))
    verdict: Verdict = "ok" if values[worst] >= needed else "attention"
    detail = f"Worst: {run.parameters[worst]}."
    return Check(check_id, float(values[worst]), threshold, verdict, detail, meaning, "Draw more, or use another centering.")


def _mcse(run: RunStatistics) -> Check:
    threshold = f"< {MCSE_SHARE:.0%} of the posterior SD"
    if not len(run.mcse_share) or not np.all(np.isfinite(run.mcse_share)):
        return _not_run("mcmc.mcse", threshold, _unfinite(run, run.mcse_share))
    worst = int(np.argmax(run.mcse_share))
    value = float(run.mcse_share[worst])
    verdict: Verdict = "ok" if value < MCSE_SHARE else "attention"
    meaning = "The simulation error of the mean, next to how unsure the posterior is."
    remedy = "Draw more, or report fewer digits."
    return Check("mcmc.mcse", value, threshold, verdict, f"Worst: {run.parameters[worst]}.", meaning, remedy, percent=True)


def _unfinite(run: RunStatistics, values: FloatArray) -> str:
    bad = [p for p, v in zip(run.parameters, values, strict=True) if not np.isfinite(v)]
    return f"Not a number for {', '.join(bad[:3]) or 'every parameter'}: too few draws, or draws that never move."


def _divergences(run: RunStatistics) -> Check:
    threshold = f"0 draws ok, > {DIVERGENT_SHARE_UNUSABLE:.0%} of the draws do not use"
    if "diverging" not in run.sampler:
        return _not_run("mcmc.divergences", threshold, "The statistic 'diverging' is missing.")
    count, total = int(run.sampler["diverging"].sum()), run.sampler["diverging"].size
    share = count / total
    verdict: Verdict = "ok" if count == 0 else "attention" if share <= DIVERGENT_SHARE_UNUSABLE else "do not use"
    meaning = "The sampler could not follow the posterior where it bends sharply; that region is under-represented."
    remedy = "Raise target_accept towards 0.99, or put a stronger prior on the SDs."
    return Check("mcmc.divergences", float(count), threshold, verdict, f"{count} of {total} draws, {100.0 * share:.3g}%.", meaning, remedy)


def _depth(run: RunStatistics) -> Check:
    threshold = f"<= {MAX_DEPTH_SHARE:.0%} of draws at the limit"
    if "reached_max_treedepth" not in run.sampler:
        return _not_run("mcmc.depth", threshold, "The statistic 'reached_max_treedepth' is missing.")
    share = float(run.sampler["reached_max_treedepth"].mean())
    verdict: Verdict = "ok" if share <= MAX_DEPTH_SHARE else "attention"
    meaning = "Trajectories were cut short: slow, not biased."
    remedy = "Rescale predictors, or raise max_treedepth."
    return Check("mcmc.depth", share, threshold, verdict, f"{100.0 * share:.3g}% of draws.", meaning, remedy, percent=True)


def _bfmi(run: RunStatistics) -> Check:
    threshold = f">= {BFMI_OK} in every chain"
    if run.bfmi is None or not np.all(np.isfinite(run.bfmi)):
        return _not_run("mcmc.bfmi", threshold, "The statistic 'energy' is missing or constant.")
    value = float(run.bfmi.min())
    verdict: Verdict = "ok" if value >= BFMI_OK else "attention"
    meaning = "Low values mean that the sampler crosses the energy levels slowly."
    return Check(
        "mcmc.bfmi",
        value,
        threshold,
        verdict,
        f"Lowest in chain {int(run.bfmi.argmin())}.",
        meaning,
        "Use another centering or a tighter SD prior.",
    )


def _acceptance(run: RunStatistics) -> Check:
    threshold = f"within {ACCEPTANCE_GAP} of target_accept"
    if "acceptance_rate" not in run.sampler:
        return _not_run("mcmc.acceptance", threshold, "The statistic 'acceptance_rate' is missing.")
    value = float(run.sampler["acceptance_rate"].mean())
    verdict: Verdict = "ok" if abs(value - run.target_accept) <= ACCEPTANCE_GAP else "attention"
    detail = f"Mean {value:.3f}, target {run.target_accept:g}."
    return Check(
        "mcmc.acceptance", value, threshold, verdict, detail, "Far from the target, the step size was not adapted.", "Use a longer warm-up."
    )
