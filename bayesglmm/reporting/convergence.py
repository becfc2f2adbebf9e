"""Checks on draws that a report adds to those of the fit: interval ends, rank distributions, and derived quantities."""

from collections.abc import Callable, Iterator
from math import ceil
from typing import Final

import numpy as np

from bayesglmm.errors import BayesglmmError
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import CHAIN, DRAW, parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import ESS_LIMITS, ESS_LIMITS_PREFERRED, ESS_PER_CHAIN, ESS_TOTAL, RANK_ENVELOPE_PROB, RHAT_OK, RHAT_UNUSABLE
from bayesglmm.numerics.envelope import ecdf_envelope
from bayesglmm.numerics.rank_ecdf import rank_excursion
from bayesglmm.post.group_ratios import median_odds_ratio
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.means import means
from bayesglmm.post.result import Result
from bayesglmm.post.summary import MIN_DRAWS
from bayesglmm.post.variance_partition import variance_partition
from bayesglmm.reporting.parts import Part, Rule
from bayesglmm.reporting.records import Entry, not_run
from bayesglmm.types import FloatArray, Verdict

LIMITS: Final = (0.025, 0.975)
"""The ends of the 95 % equal-tailed intervals that the report shows."""
LEAST_RANKS: Final = 20
"""Independent draws per chain below which ranks say nothing."""
TOO_FEW: Final = "Too few draws, or draws that never move."

ESS_ENDS = Rule(
    "mcmc.ess_limits",
    "The ends of an interval are told by far fewer draws than its center.",
    "Draw more, or report a narrower interval.",
    f">= {ESS_LIMITS} at both ends of every 95 % interval; {ESS_LIMITS_PREFERRED} preferred",
    "Bürkner 2017; Kruschke 2021",
)
RANKS = Rule(
    "mcmc.rank_ecdf",
    "Chains that draw from one distribution have ranks that are spread evenly.",
    "Run longer, use another centering, or look for parameters that the data cannot tell apart.",
    f"no excursion from the {RANK_ENVELOPE_PROB:.0%} simultaneous envelope",
    "Säilynoja et al. 2022",
)
DERIVED = Rule(
    "mcmc.derived",
    "Quantities made from the parameters can mix worse than the parameters themselves.",
    "Draw more, or use another centering.",
    f"R-hat < {RHAT_OK} ok, > {RHAT_UNUSABLE} do not use; bulk and tail ESS >= {ESS_TOTAL} in all and {ESS_PER_CHAIN} per chain",
    "Kruschke 2021",
)


def interval_limits(fit: Fit) -> Part:
    """Effective sample size at both ends of the interval of every parameter.

    Parameters
    ----------
    fit
        A fit.
    """
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    if not _can_be_judged(found.values):
        return Part((not_run(ESS_ENDS.id, ESS_ENDS.threshold, TOO_FEW),))
    sizes = np.minimum(*(quantile_ess(found.values, prob) for prob in LIMITS))
    worst = int(np.argmin(sizes))
    return Part((ESS_ENDS.judged(float(sizes[worst]), f"Worst: {found.labels[worst]}.", bad=sizes[worst] < ESS_LIMITS),))


def quantile_ess(values: FloatArray, prob: float) -> FloatArray:
    """Effective sample size of a quantile, that of the mean of the indicator of being below it (Vehtari et al. 2021, section 4.3).

    The bulk statistic is that of ranks; ranks of an indicator are its two values moved and stretched, which changes no effective size.

    Parameters
    ----------
    values
        Shape (chain, draw, k).
    prob
        Of the quantile.

    Returns
    -------
    ndarray, shape (k,)
    """
    below = values <= np.quantile(values, prob, axis=(0, 1))
    return diagnostics.ess_bulk(below.astype(np.float64))


def rank_ecdf(fit: Fit) -> Part:
    """Ranks of each chain among all draws, for every parameter.

    The envelope of one sample is used per chain, its level divided by chains times parameters (Bonferroni), so that a report on chains that
    agree has an excursion with at most the stated probability. The envelope is that of independent draws: chains are thinned to their
    effective size first.

    Parameters
    ----------
    fit
        A fit.
    """
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    chains, draws, n_parameters = found.values.shape
    if chains < 2:
        return Part((not_run(RANKS.id, RANKS.threshold, "One chain has nothing to be compared with."),))
    steps = [_step(draws, size) for size in _sizes_within(found.values)]
    if not steps or any(step is None for step in steps):
        return Part((not_run(RANKS.id, RANKS.threshold, f"{TOO_FEW} At least {LEAST_RANKS} independent draws per chain are needed."),))
    prob = 1.0 - (1.0 - RANK_ENVELOPE_PROB) / (chains * n_parameters)
    excursions = []
    for k, step in enumerate(steps):
        thinned = found.values[:, :: step or 1, k]
        excursions.append(rank_excursion(thinned, ecdf_envelope(thinned.shape[1], prob)))
    worst = int(np.argmax(excursions))
    outside = sum(e > 0.0 for e in excursions)
    detail = f"{outside} of {n_parameters} parameters leave it" + (f", farthest: {found.labels[worst]}." if outside else ".")
    return Part((RANKS.judged(excursions[worst], detail, bad=outside > 0),))


def _can_be_judged(values: FloatArray) -> bool:
    """Whether draws (chain, draw, k) are enough for the statistics, and all move; there is something to be judged."""
    return values.shape[1] >= MIN_DRAWS and values.shape[2] > 0 and bool(np.all(np.ptp(values, axis=(0, 1)) > 0.0))


def _sizes_within(values: FloatArray) -> list[float]:
    """Effective size of the worst chain, by parameter: of all chains together next to nothing is left when they disagree."""
    if not _can_be_judged(values):
        return []
    own = [diagnostics.ess_bulk(values[chain : chain + 1]) for chain in range(len(values))]
    return [float(size) for size in np.min(own, axis=0)]


def _step(draws: int, per_chain: float) -> int | None:
    """Every how many draws are nearly independent; None where too few are left."""
    if not np.isfinite(per_chain) or min(per_chain, draws) < LEAST_RANKS:
        return None
    return max(1, ceil(draws / per_chain))


def derived(fit: Fit) -> Part:
    """R-hat and effective sizes of the quantities that the report shows beside the parameters.

    Parameters
    ----------
    fit
        A fit.
    """
    if fit.posterior.sizes[DRAW] < MIN_DRAWS:
        return Part((not_run(DERIVED.id, DERIVED.threshold, TOO_FEW),))
    names, columns, refused = [], [], []
    for name, make in _makers(fit):
        try:
            for label, values in _columns(name, make()):
                names.append(label)
                columns.append(values)
        except BayesglmmError as error:
            refused.append(f"{name}: {error.what}")
    if not columns:
        return Part((not_run(DERIVED.id, DERIVED.threshold, "; ".join(refused)),))
    return Part((_judged(fit, names, np.stack(columns, axis=-1), refused),))


def _makers(fit: Fit) -> Iterator[tuple[str, Callable[[], Result]]]:
    yield "population mean", lambda: means(fit, target="population")
    if fit.design.groups:
        yield "ICC", lambda: variance_partition(fit)
        yield "median ratio", lambda: median_odds_ratio(fit)
        yield "heterogeneity interval", lambda: heterogeneity(fit)


def _columns(name: str, result: Result) -> Iterator[tuple[str, FloatArray]]:
    """Draws of a result as columns (chain, draw), each with a name."""
    for variable, array in result.draws.data_vars.items():
        values = array.transpose(CHAIN, DRAW, ...).to_numpy()
        flat = values.reshape(*values.shape[:2], -1)
        for k in range(flat.shape[-1]):
            yield f"{name} ({variable} {k + 1})", flat[..., k]


def _judged(fit: Fit, names: list[str], values: FloatArray, refused: list[str]) -> Entry:
    """Return one row for all derived quantities: the worst of each statistic."""
    rhat = diagnostics.rhat(values)
    sizes = np.minimum(diagnostics.ess_bulk(values), diagnostics.ess_tail(values))
    good = np.isfinite(rhat) & np.isfinite(sizes) & (np.ptp(values, axis=(0, 1)) > 0.0)
    still = [name for name, is_good in zip(names, good, strict=True) if not is_good]
    if still:
        return not_run(DERIVED.id, DERIVED.threshold, f"{TOO_FEW} {', '.join(still[:3])}.")
    worst, least = int(np.argmax(rhat)), int(np.argmin(sizes))
    enough = bool(sizes[least] >= max(ESS_TOTAL, ESS_PER_CHAIN * fit.posterior.sizes[CHAIN]))
    detail = f"Largest R-hat: {names[worst]}. Smallest ESS: {sizes[least]:.0f}, {names[least]}."
    detail += f" Not for this model: {'; '.join(refused)}." if refused else ""
    verdict: Verdict = "do not use" if rhat[worst] > RHAT_UNUSABLE else "attention" if rhat[worst] > RHAT_OK or not enough else "ok"
    return DERIVED.entry(float(rhat[worst]), detail, verdict)
