"""Check of the data: predictors that split the outcome, so that only the prior keeps an estimate finite."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from bayesglmm import naming
from bayesglmm.design.table import levels_of, read_table
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.separation import one_sided, splits
from bayesglmm.reporting.parts import Part, Rule
from bayesglmm.types import FloatArray

SHOWN: Final = 5

SEPARATION = Rule(
    "data.separation",
    "Where a predictor splits the outcome, the likelihood alone pushes its coefficient to infinity; the prior sets its size.",
    "Keep weakly informative priors on the slopes, and say that the estimate is limited by its prior.",
    "no level with one outcome only, no column that splits the outcome",
    "Albert and Anderson 1984",
)


def separation(fit: Fit) -> Part:
    """Look for levels of fixed factors with one outcome only, and for columns that split the outcome.

    Levels and columns are looked at one by one; combinations of columns are not. Grouping factors are left out: levels with one outcome
    are what their random effects are for.

    Parameters
    ----------
    fit
        A fit.
    """
    if not fit.family.discrete:
        return SEPARATION.not_for("A continuous response cannot be split.")
    happened, possible = _outcome(fit)
    found = [*_levels(fit, happened, possible), *_columns(fit, happened, possible)]
    if not found:
        return Part((SEPARATION.entry(0.0, "Levels and columns were looked at one by one, not in combination."),))
    listed = "; ".join(found[:SHOWN]) + (f"; {len(found) - SHOWN} more" if len(found) > SHOWN else "")
    return Part((SEPARATION.judged(float(len(found)), f"{listed}.", bad=True),))


def _outcome(fit: Fit) -> tuple[FloatArray, FloatArray]:
    """Successes and trials of each row; counts have infinitely many trials."""
    y, trials = fit.design.y, fit.design.trials
    most = 1.0 if fit.link.onto_unit_interval else np.inf
    return y, np.full(len(y), most) if trials is None else trials


def _levels(fit: Fit, happened: FloatArray, possible: FloatArray) -> Iterator[str]:
    """Levels of the fixed factors, the reference among them, in which nothing or everything happened."""
    columns = dict.fromkeys(f.column for f in fit.design.encoding.fixed.factors if f.column is not None)
    if not columns:
        return
    table, _ = read_table(fit.frame, tuple(columns))
    for name in columns:
        codes, labels = levels_of(table.column(name))
        nothing, everything = one_sided(codes, len(labels), happened, possible)
        for k, label in enumerate(labels):
            if nothing[k] or everything[k]:
                yield f"{name} = {label}: all {'zero' if nothing[k] else 'one'}"


def _columns(fit: Fit, happened: FloatArray, possible: FloatArray) -> Iterator[str]:
    """Columns of numbers, and products of factors, that split the outcome; a factor alone is looked at by its levels."""
    failure, success = happened < possible, happened > 0.0
    if np.all(np.isinf(possible)):
        failure = happened == 0.0
    alone = {f.text for f in fit.design.encoding.fixed.factors if f.column is not None}
    for term in fit.design.fixed:
        if term.name == naming.INTERCEPT or term.name in alone:
            continue
        for k in range(term.start, term.stop):
            if splits(fit.design.X[:, k], failure, success):
                yield f"{fit.design.labels[k]} splits the outcome"
