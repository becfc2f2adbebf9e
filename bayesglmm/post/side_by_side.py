"""Three answers in one table: subject-specific coefficients, their marginal counterparts, and a marginal model of the same rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import REAL, Link
from bayesglmm.post.gee import FIXED, WORKING, Structure, gee
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.result import Result
from bayesglmm.types import Target, check_choice

GEE = "gee_"
"""Beginning of the names of marginal models; the structure follows."""

TARGETS: dict[str, Target] = {SUBJECT: "average_subject", MARGINAL: "population"}
_LEFT_OUT = ("ratio", "logit_approximation")
"""Columns of the marginal coefficients, and beginnings of notes on them, that this table has not."""


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
        For ``ar1``: a column of the formula; see :func:`gee`.
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
        If no structure is named, or one twice.
    BayesglmmError
        As :func:`marginal_coefficients` and :func:`gee`.

    References
    ----------
    Neuhaus, J. M., Kalbfleisch, J. D. and Hauck, W. W. (1991). A comparison of cluster-specific and population-averaged approaches for
    analyzing correlated binary data. *International Statistical Review* 59, 25-35. Laird, N. M. (1988). Missing data in longitudinal
    studies. *Statistics in Medicine* 7, 305-315.
    """
    names = _structures(structure)
    mixed = marginal_coefficients(fit, ci_prob=ci_prob)
    models = {name: _model(fit, name, groups, time if name == "ar1" else None, ci_prob) for name in names}
    parts = [_posterior(mixed, SUBJECT), _posterior(mixed, MARGINAL), *(_solved(name, model) for name, model in models.items())]
    order = np.arange(sum(map(len, parts))).reshape(len(parts), -1).T.ravel()
    table = pd.concat(parts, ignore_index=True).iloc[order].reset_index(drop=True)
    notes = (
        *_meaning(fit.link),
        "se and interval: posterior SD and interval of the mixed model; sandwich error and confidence interval of GEE.",
        *(_told(name, model) for name, model in models.items()),
        *(n for n in mixed.notes if not n.startswith(_LEFT_OUT)),
    )
    return Result(
        "Subject-specific, marginal and GEE coefficients", "in the column target of each row", table, mixed.draws, notes, mixed.interval
    )


def _structures(structure: Structure | Sequence[Structure]) -> tuple[Structure, ...]:
    names: tuple[Structure, ...] = (structure,) if isinstance(structure, str) else tuple(structure)
    for name in names:
        check_choice("structure", name, Structure)
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"structure={structure!r} must name one structure or several different ones")
    return names


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


def _meaning(link: Link) -> tuple[str, ...]:
    """Say what may be compared with what."""
    compare = f"Compare {MARGINAL} with {GEE}...: both speak of the population's mean. {SUBJECT} answers another question"
    if link.mean_interval == REAL:
        compare += ", but under the identity link its coefficients are those of the population's mean too."
    elif link.onto_unit_interval:
        compare += ", and is larger in size: subjects differ, and the average of their curves is flatter than any one of them."
    else:
        compare += ": the spread of the random effects is part of the population's mean (with random intercepts, of its intercept only)."
    missing = (
        f"GEE is valid when visits are missing completely at random; {MARGINAL}, if the mixed model is right, also when they are missing "
        "at random, that is, depending on what was observed. Where the two differ beyond their errors, look at who drops out."
    )
    return compare, missing
