"""The numbers behind pictures of data: responses by level, over time, along a covariate; what is missing; the structure of a design."""

from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.groups import NESTING
from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.binned import bin_of, jeffreys_interval, sd_by, student_interval, sums_by
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.observed import (
    AS_OBSERVED,
    Asked,
    Axis,
    Observed,
    axis_of,
    chosen_factor,
    columns_of_factor,
    covariates,
    first_numeric,
    further_columns,
    no_covariate,
    observe,
    spec_of,
)
from bayesglmm.post.result import Result
from bayesglmm.post.structure import STRUCTURE, structure
from bayesglmm.post.visits import MISSING, visits
from bayesglmm.types import FloatArray, IntArray, check_choice

type DataKind = Literal["groups", "subjects", "smooth", "missing", "structure"]

GROUPS: Final = "groups"
SUBJECTS: Final = "subjects"
SMOOTH: Final = "smooth"
PANELS = 12
"""Most subjects with a panel of their own."""
BINS, ROWS_PER_BIN = 12, 10
"""Most bins along a covariate, and rows of a bin, where there are more distinct values than bins."""
MOST_LINES = 6
"""Most levels with a line of their own: as many as there are colours."""


def data_view(  # noqa: PLR0913 (one public call; all but two are keywords)
    given: Asked,
    data: Any = None,
    *,
    kind: str = GROUPS,
    factor: str | None = None,
    time: str | None = None,
    family: str = "gaussian",
    ci_prob: float = 0.95,
) -> Result:
    """Numbers of a picture of the data, before or after a fit; no model is fitted.

    Parameters
    ----------
    given
        A formula, a spec, or a fit.
    data
        A table, for a formula or a spec.
    kind
        ``groups``: the responses of each level, levels in the order of their means. ``subjects``: the responses of up to 12 levels along
        ``time``, levels evenly spaced by the rank of their mean. ``smooth``: running mean along ``time``, of all rows or of each level of
        ``factor``. ``missing``: which levels were observed at which time. ``structure``: the random-effects design matrix Z.
    factor
        A grouping factor of the formula or a column of the table. None takes the first grouping factor; for ``smooth`` all rows together.
    time
        A column of the table. None takes the first numeric covariate that changes, within the levels of the factor where there is one.
    family
        For a formula.
    ci_prob
        Level of the intervals of ``smooth``.

    Returns
    -------
    Result
        ``groups``: a row per level with ``level``, ``rows``, ``mean``, ``lowest``, ``highest``; ``draws``: ``rank`` of the level from 0,
        ``response`` and ``rows`` with dim ``dot``, equal responses of a level once. ``subjects``: a row per level shown with ``level``,
        ``rows``, ``mean``, ``rank``; ``draws``: ``level``, ``along``, ``response`` with dim ``row``, sorted along the axis.
        ``smooth``: a row per bin with ``level``, ``value`` (mean of the covariate), ``rows``, ``mean``, ``ci_lower``, ``ci_upper``.
        ``missing``: see :func:`bayesglmm.post.visits.visits`; ``structure``: see :func:`bayesglmm.post.structure.structure`.

    Raises
    ------
    BayesglmmError
        If anything about the formula, the data or an argument is wrong.

    Notes
    -----
    The response of a binomial model is drawn as share of successes; its mean over several rows is that of all their trials.
    """
    check_choice("kind", kind, DataKind)
    choice = make_interval(ci_prob, "eti")
    _refuse_useless(kind, factor=factor, time=time)
    if kind == STRUCTURE:
        return structure(given, data, family=family)
    if kind == MISSING:
        return visits(given, data, factor=factor, time=time, family=family)
    spec = spec_of(given, data, family)
    name = factor if kind == SMOOTH else chosen_factor(spec, factor)
    columns = () if name is None else columns_of_factor(spec, name)
    name = None if name is None else NESTING.join(columns)
    rows = observe(given, data, family=family, further=further_columns(spec, *columns, time))
    if name is None:
        return _smooth(rows, None, time, choice)
    if kind == SMOOTH:
        return _smooth(rows, name, time, choice)
    return _groups(rows, name) if kind == GROUPS else _subjects(rows, name, time)


def _refuse_useless(kind: str, *, factor: str | None, time: str | None) -> None:
    """Refuse arguments that a kind does not use."""
    useless = [n for n, v in (("factor", factor), ("time", time)) if v is not None and (kind == STRUCTURE or (kind, n) == (GROUPS, "time"))]
    if useless:
        raise ArgumentError(f"kind={kind!r} takes no {useless[0]}", fix=f"leave {useless[0]} out")


def _groups(rows: Observed, factor: str) -> Result:
    """Responses of each level of a factor."""
    code, levels = rows.levels(factor)
    mean, count = _means(rows, code, len(levels))
    order = np.argsort(mean, kind="stable")
    rank = np.argsort(order, kind="stable")
    values = rows.values
    lowest, highest = np.full(len(levels), np.inf), np.full(len(levels), -np.inf)
    np.minimum.at(lowest, code, values)
    np.maximum.at(highest, code, values)
    columns = {"rows": count, "mean": mean, "lowest": lowest, "highest": highest}
    table = pd.DataFrame({"level": np.array(levels, dtype=object), **columns}).iloc[order].reset_index(drop=True)
    dots, repeats = np.unique(np.stack([rank[code].astype(np.float64), values], axis=1), axis=0, return_counts=True)
    draws = xr.Dataset(
        {"rank": ("dot", dots[:, 0].astype(np.int64)), "response": ("dot", dots[:, 1]), "rows": ("dot", repeats)},
        attrs={"kind": GROUPS, "factor": factor, "response": rows.label},
    )
    return Result(f"Responses by level of {factor}, in the order of their means", AS_OBSERVED, table, draws, rows.notes)


def _subjects(rows: Observed, factor: str, time: str | None) -> Result:
    """Responses of some levels along an axis."""
    code, levels = rows.levels(factor)
    axis = _axis(rows, time, code)
    mean, count = _means(rows, code, len(levels))
    order = np.argsort(mean, kind="stable")
    shown = order[np.unique(np.linspace(0, len(order) - 1, min(PANELS, len(order))).round().astype(np.int64))]
    ranks = {"rank": np.flatnonzero(np.isin(order, shown)) + 1}
    names = np.array(levels, dtype=object)
    table = pd.DataFrame({"level": names[shown], "rows": count[shown], "mean": mean[shown], **ranks})
    at = np.flatnonzero(np.isin(code, shown))
    at = at[np.lexsort([axis.values[at], np.argsort(order)[code[at]]])]
    columns = {"level": names[code[at]], "along": axis.values[at], "response": rows.values[at]}
    attributes = {"kind": SUBJECTS, "factor": factor, "response": rows.label, **_axis_attributes(axis)}
    draws = xr.Dataset({name: ("row", values) for name, values in columns.items()}, attrs=attributes)
    title = f"Responses of {len(shown)} of {len(levels)} levels of {factor} along {axis.name}"
    note = f"Levels are evenly spaced by the rank of their mean; rank counts from 1 to {len(levels)}."
    return Result(title, AS_OBSERVED, table, draws, (note, *rows.notes))


def _smooth(rows: Observed, factor: str | None, time: str | None, choice: IntervalChoice) -> Result:
    """Take the running mean along an axis."""
    code, levels = (np.zeros(rows.table.n_rows, dtype=np.int64), ("",)) if factor is None else rows.levels(factor)
    if len(levels) > MOST_LINES:
        where, fix = (
            f"{factor} has {len(levels)} levels, at most {MOST_LINES}",
            "name another factor, or leave it out for all rows together",
        )
        raise ArgumentError("too many levels for a line each", where=where, fix=fix)
    axis = _axis(rows, time, None)
    parts = [_running(rows, axis, np.flatnonzero(code == j), level, choice) for j, level in enumerate(levels)]
    attributes = {"kind": SMOOTH, "factor": factor or "", "response": rows.label, **_axis_attributes(axis)}
    of = "" if factor is None else f" by {factor}"
    title = f"Running mean of the response along {axis.name}{of}"
    notes = (_interval_note(rows), *rows.notes)
    return Result(title, AS_OBSERVED, pd.concat(parts, ignore_index=True), xr.Dataset(attrs=attributes), notes, choice)


def _running(rows: Observed, axis: Axis, at: IntArray, level: str, choice: IntervalChoice) -> pd.DataFrame:
    """Bins of some rows: means of covariate and response, with an interval."""
    x, totals, sizes = axis.values[at], rows.totals[at], rows.sizes[at]
    code = bin_of(x, BINS if len(np.unique(x)) <= BINS else int(np.clip(len(x) // ROWS_PER_BIN, 2, BINS)))
    k = int(code.max()) + 1
    count = sums_by(code, k, np.ones_like(x))
    n = sums_by(code, k, sizes)
    mean = sums_by(code, k, totals) / n
    if rows.binary:
        ends = jeffreys_interval(sums_by(code, k, totals), n, choice.prob)
    else:
        ends = student_interval(mean, sd_by(code, k, totals), count, choice.prob)
    value = sums_by(code, k, x) / count
    numbers = {"value": value, "rows": count.astype(np.int64), "mean": mean, "ci_lower": ends.lower, "ci_upper": ends.upper}
    return pd.DataFrame({"level": np.full(k, level, dtype=object), **numbers})


def _axis(rows: Observed, time: str | None, code: IntArray | None) -> Axis:
    """Covariate along the axis: the one named, else the first that changes."""
    name = first_numeric(rows.table, covariates(rows.spec), code) if time is None else time
    if name is None:
        raise no_covariate(rows.spec)
    return axis_of(rows.table, name)


def _axis_attributes(axis: Axis) -> dict[str, Any]:
    return {"along": axis.name, "ticks": axis.labels}


def _means(rows: Observed, code: IntArray, size: int) -> tuple[FloatArray, IntArray]:
    """Mean response and number of rows of each level."""
    mean = sums_by(code, size, rows.totals) / sums_by(code, size, rows.sizes)
    return mean, np.bincount(code, minlength=size).astype(np.int64)


def _interval_note(rows: Observed) -> str:
    how = "Jeffreys intervals of the share" if rows.binary else "intervals of the mean by Student's t"
    return f"Bins of about equal numbers of rows; {how}, as if rows were independent. Rows of one subject are not: they can be too narrow."
