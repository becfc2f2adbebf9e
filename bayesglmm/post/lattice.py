r"""A panel per level: its data, its own line, and the lines of the average subject and of the population beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.post.axis import axis_values, by_intercept, check_covariate, chosen_factor, chosen_levels, default_covariate
from bayesglmm.post.door import takes_fit
from bayesglmm.post.hierarchy import line_notes, lineage, shared_factors
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.linear_predictor import Parameters, fit_parameters, fixed_eta, term_eta
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.row_blocks import RowSummary, summarise_rows
from bayesglmm.post.rows import Rows, build_rows, distinct_rows, predictor_columns
from bayesglmm.post.targets import TARGETS, Setting
from bayesglmm.post.values import is_factor
from bayesglmm.post.words import mean_words
from bayesglmm.types import FloatArray, IntArray, Target

CURVE: Final = "curve"
DATA, GROUP = "data", "group"
KIND, LEVEL, OBSERVED = "kind", "level", "observed"
GROUPS: Final = 12
"""Levels that are shown, evenly spaced by rank."""
POINTS: Final = 25
"""Values along a numeric covariate."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """T values of the covariate for each of L levels, the values changing fastest.

    Attributes
    ----------
    variable
        The covariate along the axis.
    levels
        Positions (L,) of the levels.
    names
        Names (L,) of the levels.
    rows
        L times T rows.
    level
        Shape (L T,): position of each row's level.
    """

    variable: str
    levels: list[int]
    names: list[str]
    rows: Rows
    level: IntArray


@takes_fit
def lattice(
    fit: Fit,
    variable: str | None = None,
    *,
    factor: str | None = None,
    groups: int | Sequence[Any] = GROUPS,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Lines of single levels beside their data, ordered by the level's intercept.

    .. math:: h(x_j'\beta + z_j'b_j), \qquad h(x_j'\beta), \qquad E_b\,h(x_j'\beta + z_j'b)

    The covariates of a line are those of its level: numbers at their mean within the level, factors at their most frequent value there.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    variable
        The covariate along the axis; None takes a number with a random slope, else a number, else the first factor.
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
        ``table``: the covariate under its name, ``level``, ``kind`` (``group``, ``average_subject``, ``population``, and ``data`` for an
        observed row), ``observed`` (the response, per trial; missing but for data), ``mean``, ``sd``, ``median``, ``ci_lower``,
        ``ci_upper`` (missing for data). ``draws``: variable ``curve`` with dims (chain, draw, row), of the rows of the table that
        are no data.

    Raises
    ------
    ArgumentError, ColumnError, LevelError
        If the model has no grouping factor or no covariate, or an argument is not what it must be.

    References
    ----------
    Sarkar, D. (2008). *Lattice: Multivariate Data Visualization with R*.
    """
    choice = make_interval(ci_prob, ci_kind)
    name = chosen_factor(fit, factor)
    parameters = fit_parameters(fit, effects=shared_factors(fit, name))
    levels = by_intercept(parameters, fit, name, dict.fromkeys(chosen_levels(fit, parameters, name, groups)))
    if not levels:
        raise ArgumentError(
            "a lattice needs at least one level", where=f"groups={groups!r}", fix="give a number from 1, or a list of levels"
        )
    grid = _grid(fit, name, default_covariate(fit) if variable is None else variable, levels)
    found = _lines(fit, parameters, grid, name, choice)
    table = pd.concat([*(_table(grid, kind, s) for kind, s in found.items()), _data(fit, grid, name)], ignore_index=True)
    draws = np.concatenate([s.draws for s in found.values() if s.draws is not None], axis=1)
    coords = {c: table[c].to_numpy(dtype=object)[: draws.shape[1]] for c in (LEVEL, KIND)}
    dataset = draws_dataset({CURVE: draws}, (fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]), "row", coords)
    total = next(len(g.levels) for g in fit.design.groups if g.name == name)
    dataset = dataset.assign_attrs(mean=mean_words(fit), factor=name, levels=total, held=int(len(predictor_columns(fit, levels=False)) > 1))
    others = ", ".join(k for k in found if k != GROUP)
    target = f"group (levels of {name}), {others}: each at the covariates of the level in question"
    title = f"Single levels of {name} along {grid.variable}, response scale"
    return Result(title, target, table, dataset, (*_notes(fit, grid, name), *run_notes(fit)), choice)


def _grid(fit: Fit, factor: str, variable: str, levels: list[int]) -> _Grid:
    """Rows of each level at each value of the covariate, with the level's own other covariates."""
    values = _axis(fit, variable)
    group = next(g for g in fit.design.groups if g.name == factor)
    others = [c for c in predictor_columns(fit, levels=False) if c != variable]
    held = {c: [_own(fit.frame[c][group.index == j], factor=is_factor(fit, c)) for j in levels] for c in others}
    frame = pd.DataFrame({c: np.repeat(np.array(v, dtype=object), len(values)) for c, v in held.items()}).infer_objects()
    frame = frame.assign(**{variable: values * len(levels)})
    rows = build_rows(fit, frame, target="population")
    return _Grid(variable, levels, [str(group.levels[j]) for j in levels], rows, np.repeat(np.array(levels, dtype=np.int64), len(values)))


def _axis(fit: Fit, variable: str) -> list[Any]:
    """Values of a column that the predictor reads."""
    check_covariate(fit, variable)
    return axis_values(fit, variable, POINTS)


def _own(column: "pd.Series[Any]", *, factor: bool) -> Any:
    """Value of a covariate that stands for one level: the most frequent one of a factor, the mean of a number."""
    return column.mode().iloc[0] if factor else float(column.astype(float).mean())


def _lines(fit: Fit, parameters: Parameters, grid: _Grid, factor: str, choice: IntervalChoice) -> dict[str, RowSummary]:
    """Summaries of the lines by kind; each distinct row of a mean that all levels share is made once."""
    n_rows, n_draws, levels = grid.rows.n_rows, parameters.n_draws, lineage(fit, factor)

    def group(block: slice) -> FloatArray:
        part = grid.rows.take(np.arange(block.start, block.stop))
        eta = fixed_eta(parameters, part)
        for design, draws, z in zip(fit.design.groups, parameters.groups, part.Z, strict=True):
            if design.name in levels:
                eta += term_eta(draws, z, levels[design.name][grid.level[block]])
        return fit.link.inverse(eta)

    found = {GROUP: summarise_rows(group, n_rows, n_draws, choice, keep_draws=True)}
    unique, which = distinct_rows(grid.rows, levels=False)
    kinds: tuple[Target, ...] = ("average_subject", "population") if fit.link.has_population_mean else ("average_subject",)
    for kind in kinds:

        def mean(block: slice, kind: Target = kind) -> FloatArray:
            setting = Setting(unique.take(np.arange(block.start, block.stop)), fit.link, ())
            return fit.link.inverse(TARGETS[kind](parameters, setting).value)

        part = summarise_rows(mean, unique.n_rows, n_draws, choice, keep_draws=True)
        columns = {name: values[which] for name, values in part.columns.items()}
        found[kind] = RowSummary(columns, None if part.draws is None else part.draws[:, which])
    return found


def _table(grid: _Grid, kind: str, summary: RowSummary) -> pd.DataFrame:
    """Lines of one kind."""
    n = grid.rows.n_rows
    names = np.repeat(np.array(grid.names, dtype=object), n // max(1, len(grid.names)))
    labels = {LEVEL: names, KIND: np.full(n, kind, dtype=object), OBSERVED: np.full(n, np.nan)}
    return join_columns(grid.rows.frame[[grid.variable]], {**labels, **summary.columns}, reserved=(CURVE,))


def _data(fit: Fit, grid: _Grid, factor: str) -> pd.DataFrame:
    """Observed rows of the levels that are shown, in the order of the levels."""
    design = fit.design
    group = next(g for g in design.groups if g.name == factor)
    own = [np.flatnonzero(group.index == j) for j in grid.levels]
    rows = np.concatenate(own)
    observed = design.y if design.trials is None else design.y / design.trials
    names = np.repeat(np.array(grid.names, dtype=object), [len(r) for r in own])
    missing = {c: np.full(len(rows), np.nan) for c in ("mean", "sd", "median", "ci_lower", "ci_upper")}
    labels = {LEVEL: names, KIND: np.full(len(rows), DATA, dtype=object), OBSERVED: observed[rows]}
    return join_columns(fit.frame[[grid.variable]].iloc[rows], {**labels, **missing}, reserved=(CURVE,))


def _notes(fit: Fit, grid: _Grid, factor: str) -> tuple[str, ...]:
    others = [c for c in predictor_columns(fit, levels=False) if c != grid.variable]
    notes = []
    if others:
        notes.append(f"Each level has its own covariates ({', '.join(others)}): the mean of a number, the most frequent value of a factor.")
    notes += line_notes(fit, factor, "level")
    if not fit.link.has_population_mean:
        notes.append(f"No line of the population: the {fit.link.name} link has no population mean.")
    return tuple(notes)
