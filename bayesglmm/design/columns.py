"""Columns of a linear predictor: full-rank coding of terms, as in R. The one door to formulaic.

formulaic decides which factors of which term are coded with all their levels (its structure algorithm), and gives the contrast
matrices. It sees placeholders ``f0``, ``f1``, ... in place of factors and two dummy rows in place of data: no text and no value of a
user reaches it. The columns themselves are products of numpy arrays, made by the same function for training rows and new rows.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from formulaic import ModelSpec as FormulaicSpec
from formulaic.formula import SimpleFormula
from formulaic.materializers import PandasMaterializer
from formulaic.parser.types import Factor, Term
from formulaic.transforms.contrasts import Contrasts, DiffContrasts, HelmertContrasts, PolyContrasts, SumContrasts, TreatmentContrasts

from bayesglmm.design.factors import TREATMENT, FactorEncoding, FactorValues, Functions, learn_factor, replay_factor
from bayesglmm.design.table import Table
from bayesglmm.errors import ArgumentError, DesignError
from bayesglmm.naming import INTERCEPT
from bayesglmm.spec.terms import Part
from bayesglmm.types import FloatArray, IntArray

CONTRASTS: dict[str, tuple[type[Contrasts], str]] = {
    TREATMENT: (TreatmentContrasts, ""),
    "sum": (SumContrasts, "S."),
    "helmert": (HelmertContrasts, "H."),
    "poly": (PolyContrasts, ""),
    "diff": (DiffContrasts, "D."),
}
"""Contrast classes by name, and what their column labels begin with, so that no coding passes for treatment coding."""


@dataclass(frozen=True, slots=True)
class TermColumns:
    """Where a term's columns are.

    Attributes
    ----------
    name
        The term as its formula names it; ``Intercept`` for the constant.
    start, stop
        Its columns are ``matrix[:, start:stop]``.
    levels
        One label per column; None when the term is one column of numbers.
    """

    name: str
    start: int
    stop: int
    levels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of one part.

    Attributes
    ----------
    matrix
        Shape (n, k).
    labels
        One per column: ``Intercept``, ``year``, ``drug[ddI]``, ``year:drug[ddI]``, ``ns(year, 2)[1]``.
    terms
        In order; they cover all columns.
    """

    matrix: FloatArray
    labels: tuple[str, ...]
    terms: tuple[TermColumns, ...]


@dataclass(frozen=True, slots=True)
class TermCoding:
    """How one term is coded: products of factors, each factor by its position and whether it lacks its reference column."""

    name: str
    products: tuple[tuple[tuple[int, bool], ...], ...]


@dataclass(frozen=True, slots=True)
class PartEncoding:
    """All that is needed to make the same columns from new rows.

    Attributes
    ----------
    part
        Terms, as asked for.
    factors
        One per distinct factor.
    codings
        One per term, the intercept included.
    """

    part: Part
    factors: tuple[FactorEncoding, ...]
    codings: tuple[TermCoding, ...]


def build_columns(
    part: Part, table: Table, *, contrasts: Mapping[str, str] | None = None, functions: Functions | None = None
) -> tuple[Columns, PartEncoding]:
    """Columns of one part from the training rows, with the encoding that replays them.

    Parameters
    ----------
    part
        Intercept and terms.
    table
        The columns they read, n rows.
    contrasts
        Contrast coding by column: ``treatment``, ``sum``, ``helmert``, ``poly`` or ``diff``.
    functions
        The user's own functions, by name.

    Returns
    -------
    tuple of Columns and PartEncoding
        ``replay_columns`` of the encoding and the same table gives the same columns, bit by bit.

    Raises
    ------
    ArgumentError
        If a contrast coding is unknown.
    ColumnError, MissingValueError, FormulaError
        As :func:`bayesglmm.design.factors.learn_factor` says.
    DesignError
        If a term has no column, because a factor has one level; if names would coincide; if there are more columns than rows.
    """
    given = dict(contrasts or {})
    if any(term.name == INTERCEPT for term in part.terms):
        raise DesignError("a term has the name of the constant", where=f"column {INTERCEPT!r}", fix="rename the column")
    for column, name in given.items():
        if name not in CONTRASTS:
            raise ArgumentError(f"the contrast {name!r} is not known", where=f"column {column!r}", fix=f"use one of {', '.join(CONTRASTS)}")
    texts = tuple(dict.fromkeys(f for term in part.terms for f in term.factors))
    learned = [learn_factor(text, table, contrasts=given, functions=functions or {}) for text in texts]
    factors = tuple(encoding for encoding, _ in learned)
    encoding = PartEncoding(part, factors, _codings(part, factors))
    _check_widths(encoding, table.n_rows)
    return _assemble(encoding, [values for _, values in learned], table.n_rows), encoding


def replay_columns(encoding: PartEncoding, table: Table, *, functions: Functions | None = None) -> Columns:
    """Columns of the same meaning from new rows.

    Parameters
    ----------
    encoding
        What ``build_columns`` learned.
    table
        New rows; only the columns that the terms read.
    functions
        The user's own functions, by name.

    Raises
    ------
    LevelError
        If a level was not in the training rows, or a value lies outside a spline's boundary.
    ColumnError, MissingValueError
        As for the training rows.
    """
    values = [replay_factor(f, table, functions=functions or {}) for f in encoding.factors]
    return _assemble(encoding, values, table.n_rows)


def _codings(part: Part, factors: tuple[FactorEncoding, ...]) -> tuple[TermCoding, ...]:
    """Which factors each term codes with all their levels, by formulaic's structure algorithm on placeholders."""
    position = {f.text: i for i, f in enumerate(factors)}
    constant = [Term([Factor("1", eval_method="literal", kind="constant")])] if part.intercept else []
    terms = [Term([Factor(f"f{position[text]}") for text in term.factors]) for term in part.terms]
    if not constant and not terms:
        return ()
    dummies = {f"f{i}": ["a", "b"] if f.is_categorical else [0.0, 1.0] for i, f in enumerate(factors)} or {"rows": [0.0, 1.0]}
    spec = FormulaicSpec(formula=SimpleFormula([*constant, *terms], _ordering="none"), output="numpy", na_action="raise")
    structure = PandasMaterializer(dummies).get_model_matrix(spec).model_spec.structure
    names = [INTERCEPT] * len(constant) + [t.name for t in part.terms]
    return tuple(
        TermCoding(name, tuple(_product(s, position, factors) for s in row.scoped_terms))
        for name, row in zip(names, structure, strict=True)
    )


def _product(scoped: object, position: Mapping[str, int], factors: tuple[FactorEncoding, ...]) -> tuple[tuple[int, bool], ...]:
    """One scoped term of formulaic as pairs of factor position and whether the reference column is left out."""
    pairs = ((int(f.factor.expr.removeprefix("f")), bool(f.reduced)) for f in scoped.factors)  # type: ignore[attr-defined]
    return tuple(pairs)


def _check_widths(encoding: PartEncoding, n_rows: int) -> None:
    """Refuse terms without a column, labels that would coincide, and more columns than rows, before anything large is made."""
    parts = {coding.name: _parts(coding, encoding.factors) for coding in encoding.codings}
    for coding in encoding.codings:
        if not parts[coding.name]:
            used = (encoding.factors[i] for product in coding.products for i, _ in product)
            single = [f"column {f.column!r} is always {f.levels[0]!r}" for f in used if f.levels is not None and len(f.levels) == 1]
            raise DesignError(
                "a factor has one level only", where=f"term {coding.name}: {', '.join(single)}", fix="leave the term out of the formula"
            )
        if len(set(parts[coding.name])) < len(parts[coding.name]):
            raise DesignError("two columns would have one name", where=f"term {coding.name}", fix="take the commas out of the level names")
    total, widest = sum(map(len, parts.values())), max(parts, key=lambda name: len(parts[name]), default="")
    if total > n_rows:
        fix = "make a factor with many levels a grouping factor, (1 | g), or use fewer terms"
        raise DesignError(f"{total} columns for {n_rows} rows", where=f"term {widest} alone has {len(parts[widest])}", fix=fix)


def _assemble(encoding: PartEncoding, values: list[FactorValues], n_rows: int) -> Columns:
    """Multiply coded factors into columns."""
    labelled = [(coding, _parts(coding, encoding.factors)) for coding in encoding.codings]
    matrix = np.ones((n_rows, sum(len(parts) for _, parts in labelled)))
    labels: list[str] = []
    terms: list[TermColumns] = []
    at = 0
    for coding, parts in labelled:
        start = at
        for product in coding.products:
            for column in _products(product, encoding.factors, values):
                matrix[:, at] = column
                at += 1
        levels = None if parts == [""] else tuple(parts)
        terms.append(TermColumns(coding.name, start, at, levels))
        labels += [coding.name if levels is None else f"{coding.name}[{part}]" for part in parts]
    return Columns(matrix, tuple(labels), tuple(terms))


def _parts(coding: TermCoding, factors: tuple[FactorEncoding, ...]) -> list[str]:
    """Level part of each column's label; empty for a product of single numeric columns. The first factor varies fastest, as in R."""
    parts = []
    for product in coding.products:
        names = [_names(factors[i], reduced) for i, reduced in product]
        for combination in itertools.product(*reversed(names)):
            parts.append(", ".join(name for name in reversed(combination) if name))
    return parts


def _names(factor: FactorEncoding, reduced: bool) -> tuple[str, ...]:
    """Label of each column of one factor; one empty label for a single numeric column."""
    if factor.levels is None:
        return ("",) if factor.width == 1 else tuple(str(k + 1) for k in range(factor.width))
    return _contrast_matrix(factor, reduced)[1]


def _products(
    product: tuple[tuple[int, bool], ...], factors: tuple[FactorEncoding, ...], values: list[FactorValues]
) -> Iterator[FloatArray]:
    """Columns of one product of factors, in the order of ``_parts``."""
    blocks = [_coded(factors[i], values[i], reduced) for i, reduced in product]
    for combination in itertools.product(*reversed(blocks)):
        column = np.ones(1)
        for block in reversed(combination):
            column = column * block
        yield column


def _coded(factor: FactorEncoding, values: FactorValues, reduced: bool) -> list[FloatArray]:
    """Columns of one factor, each (n,)."""
    if values.codes is None:
        numbers = np.empty((0, 0)) if values.numbers is None else values.numbers
        return [numbers[:, k] for k in range(factor.width)]
    return _take(_contrast_matrix(factor, reduced)[0], values.codes)


def _take(contrast: FloatArray, codes: IntArray) -> list[FloatArray]:
    return [contrast[codes, k] for k in range(contrast.shape[1])]


def _contrast_matrix(factor: FactorEncoding, reduced: bool) -> tuple[FloatArray, tuple[str, ...]]:
    """Contrast matrix (levels, columns) of a categorical factor and the labels of its columns."""
    levels = list(factor.levels or ())
    if not reduced:
        return np.eye(len(levels)), tuple(levels)
    if len(levels) < 2:
        return np.empty((len(levels), 0)), ()
    kind, prefix = CONTRASTS[factor.contrast]
    contrast = kind(base=factor.reference) if factor.reference is not None else kind()
    matrix = contrast.get_coding_matrix(levels, reduced_rank=True).to_numpy(dtype=float)
    names = tuple(f"{prefix}{name}" for name in contrast.get_coding_column_names(levels, reduced_rank=True))
    return matrix, names
