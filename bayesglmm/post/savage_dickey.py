r"""Evidence for a point: the density of the posterior there over that of the prior, by Savage and Dickey.

.. math:: BF_{01} = p(\theta = \theta_0 \mid y) / p(\theta = \theta_0)

References
----------
Dickey, J. M. (1971). The weighted likelihood ratio, linear hypotheses on normal location parameters. *Annals of Mathematical Statistics*
42, 204-223. Wagenmakers, E.-J., Lodewyckx, T., Kuriyal, H. and Grasman, R. (2010). *Cognitive Psychology* 60, 158-189.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from bayesglmm.errors import PriorError
from bayesglmm.fit import diagnostics
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import INTERCEPT
from bayesglmm.numerics.point_density import check_varying, density_terms, within_draws
from bayesglmm.post.claims import Claim
from bayesglmm.post.prior_laws import prior_law
from bayesglmm.spec.priors import Cauchy, Laplace, Normal, Prior, StudentT
from bayesglmm.types import FloatArray

MIN_DRAWS: Final = 4
"""Draws per chain below which the Monte Carlo error is not known."""

_KINDS: Final[tuple[type[Prior], ...]] = (Normal, StudentT, Cauchy, Laplace)


@dataclass(frozen=True, slots=True)
class PointEvidence:
    """Evidence for a point.

    Attributes
    ----------
    ratio
        Bayes factor of the point against its absence; not a number when the point lies beyond the draws.
    error
        Relative Monte Carlo standard error of the ratio; not a number when it is not known.
    """

    ratio: float
    error: float


def point_evidence(fit: Fit, claim: Claim, parameters: Mapping[str, FloatArray]) -> PointEvidence:
    r"""Bayes factor of ``a1 x1 + ... = c``.

    Parameters
    ----------
    fit
        Its priors and the shape of its draws.
    claim
        With the relation ``=``; linear in coefficients with closed priors.
    parameters
        Draws (S,) by label.

    Returns
    -------
    PointEvidence

    Raises
    ------
    PriorError
        If the prior density of the left side minus the right is not closed; gives the reason.
    ArgumentError
        If the draws do not vary; names the claim.
    """
    linear = {name: a for name, a in (claim.difference.linear or {}).items() if a != 0.0}
    if not linear:
        raise _refused(claim, "only a linear combination of coefficients has a prior that is known in closed form")
    draws = np.sum([a * parameters[name] for name, a in linear.items()], axis=0)
    point = -claim.difference.shift
    check_varying(draws, where=repr(claim.text))
    prior = prior_density(fit, claim, linear, point)
    if not within_draws(draws, point):
        return PointEvidence(float("nan"), float("nan"))
    if prior == 0.0:
        raise _refused(claim, "the prior density at the point is zero in double precision")
    terms = density_terms(draws, point)
    density = float(terms.mean())
    return PointEvidence(density / prior, _error(fit, terms) / density)


def prior_density(fit: Fit, claim: Claim, linear: Mapping[str, float], point: float) -> float:
    r"""Prior density of :math:`\sum_k a_k \theta_k` at a point.

    One coefficient with a normal, Student-t, Cauchy or Laplace prior; several with normal priors, or several with Cauchy priors, whose
    sums are of the same kind, coefficients being independent in the prior.

    Raises
    ------
    PriorError
        For anything else.
    """
    priors = [_prior(fit, claim, label) for label in linear]
    factors = np.array(list(linear.values()))
    if len(priors) == 1:
        with np.errstate(over="ignore"):
            return float(prior_law(priors[0]).pdf(point / factors[0]) / abs(factors[0]))
    if all(isinstance(p, Normal) for p in priors):
        return float(stats.norm.pdf(point, factors @ _values(priors, "mu"), np.linalg.norm(factors * _values(priors, "sigma"))))
    if all(isinstance(p, Cauchy) for p in priors):
        return float(stats.cauchy.pdf(point, factors @ _values(priors, "mu"), np.abs(factors) @ _values(priors, "sigma")))
    kinds = ", ".join(f"{label}: {p.text}" for label, p in zip(linear, priors, strict=True))
    raise _refused(claim, f"the prior of this combination is not known in closed form ({kinds})")


def _prior(fit: Fit, claim: Claim, label: str) -> Prior:
    """Prior of one coefficient, one of those with a density here."""
    slopes = [name for name in fit.design.labels if name != INTERCEPT]
    if label == INTERCEPT and label in fit.design.labels:
        if fit.spec.center and slopes:
            raise _refused(claim, "the prior of the intercept was set for the centered design, where every column is at its mean")
        prior = fit.priors.intercept
    elif label in slopes:
        prior = fit.priors.b[slopes.index(label)]
    else:
        raise _refused(claim, f"{label} is no fixed effect, and its prior ends at the bounds of its range")
    if prior is None or type(prior) not in _KINDS:
        raise _refused(claim, f"{label} has the prior {'none' if prior is None else prior.text}")
    return prior


def _values(priors: list[Prior], name: str) -> FloatArray:
    return np.array([float(dict(p.values)[name]) for p in priors])


def _error(fit: Fit, terms: FloatArray) -> float:
    """Monte Carlo standard error of the mean of the terms, by chain; not a number for short chains."""
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    if sizes[1] < MIN_DRAWS:
        return float("nan")
    return float(diagnostics.mcse_mean(terms.reshape(*sizes, 1))[0])


def _refused(claim: Claim, why: str) -> PriorError:
    fix = "ask for a direction or a range, such as 'x > 0' or 'abs(x) < 0.1'"
    return PriorError("the evidence for a point cannot be computed here", where=f"{claim.text!r}: {why}", fix=fix)
