"""Implicit nesting: a grouping factor whose labels start again within every level of another one.

Whether ``a`` in batch 1 and ``a`` in batch 2 are one cask or two cannot be read off a table. What can be read off is that the labels
look like a count within the other factor; then the model is probably not what its author means, and a note says what to write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from bayesglmm.design.groups import NESTING, GroupDesign, cells, factor_columns
from bayesglmm.design.table import Table, distinct, levels_of
from bayesglmm.spec.gate import quote
from bayesglmm.types import IntArray

LEAST_ROWS_PER_CELL = 1.5


@dataclass(frozen=True, slots=True)
class _Factor:
    """A grouping column: codes (n,) and labels."""

    name: str
    codes: IntArray
    labels: tuple[str, ...]


def nesting_notes(groups: Sequence[GroupDesign], table: Table) -> tuple[str, ...]:
    """One note per pair of grouping columns that looks implicitly nested.

    A pair (parent, child) is reported when the cells parent:child have several rows each, the child's labels occur under several
    parents, and either another column of the table names exactly these cells, or the child's labels are 1, 2, 3, ... or a, b, c, ...
    and every parent has the first few of them.

    Parameters
    ----------
    groups
        Group terms of a design.
    table
        Its columns; columns that no group term uses are looked at as possible names of the cells.

    Returns
    -------
    tuple of str
        Texts for a :class:`bayesglmm.errors.DesignWarning`.
    """
    single = {factor_columns(g.term)[0]: g for g in groups if len(g.term.factor) == 1}
    factors = [_Factor(name, g.index, g.levels) for name, g in single.items()]
    explicit = {frozenset(factor_columns(g.term)) for g in groups if len(g.term.factor) > 1}
    pairs = [(a, b) for a, b in combinations(factors, 2) if frozenset((a.name, b.name)) not in explicit]
    notes = []
    for a, b in pairs:
        parent, child = (a, b) if len(b.labels) <= len(a.labels) else (b, a)
        notes += [note for note in (_note(parent, child, table), _note(child, parent, table)) if note][:1]
    return tuple(notes)


def _note(parent: _Factor, child: _Factor, table: Table) -> str | None:
    """Note for one ordered pair, or None when it does not look nested."""
    pairs = distinct(parent.codes * len(child.labels) + child.codes)
    replicated = len(parent.codes) >= LEAST_ROWS_PER_CELL * len(pairs)
    reused = len(pairs) > len(child.labels) and len(pairs) > len(parent.labels)
    if not replicated or not reused:
        return None
    existing = _column_of_cells(parent, child, table, len(pairs))
    if existing is None and not _starts_again(pairs, parent, child):
        return None
    g, h = quote(parent.name), quote(child.name)
    named = f", or (1 | {quote(existing)}): the column {existing!r} names the same cells" if existing else ""
    return (
        f"The labels of {h!r} are used again within the levels of {g!r}. If {child.labels[0]!r} is another {h} in every {g}, "
        f"write (1 | {g}) + (1 | {g}{NESTING}{h}){named}. If it is the same {h} everywhere, the formula is right."
    )


def _starts_again(pairs: IntArray, parent: _Factor, child: _Factor) -> bool:
    """Whether the child's labels are a count and every parent has its first few."""
    order = _count_positions(child.labels)
    if order is None:
        return False
    parents, children = np.divmod(pairs, len(child.labels))
    size = np.bincount(parents, minlength=len(parent.labels))
    last = np.zeros(len(parent.labels), dtype=np.int64)
    np.maximum.at(last, parents, order[children] + 1)
    return bool(np.all(last == size))


def _count_positions(labels: tuple[str, ...]) -> IntArray | None:
    """Position of each label when the labels are 0, 1, 2, ..., or 1, 2, ..., or a, b, c, ..., or A, B, C, ...; None otherwise."""
    if all(label.isdecimal() for label in labels):
        position = np.array([int(label) for label in labels], dtype=np.int64)
        position -= int(position.min() == 1)
    elif (
        all(len(label) == 1 and label.isascii() and label.isalpha() for label in labels) and len({label.islower() for label in labels}) == 1
    ):
        position = np.array([ord(label.lower()) - ord("a") for label in labels], dtype=np.int64)
    else:
        return None
    return position if set(position.tolist()) == set(range(len(labels))) else None


def _column_of_cells(parent: _Factor, child: _Factor, table: Table, n_cells: int) -> str | None:
    """Name of a further column, not one of measurements, that is one-to-one with the cells of the pair."""
    for name, column in table.columns.items():
        if name in (parent.name, child.name) or column.values.dtype.kind == "f":
            continue
        codes, labels = levels_of(column)
        if len(labels) == n_cells and len(distinct(cells(table, (parent.name, child.name))[0] * n_cells + codes)) == n_cells:
            return name
    return None
