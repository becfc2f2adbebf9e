r"""Curves along one covariate: single groups, the average subject and the population beside each other, from the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.post.axis import axis_rows, chosen_factor, chosen_levels
from bayesglmm.post.door import takes_fit
from bayesglmm.post.hierarchy import line_notes, lineage
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, term_eta
from bayesglmm.post.ranges import overflow_notes, summarise_means
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.rows import Rows
from bayesglmm.post.targets import TARGETS, Setting
from bayesglmm.post.words import mean_words
from bayesglmm.types import FloatArray

CURVE = "curve"
GROUPS = 13
"""Groups that are shown, evenly spaced by rank."""
SUMMARIES = ("average_subject", "population")


@dataclass(frozen=True, slots=True)
class _Curve:
    """One line of the picture: its target, its level (empty for none) and draws (S, points) on the response scale."""

    target: str
    level: str
    draws: FloatArray


@takes_fit
def curves(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    variable: str,
    at: Mapping[str, Any] | None = None,
    *,
    values: Sequence[Any] | None = None,
    factor: str | None = None,
    groups: int | Sequence[Any] = GROUPS,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Means along one covariate for single groups, for the average subject and for the population.

    .. math:: h(x'\beta + z'b_j), \qquad h(x'\beta), \qquad E_b\,h(x'\beta + z'b)

    With a link that is not the identity the second is no average of the first; the third is.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    variable
        The covariate along the axis.
    at
        Values of the other covariates, one each; what is not named is held at its mean or reference level (the notes say at what).
    values
        Values of ``variable``; None takes 50 equally spaced ones over its range, or all that occur when it is a factor.
    factor
        The grouping factor whose levels are shown; None takes the first. Each line has the effects of the levels that its level is
        nested in too; effects of other factors are at zero in these lines.
    groups
        How many levels, evenly spaced by the rank of their first effect; or the levels themselves.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per line and value: ``target`` (``group``, ``average_subject``, ``population``), ``level`` (empty for the last
        two), the covariate under its name, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``: variable ``curve`` with
        dims (chain, draw, row).

    Raises
    ------
    ArgumentError, ColumnError, LevelError
        If an argument is not what it must be.
    FamilyError
        If the link has no population mean.
    """
    choice = make_interval(ci_prob, ci_kind)
    name = chosen_factor(fit, factor)
    rows = axis_rows(fit, variable, dict(at or {}), values)
    parameters = fit_parameters(fit, effects=True)
    lines = [_group_curve(fit, parameters, rows, name, level) for level in chosen_levels(fit, parameters, name, groups)]
    lines += [_Curve(target, "", _mean_curve(fit, parameters, rows, target)) for target in SUMMARIES]
    table = pd.concat([_table(line, rows.frame[[variable]], choice) for line in lines], ignore_index=True)
    draws = np.concatenate([line.draws for line in lines], axis=1)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    dataset = draws_dataset({CURVE: draws}, sizes, "row", {"target": table["target"].to_numpy(dtype=object)})
    total = next(len(g.levels) for g in fit.design.groups if g.name == name)
    dataset = dataset.assign_attrs(mean=mean_words(fit), factor=name, levels=total)
    notes = (*rows.notes, *overflow_notes(table["mean"].to_numpy()), *line_notes(fit, name, "group"), *run_notes(fit))
    target = f"group (levels of {name}), average_subject (all random effects zero) and population (averaged over all random effects)"
    return Result(f"Means along {variable}, response scale", target, table, dataset, notes, choice)


def _group_curve(fit: Fit, parameters: Parameters, rows: Rows, factor: str, level: int) -> _Curve:
    """Draws (S, points) of one level's mean, with what it is nested in; the effects of other factors are at zero."""
    eta, levels = fixed_eta(parameters, rows), lineage(fit, factor)
    for group, draws, z in zip(fit.design.groups, parameters.groups, rows.Z, strict=True):
        if group.name in levels:
            eta += term_eta(draws, z, np.full(rows.n_rows, levels[group.name][level]))
    name = next(str(g.levels[level]) for g in fit.design.groups if g.name == factor)
    return _Curve("group", name, fit.link.inverse(eta))


def _mean_curve(fit: Fit, parameters: Parameters, rows: Rows, target: Any) -> FloatArray:
    """Draws (S, points) of the mean for the average subject or the population."""
    values, setting = np.empty((parameters.n_draws, rows.n_rows)), Setting(rows, fit.link, ())
    for block in draw_blocks(parameters.n_draws, rows.n_rows):
        values[block] = fit.link.inverse(TARGETS[target](parameters.take(block), setting).value)
    return values


def _table(line: _Curve, x: pd.DataFrame, choice: IntervalChoice) -> pd.DataFrame:
    labels = {"target": np.full(len(x), line.target), "level": np.full(len(x), line.level, dtype=object)}
    return join_columns(x, {**labels, **summarise_means(line.draws, choice)}, reserved=(CURVE,))
