"""Fixed effects: the intercept, one variable per term, and their linear predictor."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.model.priors import prior_variable
from bayesglmm.spec.priors import Prior, ResolvedPriors


def fixed_coords(design: Design) -> dict[str, tuple[str, ...]]:
    """Coordinates of the categorical fixed terms."""
    return {naming.level_dim(t.name): t.levels for t in design.fixed if t.levels is not None}


def fixed_predictor(design: Design, priors: ResolvedPriors, *, center: bool) -> Any:
    """X beta as a graph, shape (n,); 0.0 when there is no fixed effect at all.

    With ``center`` the intercept's prior refers to the columns at their means: the variable sampled is the centered intercept,
    ``Intercept = Intercept_centered - mean(x)' beta`` is what is reported.
    """
    slopes = [t for t in design.fixed if t.name != naming.INTERCEPT]
    beta = _slopes(slopes, priors.b) if slopes else None
    X = np.concatenate([design.X[:, t.start : t.stop] for t in slopes], axis=1) if slopes else None
    if priors.intercept is None:
        return 0.0 if beta is None else pt.dot(X, beta)
    if beta is None or X is None:
        return prior_variable(naming.INTERCEPT, [priors.intercept], None)
    if not center:
        return prior_variable(naming.INTERCEPT, [priors.intercept], None) + pt.dot(X, beta)
    means = X.mean(axis=0)
    at_means = prior_variable(naming.CENTERED_INTERCEPT, [priors.intercept], None)
    pm.Deterministic(naming.INTERCEPT, at_means - pt.dot(means, beta))
    return at_means + pt.dot(X - means, beta)


def _slopes(terms: list[TermColumns], priors: tuple[Prior, ...]) -> Any:
    """All slopes as one vector, in the order of the columns; each term is a variable of its own."""
    parts, at = [], 0
    for term in terms:
        width = term.stop - term.start
        dim = None if term.levels is None else naming.level_dim(term.name)
        variable = prior_variable(naming.variable(term.name), priors[at : at + width], dim)
        parts.append(pt.atleast_1d(variable))
        at += width
    return pt.concatenate(parts)
