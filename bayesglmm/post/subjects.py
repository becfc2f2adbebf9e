"""Who the subjects are: whose random effects vary, whose are those of a named level, and whose are zero."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from bayesglmm.design.table import column_names
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.hierarchy import check_split, inside_of, parents_of, terms_of
from bayesglmm.post.linear_predictor import Parameters, fixed_eta, group_eta, group_variance
from bayesglmm.post.rows import Rows, predictor_columns
from bayesglmm.post.targets import given_words
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class Subjects:
    """What each grouping factor does.

    Attributes
    ----------
    over
        Names of the factors whose levels, or combinations of levels, are the subjects: their effects vary.
    given
        Names of those of which every row names a level: its effects count as part of the fixed part.
    zero
        Names of the others, whose effects are zero.
    varying, held
        Positions of the group terms of ``over`` and of ``given``.
    """

    over: tuple[str, ...]
    given: tuple[str, ...]
    zero: tuple[str, ...]
    varying: tuple[int, ...]
    held: tuple[int, ...]

    @property
    def others(self) -> str:
        """Say what becomes of the factors whose levels are not the subjects; empty when there are none."""
        at_zero = f"; random effects of {', '.join(self.zero)} at zero" if self.zero else ""
        return f"{given_words(self.given)}{at_zero}"


def make_subjects(fit: Fit, over: Collection[str] | str | None, at: Any) -> Subjects:
    """Split the grouping factors.

    Parameters
    ----------
    fit
        A fit.
    over
        Names of the factors whose levels are the subjects; all when None.
    at
        Rows. Of the other factors those are given that it names a level of, by columns that do nothing but tell groups apart, and those
        that these are nested in.

    Raises
    ------
    ArgumentError
        As :func:`chosen_factors` does, and if a level is named of a factor that is nested in one of ``over``.
    """
    chosen, names = chosen_factors(fit, over), () if at is None else column_names(at)
    read = predictor_columns(fit, levels=False)
    columns = {g.term.name: g.columns for g in fit.design.encoding.groups if g.term.name not in chosen}
    given = {n for n, own in columns.items() if set(own).issubset(names) and not set(own).issubset(read)}
    check_split(fit, chosen, given)
    given.update(p for n in tuple(given) for p in parents_of(fit, n))
    kept, zero = tuple(n for n in columns if n in given), tuple(n for n in columns if n not in given)
    return Subjects(chosen, kept, zero, terms_of(fit, chosen), terms_of(fit, kept))


def check_same_parents(fit: Fit, before: Rows, after: Rows, subjects: Subjects) -> None:
    """Refuse pairs of rows that name two levels of a factor which the subjects are nested in: no subject is in both.

    Parameters
    ----------
    fit
        A fit.
    before, after
        n rows each, with the levels of the given factors.
    subjects
        Who the subjects are.

    Raises
    ------
    ArgumentError
        Names both factors and levels, and the function that compares averages.
    """
    for name in subjects.given:
        k = terms_of(fit, [name])[0]
        changed = np.flatnonzero(before.index[k] != after.index[k])
        inside = inside_of(fit, subjects.over, [name])
        if not changed.size or not inside:
            continue
        row, labels = int(changed[0]), fit.design.groups[k].levels
        one, other = labels[before.index[k][row]], labels[after.index[k][row]]
        raise ArgumentError(
            f"each level of {' and '.join(inside)} belongs to one level of {name} only, so none has a difference between two of these",
            where=f"{name} {one!r} and {other!r}, row {row} (counted from 0)",
            fix=f"name the same level of {name} on both sides; contrasts(fit, ..., target='population', over={list(subjects.over)!r}) "
            f"compares the averages over the levels within each {name}",
        )


def chosen_factors(fit: Fit, over: Collection[str] | str | None) -> tuple[str, ...]:
    """Names of the grouping factors whose levels are the subjects: those named, all when None.

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, or one is named that it does not have; lists all and the nearest.
    """
    known = tuple(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError(
            "the model has no grouping factor, so subjects do not differ", where=fit.spec.formula, fix="add one, such as (1 | subject)"
        )
    if over is None:
        return known
    listed = f"the factors are: {', '.join(known)}"
    if isinstance(over, Mapping) or not isinstance(over, Collection):
        raise ArgumentError(f"over={over!r} is neither a name nor a list of names", fix=f"name grouping factors; {listed}")
    names = [over] if isinstance(over, str) else list(over)
    if not names:
        raise ArgumentError("over names no grouping factor", where=f"over={over!r}", fix=f"leave it out for all; {listed}")
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ArgumentError(f"over names {name!r}, which is no grouping factor of the model", fix=f"{hint}{listed}")
    return tuple(n for n in known if n in names)


def subject_words(factors: Sequence[str], *, single: bool = False) -> str:
    """Say who the subjects are: levels of one factor, combinations of one level of each of several.

    Parameters
    ----------
    factors
        Names of grouping factors, at least one.
    single
        Whether one subject is meant.
    """
    if len(factors) == 1:
        return f"level{'' if single else 's'} of {factors[0]}"
    return f"combination{'' if single else 's'} of levels of {', '.join(factors[:-1])} and {factors[-1]}"


def subject_mean(parameters: Parameters, rows: Rows, subjects: Subjects) -> FloatArray:
    r"""Mean over subjects of the linear predictor, (S, n): :math:`o + x'\beta`, and the effects of the levels that the rows name."""
    mean = fixed_eta(parameters, rows)
    return mean + held_eta(parameters, rows, subjects) if subjects.held else mean


def held_eta(parameters: Parameters, rows: Rows, subjects: Subjects) -> FloatArray:
    """Effects of the levels that the rows name, (S, n); zeros without any."""
    if not subjects.held:
        return np.zeros((parameters.n_draws, rows.n_rows))
    own = rows.choose(subjects.held)
    return group_eta(parameters.choose(subjects.held), own, own.index)


def subject_variance(parameters: Parameters, rows: Rows, subjects: Subjects) -> FloatArray:
    r"""Variance over subjects of the linear predictor, (S, n): :math:`\sum_t z_t' D_t z_t` over the terms of the factors that vary."""
    return group_variance(parameters.choose(subjects.varying), rows.choose(subjects.varying))
