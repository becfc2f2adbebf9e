r"""Marginal coefficients: what a one-unit change does to the population's mean, next to what it does within one subject."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import DesignError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.marginal import logit_attenuation, population_predictor
from bayesglmm.numerics.marginal import marginal_coefficients as project
from bayesglmm.post.cells import row_weights, weighted_by
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, interval_ends, make_interval
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, group_variance
from bayesglmm.post.readings import readings
from bayesglmm.post.result import Result, draws_dataset, run_notes, target_sentence
from bayesglmm.post.rows import Rows, build_rows, distinct_rows
from bayesglmm.types import FloatArray

SUBJECT, MARGINAL = "subject_specific", "marginal"
EXACT = 1e-8
"""A departure below this is rounding: the population mean is linear in the coefficients."""


@dataclass(frozen=True, slots=True)
class _Projection:
    """Draws (S, p) of the coefficients, the bound on the means' error, and the largest distance of a row's predictor from the line."""

    values: FloatArray
    bound: float
    departure: float


@takes_fit
def marginal_coefficients(fit: Fit, *, weights: Any = None, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Coefficients of the population mean on the data, next to the subject-specific ones.

    .. math:: \beta_M = (X'WX)^{-1} X'W\,(g(\pi_M) - o), \qquad \pi_M = E_b\,h(o + x'\beta + z'b), \quad b \sim N(0, D)

    per draw, with W row weights, so that beta_M has a posterior. Rows that are alike are integrated once and counted as often as they
    occur, which is exact.

    Parameters
    ----------
    fit
        A fit.
    weights
        Name of a column, or one number per row of the data; equal when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per coefficient (its index): ``subject_specific`` (posterior mean of beta) and ``marginal`` (of beta_M), each
        with ``..._sd``, ``..._lower``, ``..._upper``; ``ratio``, the ratio of the two posterior means. For a logit link with random
        intercepts only also ``logit_approximation``, the posterior mean of :math:`\beta / \sqrt{1 + c^2 \sigma_b^2}`,
        :math:`c = 16 \sqrt 3 / (15 \pi)`: shown, never used. ``draws``: variables ``subject_specific`` and ``marginal`` with dims (chain,
        draw, coefficient).

    Raises
    ------
    DesignError
        If the model has no fixed effect.
    FamilyError
        If the link has no population mean (inverse, sqrt); gives the reason.
    ColumnError, ArgumentError
        If the weights are not what they must be.

    References
    ----------
    Hedeker, D., du Toit, S. H. C., Demirtas, H. and Gibbons, R. D. (2018). A note on marginalization of regression parameters from mixed
    models of binary outcomes. *Biometrics* 74, 354-361, equation (5). Zeger, S. L., Liang, K.-Y. and Albert, P. S. (1988). *Biometrics*
    44, 1049-1060, for the approximation.
    """
    choice = make_interval(ci_prob, ci_kind)
    if not fit.design.labels:
        raise DesignError("the model has no fixed effect", where=fit.spec.formula, fix="marginal coefficients need at least an intercept")
    rows = build_rows(fit, None, target="population")
    weight = row_weights(rows, weights)
    unique, which = distinct_rows(rows, levels=False)
    parameters = fit_parameters(fit, effects=False)
    projection = _project(fit.link.name, parameters, unique, np.bincount(which, weights=weight).astype(np.float64))
    marginal = projection.values
    table = _table(fit.design.labels, parameters.beta, marginal, choice)
    if fit.link is LINKS["logit"] and fit.design.groups and _random_intercepts(unique):
        table = table.assign(logit_approximation=_approximation(parameters))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {"coefficient": np.array(fit.design.labels, dtype=object)}
    draws = draws_dataset({SUBJECT: parameters.beta, MARGINAL: marginal}, sizes, "coefficient", coords)
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    own = f"subject_specific: coefficients at given random effects of {', '.join(factors)}. marginal: " if factors else ""
    target = own + target_sentence("population", factors)
    return Result(
        "Subject-specific and marginal coefficients",
        target,
        table,
        draws,
        (*_notes(fit, table, projection, weights), *run_notes(fit)),
        choice,
    )


def marginal_draws(link_name: str, parameters: Parameters, rows: Rows, weights: FloatArray) -> tuple[FloatArray, float]:
    """Draws of the marginal coefficients, shape (S, p), and the bound on the error of the population means behind them.

    Parameters
    ----------
    link_name
        Name of the link.
    parameters
        S draws.
    rows
        n distinct rows; draws are taken in blocks, so that no array of S x n is made.
    weights
        Shape (n,): how much each distinct row counts.
    """
    projection = _project(link_name, parameters, rows, weights)
    return projection.values, projection.bound


def _project(link_name: str, parameters: Parameters, rows: Rows, weights: FloatArray) -> _Projection:
    values, bound, left = np.empty(parameters.beta.shape), 0.0, np.zeros(rows.n_rows)
    for block in draw_blocks(parameters.n_draws, rows.n_rows):
        part = parameters.take(block)
        mean = population_predictor(link_name, fixed_eta(part, rows), group_variance(part, rows))
        values[block] = project(rows.X, mean.value, offset=rows.offset, weights=weights)
        bound = max(bound, mean.mean_bound)
        left += np.sum(np.abs(mean.value - rows.offset - values[block] @ rows.X.T), axis=0)
    return _Projection(values, bound, float(left.max(initial=0.0)) / max(1, parameters.n_draws))


def _table(labels: Sequence[str], beta: FloatArray, marginal: FloatArray, choice: IntervalChoice) -> pd.DataFrame:
    lower, upper = interval_ends(beta, choice)
    marginal_lower, marginal_upper = interval_ends(marginal, choice)
    subject, population = beta.mean(axis=0), marginal.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = population / subject
    columns = {
        SUBJECT: subject,
        f"{SUBJECT}_sd": _sd(beta),
        f"{SUBJECT}_lower": lower,
        f"{SUBJECT}_upper": upper,
        MARGINAL: population,
        f"{MARGINAL}_sd": _sd(marginal),
        f"{MARGINAL}_lower": marginal_lower,
        f"{MARGINAL}_upper": marginal_upper,
        "ratio": ratio,
    }
    return pd.DataFrame(columns, index=pd.Index(labels, name="coefficient"))


def _sd(draws: FloatArray) -> FloatArray:
    return np.asarray(draws.std(axis=0, ddof=1)) if len(draws) > 1 else np.zeros(draws.shape[1])


def _random_intercepts(rows: Rows) -> bool:
    """Whether every group term is a random intercept."""
    return all(z.shape[1] == 1 and bool(np.all(z == 1.0)) for z in rows.Z)


def _approximation(parameters: Parameters) -> FloatArray:
    variance = np.sum([np.square(g.sd[:, 0]) for g in parameters.groups], axis=0)
    return np.asarray((parameters.beta * logit_attenuation(variance)[:, None]).mean(axis=0))


def _notes(fit: Fit, table: pd.DataFrame, projection: _Projection, weights: Any) -> tuple[str, ...]:
    bound, n_rows = projection.bound, len(fit.design.X)
    how = f"integration error of the population means <= {bound:.0e}" if bound > 0.0 else "population means in closed form"
    rows = f"Least-squares projection on the {n_rows} rows of the data{weighted_by(weights)}; {how}."
    notes = [rows, _departure(fit, projection.departure)]
    if "logit_approximation" in table.columns:
        notes.append("logit_approximation is beta / sqrt(1 + 0.346 variance), for comparison only; it is not used.")
    if fit.design.groups:
        notes.append("ratio is posterior mean of marginal over posterior mean of subject-specific.")
    return (*notes, "The marginal coefficients stand for:", *readings(fit))


def _departure(fit: Fit, departure: float) -> str:
    """Say how well straight lines describe the population mean: the readings of the coefficients are as good as that."""
    if departure <= EXACT:
        return f"On the scale of the {fit.link.name} link the population mean is linear in these coefficients."
    return (
        f"On the scale of the {fit.link.name} link the population mean is not quite linear: the posterior mean of a row's distance from "
        f"what the coefficients give is at most {departure:.2g}."
    )
