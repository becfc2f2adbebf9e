"""The door of the public functions that take a fit: what all of them check first, and how they read names."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, cast

import pandas as pd

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


def takes_fit[F: Callable[..., Any]](function: F) -> F:
    """Make a public function refuse what is no fit and a missing target, and read names with or without back-quotes.

    Parameters
    ----------
    function
        Has a parameter ``fit``. The names of its parameters say what they are: :data:`FITS`, :data:`COLUMNS`, :data:`FACTORS`.

    Returns
    -------
    function
        With the same signature. It raises ArgumentError where a fit is no fit, or ``target`` is needed and not given.
    """
    signature = inspect.signature(function)
    needs_target = TARGET in signature.parameters and signature.parameters[TARGET].default is inspect.Parameter.empty

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own message names the argument that does not exist
        given = bound.arguments
        fits = {name: check_fit(given[name], name) for name in given if name in FITS}
        if needs_target and fits and TARGET not in given:
            raise ArgumentError("target is missing, and has no default", where=f"{function.__name__}()", fix=f"say which mean: {MEANT}")
        if FITS[0] in fits:
            given |= {name: _plain(given[name], fits[FITS[0]], name) for name in (*COLUMNS, *FACTORS) if name in given}
        return function(*bound.args, **bound.kwargs)

    return cast(F, checked)


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
