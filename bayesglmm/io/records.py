"""The description in a fit file: everything about a fit that is no array, as JSON, and back through the same checks as any input."""

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from bayesglmm.design.table import DroppedRows
from bayesglmm.errors import BayesglmmError, FitFileError
from bayesglmm.fit.provenance import Provenance, Settings
from bayesglmm.io.shapes import Maybe, Pairs, check_shape, parse_json
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import LKJ, Prior, ResolvedPriors, prior_from_dict, prior_to_dict
from bayesglmm.spec.schema import spec_from_dict, spec_to_dict
from bayesglmm.types import EffectDraws, SampledForm, choices

FORMAT = "bayesglmm fit"
SCHEMA = 1
_SETTINGS = {
    "draws": int,
    "tune": int,
    "chains": int,
    "seed": int,
    "target_accept": float,
    "max_treedepth": int,
    "cores": Maybe(int),
    "effects": str,
}
_PROVENANCE = {
    "engine": str,
    "engine_reason": str,
    "parameterization": Pairs(str),
    "settings": _SETTINGS,
    "seed_given": bool,
    "chains_obtained": int,
    "draws_obtained": int,
    "data_hash": str,
    "versions": Pairs(str),
    "created": str,
    "seconds": float,
}
_SHAPE = {
    "format": str,
    "schema": int,
    "spec": dict,
    "functions": [str],
    "priors": {"intercept": Maybe(dict), "b": [dict], "sd": [[dict]], "cor": [Maybe(dict)], "aux": Pairs(dict)},
    "provenance": _PROVENANCE,
    "dropped": {"total": int, "kept": int, "by_column": Pairs(int)},
    "frame": [{"name": str, "kind": str, "dtype": str, "ordered": bool}],
    "names": Pairs(str),
    "probe": {"rows": [int], "draw": int, "log_likelihood": float},
}
COLUMN_KINDS = frozenset({"number", "bool", "category", "text"})


@dataclass(frozen=True, slots=True)
class Probe:
    """A number that a loaded fit must give again: the log likelihood of some rows at one draw.

    Attributes
    ----------
    rows
        Rows, counted from 0.
    draw
        The draw, chains one after the other.
    log_likelihood
        Sum over the rows.
    """

    rows: tuple[int, ...]
    draw: int
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class FitRecord:
    """A fit without its arrays.

    Attributes
    ----------
    spec, priors, provenance, dropped
        As on the fit and its design.
    columns
        How each stored column is read (:mod:`bayesglmm.io.frames`).
    names
        The names in the file that stand for names which NetCDF cannot hold.
    probe
        The number to be recomputed.
    """

    spec: ModelSpec
    priors: ResolvedPriors
    provenance: Provenance
    dropped: DroppedRows
    columns: tuple[Mapping[str, Any], ...]
    names: Mapping[str, str]
    probe: Probe


def describe(record: FitRecord) -> dict[str, Any]:
    """Write the record as JSON values."""
    provenance = dataclasses.asdict(record.provenance)
    provenance |= {"parameterization": dict(record.provenance.parameterization), "versions": dict(record.provenance.versions)}
    dropped = record.dropped
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "spec": spec_to_dict(record.spec),
        "functions": list(record.spec.functions),
        "priors": _describe_priors(record.priors),
        "provenance": provenance,
        "dropped": {"total": dropped.total, "kept": dropped.kept, "by_column": dict(dropped.by_column)},
        "frame": [dict(c) for c in record.columns],
        "names": dict(record.names),
        "probe": {"rows": list(record.probe.rows), "draw": record.probe.draw, "log_likelihood": record.probe.log_likelihood},
    }


def canonical(description: Mapping[str, Any]) -> str:
    """Return the one text of a description; keys stay in their order, which some of them carry meaning by."""
    return json.dumps(description, ensure_ascii=True, allow_nan=False)


def seal(description: Mapping[str, Any], digest: str) -> str:
    """Return the text that is stored: the description, and the digest of everything in the file."""
    return json.dumps({"content": digest, "record": description}, ensure_ascii=True, allow_nan=False)


def unseal(text: str, where: str) -> tuple[dict[str, Any], str]:
    """Read description and digest, all types checked.

    Raises
    ------
    FitFileError
        If the text is no description of a fit, or follows another version of the schema.
    """
    outer = parse_json(text, where)
    check_shape(outer, {"content": str, "record": dict}, where)
    record = outer["record"]
    if record.get("format") != FORMAT:
        raise FitFileError("the file does not describe a fit", where=where, fix="pass a file that bayesglmm's save() wrote")
    if record.get("schema") != SCHEMA:
        fix = "load it with the version of bayesglmm that wrote it, or a newer one"
        raise FitFileError(
            f"the file follows version {record.get('schema')!r} of the schema, this package reads version {SCHEMA}", where=where, fix=fix
        )
    check_shape(record, _SHAPE, where)
    if any(c["kind"] not in COLUMN_KINDS for c in record["frame"]):
        raise FitFileError("a stored column is of an unknown kind", where=where)
    return record, outer["content"]


def restore(description: Mapping[str, Any], where: str, *, functions: Collection[str] = frozenset()) -> FitRecord:
    """Make the record of a description; the formula passes the gate, priors and addresses their own checks.

    Parameters
    ----------
    description
        What :func:`unseal` returned.
    where
        The file, for messages.
    functions
        Names of the user's own functions that were passed by the caller: the formula may call those that the file names too.

    Raises
    ------
    FitFileError
        If a formula, prior or setting is one that no fit can have, or a function that the formula calls was not passed.
    """
    missing = [f for f in description["functions"] if f not in functions]
    if missing:
        fix = f"pass them, load(path, functions={{{missing[0]!r}: ...}}); a file never brings code"
        raise FitFileError("the formula of this fit calls functions of its author", where=", ".join(missing), fix=fix)
    try:
        spec = spec_from_dict(description["spec"], where, functions=description["functions"])
        priors = _restore_priors(description["priors"])
    except BayesglmmError as error:
        raise FitFileError(f"the model in the file is refused: {error.what}", where=error.where or where, fix=error.fix) from error
    dropped, probe = description["dropped"], description["probe"]
    return FitRecord(
        spec=spec,
        priors=priors,
        provenance=_restore_provenance(description["provenance"], where),
        dropped=DroppedRows(dropped["total"], dropped["kept"], tuple(dropped["by_column"].items())),
        columns=tuple(description["frame"]),
        names=description["names"],
        probe=Probe(tuple(probe["rows"]), probe["draw"], float(probe["log_likelihood"])),
    )


def _describe_priors(priors: ResolvedPriors) -> dict[str, Any]:
    return {
        "intercept": _maybe_dict(priors.intercept),
        "b": [prior_to_dict(p) for p in priors.b],
        "sd": [[prior_to_dict(p) for p in group] for group in priors.sd],
        "cor": [_maybe_dict(p) for p in priors.cor],
        "aux": {name: prior_to_dict(p) for name, p in priors.aux},
    }


def _restore_priors(stored: Mapping[str, Any]) -> ResolvedPriors:
    return ResolvedPriors(
        intercept=_maybe_prior(stored["intercept"]),
        b=tuple(prior_from_dict(p) for p in stored["b"]),
        sd=tuple(tuple(prior_from_dict(p) for p in group) for group in stored["sd"]),
        cor=tuple(_maybe_correlation(p) for p in stored["cor"]),
        aux=tuple((name, prior_from_dict(p)) for name, p in stored["aux"].items()),
    )


def _maybe_dict(prior: Prior | None) -> dict[str, Any] | None:
    return None if prior is None else dict(prior_to_dict(prior))


def _maybe_prior(stored: Mapping[str, Any] | None) -> Prior | None:
    return None if stored is None else prior_from_dict(stored)


def _maybe_correlation(stored: Mapping[str, Any] | None) -> LKJ | None:
    prior = _maybe_prior(stored)
    if prior is not None and not isinstance(prior, LKJ):
        raise FitFileError("the prior of a correlation matrix is no LKJ", where=prior.text)
    return prior


def _restore_provenance(stored: Mapping[str, Any], where: str) -> Provenance:
    settings = Settings(**stored["settings"])
    forms = tuple(stored["parameterization"].items())
    counts = (settings.draws, settings.chains, stored["chains_obtained"], stored["draws_obtained"])
    more = stored["chains_obtained"] > settings.chains or stored["draws_obtained"] > settings.draws
    unknown = any(form not in choices(SampledForm) for _, form in forms) or settings.effects not in choices(EffectDraws)
    if unknown or min(counts) < 1 or more:
        raise FitFileError("settings that no run can have", where=where)
    return Provenance(**{**stored, "settings": settings, "parameterization": forms, "versions": tuple(stored["versions"].items())})
