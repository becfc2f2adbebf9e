"""Means or contrasts of several targets on the same lines, which are computed a few at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import Compare
from bayesglmm.post.contrasts import COMPARES, contrast_notes, make_comparison, pair_columns, prepare_pairs, scene_pairs
from bayesglmm.post.means import mean_lines
from bayesglmm.post.result import join_columns
from bayesglmm.post.rows import grid_frame, predictor_columns
from bayesglmm.post.scenarios import Scene, average_versions, check_variable, grouping_columns, make_scene, scene_sentence
from bayesglmm.post.targets import AVERAGES, averaging
from bayesglmm.post.values import value_pairs
from bayesglmm.types import FloatArray, Scale, Target


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What is asked of every target.

    Attributes
    ----------
    fit
        A fit.
    variable, values, compare
        Of contrasts; without a variable the means themselves.
    at, by, over, weights, scale
        As for :func:`bayesglmm.post.means.means`; ``over`` is for the targets that average.
    """

    fit: Fit
    variable: str | None
    values: Any
    at: Any
    compare: Compare
    by: Any
    over: Any
    weights: Any
    scale: Scale

    def over_of(self, target: Target) -> Any:
        """Factors that a target averages over."""
        return self.over if target in AVERAGES else None

    def factors_of(self, target: Target) -> tuple[str, ...]:
        """Names of the factors of which a target reads the levels."""
        if target == "group":
            return tuple(dict.fromkeys(g.name for g in self.fit.design.groups))
        return averaging(self.fit, self.over_of(target), target).given


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some lines of one target.

    Attributes
    ----------
    frame
        What tells the lines apart, one row each.
    draws
        Shape (S, lines).
    bound
        Bound on the integration error.
    notes
        What a reader must know, with that bound.
    """

    frame: pd.DataFrame
    draws: FloatArray
    bound: float
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TargetLines:
    """Lines of one target that are yet to be computed.

    Attributes
    ----------
    size
        Number of averages that can be taken apart from each other.
    width
        Lines that each of them makes.
    sentence
        The target in words.
    part
        From a slice of the averages to their lines.
    """

    size: int
    width: int
    sentence: str
    part: Callable[[slice], Part]


def same_rows(question: Question, targets: Sequence[Target]) -> tuple[Question, pd.DataFrame | None, tuple[str, ...]]:
    """Rows for targets of which not all read the levels that a grid names.

    Parameters
    ----------
    question
        What is asked.
    targets
        The targets.

    Returns
    -------
    tuple
        The question, with a table in place of the grid where one is needed; the columns of the grid in its rows, or None; notes.

    Raises
    ------
    ArgumentError, ColumnError, LevelError
        If the grid is not what it must be.
    """
    fit, at = question.fit, question.at
    if not isinstance(at, Mapping) or question.variable in at:
        return question, None, ()
    read = {target: question.factors_of(target) for target in targets}
    named = [c for c in grouping_columns(fit) if c in at]
    reads = [set(predictor_columns(fit, levels=factors)).issuperset(named) for factors in read.values()]
    every = {name for factors in read.values() for name in factors}
    if all(reads) or not every:
        return question, None, ()
    own = _set_column(question, targets[0])
    target: Target = "group" if "group" in targets else "population"
    given = [] if target == "group" else [g.name for g in fit.design.groups if g.name in every]
    frame, notes = grid_frame(fit, {**at, **own}, target=target, given=given)
    return replace(question, at=frame.drop(columns=list(own))), frame[list(at)], notes


def _set_column(question: Question, target: Target) -> dict[str, list[Any]]:
    """Give the column that is set one of its values, so that it is not among those that are held; empty for means."""
    if question.variable is None:
        return {}
    scene = make_scene(question.variable, question.at, by=question.by, over=question.over_of(target))
    check_variable(question.fit, scene, target)
    return {question.variable: [value_pairs(question.fit, question.variable, question.values)[0][0]]}


def target_lines(question: Question, target: Target) -> TargetLines:
    """Lines of one target.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError, FamilyError
        As :func:`bayesglmm.post.means.means` and :func:`bayesglmm.post.contrasts.contrasts` do.
    """
    over = question.over_of(target)
    if question.variable is not None:
        scene = make_scene(question.variable, question.at, by=question.by, over=over, weights=question.weights)
        return _contrast_lines(question, scene, target)
    asked = {"by": question.by, "over": over, "scale": question.scale, "weights": question.weights}
    lines = mean_lines(question.fit, question.at, target=target, **asked)

    def part(which: slice) -> Part:
        draws, bound = lines.draws(which)
        return Part(lines.cells.frame.iloc[which], draws, bound, lines.notes(bound))

    return TargetLines(lines.size, 1, lines.sentence, part)


def _contrast_lines(question: Question, scene: Scene, target: Target) -> TargetLines:
    """Lines of contrasts; averages over several rows are not taken apart."""
    fit, how = question.fit, make_comparison(question.fit, target, question.compare, question.scale)
    pairs = scene_pairs(fit, scene, question.values, target)
    versions, work = prepare_pairs(fit, scene, pairs, how)

    def part(which: slice) -> Part:
        rows = np.arange(versions[0].n_rows, dtype=np.int64)[which if scene.by is None else slice(None)]
        found = average_versions(fit, scene, [replace(v.take(rows), notes=v.notes) for v in versions], target)
        draws = work.draws(found, int(rows[0]) if scene.by is None else 0)
        labels = found.frame.loc[found.frame.index.repeat(len(pairs))]
        frame = join_columns(labels, pair_columns(pairs, len(found.frame)), reserved=(COMPARES,))
        return Part(frame, draws, found.bound, (*found.notes, *contrast_notes(how, single=found.single)))

    size = versions[0].n_rows if scene.by is None else 1
    return TargetLines(size, len(pairs), scene_sentence(fit, scene, target), part)
