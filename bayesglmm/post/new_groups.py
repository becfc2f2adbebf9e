r"""Rows whose groups may be new, and draws of the random effects of new groups.

A new level has no draws of its own. Its effects come from the population, :math:`b \sim N(0, D)` per draw, or are those of a randomly
chosen observed level per draw, or were found from data of its own. Distinct new levels have distinct draws; all rows and effects of one
level share its draw. Each factor is treated alone, so a new child ``a:b`` of a known parent ``a`` keeps the parent's draws.

The draws of a level depend on the seed and the level's name only: not on the other rows, nor on the order of levels.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayesglmm import naming
from bayesglmm.design.encoding import encode_rows
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.conditional import effect_root
from bayesglmm.post.linear_predictor import GroupParameters, Parameters, fit_parameters, fixed_eta, term_eta
from bayesglmm.post.new_children import NamedLevels, check_children
from bayesglmm.post.own_columns import check_columns, whole_frame
from bayesglmm.post.ranges import range_notes
from bayesglmm.post.rows import Rows, build_rows, predictor_columns, read_frame
from bayesglmm.types import FloatArray, IntArray, UnseenLevels

SHOWN = 5
SEEDED = 32  # bits of a fresh seed


@dataclass(frozen=True, slots=True)
class GroupRows:
    """Rows with the level of every grouping factor, known or new.

    Attributes
    ----------
    rows
        n rows; ``index`` counts the L known levels of a term from 0, and the new ones from L on. The frame has all columns of the user's
        table and its index; the notes tell what lies outside the data.
    new_levels
        For each group term the labels of its new levels.
    trials, se
        Shape (n,): numbers of trials and known standard errors; None when the model has none, or the table lacks their columns.
    """

    rows: Rows
    new_levels: tuple[tuple[str, ...], ...]
    trials: FloatArray | None = None
    se: FloatArray | None = None

    def named(self, what: str) -> NamedLevels:
        """Levels that the rows name; ``what`` says which rows these are."""
        return NamedLevels(self.rows.index, self.new_levels, what)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Where the linear predictors of rows with new groups come from.

    Attributes
    ----------
    parameters
        S draws; with random effects where a known level needs them.
    design
        The group terms.
    new_levels
        For each group term the labels of its new levels.
    roots
        For each group term a root of its covariance, shape (S, q, q); None where no level is drawn from the population.
    which
        Shape (k,): the draws that are used, in their order, repeated where one counts for several.
    given
        Effects of shape (k, q) of new levels that have data of their own, by covariance block and label.
    seed
        Of the draws of new levels.
    """

    parameters: Parameters
    design: tuple[GroupDesign, ...]
    new_levels: tuple[tuple[str, ...], ...]
    roots: tuple[FloatArray | None, ...]
    which: IntArray
    seed: int
    given: Mapping[tuple[str, str], FloatArray] = field(default_factory=dict)


def read_group_rows(fit: Fit, newdata: Any, *, new_groups: UnseenLevels) -> GroupRows:
    """Rows of the data, or of a table in which groups may be new.

    Parameters
    ----------
    fit
        A fit.
    newdata
        None for the rows of the data; else any table, or a dict of arrays, with the columns of predictors and grouping factors.
    new_groups
        ``error`` refuses levels that the fit has not seen.

    Raises
    ------
    ColumnError, LevelError, MissingValueError, DesignError
        If a row is not what it must be; the unseen levels and the first rows that name them stand in the message. If a level of a nested
        factor stands with a level that it does not belong to, or a new one with two.
    """
    if newdata is None:
        empty: tuple[tuple[str, ...], ...] = ((),) * len(fit.design.groups)
        return GroupRows(build_rows(fit, None, target="group"), empty, fit.design.trials, fit.design.se)
    columns = predictor_columns(fit, levels=True)
    check_columns(newdata, columns)
    new = encode_rows(fit.design.encoding, newdata, unseen=new_groups)
    read = read_frame(newdata, columns)
    frame, left = whole_frame(newdata, read)
    Z, index = [], []
    for group, known in zip(new.groups, fit.design.groups, strict=True):
        if group.Z is None or group.index is None or group.new_index is None:
            raise ArgumentError("rows were coded without their groups", where=group.name)
        Z.append(group.Z)
        index.append(np.where(group.index >= 0, group.index, len(known.levels) + group.new_index))
    rows = Rows(frame, new.X, new.offset, tuple(Z), tuple(index), (*range_notes(fit, read), *left))
    found = GroupRows(rows, tuple(g.new_levels for g in new.groups), new.trials, new.se)
    check_children(fit, [found.named("the new rows")])
    return found


def make_source(
    fit: Fit,
    rows: GroupRows,
    *,
    new_groups: UnseenLevels,
    seed: int,
    which: IntArray | None = None,
    given: Mapping[tuple[str, str], FloatArray] | None = None,
) -> Source:
    """Draws that the predictors of some rows are made of; random effects are read only where a known level needs them."""
    observed = new_groups == "observed" and any(rows.new_levels)
    parameters = fit_parameters(fit, effects=observed or names_known_level(fit, rows))
    drawn = new_groups == "population"
    pairs = zip(parameters.groups, rows.new_levels, strict=True)
    roots = tuple(effect_root(g.sd, g.corr) if drawn and levels else None for g, levels in pairs)
    chosen = np.arange(parameters.n_draws, dtype=np.int64) if which is None else which
    return Source(parameters, fit.design.groups, rows.new_levels, roots, chosen, seed, given or {})


def names_known_level(fit: Fit, rows: GroupRows) -> bool:
    """Whether some row names a level that the fit has seen."""
    return any(bool(np.any(index < len(g.levels))) for index, g in zip(rows.rows.index, fit.design.groups, strict=True))


def group_predictor(source: Source, rows: Rows, block: slice) -> FloatArray:
    r"""Linear predictor of a block of rows, :math:`o + x'\beta + \sum_t z_t' b_{t, j_t}`, shape (k, rows of the block)."""
    part = Rows(
        rows.frame.iloc[block], rows.X[block], rows.offset[block], tuple(z[block] for z in rows.Z), tuple(i[block] for i in rows.index)
    )
    fixed = Parameters(source.parameters.beta[source.which], ())
    eta = fixed_eta(fixed, part)
    for term, (z, index) in enumerate(zip(part.Z, part.index, strict=True)):
        levels, position = np.unique(index, return_inverse=True)
        b = _effects_of(source, term, levels)
        eta += term_eta(GroupParameters(b[:, 0], None, b), z, position.reshape(-1))
    return eta


def block_name(group: GroupDesign) -> str:
    """Name of a group term's covariance block."""
    return naming.block(group.name, group.position)


def level_generator(seed: int, *key: str) -> np.random.Generator:
    """Make the generator of a named stream: other names give independent streams (the key is hashed into the seed)."""
    digest = hashlib.sha256("\0".join(key).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def check_seed(seed: int | None) -> int:
    """Return the seed, or a fresh one for None.

    Raises
    ------
    ArgumentError
        If it is not a whole number from 0.
    """
    if seed is None:
        return secrets.randbits(SEEDED)
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ArgumentError(f"seed={seed!r} is not a whole number from 0", fix="pass an integer, or None for a fresh seed")
    return int(seed)


def new_group_notes(source: Source, new_groups: UnseenLevels) -> tuple[str, ...]:
    """How many new levels each factor has, and how their effects were drawn."""
    words = {
        "population": "effects drawn from N(0, D), once per posterior draw and level",
        "observed": "effects of a randomly chosen observed level, once per posterior draw and level",
    }
    found: dict[str, tuple[str, ...]] = {}
    for group, levels in zip(source.design, source.new_levels, strict=True):
        left = tuple(name for name in levels if (block_name(group), name) not in source.given)
        if left:
            found[group.name] = left
    notes = [f"New levels of {name}: {len(levels)} ({listed(levels)}); {words[new_groups]}." for name, levels in found.items()]
    between = "The interval of a row with a new level says how means differ between levels, and how sure the fit is."
    return (*notes, between, f"Seed of the new levels: {source.seed}.") if notes else ()


def listed(levels: Sequence[str]) -> str:
    """Show the first few levels."""
    return ", ".join(levels[:SHOWN]) + (", ..." if len(levels) > SHOWN else "")


def _effects_of(source: Source, term: int, levels: IntArray) -> FloatArray:
    """Effects of known and new levels of one term, shape (k, levels, q)."""
    group, own = source.design[term], source.parameters.groups[term]
    n_known = len(group.levels)
    b = np.empty((len(source.which), len(levels), own.sd.shape[1]))
    known = levels < n_known
    if known.any():
        b[:, known] = _known(own)[np.ix_(source.which, levels[known])]
    for place in np.flatnonzero(~known):
        b[:, place] = _new_effects(source, term, source.new_levels[term][levels[place] - n_known])
    return b


def _new_effects(source: Source, term: int, label: str) -> FloatArray:
    """Effects of one new level, shape (k, q): given, drawn from the population, or those of observed levels."""
    group, own, root = source.design[term], source.parameters.groups[term], source.roots[term]
    given = source.given.get((block_name(group), label))
    if given is not None:
        return given
    if root is not None:
        normal = level_generator(source.seed, block_name(group), label).standard_normal((len(source.which), root.shape[1]))
        return np.asarray(np.einsum("sqr,sr->sq", root[source.which], normal))
    # the factor's name alone, so that all terms of one factor take the same observed level
    level = level_generator(source.seed, group.name, label).integers(0, len(group.levels), len(source.which))
    return np.asarray(_known(own)[source.which, level])


def _known(group: GroupParameters) -> FloatArray:
    """Random effects of the observed levels, which must have been read."""
    if group.b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    return group.b
