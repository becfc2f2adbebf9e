"""Everything that is known before a density exists: table, design, priors. Every check on the input happens here."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pandas as pd

from bayesglmm import datasets
from bayesglmm.design.derive import derive_columns
from bayesglmm.design.design import Design, build_design
from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.design.table import column_names, read_table, to_frame
from bayesglmm.errors import ArgumentError, DesignWarning, FormulaError
from bayesglmm.families.base import Family, check_pair
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import Link, get_link
from bayesglmm.spec.built import check_built
from bayesglmm.spec.gate import check_expression, quote
from bayesglmm.spec.model_spec import ModelSpec, expand_spec
from bayesglmm.spec.names import QUOTE, unquoted
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.spec.schema import ModelFile
from bayesglmm.types import Missing, check_choice

SHOWN = 60
"""Characters of a wrong argument that a message shows."""
SIGNS = frozenset("()[]+-*/<>=:,.|~^&`")
"""A text with one of them is meant as an expression."""

type Functions = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that is known before a density exists.

    Attributes
    ----------
    spec
        What was asked, with ``.`` expanded.
    family, link
        Response family and link function.
    design
        The arrays.
    priors
        Every prior with its numbers.
    frame
        The columns used.
    """

    spec: ModelSpec
    family: Family
    link: Link
    design: Design
    priors: ResolvedPriors
    frame: pd.DataFrame


def expression_of(text: Any, data: Any) -> Any:
    """Write weights or an offset, given by the name of a column or by an expression, as an expression.

    Parameters
    ----------
    text
        A name of a column as the table has it, with or without back-quotes, or an expression; what is no text is returned as it is.
    data
        A table; read where the text is no plain name.

    Raises
    ------
    FormulaError
        If it looks like a name, but neither is there such a column nor can it be read.
    """
    if not isinstance(text, str) or quote(text) == text:
        return text
    columns, name = column_names(data), unquoted(text)
    if name in columns and QUOTE not in name:
        return quote(name)
    try:
        return check_expression(text, plain=True)
    except FormulaError as error:
        if not SIGNS.isdisjoint(text):
            raise
        what = f"{text!r} is neither a column of the table nor an expression that can be read"
        raise FormulaError(what, fix=unknown_column(text, list(columns)).fix) from error


def prepare(
    spec: ModelSpec | ModelFile, data: Any = None, *, missing: Missing | None = None, functions: Functions | None = None
) -> Prepared:
    """Everything before the density: table, design, priors; every check on the input happens here.

    Parameters
    ----------
    spec, data, missing, functions
        As for :func:`fit_spec`.

    Raises
    ------
    BayesglmmError
        If anything about the spec or the data is wrong.
    """
    model_file, asked = (spec, spec.spec) if isinstance(spec, ModelFile) else (None, _check_spec(spec))
    table_data = _data_of(model_file, data)
    plain = expand_spec(asked, column_names(table_data))
    check_built(plain)
    family, link = family_and_link(plain.family, plain.link)
    rule = missing or (model_file.data.missing if model_file else "error")
    table, dropped = read_table(table_data, plain.columns, missing=_check_missing(rule))
    design = build_design(plain, table, family, link, functions=functions, dropped=dropped)
    for note in design.notes:
        warnings.warn(note, DesignWarning, stacklevel=3)
    return Prepared(plain, family, link, design, resolve_priors(plain, design, family, link), to_frame(table))


def _check_spec(spec: object) -> ModelSpec:
    """Refuse what is no spec: a formula alone does not say the family."""
    if not isinstance(spec, ModelSpec):
        fix = "pass a model file, bg.load_spec(path), or the spec of a fit, fit.spec; a formula is fitted by bg.glmm(formula, data)"
        raise ArgumentError(f"a model is needed, not {type(spec).__name__}", where=f"{str(spec)[:SHOWN]!r}", fix=fix)
    return spec


def family_and_link(family: str, link: str | None) -> tuple[Family, Link]:
    """Return the family's record and the link's, the family's default when None.

    Raises
    ------
    FamilyError
        If either is unknown or the two do not go together.
    """
    record = get_family(family)
    name = record.links[0] if link is None else link
    check_pair(record, name)
    return record, get_link(name)


def _data_of(model_file: ModelFile | None, data: Any) -> Any:
    """Return the table given, or the model file's data set; with the file's derived columns unless the table has them already."""
    if data is None:
        if model_file is None or not model_file.data.dataset:
            raise ArgumentError("no data", where="data=None", fix="pass a table, or a model file that names its data set")
        data = datasets.load(model_file.data.dataset)
    present = set(column_names(data))
    derive = tuple(d for d in model_file.data.derive if d[0] not in present) if model_file else ()
    return derive_columns(data, derive) if derive else data


def _check_missing(rule: str) -> Missing:
    return cast(Missing, check_choice("missing", rule, Missing))
