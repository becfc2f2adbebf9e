"""Nested grouping factors, as the data show them: which factor lies within which, and which of their levels can stand together.

A factor is nested in another one when all rows of each of its levels have one level of the other, whether the formula says so
(``batch/cask``) or not (``(1 | batch) + (1 | sample)`` with a sample in one batch only). Then a level of the child has one level of the
parent, and every other combination of the two is impossible. Factors of which no one is nested in the other are crossed: their levels
stand together in any way.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm.design.groups import NESTING, GroupDesign, GroupEncoding, factor_columns
from bayesglmm.design.table import label
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.types import IntArray

SHOWN = 5
UNSEEN = "the fit has not seen these levels, so it has no random effects for them"


@dataclass(frozen=True, slots=True, eq=False)
class Combinations:
    """Combinations of levels of some factors that occur in the data, each once, in sorted order.

    Attributes
    ----------
    terms
        Positions of the group terms.
    levels
        For each of them its level in each of the C combinations, shape (C,).
    parents
        Positions of group terms outside ``terms`` that a factor among them is nested in.
    within
        For each parent the level of it that each combination belongs to, shape (C,).
    """

    terms: tuple[int, ...]
    levels: tuple[IntArray, ...]
    parents: tuple[int, ...] = ()
    within: tuple[IntArray, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Rows (k,) that are averaged over the same combinations, and the levels (C,) of each averaged term in these."""

    rows: IntArray
    levels: tuple[IntArray, ...]


def parent_levels(child: GroupDesign, parent: GroupDesign) -> IntArray | None:
    """Level of the parent that each of the L levels of the child belongs to, shape (L,); None where the child is not nested in it."""
    found = np.empty(len(child.levels), dtype=np.int64)
    found[child.index] = parent.index
    return found if np.array_equal(found[child.index], parent.index) else None


def shared_factors(fit: Fit, factor: str) -> tuple[str, ...]:
    """``factor`` and every grouping factor that it is nested in, in the order of the formula."""
    return tuple(name for name, group in _factors(fit).items() if name == factor or _belongs(fit, factor, group))


def parents_of(fit: Fit, factor: str) -> tuple[str, ...]:
    """Names of the grouping factors that one is nested in."""
    return tuple(name for name in shared_factors(fit, factor) if name != factor)


def lineage(fit: Fit, factor: str) -> dict[str, IntArray]:
    """Levels that each of the L levels of a factor stands for: its own, and that of every factor that it is nested in, (L,) by name."""
    own = _factors(fit)[factor]
    levels = ((name, parent_levels(own, group)) for name, group in _factors(fit).items())
    return {name: found for name, found in levels if found is not None}


def line_notes(fit: Fit, factor: str, line: str) -> tuple[str, ...]:
    """Say which random effects the line of one level of a factor has besides its own, and which are at zero in it.

    Parameters
    ----------
    fit
        A fit.
    factor
        Whose levels have lines.
    line
        What one of them is called: ``group`` or ``level``.
    """
    parents = parents_of(fit, factor)
    others = sorted(set(_factors(fit)) - {factor, *parents})
    with_parents = f"The line of a single {line} of {factor} has the random effects of the {' and '.join(parents)} that it belongs to."
    zero = f"In the lines of single {line}s the random effects of {', '.join(others)} are at zero."
    return (*((with_parents,) if parents else ()), *((zero,) if others else ()))


def children_of(fit: Fit, factor: str) -> tuple[str, ...]:
    """Names of the grouping factors that are nested in one, at any depth."""
    own = _factors(fit)[factor]
    return tuple(name for name in _factors(fit) if name != factor and _belongs(fit, name, own))


def check_levels(fit: Fit, index: Sequence[IntArray]) -> None:
    """Refuse rows that name a level together with one that it does not belong to.

    Parameters
    ----------
    fit
        Its data say what belongs together.
    index
        For each group term the level of each row, shape (n,), negative where none is named; may be empty.

    Raises
    ------
    LevelError
        Names the row, both levels, and where the level belongs.
    """
    named = [k for k, g in enumerate(fit.design.groups) if g.position == 0 and index and (index[k] >= 0).any()]
    for k in named:
        for p in named:
            own = None if p == k else parent_levels(fit.design.groups[k], fit.design.groups[p])
            if own is not None:
                _check_pair(fit, (k, p), own, index)


def _check_pair(fit: Fit, pair: tuple[int, int], own: IntArray, index: Sequence[IntArray]) -> None:
    """Refuse the first row whose level of a child does not belong to its level of the parent."""
    child, parent = (fit.design.groups[k] for k in pair)
    levels, above = (index[k] for k in pair)
    wrong = np.flatnonzero((levels >= 0) & (above >= 0) & (own[levels] != above))
    if not wrong.size:
        return
    at = int(wrong[0])
    one, named, true = child.levels[levels[at]], parent.levels[above[at]], parent.levels[own[levels[at]]]
    raise LevelError(
        f"a level of {child.name} is named together with a level of {parent.name} that it does not belong to",
        where=f"{child.name} {one!r} with {parent.name} {named!r}, row {at} (counted from 0); it belongs to {parent.name} {true!r}",
        fix=f"name the level of {child.name} alone, that of {parent.name} follows; or name {parent.name} alone and average over the "
        f"levels of {child.name} within it: target='observed_groups' or 'population', over=[{child.name!r}]",
    )


def check_split(fit: Fit, averaged: Collection[str], given: Collection[str]) -> None:
    """Refuse to average over a factor while a level of one nested in it is given.

    Raises
    ------
    ArgumentError
        Names both factors.
    """
    for child in given:
        for parent in parents_of(fit, child):
            if parent in averaged:
                raise ArgumentError(
                    f"{parent} is averaged over while a level of {child} is given, and each of these belongs to one level of {parent} only",
                    where=f"over={sorted(averaged)!r}",
                    fix=f"name {child} in over too, or leave {parent} out of over",
                )


def inside_of(fit: Fit, averaged: Collection[str], given: Collection[str]) -> tuple[str, ...]:
    """Names of the averaged factors that are nested in a given one."""
    return tuple(name for name in averaged if not set(parents_of(fit, name)).isdisjoint(given))


def unseen_levels(fit: Fit, group: GroupEncoding, levels: Sequence[str], parts: Sequence[str]) -> LevelError:
    """Make the error for levels that the fit has not seen.

    Parameters
    ----------
    fit
        A fit.
    group
        The factor.
    levels
        The labels that are not known.
    parts
        The labels, by column of the factor, of the first row that has one of them.

    Returns
    -------
    LevelError
        For a cell ``A:g`` of known labels it says within what the last of them, ``g``, does occur.
    """
    listed = ", ".join(repr(n) for n in levels[:SHOWN]) + (", ..." if len(levels) > SHOWN else "")
    homes, fix = _homes(fit, group.columns, parts), _way_out(fit, [group.term.name])
    if not homes:
        return LevelError(UNSEEN, where=f"{group.term.name}: {listed}", fix=fix)
    outer, inner = NESTING.join(group.columns[:-1]), group.columns[-1]
    shown = ", ".join(repr(n) for n in homes[:SHOWN]) + (", ..." if len(homes) > SHOWN else "")
    return LevelError(
        f"a level of {inner} is named together with a level of {outer} that it does not occur in, so there are no random effects for it",
        where=f"{group.term.name}: {listed}; {inner} {parts[-1]!r} occurs in {outer} {shown}",
        fix=fix,
    )


def _way_out(fit: Fit, factors: Sequence[str]) -> str:
    """Say what to do about an unseen level of some factors: average over them and over what is nested in them."""
    inner = {child for name in factors for child in children_of(fit, name)}
    over = [name for name in _factors(fit) if name in factors or name in inner]
    columns = {name: factor_columns(group.term) for name, group in _factors(fit).items()}
    kept = {c for name, own in columns.items() if name not in over for c in own}
    out = " and ".join(dict.fromkeys(c for name in over for c in columns[name] if c not in kept))
    average = f"leave {out} out of at and name {' and '.join(over)} in over=[...]"
    return f"name an observed level; or, for a new one, {average} (with target='population' where the function has a target)"


def _homes(fit: Fit, columns: Sequence[str], parts: Sequence[str]) -> list[str]:
    """List what the last of the columns of a cell occurs within, where its label is a known one."""
    if len(columns) < 2:
        return []
    texts = [[label(v) for v in fit.frame[c]] for c in columns]
    if parts[0] not in texts[0]:
        return []
    return list(dict.fromkeys(NESTING.join(row[:-1]) for row in zip(*texts, strict=True) if row[-1] == parts[-1]))


def implied_columns(fit: Fit, named: Collection[str], wanted: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Find the grouping columns that follow from others, by nesting.

    Parameters
    ----------
    fit
        A fit.
    named
        Grouping columns whose values are known.
    wanted
        Grouping columns whose values are not.

    Returns
    -------
    dict
        By column of ``wanted`` the known columns, those of one grouping factor, of which each level has one value of it.
    """
    known, found = set(named), dict[str, tuple[str, ...]]()
    units = {columns: None for g in fit.design.encoding.groups for columns in (*((c,) for c in g.columns), g.columns)}
    for _ in range(len(wanted)):
        for column in wanted:
            unit = next((u for u in units if known.issuperset(u) and column not in known and _determines(fit.frame, u, column)), None)
            if unit is not None:
                found[column] = unit
                known.add(column)
    return found


def fill_columns(fit: Fit, frame: pd.DataFrame, implied: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Add the columns that follow from others.

    Parameters
    ----------
    fit
        A fit.
    frame
        Rows.
    implied
        From :func:`implied_columns`.

    Raises
    ------
    LevelError
        If a row names a level that the fit has not seen.
    """
    for column, unit in implied.items():
        home = dict(zip(_labels(fit.frame, unit), fit.frame[column], strict=True))
        rows = _labels(frame, unit)
        unknown = [NESTING.join(row) for row in dict.fromkeys(rows) if row not in home]
        if unknown:
            shown = ", ".join(repr(n) for n in unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
            factors = [g.term.name for g in fit.design.encoding.groups if not {*unit, *implied}.isdisjoint(g.columns)]
            raise LevelError(UNSEEN, where=f"{NESTING.join(unit)}: {shown}", fix=_way_out(fit, factors))
        values = pd.Series([home[row] for row in rows], index=frame.index, dtype=fit.frame[column].dtype)
        frame = frame.assign(**{column: values})
    return frame


def implied_notes(implied: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Say what followed from what."""
    return tuple(
        f"{column}: that of each named {NESTING.join(unit)}, which occurs within one {column} only." for column, unit in implied.items()
    )


def observed_combinations(fit: Fit, terms: Sequence[int], *, given: Sequence[int] = ()) -> Combinations:
    """Distinct combinations of levels of some group terms that occur in the data.

    Parameters
    ----------
    fit
        A fit.
    terms
        Positions of the terms.
    given
        Positions of other terms, of which rows name a level.
    """
    groups = fit.design.groups
    if not terms:
        return Combinations((), ())
    levels = tuple(np.unique(np.stack([groups[t].index for t in terms], axis=1), axis=0).T)
    parents, within = list[int](), list[IntArray]()
    for p in given:
        if groups[p].position > 0:
            continue
        above = (parent_levels(groups[t], groups[p]) for t in terms)
        found = next((own[level] for own, level in zip(above, levels, strict=True) if own is not None), None)
        if found is not None:
            parents.append(p)
            within.append(found)
    return Combinations(tuple(terms), levels, tuple(parents), tuple(within))


def make_pools(fit: Fit, combinations: Combinations, index: Sequence[IntArray], n_rows: int) -> tuple[Pool, ...]:
    """Say which rows are averaged over which combinations: those that belong to the levels that the row names.

    Parameters
    ----------
    fit
        A fit.
    combinations
        Of the averaged factors.
    index
        For each group term of the model the level of each row, shape (n,); read for the parents only.
    n_rows
        n.

    Raises
    ------
    LevelError
        If no combination belongs to the levels that a row names.
    """
    if not combinations.parents:
        return (Pool(np.arange(n_rows, dtype=np.int64), combinations.levels),)
    own = np.stack([index[p] for p in combinations.parents], axis=1)
    every = np.concatenate([np.stack(combinations.within, axis=1), own])
    code = np.unique(every, axis=0, return_inverse=True)[1].reshape(-1)
    theirs, ours = code[: len(every) - n_rows], code[len(every) - n_rows :]
    lost = np.flatnonzero(~np.isin(ours, theirs))
    if lost.size:
        _refuse_empty(fit, combinations, own[lost[0]], int(lost[0]))
    members, rows = _split(theirs), _split(ours)
    return tuple(Pool(rows[c], tuple(level[members[c]] for level in combinations.levels)) for c in rows)


def _refuse_empty(fit: Fit, combinations: Combinations, levels: IntArray, row: int) -> None:
    groups = fit.design.groups
    named = ", ".join(f"{groups[p].name} {groups[p].levels[k]!r}" for p, k in zip(combinations.parents, levels.tolist(), strict=True))
    factors = ", ".join(dict.fromkeys(groups[t].name for t in combinations.terms))
    raise LevelError(
        f"no observed level of {factors} belongs to the named levels",
        where=f"row {row} (counted from 0): {named}",
        fix="name levels that occur together in the data, or use target='population', which needs no observed level",
    )


def _split(code: IntArray) -> dict[int, IntArray]:
    """Positions of each code."""
    order = np.argsort(code, kind="stable")
    values, start = np.unique(code[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, start[1:]), strict=True))


def _factors(fit: Fit) -> dict[str, GroupDesign]:
    """First term of each grouping factor, by name."""
    return {g.name: g for g in fit.design.groups if g.position == 0}


def _belongs(fit: Fit, factor: str, parent: GroupDesign) -> bool:
    return parent_levels(_factors(fit)[factor], parent) is not None


def _determines(frame: pd.DataFrame, unit: Sequence[str], column: str) -> bool:
    """Whether all rows with one combination of values of some columns have one value of another column."""
    pairs = frame[[*unit, column]].drop_duplicates()
    return len(pairs) == len(pairs.drop_duplicates(list(unit)))


def _labels(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Labels of some columns, a tuple per row."""
    return list(zip(*([label(v) for v in frame[c]] for c in columns), strict=True))


def terms_of(fit: Fit, factors: Collection[str]) -> tuple[int, ...]:
    """Positions of the group terms of some factors."""
    return tuple(k for k, g in enumerate(fit.design.groups) if g.name in factors)
