"""The chain of stages: formula to spec, table to design, both to one density, NUTS to draws, draws to a fit. Nothing else happens here."""

import sys
import time
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bayesglmm.bridge.bambi_priors import convert_priors
from bayesglmm.design.prepare import Functions, Prepared, expression_of, family_and_link, prepare
from bayesglmm.errors import NotBuiltError, QualityWarning
from bayesglmm.fit.draws import make_tree
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.provenance import Provenance, hash_frame, package_versions
from bayesglmm.post.door import check_formula
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.prior_predictive import prior_draws
from bayesglmm.post.prior_summary import prior_table
from bayesglmm.post.result import Result
from bayesglmm.sampler.engines import Asked, asked_forms, plain_forms, run_sampler
from bayesglmm.sampler.nutpie import RawDraws
from bayesglmm.sampler.run import judge_run
from bayesglmm.sampler.settings import make_settings, one_seed
from bayesglmm.spec.model_spec import ModelSpec, make_spec
from bayesglmm.spec.priors import Prior
from bayesglmm.spec.schema import ModelFile
from bayesglmm.types import EffectDraws, Engine, Integrate, Missing, Parameterization, check_choice


def glmm(
    formula: str,
    data: Any,
    *,
    family: str = "gaussian",
    link: str | None = None,
    priors: Mapping[str, Prior] | None = None,
    residual: None = None,
    offset: str | None = None,
    weights: str | None = None,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    seed: int | None = None,
    cores: int | None = None,
    target_accept: float | None = None,
    max_treedepth: int | None = None,
    engine: Engine = "auto",
    parameterization: Parameterization | Mapping[str, Parameterization] = "auto",
    integrate: Integrate = "auto",
    effects: EffectDraws = "float64",
    center: bool = True,
    missing: Missing = "error",
    contrasts: Mapping[str, str] | None = None,
    progress: bool | None = None,
    store: None = None,
    functions: Functions | None = None,
    random_seed: int | None = None,
) -> Fit:
    r"""Fit a Bayesian generalized linear mixed model.

    .. math:: y_{ij} \mid b_j \sim \text{family}(h(x_{ij}'\beta + z_{ij}'b_j)), \qquad b_j \sim N(0, D)

    Parameters
    ----------
    formula
        lme4's grammar: ``low ~ obstime * drug + (1 | patient)``, ``k | trials(n) ~ x + (x | g)``, ``y ~ x + (1 | school/class)``.
    data
        A table: pandas, polars, pyarrow, a DuckDB relation or a mapping of arrays. Never changed.
    family
        ``gaussian``, ``bernoulli``, ``binomial`` or ``poisson``.
    link
        The family's default when None.
    priors
        By address: ``{"b": bg.Normal(0, 2.5), "sd[patient]": bg.Exponential(1), "cor": bg.LKJ(2)}``; what is not named keeps its default,
        which :func:`prior_summary` shows. A ``bambi.Prior`` is accepted where it means the same.
    residual
        Residual correlation; not part of this version.
    offset, weights
        Names of columns, with or without back-quotes, or expressions; the same as ``offset(...)`` and ``y | weights(...)`` in the formula.
        A weight multiplies a row's log likelihood.
    draws, tune, chains
        Draws and warm-up draws per chain, and chains. Default 1000, 1000, 4.
    seed
        Integer; the same seed gives the same draws. When None a fresh one is taken and recorded. ``random_seed`` is an alias.
    cores
        Chains that run at the same time; all processors when None.
    target_accept, max_treedepth
        NUTS settings. Default 0.8 and 10.
    engine
        ``auto``, ``kernel`` (compiled once for all models) or ``pymc``; ``auto`` takes the kernel when it has every part of the model. The
        fit says which ran and why.
    parameterization
        ``auto``, ``centered`` or ``noncentered``, for all grouping factors or by name; the fit says what was chosen.
    integrate
        ``auto`` integrates random effects out before sampling where that pays and draws them afterwards, ``all`` wherever it is possible,
        ``none`` never. The posterior is the same; the fit says what was done.
    effects
        Precision of the kept draws of random effects: ``float64``, ``float32`` (half the memory), or ``none`` to keep only the other
        parameters.
    center
        Whether the intercept's prior refers to the columns at their means (default) or at zero. The intercept reported is always the one
        at zero.
    missing
        ``error``, or ``drop`` to leave out rows with missing values and count them.
    contrasts
        Coding of categorical columns: ``{"drug": "sum"}``. Default: treatment, the first level is the reference.
    progress
        Show a bar; when None, on a terminal and in notebooks.
    store
        A folder for draws that survive a crash; not part of this version.
    functions
        Functions of your own that the formula may call, by name: ``{"f": f}``.
    random_seed
        Alias of ``seed``.

    Returns
    -------
    Fit
        Spec, design, draws, verdict, provenance.

    Raises
    ------
    BayesglmmError
        A subclass per kind of mistake (:mod:`bayesglmm.errors`); nothing is sampled then.

    Warns
    -----
    DesignWarning
        The design can be fitted but may not mean what its author thinks.
    QualityWarning
        The draws should be looked at before they are used, or the run is partial.

    Examples
    --------
    >>> import bayesglmm as bg
    >>> fit = bg.glmm("Reaction ~ Days + (Days | Subject)", bg.datasets.load("sleepstudy"), seed=1)  # doctest: +SKIP
    """
    chosen = family_and_link(family, link)
    spec = make_spec(
        formula,
        family=chosen[0].name,
        link=chosen[1].name,
        priors=convert_priors(priors),
        center=center,
        contrasts=contrasts,
        functions=tuple(functions or ()),
        weights=expression_of(weights, data),
        offset=expression_of(offset, data),
    )
    _refuse_later_parts(residual=residual, store=store)
    return fit_spec(
        spec,
        data,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        cores=cores,
        target_accept=target_accept,
        max_treedepth=max_treedepth,
        engine=engine,
        parameterization=parameterization,
        integrate=integrate,
        effects=effects,
        missing=missing,
        progress=progress,
        functions=functions,
        random_seed=random_seed,
    )


def fit_spec(
    spec: ModelSpec | ModelFile,
    data: Any = None,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int | None = None,
    seed: int | None = None,
    cores: int | None = None,
    target_accept: float | None = None,
    max_treedepth: int | None = None,
    engine: Engine = "auto",
    parameterization: Parameterization | Mapping[str, Parameterization] = "auto",
    integrate: Integrate = "auto",
    effects: EffectDraws = "float64",
    missing: Missing | None = None,
    progress: bool | None = None,
    functions: Functions | None = None,
    random_seed: int | None = None,
) -> Fit:
    """Fit a spec, or a model file read with :func:`load_spec`.

    Parameters
    ----------
    spec
        A :class:`ModelSpec`, or a :class:`ModelFile` whose data set and sampler settings are used where nothing else is given.
    data
        A table; None takes the data set that the model file names.
    draws, tune, chains, seed, cores, target_accept, max_treedepth, engine, parameterization, integrate, effects, missing, progress
        As for :func:`glmm`; what is not given comes from the model file, then from the defaults.
    functions, random_seed
        As for :func:`glmm`.

    Returns
    -------
    Fit
        Spec, design, draws, verdict, provenance.

    Raises
    ------
    BayesglmmError
        As for :func:`glmm`.
    """
    asked = {"draws": draws, "tune": tune, "chains": chains, "target_accept": target_accept, "max_treedepth": max_treedepth}
    given_seed = one_seed(seed, random_seed)
    settings = make_settings(
        {**_file_sampler(spec), **{k: v for k, v in asked.items() if v is not None}}, seed=given_seed, cores=cores, effects=effects
    )
    check_choice("engine", engine, Engine)
    check_choice("integrate", integrate, Integrate)
    for form in [parameterization] if isinstance(parameterization, str) else parameterization.values():
        check_choice("parameterization", form, Parameterization)
    ready = prepare(spec, data, missing=missing, functions=functions)
    begin = time.perf_counter()
    run = run_sampler(ready, Asked(engine, integrate, parameterization, _shows_progress(progress)), settings)
    provenance = Provenance(
        engine=run.engine,
        engine_reason=run.reason,
        parameterization=tuple(run.forms.items()),
        settings=settings,
        seed_given=given_seed is not None,
        chains_obtained=run.raw.posterior.sizes["chain"],
        draws_obtained=run.raw.posterior.sizes["draw"],
        data_hash=hash_frame(ready.frame),
        versions=package_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - begin,
    )
    return finish(ready, run.raw, provenance)


def finish(ready: Prepared, raw: RawDraws, provenance: Provenance) -> Fit:
    """Draws, data, verdict and provenance as one record; warns when the draws should be looked at first."""
    design = ready.design
    quality = judge_run(raw.posterior, raw.sample_stats, design, ready.family, provenance.settings)
    columns = {"offset": design.offset, "weights": design.weights, "trials": design.trials, "se": design.se}
    constant = {k: v for k, v in columns.items() if v is not None}
    attributes = {
        "modeling_interface": "bayesglmm",
        "inference_library": "nutpie",
        "created_at": provenance.created,
        "sampling_time": provenance.seconds,
        "tuning_steps": provenance.settings.tune,
    }
    tree = make_tree(raw.posterior, raw.sample_stats, {design.response: design.y}, constant, attributes)
    if provenance.partial:
        warnings.warn(f"partial run: {provenance.obtained}", QualityWarning, stacklevel=4)
    if quality.verdict != "ok":
        warnings.warn(str(quality), QualityWarning, stacklevel=4)
    return Fit(ready.spec, design, ready.frame, ready.priors, tree, quality, provenance)


def pymc_model(
    spec: ModelSpec | ModelFile | Fit, data: Any = None, *, parameterization: Parameterization = "auto", functions: Functions | None = None
) -> Any:
    """Return the ``pymc.Model`` with the density that is sampled: to read, draw, extend or sample yourself.

    Parameters
    ----------
    spec
        A spec, a model file, or a fit (whose data and centering are then used).
    data
        A table; not needed for a fit, nor for a model file that names its data set.
    parameterization
        ``auto``, ``centered`` or ``noncentered``.
    functions
        Functions of your own that the formula may call.

    Returns
    -------
    pymc.Model
        Not sampled, nothing compiled.

    Raises
    ------
    BayesglmmError
        If anything about the spec or the data is wrong.
    """
    from bayesglmm.model.build import build_model

    if isinstance(spec, Fit):
        forms = spec.provenance.parameterization
        chosen: dict[str, Parameterization] = {b: "centered" if form == "centered" else "noncentered" for b, form in forms}
        return build_model(spec.spec, spec.design, spec.priors, family=spec.family, parameterization=chosen)
    ready = prepare(spec, data, functions=functions)
    check_choice("parameterization", parameterization, Parameterization)
    chosen = plain_forms(asked_forms(ready.design, parameterization))
    return build_model(ready.spec, ready.design, ready.priors, family=ready.family, parameterization=chosen)


def prior_summary(
    spec: ModelSpec | ModelFile | Fit | str, data: Any = None, *, family: str = "gaussian", link: str | None = None
) -> Result:
    """Every prior with its numbers and what it implies on the scale of the response.

    Parameters
    ----------
    spec
        A spec, a model file, a fit, or a formula (then ``family`` and ``link`` count).
    data
        A table; not needed for a fit, nor for a model file that names its data set.
    family, link
        For a formula.

    Returns
    -------
    Result
        One row per parameter: address, prior, and what it implies (probabilities, odds or rate ratios, units of the response).

    Raises
    ------
    BayesglmmError
        If anything about the spec or the data is wrong.
    """
    given = _with_priors(spec, data, family, link)
    return prior_table(given.spec, given.design, given.priors)


def prior_predictive(
    spec: ModelSpec | ModelFile | Fit | str,
    data: Any = None,
    *,
    family: str = "gaussian",
    link: str | None = None,
    draws: int = 1000,
    seed: int | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    """Draw parameters from their priors and responses given them: what the priors say before the data do.

    Parameters
    ----------
    spec, data, family, link
        As for :func:`prior_summary`.
    draws, seed
        Draws from the priors, and the seed of their random numbers; a fresh one when None, which the notes name.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        As :func:`bayesglmm.post.prior_predictive.prior_draws` says.

    Raises
    ------
    BayesglmmError
        If anything about the arguments, the spec or the data is wrong.
    """
    choice = make_interval(ci_prob, ci_kind)
    given = _with_priors(spec, data, family, link)
    return prior_draws(given.spec, given.design, given.priors, draws=draws, seed=seed, choice=choice)


def _with_priors(spec: ModelSpec | ModelFile | Fit | str, data: Any, family: str, link: str | None) -> Fit | Prepared:
    """Return the model with its arrays and priors: of a fit, or of a spec or formula and a table."""
    if isinstance(spec, Fit):
        return spec
    check_formula(spec, "a spec, a model file, a fit or a formula")
    if isinstance(spec, str):
        chosen = family_and_link(family, link)
        spec = make_spec(spec, family=chosen[0].name, link=chosen[1].name)
    return prepare(spec, data)


def _refuse_later_parts(*, residual: object, store: object) -> None:
    if residual is not None:
        raise NotBuiltError("residual correlation is not part of this version", where="residual=", fix="leave it out")
    if store is not None:
        raise NotBuiltError(
            "a crash-safe store is not part of this version", where="store=", fix="leave it out and save the fit with bg.save"
        )


def _file_sampler(spec: ModelSpec | ModelFile) -> dict[str, int | float]:
    return dict(spec.sampler) if isinstance(spec, ModelFile) else {}


def _shows_progress(progress: bool | None) -> bool:
    """On a terminal and in notebooks, unless the user says."""
    if progress is not None:
        return progress
    return sys.stderr.isatty() or "ipykernel" in sys.modules
