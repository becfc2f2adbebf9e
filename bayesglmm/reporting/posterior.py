"""Section 7: what the data say about the parameters and the groups, and where they say little."""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm import naming
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import BAND_OUTSIDE, PRIOR_OVERLAP
from bayesglmm.plots.caterpillar import plot_caterpillar
from bayesglmm.plots.prior_posterior import plot_prior_posterior
from bayesglmm.plots.qq import plot_qq
from bayesglmm.post.check_effects import check_effects
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.prior_posterior import prior_posterior
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.render import flat_index
from bayesglmm.post.result import Result
from bayesglmm.post.summary import summary
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.figures import limited, picture
from bayesglmm.reporting.parts import Part, Rule, joined
from bayesglmm.reporting.records import Entry, Numbers, Pairs, Section

DRAWS: Final = 400
NARROW: Final = 0.89
MOST_LEVELS: Final = 2000
"""Levels of a grouping factor beyond which effects are neither listed nor drawn one by one."""
MOST_PANELS: Final = 12
KINDS: Final = ("sd", "cor", "aux", "fixed")
"""Which parameters are drawn first beside their priors."""
NO_GROUPS: Final = "The model has no grouping factor."

TABLE = Rule(
    "post.table",
    "What the data and the prior say together, with the simulation error of every mean.",
    "Quote the interval with its level and kind, and no digit beyond the simulation error.",
)
FOREST = Rule(
    "post.forest",
    "Each level's effect, pulled towards zero the more, the less its own data say.",
    "Read the intervals before the ranks: intervals that overlap are no ranking.",
)
QQ = Rule(
    "post.re_qq",
    "The model takes group effects as normal; points that leave the band say where they are not.",
    "Try Student-t effects, add a predictor of the groups, or look at the outlying groups.",
    f"<= {BAND_OUTSIDE:.0%} of the levels outside the 95 % band of normal order statistics",
    percent=True,
)
SD_PRIOR = Rule(
    "post.sd_prior",
    "A posterior that looks like its prior, or peaks at zero, says that the data barely identify this variance.",
    "Collect more groups, give a prior that you can defend, or drop the correlation; or keep it and report it as unknown.",
    f"overlap with the prior <= {PRIOR_OVERLAP:g}, and the mode not at zero",
)
CORRELATION = Rule(
    "post.corr",
    "A correlation whose posterior is its prior has not been learned; correlations are between -1 and 1 by construction.",
    "Use a diagonal structure, (x || g), or report the correlation as unknown.",
    f"overlap with the prior <= {PRIOR_OVERLAP:g}",
)
DECISION = Rule(
    "post.decision",
    "A decision needs a rule that was stated before the posterior was seen: a region of practical equivalence, a loss, a cost.",
    "State the rule and its limits in the model file, then hypothesis(fit, ..., rope=...).",
    "a rule stated before the posterior was seen",
    "Kruschke 2021, step 4",
)
NAMES = Rule(
    "post.names",
    "The intercept is that of the formula as written, whatever the sampler used.",
    "Center a covariate in the formula, center(x), for an intercept at its mean.",
)


def section(context: Context) -> Section:
    """Parameters, group effects, and how far each posterior has moved from its prior.

    Parameters
    ----------
    context
        The fit.

    Returns
    -------
    Section
        With a row for every check of the posterior, and every function that refused named with its reason.
    """
    fit = context.fit
    parts = [
        TABLE.attempt(lambda: _table(fit)),
        FOREST.attempt(lambda: _forest(fit)),
        QQ.attempt(lambda: _normality(fit)),
        _learned(fit),
        _decision(fit),
        _names(fit),
    ]
    whole = joined(parts)
    intro = "What the data say about every parameter and every group, and where the posterior is hardly more than its prior."
    return Section("posterior", "Posterior", intro, whole.entries, whole.blocks)


def _table(fit: Fit) -> Part:
    """Return the parameters with 95 % and 89 % intervals."""
    wide = summary(fit, ci_prob=0.95, ci_kind="eti")
    draws = wide.draws["value"].to_numpy()
    choice = make_interval(NARROW, "eti")
    columns = summarise(draws.reshape(-1, draws.shape[-1]), choice)
    table = pd.DataFrame({"kind": wide.table["kind"].to_numpy(), **columns}, index=wide.table.index)
    narrow = replace(wide, title=f"{wide.title}: narrower intervals", table=table, notes=(), interval=choice)
    entry = TABLE.entry(float(len(table)), f"{len(table)} parameters, with 95 % and 89 % equal-tailed intervals.")
    return Part((entry,), (Numbers(wide), Numbers(narrow)))


def _factors(fit: Fit) -> dict[str, int]:
    """Name the grouping factors with their numbers of levels."""
    return {g.name: len(g.levels) for g in fit.design.groups}


def _forest(fit: Fit) -> Part:
    """Return the effects of every grouping factor."""
    factors = _factors(fit)
    if not factors:
        return FOREST.not_for(NO_GROUPS)
    small = [name for name, levels in factors.items() if levels <= MOST_LEVELS]
    left = [f"{name} ({levels} levels)" for name, levels in factors.items() if name not in small]
    parts = [_effects_of(fit, name) for name in small]
    shown = ", ".join(f"{name}: {factors[name]} levels" for name in factors)
    if not parts:
        return FOREST.not_for(f"Too many levels to list one by one: {', '.join(left)}. random_effects(fit) has them.")
    more = f" Not listed: {', '.join(left)}." if left else ""
    return joined([Part((FOREST.entry(float(sum(factors.values())), f"{shown}.{more}"),)), *parts])


def _effects_of(fit: Fit, factor: str) -> Part:
    """Return picture and table of the effects of one factor."""
    effects = random_effects(fit, factor=factor, ci_prob=0.95, ci_kind="eti")
    kept = float(effects.table["shrinkage"].median())
    caption = (
        f"Posterior mean and 95 % equal-tailed interval of every level of {factor}, on the scale of the linear predictor, ordered by size. "
        f"In the middle level {kept:.0%} of the variance between levels is left after the data (shrinkage)."
    )
    alt = f"Caterpillar plot of the random effects of {factor}, {len(effects.table)} intervals."
    drawn = picture(f"post.forest.{factor}", limited(fit, factor, lambda: plot_caterpillar(effects)), alt, caption)
    return Part(drawn.entries, (*drawn.blocks, Numbers(effects, limit=20)))


def _normality(fit: Fit) -> Part:
    """Return quantile plots of the effects of every factor; the worst effect is the check."""
    factors = [name for name, levels in _factors(fit).items() if levels <= MOST_LEVELS]
    if not _factors(fit):
        return QQ.not_for(NO_GROUPS)
    if not factors:
        return QQ.not_for(f"Every grouping factor has more than {MOST_LEVELS} levels, each with draws of its own.")
    found = {f: check_effects(fit, factor=f, draws=DRAWS, ci_prob=0.95, ci_kind="eti") for f in factors}
    shares = {
        f"{effect} of {factor}": (float(part["outside"].mean()), len(part))
        for factor, result in found.items()
        for effect, part in result.table.groupby("effect", sort=False)
    }
    worst = max(shares, key=lambda name: shares[name][0])
    share, levels = shares[worst]
    entry = QQ.judged(share, f"Most in {worst}: {share:.1%} of {levels} levels.", bad=share > BAND_OUTSIDE)
    pictures = [_qq(fit, factor, result) for factor, result in found.items()]
    return joined([Part((entry,)), *pictures])


def _qq(fit: Fit, factor: str, result: Result) -> Part:
    """Return the quantile plot of one factor."""
    caption = "Standardized effects against normal quantiles; the band holds 95 % of normal samples of as many levels, point by point."
    alt = f"Normal quantile plot of the random effects of {factor}, {len(result.table)} points."
    return picture(f"post.re_qq.{factor}", limited(fit, factor, lambda: plot_qq(result)), alt, caption)


def _learned(fit: Fit) -> Part:
    """Compare the posterior of every parameter with its prior: rows for the SDs and the correlations."""
    found: list[Result] = []

    def standard_deviations() -> Part:
        found.append(prior_posterior(fit))
        return _compared(found[0])

    first = SD_PRIOR.attempt(standard_deviations)
    if not found:
        return joined([first, CORRELATION.not_for("The posteriors could not be compared with their priors; see the row before.")])
    return joined([first, CORRELATION.attempt(lambda: _correlations(found[0]))])


def _compared(result: Result) -> Part:
    """Judge the SDs, and show table and picture of all parameters."""
    table = flat_index(result.table)
    alt = "Densities of prior and posterior, a panel per parameter."
    caption = f"Prior (line) and posterior (filled); {_panels(table)} The overlap is the area that both densities share, from 0 to 1."
    drawn = picture("post.sd_prior.picture", lambda: plot_prior_posterior(_drawn(result)), alt, caption)
    shown = Part(drawn.entries, (*drawn.blocks, Numbers(result)))
    sds = table[table["kind"] == "sd"]
    if sds.empty:
        return joined([SD_PRIOR.not_for(NO_GROUPS), shown])
    weak = sds[(sds["overlap"] > PRIOR_OVERLAP) | sds["mode_at_zero"].astype(bool)]
    return joined([Part((_overlap(SD_PRIOR, sds, weak, "The data barely identify"),)), shown])


def _correlations(result: Result) -> Part:
    """Judge the correlations."""
    table = flat_index(result.table)
    rows = table[table["kind"] == "cor"]
    if rows.empty:
        return CORRELATION.not_for("The model has no correlation between random effects.")
    weak = rows[rows["overlap"] > PRIOR_OVERLAP]
    return Part((_overlap(CORRELATION, rows, weak, "The data hardly tell"),))


def _overlap(rule: Rule, rows: pd.DataFrame, weak: pd.DataFrame, said: str) -> Entry:
    """Return the row of a check on overlaps."""
    largest = rows.iloc[int(rows["overlap"].to_numpy(dtype=np.float64).argmax())]
    where = f"Largest: {largest['parameter']}."
    if not weak.empty:
        at_zero = [str(p) for p in weak.loc[weak["mode_at_zero"].astype(bool), "parameter"]] if rule is SD_PRIOR else []
        where = f"{said} {', '.join(map(str, weak['parameter']))}." + (f" Mode at zero: {', '.join(at_zero)}." if at_zero else "")
    return rule.judged(float(rows["overlap"].max(skipna=False)), where, bad=not weak.empty)


def _order(table: pd.DataFrame) -> list[int]:
    """Positions of the parameters that are drawn: SDs and correlations first."""
    place = table["kind"].map({kind: i for i, kind in enumerate(KINDS)}).to_numpy()
    return [int(i) for i in np.argsort(place, kind="stable")[:MOST_PANELS]]


def _drawn(result: Result) -> Result:
    """Take the parameters that are drawn."""
    chosen = _order(flat_index(result.table))
    return replace(result, table=result.table.iloc[chosen], draws=result.draws.isel(parameter=chosen))


def _panels(table: pd.DataFrame) -> str:
    """Say how many of the parameters are drawn."""
    return "all parameters." if len(table) <= MOST_PANELS else f"{MOST_PANELS} of {len(table)} parameters, the others in the table."


def _decision(fit: Fit) -> Part:
    """Say that no decision is drawn here, and show the sign probabilities that most readers look for."""
    reason = "No decision rule was given, and this report draws no decision."
    if not fit.design.labels:
        return DECISION.not_for(reason)
    beta = fit_parameters(fit, effects=False).beta
    above = np.count_nonzero(beta > 0.0, axis=0)
    rows = tuple((label, _share(int(count), len(beta))) for label, count in zip(fit.design.labels, above, strict=True))
    caption = f"Posterior probability that a fixed effect is positive (average_subject), from {len(beta)} draws; no rule for a decision"
    return joined([DECISION.not_for(reason), Part(blocks=(Pairs(caption, rows),))])


def _share(count: int, n_draws: int) -> str:
    """Write a share of draws; where all or none are in it, the draws tell a bound only."""
    if count in (0, n_draws):
        return f"{'none' if count == 0 else 'all'} of {n_draws} draws"
    return f"{count / n_draws:.3f}"


def _names(fit: Fit) -> Part:
    """Say where the intercept stands."""
    if naming.INTERCEPT not in fit.design.labels:
        return NAMES.not_for("The model has no intercept.")
    others = [label for label in fit.design.labels if label != naming.INTERCEPT]
    at = "with all other columns of the design at zero" if others else "and there is no other column"
    prior = " Its prior was set with every column at its mean." if others and fit.spec.center else ""
    return Part((NAMES.entry(None, f"{naming.INTERCEPT}: the linear predictor of the average subject, {at}.{prior}"),))
