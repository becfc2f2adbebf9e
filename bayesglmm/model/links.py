"""Symbolic twins of :mod:`bayesglmm.numerics.links`: the same functions as PyTensor graphs.

A conformance test loops over the numeric registry and fails when a twin is missing or differs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from bayesglmm.errors import FamilyError

type Graph = Callable[[TensorVariable], TensorVariable]


@dataclass(frozen=True, slots=True)
class SymbolicLink:
    """One link as graphs.

    Attributes
    ----------
    inverse
        eta to mu.
    log_inverse
        eta to log mu, stable in both tails; None for links onto the real line.
    log_complement
        eta to log(1 - mu), stable in both tails; None unless mu lies in (0, 1).
    """

    inverse: Graph
    log_inverse: Graph | None = None
    log_complement: Graph | None = None


def _log_normal_cdf(x: TensorVariable) -> TensorVariable:
    """Log of the normal CDF; the scaled complementary error function keeps the left tail."""
    left = pt.log(0.5 * pt.erfcx(-pt.minimum(x, 0.0) / np.sqrt(2.0))) - 0.5 * pt.sqr(pt.minimum(x, 0.0))
    right = pt.log1p(-0.5 * pt.erfc(pt.maximum(x, 0.0) / np.sqrt(2.0)))
    return pt.switch(x < 0, left, right)


def _log1mexp(x: TensorVariable) -> TensorVariable:
    """log(1 - exp(-x)) for x > 0."""
    small = pt.minimum(x, np.log(2.0))
    large = pt.maximum(x, np.log(2.0))
    return pt.switch(x < np.log(2.0), pt.log(-pt.expm1(-small)), pt.log1p(-pt.exp(-large)))


def _log_cauchit(x: TensorVariable) -> TensorVariable:
    """Log of the Cauchy CDF; arctan(-1/x) / pi keeps the left tail."""
    left = pt.log(pt.arctan(-1.0 / pt.minimum(x, -1.0)) / np.pi)
    right = pt.log(0.5 + pt.arctan(pt.maximum(x, -1.0)) / np.pi)
    return pt.switch(x < -1.0, left, right)


SYMBOLIC_LINKS: dict[str, SymbolicLink] = {
    "identity": SymbolicLink(lambda eta: eta),
    "log": SymbolicLink(pt.exp, lambda eta: eta),
    "logit": SymbolicLink(pt.sigmoid, lambda eta: -pt.softplus(-eta), lambda eta: -pt.softplus(eta)),
    "probit": SymbolicLink(lambda eta: 0.5 * pt.erfc(-eta / np.sqrt(2.0)), _log_normal_cdf, lambda eta: _log_normal_cdf(-eta)),
    "cloglog": SymbolicLink(lambda eta: -pt.expm1(-pt.exp(eta)), lambda eta: _log1mexp(pt.exp(eta)), lambda eta: -pt.exp(eta)),
    "loglog": SymbolicLink(lambda eta: pt.exp(-pt.exp(-eta)), lambda eta: -pt.exp(-eta), lambda eta: _log1mexp(pt.exp(-eta))),
    "cauchit": SymbolicLink(lambda eta: 0.5 + pt.arctan(eta) / np.pi, _log_cauchit, lambda eta: _log_cauchit(-eta)),
    "inverse": SymbolicLink(lambda eta: 1.0 / eta),
    "sqrt": SymbolicLink(pt.sqr),
}


def symbolic_link(name: str) -> SymbolicLink:
    """Return the symbolic twin of a link.

    Raises
    ------
    FamilyError
        If the link has no symbolic form.
    """
    if name not in SYMBOLIC_LINKS:
        raise FamilyError(f"the link {name!r} has no symbolic form", fix=f"use one of {', '.join(SYMBOLIC_LINKS)}")
    return SYMBOLIC_LINKS[name]
