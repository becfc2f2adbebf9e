"""Posterior predictive check group by group: replicated data of the observed groups, or of new ones in their place."""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.group_statistics import GROUP_STATISTICS, LEAST_ROWS, GroupStatistic
from bayesglmm.post.check_replicates import Replicates, chosen_factors, is_outside, make_replicates, nested_in, replicate_notes
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.new_groups import listed
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray, IntArray, check_choice

type Statistic = Literal["mean", "sd", "zeros"]

STREAM = "check_groups"
WORDS = {"mean": "mean", "sd": "standard deviation", "zeros": "share of zeros"}
SHARE = "share of successes"
"""What stands for the mean of a binomial response."""


@takes_fit
def check_groups(  # noqa: PLR0913 (one public call; all but one are keywords)
    fit: Fit,
    *,
    factor: str | None = None,
    statistic: Statistic = "mean",
    new_groups: bool = False,
    draws: int = 400,
    seed: int = 1,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Compare a statistic of each group with replicated data of the group.

    .. math:: T(y_j) \quad\text{with}\quad T(y^{rep}_{j, s}), \qquad y^{rep}_{j, s} \sim p(y_j \mid \theta_s, b_{j, s}) \quad\text{or}\quad
              p(y_j \mid \theta_s, b^{new}_{j, s}),\; b^{new}_{j, s} \sim N(0, D_s)

    Parameters
    ----------
    fit
        A fit.
    factor
        Name of a grouping factor, ``g`` or ``g:h``; all of them when None.
    statistic
        ``mean``, ``sd`` (of the rows of a group, divisor rows - 1) or ``zeros`` (share of rows that are zero). Of a binomial response the
        mean is that per trial, all successes of the group over all its trials; the other two are of the numbers of successes.
    new_groups
        Replicate every level as a new one: effects of the factor, and of factors nested in it, are drawn from N(0, D), distinct for each
        level and draw; the other factors keep the effects of their observed levels. This checks the distribution of the effects too,
        which the effects of the observed levels have already been fitted to.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    seed
        Integer; the same seed gives the same replicated data.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the replicated statistics.

    Returns
    -------
    Result
        ``table``, one row per level: ``factor``, ``level``, ``rows`` (their number), ``observed``; ``mean``, ``sd``, ``median``,
        ``ci_lower``, ``ci_upper`` of the replicated data; ``outside``. ``draws`` is empty. The notes tell the share of levels outside.

    Raises
    ------
    ArgumentError
        If there is no such grouping factor or none at all, the statistic is unknown, no level has rows enough for it, the fit has fewer
        than 20 draws or keeps no random effects that are needed, or an argument is not what it must be.

    References
    ----------
    Marshall, E. C. and Spiegelhalter, D. J. (2003). Approximate cross-validatory predictive checks in disease mapping models. *Statistics
    in Medicine* 22, 1649-1660.

    Marshall, E. C. and Spiegelhalter, D. J. (2007). Identifying outliers in Bayesian hierarchical models: a simulation-based approach.
    *Bayesian Analysis* 2, 409-444.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("statistic", statistic, Statistic)
    factors = chosen_factors(fit, factor)
    parts, notes, n_draws = [], [], 0
    for name in factors:
        source = make_replicates(fit, draws, seed, stream=f"{STREAM} {name}", renewed=nested_in(fit, name) if new_groups else ())
        group = next(g for g in fit.design.groups if g.name == name)
        parts.append(_compare(source, group, statistic, choice))
        notes += _share_notes(parts[-1], group, statistic)
        n_draws = source.n_draws
    notes += [*_trials_notes(fit, statistic), *replicate_notes(fit, n_draws, seed)]
    words = _words(fit, statistic)
    title = f"Posterior predictive check of {fit.design.response}: {words} of each level of {' and '.join(factors)}"
    table = pd.concat(parts, ignore_index=True)
    dataset = xr.Dataset(attrs={"statistic": words, "response": fit.design.response})
    return Result(title, _target(fit, factors, words, new_groups), table, dataset, (*notes, *run_notes(fit)), choice)


def _compare(source: Replicates, group: GroupDesign, statistic: Statistic, choice: IntervalChoice) -> pd.DataFrame:
    """Compare the levels of one factor that have rows enough."""
    sizes = np.bincount(group.index, minlength=len(group.levels))
    kept = sizes >= LEAST_ROWS[statistic]
    if not kept.any():
        raise ArgumentError(
            f"no level has the {LEAST_ROWS[statistic]} rows that statistic={statistic!r} needs",
            where=group.name,
            fix="use statistic='mean'",
        )
    order = np.argsort(group.index, kind="stable")
    order = order[kept[group.index[order]]].astype(np.int64)
    function, sizes = _function(source.fit, statistic, order), sizes[kept].astype(np.int64)
    replicated = _replicated(source, order, sizes, function)
    observed = function(source.fit.design.y[None, order], sizes)[0]
    columns = summarise(replicated, choice)
    labels = {"factor": group.name, "level": [name for name, use in zip(group.levels, kept, strict=True) if use], "rows": sizes}
    outside = is_outside(observed, columns["ci_lower"], columns["ci_upper"])
    return pd.DataFrame({**labels, "observed": observed, **columns, "outside": outside})


def _function(fit: Fit, statistic: Statistic, order: IntArray) -> GroupStatistic:
    """Return the statistic of rows in that order; the mean of a binomial response is that per trial."""
    own, trials = GROUP_STATISTICS[statistic], fit.design.trials
    if statistic != "mean" or trials is None:
        return own
    sorted_trials = np.asarray(trials, dtype=np.float64)[None, order]
    return lambda y, sizes: own(y, sizes) / own(sorted_trials, sizes)


def _words(fit: Fit, statistic: Statistic) -> str:
    return SHARE if statistic == "mean" and fit.design.trials is not None else WORDS[statistic]


def _trials_notes(fit: Fit, statistic: Statistic) -> list[str]:
    """Say what the numbers of a binomial response are."""
    if fit.design.trials is None:
        return []
    if statistic == "mean":
        return ["The share of successes of a level: the successes of all its rows over all their trials."]
    return ["Numbers are of the counts of successes, whatever the trials of a row."]


def _replicated(source: Replicates, order: IntArray, sizes: IntArray, function: GroupStatistic) -> FloatArray:
    """Statistics of the replicated data, shape (draws, levels)."""
    found = np.empty((source.n_draws, len(sizes)))
    for block in source.blocks():
        found[block.draws] = function(block.y[:, order], sizes)
    return found


def _share_notes(table: pd.DataFrame, group: GroupDesign, statistic: Statistic) -> list[str]:
    """Tell how many levels are outside, and which are left out."""
    outside = int(table["outside"].sum())
    shown = f" ({listed(table.loc[table['outside'], 'level'].tolist())})" if outside else ""
    notes = [f"{group.name}: {outside} of {len(table)} levels outside their interval, {100 * outside / len(table):.3g} %{shown}."]
    left = len(group.levels) - len(table)
    if left:
        notes.append(
            f"{group.name}: {left} levels with fewer than {LEAST_ROWS[statistic]} rows are left out, which have no {WORDS[statistic]}."
        )
    return notes


def _target(fit: Fit, factors: tuple[str, ...], words: str, new_groups: bool) -> str:
    """Say what is replicated, and for whom."""
    named = " and ".join(factors)
    what = f"{words} of replicated observations of {fit.design.response}"
    if not new_groups:
        return f"group: {what} of each observed level of {named}, given its effects b_j"
    return f"{what} of a new level in the place of each level of {named}, b ~ N(0, D); other factors at their observed levels"
