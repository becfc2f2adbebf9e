r"""Rows of a change: the derivative of a row with respect to a number, the difference of two rows, and whose effects count.

A change is a :class:`~bayesglmm.post.rows.Rows` like any other, so that its mean :math:`do + dx'\beta` and its variance over subjects
:math:`dz' D dz` come from the same functions as those of a level.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.design.expressions import unknown_column
from bayesglmm.errors import ArgumentError, ColumnError, DesignWarning, MissingValueError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.rows import Rows, build_rows, predictor_columns
from bayesglmm.types import FloatArray, IntArray

VERSUS: Final = "versus_"
"""Beginning of the names of the columns of the row that is subtracted."""

STEPS_PER_SPREAD = 1024
"""Steps of the difference quotients in one SD of the variable."""

JUMP = 1e-3
"""Two difference quotients of a smooth column differ by about 1e-6 of the column over a step; a jump makes them differ by half of it."""


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


def chosen_factors(fit: Fit, over: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names of the grouping factors whose levels are the subjects: those named, all when None.

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, or one is named that it does not have.
    """
    known = tuple(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError(
            "the model has no grouping factor, so subjects do not differ", where=fit.spec.formula, fix="add one, such as (1 | subject)"
        )
    if over is None:
        return known
    named = [over] if isinstance(over, str) else list(over) if isinstance(over, Sequence) else []
    wrong = [n for n in named if n not in known]
    if wrong or not named:
        raise ArgumentError(f"over={over!r} does not name grouping factors of the model", fix=f"the factors are: {', '.join(known)}")
    return tuple(n for n in known if n in named)


def others_at_zero(fit: Fit, factors: Sequence[str]) -> str:
    """Say whose random effects are held at zero; empty when nobody's are."""
    others = [n for n in dict.fromkeys(g.name for g in fit.design.groups) if n not in factors]
    return f"; random effects of {', '.join(others)} at zero" if others else ""


def only(fit: Fit, rows: Rows, factors: Sequence[str]) -> Rows:
    """Keep the effect columns of some factors; those of the others become zero, so that their effects add nothing."""
    return replace(rows, Z=tuple(z if g.name in factors else np.zeros_like(z) for g, z in zip(fit.design.groups, rows.Z, strict=True)))


def slope_rows(fit: Fit, variable: str, at: Any) -> Rows:
    r"""Differentiate rows with respect to one number: :math:`\partial x / \partial t` and :math:`\partial z / \partial t`.

    .. math:: \tfrac13 (4 q_h - q_{2h}), \qquad q_h = \frac{x(t + h) - x(t - h)}{2 h}

    of every column of the design, with h the power of two next below 1/1024 of the variable's SD in the data. Exact up to rounding where
    a column is a polynomial of t up to degree four (products with other columns included), otherwise wrong by :math:`h^4 x^{(5)} / 30`.
    At a kink it is the mean of the slopes on both sides.

    Parameters
    ----------
    fit
        A fit.
    variable
        A column of numbers that the linear predictor reads.
    at
        Rows at which the slope is taken, as for :func:`bayesglmm.post.rows.build_rows`, None and an empty mapping for one row. A grid that
        does not name ``variable`` has it at its mean in the data; repeated values of it count once.

    Returns
    -------
    Rows
        X, offset and Z are the derivatives; ``frame`` are the rows.

    Raises
    ------
    ColumnError
        If the predictor does not read ``variable``, or it is not a number.
    ArgumentError
        If a column jumps there, or has a pole nearby.
    LevelError, MissingValueError
        If a row, or one a little to its side, cannot be coded.
    """
    _check_number(fit, variable)
    rows = _named(fit, variable, {} if at is None else at)
    base = build_rows(fit, rows, target="population")
    step = _step(fit.frame[variable].to_numpy(dtype=np.float64))
    (near, size), (far, _) = (_quotient(fit, rows, base, variable, h) for h in (step, 2.0 * step))
    rough = np.abs(near - far) * step > JUMP * np.maximum(size, 1.0)
    if rough.any():
        where = f"{variable} = {base.frame[variable].iloc[int(np.flatnonzero(rough.any(axis=1))[0])]:g}"
        raise ArgumentError(f"the design jumps near this value of {variable}, so there is no slope", where=where)
    return _unstack((4.0 * near - far) / 3.0, base)


def pair_rows(fit: Fit, at: Any, versus: Any) -> RowPair:
    """Rows to compare within a subject: those of ``at`` with those of ``versus``, one of them with all when it is a single row.

    Parameters
    ----------
    fit
        A fit.
    at, versus
        As for :func:`bayesglmm.post.rows.build_rows`; ``versus`` is subtracted. Without ``versus``, ``at`` has two rows, and the first is
        subtracted from the second.

    Raises
    ------
    ArgumentError
        If the rows do not pair.
    ColumnError, DesignWarning, MissingValueError
        If a row is not what it must be.
    """
    second = build_rows(fit, {} if at is None else at, target="population")
    if versus is not None:
        first, notes = build_rows(fit, versus, target="population"), second.notes
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
        raise ColumnError(f"column {variable!r} is a factor, which has no slope", fix="use of='contrast' with two of its levels")


def _named(fit: Fit, variable: str, at: Any) -> Any:
    """Put the variable into a grid, each value once; leave a table as it is."""
    if not isinstance(at, Mapping):
        return at
    grid = {**at, variable: at.get(variable, float(fit.frame[variable].astype(float).mean()))}
    return {**grid, variable: list(dict.fromkeys(build_rows(fit, grid, target="population").frame[variable].tolist()))}


def _step(column: FloatArray) -> float:
    """Take a power of two, so that adding it to a number of few digits is exact."""
    spread = float(column.std()) or max(float(np.abs(column).max(initial=0.0)), 1.0)
    return float(2.0 ** np.floor(np.log2(spread / STEPS_PER_SPREAD)))


def _quotient(fit: Fit, rows: Any, base: Rows, variable: str, step: float) -> tuple[FloatArray, FloatArray]:
    """Central difference quotient of all columns (n, k), over the distance that was really taken, and the columns' size there."""
    values = base.frame[variable].to_numpy(dtype=np.float64)
    after, before = values + step, values - step
    right, left = (_stack(_shifted(fit, rows, base, variable, values)) for values in (after, before))
    return (right - left) / (after - before)[:, None], np.maximum(np.abs(right), np.abs(left))


def _shifted(fit: Fit, rows: Any, base: Rows, variable: str, values: FloatArray) -> Rows:
    """Code the rows with other values of the variable."""
    grid = isinstance(rows, Mapping)
    shifted = {**rows, variable: list(dict.fromkeys(values.tolist()))} if grid else base.frame.assign(**{variable: values})
    try:
        with warnings.catch_warnings():
            # the rows themselves have been coded with their warnings; a step beside the last one is no extrapolation to speak of
            warnings.simplefilter("ignore", DesignWarning)
            return build_rows(fit, shifted, target="population")
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
    return replace(like, X=columns[:, :p], offset=columns[:, p], Z=tuple(Z), index=())


def _take(rows: Rows, which: IntArray) -> Rows:
    """Take some rows, in the order given."""
    Z, frame = tuple(z[which] for z in rows.Z), rows.frame.iloc[which].reset_index(drop=True)
    return replace(rows, frame=frame, X=rows.X[which], offset=rows.offset[which], Z=Z, index=())


def _pair(first: Rows, second: Rows, notes: tuple[str, ...]) -> RowPair:
    """Pair two sets of as many rows, and subtract."""
    labels = pd.concat([second.frame, first.frame.add_prefix(VERSUS)], axis=1)
    return RowPair(first, second, replace(_unstack(_stack(second) - _stack(first), second), frame=labels, notes=notes))
