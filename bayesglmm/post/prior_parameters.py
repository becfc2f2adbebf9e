"""Every parameter of a fit with its prior and its draws, in the coordinates that the prior speaks of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesglmm.fit.draws import correlation_draws, parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import CENTERED_INTERCEPT, INTERCEPT
from bayesglmm.post.prior_laws import Law, correlation_law, prior_law
from bayesglmm.spec.priors import LKJ, Prior
from bayesglmm.types import BoolArray, FloatArray

FIXED, SD, CORRELATION, AUXILIARY = "fixed", "sd", "cor", "aux"


@dataclass(frozen=True, slots=True, eq=False)
class PriorParameter:
    """One number with a prior.

    Attributes
    ----------
    label
        As in the summary of the fit, except that the intercept at the columns' means is ``Intercept_centered``.
    kind
        ``fixed``, ``sd``, ``cor`` or ``aux``.
    prior
        Of the number; of the matrix for a correlation.
    law
        Distribution of the number under the prior.
    draws
        Shape (chain, draw).
    """

    label: str
    kind: str
    prior: Prior
    law: Law
    draws: FloatArray


def prior_parameters(fit: Fit) -> tuple[PriorParameter, ...]:
    """List fixed effects, standard deviations, correlations and auxiliary parameters of a fit, in the order of its summary.

    With ``center=True`` the prior of the intercept refers to the columns at their means, so that the draws of the intercept there,
    ``Intercept + mean(x)'b``, stand in the place of those reported.
    """
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    labels, draws = list(found.labels), found.values
    if refers_to_means(fit):
        at = labels.index(INTERCEPT)
        labels[at] = CENTERED_INTERCEPT
        draws = draws.copy()
        draws[..., at] += draws[..., : len(fit.design.labels)] @ slope_means(fit)
    pairs = zip(labels, found.kinds, _priors(fit), strict=True)
    return tuple(PriorParameter(label, kind, *prior, draws[..., k]) for k, (label, kind, prior) in enumerate(pairs))


def refers_to_means(fit: Fit) -> bool:
    """Whether the prior of the intercept is that of another number than the intercept reported."""
    return fit.spec.center and fit.priors.intercept is not None and bool(slope_columns(fit.design.labels).any())


def slope_columns(labels: tuple[str, ...]) -> BoolArray:
    """Which columns of the fixed effects are not the constant, shape (p,)."""
    return np.array([label != INTERCEPT for label in labels], dtype=np.bool_)


def slope_means(fit: Fit) -> FloatArray:
    """Means of the columns of the fixed effects over the rows of the data, shape (p,); zero for the constant."""
    return np.where(slope_columns(fit.design.labels), fit.design.X.mean(axis=0), 0.0)


def _priors(fit: Fit) -> Iterator[tuple[Prior, Law]]:
    """Priors and laws in the order of :func:`bayesglmm.fit.draws.parameter_draws`."""
    slopes = iter(fit.priors.b)
    for label in fit.design.labels:
        yield _scalar(fit.priors.intercept if label == INTERCEPT and fit.priors.intercept is not None else next(slopes))
    for group in fit.priors.sd:
        yield from (_scalar(prior) for prior in group)
    for design, prior in zip(fit.design.groups, fit.priors.cor, strict=True):
        if correlation_draws(fit.posterior, design) is not None and prior is not None:
            q = len(design.labels)
            yield from [_of_matrix(prior, q)] * (q * (q - 1) // 2)
    auxiliary = dict(fit.priors.aux)
    yield from (_scalar(auxiliary[name]) for name in fit.family.auxiliary if name in fit.posterior)


def _scalar(prior: Prior) -> tuple[Prior, Law]:
    return prior, prior_law(prior)


def _of_matrix(prior: LKJ, size: int) -> tuple[Prior, Law]:
    return prior, correlation_law(prior, size)
