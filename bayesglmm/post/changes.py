r"""Rows of a change: the derivative of a row with respect to a number, and the difference of two rows.

A change is a :class:`~bayesglmm.post.rows.Rows` like any other, so that its mean :math:`do + dx'\beta` and its variance over subjects
:math:`dz' D dz` come from the same functions as those of a level.
"""

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.table import column_names
from bayesglmm.errors import ArgumentError, ColumnError, DesignError, DesignWarning, MissingValueError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import stencil
from bayesglmm.post.hierarchy import implied_columns
from bayesglmm.post.rows import Rows, build_rows, predictor_columns
from bayesglmm.post.slopes import RELATIVE_STEP, ROW_STEP, SMALLEST_STEP, SMOOTH
from bayesglmm.types import BoolArray, FloatArray, IntArray

VERSUS: Final = "versus_"
"""Beginning of the names of the columns of the row that is subtracted."""


@dataclass(frozen=True, slots=True)
class RowPair:
    """Two rows of one subject, n times.

    Attributes
    ----------
    first, second
        n rows each.
    change
        The second minus the first; its ``frame`` names both.
    """

    first: Rows
    second: Rows
    change: Rows


@dataclass(frozen=True, slots=True)
class _Points:
    """Five points (5, n) around each value (n,) of a number, and weights (5, n) of its derivative: of fourth and of second order."""

    x: FloatArray
    step: FloatArray
    points: FloatArray
    fourth: FloatArray
    second: FloatArray


def slope_rows(fit: Fit, variable: str, at: Any, *, given: Collection[str] = ()) -> Rows:
    r"""Differentiate rows with respect to one number: :math:`\partial x / \partial t` and :math:`\partial z / \partial t`.

    Every column of the design is differentiated by differences of fourth order, with the points and steps of
    :func:`bayesglmm.post.slopes.slopes`: a step is at most ``ROW_STEP`` SDs of the variable and ``RELATIVE_STEP`` of its value, so that
    log(x) is followed near zero, and at the ends of the observed range the points lie inside. Exact up to rounding where a column is a
    polynomial of t up to degree four (products with other columns included), otherwise wrong by at most :math:`h^4 x^{(5)} / 5`.

    Parameters
    ----------
    fit
        A fit.
    variable
        A column of numbers that the linear predictor reads.
    at
        Rows at which the slope is taken, as for :func:`bayesglmm.post.rows.build_rows`, None and an empty mapping for one row. A grid that
        does not name ``variable`` has it at its mean in the data; repeated values of it count once.
    given
        Names of grouping factors of which each row names a level.

    Returns
    -------
    Rows
        X, offset and Z are the derivatives; ``frame`` and ``index`` are those of the rows.

    Raises
    ------
    ColumnError
        If the predictor does not read ``variable``, or it is not a number.
    ArgumentError
        If ``variable`` does not vary in the data, or a grouping factor is named in ``at``.
    DesignError
        If a column jumps or bends there, as ``abs(x)`` does at 0, or has a pole nearby.
    LevelError, MissingValueError
        If a row, or one a little to its side, cannot be coded.
    """
    _check_number(fit, variable)
    rows = _named(fit, variable, {} if at is None else at, given)
    base = build_rows(fit, rows, target="population", given=given)
    trained = fit.frame[variable].to_numpy(dtype=np.float64)
    around = _points(variable, base.frame[variable].to_numpy(dtype=np.float64), trained)
    here, design = _stack(base), _stack(build_rows(fit, None, target="population"))
    # the rows themselves are subtracted first, so that the derivative of a constant column is zero exactly
    near = np.stack([_stack(_shifted(fit, rows, base, (variable, p), given)) - here for p in around.points])
    found = np.einsum("jn,jnk->nk", around.fourth, near)
    typical = np.ptp(design, axis=0) / np.ptp(trained)
    rough = np.flatnonzero(_rough(around, near, found, typical))
    if rough.size:
        raise DesignError(
            "the formula's columns are not smooth where a slope is asked for",
            where=f"{variable} = {around.x[rough[0]]:g}",
            fix=f"compare two values instead, heterogeneity(fit, {{{variable!r}: [a, b]}}, of='contrast')",
        )
    return _unstack(found, base)


def pair_rows(fit: Fit, at: Any, versus: Any, *, given: Collection[str] = ()) -> RowPair:
    """Rows to compare within a subject: those of ``at`` with those of ``versus``, one of them with all when it is a single row.

    Parameters
    ----------
    fit
        A fit.
    at, versus
        As for :func:`bayesglmm.post.rows.build_rows`; ``versus`` is subtracted. Without ``versus``, ``at`` has two rows, and the first is
        subtracted from the second.
    given
        Names of grouping factors of which each row names a level.

    Raises
    ------
    ArgumentError
        If the rows do not pair, or a grouping factor is named.
    ColumnError, DesignWarning, MissingValueError
        If a row is not what it must be.
    """
    second = build_rows(fit, {} if at is None else at, target="population", given=given)
    if versus is not None:
        _check_versus(fit, versus, given)
        first, notes = build_rows(fit, versus, target="population", given=given), second.notes
        if first.notes != notes:
            notes = (*(f"at: {n}" for n in notes), *(f"versus: {n}" for n in first.notes))
        n = max(first.n_rows, second.n_rows)
        if {first.n_rows, second.n_rows} - {1, n}:
            raise ArgumentError(f"at has {second.n_rows} rows and versus {first.n_rows}", fix="give as many, or one of one of them")
        return _pair(_take(first, np.resize(np.arange(first.n_rows), n)), _take(second, np.resize(np.arange(second.n_rows), n)), notes)
    if second.n_rows != 2:
        raise ArgumentError(
            f"a contrast compares two rows, and at has {second.n_rows}", where="at", fix="name what is subtracted, versus={...}"
        )
    return _pair(_take(second, np.array([0])), _take(second, np.array([1])), second.notes)


def _check_versus(fit: Fit, versus: Any, given: Collection[str]) -> None:
    """Refuse a grid that names a level which is not read, and rows that lack one; for ``at`` they are refused in words that name it."""
    read = predictor_columns(fit, levels=given)
    named = [c for g in fit.design.encoding.groups for c in g.columns if isinstance(versus, Mapping) and c in versus and c not in read]
    if named:
        what = "a grouping factor is named in versus, and its levels are not read here"
        fix = "leave it out of versus: its levels are random ones. A factor that over leaves out may be named, in at and versus alike"
        raise ArgumentError(what, where=f"column {named[0]!r}", fix=fix)
    own = dict.fromkeys(c for g in fit.design.encoding.groups if g.term.name in given for c in g.columns)
    missing = [c for c in own if c not in column_names(versus)]
    lacking = [c for c in missing if c not in implied_columns(fit, [c for c in own if c not in missing], missing)]
    if lacking:
        fix = f"name it in versus too, versus={{{lacking[0]!r}: ..., ...}}, or leave it out of at"
        raise ArgumentError("a level is named in at and not in versus", where=f"column {lacking[0]!r}", fix=fix)


def _check_number(fit: Fit, variable: str) -> None:
    """Refuse a variable that the predictor does not read as a number."""
    names = predictor_columns(fit, levels=False)
    if variable not in names:
        raise unknown_column(str(variable), list(names))
    encoding = fit.design.encoding
    factors = (*encoding.fixed.factors, *(f for g in encoding.groups for f in g.effects.factors))
    column = fit.frame[variable]
    coded = any(f.is_categorical and f.column == variable for f in factors)
    if coded or not pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_bool_dtype(column.dtype):
        fix = f"compare two of its levels within subjects, heterogeneity(fit, {{{variable!r}: [a, b]}}, of='contrast')"
        raise ColumnError(f"column {variable!r} is a factor, which has no slope", fix=fix)


def _named(fit: Fit, variable: str, at: Any, given: Collection[str]) -> Any:
    """Put the variable into a grid, each value once; leave a table as it is."""
    if not isinstance(at, Mapping):
        return at
    grid = {**at, variable: at.get(variable, float(fit.frame[variable].astype(float).mean()))}
    frame = build_rows(fit, grid, target="population", given=given).frame
    return {**grid, variable: list(dict.fromkeys(frame[variable].tolist()))}


def _points(variable: str, x: FloatArray, trained: FloatArray) -> _Points:
    """Choose the points around each value from the variable's values in the data.

    Steps are those of :func:`bayesglmm.post.slopes.slopes`, made powers of two: adding one to a number of few digits is exact.
    """
    if not np.ptp(trained) > 0.0:
        where = f"column {variable!r} is {trained[0]:g} in all rows of the data"
        raise ArgumentError("a slope needs a column that varies", where=where, fix="choose another variable")
    sd = float(trained.std(ddof=1))
    largest = np.where(x == 0.0, ROW_STEP * sd, RELATIVE_STEP * np.abs(x))
    step = np.exp2(np.floor(np.log2(np.clip(largest, SMALLEST_STEP * sd, ROW_STEP * sd))))
    return _Points(x, step, *stencil(x, step, float(trained.min()), float(trained.max())))


def _rough(around: _Points, near: FloatArray, found: FloatArray, typical: FloatArray) -> BoolArray:
    """Whether some column jumps or bends near each row, (n,).

    Parameters
    ----------
    around
        The points.
    near
        Shape (5, n, k): columns at the points, less those at the row.
    found
        Shape (n, k): derivatives.
    typical
        Shape (k,): range of each column in the data per range of the variable, since a derivative may be zero.

    Notes
    -----
    Derivatives of second and of fourth order must agree, and so must those from the points on either side: exactly on a bend the former
    do, because both are the mean of the slopes on its two sides.
    """
    check = np.einsum("jn,jnk->nk", around.second, near)
    sides = (4.0 * (near[1] + near[3]) - near[0] - near[4]) / (2.0 * around.step[:, None])
    central = around.points[2] == around.x
    apart = np.maximum(np.abs(found - check), np.where(central[:, None], np.abs(sides), 0.0))
    return np.asarray(np.any(apart > SMOOTH * np.maximum(np.abs(found), typical), axis=1))


def _shifted(fit: Fit, rows: Any, base: Rows, moved: tuple[str, FloatArray], given: Collection[str]) -> Rows:
    """Code the rows with other values (n,) of the variable, equal ones where the rows have equal ones."""
    variable, values = moved
    first = ~base.frame[variable].duplicated().to_numpy()
    shifted = {**rows, variable: values[first].tolist()} if isinstance(rows, Mapping) else base.frame.assign(**{variable: values})
    try:
        with warnings.catch_warnings():
            # the rows themselves have been coded with their warnings; a step beside the last one is no extrapolation to speak of
            warnings.simplefilter("ignore", DesignWarning)
            return build_rows(fit, shifted, target="population", given=given)
    except MissingValueError as error:
        fix = f"a slope needs values on both sides: choose {variable} farther from the edge"
        raise MissingValueError(error.what, where=error.where, fix=fix) from error


def _stack(rows: Rows) -> FloatArray:
    """Put all columns of a design side by side: X, offset, Z of each term."""
    return np.concatenate([rows.X, rows.offset[:, None], *rows.Z], axis=1)


def _unstack(columns: FloatArray, like: Rows) -> Rows:
    """Take the columns of a design apart again."""
    p, widths = like.X.shape[1], [z.shape[1] for z in like.Z]
    Z = np.split(columns[:, p + 1 :], np.cumsum(widths)[:-1], axis=1) if widths else []
    return replace(like, X=columns[:, :p], offset=columns[:, p], Z=tuple(Z))


def _take(rows: Rows, which: IntArray) -> Rows:
    """Take some rows, in the order given."""
    part = rows.take(which)
    return replace(part, frame=part.frame.reset_index(drop=True))


def _pair(first: Rows, second: Rows, notes: tuple[str, ...]) -> RowPair:
    """Pair two sets of as many rows, and subtract."""
    labels = pd.concat([second.frame, first.frame.add_prefix(VERSUS)], axis=1)
    return RowPair(first, second, replace(_unstack(_stack(second) - _stack(first), second), frame=labels, notes=notes))
