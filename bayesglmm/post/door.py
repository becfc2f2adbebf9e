"""The door of the public functions that take a fit: what all of them check first, and how they read names."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, cast

import pandas as pd

from bayesglmm.design.encoding import part_columns
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.spec.names import named, unquoted

FITS: Final = ("fit", "null_fit")
"""Parameters that take a fit."""

COLUMNS: Final = ("variable", "by", "weights", "at", "versus", "newdata")
"""Parameters that name columns: by a text, in a list, or as keys."""

FACTORS: Final = ("factor", "over")
"""Parameters that name grouping factors."""

TARGET: Final = "target"
MEANT: Final = (
    "'average_subject' (random effects zero), 'population' (averaged over their distribution), "
    "'observed_groups' (averaged over the groups in the data) or 'group' (the groups that the rows name)"
)


EXAMPLES: Final[Mapping[str, str]] = {
    TARGET: "'population'",
    "variable": "'x'",
    "threshold": "0.0",
    "times": "[0, 1, 2]",
    "time": "'time'",
    "fit": "fit",
    "hypotheses": "'x > 0'",
    "newdata": "rows",
    "path": "'fit.nc'",
}
"""What arguments without a default look like in a call."""


def takes_fit[F: Callable[..., Any]](function: F) -> F:
    """Make a public function refuse what is no fit and a missing target, and read names with or without back-quotes.

    Parameters
    ----------
    function
        Has a parameter ``fit``. The names of its parameters say what they are: :data:`FITS`, :data:`COLUMNS`, :data:`FACTORS`.

    Returns
    -------
    function
        With the same signature. It raises ArgumentError where a fit is no fit, or another argument is needed and not given.
    """
    signature = inspect.signature(function)
    needed = _needed(signature)

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own message names the argument that does not exist
        given = bound.arguments
        fits = {name: check_fit(given[name], name) for name in given if name in FITS}
        if fits:
            _check_complete(function.__name__, needed, given, fits.get(FITS[0]))
        if FITS[0] in fits:
            given |= {name: _plain(given[name], fits[FITS[0]], name) for name in (*COLUMNS, *FACTORS) if name in given}
        return function(*bound.args, **bound.kwargs)

    return cast(F, checked)


def _needed(signature: inspect.Signature) -> tuple[str, ...]:
    """Names of the arguments without a default, the first of which is a fit."""
    loose = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return tuple(p.name for p in signature.parameters.values() if p.default is p.empty and p.kind not in loose)


def _check_complete(function: str, needed: Sequence[str], given: Mapping[str, Any], fit: Fit | None) -> None:
    """Refuse a call that lacks an argument; says what a call looks like."""
    missing = [name for name in needed if name not in given]
    if not missing:
        return
    what = (
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing, and {'has' if len(missing) == 1 else 'have'} no default"
    )
    examples = EXAMPLES if fit is None else {**EXAMPLES, "variable": repr(_first_variable(fit))}
    call = ", ".join([needed[0], *(f"{name}={examples.get(name, '...')}" for name in needed[1:])])
    fix = f"say which mean: {MEANT}" if missing == [TARGET] else f"for example {function}({call})"
    raise ArgumentError(what, where=f"{function}()", fix=fix)


def _first_variable(fit: Fit) -> str:
    """Name of a column of the fixed effects, the first one of numbers where there is one; ``x`` without any."""
    columns = part_columns(fit.design.encoding.fixed.part)
    return next((c for c in columns if pd.api.types.is_numeric_dtype(fit.frame[c])), next(iter(columns), "x"))


def check_fit(value: object, name: str = FITS[0]) -> Fit:
    """Return a fit as it is.

    Parameters
    ----------
    value
        What was given.
    name
        Name of the parameter, for the message.

    Raises
    ------
    ArgumentError
        If it is no fit; says what it is, and how one comes to a fit.
    """
    if isinstance(value, Fit):
        return value
    what = "None" if value is None else "a text" if isinstance(value, str) else f"a {type(value).__name__}"
    raise ArgumentError(f"a Fit is needed, not {what}", where=f"argument {name}", fix=_way_to_fit(value))


def check_formula(value: object, what: str) -> None:
    """Refuse a text that is no formula, but perhaps the name of a file, and a path.

    Parameters
    ----------
    value
        What was given.
    what
        What a function takes: ``a fit or a formula``.

    Raises
    ------
    ArgumentError
        Says how one comes to a fit.
    """
    if isinstance(value, os.PathLike) or (isinstance(value, str) and "~" not in value):
        kind, name = "a text without '~'" if isinstance(value, str) else f"a {type(value).__name__}", os.fspath(value)
        reader = "load_spec" if str(name).endswith(".toml") else "load"
        fix = f"if this is a file, read it first, {reader}({name!r}), and pass what it returns; a formula is like 'y ~ x + (1 | g)'"
        raise ArgumentError(f"{what} is needed, not {kind}", where=repr(name), fix=fix)


def _way_to_fit(value: object) -> str:
    """Say how one comes to a fit from something else."""
    if isinstance(value, str) and "~" in value:
        return f"fit the formula first, glmm({value!r}, table), and pass what it returns"
    if isinstance(value, str | os.PathLike):
        return f"the fit is the first argument; if this is a file, read it first, load({os.fspath(value)!r}), and pass what it returns"
    if isinstance(value, pd.DataFrame):
        return "fit a model first, glmm(formula, table), and pass what it returns"
    made_of = ", the fit that this result was made of" if hasattr(value, "table") else ""
    return f"pass what glmm() or load() returned{made_of}"


def _plain(value: Any, fit: Fit, name: str) -> Any:
    """Write names as the fit does; what names nothing is returned as it is."""
    factors = tuple(dict.fromkeys(g.name for g in fit.design.groups))

    def spelled(text: Any) -> Any:
        if not isinstance(text, str):
            return text
        return named(text, factors) if name in FACTORS else unquoted(text)

    if isinstance(value, str):
        return spelled(value)
    listed = name in ("by", *FACTORS) and isinstance(value, Sequence | set | frozenset)
    if not (listed or isinstance(value, Mapping)) or all(spelled(v) == v for v in value if isinstance(v, str)):
        return value
    return _renamed(value, spelled, name) if isinstance(value, Mapping) else [spelled(v) for v in value]


def _renamed(value: Mapping[Any, Any], spelled: Callable[[Any], Any], name: str) -> dict[Any, Any]:
    """Rename keys, of which no two may become one."""
    keys = [spelled(key) for key in value]
    doubled = [key for key in keys if keys.count(key) > 1]
    if doubled:
        raise ArgumentError("a column is named twice", where=f"{name}: {doubled[0]!r}", fix="name it once, with or without back-quotes")
    return dict(zip(keys, value.values(), strict=True))
