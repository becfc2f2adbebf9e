"""The same model with one thing changed: what is not named stays."""

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from bayesglmm.api import glmm
from bayesglmm.bridge.bambi_priors import convert_priors
from bayesglmm.design.prepare import expression_of, family_and_link, prepare
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.errors import ArgumentError, ColumnError, DesignWarning, FormulaError, PriorError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.spec.addresses import parse_address
from bayesglmm.spec.formula import ParsedFormula, parse_formula
from bayesglmm.spec.model_spec import make_spec
from bayesglmm.spec.priors import Prior
from bayesglmm.spec.vocabulary import nearest
from bayesglmm.workflows.update_formula import update_formula

_ARGUMENTS = tuple(name for name in inspect.signature(glmm).parameters if name not in ("formula", "data"))
_SETTINGS = ("draws", "tune", "chains", "target_accept", "max_treedepth", "cores", "effects")
_EXAMPLES = {"priors": "{'b': Normal(0, 2.5)}", "contrasts": "{'drug': 'sum'}", "functions": "{'double': double}"}


@takes_fit
def update(fit: Fit, formula: str | None = None, data: Any = None, **changes: Any) -> Fit:
    """Fit a model again with some things changed; what is not named stays as it was.

    Parameters
    ----------
    fit
        The fit to start from.
    formula
        ``. ~ . + z``: ``.`` stands for the old left or right side; ``- x``, ``- (1 | g)`` and ``- offset(e)`` take terms away, anything
        else is added. Without a ``.`` on the right the right-hand side is new. None keeps the formula.
    data
        A table. None takes the columns that the fit keeps, which are those that its formula reads, without the rows that were dropped.
    **changes
        Arguments of :func:`bayesglmm.api.glmm` under their names. ``priors`` are laid over the old ones by address, None drops all;
        ``contrasts`` and ``functions`` are added to the old ones; ``weights`` and ``offset`` replace the old ones, None takes them out.
        Without ``family`` or ``link`` both stay; a new family brings its own link.

    Returns
    -------
    Fit
        A new fit; the old one is not changed. Sampler settings stay, and the seed if it was given; ``engine``, ``parameterization`` and
        ``integrate`` are chosen anew unless named.

    Raises
    ------
    ArgumentError
        If an argument is not known, or priors, contrasts or functions are no mapping.
    ColumnError
        If the fit does not keep a column that the new formula reads; names it.
    BayesglmmError
        As for :func:`bayesglmm.api.glmm`.

    Warns
    -----
    DesignWarning
        If priors were set for terms that are no longer in the model: they are left out, and named.

    Examples
    --------
    >>> import bayesglmm as bg
    >>> fit = bg.glmm("Reaction ~ Days + (1 | Subject)", bg.datasets.load("sleepstudy"), seed=1)  # doctest: +SKIP
    >>> bg.update(fit, ". ~ . - (1 | Subject) + (Days | Subject)", chains=8)  # doctest: +SKIP
    """
    _check_names(changes)
    changes = {**changes, **_beside(fit, data, changes)}
    functions = {**fit.design.encoding.functions, **_mapping(changes, "functions")}
    parsed = parse_formula(_formula(fit, formula, changes, tuple(functions)), functions=tuple(functions))
    model = {**_model(fit, parsed, changes), "functions": functions}
    table = _own_table(fit, parsed, model) if data is None else data
    kept = _kept_priors(fit, parsed.text, table, model, changes)
    missing = {"missing": "drop"} if data is not None and fit.design.dropped.dropped else {}
    rest = {k: v for k, v in changes.items() if k not in model and k != "priors"}
    return glmm(parsed.text, table, **model, priors=kept or None, **{**_settings(fit, changes), **missing, **rest})


def _check_names(changes: Mapping[str, Any]) -> None:
    for name in changes:
        if name not in _ARGUMENTS:
            raise ArgumentError(f"{name}= is no argument of a fit", fix=f"{nearest(name, _ARGUMENTS)}Arguments: {', '.join(_ARGUMENTS)}")


def _beside(fit: Fit, data: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Weights and offset that are named anew, as expressions."""
    table = fit.frame if data is None else data
    try:
        return {name: expression_of(changes[name], table) for name in ("weights", "offset") if name in changes}
    except FormulaError as error:
        more = "" if data is not None else ". A fit keeps only the columns that it used: for others pass the whole table, data=table"
        raise FormulaError(error.what, where=error.where, fix=f"{error.fix or ''}{more}") from error


def _mapping(changes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a change that goes by name; it is laid over what was there."""
    value = changes.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise ArgumentError(f"{name}= takes a mapping, not {type(value).__name__}", fix=f"for example {name}={_EXAMPLES[name]}")
    return value or {}


def _formula(fit: Fit, formula: str | None, changes: Mapping[str, Any], functions: tuple[str, ...]) -> str:
    """Return the new formula; weights and offsets that are named anew leave the old one first."""
    old = fit.spec.parsed
    if old.response is not None and "weights" in changes:
        old = replace(old, response=replace(old.response, weights=None))
    if "offset" in changes:
        old = replace(old, offsets=())
    return old.text if formula is None else update_formula(old, formula, functions=functions)


def _model(fit: Fit, parsed: ParsedFormula, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``glmm`` that say what the model is, besides formula and priors; contrasts of columns that it does not read leave."""
    spec = fit.spec
    family = changes.get("family", spec.family)
    contrasts = {column: name for column, name in spec.contrasts if column in parsed.columns}
    return {
        "family": family,
        "link": changes.get("link", spec.link if family == spec.family else None),
        "center": changes.get("center", spec.center),
        "contrasts": {**contrasts, **_mapping(changes, "contrasts")},
        "weights": changes.get("weights"),
        "offset": changes.get("offset"),
    }


def _own_table(fit: Fit, parsed: ParsedFormula, model: Mapping[str, Any]) -> pd.DataFrame:
    """Return the columns that the fit keeps, when they are all that is needed."""
    needed = dict.fromkeys((*parsed.columns, *_extra_columns(parsed, model)))
    missing = [name for name in needed if name not in fit.frame.columns]
    if missing:
        kept = ", ".join(repr(str(c)) for c in fit.frame.columns)
        where = f"column {', '.join(repr(m) for m in missing)}; the fit keeps {kept}"
        raise ColumnError(
            "a fit keeps only the columns that it used", where=where, fix="pass the whole table, update(fit, ..., data=table)"
        )
    return fit.frame


def _extra_columns(parsed: ParsedFormula, model: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns that weights and offset beside the formula read."""
    options = {k: model[k] for k in ("weights", "offset") if model[k] is not None}
    if not options:
        return ()
    spec = make_spec(parsed.text, family="gaussian", link="identity", functions=tuple(model["functions"]), **options)
    return spec.columns


def _settings(fit: Fit, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Sampler settings of the fit; those that are not on record are left to their defaults."""
    settings = {name: getattr(fit.provenance.settings, name) for name in _SETTINGS}
    if fit.provenance.seed_given and "random_seed" not in changes:
        settings["seed"] = fit.provenance.settings.seed
    return {name: value for name, value in settings.items() if value or name == "seed"}


def _kept_priors(fit: Fit, formula: str, data: Any, model: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Prior]:
    """Old priors whose parameters are still there, under the new ones."""
    functions = tuple(model["functions"])
    new = convert_priors(_mapping(changes, "priors"))
    if "priors" in changes and changes["priors"] is None:
        return {}
    named = {parse_address(text, functions=functions).key for text in new}
    old = {text: p for text, p in fit.spec.priors if parse_address(text, functions=functions).key not in named}
    gone = _not_addressed(old, formula, data, model) if old else []
    if gone:
        warnings.warn(f"priors of what is no longer in the model are left out: {', '.join(gone)}", DesignWarning, stacklevel=3)
    return {**{text: p for text, p in old.items() if text not in gone}, **new}


def _not_addressed(priors: Mapping[str, Prior], formula: str, data: Any, model: Mapping[str, Any]) -> list[str]:
    """Addresses that no parameter of the new model has."""
    family, link = family_and_link(model["family"], model["link"])
    options = {k: v for k, v in model.items() if k not in ("family", "link")}
    spec = make_spec(formula, family=family.name, link=link.name, **{**options, "functions": tuple(options["functions"])})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DesignWarning)
        ready = prepare(spec, data, missing="drop", functions=model["functions"])
    gone = []
    for text, prior in priors.items():
        try:
            resolve_priors(replace(ready.spec, priors=((text, prior),)), ready.design, ready.family, ready.link)
        except PriorError:
            gone.append(text)
    return gone
