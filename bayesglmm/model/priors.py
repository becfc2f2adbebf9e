"""Prior records as PyMC variables."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm

from bayesglmm.errors import PriorError
from bayesglmm.spec import priors as spec_priors
from bayesglmm.spec.priors import Prior

type Arguments = Callable[[Any], dict[str, Any]]

DISTRIBUTIONS: dict[type, tuple[type, Arguments]] = {
    spec_priors.Normal: (pm.Normal, lambda p: {"mu": p.mu, "sigma": p.sigma}),
    spec_priors.StudentT: (pm.StudentT, lambda p: {"nu": p.nu, "mu": p.mu, "sigma": p.sigma}),
    spec_priors.Cauchy: (pm.Cauchy, lambda p: {"alpha": p.mu, "beta": p.sigma}),
    spec_priors.Laplace: (pm.Laplace, lambda p: {"mu": p.mu, "b": p.b}),
    spec_priors.HalfNormal: (pm.HalfNormal, lambda p: {"sigma": p.sigma}),
    spec_priors.HalfStudentT: (pm.HalfStudentT, lambda p: {"nu": p.nu, "sigma": p.sigma}),
    spec_priors.HalfCauchy: (pm.HalfCauchy, lambda p: {"beta": p.sigma}),
    spec_priors.Exponential: (pm.Exponential, lambda p: {"lam": p.rate}),
    spec_priors.Gamma: (pm.Gamma, lambda p: {"alpha": p.alpha, "beta": p.beta}),
    spec_priors.InverseGamma: (pm.InverseGamma, lambda p: {"alpha": p.alpha, "beta": p.beta}),
    spec_priors.Uniform: (pm.Uniform, lambda p: {"lower": p.lower, "upper": p.upper}),
}


def prior_variable(name: str, priors: Sequence[Prior], dim: str | None) -> Any:
    """Return a scalar variable, or one variable with a dim, under one prior per element.

    Parameters
    ----------
    name
        Variable name.
    priors
        One prior per element; all of one kind.
    dim
        Dim of the elements; None for a scalar, which takes exactly one prior.

    Raises
    ------
    PriorError
        If the elements of one variable have priors of different kinds.
    """
    kinds = {type(p) for p in priors}
    if len(kinds) > 1:
        listed = ", ".join(sorted(p.text for p in set(priors)))
        raise PriorError(
            "the levels of one term have priors of different kinds", where=f"{name}: {listed}", fix="give them one kind of prior"
        )
    distribution, arguments = DISTRIBUTIONS[kinds.pop()]
    values = [arguments(p) for p in priors]
    if dim is None:
        return distribution(name, **values[0])
    return distribution(name, **{k: np.array([v[k] for v in values]) for k in values[0]}, dims=dim)
