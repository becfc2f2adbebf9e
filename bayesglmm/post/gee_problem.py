"""What generalized estimating equations are made of: the fixed part's design, its rows sorted by group and by time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from bayesglmm.approx.irls import glm_mode
from bayesglmm.design.design import Design
from bayesglmm.design.factors import Functions, learn_factor
from bayesglmm.design.groups import cells, factor_columns
from bayesglmm.design.table import Table
from bayesglmm.errors import ArgumentError, ColumnError, DesignError, NotBuiltError
from bayesglmm.families.base import Family
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.working import Clusters
from bayesglmm.spec.gate import quote
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.names import unquoted
from bayesglmm.spec.terms import GroupTerm, Part
from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class GroupedRows:
    """Rows sorted by group, and within a group by time.

    Attributes
    ----------
    name
        The grouping factor.
    order
        Shape (n,): rows of the design in sorted order.
    clusters
        Their groups and times.
    """

    name: str
    order: IntArray
    clusters: Clusters


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is solved, rows sorted by group.

    Attributes
    ----------
    family, link
        Of the response.
    labels
        One per coefficient.
    rows
        How the rows are sorted.
    Q, R
        Shapes (n, p) and (p, p): orthonormal columns, and the triangle that makes the design of them.
    y, offset, size
        Shape (n,): response (share of successes where there are trials), offset, and weight times trials.
    start
        Shape (p,): coefficients of Q to start at.
    """

    family: Family
    link: Link
    labels: tuple[str, ...]
    rows: GroupedRows
    Q: FloatArray
    R: FloatArray
    y: FloatArray
    offset: FloatArray
    size: FloatArray
    start: FloatArray


def with_groups(spec: ModelSpec, groups: str | None, columns: Sequence[str]) -> ModelSpec:
    """Put the group term that names the groups first.

    Parameters
    ----------
    spec
        What was asked.
    groups
        A column, or columns joined by colons; None for the spec's first group term.
    columns
        Names of all columns of the table.

    Raises
    ------
    ArgumentError
        If nothing names the groups.
    """
    if groups is None:
        if not spec.groups:
            fix = "name a column, groups='patient', or write a group term, (1 | patient)"
            raise ArgumentError("nothing says which rows belong together", where=spec.formula, fix=fix)
        return spec
    if not isinstance(groups, str):
        raise ArgumentError(f"groups= takes the name of a column, not {type(groups).__name__}", fix="for example groups='patient'")
    names = [groups] if unquoted(groups) in columns else groups.split(":")
    return replace(spec, groups=(GroupTerm(tuple(quote(unquoted(n.strip())) for n in names), Part(True, ())), *spec.groups))


def fixed_contrasts(spec: ModelSpec, table: Table, functions: Functions) -> tuple[tuple[str, str], ...]:
    """Contrasts of the factors of the fixed part, as the mixed model has them.

    Parameters
    ----------
    spec
        Its contrasts may be of factors of the random part too, which is not fitted.
    table
        With the columns of both parts.
    functions
        The user's own functions.

    Raises
    ------
    ArgumentError
        If a contrast is of a column that is no factor of the whole formula.
    """
    if not spec.contrasts:
        return ()
    fixed, random = (_factors(parts, table, functions) for parts in ([spec.fixed], [g.effects for g in spec.groups]))
    unused = [name for name, _ in spec.contrasts if name not in fixed | random]
    if unused:
        fix = "name factors of the formula, or write C(column)"
        raise ArgumentError("contrasts are given for columns that are no factors of the model", where=", ".join(unused), fix=fix)
    return tuple((name, contrast) for name, contrast in spec.contrasts if name in fixed)


def _factors(parts: Sequence[Part], table: Table, functions: Functions) -> set[str]:
    """Columns that enter some parts of a formula as factors."""
    texts = dict.fromkeys(text for part in parts for term in part.terms for text in term.factors)
    learned = (learn_factor(text, table, contrasts={}, functions=functions)[0] for text in texts)
    return {encoding.column for encoding in learned if encoding.column is not None}


def sorted_rows(term: GroupTerm, table: Table, time: str | None) -> GroupedRows:
    """Sort the rows of a table.

    Parameters
    ----------
    term
        Its factor makes the groups.
    table
        With the factor's columns, and the time's.
    time
        A column of whole numbers; without it the time of a row is its place in its group, in the order of the table.

    Raises
    ------
    ColumnError
        If a time is not whole, or two rows of one group have the same.
    """
    code, levels = cells(table, factor_columns(term))
    when = np.arange(table.n_rows, dtype=np.float64) if time is None else table.column(time).numbers
    if not np.all(when == np.floor(when)):
        fix = "number the visits, or change the unit"
        raise ColumnError("times of an autoregressive structure must be whole numbers", where=f"column {time!r}", fix=fix)
    order = np.lexsort((when, code)).astype(np.int64)
    code, times = code[order], when[order].astype(np.int64)
    repeated = np.flatnonzero((np.diff(code) == 0) & (np.diff(times) == 0))
    if repeated.size:
        shown = f"{term.name} {levels[code[repeated[0]]]!r}, {time} = {times[repeated[0]]}"
        raise ColumnError("two rows of one group have the same time", where=shown, fix="number the visits of each group")
    start = np.append(np.flatnonzero(np.diff(code, prepend=-1)), len(code)).astype(np.int64)
    if time is None:
        times = np.arange(len(code), dtype=np.int64) - start[code]
    return GroupedRows(term.name, order, Clusters(code, times, start))


def crossing(terms: Sequence[GroupTerm], table: Table, rows: GroupedRows) -> tuple[str, ...]:
    """Names of the other grouping factors that have a level in several groups, which are then not independent.

    Parameters
    ----------
    terms
        Group terms of a formula.
    table
        With the columns of their factors.
    rows
        The groups.
    """
    found = []
    for name, term in {t.name: t for t in terms if t.name != rows.name}.items():
        code, levels = cells(table, factor_columns(term))
        together = np.unique(np.stack([code[rows.order], rows.clusters.code]), axis=1)
        if together.shape[1] > len(levels):
            found.append(name)
    return tuple(found)


def make_problem(design: Design, family: Family, link: Link, rows: GroupedRows) -> Problem:
    """Sort and orthonormalise a design without random effects.

    Parameters
    ----------
    design, family, link
        The marginal model.
    rows
        Its rows, sorted.

    Raises
    ------
    NotBuiltError
        If standard errors are known.
    DesignError
        If there is no coefficient, a row has no trials, or there are not more groups than coefficients.
    """
    _check_design(design, rows)
    mode = glm_mode(design.X, design.y, design.offset, family=family, link=link, trials=design.trials)
    order = rows.order
    Q, R = linalg.qr(design.X[order], mode="economic")
    trials = np.ones(len(order)) if design.trials is None else design.trials
    size = trials if design.weights is None else trials * design.weights
    y = (design.y / trials)[order]
    return Problem(family, link, design.labels, rows, Q, R, y, design.offset[order], size[order], R @ mode.beta)


def _check_design(design: Design, rows: GroupedRows) -> None:
    if design.se is not None:
        fix = "give weights, y | weights(w) with w = 1 / s^2, instead"
        raise NotBuiltError("known standard errors have no place in a marginal model", where="se(...)", fix=fix)
    if not design.labels:
        raise DesignError("the model has no fixed effect", fix="a marginal model needs at least an intercept")
    if design.trials is not None and not np.all(design.trials > 0.0):
        where = f"row {int(np.flatnonzero(design.trials <= 0.0)[0])} (counted from 0)"
        raise DesignError("a row has no trials", where=where, fix="leave such rows out")
    n_groups, n_columns = len(rows.clusters.sizes), len(design.labels)
    if n_groups <= n_columns:
        where = f"{rows.name}: {n_groups} groups, {n_columns} coefficients"
        raise DesignError("sandwich errors need more groups than coefficients", where=where, fix="use fewer terms, or other groups")
