r"""Slopes: how fast a target's mean changes with a number.

The derivative is taken in two steps. The encoded rows are differentiated with respect to the column, so that interactions, transforms and
splines follow it: :math:`x \mapsto (X(x), Z(x), o(x))` needs no draws. Then, per draw, the mean is differentiated along this direction,
:math:`\frac{d}{dt} \mu(X + t X', Z + t Z', o + t o')` at t = 0, which is its derivative by the chain rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, DesignError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import CENTRAL_OFFSETS, CENTRAL_WEIGHTS, central_slope, stencil
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.lines import line_draws, lines_beyond, summarise_versions
from bayesglmm.post.result import Result, join_columns, run_notes
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.scenarios import Averages, Scene, base_rows, check_variable, given_factors, make_scene, rows_at, scene_sentence
from bayesglmm.post.values import is_factor
from bayesglmm.types import FloatArray, Scale, Target, check_choice

SLOPE: Final = "slope"

MEAN_STEP: Final = 1e-3
"""Step of the mean along the direction, in SDs of the column. The error is step^4 / 30 of a fifth derivative: with a slope of ten per SD
on the link scale a few times 1e-10 of it, while rounding and quadrature are magnified by 1.5 / step only."""

ROW_STEP: Final = 1e-4
"""Step of the encoded rows, in SDs of the column."""

RELATIVE_STEP: Final = 1e-2
"""Largest step of the encoded rows relative to the value itself, so that log(x) is followed near zero."""

SMALLEST_STEP: Final = 1e-7
"""Smallest step of the encoded rows, in SDs of the column."""

SMOOTH: Final = 1e-2
"""Largest relative difference between the row derivatives of second and of fourth order; beyond it the column has a jump or a kink."""


@dataclass(frozen=True, slots=True)
class _Column:
    """The numeric column: its values in the data."""

    name: str
    lower: float
    upper: float
    sd: float


@dataclass(frozen=True, slots=True)
class _Differences:
    """Weights (5, n) of difference quotients of fourth and of second order, and of what the two sides of a row differ by."""

    column: _Column
    fourth: FloatArray
    second: FloatArray
    sides: FloatArray

    def of(self, near: Sequence[FloatArray], here: FloatArray, trained: FloatArray) -> FloatArray:
        """Differentiate blocks (n, k) at five points: (n, k), checked by the lower order.

        The block ``here`` is subtracted first, so that constant columns have the derivative 0 exactly. What counts as a large difference is
        measured by the derivative, and by the range of the trained block (rows, k) per range of the column, since a derivative may be zero.
        """
        found, check, sides = (
            np.sum([w[:, None] * (block - here) for w, block in zip(weights, near, strict=True)], axis=0)
            for weights in (self.fourth, self.second, self.sides)
        )
        typical = np.ptp(trained, axis=0) / (self.column.upper - self.column.lower)
        apart = np.maximum(np.abs(found - check), np.abs(sides))  # exactly on a bend both orders give the mean of its two slopes
        rough = np.any(apart > SMOOTH * np.maximum(np.abs(found), typical), axis=1)
        if rough.any():
            raise DesignError(
                "the formula's columns are not smooth where a slope is asked for",
                where=f"column {self.column.name!r}, row {int(np.flatnonzero(rough)[0])} (counted from 0)",
                fix=f"compare two values instead, contrasts(fit, {self.column.name!r}, [a, b], target=...)",
            )
        return np.asarray(found)


@takes_fit
def slopes(  # noqa: PLR0913 (one public call; all but three are keywords)
    fit: Fit,
    variable: str,
    at: Any = None,
    *,
    target: Target,
    scale: Scale = "response",
    by: str | Sequence[str] | None = None,
    over: str | Sequence[str] | None = None,
    weights: Any = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Slopes of a target's mean: the change per unit of a number, at a point.

    .. math:: \frac{\partial}{\partial x} \mu(x), \qquad \frac{\partial}{\partial x} g(\mu(x))

    on the response and on the link scale. Where rows are averaged :math:`\mu` is the average, the column being raised in all rows at once.

    Parameters
    ----------
    fit
        A fit.
    variable
        A numeric column. Interactions and transforms of it in the formula follow it; other columns of the table do not.
    at
        None for the rows of the data, averaged; a mapping for a grid, ``{"x": [0, 1]}``, the variable being held at its mean where it is
        not named; any table for new rows.
    target
        Whose mean; there is no default.
    scale
        ``response``, or ``link``.
    by, over, weights
        As for :func:`bayesglmm.post.means.means`; ``by`` may not name the variable.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws x rows where every row is a line.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns of the row or cell, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``: variable ``slope`` with
        dims (chain, draw, row).

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError
        If an argument or a row is not what it must be; if the column is a factor; if a mean leaves the range of double precision.
    DesignError
        If the encoded rows jump or bend near a row, as ``abs(x)`` does at 0.
    FamilyError
        If the link has no population mean.

    Notes
    -----
    Encoded rows are differentiated with fourth-order differences of step ``1e-4`` SD of the column, less near zero; at the ends of the
    observed range the points lie inside, because splines are not known outside. Means are differentiated with central differences of
    fourth order and step ``1e-3`` SD. The notes bound the part of the error that comes from quadrature.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("target", target, Target)
    check_choice("scale", scale, Scale)
    scene = make_scene(variable, at, by=by, over=over, weights=weights)
    check_variable(fit, scene, target)
    column = _numeric(fit, variable)
    rows, direction = _direction(fit, scene, column, target)
    step = MEAN_STEP * column.sd
    versions = [_moved(rows, direction, k * step) for k in CENTRAL_OFFSETS]

    def summary(found: Averages, first: int) -> tuple[dict[str, FloatArray], FloatArray]:
        draws = _slope_draws(fit, found, step, scale, first)
        return summarise(draws, choice), draws

    found = summarise_versions(fit, scene, versions, target, summary, keep_draws=keep_draws)
    table = join_columns(found.frame, found.columns, reserved=(SLOPE,))
    draws = line_draws(fit, SLOPE, found.draws, table.iloc[:, : found.frame.shape[1]])
    sentence = scene_sentence(fit, scene, target)
    notes = (*found.notes, *_notes(found.bound, step, scale), *run_notes(fit))
    what = "mean" if scale == "response" else f"{fit.link.name} of the mean"
    title = f"Slopes: change of the {what} per unit of {variable}, {scale} scale"
    return Result(title, sentence, table, draws, notes, choice)


def _slope_draws(fit: Fit, found: Averages, step: float, scale: Scale, first: int) -> FloatArray:
    """Slopes (S, k) of averages at neighbouring values, the first being line ``first`` of the table."""
    with np.errstate(over="ignore", invalid="ignore"):
        draws = central_slope(found.eta if scale == "link" else fit.link.inverse(found.eta), step)
    lines = lines_beyond(draws, first)
    if lines:
        raise ArgumentError(
            "a slope is beyond the range of double precision: a mean is at the end of its range",
            where=f"{scale} scale, {lines}",
            fix=f"use scale={'link' if scale == 'response' else 'response'!r}, or rows nearer the data",
        )
    return draws


def _numeric(fit: Fit, variable: str) -> _Column:
    """Refuse a factor."""
    if is_factor(fit, variable):
        fix = f"compare its levels, contrasts(fit, {variable!r}, target=...)"
        raise ArgumentError("a factor has no slope", where=f"column {variable!r}", fix=fix)
    values = fit.frame[variable].to_numpy().astype(np.float64)
    if values.min() == values.max():
        raise ArgumentError("a slope needs a column that varies", where=f"column {variable!r} is {values[0]:g} in all rows of the data")
    return _Column(variable, float(values.min()), float(values.max()), float(values.std(ddof=1)))


def _direction(fit: Fit, scene: Scene, column: _Column, target: Target) -> tuple[Rows, Rows]:
    """Rows, and the derivatives of their X, Z and offset with respect to the column."""
    base, x = _points(fit, scene, column, target)
    largest = np.where(x == 0.0, ROW_STEP * column.sd, RELATIVE_STEP * np.abs(x))
    step = np.clip(largest, SMALLEST_STEP * column.sd, ROW_STEP * column.sd)
    points, fourth, second = stencil(x, step, column.lower, column.upper)
    rows = _rows(fit, scene, base, x, target)
    near = [_rows(fit, scene, base, p, target) for p in points]
    every = len(rows.X) // len(x) if base is None else 1
    sides = np.outer([-1.0, 4.0, 0.0, 4.0, -1.0], np.where(points[2] == x, 0.5 / step, 0.0))
    weights = [np.tile(w, every) if base is None else w for w in (fourth, second, sides)]
    formula, design = _Differences(column, *weights), fit.design
    return rows, replace(
        rows,
        X=formula.of([r.X for r in near], rows.X, design.X),
        offset=formula.of([r.offset[:, None] for r in near], rows.offset[:, None], design.offset[:, None])[:, 0],
        Z=tuple(formula.of([r.Z[t] for r in near], rows.Z[t], group.Z) for t, group in enumerate(design.groups)),
    )


def _points(fit: Fit, scene: Scene, column: _Column, target: Target) -> tuple[pd.DataFrame | None, FloatArray]:
    """Table of the rows and the column's values (n,); for a grid None and its distinct values."""
    if not isinstance(scene.at, Mapping):
        base = base_rows(fit, replace(scene, variable=""), target)
        return base, _numbers(column, base[column.name])
    at = scene.at if column.name in scene.at else {**scene.at, column.name: float(fit.frame[column.name].astype(float).mean())}
    frame = build_rows(fit, at, target=target, given=given_factors(fit, scene, target)).frame
    return None, _numbers(column, pd.Series(list(dict.fromkeys(frame[column.name]))))


def _numbers(column: _Column, values: "pd.Series[Any]") -> FloatArray:
    """Values as floats."""
    try:
        return values.to_numpy().astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError("a slope is taken at numbers", where=f"column {column.name!r}", fix="give numbers") from error


def _rows(fit: Fit, scene: Scene, base: pd.DataFrame | None, x: FloatArray, target: Target) -> Rows:
    """Rows with the column at these values; those of a grid in the order: the column's values fastest."""
    if base is not None:
        return replace(rows_at(fit, scene, base, x, target), frame=base)
    others = {name: value for name, value in scene.at.items() if name != scene.variable}
    given = given_factors(fit, scene, target)
    return build_rows(fit, {**others, scene.variable: x.tolist()}, target=target, given=given)


def _moved(rows: Rows, direction: Rows, t: float) -> Rows:
    """Rows moved along the direction."""
    Z = tuple(z + t * d for z, d in zip(rows.Z, direction.Z, strict=True))
    return replace(rows, X=rows.X + t * direction.X, offset=rows.offset + t * direction.offset, Z=Z)


def _notes(bound: float, step: float, scale: Scale) -> tuple[str, ...]:
    method = f"Central differences of fourth order, step {step:.3g} ({MEAN_STEP:g} SD of the column)"
    if bound == 0.0 or scale == "link":
        return (f"{method}.",)
    return (f"{method}; quadrature adds at most {bound * float(np.sum(np.abs(CENTRAL_WEIGHTS))) / step:.0e} to a slope.",)
