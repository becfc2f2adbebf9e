"""Three answers in one table: subject-specific coefficients, their marginal counterparts, and a marginal model of the same rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, ColumnError, MissingValueError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import REAL
from bayesglmm.post.door import takes_fit
from bayesglmm.post.gee import FIXED, SANDWICH_NOTE, VALID_NOTE, WORKING, Structure, gee
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.result import Result
from bayesglmm.post.variance_partition import random_intercepts
from bayesglmm.spec.names import unquoted
from bayesglmm.types import Target, check_choice

GEE = "gee_"
"""Beginning of the names of marginal models; the structure follows."""

TARGETS: dict[str, Target] = {SUBJECT: "average_subject", MARGINAL: "population"}
SYMMETRIC = ("logit", "probit")
"""Links under which the average curve of random intercepts is flatter than a subject's, and crosses zero where it does."""
_LEFT_OUT = ("ratio", "logit_approximation")
"""Columns of the marginal coefficients, and beginnings of notes on them, that this table has not."""


@takes_fit
def side_by_side(
    fit: Fit,
    *,
    structure: Structure | Sequence[Structure] = ("independence", "exchangeable"),
    groups: str | None = None,
    time: str | None = None,
    ci_prob: float = 0.95,
) -> Result:
    r"""Subject-specific and marginal coefficients of a fit next to those of marginal models of its rows.

    .. math:: \beta, \qquad \beta_M = (X'WX)^{-1} X'W\,(g(\pi_M) - o), \qquad
              \hat\beta_{GEE}: \; \sum_j D_j' V_j^{-1} (y_j - h(o_j + X_j \hat\beta_{GEE})) = 0

    Parameters
    ----------
    fit
        A fit.
    structure
        Working correlation, or several: ``independence``, ``exchangeable``, ``ar1``; one marginal model each.
    groups
        Grouping factor of the marginal models; the first group term's when None.
    time
        For ``ar1`` only: a column of the formula; see :func:`gee`. Needed where the fit left rows out.
    ci_prob
        Level of all intervals.

    Returns
    -------
    Result
        ``table``, one row per coefficient and estimator: ``coefficient``, ``estimator`` (``subject_specific``, ``marginal``,
        ``gee_independence``, ...), ``target``, ``estimate`` (a posterior mean, or the solution of the equations), ``se`` (posterior SD, or
        sandwich standard error), ``ci_lower``, ``ci_upper`` (equal-tailed posterior interval, or confidence interval). ``draws``: variables
        ``subject_specific`` and ``marginal`` with dims (chain, draw, coefficient).

    Raises
    ------
    ArgumentError
        If nothing says which rows belong together, no structure is named, or one twice, or times are given without ``ar1``.
    MissingValueError
        If the fit left rows out and ``ar1`` has no times.
    BayesglmmError
        As :func:`marginal_coefficients` and :func:`gee`.

    References
    ----------
    Neuhaus, J. M., Kalbfleisch, J. D. and Hauck, W. W. (1991). A comparison of cluster-specific and population-averaged approaches for
    analyzing correlated binary data. *International Statistical Review* 59, 25-35. Laird, N. M. (1988). Missing data in longitudinal
    studies. *Statistics in Medicine* 7, 305-315.
    """
    _check_groups(fit, groups)
    names = _structures(structure)
    _check_times(fit, names, time)
    mixed = marginal_coefficients(fit, ci_prob=ci_prob)
    models = {name: _model(fit, name, groups, None, ci_prob) if name != "ar1" else _serial(fit, groups, time, ci_prob) for name in names}
    parts = [_posterior(mixed, SUBJECT), _posterior(mixed, MARGINAL), *(_solved(name, model) for name, model in models.items())]
    order = np.arange(sum(map(len, parts))).reshape(len(parts), -1).T.ravel()
    table = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
    notes = (
        *_meaning(fit),
        "se and interval: posterior SD and interval of the mixed model; sandwich error and confidence interval of GEE.",
        *(_told(name, model) for name, model in models.items()),
        *_caveats(models),
        *(n for n in mixed.notes if not n.startswith(_LEFT_OUT)),
    )
    return Result(
        "Subject-specific, marginal and GEE coefficients", "in the column target of each row", table, mixed.draws, notes, mixed.interval
    )


def _check_groups(fit: Fit, groups: str | None) -> None:
    """Refuse a fit without groups, and groups of columns that the fit does not keep."""
    alone = "gee(formula, table, groups=...) fits a marginal model of any table"
    if groups is None and not fit.design.groups:
        fix = f"fit the model with a group term, such as (1 | subject); {alone}"
        raise ArgumentError("the model has no grouping factor, so nothing says which rows belong together", where=fit.spec.formula, fix=fix)
    kept = [str(c) for c in fit.frame.columns]
    if isinstance(groups, str) and unquoted(groups) not in kept:
        unknown = [name for name in map(str.strip, groups.split(":")) if unquoted(name) not in kept]
        if unknown:
            fix = f"name one of them, or a grouping factor of the model; {alone}"
            where = f"groups: {', '.join(unknown)}; the fit keeps {', '.join(kept)}"
            raise ArgumentError("a fit keeps only the columns that its formula reads", where=where, fix=fix)


def _structures(structure: Structure | Sequence[Structure]) -> tuple[Structure, ...]:
    names: tuple[Structure, ...] = (structure,) if isinstance(structure, str) else tuple(structure)
    for name in names:
        check_choice("structure", name, Structure)
    if not names or len(set(names)) < len(names):
        raise ArgumentError(
            f"structure={structure!r} must name one structure or several different ones",
            fix="for example structure=['independence', 'exchangeable']",
        )
    return names


def _check_times(fit: Fit, names: Sequence[Structure], time: str | None) -> None:
    """Refuse times that nothing reads, and successive visits some of which the fit left out."""
    if "ar1" not in names:
        if time is not None:
            fix = "add 'ar1' to structure, or leave time out"
            raise ArgumentError(f"time= has no meaning for structure={', '.join(names)}", where=f"time={time!r}", fix=fix)
        return
    lost = fit.design.dropped
    if time is None and lost.dropped:
        raise MissingValueError(
            "the fit left rows out, so that visits that follow each other in its table need not be neighbours in time",
            where=f"{lost.dropped} of {lost.total} rows",
            fix="name a column of the formula that numbers the visits, time=..., or leave out 'ar1'",
        )


def _model(fit: Fit, structure: Structure, groups: str | None, time: str | None, ci_prob: float) -> Result:
    """Fit one marginal model to the rows of the fit, coded alike."""
    return gee(
        fit.spec.formula,
        fit.frame,
        family=fit.spec.family,
        link=fit.spec.link,
        groups=groups,
        structure=structure,
        time=time,
        contrasts=dict(fit.spec.contrasts),
        functions=fit.design.encoding.functions,
        ci_prob=ci_prob,
    )


def _serial(fit: Fit, groups: str | None, time: str | None, ci_prob: float) -> Result:
    """Fit the autoregressive model, whose times must be among the columns that the fit keeps."""
    try:
        return _model(fit, "ar1", groups, time, ci_prob)
    except ColumnError as error:
        if time is None:
            raise
        alone = "gee(formula, table, structure='ar1', time='visit') takes a column of the whole table that numbers the visits"
        fix = f"leave out 'ar1'; a fit keeps only the columns that its formula reads, and {alone}"
        raise ColumnError(error.what, where=error.where or f"time={time!r}", fix=fix) from error


def _posterior(mixed: Result, name: str) -> pd.DataFrame:
    table = mixed.table
    columns = {
        "coefficient": list(table.index),
        "estimator": name,
        "target": TARGETS[name],
        "estimate": table[name].to_numpy(),
        "se": table[f"{name}_sd"].to_numpy(),
        "ci_lower": table[f"{name}_lower"].to_numpy(),
        "ci_upper": table[f"{name}_upper"].to_numpy(),
    }
    return pd.DataFrame(columns)


def _solved(structure: str, model: Result) -> pd.DataFrame:
    fixed = model.table[model.table["kind"] == FIXED]
    numbers = fixed[["estimate", "se", "ci_lower", "ci_upper"]].reset_index(drop=True)
    names = pd.DataFrame({"coefficient": list(fixed.index), "estimator": f"{GEE}{structure}", "target": "population"})
    return pd.concat([names, numbers], axis=1)


def _told(structure: str, model: Result) -> str:
    """Return the working parameters of one marginal model, and who its groups are."""
    working = model.table.loc[model.table["kind"] == WORKING, "estimate"]
    numbers = ", ".join(f"{key} {value:.3g}" for key, value in working.items())
    return f"{GEE}{structure}: {numbers}; {model.notes[0]}"


def _caveats(models: Mapping[Structure, Result]) -> list[str]:
    """Tell what else there is to know of the marginal models, each note once, but for what this table says itself."""
    found: dict[str, list[str]] = {}
    for name, model in models.items():
        for note in model.notes[1:]:
            if note not in (SANDWICH_NOTE, VALID_NOTE):
                found.setdefault(note, []).append(f"{GEE}{name}")
    return [f"{', '.join(names)}: {note}" for note, names in found.items()]


def _meaning(fit: Fit) -> tuple[str, ...]:
    """Say what may be compared with what."""
    missing = (
        f"GEE is valid when visits are missing completely at random; {MARGINAL}, if the mixed model is right, also when they are missing "
        "at random, that is, depending on what was observed. Where the two differ beyond their errors, look at who drops out."
    )
    return f"Compare {MARGINAL} with {GEE}...: both speak of the population's mean. {_other_question(fit)}", missing


def _other_question(fit: Fit) -> str:
    r"""Say how the subject-specific coefficients differ from those of the population's mean.

    With random intercepts the slope of :math:`g(E\,h(\eta))` in eta is :math:`E\,h' / h'(g(E\,h))`. Where h' is a concave function of h
    (logit, probit, cloglog, loglog) it is at most one; that of cauchit is above one in the tails. Under logit and probit, which are
    symmetric, the curve also passes through zero, so that the intercept shrinks too; under cloglog and loglog it can grow.
    """
    if not fit.design.groups:
        return f"The model has no random effects, so {SUBJECT} is {MARGINAL}."
    how = ", and differs: the average of the subjects' curves is not the curve of any subject."
    if fit.link.mean_interval == REAL:
        how = ", but under the identity link its coefficients are those of the population's mean too."
    elif not fit.link.onto_unit_interval:
        how = ": the spread of the random effects is part of the population's mean (with random intercepts, of its intercept only)."
    elif fit.link.name in SYMMETRIC and random_intercepts(fit):
        how = ", and is as a rule larger in size: on the scale of the link the average of the subjects' curves is flatter than each."
    return f"{SUBJECT} answers another question{how}"
