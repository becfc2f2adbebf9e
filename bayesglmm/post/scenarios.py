r"""Rows of which one column is set to one value after another, and averages over them for a target.

Averaging over the rows of the data with the column set to the same value in each of them is standardization, also called
g-computation: the rows keep all their other columns, so that the averages differ in this column only.

References
----------
Robins, J. (1986). A new approach to causal inference in mortality studies with a sustained exposure period. *Mathematical Modelling* 7,
1393-1512. Standardized averages are causal effects under the conditions given there; the arithmetic does not check them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.table import column_names
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.cells import check_by, make_cells, row_weights, weighted_by
from bayesglmm.post.hierarchy import implied_columns
from bayesglmm.post.means import averaging_columns, cell_means
from bayesglmm.post.result import own_level_notes
from bayesglmm.post.rows import Rows, build_rows, distinct_rows, predictor_columns, read_frame
from bayesglmm.post.targets import averaging, averaging_sentence
from bayesglmm.types import FloatArray, Target


@dataclass(frozen=True, slots=True)
class Scene:
    """Rows without the column that is set, and how they are averaged.

    Attributes
    ----------
    variable
        The column that is set.
    at
        None for the rows of the data, a mapping for a grid of the other columns, any table for new rows.
    by
        Columns to average within; none for one average of all rows; None for a line per row.
    over
        Names of the grouping factors averaged over; None for all. Each row names a level of the others.
    weights
        Name of a column, or one number per row; None for equal weights.
    """

    variable: str
    at: Any
    by: tuple[str, ...] | None
    over: Any
    weights: Any


@dataclass(frozen=True, slots=True)
class Averages:
    """k averages at each of K versions of the same rows.

    Attributes
    ----------
    frame
        k rows: what tells the averages apart.
    eta
        Shape (S, k, K): the link of each average.
    n_rows
        Rows that were averaged.
    single
        Whether every average is one row.
    notes
        What was averaged, and how well.
    bound
        Bound on the integration error of the means.
    """

    frame: pd.DataFrame
    eta: FloatArray
    n_rows: int
    single: bool
    notes: tuple[str, ...]
    bound: float


def make_scene(variable: str, at: Any, *, by: str | Sequence[str] | None, over: Any = None, weights: Any = None) -> Scene:
    """Check what rows are asked for.

    Parameters
    ----------
    variable
        The column that is set; not among those of ``by``.
    at, by, over, weights
        As for :func:`bayesglmm.post.means.means`.

    Raises
    ------
    ArgumentError
        If ``by`` names no columns or the variable, or weights are given where nothing is averaged.
    """
    if not isinstance(variable, str):
        raise ArgumentError(f"variable={variable!r} names no column", fix="give the name of one column of the formula")
    columns = averaging_columns(by, at)
    if columns is not None and variable in columns:
        raise ArgumentError("rows cannot be averaged within a column that is set", where=f"by: {variable!r}", fix="take it out of by")
    if columns is None and weights is not None:
        fix = "name the columns to average within, by=..."
        raise ArgumentError("weights are given, but no rows are averaged", where="weights", fix=fix)
    return Scene(variable, at, columns, over, weights)


def check_variable(fit: Fit, scene: Scene, target: Target) -> None:
    """Refuse a column that the target's mean does not depend on.

    Raises
    ------
    ArgumentError
        If it is a grouping factor whose levels the target does not read, or one whose named levels have no levels of another factor in
        common that the target needs, or ``over`` is not what it must be.
    ColumnError
        If the formula does not read it; names the nearest.
    """
    read, variable = _read_columns(fit, scene, target), scene.variable
    if variable in read:
        if target == "group" and isinstance(scene.at, Mapping):
            _check_children(fit, variable, scene.at)
        return
    if variable in grouping_columns(fit):
        fix = "use target='group' to compare named groups, or average over the other factors only, over=[...]"
        raise ArgumentError(
            f"a grouping factor that is averaged over has no levels for target={target!r}", where=f"column {variable!r}", fix=fix
        )
    raise unknown_column(variable, list(dict.fromkeys((*read, *grouping_columns(fit)))))


def _check_children(fit: Fit, variable: str, at: Mapping[str, Any]) -> None:
    """Refuse to compare levels of a factor on a grid for named groups, where each level of a factor inside it belongs to one of them."""
    missing = [c for c in grouping_columns(fit) if c != variable and c not in at and implied_columns(fit, [c], [variable])]
    inside = tuple(dict.fromkeys(g.term.name for g in fit.design.encoding.groups if not set(missing).isdisjoint(g.columns)))
    if variable in grouping_columns(fit) and inside:
        raise ArgumentError(
            f"each level of {' and '.join(missing)} belongs to one level of {variable} only, so the same one cannot be named for two",
            where=f"column {variable!r}, target='group'",
            fix=f"average over the levels within each {variable}: target='population' or 'observed_groups', over={list(inside)!r}",
        )


def given_factors(fit: Fit, scene: Scene, target: Target) -> tuple[str, ...]:
    """Names of the grouping factors that are conditioned on, though others are averaged over.

    Raises
    ------
    ArgumentError
        If ``over`` is not what it must be.
    """
    return averaging(fit, scene.over, target).given


def scene_sentence(fit: Fit, scene: Scene, target: Target) -> str:
    """Write the target in words, and which factors are given."""
    return averaging_sentence(target, averaging(fit, scene.over, target))


def grouping_columns(fit: Fit) -> tuple[str, ...]:
    """Columns of the grouping factors, each once."""
    return tuple(dict.fromkeys(c for g in fit.design.encoding.groups for c in g.columns))


def base_rows(fit: Fit, scene: Scene, target: Target) -> pd.DataFrame:
    """Rows of the data or of a table, with all that is needed but perhaps the column that is set; not for a grid.

    Raises
    ------
    ColumnError, MissingValueError
        If a table lacks a column or a value.
    """
    if scene.at is None:
        return fit.frame
    extra = [*(scene.by or ()), *([scene.weights] if isinstance(scene.weights, str) else ())]
    follows = _follows(fit, scene, target, [scene.variable, *column_names(scene.at)])
    names = [n for n in (*_read_columns(fit, scene, target), *extra) if n != scene.variable and n not in follows]
    return read_frame(scene.at, names)


def rows_at(fit: Fit, scene: Scene, base: pd.DataFrame | None, value: Any, target: Target) -> Rows:
    """Rows with the column set; their frame is without it.

    Parameters
    ----------
    fit
        Its encoding treats the rows as the training rows were treated, so that interactions and transforms follow the column; on the rows
        of the data so does the level of a factor that the column is nested in.
    scene
        The rows.
    base
        From :func:`base_rows`; None for a grid.
    value
        One value for all rows; for a table also one per row. For a grid also a list of values, each combined with each row of the grid.
    target
        Levels of grouping factors are read for ``group``, and of those that are given.
    """
    given = given_factors(fit, scene, target)
    if base is None:
        values = value if isinstance(value, list) else [value]
        rows = build_rows(fit, {**scene.at, scene.variable: values}, target=target, given=given)
        return replace(rows, frame=rows.frame.drop(columns=scene.variable))
    table = base.drop(columns=scene.variable, errors="ignore")
    follows = _follows(fit, scene, target, [scene.variable]) if scene.at is None else ()
    rows = build_rows(fit, table.drop(columns=list(follows)).assign(**{scene.variable: value}), target=target, given=given)
    return replace(rows, frame=table)


def average_versions(fit: Fit, scene: Scene, versions: Sequence[Rows], target: Target) -> Averages:
    """Averages within cells, for every version of the rows, per draw; streamed over draws.

    Parameters
    ----------
    fit
        A fit.
    scene
        How the rows are averaged.
    versions
        K times the same n rows; the frame of the first names them.
    target
        Which mean.

    Raises
    ------
    ColumnError, ArgumentError
        If a column of ``by`` or the weights are not what they must be.
    FamilyError
        If the link has no population mean.
    """
    base, n_versions = versions[0], len(versions)
    check_by(base.frame, scene.by or ())  # before the rows get a column of ours
    weights = row_weights(base, scene.weights)
    code = _free_name(base.frame)
    frame = pd.concat([base.frame.assign(**{code: k}) for k in range(n_versions)], ignore_index=True)
    rows = _stacked(versions, frame)
    given = given_factors(fit, scene, target)
    unique, which = distinct_rows(rows, levels=target == "group" or bool(given))
    by = None if scene.by is None else (code, *scene.by)
    cells = make_cells(rows, which, by=by, weights=None if weights is None else np.tile(weights, n_versions))
    draws, bound = cell_means(fit, unique, cells, target=target, scale="link", given=given)
    size = draws.shape[1] // n_versions
    labels = cells.frame.iloc[:size].drop(columns=code)
    eta = np.moveaxis(draws.reshape(len(draws), n_versions, size), 1, 2)
    said = replace(base, notes=tuple(dict.fromkeys(note for version in versions for note in version.notes)))
    notes = (*_notes(scene, said, target, bound), *own_level_notes(fit, scene.by, target, given))
    return Averages(labels, eta, base.n_rows, cells.single, notes, bound)


def _read_columns(fit: Fit, scene: Scene, target: Target) -> tuple[str, ...]:
    """Columns that the target's mean depends on."""
    return predictor_columns(fit, levels=True if target == "group" else given_factors(fit, scene, target))


def _follows(fit: Fit, scene: Scene, target: Target, named: Sequence[str]) -> tuple[str, ...]:
    """Find the grouping columns that the target reads and that follow from ``named`` ones by nesting."""
    if scene.variable not in grouping_columns(fit) and scene.at is None:
        return ()
    given = given_factors(fit, scene, target)
    read = dict.fromkeys(c for g in fit.design.encoding.groups if target == "group" or g.term.name in given for c in g.columns)
    return tuple(implied_columns(fit, [c for c in read if c in named], [c for c in read if c not in named]))


def _stacked(versions: Sequence[Rows], frame: pd.DataFrame) -> Rows:
    """All versions under each other."""
    groups = range(len(versions[0].Z))
    levels = range(len(versions[0].index))
    return Rows(
        frame,
        np.concatenate([v.X for v in versions]),
        np.concatenate([v.offset for v in versions]),
        tuple(np.concatenate([v.Z[t] for v in versions]) for t in groups),
        tuple(np.concatenate([v.index[t] for v in versions]) for t in levels),
    )


def _free_name(frame: pd.DataFrame) -> str:
    """Find a name that no column has."""
    name = "version"
    while name in frame.columns:
        name += "_"
    return name


def _notes(scene: Scene, base: Rows, target: Target, bound: float) -> tuple[str, ...]:
    notes = list(base.notes)
    if scene.by is not None:
        within = f"within {', '.join(scene.by)}" if scene.by else "into one number"
        notes.append(f"{base.n_rows} rows, which keep their other columns, averaged {within}{weighted_by(scene.weights)}, per draw.")
    if target == "population" and base.Z:
        how = f"integration error <= {bound:.0e}" if bound > 0.0 else "closed form"
        notes.append(f"Population means: {how}; random effects are assumed normal.")
    return tuple(notes)
