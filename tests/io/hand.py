"""Fits with hand-made draws that are complete enough to be stored: judged, with missing values, user functions and partial runs."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.design.prepare import Prepared, prepare
from bayesglmm.errors import DesignWarning
from bayesglmm.fit.draws import make_tree, stored_variables
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import Provenance, Settings, hash_frame, package_versions
from bayesglmm.sampler.run import judge_run
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.types import Missing
from tests.fits import Noise, Truth, auxiliary_variables, coordinates, fixed_variables, group_variables, sampler_statistics


def hand_made_fit(
    formula: str,
    data: Any,
    *,
    size: tuple[int, int] = (4, 50),
    requested: int | None = None,
    missing: Missing = "error",
    functions: Mapping[str, Any] | None = None,
    **asked: Any,
) -> Fit:
    """A fit of chains and draws of this ``size``, with the verdict that its draws deserve; Bernoulli logit unless ``asked`` otherwise."""
    spec = make_spec(formula, functions=tuple(functions or ()), **{"family": "bernoulli", "link": "logit", **asked})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DesignWarning)
        ready = prepare(spec, data, missing=missing, functions=functions)
    noise = Noise(np.random.default_rng(0), size, 0.3)
    posterior, statistics = xr.Dataset(variables(ready, noise), coords=coordinates(ready.design, size)), sampler_statistics(noise)
    settings = Settings(requested or size[1], 100, size[0], 7, 0.8, 10, None)
    return Fit(
        ready.spec,
        ready.design,
        ready.frame,
        ready.priors,
        tree_of(ready, posterior, statistics),
        judge_run(posterior, statistics, ready.design, ready.family, settings),
        provenance_of(ready, settings, size[1]),
    )


def variables(ready: Prepared, noise: Noise) -> dict[str, Any]:
    made = {**fixed_variables(ready.design, None, noise), **auxiliary_variables(ready.family.auxiliary, {}, noise)}
    for group in ready.design.groups:
        q = len(group.labels)
        made |= group_variables(group, Truth(np.ones(q), 0.7 * np.eye(q) + 0.3, None), noise)
    return {name: made[name] for name in stored_variables(ready.design, ready.family.auxiliary)}


def tree_of(ready: Prepared, posterior: xr.Dataset, statistics: xr.Dataset) -> xr.DataTree:
    design = ready.design
    columns = {"offset": design.offset, "weights": design.weights, "trials": design.trials, "se": design.se}
    constant = {k: v for k, v in columns.items() if v is not None}
    return make_tree(posterior, statistics, {design.response: design.y}, constant, {"created_at": "2026", "sampling_time": 1.25, "n": 3})


def provenance_of(ready: Prepared, settings: Settings, draws: int) -> Provenance:
    return Provenance(
        engine="pymc",
        engine_reason="asked for",
        parameterization=tuple((naming.block(g.name, g.position), "noncentered") for g in ready.design.groups),
        settings=settings,
        seed_given=True,
        chains_obtained=settings.chains,
        draws_obtained=draws,
        data_hash=hash_frame(ready.frame),
        versions=package_versions(),
        created="2026-01-01T00:00:00+00:00",
        seconds=1.25,
    )
