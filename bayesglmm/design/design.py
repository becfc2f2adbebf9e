"""The design: everything a density needs as arrays, and the encoding that treats new rows alike.

Two doors. :func:`build_design` is the table door: names, levels, checks. ``Design(...)`` itself is the array door: plain arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm.design.checks import check_groups, check_names, check_positive, check_rank
from bayesglmm.design.columns import TermColumns, build_columns
from bayesglmm.design.encoding import Encoding, NewGroup, NewRows, encode_rows, evaluate_column, offset_of, trials_of
from bayesglmm.design.factors import FactorEncoding, Functions
from bayesglmm.design.groups import GroupDesign, GroupEncoding, build_group
from bayesglmm.design.nesting import nesting_notes
from bayesglmm.design.table import DroppedRows, Table
from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.families.base import Family, check_pair
from bayesglmm.numerics.links import Link
from bayesglmm.spec.formula import check_built
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.types import FloatArray

__all__ = ["Design", "Encoding", "NewGroup", "NewRows", "build_design", "encode_rows"]

RESIDUAL_SD = "sigma"
ADDITIVE_LINK = "identity"


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A model's arrays; n rows, p fixed columns.

    Attributes
    ----------
    y
        Shape (n,): the response; successes for a binomial one.
    trials
        Shape (n,): numbers of trials, or None.
    se
        Shape (n,): known standard errors, or None.
    X
        Shape (n, p): columns of the fixed effects as coded, not centered.
    fixed
        Where each term's columns are.
    labels
        One per column of X.
    groups
        One per group term.
    offset
        Shape (n,).
    weights
        Shape (n,): multipliers of each row's log likelihood, or None.
    encoding
        What codes new rows alike.
    dropped
        What missing values cost.
    notes
        Texts for :class:`bayesglmm.errors.DesignWarning`.
    response
        Name of the observed variable: the expression that is modelled.
    """

    y: FloatArray
    trials: FloatArray | None
    se: FloatArray | None
    X: FloatArray
    fixed: tuple[TermColumns, ...]
    labels: tuple[str, ...]
    groups: tuple[GroupDesign, ...]
    offset: FloatArray
    weights: FloatArray | None
    encoding: Encoding
    dropped: DroppedRows
    notes: tuple[str, ...] = ()
    response: str = "y"


@dataclass(frozen=True, slots=True)
class _Observed:
    """What the left-hand side says about each row."""

    y: FloatArray
    trials: FloatArray | None
    se: FloatArray | None
    weights: FloatArray | None


def build_design(
    spec: ModelSpec, table: Table, family: Family, link: Link, *, functions: Functions | None = None, dropped: DroppedRows | None = None
) -> Design:
    """Turn a spec and a table into arrays.

    Parameters
    ----------
    spec
        Formula, contrasts, names of the user's functions; ``.`` already expanded.
    table
        At least the columns of ``spec.columns``, without missing values.
    family, link
        Of the response.
    functions
        The user's own functions, by name.
    dropped
        What missing values cost, as ``read_table`` counted it.

    Returns
    -------
    Design

    Raises
    ------
    ColumnError, FormulaError, MissingValueError, ArgumentError, NotBuiltError
        If a column, expression, function, contrast or part of the formula is not what it must be.
    ResponseError, FamilyError
        If the response lies outside the family's support, or trials, weights or standard errors do not belong.
    DesignError
        If columns are constant or depend on each other, a grouping factor has one level or one per row, or names collide.
    """
    check_built(spec)
    given = _functions(spec, functions or {})
    observed = _observe(spec, table, family, link)
    contrasts = dict(spec.contrasts)
    columns, fixed = build_columns(spec.fixed, table, contrasts=contrasts, functions=given)
    groups, encodings = _groups(spec, table, contrasts, given)
    _check_contrasts(contrasts, fixed.factors + tuple(f for e in encodings for f in e.effects.factors))
    check_names(spec.response.expression, columns.terms, groups, family.auxiliary)
    check_rank(columns.matrix, columns.labels, "fixed effects")
    unknown_residual = RESIDUAL_SD in family.auxiliary and observed.se is None
    check_groups(groups, table.n_rows, unknown_residual=unknown_residual)
    if unknown_residual:
        _check_residual(observed.y, columns.matrix.shape[1], spec.response.text)
    return Design(
        observed.y,
        observed.trials,
        observed.se,
        columns.matrix,
        columns.terms,
        columns.labels,
        groups,
        offset_of(spec.offsets, table),
        observed.weights,
        Encoding(fixed, encodings, spec.response, spec.offsets, given),
        dropped or DroppedRows(table.n_rows, table.n_rows),
        nesting_notes(groups, table),
        spec.response.expression,
    )


def _functions(spec: ModelSpec, given: Functions) -> Functions:
    """Functions that the spec names, all of them given."""
    missing = [name for name in spec.functions if name not in given]
    if missing:
        listed = ", ".join(f"{name!r}: {name}" for name in missing)
        raise ArgumentError("the formula calls functions that were not given", where=", ".join(missing), fix=f"pass functions={{{listed}}}")
    return {name: given[name] for name in spec.functions}


def _observe(spec: ModelSpec, table: Table, family: Family, link: Link) -> _Observed:
    """Response, trials, standard errors and weights, each within its support."""
    check_pair(family, link.name)
    response = spec.response
    y, trials = evaluate_column(response.expression, table), trials_of(response, table)
    if trials is not None and not family.needs_trials:
        raise FamilyError(
            f"the {family.name} family has no trials", where=response.text, fix="use family='binomial', or the response alone"
        )
    if trials is None and family.needs_trials:
        raise FamilyError(
            f"the {family.name} family needs the number of trials",
            where=response.text,
            fix="write k | trials(n), prop(k, n) or cbind(k, n - k)",
        )
    family.check_response(y, trials, numbers=table.rows)
    se = evaluate_column(response.se, table) if response.se is not None else None
    if se is not None:
        if RESIDUAL_SD not in family.auxiliary or link.name != ADDITIVE_LINK:
            raise FamilyError(
                "known standard errors belong to a Gaussian response with identity link",
                where=response.text,
                fix="take se() out of the formula",
            )
        check_positive(se, "known standard errors", table.rows)
    weights = evaluate_column(response.weights, table) if response.weights is not None else None
    if weights is not None:
        check_positive(weights, "weights", table.rows)
    return _Observed(y, trials, se, weights)


def _check_residual(y: FloatArray, n_columns: int, response: str) -> None:
    """Refuse a residual SD that the data cannot tell: a constant response, or a coefficient per row."""
    if np.ptp(y) == 0.0:
        raise DesignError("the response does not vary", where=response, fix="check the rows that were selected")
    if n_columns >= len(y):
        raise DesignError(
            "there are as many coefficients as rows, so the residual cannot be told from them",
            where=f"fixed effects: {n_columns} columns, {len(y)} rows",
            fix="use fewer terms, make a factor with many levels a grouping factor, (1 | g), or give known standard errors, y | se(s)",
        )


def _groups(
    spec: ModelSpec, table: Table, contrasts: Mapping[str, str], functions: Functions
) -> tuple[tuple[GroupDesign, ...], tuple[GroupEncoding, ...]]:
    """All group terms, numbered within their factor."""
    built = []
    for i, term in enumerate(spec.groups):
        position = sum(earlier.name == term.name for earlier in spec.groups[:i])
        built.append(build_group(term, table, position=position, contrasts=contrasts, functions=functions))
    return tuple(design for design, _ in built), tuple(encoding for _, encoding in built)


def _check_contrasts(contrasts: Mapping[str, str], factors: tuple[FactorEncoding, ...]) -> None:
    """Every column with a contrast is a factor of the model."""
    categorical = {f.column for f in factors}
    unused = [name for name in contrasts if name not in categorical]
    if unused:
        raise ArgumentError(
            "contrasts are given for columns that are no factors of the model",
            where=", ".join(unused),
            fix="name factors of the formula, or write C(column)",
        )
