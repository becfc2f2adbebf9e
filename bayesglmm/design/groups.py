"""Random effects: a level index per row and a narrow block of effect columns, never a dense dummy matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesglmm.design.columns import PartEncoding, TermColumns, build_columns
from bayesglmm.design.factors import Functions
from bayesglmm.design.table import Table, levels_of
from bayesglmm.errors import DesignError
from bayesglmm.naming import INTERCEPT
from bayesglmm.spec.gate import column_name
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT
from bayesglmm.spec.terms import GroupTerm
from bayesglmm.types import FloatArray, IntArray

NESTING = ":"


@dataclass(frozen=True, slots=True, eq=False)
class GroupDesign:
    """One group term on the rows of a design.

    Attributes
    ----------
    term
        What was asked.
    name
        The grouping factor: ``g``, or ``g:h`` for cells of two columns.
    index
        Shape (n,), int64: the level of each row.
    Z
        Shape (n, q): effect columns.
    levels
        Labels of the levels that occur, ``A:a`` for cells, parents first.
    effects
        Where each effect's columns are; the constant is called ``1``.
    labels
        One per column of Z: ``1``, ``obstime``, ``drug[ddI]``.
    position
        This is the k-th group term of its factor, from 0.
    """

    term: GroupTerm
    name: str
    index: IntArray
    Z: FloatArray
    levels: tuple[str, ...]
    effects: tuple[TermColumns, ...]
    labels: tuple[str, ...]
    position: int


@dataclass(frozen=True, slots=True)
class GroupEncoding:
    """What codes new rows for one group term: the effects' encoding and the known levels."""

    term: GroupTerm
    effects: PartEncoding
    levels: tuple[str, ...]
    position: int

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that make the grouping factor."""
        return factor_columns(self.term)


def build_group(
    term: GroupTerm, table: Table, *, position: int = 0, contrasts: Mapping[str, str] | None = None, functions: Functions | None = None
) -> tuple[GroupDesign, GroupEncoding]:
    """Index and effect columns of one group term on the training rows.

    Parameters
    ----------
    term
        Grouping factor and effects.
    table
        The columns they read, n rows.
    position
        How many group terms of the same factor stand before this one.
    contrasts, functions
        As for :func:`bayesglmm.design.columns.build_columns`.

    Returns
    -------
    tuple of GroupDesign and GroupEncoding

    Raises
    ------
    DesignError
        If the factor has one level, or the term has no effect.
    ColumnError, MissingValueError, FormulaError
        As for the fixed columns.
    """
    index, levels = cells(table, factor_columns(term))
    if len(levels) == 1:
        raise DesignError(
            "a grouping factor has one level only",
            where=f"{term.name} is always {levels[0]!r}",
            fix=f"take the term ({term.effects.text} | {term.name}) out of the formula",
        )
    if not term.effects.intercept and not term.effects.terms:
        raise DesignError("a group term has no effect", where=term.text, fix=f"write (1 | {term.name})")
    columns, encoding = build_columns(term.effects, table, contrasts=contrasts, functions=functions)
    effects, labels = effect_names(columns.terms, columns.labels)
    group = GroupDesign(term, term.name, index, columns.matrix, levels, effects, labels, position)
    return group, GroupEncoding(term, encoding, levels, position)


def effect_names(terms: Sequence[TermColumns], labels: Sequence[str]) -> tuple[tuple[TermColumns, ...], tuple[str, ...]]:
    """Terms and labels as random effects are called: the constant is ``1``."""
    named = tuple(replace(t, name=CONSTANT_EFFECT) if t.name == INTERCEPT else t for t in terms)
    return named, tuple(CONSTANT_EFFECT if name == INTERCEPT else name for name in labels)


def factor_columns(term: GroupTerm) -> tuple[str, ...]:
    """Columns of a grouping factor as the table names them, without back-quotes."""
    return tuple(column_name(part) or part for part in term.factor)


def cells(table: Table, names: Sequence[str]) -> tuple[IntArray, tuple[str, ...]]:
    """Make one grouping factor of several columns: codes (n,) into labels ``A:a``, ordered by the first column, then the next.

    Only combinations that occur are levels.

    Raises
    ------
    DesignError
        If two different combinations read the same, because a label holds a colon.
    """
    codes, labels = levels_of(table.column(names[0]))
    for name in names[1:]:
        inner, inner_labels = levels_of(table.column(name))
        present, codes = np.unique(codes * len(inner_labels) + inner, return_inverse=True)
        parents, children = np.divmod(present, len(inner_labels))
        labels = tuple(f"{labels[p]}{NESTING}{inner_labels[c]}" for p, c in zip(parents, children, strict=True))
        if len(set(labels)) < len(labels):
            raise DesignError(
                "two cells of a grouping factor read the same", where=NESTING.join(names), fix="take the colons out of the level names"
            )
    return codes.astype(np.int64), labels
