"""The accessors that users of lme4 know, as plain functions: posterior means in place of estimates."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from bayesglmm import naming
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.fit.draws import auxiliary_draws, correlation_draws, effect_draws, flatten, sd_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.linear_predictor import draw_blocks, fit_parameters, fixed_eta, group_eta
from bayesglmm.post.rows import build_rows
from bayesglmm.spec.names import bare_names
from bayesglmm.types import FloatArray, check_choice

type ResidualKind = Literal["response", "pearson", "deviance"]

RESIDUAL: Final = "Residual"
_SMALLEST_MEAN = 1e-100


@takes_fit
def fixef(fit: Fit) -> "pd.Series[float]":
    """Posterior means of the fixed effects, by label.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    Series
        One number per label of the design.
    """
    return pd.Series(fit_parameters(fit, effects=False).beta.mean(axis=0), index=list(fit.design.labels), name="fixef")


@takes_fit
def vcov(fit: Fit) -> pd.DataFrame:
    """Posterior covariance matrix (p, p) of the fixed effects, labels on both sides.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    DataFrame
        Shape (p, p).

    Raises
    ------
    ArgumentError
        If the fit has one draw only, which has no covariance.
    """
    beta = fit_parameters(fit, effects=False).beta
    if len(beta) < 2:
        raise ArgumentError("a covariance needs at least two draws", where=f"{len(beta)} draw")
    centered = beta - beta.mean(axis=0)
    labels = list(fit.design.labels)
    return pd.DataFrame(centered.T @ centered / (len(beta) - 1), index=labels, columns=labels)


@takes_fit
def ranef(fit: Fit) -> dict[str, pd.DataFrame]:
    """Posterior means of the random effects: for each grouping factor a table of its levels (rows) and effects (columns).

    Effects of several group terms of one factor stand side by side. Without a grouping factor the result is empty.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    dict
        Tables of shape (levels, effects) by the factor's name, which stands without back-quotes: ``ranef(fit)["my school"]``.

    Raises
    ------
    ArgumentError
        If the fit kept no draws of the random effects.
    """
    found, names = dict[str, list[pd.DataFrame]](), _factor_names(fit)
    for group in fit.design.groups:
        means = effect_draws(fit.posterior, group).mean(axis=(0, 1), dtype=np.float64)
        table = pd.DataFrame(means, index=pd.Index(group.levels, name=names[group.name]), columns=list(group.labels))
        found.setdefault(names[group.name], []).append(table)
    return {name: pd.concat(tables, axis=1) for name, tables in found.items()}


@takes_fit
def VarCorr(fit: Fit) -> pd.DataFrame:
    """Variances and correlations of the random effects.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    DataFrame
        Columns ``factor`` (its name without back-quotes), ``effect``, ``with``, ``variance``, ``sd``, ``correlation``. One row per effect:
        ``sd`` is the posterior mean of the standard deviation and ``variance`` its square (not the posterior mean of the variance, which is
        larger). One row per pair of correlated effects, ``effect`` with ``with``: the posterior mean of their correlation. Last, where
        sigma is estimated, factor ``Residual`` with the posterior mean of sigma. What does not apply is missing.
    """
    rows: list[tuple[str, str | None, str | None, float, float, float]] = []
    names = _factor_names(fit)
    for group in fit.design.groups:
        for label, value in zip(group.labels, flatten(sd_draws(fit.posterior, group)).mean(axis=0).tolist(), strict=True):
            rows.append((names[group.name], label, None, value**2, value, np.nan))
        corr = correlation_draws(fit.posterior, group)
        means = np.eye(len(group.labels)) if corr is None else flatten(corr).mean(axis=0)
        for i, j in zip(*np.tril_indices(len(group.labels), -1), strict=True):
            if corr is not None:
                rows.append((names[group.name], group.labels[j], group.labels[i], np.nan, np.nan, float(means[i, j])))
    residual = auxiliary_draws(fit.posterior, (naming.SIGMA,))
    if residual:
        value = float(residual[naming.SIGMA].mean())
        rows.append((RESIDUAL, None, None, value**2, value, np.nan))
    return pd.DataFrame(rows, columns=["factor", "effect", "with", "variance", "sd", "correlation"])


@takes_fit
def sigma(fit: Fit) -> float:
    """Posterior mean of the residual standard deviation.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    float
        In units of the response.

    Raises
    ------
    FamilyError
        If the model has no residual standard deviation, or it is known, ``y | se(s)``.
    """
    draws = auxiliary_draws(fit.posterior, (naming.SIGMA,))
    if not draws:
        known = fit.design.se is not None
        what = "the residual standard deviations are known, not estimated" if known else f"the {fit.family.name} family has no sigma"
        raise FamilyError(what, where=fit.spec.formula, fix="its variance follows from the mean" if not known else None)
    return float(draws[naming.SIGMA].mean())


@takes_fit
def fitted(fit: Fit) -> "pd.Series[float]":
    r"""Posterior mean of :math:`h(\eta)` in each row of the data, for the groups that the row names (target ``group``).

    For a binomial response it is per trial. Draws are taken in blocks: no array of draws x rows is made.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    Series
        Shape (n,), in the order of the data.

    Raises
    ------
    ArgumentError
        If the fit kept no draws of the random effects.
    """
    parameters, rows = fit_parameters(fit, effects=True), build_rows(fit, None, target="group")
    total = np.zeros(rows.n_rows)
    for block in draw_blocks(parameters.n_draws, rows.n_rows):
        part = parameters.take(block)
        total += fit.link.inverse(fixed_eta(part, rows) + group_eta(part, rows, rows.index)).sum(axis=0)
    return pd.Series(total / parameters.n_draws, index=fit.frame.index, name="fitted")


@takes_fit
def residuals(fit: Fit, kind: ResidualKind = "response") -> "pd.Series[float]":
    r"""Residuals of each row of the data at the posterior means of :math:`\mu = h(\eta)` and of the auxiliary parameters.

    Parameters
    ----------
    fit
        A fit.
    kind
        ``response``: :math:`y - \mu`, for a binomial response the share of successes less :math:`\mu`. ``pearson``: the difference between
        y and its mean in standard deviations of y. ``deviance``: :math:`\pm \sqrt{2 (\ell_{max} - \ell(\mu))}` with the sign of the
        response residual, l the row's log density and l_max its largest value over all means that the link allows. Both are scaled by
        sigma, and multiplied by the root of the row's likelihood weight where there is one.

    Returns
    -------
    Series, shape (n,)

    Raises
    ------
    ArgumentError
        If ``kind`` is unknown, or the fit kept no draws of the random effects.

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., section 2.4.
    """
    check_choice("kind", kind, ResidualKind)
    design, mu = fit.design, np.asarray(fitted(fit), dtype=np.float64)
    share = design.y if design.trials is None else np.divide(design.y, design.trials, out=mu.copy(), where=design.trials > 0.0)
    root = 1.0 if design.weights is None else np.sqrt(design.weights)
    if kind == "response":
        values = share - mu
    elif kind == "pearson":
        sizes = np.ones_like(mu) if design.trials is None else design.trials
        sd = np.sqrt(fit.family.variance(mu, design.trials, **_auxiliary_means(fit)))
        with np.errstate(divide="ignore"):  # a mean that rounds to the end of its interval has no variance
            values = root * np.divide(design.y - sizes * mu, sd, out=np.zeros_like(mu), where=design.y != sizes * mu)
    else:
        gap = _log_density_at(fit, share) - _log_density_at(fit, mu)
        values = root * np.sign(share - mu) * np.sqrt(2.0 * np.maximum(gap, 0.0))
    return pd.Series(values, index=fit.frame.index, name=f"{kind} residual")


@takes_fit
def nobs(fit: Fit) -> int:
    """Return the number of rows that were fitted.

    Parameters
    ----------
    fit
        A fit.

    Returns
    -------
    int
        Rows after those with missing values were dropped.
    """
    return len(fit.design.y)


def _factor_names(fit: Fit) -> dict[str, str]:
    """Names of the grouping factors without back-quotes, by their names in the formula."""
    return bare_names(dict.fromkeys(g.name for g in fit.design.groups))


def _auxiliary_means(fit: Fit) -> dict[str, FloatArray]:
    """Posterior means of the auxiliary parameters, or the known standard errors."""
    if fit.design.se is not None:
        return dict.fromkeys(fit.family.auxiliary, fit.design.se)
    return {name: np.asarray(values.mean()) for name, values in auxiliary_draws(fit.posterior, fit.family.auxiliary).items()}


def _log_density_at(fit: Fit, mu: FloatArray) -> FloatArray:
    """Log density of the data at means that are moved inside the interval of means, by less than the spacing of doubles."""
    low, high = fit.link.mean_interval
    lowest = low + _SMALLEST_MEAN if np.isfinite(low) else low
    highest = float(np.nextafter(high, low)) if np.isfinite(high) else high
    eta = fit.link.link(np.clip(mu, lowest, highest))
    auxiliary: Mapping[str, Any] = _auxiliary_means(fit)
    return fit.family.log_prob(fit.design.y, eta, fit.link, trials=fit.design.trials, **auxiliary)
