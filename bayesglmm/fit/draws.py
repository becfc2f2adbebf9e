"""The door to xarray: posterior variables as plain arrays, and plain arrays as an ArviZ-schema DataTree.

Axes of every array: chain, draw, then what is stated. Posterior variables are found by :mod:`bayesglmm.naming`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray

CHAIN, DRAW = naming.SAMPLE_DIMS


@dataclass(frozen=True, slots=True)
class ParameterDraws:
    """Draws of the parameters that a summary lists.

    Attributes
    ----------
    labels
        One per parameter: ``drug[ddI]``, ``1|patient_sigma``, ``district_corr[1, urban[Y]]``, ``sigma``.
    kinds
        ``fixed``, ``sd``, ``cor`` or ``aux``, one per parameter.
    values
        Shape (chain, draw, parameter).
    """

    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    values: FloatArray


def fixed_draws(posterior: xr.Dataset, design: Design) -> FloatArray:
    """Return fixed effects, shape (chain, draw, p), in the order of the columns of X."""
    return _stack(posterior, [(naming.variable(t.name), t) for t in design.fixed])


def sd_draws(posterior: xr.Dataset, group: GroupDesign) -> FloatArray:
    """SDs of one group term, shape (chain, draw, q)."""
    return _stack(posterior, [(naming.effect_sd(t.name, group.name), t) for t in group.effects])


def correlation_draws(posterior: xr.Dataset, group: GroupDesign) -> FloatArray | None:
    """Correlation matrices of one group term, shape (chain, draw, q, q); None when its effects are independent."""
    name = naming.correlation(naming.block(group.name, group.position))
    return None if name not in posterior else posterior[name].transpose(CHAIN, DRAW, ...).to_numpy()


def effect_draws(posterior: xr.Dataset, group: GroupDesign) -> FloatArray:
    """Random effects of one group term, shape (chain, draw, level, q).

    Raises
    ------
    ArgumentError
        If the fit kept none.
    """
    parts = []
    for term in group.effects:
        if naming.effect(term.name, group.name) not in posterior:
            fix = "fit again without effects='none'; effects='float32' takes half the memory"
            raise ArgumentError(
                "the fit keeps no draws of the random effects", where=f"({group.term.effects.text} | {group.name})", fix=fix
            )
        values = posterior[naming.effect(term.name, group.name)].transpose(CHAIN, DRAW, naming.factor_dim(group.name), ...).to_numpy()
        parts.append(values[..., None] if term.levels is None else values)
    return np.concatenate(parts, axis=-1)


def auxiliary_draws(posterior: xr.Dataset, names: tuple[str, ...]) -> dict[str, FloatArray]:
    """Auxiliary parameters of the family that were sampled, each (chain, draw)."""
    return {n: posterior[n].transpose(CHAIN, DRAW).to_numpy() for n in names if n in posterior}


def parameter_draws(posterior: xr.Dataset, design: Design, auxiliary: tuple[str, ...]) -> ParameterDraws:
    """Return fixed effects, SDs, correlations (each pair once) and auxiliary parameters, stacked."""
    labels, kinds, values = list(design.labels), ["fixed"] * len(design.labels), [fixed_draws(posterior, design)]
    for group in design.groups:
        labels += [naming.effect_sd(label, group.name) for label in group.labels]
        kinds += ["sd"] * len(group.labels)
        values.append(sd_draws(posterior, group))
    for group in design.groups:
        correlation = correlation_draws(posterior, group)
        if correlation is not None:
            rows, cols = np.tril_indices(len(group.labels), -1)
            name = naming.correlation(naming.block(group.name, group.position))
            labels += [f"{name}[{group.labels[j]}, {group.labels[i]}]" for i, j in zip(rows, cols, strict=True)]
            kinds += ["cor"] * len(rows)
            values.append(correlation[..., rows, cols])
    for name, draws in auxiliary_draws(posterior, auxiliary).items():
        labels.append(name)
        kinds.append("aux")
        values.append(draws[..., None])
    return ParameterDraws(tuple(labels), tuple(kinds), np.concatenate(values, axis=-1))


def stored_variables(design: Design, auxiliary: tuple[str, ...], *, effects: bool = True) -> tuple[str, ...]:
    """Names of the posterior variables that a fit stores: fixed effects, SDs, correlations, random effects, auxiliary parameters.

    Offsets, Cholesky factors and the centered intercept only help the sampler and are left out.
    """
    names = [naming.variable(t.name) for t in design.fixed]
    for group in design.groups:
        names += [naming.effect_sd(t.name, group.name) for t in group.effects]
        if group.term.covariance == "us" and len(group.labels) > 1:
            names.append(naming.correlation(naming.block(group.name, group.position)))
        names += [naming.effect(t.name, group.name) for t in group.effects] if effects else []
    return (*names, *(auxiliary if design.se is None else ()))


def flatten(draws: FloatArray) -> FloatArray:
    """Join chains and draws: (chain, draw, ...) to (S, ...)."""
    return draws.reshape(draws.shape[0] * draws.shape[1], *draws.shape[2:])


def make_tree(
    posterior: xr.Dataset, sample_stats: xr.Dataset, observed: Mapping[str, Any], constant: Mapping[str, Any], attributes: Mapping[str, Any]
) -> xr.DataTree:
    """One DataTree in ArviZ's schema.

    Parameters
    ----------
    posterior, sample_stats
        With dims (chain, draw, ...).
    observed, constant
        Arrays of n rows, by name.
    attributes
        Written to every group, as ArviZ does.
    """
    rows = {naming.ROWS: np.arange(len(next(iter(observed.values()))))}
    groups = {
        "posterior": posterior,
        "sample_stats": sample_stats,
        "observed_data": xr.Dataset({k: (naming.ROWS, np.asarray(v)) for k, v in observed.items()}, coords=rows),
        "constant_data": xr.Dataset({k: (naming.ROWS, np.asarray(v)) for k, v in constant.items()}, coords=rows),
    }
    return xr.DataTree.from_dict({name: data.assign_attrs(dict(attributes)) for name, data in groups.items()})


def _stack(posterior: xr.Dataset, variables: list[tuple[str, TermColumns]]) -> FloatArray:
    """Variables of several terms side by side, a column per coefficient."""
    n_chains, n_draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    parts = [posterior[name].transpose(CHAIN, DRAW, ...).to_numpy().reshape(n_chains, n_draws, t.stop - t.start) for name, t in variables]
    return np.concatenate(parts, axis=-1) if parts else np.empty((n_chains, n_draws, 0))
