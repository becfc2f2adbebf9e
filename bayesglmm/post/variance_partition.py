r"""Variance partition: which share of a response's variance lies between the levels of each grouping factor."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.fit.draws import auxiliary_draws, flatten
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import SIGMA
from bayesglmm.numerics.covariance import linear_predictor_variance
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.partition import (
    LATENT_VARIANCES,
    RESPONSE_SCALE,
    Shares,
    VarianceFunction,
    latent_shares,
    latent_variance,
    lognormal_variance,
    response_shares,
)
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta
from bayesglmm.post.means import AT_ONCE
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, unkept_draws
from bayesglmm.post.rows import Rows, build_rows, distinct_rows
from bayesglmm.types import FloatArray, check_choice

type PartitionScale = Literal["latent", "response"]
type PartitionScales = Literal["latent", "response", "both"]

SHARE = "share"
TOTAL, RESIDUAL = "total", "residual"


@takes_fit
def variance_partition(
    fit: Fit,
    at: Any = None,
    *,
    scale: PartitionScales = "latent",
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Variance partition coefficients, for random intercepts intraclass correlations, per grouping factor and in total.

    .. math:: \text{latent: } \frac{v_f}{v + d}, \qquad \text{response: } \frac{\operatorname{Var}(E[\mu \mid b_f])}
              {\operatorname{Var}_b(\mu) + E_b \operatorname{var}(y \mid b)}, \qquad v_f = z' D_f z, \quad v = \textstyle\sum_f v_f

    with d the variance of the latent residual: :math:`\sigma^2` (identity), :math:`\pi^2/3` (logit), 1 (probit), :math:`\pi^2/6` (cloglog,
    loglog), :math:`\log(1 + 1/\lambda)` (Poisson), :math:`\lambda = E_b\,\mu` the population mean at the row.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    at
        As for :func:`bayesglmm.post.means.means`, one partition per row; None is one row, numbers at their mean and factors at their
        reference level.
    scale
        ``latent``: the scale of the linear predictor. ``response``: that of the response, of one trial if it is binomial. ``both``.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with the number of lines times draws.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, per row of ``at`` and scale one row per factor, one for the ``total`` of all factors and one for the ``residual``,
        1 - total: columns of the row, ``scale``, ``component``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``:
        variable ``share`` with dims (chain, draw, row), row counting the rows of the table; empty where they are not kept.

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, an argument is not allowed, or known standard errors differ between rows.
    FamilyError
        If there is no latent residual variance (cauchit; a Gaussian response under the log link): the response scale works.
    ColumnError, LevelError, MissingValueError
        If ``at`` is not what it must be.

    Notes
    -----
    On the response scale the factors act together: the total holds their interactions through the link, so that the shares of several
    factors need not add up to it. By :func:`bayesglmm.numerics.partition.response_shares`, without simulation.

    References
    ----------
    Nakagawa, S., Johnson, P. C. D. and Schielzeth, H. (2017). *Journal of the Royal Society Interface* 14, 20170213. Goldstein, H., Browne,
    W. and Rasbash, J. (2002). *Understanding Statistics* 1, 223-231.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("scale", scale, PartitionScales)
    factors = factor_names(fit)
    rows = build_rows(fit, {} if at is None else at, target="population")
    scales: tuple[PartitionScale, ...] = ("latent", "response") if scale == "both" else (scale,)
    summary, draws, bound = _summarised(fit, rows, scales, choice, keep_draws=keep_draws)
    labels = _labels(rows, scales, factors)
    table = join_columns(labels[0], {**labels[1], **summary}, reserved=(SHARE,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {str(c): table[c].to_numpy() for c in table.columns[: rows.frame.shape[1] + 2]}
    dataset = unkept_draws(sizes) if draws is None else draws_dataset({SHARE: draws}, sizes, "row", coords)
    title = f"Variance partition, {' and '.join(scales)} scale"
    target = f"share of the variance of {_response_words(fit)} that lies between the levels of {', '.join(factors)}, at given covariates"
    notes = (*rows.notes, *_notes(fit, rows, scales, bound), *run_notes(fit))
    return Result(title, target, table, dataset, notes, choice)


def share_draws(fit: Fit, rows: Rows, scales: Sequence[PartitionScale]) -> tuple[FloatArray, float]:
    """Draws of shares: for each row and scale those of the F factors, their total and the residual; and the integration bound.

    Draws are taken in blocks: what is made beside the result, an array of S n k (F + 2) numbers, does not grow with n times S.

    Parameters
    ----------
    fit
        A fit.
    rows
        n rows.
    scales
        k scales.

    Returns
    -------
    tuple
        Draws of shape (S, n k (F + 2)), and the bound.
    """
    return _shares(fit, (fit_parameters(fit, effects=False), variance_function(fit)), rows, scales)


def _shares(
    fit: Fit, source: tuple[Parameters, VarianceFunction], rows: Rows, scales: Sequence[PartitionScale]
) -> tuple[FloatArray, float]:
    """Shares as :func:`share_draws` gives them, from parameters and a variance function that are made once for all rows."""
    parameters, variance = source
    names = factor_names(fit)
    values, bound = np.empty((parameters.n_draws, rows.n_rows, len(scales), len(names) + 2)), 0.0
    for block in draw_blocks(parameters.n_draws, rows.n_rows * len(names)):
        part = parameters.take(block)
        m, v = fixed_eta(part, rows), factor_variances(fit, part, rows)
        for i, scale in enumerate(scales):
            shares = _SCALES[scale](fit, m, v, variance.take(block))
            values[block, :, i] = np.moveaxis(np.stack([*shares.factors, shares.total, 1.0 - shares.total]), 0, -1)
            bound = max(bound, shares.bound)
    return values.reshape(parameters.n_draws, -1), bound


def _summarised(
    fit: Fit, rows: Rows, scales: Sequence[PartitionScale], choice: IntervalChoice, *, keep_draws: bool
) -> tuple[dict[str, FloatArray], FloatArray | None, float]:
    """Return summaries of the lines, their draws where they are kept, and the integration bound.

    Where draws are not kept, distinct rows are taken a few at a time.
    """
    source, lines = (fit_parameters(fit, effects=False), variance_function(fit)), len(scales) * (len(factor_names(fit)) + 2)
    step = max(1, AT_ONCE // (source[0].n_draws * lines))
    if keep_draws or rows.n_rows <= step:
        draws, bound = _shares(fit, source, rows, scales)
        return summarise(draws, choice), draws if keep_draws else None, bound
    unique, which = distinct_rows(rows, levels=False)
    parts, bound = [], 0.0
    for first in range(0, unique.n_rows, step):
        here = unique.take(np.arange(first, min(first + step, unique.n_rows)))
        draws, error = _shares(fit, source, here, scales)
        parts.append(summarise(draws, choice))
        bound = max(bound, error)
    columns = {name: np.concatenate([p[name] for p in parts]).reshape(-1, lines) for name in parts[0]}
    return {name: column[which].reshape(-1) for name, column in columns.items()}, None, bound


def factor_names(fit: Fit) -> tuple[str, ...]:
    """Names of the grouping factors, each once, in the order of the formula.

    Raises
    ------
    ArgumentError
        If there is none.
    """
    names = tuple(dict.fromkeys(g.name for g in fit.design.groups))
    if not names:
        raise ArgumentError(
            "the model has no grouping factor, so no variance lies between groups", where=fit.spec.formula, fix="add one: (1 | subject)"
        )
    return names


def factor_variances(fit: Fit, parameters: Parameters, rows: Rows) -> FloatArray:
    r"""Variance of the linear predictor by grouping factor, :math:`z' D_f z` summed over a factor's terms, shape (F, S, n)."""
    names = factor_names(fit)
    v = np.zeros((len(names), parameters.n_draws, rows.n_rows))
    for group, design, z in zip(parameters.groups, fit.design.groups, rows.Z, strict=True):
        v[names.index(design.name)] += linear_predictor_variance(z, group.sd, group.corr)
    return v


def variance_function(fit: Fit) -> VarianceFunction:
    """Variance of one response given its mean (of one trial, of weight one), coefficients of shape (S, 1).

    Raises
    ------
    ArgumentError
        If standard errors are known and differ between rows.
    """
    given = {name: flatten(draws)[:, None] for name, draws in auxiliary_draws(fit.posterior, fit.family.auxiliary).items()}
    n_draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    if fit.design.se is not None:
        given[SIGMA] = np.full((n_draws, 1), _one_standard_error(fit.design.se))
    trials = np.ones((n_draws, 1)) if fit.family.needs_trials else None
    at_0, at_1, at_2 = (fit.family.variance(np.full((n_draws, 1), mu), trials, **given) for mu in (0.0, 1.0, 2.0))
    quadratic = 0.5 * (at_2 - 2.0 * at_1 + at_0)
    return VarianceFunction(at_0, at_1 - at_0 - quadratic, quadratic)


def latent_residual(fit: Fit, log_mean: FloatArray, variance: VarianceFunction) -> FloatArray:
    """Variance d of the residual on the latent scale, of a shape that broadcasts with ``log_mean``.

    Parameters
    ----------
    fit
        Its family and link say which residual there is.
    log_mean
        Shape (S, n): under the log link the logarithm of the mean at which d is taken; not used under others.
    variance
        Of the response given its mean.

    Raises
    ------
    FamilyError
        If there is none: cauchit, or a Gaussian response under the log link.
    """
    if fit.link is LINKS["identity"]:
        return variance.constant
    if fit.link is not LINKS["log"]:
        return np.full((1, 1), latent_variance(fit.link.name))
    if not fit.family.discrete:
        raise FamilyError(
            f"a {fit.spec.family} response under the log link has no residual on the latent scale",
            where="its residuals are added to the mean, not to the logarithm of the mean",
            fix=RESPONSE_SCALE,
        )
    return lognormal_variance(log_mean, variance)


def _latent(fit: Fit, m: FloatArray, v: FloatArray, variance: VarianceFunction) -> Shares:
    return latent_shares(v, latent_residual(fit, m + 0.5 * v.sum(axis=0), variance))


def _response(fit: Fit, m: FloatArray, v: FloatArray, variance: VarianceFunction) -> Shares:
    return response_shares(fit.link.name, m, v, variance)


_SCALES: Final[Mapping[PartitionScale, Callable[[Fit, FloatArray, FloatArray, VarianceFunction], Shares]]] = MappingProxyType(
    {"latent": _latent, "response": _response}
)


def _one_standard_error(se: FloatArray) -> float:
    if np.ptp(se) > 0.0:
        raise ArgumentError(
            "the known standard errors differ between rows, so that there is no one residual variance",
            where=f"standard errors from {se.min():g} to {se.max():g}",
            fix="compare the standard deviations of the random effects, summary(fit), with them",
        )
    return float(se[0])


def _labels(rows: Rows, scales: Sequence[str], factors: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Columns that tell the rows of the table apart: those of ``at``, and our own two."""
    components = [*factors, TOTAL, RESIDUAL]
    repeated = rows.frame.iloc[np.repeat(np.arange(rows.n_rows), len(scales) * len(components))].reset_index(drop=True)
    own = {"scale": np.repeat(scales, len(components)), "component": np.tile(np.array(components, dtype=object), len(scales))}
    return repeated, {name: np.tile(column, rows.n_rows).astype(object) for name, column in own.items()}


def _response_words(fit: Fit) -> str:
    return "one trial of the response" if fit.family.needs_trials else "one response"


def random_intercepts(fit: Fit) -> bool:
    """Whether every group term is a random intercept."""
    return all(bool(np.all(g.Z == 1.0)) and g.Z.shape[1] == 1 for g in fit.design.groups)


def weights_note(fit: Fit) -> tuple[str, ...]:
    """Say what sigma is the standard deviation of, where rows have weights."""
    weighted = fit.design.weights is not None and SIGMA in fit.family.auxiliary
    return ("Rows have weights: the residual variance is sigma^2, that of a row of weight one.",) if weighted else ()


def residual_note(fit: Fit, mean: str) -> str:
    """Say which variance the residual has on the latent scale; ``mean`` says which mean lambda is."""
    if fit.link is LINKS["identity"]:
        return "Residual variance: sigma^2." if fit.design.se is None else "Residual variance: the square of the known standard error."
    if fit.link is LINKS["log"]:
        return f"Latent scale: residual variance log(1 + 1/lambda), lambda {mean}."
    return f"Latent scale: residual variance {LATENT_VARIANCES[fit.link.name]:.4g}, that of the {fit.link.name} link, of one trial."


def _notes(fit: Fit, rows: Rows, scales: Sequence[str], bound: float) -> tuple[str, ...]:
    factors, notes = factor_names(fit), []
    if "latent" in scales:
        notes.append(residual_note(fit, "the population mean at the row"))
    if "response" in scales:
        how = f"error of the moments of mu <= {bound:.0e}" if bound > 0.0 else "closed form"
        notes.append(f"Response scale: variance of mu over random effects, over the whole variance of {_response_words(fit)}; {how}.")
        if len(factors) > 1 and fit.link is not LINKS["identity"]:
            notes.append("Response scale: shares of factors, Var(E[mu | b of the factor]), need not add up to the total.")
    if random_intercepts(fit):
        alike = "that share this level only; for several shared levels add their latent shares" if len(factors) > 1 else "of one level"
        notes.append(f"Random intercepts only: a share is the intraclass correlation at these covariates, of two responses {alike}.")
    else:
        notes.append("Random slopes: the shares hold at these covariates only.")
    return (*notes, *weights_note(fit))
