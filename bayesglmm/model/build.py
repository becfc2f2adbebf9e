"""A design and its priors as one ``pm.Model``: the definition of the density that everything else must equal."""

from collections.abc import Mapping

import numpy as np
import pymc as pm

from bayesglmm import naming
from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.model.fixed import fixed_coords, fixed_predictor
from bayesglmm.model.likelihood import observe
from bayesglmm.model.random import group_coords, group_predictor
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.types import Parameterization


def build_model(
    spec: ModelSpec, design: Design, priors: ResolvedPriors, *, family: Family, parameterization: Mapping[str, Parameterization]
) -> pm.Model:
    """Return the hierarchical model as a PyMC graph.

    Parameters
    ----------
    spec
        What was asked: link and centering are read from it.
    design
        Arrays of n rows.
    priors
        One prior per parameter, all numbers resolved.
    family
        The response's family.
    parameterization
        ``centered`` or ``noncentered`` for each covariance block (``naming.block``).

    Returns
    -------
    pymc.Model
        Variables and coords as :mod:`bayesglmm.naming` names them. Not sampled, nothing compiled.
    """
    coords: dict[str, object] = {naming.ROWS: np.arange(len(design.y)), **fixed_coords(design)}
    for group in design.groups:
        coords |= group_coords(group)
    with pm.Model(coords=coords) as model:
        eta = design.offset + fixed_predictor(design, priors, center=spec.center)
        for group, sd, correlation in zip(design.groups, priors.sd, priors.cor, strict=True):
            chosen = parameterization[naming.block(group.name, group.position)]
            eta = eta + group_predictor(group, sd, correlation, chosen)
        observe(design, family, spec.link, priors, eta)
    return model
