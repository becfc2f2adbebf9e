r"""The marginal covariance of a Gaussian response that a hierarchical model implies, over a grid of times."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.encoding import part_columns
from bayesglmm.design.expressions import unknown_column
from bayesglmm.errors import ArgumentError, ColumnError, FamilyError
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import SIGMA
from bayesglmm.numerics.covariance import linear_predictor_variance
from bayesglmm.numerics.implied import add_to_diagonal, correlation_of, shared_covariance
from bayesglmm.numerics.links import LINKS
from bayesglmm.post.door import takes_fit
from bayesglmm.post.hierarchy import shared_factors
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.ranges import range_notes
from bayesglmm.post.result import Result, run_notes
from bayesglmm.post.rows import ALL, Rows, build_rows, occurring
from bayesglmm.post.variance_partition import factor_names, random_intercepts, residual_note, variance_function, weights_note
from bayesglmm.types import FloatArray

COVARIANCE, CORRELATION, SD, ICC = "covariance", "correlation", "sd", "icc"
ROW, COLUMN = "row", "column"
TIME = "time"
MOST_TIMES = 100
"""Draws of V have S x T x T numbers: with 4,000 draws and so many times 320 MB, and as many for the correlations."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """T times of one column, and the rows that they stand for."""

    variable: str
    times: list[Any]
    rows: Rows


@takes_fit
def implied_covariance(
    fit: Fit, times: Any, *, variable: str | None = None, factor: str | None = None, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Covariance and correlation matrix that random effects imply for the responses of one level, averaged over its random effects.

    .. math:: V = \textstyle\sum_{t\,\text{shared}} Z_t D_t Z_t' + \operatorname{diag}(\sum_{t\,\text{other}} z_t' D_t z_t) + \sigma^2 I

    Parameters
    ----------
    fit
        A fit of a Gaussian response with identity link and a grouping factor.
    times
        Values of ``variable``, each once and 100 at most: one row of V per value; ``"all"`` for those that occur in the data.
    variable
        The column that ``times`` are values of: one that has a random slope. None finds it when there is only one. With random intercepts
        only, V does not depend on it: it is a label, and a column of the formula where ``times`` are ``"all"``.
    factor
        The grouping factor whose levels are the subjects; needed when there are several.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns ``quantity``, ``row``, ``column`` (times), ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. Quantities:
        ``covariance`` (on the diagonal the variance) and ``correlation`` of each pair of times once, the column not before the row; ``sd``,
        the standard deviation at each time; with random intercepts only also ``icc``. ``draws``: variables ``covariance`` and
        ``correlation`` with dims (chain, draw, row, column), ``sd`` (chain, draw, row), and ``icc`` (chain, draw).

    Raises
    ------
    FamilyError
        If the response is not Gaussian with identity link.
    ArgumentError
        If there is no grouping factor, several and none is named, no or several columns with a random slope and none is named, a time is
        missing or stands twice, there are too many times, or known standard errors differ between rows.
    ColumnError, LevelError, MissingValueError
        If ``times`` are no values of the column.

    Notes
    -----
    Rows of one level of ``factor`` share that level and those of every factor that it is nested in, as the data show it. Other factors
    (crossed ones, and those nested within it) are taken to differ from row to row: their variance is on the diagonal only. With random
    intercepts only V is compound symmetry with a correlation that cannot be negative; the marginal compound-symmetry model allows it down
    to -1 / (n - 1) in groups of n rows. So a marginal model need not come from a hierarchical one.

    References
    ----------
    Verbeke, G. and Molenberghs, G. (2000). *Linear Mixed Models for Longitudinal Data*, sections 3.3 and 5.6.2.
    """
    choice = make_interval(ci_prob, ci_kind)
    _check_gaussian(fit)
    subject = _subject(fit, factor)
    grid = _grid(fit, times, variable)
    shared = shared_factors(fit, subject)
    V = covariance_draws(fit, grid.rows, shared)
    values: dict[str, FloatArray] = {COVARIANCE: V, CORRELATION: correlation_of(V), SD: np.sqrt(np.diagonal(V, axis1=1, axis2=2))}
    if random_intercepts(fit):
        values[ICC] = _icc(fit, grid.rows, shared)
    target = f"responses of one level of {subject}, over the distribution of its random effects: Z D Z' + sigma^2 I at {grid.variable}"
    title = f"Implied covariance and correlation of the responses of one level of {subject}"
    notes = (*_notes(fit, subject, shared, grid), *run_notes(fit))
    return Result(title, target, _table(values, grid.times, choice), _dataset(fit, values, grid.times), notes, choice)


def covariance_draws(fit: Fit, rows: Rows, shared: Sequence[str]) -> FloatArray:
    """Draws (S, T, T) of the covariance of the responses at T rows that share the levels of some factors and no others.

    Parameters
    ----------
    fit
        A Gaussian fit with identity link.
    rows
        T rows.
    shared
        Names of the factors whose level they share.
    """
    parameters, diagonal = fit_parameters(fit, effects=False), variance_function(fit).constant
    V = np.zeros((parameters.n_draws, rows.n_rows, rows.n_rows))
    for group, design, z in zip(parameters.groups, fit.design.groups, rows.Z, strict=True):
        if design.name in shared:
            V += shared_covariance(z, group.sd, group.corr)
        else:
            diagonal = diagonal + linear_predictor_variance(z, group.sd, group.corr)
    return add_to_diagonal(V, diagonal)


def _check_gaussian(fit: Fit) -> None:
    factor_names(fit)  # refuses a model without groups, for which the functions named below have no answer either
    if fit.link is not LINKS["identity"] or SIGMA not in fit.family.auxiliary:
        raise FamilyError(
            f"the implied covariance is that of a Gaussian response with identity link, not of {fit.spec.family} ({fit.spec.link} link)",
            fix="use variance_partition(fit) for shares of variance, heterogeneity(fit) for where subjects are",
        )


def _subject(fit: Fit, factor: str | None) -> str:
    """Name the grouping factor whose levels are subjects."""
    names = factor_names(fit)
    if factor is None and len(names) == 1:
        return names[0]
    if factor not in names:
        what = "the model has several grouping factors" if factor is None else f"factor={factor!r} is no grouping factor of the model"
        raise ArgumentError(what, fix=f"name one: factor={names[0]!r}. The factors are: {', '.join(names)}")
    return str(factor)


def _grid(fit: Fit, times: Any, variable: str | None) -> _Grid:
    """Rows at the times, with other columns held as everywhere."""
    candidates = list(dict.fromkeys(c for g in fit.design.encoding.groups for c in part_columns(g.effects.part)))
    name, everything = _variable(candidates, variable), isinstance(times, str) and times == ALL
    if not candidates:
        values = _occurring_times(fit, variable) if everything else _listed(times)
        _check_number(values)
        return _Grid(name, values, build_rows(fit, {}, target="population").take(np.zeros(len(values), dtype=np.int64)))
    listed = occurring(fit.frame[name]) if everything else _listed(times)
    _check_number(listed)
    rows = build_rows(fit, {name: listed}, target="population")
    return _Grid(name, rows.frame[name].tolist(), rows)


def _occurring_times(fit: Fit, variable: str | None) -> list[Any]:
    """All values of a column of the data that no random slope names."""
    names = [str(c) for c in fit.frame.columns]
    if variable is None:
        fix = "name the column that they are values of, variable=..., or list the times, times=[0, 1, 2]"
        raise ArgumentError("times='all' needs a column: with random intercepts only, none is known to be the time", fix=fix)
    if variable not in names:
        nearest = unknown_column(variable, names)
        raise ColumnError(nearest.what, where=nearest.where, fix=f"{nearest.fix}. Or list the times, times=[0, 1, 2]")
    return occurring(fit.frame[variable])


def _check_number(times: Sequence[Any]) -> None:
    """Refuse so many times that draws of all pairs would fill the memory."""
    if len(times) > MOST_TIMES:
        raise ArgumentError(
            "there are too many times: a covariance is kept for every draw and every pair of them",
            where=f"{len(times)} times, at most {MOST_TIMES}",
            fix="choose a grid of fewer, times=[0, 6, 12]",
        )


def _variable(candidates: list[str], variable: str | None) -> str:
    """Column that the times are values of."""
    if not candidates:
        return TIME if variable is None else variable
    if variable is None and len(candidates) == 1:
        return candidates[0]
    if variable not in candidates:
        what = "several columns have a random slope" if variable is None else f"the column {variable!r} has no random slope"
        raise ArgumentError(what, fix=f"name one: variable={candidates[0]!r}. The columns are: {', '.join(candidates)}")
    return str(variable)


def _listed(times: Any) -> list[Any]:
    """List the times, each once."""
    if isinstance(times, str | bytes) or not isinstance(times, Iterable):
        raise ArgumentError(f"times={times!r} is no list of times", fix="give a list of values, times=[0, 1, 2]")
    values = [t.item() if isinstance(t, np.generic) else t for t in times]
    bad = [t for t in values if not isinstance(t, str | int | float) or (isinstance(t, float) and not np.isfinite(t))]
    if not values or bad:
        raise ArgumentError(
            "times need at least one value, each a finite number or the name of a level",
            where=f"times={values!r}",
            fix="give a list of values, times=[0, 1, 2]",
        )
    if len(set(values)) < len(values):
        raise ArgumentError("a time stands twice", where=f"times={values!r}", fix="give each time once")
    return values


def _icc(fit: Fit, rows: Rows, shared: Sequence[str]) -> FloatArray:
    """Draws (S,) of the correlation of two responses of one level; random intercepts only, so that all pairs of rows have it."""
    pair = replace(rows.take(np.zeros(2, dtype=np.int64)), Z=tuple(np.ones((2, 1)) for _ in rows.Z))
    return correlation_of(covariance_draws(fit, pair, shared))[:, 0, 1]


def _table(values: Mapping[str, FloatArray], times: Sequence[Any], choice: IntervalChoice) -> pd.DataFrame:
    """Long form: every pair of times once for the matrices, every time for the standard deviation, one line for the ICC."""
    rows, columns = np.triu_indices(len(times))
    own = np.arange(len(times))
    place = {COVARIANCE: (rows, columns), CORRELATION: (rows, columns), SD: (own, own)}
    parts = []
    for name, draws in values.items():
        if name == ICC:
            labels: dict[str, list[Any]] = {ROW: [np.nan], COLUMN: [np.nan]}
            flat = draws[:, None]
        else:
            i, j = place[name]
            labels = {ROW: [times[k] for k in i.tolist()], COLUMN: [times[k] for k in j.tolist()]}
            flat = draws if name == SD else draws[:, i, j]
        parts.append({"quantity": [name] * flat.shape[1], **labels, **summarise(flat, choice)})
    return pd.DataFrame(
        {key: np.concatenate([np.asarray(part[key], dtype=_dtype(key)) for part in parts]) for key in parts[0]}
    ).infer_objects()


def _dtype(column: str) -> type:
    return object if column in ("quantity", ROW, COLUMN) else float


def _dataset(fit: Fit, values: Mapping[str, FloatArray], times: Sequence[Any]) -> xr.Dataset:
    """Draws with dims (chain, draw), then a dim per axis of times."""
    sizes = fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]
    arrays = {name: ((CHAIN, DRAW, *(ROW, COLUMN)[: v.ndim - 1]), v.reshape(*sizes, *v.shape[1:])) for name, v in values.items()}
    coords = {CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1])}
    return xr.Dataset(arrays, coords={**coords, ROW: list(times), COLUMN: list(times)})


def _notes(fit: Fit, subject: str, shared: Sequence[str], grid: _Grid) -> tuple[str, ...]:
    others = [name for name in factor_names(fit) if name not in shared]
    parents = [name for name in shared if name != subject]
    held = {c for g in fit.design.encoding.groups for c in part_columns(g.effects.part)} - {grid.variable}
    read = grid.rows.notes if held else range_notes(fit, grid.rows.frame)  # columns without a random slope are not in V
    notes = [residual_note(fit, ""), *read, *weights_note(fit)]
    if parents:
        notes.append(f"Rows of one level of {subject} share their level of {', '.join(parents)}: it is nested there.")
    if others:
        notes.append(f"Rows are taken to differ in their level of {', '.join(others)}: its variance is on the diagonal only.")
    if random_intercepts(fit):
        notes.append(_compound_symmetry(fit, subject, grid.variable))
    return tuple(notes)


def _compound_symmetry(fit: Fit, subject: str, variable: str) -> str:
    largest = max(int(np.bincount(g.index).max()) for g in fit.design.groups if g.name == subject)
    marginal = f"down to -1/(n - 1) = {-1.0 / (largest - 1):.3g}, n = {largest} rows in the largest group" if largest > 1 else "too"
    return (
        f"Random intercepts only: compound symmetry. Every two responses have the correlation icc, whatever their {variable}. It cannot be "
        f"negative here; a marginal compound-symmetry model allows negative correlations {marginal}."
    )
