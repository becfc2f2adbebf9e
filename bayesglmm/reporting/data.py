"""Section 4: what the data can tell, before any draw is looked at."""

import os
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm import naming
from bayesglmm.errors import ResponseError
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import (
    CONDITION_NUMBER,
    FEW_LEVELS,
    GROUPS_PER_COVARIANCE_PARAMETER,
    LARGEST_SD,
    MEAN_OVER_SD,
    MEMORY_SHARE,
    SINGLE_ROW_GROUPS_SHARE,
    SMALLEST_SD,
)
from bayesglmm.numerics.conditioning import condition
from bayesglmm.post.check import check
from bayesglmm.reporting.context import NO_TIME, Context
from bayesglmm.reporting.parts import OWN, Part, Rule, joined
from bayesglmm.reporting.records import Cell, Entry, Grid, Section
from bayesglmm.reporting.separation import separation
from bayesglmm.types import IntArray

NO_GROUPS: Final = "The model has no grouping factor."
INVOLVED: Final = 0.5
"""Share of a coefficient's variance above which its column takes part in a near dependence (Belsley, Kuh and Welsch 1980)."""
DRAWS: Final = 400
SHOWN: Final = 5

GROUP_SIZES = Rule(
    "data.group_sizes",
    "A level with no more rows than it has random effects fits them exactly: the prior alone tells effects from the scatter of rows.",
    "Drop the random slope, not the intercept; expect SDs that follow their prior.",
    f"at most {SINGLE_ROW_GROUPS_SHARE:.0%} of the levels of a factor with no more rows than random effects",
    OWN,
    percent=True,
)
FEW = Rule(
    "data.few_levels",
    "A handful of levels hardly tells the spread between levels; its SD follows the prior.",
    "Make it a fixed effect, or give its SD an informative prior and show prior beside posterior.",
    f">= {FEW_LEVELS} levels",
    "common rule",
)
ZEROS = Rule(
    "data.zeros",
    "More zeros than the family makes say that some come from elsewhere.",
    "Try a zero-inflated or hurdle family, or a random effect per row.",
    "share of zeros inside its predictive 95 % interval",
    OWN,
)
COLLINEAR = Rule(
    "data.collinear",
    "Columns that are nearly combinations of others have coefficients that cannot be told apart.",
    "Drop or combine columns, or report their joint effect.",
    f"condition number of the scaled columns <= {CONDITION_NUMBER:g}",
    "Belsley, Kuh and Welsch 1980",
)
SCALE = Rule(
    "data.scale",
    "Columns far from zero or of extreme spread make coefficients and priors hard to read, and some samplers slow.",
    "Center or rescale the column: I(x - 2000), scale(x).",
    f"|mean| / SD <= {MEAN_OVER_SD:g}, SD from {SMALLEST_SD:g} to {LARGEST_SD:g}",
)
NESTING = Rule(
    "data.nesting",
    "Labels that start again under each parent are different groups with one name, or the same group everywhere: the formula decides.",
    "Write (1 | g/h), or make the labels unique.",
    "no label looks re-used",
)
SIZE = Rule(
    "data.size",
    "Each SD and correlation between groups is learned from the groups, not from the rows.",
    "Use a diagonal structure, fewer effects, or aggregate.",
    f">= {GROUPS_PER_COVARIANCE_PARAMETER} groups per covariance parameter; draws below {MEMORY_SHARE:.0%} of memory",
    OWN,
)
RESPONSE = Rule(
    "data.response",
    "A response that the family cannot produce makes every number meaningless.",
    "Choose another family, or repair the data.",
    "every response in the family's support",
)
TIME = Rule(
    "data.time_order",
    "Two rows of one group at one time have no order; lags then follow the order of the rows.",
    "Repair the times, or name the column that tells such rows apart.",
    "no time twice in a group",
)


def section(context: Context) -> Section:
    """Look at groups, columns and the response.

    Parameters
    ----------
    context
        The fit.
    """
    fit = context.fit
    parts = (
        _group_sizes(fit),
        _few_levels(fit),
        separation(fit),
        ZEROS.attempt(lambda: _zeros(context)),
        _collinear(fit),
        _scale(fit),
        _nesting(fit),
        _size(fit),
        _response(fit),
        _time_order(context),
    )
    whole = joined(parts)
    return Section("data", "Data and design", "What the data can tell, whatever the model.", whole.entries, whole.blocks)


def _rows_per_level(fit: Fit) -> Iterator[tuple[str, IntArray]]:
    """Rows of each level, once per grouping factor."""
    for group in fit.design.groups:
        if group.position == 0:
            yield group.name, np.bincount(group.index, minlength=len(group.levels)).astype(np.int64)


def _group_sizes(fit: Fit) -> Part:
    sizes = dict(_rows_per_level(fit))
    if not sizes:
        return GROUP_SIZES.not_for(NO_GROUPS)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, len(n), int(n.min()), float(np.median(n)), int(n.max()), int(np.sum(n == 1))) for name, n in sizes.items()
    )
    effects = {name: sum(len(g.labels) for g in fit.design.groups if g.name == name) for name in sizes}
    shares = {name: float(np.mean(n <= effects[name])) for name, n in sizes.items()}
    worst = max(shares, key=lambda name: shares[name])
    columns = ("grouping factor", "levels", "fewest rows", "median rows", "most rows", "levels with one row")
    most = f"Most in {worst}: {round(shares[worst] * len(sizes[worst]))} of {len(sizes[worst])} levels"
    detail = f"{most}, random effects per level: {effects[worst]}."
    entry = GROUP_SIZES.judged(shares[worst], detail, bad=shares[worst] > SINGLE_ROW_GROUPS_SHARE)
    return Part((entry,), (Grid("Rows per group", columns, rows),))


def _time_order(context: Context) -> Part:
    """Count rows that share level and time with an earlier one."""
    if context.time is None:
        return TIME.not_for(NO_TIME)
    if context.series is None:
        return TIME.not_for(NO_GROUPS)
    group = next(g for g in context.fit.design.groups if g.name == context.series)
    twice = pd.DataFrame({"group": group.index, "time": context.fit.frame[context.time].to_numpy()}).duplicated()
    where = f"{context.time} within the levels of {context.series}"
    if not twice.any():
        return Part((TIME.entry(0.0, f"No time twice: {where}."),))
    first = int(np.flatnonzero(twice)[0])
    level, time = group.levels[group.index[first]], context.fit.frame[context.time].iloc[first]
    detail = f"{int(twice.sum())} rows share level and time with an earlier one, {where}; first: {level} at {time}."
    return Part((TIME.entry(float(twice.sum()), detail, "attention"),))


def _few_levels(fit: Fit) -> Part:
    levels = {name: len(n) for name, n in _rows_per_level(fit)}
    if not levels:
        return FEW.not_for(NO_GROUPS)
    fewest = min(levels, key=lambda name: levels[name])
    return Part((FEW.judged(float(levels[fewest]), f"Fewest in {fewest}.", bad=levels[fewest] < FEW_LEVELS),))


def _zeros(context: Context) -> Part:
    """Compare the share of zeros with that of replicated data; only counts without an upper limit have zeros of this kind."""
    fit = context.fit
    if not fit.family.discrete or fit.link.onto_unit_interval:
        return ZEROS.not_for("The response is no count without an upper limit.")
    table = check(fit, draws=DRAWS, seed=context.seed, ci_prob=0.95, ci_kind="eti").table.reset_index()
    row = table[table["statistic"] == "zeros"].iloc[0]
    detail = f"Observed share {row['observed']:.3g}; replicated {row['ci_lower']:.3g} to {row['ci_upper']:.3g} (95 % equal-tailed)."
    return Part((ZEROS.judged(float(row["observed"]), detail, bad=bool(row["outside"])),))


def _collinear(fit: Fit) -> Part:
    """Condition of the columns beside the constant; nearness of one column to the constant is a matter of its scale."""
    labels = fit.design.labels
    beside = [k for k, label in enumerate(labels) if label != naming.INTERCEPT]
    if len(beside) < 2:
        return COLLINEAR.not_for("There are fewer than two columns beside the intercept.")
    found = condition(fit.design.X[:, beside], center=naming.INTERCEPT in labels)
    involved = [labels[beside[k]] for k in np.flatnonzero(found.shares > INVOLVED)]
    bad = found.number > CONDITION_NUMBER
    detail = f"Nearly dependent: {', '.join(involved)}." if bad else f"{len(beside)} columns beside the intercept."
    return Part((COLLINEAR.judged(found.number, detail, bad=bad),))


def _scale(fit: Fit) -> Part:
    """Mean and spread of columns of numbers; columns of factors have no scale."""
    columns = [t.start for t in fit.design.fixed if t.levels is None and t.name != naming.INTERCEPT]
    if not columns:
        return SCALE.not_for("There is no column of numbers among the fixed effects.")
    X = fit.design.X[:, columns]
    mean, sd = np.abs(X.mean(axis=0)), X.std(axis=0, ddof=1)
    bad = (mean > MEAN_OVER_SD * sd) | (sd < SMALLEST_SD) | (sd > LARGEST_SD)
    ratio = mean / np.maximum(sd, np.finfo(float).tiny)
    listed = [f"{fit.design.labels[columns[k]]} (mean {X[:, k].mean():.3g}, SD {sd[k]:.3g})" for k in np.flatnonzero(bad)]
    detail = f"{', '.join(listed[:SHOWN])}." if listed else f"Largest |mean| / SD: {fit.design.labels[columns[int(np.argmax(ratio))]]}."
    return Part((SCALE.judged(float(ratio.max()), detail, bad=bool(listed)),))


def _nesting(fit: Fit) -> Part:
    """Show what the design noted: labels of one grouping factor that start again within another."""
    if sum(group.position == 0 for group in fit.design.groups) < 2:
        return NESTING.not_for("There are fewer than two grouping factors.")
    notes = fit.design.notes
    return Part((NESTING.judged(float(len(notes)), " ".join(notes) or "No label starts again under another factor.", bad=bool(notes)),))


def _size(fit: Fit) -> Part:
    """Compare groups with covariance parameters, and tell what the draws take of this machine's memory."""
    taken = sum(int(v.nbytes) for v in fit.posterior.data_vars.values())
    draws = fit.provenance.chains_obtained * fit.provenance.draws_obtained
    memory = _memory()
    share = "" if memory is None else f", {taken / memory:.1%} of this machine's memory"
    stored = f"{taken / draws:.0f} bytes per draw{share}."
    too_large = memory is not None and taken > MEMORY_SHARE * memory
    ratios = {name: len(levels) / parameters for name, levels, parameters in _parameters(fit)}
    if not ratios:
        return Part((SIZE.entry(None, stored, "attention" if too_large else "ok"),))
    worst = min(ratios, key=lambda name: ratios[name])
    detail = f"Fewest groups per parameter: {worst}. {stored}"
    return Part((SIZE.judged(ratios[worst], detail, bad=too_large or ratios[worst] < GROUPS_PER_COVARIANCE_PARAMETER),))


def _parameters(fit: Fit) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Name, levels, and number of SDs and correlations of each grouping factor."""
    counts: dict[str, int] = {}
    for group, prior in zip(fit.design.groups, fit.priors.cor, strict=True):
        q = len(group.labels)
        counts[group.name] = counts.get(group.name, 0) + q + (q * (q - 1) // 2 if prior is not None else 0)
    for group in fit.design.groups:
        if group.position == 0:
            yield group.name, group.levels, counts[group.name]


def _memory() -> float | None:
    """Memory of this machine in bytes; None where the system does not tell."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return None


def _response(fit: Fit) -> Part:
    try:
        fit.family.check_response(fit.design.y, fit.design.trials)
    except ResponseError as error:
        return Part((RESPONSE.entry(None, str(error), "do not use"),))
    entry: Entry = RESPONSE.entry(None, f"{len(fit.design.y)} rows.")
    return Part((entry,))
