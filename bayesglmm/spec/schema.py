"""Model files: from TOML, or the plain dict it holds, to records and back.

A file is data from others: its keys are checked against the schema, its numbers and texts for their type, its formula and
derived columns by the gate. It names entries of registries and can bring no code; functions of one's own come only from
the caller.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from bayesglmm.errors import BayesglmmError, SpecError
from bayesglmm.spec.checks import known_keys, mapping_of, number, read_text, texts, typed
from bayesglmm.spec.gate import check_expression
from bayesglmm.spec.model_spec import ModelSpec, make_spec
from bayesglmm.spec.priors import Prior, prior_from_dict, prior_to_dict
from bayesglmm.spec.tokenizer import name_problem
from bayesglmm.types import Missing

SCHEMA = 1
MAX_BYTES = 1_000_000

_SPEC_KEYS = ("formula", "family", "link", "center", "contrasts", "priors")
_FILE_KEYS = ("schema", "name", "title", "description", *_SPEC_KEYS, "sampler", "data", "references", "keywords")
_DATA_KEYS = ("dataset", "missing", "derive")
_COUNTS = ("draws", "tune", "chains", "max_treedepth")
_SAMPLER_KEYS = (*_COUNTS, "target_accept")


@dataclass(frozen=True, slots=True)
class DataSource:
    """Which data a model file is about.

    Attributes
    ----------
    dataset
        Name of a data set; empty when the file names none.
    missing
        What happens to rows with missing values.
    derive
        New columns and the expressions that make them, in order; each may use those before it.
    """

    dataset: str = ""
    missing: Missing = "error"
    derive: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model with its name, its data and its literature.

    Attributes
    ----------
    spec
        The model.
    name, title, description
        For people; the name is the file's name.
    data
        What it is fitted to.
    sampler
        Settings that differ from the defaults.
    references
        Keys of the literature.
    keywords
        For searching.
    """

    spec: ModelSpec
    name: str = ""
    title: str = ""
    description: str = ""
    data: DataSource = DataSource()
    sampler: tuple[tuple[str, int | float], ...] = ()
    references: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


def load_spec(path: str | PathLike[str], *, functions: Collection[str] = frozenset()) -> ModelFile:
    """Read a model file.

    Parameters
    ----------
    path
        A TOML file of at most 1 MB.
    functions
        Names of the user's own functions that its formula may call.

    Returns
    -------
    ModelFile
        The spec, with its name, data set, sampler settings and references.

    Raises
    ------
    SpecError
        No such file, too large, not TOML, an unknown key, a wrong type. Errors of formula and priors name the file too.
    """
    if not isinstance(path, str | PathLike):
        raise SpecError(f"a model file is named by its path, not by a {type(path).__name__}", fix="give the name of a TOML file")
    return loads_spec(read_text(Path(path), MAX_BYTES), str(path), functions=functions)


def loads_spec(text: str, where: str = "model file", *, functions: Collection[str] = frozenset()) -> ModelFile:
    """Read a model file's text; see :func:`load_spec`.

    Parameters
    ----------
    text
        TOML.
    where
        Where the text comes from, for messages.
    functions
        Names of the user's own functions that its formula may call.
    """
    if len(text.encode()) > MAX_BYTES:
        raise SpecError(f"the text is larger than {MAX_BYTES} bytes", where=where, fix="a model file holds no data")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"this is not TOML: {error}", where=where, fix='keys and values are written as in: family = "poisson"') from None
    return file_from_dict(content, where, functions=functions)


def spec_to_dict(spec: ModelSpec) -> dict[str, object]:
    """Return the model as plain values that TOML and JSON can hold; :func:`spec_from_dict` gives it back."""
    optional: dict[str, object] = {"contrasts": dict(spec.contrasts), "priors": {a: prior_to_dict(p) for a, p in spec.priors}}
    required: dict[str, object] = {"formula": spec.formula, "family": spec.family, "link": spec.link, "center": spec.center}
    return {**required, **{key: value for key, value in optional.items() if value}}


def spec_from_dict(content: Mapping[str, object], where: str = "spec", *, functions: Collection[str] = frozenset()) -> ModelSpec:
    """Make the model that :func:`spec_to_dict` wrote.

    Parameters
    ----------
    content
        Keys ``formula``, ``family``, ``link``; optional ``center``, ``contrasts``, ``priors``.
    where
        Where it comes from, for messages.
    functions
        Names of the user's own functions that the formula may call.

    Raises
    ------
    SpecError
        Unknown or missing key, wrong type.
    FormulaError, PriorError, ArgumentError
        From the formula, the priors, the contrasts, with the source named.
    """
    known_keys(content, _SPEC_KEYS, where, required=("formula", "family", "link"))
    try:
        return make_spec(
            typed(content, "formula", str, where, ""),
            family=typed(content, "family", str, where, ""),
            link=typed(content, "link", str, where, ""),
            center=typed(content, "center", bool, where, True),
            contrasts={
                k: typed(mapping_of(content, "contrasts", where), k, str, where, "") for k in mapping_of(content, "contrasts", where)
            },
            priors=_priors(mapping_of(content, "priors", where), where),
            functions=functions,
        )
    except SpecError:
        raise
    except BayesglmmError as error:
        raise type(error)(error.what, where=f"{where}: {error.where}" if error.where else where, fix=error.fix) from None


def file_to_dict(model: ModelFile) -> dict[str, object]:
    """Return a model file as plain values; :func:`file_from_dict` gives it back. Empty entries are left out."""
    data: dict[str, object] = {"dataset": model.data.dataset, "missing": model.data.missing, "derive": dict(model.data.derive)}
    described = {"name": model.name, "title": model.title, "description": model.description}
    optional: dict[str, object] = {
        "sampler": dict(model.sampler),
        "data": {key: value for key, value in data.items() if value} if model.data != DataSource() else {},
        "references": list(model.references),
        "keywords": list(model.keywords),
    }
    head = {"schema": SCHEMA, **{key: value for key, value in described.items() if value}}
    return {**head, **spec_to_dict(model.spec), **{key: value for key, value in optional.items() if value}}


def file_from_dict(content: Mapping[str, object], where: str = "model file", *, functions: Collection[str] = frozenset()) -> ModelFile:
    """Make the model file that a dict holds; see :func:`load_spec` for what is refused."""
    known_keys(content, _FILE_KEYS, where, required=("schema", "formula", "family", "link"))
    version = typed(content, "schema", int, where, 0)
    if version != SCHEMA:
        raise SpecError(f"schema = {version} is not known", where=where, fix=f"this version reads schema = {SCHEMA}")
    return ModelFile(
        spec=spec_from_dict({key: content[key] for key in _SPEC_KEYS if key in content}, where, functions=functions),
        name=typed(content, "name", str, where, ""),
        title=typed(content, "title", str, where, ""),
        description=typed(content, "description", str, where, ""),
        data=_data(mapping_of(content, "data", where), f"{where}, [data]"),
        sampler=_sampler(mapping_of(content, "sampler", where), f"{where}, [sampler]"),
        references=texts(content, "references", where),
        keywords=texts(content, "keywords", where),
    )


def _priors(content: Mapping[str, object], where: str) -> dict[str, Prior]:
    """Priors by address."""
    return {
        address: prior_from_dict(mapping_of(content, address, f"{where}, [priors]"), where=f"[priors] {address}") for address in content
    }


def _data(content: Mapping[str, object], where: str) -> DataSource:
    """Read the table of data."""
    known_keys(content, _DATA_KEYS, where)
    missing = typed(content, "missing", str, where, "error")
    if missing not in ("error", "drop"):
        raise SpecError(f"missing = {missing!r} is not known", where=where, fix='allowed: "error", "drop"')
    derive = mapping_of(content, "derive", where)
    derived = tuple((name, _derived(name, typed(derive, name, str, where, ""), where)) for name in derive)
    return DataSource(typed(content, "dataset", str, where, ""), "drop" if missing == "drop" else "error", derived)


def _derived(name: str, expression: str, where: str) -> str:
    """Canonical text of a derived column's expression; it passes the gate like any formula."""
    problem = name_problem(name)
    if problem:
        raise SpecError(f"the name of a derived column {problem}", where=f"{where}: {name!r}", fix="rename it")
    try:
        return check_expression(expression, allow_comparison=True, plain=True)
    except BayesglmmError as error:
        raise type(error)(error.what, where=f"{where}, derive, {name}: {error.where}", fix=error.fix) from None


def _sampler(content: Mapping[str, object], where: str) -> tuple[tuple[str, int | float], ...]:
    """Read settings of the sampler, in the order of the schema."""
    known_keys(content, _SAMPLER_KEYS, where)
    settings: list[tuple[str, int | float]] = []
    for key in (k for k in _SAMPLER_KEYS if k in content):
        if key in _COUNTS:
            value: int | float = typed(content, key, int, where, 0)
            allowed, valid = "a whole number of 1 or more", value >= 1
        else:
            value = number(content, key, where)
            allowed, valid = "a number between 0 and 1", 0 < value < 1
        if not valid:
            raise SpecError(f"{key} = {value} is not {allowed}", where=where, fix=f"give {allowed}")
        settings.append((key, value))
    return tuple(settings)
