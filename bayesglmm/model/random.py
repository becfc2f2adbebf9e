r"""Random effects: one block per group term, :math:`b_j \sim N(0, D)`, :math:`D = diag(sd)\, R\, diag(sd)`."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesglmm import naming
from bayesglmm.design.groups import GroupDesign
from bayesglmm.model.priors import prior_variable
from bayesglmm.spec.priors import LKJ, Prior
from bayesglmm.types import Parameterization


def group_coords(group: GroupDesign) -> dict[str, tuple[str, ...]]:
    """Coordinates of one group term: its levels, its categorical effects, and the axes of its correlation matrix."""
    coords = {naming.factor_dim(group.name): group.levels}
    coords |= {naming.effect_level_dim(t.name): t.levels for t in group.effects if t.levels is not None}
    if _is_correlated(group):
        coords |= dict.fromkeys(naming.correlation_dims(_block(group)), group.labels)
    return coords


def group_predictor(
    group: GroupDesign, sd_priors: tuple[Prior, ...], correlation_prior: LKJ | None, parameterization: Parameterization
) -> Any:
    """Z'b of one group term as a graph, shape (n,).

    Non-centred: ``b = (offset L') * sd`` with standard-normal offsets and L the Cholesky factor of R ~ LKJ(eta).
    Centred: b is sampled as it is, ``b ~ N(0, D)``.
    """
    sd = _standard_deviations(group, sd_priors)
    factor = _correlation_factor(group, correlation_prior)
    b = _centered(group, sd, factor) if parameterization == "centered" else _noncentered(group, sd, factor)
    _name_effects(group, b)
    rows = b[group.index]
    return rows[:, 0] if np.all(group.Z == 1.0) and group.Z.shape[1] == 1 else pt.sum(group.Z * rows, axis=1)


def _block(group: GroupDesign) -> str:
    return naming.block(group.name, group.position)


def _is_correlated(group: GroupDesign) -> bool:
    return group.term.covariance == "us" and group.Z.shape[1] > 1


def _standard_deviations(group: GroupDesign, priors: tuple[Prior, ...]) -> Any:
    """SDs of all effects as one vector (q,); each effect term is a variable of its own."""
    parts = []
    for term in group.effects:
        dim = None if term.levels is None else naming.effect_level_dim(term.name)
        parts.append(pt.atleast_1d(prior_variable(naming.effect_sd(term.name, group.name), priors[term.start : term.stop], dim)))
    return pt.concatenate(parts)


def _correlation_factor(group: GroupDesign, prior: LKJ | None) -> Any | None:
    """Cholesky factor (q, q) of the correlation matrix; None when the effects are independent."""
    if not _is_correlated(group) or prior is None:
        return None
    name = _block(group)
    factor = pm.LKJCorr(naming.correlation_factor(name), eta=prior.eta, n=group.Z.shape[1])
    pm.Deterministic(naming.correlation(name), pt.dot(factor, factor.T), dims=naming.correlation_dims(name))
    return factor


def _noncentered(group: GroupDesign, sd: Any, factor: Any | None) -> Any:
    offset = pm.Normal(naming.offsets(_block(group)), shape=(len(group.levels), group.Z.shape[1]))
    return (offset if factor is None else pt.dot(offset, factor.T)) * sd


def _centered(group: GroupDesign, sd: Any, factor: Any | None) -> Any:
    shape = (len(group.levels), group.Z.shape[1])
    if factor is None:
        return pm.Normal(naming.offsets(_block(group)), sigma=sd, shape=shape)
    return pm.MvNormal(naming.offsets(_block(group)), mu=np.zeros(shape[1]), chol=sd[:, None] * factor, shape=shape)


def _name_effects(group: GroupDesign, b: Any) -> None:
    """Expose ``1|g``, ``x|g`` with dims (levels of g[, columns of x])."""
    for term in group.effects:
        name = naming.effect(term.name, group.name)
        if term.levels is None:
            pm.Deterministic(name, b[:, term.start], dims=naming.factor_dim(group.name))
        else:
            pm.Deterministic(name, b[:, term.start : term.stop], dims=(naming.factor_dim(group.name), naming.effect_level_dim(term.name)))
