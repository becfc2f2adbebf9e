"""Priors of Bambi as ours, where they mean the same: same distribution, numbers carried over, nothing guessed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesglmm.bridge.bambi_draws import GroupMatch
from bayesglmm.bridge.bambi_formula import BambiTerm
from bayesglmm.design.design import Design
from bayesglmm.errors import PriorError
from bayesglmm.naming import INTERCEPT
from bayesglmm.spec.addresses import Address
from bayesglmm.spec.priors import (
    Cauchy,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Laplace,
    Normal,
    Prior,
    StudentT,
    Uniform,
)
from bayesglmm.types import IntArray

type Numbers = Mapping[str, float]

_MODULE = "bambi."
_FIX = "use a prior that both packages have, such as Normal, StudentT, HalfNormal or Exponential"


def is_bambi_prior(value: object) -> bool:
    """Whether this is a ``bambi.Prior``; Bambi is not imported to find out."""
    return type(value).__module__.startswith(_MODULE) and hasattr(value, "args") and hasattr(value, "name")


def convert_priors(priors: Any) -> Any:
    """Return priors by address with every ``bambi.Prior`` converted; whatever is no mapping, or no such prior, as it is."""
    if not isinstance(priors, Mapping):
        return priors
    return {where: convert_prior(p, where=str(where)) if is_bambi_prior(p) else p for where, p in priors.items()}


def convert_prior(prior: Any, *, where: str | None = None, column: int = 0) -> Prior:
    """Return our prior of the same density.

    Parameters
    ----------
    prior
        A ``bambi.Prior`` with numbers: ``Normal, StudentT, Cauchy, Laplace, HalfNormal, HalfStudentT, HalfCauchy, Exponential, Gamma,
        InverseGamma, Uniform``, under PyMC's names of their parameters (scales may be given as ``sigma``, precisions as ``tau``,
        ``lam``).
    where
        What the prior is for, for messages.
    column
        Which element counts where the numbers are arrays, one per column of a term.

    Returns
    -------
    Prior

    Raises
    ------
    PriorError
        If there is no such prior here, it was made from a function, has hyperpriors, or lacks a number.

    Examples
    --------
    >>> import bambi
    >>> convert_prior(bambi.Prior("Normal", mu=0, sigma=2.5))
    Normal(mu=0.0, sigma=2.5)
    """
    if not is_bambi_prior(prior):
        raise PriorError(f"{prior!r} is no bambi.Prior", where=where, fix='for example bambi.Prior("Normal", mu=0, sigma=2.5)')
    make = _MAKERS.get(prior.name)
    if make is None or prior.dist is not None:
        raise PriorError(f"the Bambi prior {prior!s} has no counterpart", where=where, fix=_FIX)
    try:
        return make({key: _number(value, column) for key, value in prior.args.items()})
    except (KeyError, TypeError, IndexError):
        fix = "give plain numbers under PyMC's names; for a group term, pass the prior of its sigma"
        raise PriorError(f"the Bambi prior {prior!s} cannot be read", where=where, fix=fix) from None


def model_priors(
    design: Design, terms: Sequence[BambiTerm], matches: Sequence[GroupMatch], fixed: IntArray, auxiliary: Mapping[str, Any]
) -> tuple[dict[str, Prior], tuple[str, ...]]:
    """Priors of a Bambi model at the addresses of our parameters.

    Parameters
    ----------
    design
        Our design.
    terms
        Fixed terms of the Bambi model, in its order.
    matches
        Its group terms on ours.
    fixed
        Shape (p,): for each of our columns, its place among the columns of ``terms``.
    auxiliary
        Bambi's priors of the family's auxiliary parameters.

    Returns
    -------
    tuple of dict and tuple
        Priors by address, and for each that has no counterpart one text that names it.
    """
    slots: list[tuple[Address, Any, int]] = []
    places = [(t, k) for t in terms for k in range(t.columns.shape[1])]
    for own in design.fixed:
        for i in range(own.start, own.stop):
            term, k = places[fixed[i]]
            level = None if own.levels is None else own.levels[i - own.start]
            slots.append((Address("intercept") if own.name == INTERCEPT else Address("b", None, own.name, level), term.prior, k))
    for group, match in zip(design.groups, matches, strict=True):
        for own in group.effects:
            for i in range(own.start, own.stop):
                term, k = match.places[i]
                level = None if own.levels is None else own.levels[i - own.start]
                slots.append((Address("sd", group.name, own.name, level), term.prior.args["sigma"], k))
    slots += [(Address("sigma"), prior, 0) for prior in auxiliary.values()]
    found: dict[str, Prior] = {}
    unknown = []
    for address, prior, k in slots:
        try:
            found[address.text] = convert_prior(prior, where=f"prior of {address.text}", column=k)
        except PriorError:
            unknown.append(f"{prior!s} of {address.text}")
    return found, tuple(unknown)


def _number(value: Any, column: int) -> float:
    """One number of an argument; text, functions and hyperpriors are none."""
    values = np.asarray(value)
    if values.dtype.kind not in "if":
        raise TypeError
    return float(values) if values.ndim == 0 else float(values.reshape(-1)[column])


def _sigma(args: Numbers, precision: str = "tau", default: float | None = 1.0) -> float:
    """Scale, given as itself or as a precision (one over its square)."""
    if precision in args:
        return float(args[precision] ** -0.5)
    return args["sigma"] if default is None else args.get("sigma", default)


def _gamma(args: Numbers) -> Gamma:
    """Shape and rate, or mean and standard deviation: alpha = (mu / sigma)^2, beta = mu / sigma^2."""
    if "mu" in args:
        return Gamma((args["mu"] / args["sigma"]) ** 2, args["mu"] / args["sigma"] ** 2)
    return Gamma(args["alpha"], args["beta"])


def _inverse_gamma(args: Numbers) -> InverseGamma:
    """Shape and scale, or mean and standard deviation: alpha = (mu / sigma)^2 + 2, beta = mu ((mu / sigma)^2 + 1)."""
    if "mu" in args:
        ratio = (args["mu"] / args["sigma"]) ** 2
        return InverseGamma(ratio + 2.0, args["mu"] * (ratio + 1.0))
    return InverseGamma(args["alpha"], args.get("beta", 1.0))


def _exponential(args: Numbers) -> Exponential:
    return Exponential(1.0 / args["scale"] if "scale" in args else args["lam"])


_MAKERS: dict[str, Callable[[Numbers], Prior]] = {
    "Normal": lambda a: Normal(a.get("mu", 0.0), _sigma(a)),
    "StudentT": lambda a: StudentT(a["nu"], a.get("mu", 0.0), _sigma(a, "lam")),
    "Cauchy": lambda a: Cauchy(a["alpha"], a["beta"]),
    "Laplace": lambda a: Laplace(a["mu"], a["b"]),
    "HalfNormal": lambda a: HalfNormal(_sigma(a)),
    "HalfStudentT": lambda a: HalfStudentT(a["nu"], _sigma(a, "lam")),
    "HalfCauchy": lambda a: HalfCauchy(a["beta"]),
    "Exponential": _exponential,
    "Gamma": _gamma,
    "InverseGamma": _inverse_gamma,
    "Uniform": lambda a: Uniform(a["lower"], a["upper"]),
}
"""Our prior from PyMC's numbers, by PyMC's name of the distribution."""
