r"""Curves along one covariate: single groups, the average subject and the population beside each other, from the same draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.records import label
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, term_eta
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.rows import Rows, build_rows, predictor_columns
from bayesglmm.post.targets import TARGETS, Setting
from bayesglmm.post.values import is_factor
from bayesglmm.types import FloatArray

CURVE = "curve"
POINTS = 50
"""Values along a numeric covariate."""
GROUPS = 13
"""Groups that are shown, evenly spaced by rank."""
SUMMARIES = ("average_subject", "population")


@dataclass(frozen=True, slots=True)
class _Curve:
    """One line of the picture: its target, its level (empty for none) and draws (S, points) on the response scale."""

    target: str
    level: str
    draws: FloatArray


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
        The grouping factor whose levels are shown; None takes the first. Effects of other factors are at zero in these lines.
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
    name = _factor(fit, factor)
    rows = _rows(fit, variable, dict(at or {}), values)
    parameters = fit_parameters(fit, effects=True)
    lines = [_group_curve(fit, parameters, rows, name, level) for level in _levels(fit, parameters, name, groups)]
    lines += [_Curve(target, "", _mean_curve(fit, parameters, rows, target)) for target in SUMMARIES]
    table = pd.concat([_table(line, rows.frame[[variable]], choice) for line in lines], ignore_index=True)
    draws = np.concatenate([line.draws for line in lines], axis=1)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    dataset = draws_dataset({CURVE: draws}, sizes, "row", {"target": table["target"].to_numpy(dtype=object)})
    others = sorted({g.name for g in fit.design.groups} - {name})
    held = (f"In the lines of single groups the random effects of {', '.join(others)} are at zero.",) if others else ()
    target = f"group (levels of {name}), average_subject (all random effects zero) and population (averaged over all random effects)"
    return Result(f"Means along {variable}, response scale", target, table, dataset, (*rows.notes, *held, *run_notes(fit)), choice)


def _factor(fit: Fit, factor: str | None) -> str:
    known = list(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError("the model has no grouping factor", where=fit.spec.formula, fix="add one, such as (1 | subject)")
    if factor is not None and factor not in known:
        raise ArgumentError(f"factor={factor!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(known)}")
    return known[0] if factor is None else factor


def _rows(fit: Fit, variable: str, at: dict[str, Any], values: Sequence[Any] | None) -> Rows:
    """Make one row per value of the variable, everything else held."""
    needed = predictor_columns(fit, levels=False)
    if variable not in needed:
        raise unknown_column(variable, list(needed))
    if variable in at:
        raise ArgumentError(f"{variable!r} is the covariate along the axis", where="at", fix="give its values with values=")
    several = [n for n, v in at.items() if np.iterable(v) and not (isinstance(v, str) and v != "all")]
    if several:
        raise ArgumentError("a curve has one value of every other covariate", where=f"at, {several[0]!r}", fix="call once per value")
    return build_rows(fit, {**at, variable: _values(fit, variable) if values is None else list(values)}, target="population")


def _values(fit: Fit, variable: str) -> Any:
    if is_factor(fit, variable):
        return "all"
    column = fit.frame[variable]
    return np.linspace(float(column.min()), float(column.max()), POINTS).tolist()


def _levels(fit: Fit, parameters: Parameters, factor: str, groups: int | Sequence[Any]) -> list[int]:
    """Positions of the levels that are shown, in the order of their first effect."""
    at = next(k for k, g in enumerate(fit.design.groups) if g.name == factor)
    names, b = [label(level) for level in fit.design.groups[at].levels], parameters.groups[at].b
    if b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    order = np.argsort(b[:, :, 0].mean(axis=0), kind="stable")
    if isinstance(groups, int | np.integer):
        if groups < 0:
            raise ArgumentError(f"groups={groups} is no number of groups", fix="give a number from 0, or a list of levels")
        chosen = np.unique(np.linspace(0, len(order) - 1, min(int(groups), len(order))).round().astype(int))
        return [int(j) for j in order[chosen]] if groups else []
    if isinstance(groups, str):
        raise ArgumentError(f"groups={groups!r} is one text", fix=f"give a list of levels, [{groups!r}]")
    unknown = [label(g) for g in groups if label(g) not in names]
    if unknown:
        raise LevelError("the fit has not seen these levels", where=f"{factor}: {', '.join(unknown)}", fix="name observed levels")
    return [names.index(label(g)) for g in groups]


def _group_curve(fit: Fit, parameters: Parameters, rows: Rows, factor: str, level: int) -> _Curve:
    """Draws (S, points) of one level's mean, the effects of other factors at zero."""
    eta = fixed_eta(parameters, rows)
    for group, draws, z in zip(fit.design.groups, parameters.groups, rows.Z, strict=True):
        if group.name == factor:
            eta += term_eta(draws, z, np.full(rows.n_rows, level))
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
    return join_columns(x, {**labels, **summarise(line.draws, choice)}, reserved=(CURVE,))
