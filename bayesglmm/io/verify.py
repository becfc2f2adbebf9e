"""What a stored fit must satisfy before it is believed: names, dims, shapes, labels and finite numbers against the rebuilt design."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import FitFileError
from bayesglmm.fit.draws import CHAIN, DRAW, stored_variables
from bayesglmm.fit.provenance import Provenance
from bayesglmm.spec.priors import ResolvedPriors

type Axis = tuple[str, tuple[str, ...]]
"""A dim and its labels."""

_FIX = "copy the file again from where it was written, or fit the model again"


def check_posterior(posterior: xr.Dataset, design: Design, auxiliary: Sequence[str], provenance: Provenance) -> None:
    """Every variable of the design, no other, each with its dims, labels and finite values.

    Parameters
    ----------
    posterior
        Draws.
    design
        The design that they must belong to.
    auxiliary
        Auxiliary parameters of the family.
    provenance
        Chains and draws that there must be.

    Raises
    ------
    FitFileError
        Names the variable.
    """
    wanted = expected_axes(design, auxiliary, effects=provenance.settings.effects != "none")
    found = {str(n) for n in posterior.data_vars}
    if found != set(wanted):
        wrong = ", ".join(sorted(found.symmetric_difference(wanted))[:5])
        raise FitFileError("the posterior does not hold the parameters of its model", where=f"missing or not known: {wrong}", fix=_FIX)
    sizes = (provenance.chains_obtained, provenance.draws_obtained)
    effects = {naming.effect(term.name, group.name) for group in design.groups for term in group.effects}
    for name, axes in wanted.items():
        single = provenance.settings.effects == "float32" and name in effects
        _check_variable(posterior, name, axes, sizes, np.float32 if single else np.float64)


def check_statistics(stats: xr.Dataset, provenance: Provenance) -> None:
    """Sampler statistics are one number per draw.

    Raises
    ------
    FitFileError
        Names the statistic.
    """
    sizes = {CHAIN: provenance.chains_obtained, DRAW: provenance.draws_obtained}
    for name, variable in stats.data_vars.items():
        if dict(variable.sizes) != sizes or variable.dtype.kind not in "bifu":
            raise FitFileError("a sampler statistic is not one number per draw", where=str(name), fix=_FIX)


def check_rows(observed: xr.Dataset, constant: xr.Dataset, design: Design) -> None:
    """Check that the stored response and row constants are those of the design.

    Raises
    ------
    FitFileError
        Names the array that differs.
    """
    expected = {"offset": design.offset, "weights": design.weights, "trials": design.trials, "se": design.se}
    pairs = [(observed, {design.response: design.y}), (constant, {k: v for k, v in expected.items() if v is not None})]
    for data, arrays in pairs:
        if {str(n) for n in data.data_vars} != set(arrays):
            raise FitFileError("the stored data are not those of the model", where=", ".join(map(str, data.data_vars)), fix=_FIX)
        for name, values in arrays.items():
            if not np.array_equal(data[name].to_numpy(), values):
                raise FitFileError("stored data differ from the stored table", where=name, fix=_FIX)


def check_priors(stored: ResolvedPriors, resolved: ResolvedPriors) -> None:
    """Check that the stored priors are as many, and for the same parameters, as the design has.

    Raises
    ------
    FitFileError
        If they are not.
    """
    if _outline(stored) != _outline(resolved):
        raise FitFileError("the stored priors do not fit the model", where="priors", fix=_FIX)


def check_parameterization(provenance: Provenance, design: Design) -> None:
    """Check that every covariance block of the design has its form.

    Raises
    ------
    FitFileError
        If one has none, or a form is named for something else.
    """
    blocks = [naming.block(g.name, g.position) for g in design.groups]
    if [name for name, _ in provenance.parameterization] != blocks:
        raise FitFileError("the stored parameterization does not fit the model", where="provenance", fix=_FIX)


def _outline(priors: ResolvedPriors) -> tuple[object, ...]:
    cor = tuple(p is None for p in priors.cor)
    return priors.intercept is None, len(priors.b), tuple(map(len, priors.sd)), cor, tuple(n for n, _ in priors.aux)


def expected_axes(design: Design, auxiliary: Sequence[str], *, effects: bool = True) -> dict[str, tuple[Axis, ...]]:
    """Return the axes behind chain and draw of every variable that a fit of this design stores, with or without random effects."""
    axes: dict[str, tuple[Axis, ...]] = {naming.variable(t.name): _level_axis(naming.level_dim(t.name), t) for t in design.fixed}
    for group in design.groups:
        axes |= _group_axes(group)
    axes |= dict.fromkeys(auxiliary, ())
    return {name: axes[name] for name in stored_variables(design, tuple(auxiliary), effects=effects)}


def _group_axes(group: GroupDesign) -> dict[str, tuple[Axis, ...]]:
    axes: dict[str, tuple[Axis, ...]] = {}
    for term in group.effects:
        columns = _level_axis(naming.effect_level_dim(term.name), term)
        axes[naming.effect_sd(term.name, group.name)] = columns
        axes[naming.effect(term.name, group.name)] = ((naming.factor_dim(group.name), group.levels), *columns)
    block = naming.block(group.name, group.position)
    first, second = naming.correlation_dims(block)
    axes[naming.correlation(block)] = ((first, group.labels), (second, group.labels))
    return axes


def _level_axis(dim: str, term: TermColumns) -> tuple[Axis, ...]:
    return () if term.levels is None else ((dim, term.levels),)


def _check_variable(posterior: xr.Dataset, name: str, axes: tuple[Axis, ...], sizes: tuple[int, int], dtype: type) -> None:
    variable, labels = posterior[name], dict(axes)
    wanted: Mapping[str, int] = {CHAIN: sizes[0], DRAW: sizes[1], **{dim: len(levels) for dim, levels in axes}}
    if dict(variable.sizes) != wanted:
        raise FitFileError(f"draws of shape {dict(variable.sizes)}, not {dict(wanted)}", where=name, fix=_FIX)
    if variable.dtype != dtype or not np.all(np.isfinite(variable.to_numpy())):
        raise FitFileError("draws that are no finite numbers", where=name, fix=_FIX)
    for dim, levels in labels.items():
        stored = tuple(str(v) for v in posterior[dim].to_numpy()) if dim in posterior.coords else None
        if stored != levels:
            raise FitFileError("the labels of stored draws are not those of the model", where=f"{name}, dim {dim}", fix=_FIX)
