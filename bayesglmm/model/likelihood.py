"""The observed response, by the name of the PyMC distribution that the family gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesglmm import naming
from bayesglmm.design.design import Design
from bayesglmm.errors import FamilyError
from bayesglmm.families.base import Family
from bayesglmm.model.links import SymbolicLink, symbolic_link
from bayesglmm.model.priors import prior_variable
from bayesglmm.spec.priors import ResolvedPriors

_LOGIT = "logit"


def observe(design: Design, family: Family, link: str, priors: ResolvedPriors, eta: Any) -> None:
    """Add the likelihood of the response given the linear predictor, with its auxiliary parameters and weights.

    Raises
    ------
    FamilyError
        If the family's PyMC distribution has no builder here.
    """
    if family.pymc_name not in BUILDERS:
        raise FamilyError(f"no likelihood builder for {family.pymc_name!r}", where=f"family {family.name}")
    response = BUILDERS[family.pymc_name](design, link, priors, eta)
    if design.weights is not None:
        extra = (design.weights - 1.0) * pm.logp(response, design.y)
        pm.Potential(f"{design.response}_weights", pt.sum(extra))


def _normal(design: Design, link: str, priors: ResolvedPriors, eta: Any) -> Any:
    known = design.se is not None
    sigma = design.se if known else prior_variable(naming.SIGMA, [dict(priors.aux)[naming.SIGMA]], None)
    return pm.Normal(design.response, mu=symbolic_link(link).inverse(eta), sigma=sigma, observed=design.y, dims=naming.ROWS)


def _poisson(design: Design, link: str, priors: ResolvedPriors, eta: Any) -> Any:
    observed = design.y.astype(np.int64)
    return pm.Poisson(design.response, mu=symbolic_link(link).inverse(eta), observed=observed, dims=naming.ROWS)


def _bernoulli(design: Design, link: str, priors: ResolvedPriors, eta: Any) -> Any:
    observed = design.y.astype(np.int64)
    if link == _LOGIT:
        return pm.Bernoulli(design.response, logit_p=eta, observed=observed, dims=naming.ROWS)
    return _stable_binomial(design, link, eta, np.ones(len(observed), dtype=np.int64))


def _binomial(design: Design, link: str, priors: ResolvedPriors, eta: Any) -> Any:
    observed, trials = design.y.astype(np.int64), np.asarray(design.trials).astype(np.int64)
    if link == _LOGIT:
        return pm.Binomial(design.response, n=trials, logit_p=eta, observed=observed, dims=naming.ROWS)
    return _stable_binomial(design, link, eta, trials)


def _stable_binomial(design: Design, link: str, eta: Any, trials: Any) -> Any:
    """Binomial response through a link other than logit, written in log mu and log(1 - mu) so that no tail rounds to certainty."""
    twin, observed = symbolic_link(link), design.y.astype(np.int64)
    return pm.CustomDist(
        design.response,
        eta,
        trials,
        logp=_binomial_logp(twin),
        random=_binomial_random(twin),
        dtype="int64",
        observed=observed,
        dims=naming.ROWS,
    )


def _binomial_logp(twin: SymbolicLink) -> Callable[..., Any]:
    def logp(value: Any, eta: Any, trials: Any) -> Any:
        if twin.log_inverse is None or twin.log_complement is None:
            raise FamilyError("this link does not map onto probabilities")
        choose = pt.gammaln(trials + 1.0) - pt.gammaln(value + 1.0) - pt.gammaln(trials - value + 1.0)
        return choose + value * twin.log_inverse(eta) + (trials - value) * twin.log_complement(eta)

    return logp


def _binomial_random(twin: SymbolicLink) -> Callable[..., Any]:
    def random(eta: Any, trials: Any, rng: Any = None, size: Any = None) -> Any:
        probability = twin.inverse(pt.as_tensor_variable(eta)).eval()
        return rng.binomial(trials, probability, size=size)

    return random


BUILDERS: dict[str, Callable[[Design, str, ResolvedPriors, Any], Any]] = {
    "Normal": _normal,
    "Poisson": _poisson,
    "Bernoulli": _bernoulli,
    "Binomial": _binomial,
}
