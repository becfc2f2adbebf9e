"""Draws of a Bambi model as draws of ours.

Two steps, neither by position. From the draws to Bambi's model: labels of a variable's coordinates are looked up among the model's
levels. From Bambi's model to ours: columns of the two designs are matched by their values on all rows, levels of grouping factors by
the rows that belong to them. A column that is not in both designs is refused, so a mapping that exists reproduces the linear predictor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.bridge.bambi_formula import BambiTerm, refused
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError, DesignError
from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.types import FloatArray, IntArray

SAME_COLUMN = 1e-9
"""Relative to a column's largest value: two computations of one column differ by rounding, two columns by more."""

_HEAD = 200
_FACTOR_DIM = "__factor_dim"
_RECODE = "make the columns in the table, build the Bambi model on them and rename the variable in idata, or fit the model here"
_FIX = "pass the idata that model.fit() returned, with its coordinates, and the model that made it"

type Variables = dict[str, tuple[tuple[str, ...], FloatArray]]
type Place = tuple[BambiTerm, int]


@dataclass(frozen=True, slots=True)
class GroupMatch:
    """Where a group term of ours is among Bambi's.

    Attributes
    ----------
    places
        One per effect column: the Bambi term and the column within it.
    levels
        Shape (levels,): for each of our levels, its place among the groups of the Bambi terms.
    """

    places: tuple[Place, ...]
    levels: IntArray


def match_fixed(design: Design, terms: Sequence[BambiTerm]) -> IntArray:
    """For each column of X its place among the columns of the Bambi terms, all put side by side; shape (p,).

    Raises
    ------
    NotBuiltError
        Naming a column that only one of the designs has.
    """
    blocks = [t.columns for t in terms] or [np.empty((len(design.y), 0))]
    owners = [t.name for t in design.fixed for _ in range(t.start, t.stop)]
    ours = list(zip(owners, design.labels, strict=True))
    return _match(design.X, np.concatenate(blocks, axis=1), ours, [t.name for t in terms for _ in range(t.columns.shape[1])])


def match_group(group: GroupDesign, terms: Sequence[BambiTerm]) -> GroupMatch:
    """Match one group term of ours with the Bambi terms of the same factor.

    Raises
    ------
    NotBuiltError
        Naming an effect column that only one of the designs has.
    DesignError
        If the rows are grouped differently.
    """
    own = [t for t in terms if t.factor == group.term.factor]
    places = [(t, k) for t in own for k in range(t.columns.shape[1])]
    owners = [f"{t.name}|{group.name}" for t in group.effects for _ in range(t.start, t.stop)]
    ours = list(zip(owners, group.labels, strict=True))
    found = _match(group.Z, np.concatenate([t.columns for t in own], axis=1), ours, [t.name for t, _ in places])
    index = own[0].index
    levels = index[np.unique(group.index, return_index=True)[1]]
    if not np.array_equal(levels[group.index], index) or len(set(levels.tolist())) < len(levels):
        raise DesignError("Bambi groups the rows differently", where=f"grouping factor {group.name}", fix=_FIX)
    return GroupMatch(tuple(places[i] for i in found), levels)


def fixed_variables(design: Design, terms: Sequence[BambiTerm], places: IntArray, posterior: xr.Dataset) -> Variables:
    """Return fixed effects under our names: (chain, draw) or (chain, draw, level) each."""
    blocks = [_term_draws(posterior, t.variable, t) for t in terms]
    draws = np.concatenate(blocks, axis=-1)[..., places] if blocks else None
    return {} if draws is None else {naming.variable(t.name): _own(draws, t, (), naming.level_dim(t.name)) for t in design.fixed}


def group_variables(group: GroupDesign, match: GroupMatch, posterior: xr.Dataset) -> Variables:
    """Return standard deviations and random effects of one group term under our names."""
    effects = [_term_draws(posterior, t.variable, t, grouped=True)[..., match.levels, k] for t, k in match.places]
    sds = [_term_draws(posterior, t.sd_variable, t)[..., k] for t, k in match.places]
    b, sd = np.stack(effects, axis=-1), np.stack(sds, axis=-1)
    levels = (naming.factor_dim(group.name),)
    found: Variables = {}
    for term in group.effects:
        dim = naming.effect_level_dim(term.name)
        found[naming.effect_sd(term.name, group.name)] = _own(sd, term, (), dim)
        found[naming.effect(term.name, group.name)] = _own(b, term, levels, dim)
    return found


def scalar_variable(posterior: xr.Dataset, names: Sequence[str], what: str) -> FloatArray:
    """Draws (chain, draw) of a number, under the first of some names that is there.

    Raises
    ------
    ArgumentError
        If none is there.
    """
    for name in names:
        if name in posterior:
            return _finite(posterior[name].transpose(CHAIN, DRAW).to_numpy(), name)
    raise ArgumentError(f"the posterior holds no draws of {what}", where=" or ".join(names), fix=_FIX)


def coordinates(design: Design, sizes: tuple[int, int]) -> dict[str, Any]:
    """Labels of every dim of the mapped variables; chains and draws are numbered from 0."""
    found: dict[str, Any] = {CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1])}
    found |= {naming.level_dim(t.name): list(t.levels) for t in design.fixed if t.levels is not None}
    for group in design.groups:
        found[naming.factor_dim(group.name)] = list(group.levels)
        found |= {naming.effect_level_dim(t.name): list(t.levels) for t in group.effects if t.levels is not None}
    return found


def _match(ours: FloatArray, theirs: FloatArray, labels: Sequence[tuple[str, str]], names: Sequence[str]) -> IntArray:
    """For each of our columns, named by term and label, the one of theirs with the same values; none may be left over."""
    rows = np.unique(np.linspace(0, len(ours) - 1, min(len(ours), _HEAD)).astype(np.int64))
    head, their_head = ours[rows], theirs[rows]
    found: list[int] = []
    for i, (term, label) in enumerate(labels):
        bound = SAME_COLUMN * float(np.max(np.abs(ours[:, i])))
        near = np.flatnonzero(np.all(np.abs(their_head - head[:, i, None]) <= bound, axis=0))
        same = [int(j) for j in near if np.max(np.abs(theirs[:, j] - ours[:, i])) <= bound]
        if not same:
            raise refused(term, f"no column of it is {label}, as this package codes the same formula", _RECODE)
        found.append(same[0])
    left = sorted(set(range(len(names))) - set(found))
    if left or len(set(found)) < len(found):
        raise refused(names[left[0]] if left else names[found[0]], "the two designs do not have the same columns")
    return np.array(found, dtype=np.int64)


def _term_draws(posterior: xr.Dataset, variable: str, term: BambiTerm, *, grouped: bool = False) -> FloatArray:
    """Draws of one Bambi variable, its labels in the order of its model: (chain, draw, k) or, grouped, (chain, draw, group, k)."""
    if variable not in posterior:
        raise ArgumentError("the posterior lacks a variable of the model", where=variable, fix=f"keep all variables; {_FIX}")
    array = posterior[variable]
    own = [str(d) for d in array.dims if d not in naming.SAMPLE_DIMS]
    factor = [d for d in own if d.endswith(_FACTOR_DIM)]
    rest = [d for d in own if d not in factor]
    if len(factor) != int(grouped) or len(rest) != int(term.labels is not None):
        raise ArgumentError(f"the dims of a variable are {', '.join(map(str, array.dims))}", where=variable, fix=_FIX)
    order = [_positions(array, factor[0], term.groups)] if grouped else []
    order += [_positions(array, rest[0], term.labels or ())] if rest else []
    values = array.transpose(CHAIN, DRAW, *factor, *rest).to_numpy()
    for axis, positions in enumerate(order, start=2):
        values = np.take(values, positions, axis=axis)
    return _finite(values if rest else values[..., None], variable)


def _positions(array: xr.DataArray, dim: str, wanted: Sequence[str]) -> IntArray:
    """Where each label stands along a dim."""
    if dim not in array.coords:
        raise ArgumentError("a dim has no labels", where=f"{array.name}, dim {dim}", fix=_FIX)
    labels = [str(v) for v in array[dim].to_numpy()]
    at = {label: i for i, label in enumerate(labels)}
    missing = [label for label in wanted if label not in at]
    if missing or len(at) < len(labels) or len(labels) != len(wanted):
        shown = ", ".join(missing[:5]) or "labels that occur twice, or that the model does not have"
        raise ArgumentError("the labels of the draws are not those of the model", where=f"{array.name}, dim {dim}: {shown}", fix=_FIX)
    return np.array([at[label] for label in wanted], dtype=np.int64)


def _finite(values: FloatArray, name: str) -> FloatArray:
    if not np.all(np.isfinite(values)):
        raise ArgumentError("draws that are no finite numbers", where=name, fix="fit the model again")
    return np.asarray(values, dtype=np.float64)


def _own(draws: FloatArray, term: TermColumns, dims: tuple[str, ...], level_dim: str) -> tuple[tuple[str, ...], FloatArray]:
    """Return the columns of one term as a variable, with a dim of its own when it has labels."""
    if term.levels is None:
        return (CHAIN, DRAW, *dims), draws[..., term.start]
    return (CHAIN, DRAW, *dims, level_dim), draws[..., term.start : term.stop]
