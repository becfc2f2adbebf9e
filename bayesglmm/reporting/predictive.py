"""Section 9: data that the fitted model would give, beside the data that there are."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from bayesglmm.errors import BayesglmmError
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import CHANCE, GROUPS_OUTSIDE, PREDICTIVE_PROB
from bayesglmm.plots.pit import plot_pit
from bayesglmm.plots.ppc import plot_ppc
from bayesglmm.post.check import check
from bayesglmm.post.check_autocorrelation import check_autocorrelation
from bayesglmm.post.check_calibration import check_calibration
from bayesglmm.post.check_distribution import check_distribution
from bayesglmm.post.check_groups import Statistic, check_groups
from bayesglmm.post.check_pit import check_pit
from bayesglmm.post.check_replicates import AS_MANY
from bayesglmm.post.check_rows import remembered_predictions
from bayesglmm.post.result import Result
from bayesglmm.reporting.context import NO_TIME, Context
from bayesglmm.reporting.figures import limited, picture
from bayesglmm.reporting.parts import Part, Rule, joined
from bayesglmm.reporting.records import Entry, Numbers, Section, not_run

DRAWS: Final = 400
LEVEL: Final = 0.95
MOST_SINGLE: Final = 12
"""Levels whose own residuals are looked at: the largest ones."""
FEWEST_ROWS: Final = 8
"""Rows of a level below which its own residuals tell next to nothing."""
TWO: Final = 2
"""Values of a binary response."""
NO_GROUPS: Final = "The model has no grouping factor."
VISUAL: Final = "Gabry et al. 2019; share: rule of thumb"
AS_MANY_RULE: Final = f"{CHANCE:.0%} or more of the model's own data sets have as many points outside the 95 % band"
MIXED: Final = "Marshall and Spiegelhalter 2003, 2007; share: rule of thumb"

STATISTICS = Rule(
    "ppc.statistics",
    "Mean, SD, extremes and zeros of the data among those of data that the model gives.",
    "A statistic outside its interval names what the model misses.",
    source="Gelman et al. 2020",
)
DENSITY = Rule(
    "ppc.density",
    "The distribution of the response, all rows together, with the band of data that the model gives.",
    "Try another family, a dispersion parameter or a model of the zeros.",
    AS_MANY_RULE,
    VISUAL,
    percent=True,
)
PIT = Rule(
    "ppc.pit",
    "Where each response lies in its own predictive distribution; even, if the model predicts as it should.",
    "Try another family, or add what the rows share: a group predictor, a slope.",
    f"inside the {PREDICTIVE_PROB:.0%} simultaneous envelope",
    "Säilynoja, Bürkner and Vehtari 2022",
    percent=True,
)
PIT_GROUPS = Rule(
    "ppc.pit_groups",
    "The same within single levels: even over all rows can be uneven within groups.",
    "Add a predictor of the groups, or a slope that differs between them.",
    f"inside the envelope in every level shown, {PREDICTIVE_PROB:.0%} together",
    "Säilynoja, Bürkner and Vehtari 2022; Bonferroni over the levels",
)
GROUPS = Rule(
    "ppc.group_stats",
    "Mean, SD and share of zeros of every level among those of replicated data of the same level.",
    "Add a random slope, or let the dispersion differ between groups.",
    f"<= {GROUPS_OUTSIDE:.0%} of the levels outside their 95 % band, or no more than chance gives ({CHANCE:.0%})",
    percent=True,
)
CALIBRATION = Rule(
    "ppc.calibration",
    "Of the rows that are predicted at 30 %, some 30 % should be ones.",
    "Look for a missing interaction, or for a curve where there is a straight line.",
    AS_MANY_RULE,
    "Dimitriadis, Gneiting and Jordan 2021; share: rule of thumb",
    percent=True,
)
NEW_GROUPS = Rule(
    "ppc.new_groups",
    "The means of the levels among those of new levels, with random effects drawn anew from N(0, D).",
    "Look at the quantile plot of the effects: heavier tails, or a missing predictor of the groups.",
    f"coverage of the levels >= {LEVEL:.0%}, or below by no more than chance gives ({CHANCE:.0%})",
    MIXED,
    percent=True,
)
TIME = Rule(
    "ppc.residual_time",
    "Residuals of consecutive rows of one level should have nothing to do with each other.",
    "Add a slope in time, a curve, or a serial residual structure.",
    f"lag 1 inside its {PREDICTIVE_PROB:.0%} band",
    "Gelman et al. 2020",
)


def section(context: Context) -> Section:
    """Replicate the data from the posterior and compare.

    Parameters
    ----------
    context
        The fit and the seed of what is simulated.

    Returns
    -------
    Section
        With a row for every predictive check, from the same number of equally spaced posterior draws.
    """
    fit = context.fit
    common: dict[str, Any] = {"draws": DRAWS, "seed": context.seed, "ci_prob": LEVEL, "ci_kind": "eti"}
    wide = common | {"ci_prob": PREDICTIVE_PROB}
    with remembered_predictions(fit):
        parts = [
            STATISTICS.attempt(lambda: _statistics(check(fit, **common))),
            DENSITY.attempt(lambda: _density(check_distribution(fit, **common))),
            PIT.attempt(lambda: _pit(check_pit(fit, **wide))),
            PIT_GROUPS.attempt(lambda: _single_levels(fit, wide)),
            GROUPS.attempt(lambda: _groups(fit, common)),
            CALIBRATION.attempt(lambda: _calibration(check_calibration(fit, **common))),
            NEW_GROUPS.attempt(lambda: _new_groups(fit, common)),
            TIME.attempt(lambda: _residual_time(context, wide)),
        ]
    whole = joined(parts)
    intro = f"Data replicated from {DRAWS} posterior draws beside the data. A model that cannot give data like these misses something."
    return Section("predictive", "Posterior predictive checks", intro, whole.entries, whole.blocks)


def _statistics(result: Result) -> Part:
    """Return statistics of the whole response."""
    outside = [str(s) for s in result.table.loc[result.table["outside"].astype(bool), "statistic"]]
    said = f"Outside their 95 % interval: {', '.join(outside)}." if outside else "All inside their 95 % interval."
    return Part((STATISTICS.entry(float(len(outside)), said),), (Numbers(result),))


def _share(table: pd.DataFrame) -> float:
    """Share of the lines that are outside their band."""
    return float(table["outside"].astype(bool).mean())


def _drawn(row: str, draw: Callable[[], Any], result: Result, caption: str) -> Part:
    """Return a picture of a result."""
    return picture(row, draw, f"{result.title}: observed and replicated data.", caption)


def _band(rule: Rule, result: Result) -> Entry:
    """Judge a curve with a band that holds point by point: by how often the model's own curves leave it as much."""
    as_many = float(result.draws.attrs[AS_MANY])
    detail = f"{_share(result.table):.1%} of {len(result.table)} points outside; {as_many:.1%} of the model's own data sets have as many."
    return rule.judged(as_many, detail, bad=as_many < CHANCE)


def _density(result: Result) -> Part:
    """Return the distribution of the response."""
    entry = _band(DENSITY, result)
    caption = "Distribution of the observed response, and the 95 % band of replicated data, point by point."
    return joined([Part((entry,)), _drawn("ppc.density.picture", lambda: plot_ppc(result), result, caption)])


def _pit(result: Result) -> Part:
    """Return the residuals' distribution over all rows."""
    share = _share(result.table)
    entry = PIT.judged(share, f"{share:.1%} of {len(result.table)} points outside the envelope.", bad=share > 0.0)
    caption = "Distribution function of the probability integral transforms minus the uniform one, with its simultaneous envelope."
    return joined([Part((entry,)), _drawn("ppc.pit.picture", lambda: plot_pit(result), result, caption)])


def _single_levels(fit: Fit, common: dict[str, Any]) -> Part:
    """Look at the residuals of the largest levels, at a level that holds for all of them together."""
    if not fit.design.groups:
        return PIT_GROUPS.not_for(NO_GROUPS)
    chosen = _largest(fit)
    if not chosen:
        return PIT_GROUPS.not_for(f"No level has {FEWEST_ROWS} rows.")
    together = common | {"ci_prob": 1.0 - (1.0 - common["ci_prob"]) / len(chosen)}
    shares = {(f, level): _share(check_pit(fit, factor=f, level=level, **together).table) for f, level in chosen}
    outside = [f"{level} of {f}" for (f, level), share in shares.items() if share > 0.0]
    said = f"Outside: {', '.join(outside)}." if outside else "None outside."
    detail = f"{said} {len(chosen)} levels, the largest with {FEWEST_ROWS} rows or more."
    return Part((PIT_GROUPS.judged(float(len(outside)), detail, bad=bool(outside)),))


def _largest(fit: Fit) -> list[tuple[str, str]]:
    """Name the largest levels, factor by factor, each factor's share of them."""
    factors = {g.name: g for g in fit.design.groups}
    each = max(1, MOST_SINGLE // len(factors))
    found: list[tuple[str, str]] = []
    for name, group in factors.items():
        rows = np.bincount(group.index, minlength=len(group.levels))
        order = np.argsort(-rows, kind="stable")[:each]
        found += [(name, group.levels[int(j)]) for j in order if rows[j] >= FEWEST_ROWS]
    return found


def _groups(fit: Fit, common: dict[str, Any]) -> Part:
    """Return statistics of single levels, of every factor."""
    if not fit.design.groups:
        return GROUPS.not_for(NO_GROUPS)
    found: dict[str, Result] = {}
    refused: list[str] = []
    for factor in dict.fromkeys(g.name for g in fit.design.groups):
        for statistic in _group_statistics(fit):
            try:
                found[f"{statistic} of {factor}"] = check_groups(fit, factor=factor, statistic=statistic, **common)
            except BayesglmmError as error:
                refused.append(str(error))
    if not found:
        return Part((not_run(GROUPS.id, GROUPS.threshold, " ".join(dict.fromkeys(refused))),))
    counts = {name: _outside(result.table) for name, result in found.items()}
    many = [name for name, (outside, levels) in counts.items() if _too_many(outside, levels)]
    worst = max(counts, key=lambda name: counts[name][0] / max(1, counts[name][1]))
    outside, levels = counts[worst]
    said = [f"Most: {worst}, {outside} of {levels} levels.", *([f"More than chance gives: {', '.join(many)}."] if many else []), *refused]
    entry = GROUPS.judged(outside / max(1, levels), " ".join(said), bad=bool(many))
    shown = [result for name, result in found.items() if name.startswith("mean of ")]
    return joined([Part((entry,)), *(_levels(fit, "ppc.group_stats", result, "the same levels") for result in shown)])


def _group_statistics(fit: Fit) -> tuple[Statistic, ...]:
    """Name the statistics of a level that say something of their own: of zeros and ones, the mean says all."""
    if not fit.family.discrete:
        return ("mean", "sd")
    return ("mean",) if len(np.unique(fit.design.y)) <= TWO else ("mean", "sd", "zeros")


def _outside(table: pd.DataFrame) -> tuple[int, int]:
    """Count the levels outside their band, and all that have the statistic."""
    known = table[table["observed"].notna()]
    return int(known["outside"].astype(bool).sum()), len(known)


def _too_many(outside: int, levels: int) -> bool:
    """Whether more than the allowed share is outside, and more than would be by chance in a band of that level."""
    return outside > GROUPS_OUTSIDE * levels and float(stats.binom.sf(outside - 1, levels, 1.0 - LEVEL)) < CHANCE


def _levels(fit: Fit, row: str, result: Result, whose: str) -> Part:
    """Return picture and table of levels."""
    factor, title = str(result.table["factor"].iloc[0]), f"{result.title}; replicated: {whose}"
    statistic = str(result.draws.attrs.get("statistic", "mean")).capitalize()
    caption = f"{statistic} of every level of {factor}, and the 95 % interval of replicated data of {whose}."
    drawn = picture(f"{row}.{factor}", limited(fit, factor, lambda: plot_ppc(result, title=title)), f"{title}.", caption)
    return joined([drawn, Part(blocks=(Numbers(result, limit=20),))])


def _calibration(result: Result) -> Part:
    """Return the calibration curve."""
    entry = _band(CALIBRATION, result)
    caption = "Isotonic regression of the response on the predicted probability, and the 95 % consistency band, point by point."
    return joined([Part((entry,)), _drawn("ppc.calibration.picture", lambda: plot_ppc(result), result, caption)])


def _new_groups(fit: Fit, common: dict[str, Any]) -> Part:
    """Return the means of levels among those of new levels."""
    if not fit.design.groups:
        return NEW_GROUPS.not_for(NO_GROUPS)
    factors = dict.fromkeys(g.name for g in fit.design.groups)
    found = {f: check_groups(fit, factor=f, statistic="mean", new_groups=True, **common) for f in factors}
    counts = {f: _outside(result.table) for f, result in found.items()}
    covered = {f: 1.0 - outside / max(1, levels) for f, (outside, levels) in counts.items()}
    low = [f for f, (outside, levels) in counts.items() if _too_many(outside, levels)]
    listed = ", ".join(f"{f} {share:.1%} of {counts[f][1]} levels" for f, share in covered.items())
    entry = NEW_GROUPS.judged(min(covered.values()), f"Covered: {listed}.", bad=bool(low))
    return joined([Part((entry,)), *(_levels(fit, "ppc.new_groups", result, "new levels in their place") for result in found.values())])


def _residual_time(context: Context, common: dict[str, Any]) -> Part:
    """Return the autocorrelation of residuals along the column that is time, within the levels that are series."""
    if context.time is None:
        return TIME.not_for(NO_TIME)
    if context.series is None:
        return TIME.not_for(NO_GROUPS)
    result = check_autocorrelation(context.fit, context.time, factor=context.series, **common)
    return Part((_first_lag(result, f"{context.time} within {context.series}"),), (Numbers(result),))


def _first_lag(result: Result, where: str) -> Entry:
    """Judge the first lag; the others are shown."""
    first = result.table.iloc[0]
    detail = f"Along {where}, lag 1: {first['observed']:.3f}, band {first['ci_lower']:.3f} to {first['ci_upper']:.3f}."
    return TIME.judged(float(first["observed"]), detail, bad=bool(first["outside"]))
