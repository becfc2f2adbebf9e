"""Levels of nested factors in rows whose groups may be new: each belongs to one level of the parent, an observed one to its own.

A level that the fit has not seen belongs where the rows put it, which may be within a new level of the parent; but they cannot put it in
two places, since its random effects are one draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.hierarchy import parent_levels
from bayesglmm.types import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class NamedLevels:
    """Levels that n rows name.

    Attributes
    ----------
    index
        For each group term the level of each row, shape (n,): known ones counted from 0, new ones after these.
    new
        For each group term the labels of its new levels.
    what
        Which rows these are.
    """

    index: tuple[IntArray, ...]
    new: tuple[tuple[str, ...], ...]
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """A factor, one that it is nested in, by their positions among the terms, and the parent of each known level, shape (L,)."""

    child: GroupDesign
    parent: GroupDesign
    at: tuple[int, int]
    own: IntArray

    def labels(self, named: NamedLevels, row: int) -> tuple[str, str]:
        """Labels of child and parent in a row."""
        groups = (self.child, self.parent)
        child, parent = ((*g.levels, *named.new[k])[named.index[k][row]] for g, k in zip(groups, self.at, strict=True))
        return child, parent


def check_children(fit: Fit, parts: Sequence[NamedLevels]) -> None:
    """Refuse rows that put a level where it does not belong, or a new one in two places.

    Parameters
    ----------
    fit
        Its data say which factor is nested in which.
    parts
        Sets of rows in which equal labels mean the same level.

    Raises
    ------
    LevelError
        Names the row and the levels, and where the level belongs.
    """
    first = [(k, g) for k, g in enumerate(fit.design.groups) if g.position == 0]
    for k, child in first:
        for p, parent in first:
            own = None if p == k else parent_levels(child, parent)
            if own is not None:
                _check_pair(_Pair(child, parent, (k, p), own), parts)


def _check_pair(pair: _Pair, parts: Sequence[NamedLevels]) -> None:
    homes: dict[str, str] = {}
    for named in parts:
        levels, above = (named.index[k] for k in pair.at)
        known = levels < len(pair.own)
        wrong = np.flatnonzero(known & (pair.own[np.where(known, levels, 0)] != above))
        if wrong.size:
            row = int(wrong[0])
            raise _elsewhere(pair, named, row, pair.parent.levels[pair.own[levels[row]]])
        rows = np.flatnonzero(~known)
        _, once = np.unique(np.stack([levels[rows], above[rows]]), axis=1, return_index=True)
        for row in rows[np.sort(once)].tolist():
            label, parent = pair.labels(named, row)
            if homes.setdefault(label, parent) != parent:
                raise _twice(pair, named, row, homes[label])


def _elsewhere(pair: _Pair, named: NamedLevels, row: int, true: str) -> LevelError:
    """Make the error for an observed level that is put where it does not belong."""
    (label, parent), child, above = pair.labels(named, row), pair.child.name, pair.parent.name
    return LevelError(
        f"a level of {child} is named together with a level of {above} that it does not belong to",
        where=f"{child} {label!r} with {above} {parent!r}, {_place(named, row)}; it belongs to {above} {true!r}",
        fix=f"name {above} {true!r} with it; or, for another {child}, a label that no observed one has (which predict and simulate take "
        f"with new_groups='population')",
    )


def _twice(pair: _Pair, named: NamedLevels, row: int, before: str) -> LevelError:
    """Make the error for a new level that is put in two places."""
    (label, parent), child, above = pair.labels(named, row), pair.child.name, pair.parent.name
    return LevelError(
        f"a new level of {child} is named together with two levels of {above}, and in the data each belongs to one",
        where=f"{child} {label!r} with {above} {parent!r}, {_place(named, row)}; before it stood with {above} {before!r}",
        fix=f"if these are two, give each a label of its own, {f'{before}.{label}'!r} and {f'{parent}.{label}'!r}; if it is one, name it "
        f"with one level of {above} only",
    )


def _place(named: NamedLevels, row: int) -> str:
    return f"row {row} of {named.what} (counted from 0)"
