"""A model fitted with Bambi as a fit of ours, so that everything after a fit works on it."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
import xarray as xr

from bayesglmm import naming
from bayesglmm.bridge.bambi_draws import (
    GroupMatch,
    coordinates,
    fixed_variables,
    group_variables,
    match_fixed,
    match_group,
    scalar_variable,
)
from bayesglmm.bridge.bambi_formula import CONSTANT, BambiReading, BambiTerm, components, main_component, read_model, refused, response_term
from bayesglmm.bridge.bambi_priors import is_bambi_prior, model_priors
from bayesglmm.design.design import Design
from bayesglmm.design.prepare import Prepared, prepare
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.errors import ArgumentError, FormulaError, NotBuiltError, PriorError, QualityWarning
from bayesglmm.fit.draws import CHAIN, DRAW, make_tree
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import Provenance, Settings, hash_frame, package_versions
from bayesglmm.sampler.nutpie import STATISTICS
from bayesglmm.sampler.run import judge_run
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import check_priors
from bayesglmm.types import SampledForm, check_choice

type UnknownPriors = Literal["error", "default"]

BAMBI = "bambi"
SAME_DATA = 1e-9
"""Relative: the response that was stored with the draws, next to the model's."""

_FIX = "pass the model and the idata that its own fit() returned"


@dataclass(frozen=True, slots=True)
class _Mapping:
    """Bambi's model on our design: fixed columns, group terms, auxiliary components."""

    reading: BambiReading
    fixed: Any
    groups: tuple[GroupMatch, ...]
    auxiliary: Mapping[str, Any]


def from_bambi(model: Any, idata: Any, *, target_accept: float = 0.8, unknown_priors: UnknownPriors = "error") -> Fit:
    """Return a fitted Bambi model as a fit of ours: ``means``, ``marginal_coefficients``, ``save`` and the rest work on it.

    The formula, family, link, priors and table are read from the model; the draws get our names, levels by label. Columns of the two
    designs are compared on all rows, and a term that is coded differently is refused, so the linear predictor is Bambi's own. Bambi's
    random effects are independent: its ``(x | g)`` becomes ``(x || g)``. Bambi itself is not needed.

    Parameters
    ----------
    model
        A ``bambi.Model`` of the families gaussian, bernoulli, binomial or poisson.
    idata
        What ``model.fit()`` returned, an ArviZ ``DataTree`` or ``InferenceData``.
    target_accept
        The acceptance rate that the sampler was asked for, which no idata records; 0.8 is PyMC's default. Only the verdict's check of
        the acceptance rate uses it.
    unknown_priors
        ``error`` when a prior has no counterpart here; ``default`` to take the draws all the same: the fit's record then holds the default
        prior in its place, and says so.

    Returns
    -------
    Fit
        With the verdict that our thresholds give these draws; ``fit.engine`` says that Bambi made it.

    Raises
    ------
    ArgumentError
        If this is no Bambi model, or the draws are not those of the model.
    NotBuiltError
        Naming a term, family or part that has no counterpart: Gaussian processes, ordinal, categorical and multivariate responses,
        formulas for a second parameter, potentials, censoring, random effects that are not normal with mean zero.
    PriorError
        If a prior has no counterpart.

    Warns
    -----
    QualityWarning
        The draws should be looked at before they are used.

    Examples
    --------
    >>> import bambi, bayesglmm as bg
    >>> model = bambi.Model("Reaction ~ Days + (Days | Subject)", bg.datasets.load("sleepstudy"))  # doctest: +SKIP
    >>> bg.heterogeneity(bg.from_bambi(model, model.fit()))  # doctest: +SKIP
    """
    check_choice("unknown_priors", unknown_priors, UnknownPriors)
    reading = read_model(model)
    _check_random_effects(reading.groups)
    ready = _prepared(model, reading)
    mapping = _Mapping(
        reading,
        match_fixed(ready.design, reading.fixed),
        tuple(match_group(g, reading.groups) for g in ready.design.groups),
        _auxiliary(model),
    )
    posterior = _mapped_draws(model, _group_of(idata, "posterior"), ready, mapping)
    _check_data(idata, ready.design)
    ready, stand_ins = _with_priors(ready, mapping, unknown_priors)
    stats = _statistics(idata, posterior)
    provenance = _provenance(model, idata, ready, mapping, (*reading.notes, *stand_ins))
    settings = replace(provenance.settings, target_accept=float(target_accept))
    return _fit(ready, posterior, stats, replace(provenance, settings=settings))


def _prepared(model: Any, reading: BambiReading) -> Prepared:
    """Everything before the density, by the code that prepares any model."""
    try:
        spec = make_spec(reading.formula, family=reading.family, link=reading.link, center=bool(model.center_predictors))
    except FormulaError as error:
        raise NotBuiltError(f"the Bambi formula has no counterpart: {error.what}", where=error.where, fix=error.fix) from error
    return prepare(spec, reading.data, missing="drop" if model.dropna else "error")


def _check_random_effects(terms: tuple[BambiTerm, ...]) -> None:
    """Random effects are normal with mean zero and a standard deviation of their own."""
    for term in terms:
        args = term.prior.args
        normal = term.prior.name == "Normal" and term.prior.dist is None and is_bambi_prior(args.get("sigma"))
        if not normal or is_bambi_prior(args.get("mu")) or np.any(np.asarray(args.get("mu", 0.0), dtype=float) != 0.0):
            raise refused(term.name, f"its effects are {term.prior!s}; here they are normal with mean zero and a SD with a prior")


def _auxiliary(model: Any) -> dict[str, Any]:
    """Constant components besides the mean; a parameter that was fixed to a number has no draws."""
    found = {name: c for name, c in components(model).items() if c is not main_component(model)}
    for name, component in found.items():
        if not is_bambi_prior(component.prior):
            raise NotBuiltError(f"the Bambi parameter {name!r} is fixed to {component.prior!r}", fix="give it a prior")
    return found


def _group_of(idata: Any, name: str) -> xr.Dataset:
    """One group of an InferenceData, a DataTree or a mapping of datasets.

    Raises
    ------
    ArgumentError
        If it is not there.
    """
    try:
        group = idata[name]
    except (KeyError, TypeError, AttributeError):
        raise ArgumentError(f"idata has no group {name!r}", where=type(idata).__name__, fix=_FIX) from None
    found: xr.Dataset = group.to_dataset() if isinstance(group, xr.DataTree) else group
    return found


def _optional(idata: Any, name: str) -> xr.Dataset:
    try:
        return _group_of(idata, name)
    except ArgumentError:
        return xr.Dataset()


def _mapped_draws(model: Any, posterior: xr.Dataset, ready: Prepared, mapping: _Mapping) -> xr.Dataset:
    """Return draws under our names, dims and labels."""
    _check_intercept(model, posterior, mapping.reading.fixed)
    design = ready.design
    variables = fixed_variables(design, mapping.reading.fixed, mapping.fixed, posterior)
    for group, match in zip(design.groups, mapping.groups, strict=True):
        variables |= group_variables(group, match, posterior)
    for name in ready.family.auxiliary:
        alias = mapping.auxiliary[name].alias
        names = [n for n in (alias, name, f"{response_term(model).name}_{name}") if n]
        variables[name] = ((CHAIN, DRAW), scalar_variable(posterior, names, name))
    return xr.Dataset(variables, coords=coordinates(design, (posterior.sizes[CHAIN], posterior.sizes[DRAW])))


def _check_intercept(model: Any, posterior: xr.Dataset, terms: tuple[BambiTerm, ...]) -> None:
    """Bambi samples the intercept of centered columns and moves it to zero afterwards, when it signs the draws."""
    constant = any(t.text == CONSTANT for t in terms)
    moved = model.center_predictors and constant and len(terms) > 1
    if moved and posterior.attrs.get("modeling_interface") != BAMBI:
        raise ArgumentError(
            "the draws are not signed by Bambi, so their intercept may be that of the centered columns",
            where="posterior, attribute modeling_interface",
            fix="pass what model.fit() returned (not the draws of a variational approximation), with its attributes",
        )


def _check_data(idata: Any, design: Design) -> None:
    """Refuse draws that were made from another response than the model's."""
    observed = _optional(idata, "observed_data")
    stored = [v.to_numpy() for v in observed.data_vars.values() if v.dtype.kind in "bifu"]
    if not stored:
        return
    same = (v.shape == design.y.shape and np.allclose(v.astype(float), design.y, rtol=SAME_DATA, atol=0.0) for v in stored)
    if not any(same):
        where = ", ".join(str(n) for n in observed.data_vars)
        raise ArgumentError("the response that is stored with the draws is not the model's", where=where, fix=_FIX)


def _with_priors(ready: Prepared, mapping: _Mapping, unknown: UnknownPriors) -> tuple[Prepared, tuple[str, ...]]:
    """Return the model with Bambi's priors in its spec and record, and what stands in for those that have no counterpart."""
    auxiliary = {name: c.prior for name, c in mapping.auxiliary.items()}
    priors, missing = model_priors(ready.design, mapping.reading.fixed, mapping.groups, mapping.fixed, auxiliary)
    if missing and unknown == "error":
        fix = "unknown_priors='default' takes the draws all the same and records default priors in their place"
        raise PriorError("Bambi priors have no counterpart", where="; ".join(missing), fix=fix)
    spec = replace(ready.spec, priors=check_priors(priors, functions=ready.spec.functions))
    stand_ins = tuple(f"the recorded prior stands in for {m}" for m in missing)
    return replace(ready, spec=spec, priors=resolve_priors(spec, ready.design, ready.family, ready.link)), stand_ins


def _statistics(idata: Any, posterior: xr.Dataset) -> xr.Dataset:
    """Sampler statistics that are one number per draw, under ArviZ's names."""
    stats = _optional(idata, "sample_stats")
    renamed = {old: new for old, new in STATISTICS.items() if old in stats and (new == old or new not in stats)}
    coords = {d: posterior[d] for d in naming.SAMPLE_DIMS}
    kept = {
        renamed.get(str(n), str(n)): ((CHAIN, DRAW), v.transpose(CHAIN, DRAW).to_numpy())
        for n, v in stats.data_vars.items()
        if set(v.dims) == set(naming.SAMPLE_DIMS) and v.dtype.kind in "bifu"
    }
    return xr.Dataset(kept, coords=coords)


def _provenance(model: Any, idata: Any, ready: Prepared, mapping: _Mapping, notes: tuple[str, ...]) -> Provenance:
    """Say what is known: draws, chains, tuning steps and time; the seed is not recorded by Bambi."""
    posterior = _group_of(idata, "posterior")
    known = {**_optional(idata, "sample_stats").attrs, **posterior.attrs}
    chains, draws = posterior.sizes[CHAIN], posterior.sizes[DRAW]
    tune = int(known.get("tuning_steps") or 0)
    release = str(known.get("modeling_interface_version") or _version(BAMBI))
    reason = "; ".join([f"fitted with Bambi {release}, seed and target acceptance not recorded", *notes])
    return Provenance(
        engine=BAMBI,
        engine_reason=reason,
        parameterization=tuple(_form(model, g.name, g.position, m) for g, m in zip(ready.design.groups, mapping.groups, strict=True)),
        settings=Settings(draws, tune, chains, 0, 0.8, 10, None),
        seed_given=False,
        chains_obtained=chains,
        draws_obtained=draws,
        data_hash=hash_frame(ready.frame),
        versions=(*package_versions(), (BAMBI, release)),
        created=str(known.get("created_at") or datetime.now(UTC).isoformat(timespec="seconds")),
        seconds=float(known.get("sampling_time") or 0.0),
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _form(model: Any, name: str, position: int, match: GroupMatch) -> tuple[str, SampledForm]:
    """How a covariance block was sampled: centered, non-centered, or some effects each way."""
    given, parent = model.noncentered, main_component(model).name
    default = given.get(parent, True) if isinstance(given, Mapping) else given
    asked = {bool(default if t.prior.noncentered is None else t.prior.noncentered) for t, _ in match.places}
    form: SampledForm = "partial" if len(asked) > 1 else "noncentered" if True in asked else "centered"
    return naming.block(name, position), form


def _fit(ready: Prepared, posterior: xr.Dataset, stats: xr.Dataset, provenance: Provenance) -> Fit:
    """Draws, data, verdict and provenance as one record; warns when the draws should be looked at first."""
    design = ready.design
    quality = judge_run(posterior, stats, design, ready.family, provenance.settings)
    columns = {"offset": design.offset, "weights": design.weights, "trials": design.trials, "se": design.se}
    attributes = {"modeling_interface": BAMBI, "created_at": provenance.created, "sampling_time": provenance.seconds}
    constant = {k: v for k, v in columns.items() if v is not None}
    tree = make_tree(posterior, stats, {design.response: design.y}, constant, attributes)
    if quality.verdict != "ok":
        warnings.warn(str(quality), QualityWarning, stacklevel=3)
    return Fit(ready.spec, design, ready.frame, ready.priors, tree, quality, provenance)
