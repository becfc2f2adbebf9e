"""Section 8: one subject beside the population, and how different subjects are."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from bayesglmm.design.encoding import part_columns
from bayesglmm.errors import BayesglmmError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import ATTENUATION_FACTOR, QUADRATURE_ERROR
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.marginal import population_mean
from bayesglmm.numerics.quadrature import NormalRule, normal_average, normal_rule
from bayesglmm.plots.effects import plot_effects
from bayesglmm.plots.marginal_vs_conditional import plot_marginal_vs_conditional
from bayesglmm.post.attenuation import compare_targets
from bayesglmm.post.group_ratios import interval_odds_ratio, median_odds_ratio
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.linear_predictor import fit_parameters, fixed_eta, group_variance
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.means import means
from bayesglmm.post.r_squared import KINDS, r_squared
from bayesglmm.post.result import Result
from bayesglmm.post.rows import build_rows, distinct_rows
from bayesglmm.post.shares import opposite_slopes
from bayesglmm.post.values import is_factor, known_values
from bayesglmm.post.variance_partition import TOTAL, PartitionScales, variance_partition
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.curves import curve_pictures
from bayesglmm.reporting.figures import grid, picture
from bayesglmm.reporting.parts import SHOWN, Part, Rule, joined
from bayesglmm.reporting.records import Entry, Numbers, Section, not_run

CHECKED_DRAWS: Final = 50
CHECKED_ROWS: Final = 2000
"""Draws and rows at which the integration is done twice."""
ONE: Final = "The model has no grouping factor: subjects do not differ, and the four targets are one."

SIDE = Rule(
    "marg.side",
    "By how much a subject's effects are larger than those of the population, spread of the fixed part over the rows of the data.",
    "Quote both numbers and name their targets, average_subject and population.",
    f"<= {ATTENUATION_FACTOR:g}, or both quoted",
)
INTERVALS = Rule(
    "marg.intervals",
    "The interval of a mean says how sure we are; the heterogeneity interval says where subjects are. Neither stands for the other.",
    "Say which of the two an interval is.",
)
HETERO = Rule(
    "marg.hetero",
    "Slopes and changes differ between subjects; where the range of subjects holds both signs, the effect is not general.",
    "Report the share of subjects with the sign, opposite_slopes(fit, ...).",
    "no range of 95 % of the subjects holds both signs, or the share with the other sign is quoted",
)
VPC = Rule(
    "marg.vpc",
    "The share of the variance that lies between groups; with few groups the prior of their SD has a large say.",
    "Show it with its prior; a share outside 0 to 1 is a fault of the program: report it.",
    "inside [0, 1], else do not use",
    "Nakagawa, Johnson and Schielzeth 2017",
)
R2 = Rule(
    "marg.r2",
    "The share of the variance that the fixed effects explain, and that fixed and random effects explain together.",
    "Quote both, and say that they hold on the latent scale.",
    source="Nakagawa, Johnson and Schielzeth 2017",
)
RATIO = Rule(
    "marg.mor",
    "How much the odds (means, hazards) of two random levels typically differ, everything else equal.",
    "Quote it beside the ratios of the coefficients: it is on their scale.",
    source="Larsen and Merlo 2005",
)
BOTH = Rule(
    "marg.ior",
    "A covariate and another random level at once: the share of pairs whose ratio goes against the coefficient.",
    "Where it is near a half, the groups differ more than the covariate moves them: say so.",
    source="Larsen and Merlo 2005",
)
QUADRATURE = Rule(
    "marg.quadrature",
    "Population means are integrals: the stated bound of the rule, or what halving its step changes, whichever is larger.",
    "Ask for fewer extreme random effects (a tighter SD prior) or report the fault: the bound is promised for any SD.",
    f"<= {QUADRATURE_ERROR:g}",
)
RULES: Final = (SIDE, INTERVALS, HETERO, VPC, R2, RATIO, BOTH, QUADRATURE)


def section(context: Context) -> Section:
    """Compare what the model says of one subject with what it says of the population.

    Parameters
    ----------
    context
        The fit.

    Returns
    -------
    Section
        Without a grouping factor all its checks say that they have no place.
    """
    fit = context.fit
    title, intro = "One subject and the population", "How a subject's numbers differ from the population's, and subjects from each other."
    if not fit.design.groups:
        alone = joined([*(rule.not_for(ONE) for rule in RULES), SIDE.attempt(lambda: _average_alone(fit))])
        return Section("marginal", title, intro, alone.entries, alone.blocks)
    parts = [
        SIDE.attempt(lambda: _side(fit)),
        INTERVALS.attempt(lambda: _intervals(fit)),
        HETERO.attempt(lambda: _hetero(fit)),
        VPC.attempt(lambda: _partition(fit)),
        RATIO.attempt(lambda: _ratios(fit)),
        BOTH.attempt(lambda: _interval_ratios(fit)),
        QUADRATURE.attempt(lambda: Part((_quadrature(fit),))),
        curve_pictures(fit),
    ]
    whole = joined(parts)
    return Section("marginal", title, intro, whole.entries, whole.blocks)


def _average_alone(fit: Fit) -> Part:
    """Return means on a grid, of the one target that there is."""
    return Part(blocks=(Numbers(means(fit, grid(fit), target="average_subject", ci_prob=0.95, ci_kind="eti")),))


def _side(fit: Fit) -> Part:
    """Return coefficients and means for one subject and for the population."""
    if not fit.design.labels:
        return SIDE.not_for("The model has no fixed effect.")
    coefficients = marginal_coefficients(fit, ci_prob=0.95, ci_kind="eti")
    factor, what = _factor(fit, coefficients)
    compared = compare_targets(fit, at=grid(fit), ci_prob=0.95, ci_kind="eti")
    detail = f"{what}: {factor:.3g}. Both targets stand side by side below."
    both = "average_subject and population, 95 % equal-tailed intervals"
    first = picture(
        "marg.side.coefficients",
        lambda: plot_marginal_vs_conditional(coefficients),
        "Subject-specific and marginal coefficients with intervals.",
        "Subject-specific coefficients beside marginal ones, 95 % equal-tailed intervals, on the scale of the linear predictor.",
    )
    second = picture(
        "marg.side.effects",
        lambda: plot_effects(compared),
        "Means of the average subject and of the population with intervals.",
        f"Means on the response scale for {both}; covariates that are not named are held.",
    )
    entry = Part((SIDE.entry(factor, detail),))
    return joined([entry, first, Part(blocks=(Numbers(coefficients),)), second, Part(blocks=(Numbers(compared),))])


def _factor(fit: Fit, result: Result) -> tuple[float, str]:
    """Find how many times larger the subject-specific coefficients are: by the SD of their predictor over the rows of the data."""
    beta, marginal = (result.table[name].to_numpy(dtype=np.float64) for name in (SUBJECT, MARGINAL))
    own, population = (float(np.std(fit.design.X @ c)) for c in (beta, marginal))
    if np.ptp(fit.design.X, axis=0).any() and population > 0.0:
        return own / population, "Spread of the fixed part, subject-specific over marginal"
    return float(np.abs(beta[0] / marginal[0])) if marginal[0] != 0.0 else np.nan, f"{fit.design.labels[0]}, subject-specific over marginal"


def _intervals(fit: Fit) -> Part:
    """Set the interval of the mean beside the range of subjects, at the first row of the grid."""
    subjects = heterogeneity(fit, grid(fit), ci_prob=0.95, ci_kind="eti")
    average = means(fit, grid(fit), target="average_subject", ci_prob=0.95, ci_kind="eti").table.iloc[0]
    row = subjects.table[subjects.table["scale"] == "response"].iloc[0]
    mean, wide = _range(average["ci_lower"], average["ci_upper"]), _range(row["plug_in_lower"], row["plug_in_upper"])
    detail = f"In the first row of the table the mean of the average subject has the 95 % interval {mean}; 95 % of subjects are in {wide}."
    return Part((INTERVALS.entry(None, detail),), (Numbers(subjects),))


def _range(low: Any, high: Any) -> str:
    return f"{float(low):.3g} to {float(high):.3g}"


def _hetero(fit: Fit) -> Part:
    """Find where the slopes or changes of subjects are, for every covariate with random slopes."""
    names = tuple(dict.fromkeys(name for g in fit.design.encoding.groups for name in part_columns(g.effects.part)))
    if not names:
        return HETERO.not_for("No covariate has a random slope: on the scale of the link all subjects change alike.")
    found: dict[str, Result] = {}
    refused: list[str] = []
    for name in names:
        try:
            found[name] = _changes(fit, name)
        except BayesglmmError as error:
            refused.append(f"{name}: {error}")
    if not found:
        return Part((not_run(HETERO.id, HETERO.threshold, " ".join(refused)),))
    opposed = {name: _opposed(fit, name) for name in names if not is_factor(fit, name)}
    quoted = [name for name, part in opposed.items() if not part.entries]
    both = {name: sentences for name, result in found.items() if (sentences := _both_signs(result))}
    said = " ".join(s for sentences in both.values() for s in sentences) or f"No range of changes in {', '.join(names)} holds both signs."
    shares = [f"{name}: the share with the other sign is {'' if name in quoted else 'not '}quoted below." for name in both]
    entry = HETERO.judged(float(len(both)), " ".join([said, *shares, *refused]), bad=any(name not in quoted for name in both))
    return joined([Part((entry,), tuple(Numbers(result) for result in found.values())), *opposed.values()])


def _changes(fit: Fit, name: str) -> Result:
    """Return the range of the slopes in a number, or of the differences between the levels of a factor and its reference."""
    if not is_factor(fit, name):
        return heterogeneity(fit, of="slope", variable=name, ci_prob=0.95, ci_kind="eti")
    reference, *others = known_values(fit, name)
    return heterogeneity(fit, {name: others}, of="contrast", versus={name: reference}, ci_prob=0.95, ci_kind="eti")


def _both_signs(result: Result) -> list[str]:
    """Return a sentence per line on the link scale whose range holds both signs."""
    table = result.table[result.table["scale"] == "link"]
    wide = table[(table["plug_in_lower"] < 0.0) & (table["plug_in_upper"] > 0.0)]
    title = result.title.partition(": ")[2] or result.title
    return [f"{title}: {_range(row['plug_in_lower'], row['plug_in_upper'])} on the link scale." for _, row in wide.iterrows()]


def _opposed(fit: Fit, name: str) -> Part:
    """Return the share of subjects whose slope has the other sign."""
    rule = replace(HETERO, id=f"marg.hetero.{name}", threshold=SHOWN)
    return rule.attempt(lambda: Part(blocks=(Numbers(opposite_slopes(fit, name, ci_prob=0.95, ci_kind="eti")),)))


def _partition(fit: Fit) -> Part:
    """Return shares of variance on both scales, and R2."""
    result, missing = _both_scales(fit)
    draws = result.draws["share"].transpose("row", ...).to_numpy()
    at = int(np.flatnonzero(result.table["component"] == TOTAL)[0])
    total, own = result.table.iloc[at], draws[at]
    inside = bool(draws.min() >= 0.0 and draws.max() <= 1.0)  # of every share: of factors, total and residual, on both scales
    levels = ", ".join(dict.fromkeys(f"{g.name} {len(g.levels)}" for g in fit.design.groups))
    found = f"median {total['median']:.3g}; its draws from {_range(own.min(), own.max())}"
    detail = f"All factors, {total['scale']} scale: {found}. Levels: {levels}."
    entry = VPC.entry(float(total["median"]), f"{detail}{missing}", "ok" if inside else "do not use")
    return joined([Part((entry,), (Numbers(result),)), R2.attempt(lambda: _explained(fit))])


def _both_scales(fit: Fit) -> tuple[Result, str]:
    """Return the partition on both scales, or on that of the response with the reason why there is no other."""
    scale: PartitionScales = "both" if fit.link is not LINKS["identity"] else "latent"
    try:
        return variance_partition(fit, scale=scale, ci_prob=0.95, ci_kind="eti"), ""
    except FamilyError as error:
        return variance_partition(fit, scale="response", ci_prob=0.95, ci_kind="eti"), f" Latent scale: {error}"


def _explained(fit: Fit) -> Part:
    """Return marginal and conditional R2."""
    result = r_squared(fit, ci_prob=0.95, ci_kind="eti")
    marginal, conditional = (float(result.table["median"][kind]) for kind in KINDS)
    detail = f"Posterior medians: fixed effects {marginal:.3g}, with random effects {conditional:.3g}."
    return Part((R2.entry(conditional, detail),), (Numbers(result),))


def _ratios(fit: Fit) -> Part:
    """Return the median ratio of two levels."""
    result = median_odds_ratio(fit, ci_prob=0.95, ci_kind="eti")
    largest = result.table.iloc[int(result.table["median"].to_numpy().argmax())]
    return Part((RATIO.entry(float(largest["median"]), f"{result.title}, {largest['factor']}; posterior median."),), (Numbers(result),))


def _interval_ratios(fit: Fit) -> Part:
    """Return what one unit of a coefficient's column and another level of a factor change together."""
    result = interval_odds_ratio(fit, ci_prob=0.95, ci_kind="eti")
    opposed = result.table[result.table["quantity"] == "opposed"]
    largest = opposed.iloc[int(opposed["median"].to_numpy().argmax())]
    detail = f"Share of pairs on the other side of 1, largest: {largest['coefficient']}, {largest['factor']}; posterior median."
    return Part((BOTH.entry(float(largest["median"]), detail),), (Numbers(result),))


def _quadrature(fit: Fit) -> Entry:
    """Integrate population means again with half the step, at some rows and draws."""
    parameters = fit_parameters(fit, effects=False)
    rows, _ = distinct_rows(build_rows(fit, None, target="population"), levels=False)
    rows = rows.take(np.unique(np.linspace(0, rows.n_rows - 1, CHECKED_ROWS).round().astype(np.int64)))
    some = parameters.take(slice(None, None, max(1, parameters.n_draws // CHECKED_DRAWS)))
    m, v = fixed_eta(some, rows), group_variance(some, rows)
    mean = population_mean(fit.link.name, m, v)
    if fit.link.marginal_predictor is not None:
        return QUADRATURE.entry(0.0, f"Closed form under the {fit.link.name} link: nothing is integrated.")
    s = np.sqrt(v)
    again = normal_average(fit.link.inverse, m, s, _halved(normal_rule(fit.link.name, float(s.max()))))
    change = float(np.abs(again - mean.value).max())
    worst = max(mean.bound, change)
    detail = f"{rows.n_rows} distinct rows, {some.n_draws} draws: bound {mean.bound:.1e}, change {change:.1e} when the step is halved."
    return QUADRATURE.judged(worst, detail, bad=worst > QUADRATURE_ERROR)


def _halved(rule: NormalRule) -> NormalRule:
    """Make the same trapezoid rule with twice as many nodes."""
    nodes = np.linspace(rule.nodes[0], rule.nodes[-1], 2 * rule.nodes.size - 1)
    weights = np.exp(-0.5 * np.square(nodes))
    return NormalRule(nodes, weights / weights.sum(), rule.bound)
