"""Data simulated from known models and fits whose draws are at, around, or exactly the posterior of the truth: cases for the checks."""

import dataclasses

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from bayesglmm.fit.fit import Fit
from tests.fits import make_fit
from tests.tolerances import MCSE_MULTIPLE

BETA = [0.5, 0.4]
LEVEL = 0.05
"""Probability of a false alarm of one interval or envelope."""


def labels(groups: int) -> list[str]:
    return [f"g{j:03d}" for j in range(groups)]


def rows_of(rng: np.random.Generator, groups: int, size: int) -> pd.DataFrame:
    """Groups of one size, with a covariate and the order of the rows of each."""
    n = groups * size
    return pd.DataFrame({"g": np.repeat(labels(groups), size), "x": rng.normal(size=n), "time": np.tile(np.arange(size), groups)})


def predictor(table: pd.DataFrame, b: np.ndarray) -> np.ndarray:
    return BETA[0] + BETA[1] * table["x"].to_numpy() + np.repeat(b, len(table) // len(b))


def gaussian_fit(seed: int, *, groups: int = 40, size: int = 12, rho: float = 0.0, slope_sd: float = 0.0, spread: float = 0.02) -> Fit:
    """Random-intercept model of normal responses; the data may have serial correlation, or slopes that the model lacks.

    With slopes the residual SD of the fit is that of slopes and residuals together, as a fit without slopes would find it.
    """
    rng = np.random.default_rng(seed)
    table, b, slopes = rows_of(rng, groups, size), rng.normal(size=groups), slope_sd * rng.normal(size=groups)
    e = rng.normal(size=(groups, size))
    for t in range(1, size):
        e[:, t] = rho * e[:, t - 1] + np.sqrt(1.0 - rho**2) * e[:, t]
    y = predictor(table, b) + np.repeat(slopes, size) * table["x"] + e.reshape(-1)
    return make_fit(
        "y ~ x + time + (1 | g)",
        table.assign(y=y),
        beta=[*BETA, 0.0],
        b=b,
        aux={"sigma": np.hypot(1.0, slope_sd)},
        spread=spread,
        seed=seed,
    )


def count_fit(seed: int, *, groups: int = 40, size: int = 12, dispersion: float = 0.0, spread: float = 0.02) -> Fit:
    """Poisson model; with ``dispersion`` the data are negative binomial with variance mu + dispersion mu^2."""
    rng = np.random.default_rng(seed)
    table, b = rows_of(rng, groups, size), 0.5 * rng.normal(size=groups)
    mu = np.exp(predictor(table, b))
    frailty = rng.gamma(1.0 / dispersion, dispersion, len(mu)) if dispersion else 1.0
    data = table.assign(y=rng.poisson(mu * frailty))
    return make_fit("y ~ x + (1 | g)", data, family="poisson", beta=BETA, sd=0.5, b=b, spread=spread, seed=seed)


def binary_fit(
    seed: int, *, groups: int = 40, size: int = 12, slope: float = BETA[1], trials: int | None = None, spread: float = 0.02
) -> Fit:
    """Logit model, the slope of the data ``slope`` and that of the fit 0.4."""
    rng = np.random.default_rng(seed)
    table, b = rows_of(rng, groups, size), rng.normal(size=groups)
    p = special.expit(predictor(table, b) + (slope - BETA[1]) * table["x"].to_numpy())
    common = {"beta": BETA, "b": b, "spread": spread, "seed": seed}
    if trials is None:
        return make_fit("y ~ x + (1 | g)", table.assign(y=rng.binomial(1, p)), family="bernoulli", **common)
    data = table.assign(y=rng.binomial(trials, p), n=trials)
    return make_fit("y | trials(n) ~ x + (1 | g)", data, family="binomial", **common)


def exact_fit(seed: int, *, groups: int, size: int, tau: float = 2.0, draws: int = 400) -> Fit:
    """Normal responses around random intercepts, all else known: independent draws from the exact posterior of the intercepts.

    The data are from the prior of the model: what is said of the posterior of a correct model holds, however small the groups.
    """
    rng = np.random.default_rng(seed)
    y = tau * rng.normal(size=(groups, 1)) + rng.normal(size=(groups, size))
    table = rows_of(rng, groups, size).assign(y=y.reshape(-1))
    fit = make_fit("y ~ 1 + time + (1 | g)", table, beta=[0.0, 0.0], sd=tau, spread=0.0, n_chains=1, n_draws=draws)
    v = 1.0 / (size + tau**-2)
    b = v * y.sum(axis=1) + np.sqrt(v) * rng.normal(size=(1, draws, groups))
    return with_posterior(fit, fit.posterior.assign({"1|g": fit.posterior["1|g"].copy(data=b)}))


def exact_pit(fit: Fit, *, loo: bool, tau: float = 2.0) -> np.ndarray:
    """Transforms of ``exact_fit`` in closed form: the predictive law of a row given the others of its group, or given all."""
    y = fit.design.y.reshape(len(fit.design.groups[0].levels), -1)
    total, size = (y.sum(axis=1, keepdims=True) - y, y.shape[1] - 1) if loo else (y.sum(axis=1, keepdims=True), y.shape[1])
    v = 1.0 / (size + tau**-2)
    return special.ndtr((y - v * total) / np.sqrt(1.0 + v)).reshape(-1)


def with_posterior(fit: Fit, posterior: xr.Dataset) -> Fit:
    nodes = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    return dataclasses.replace(fit, idata=xr.DataTree.from_dict({**nodes, "posterior": posterior}))


def without_effects(fit: Fit) -> Fit:
    """As a fit that kept no random effects."""
    return with_posterior(fit, fit.posterior.drop_vars([name for name in fit.posterior if "|" in name and not name.endswith("_sigma")]))


def false_alarms(outside: list[bool]) -> bool:
    """Whether independent checks of a correct model are outside no more often than LEVEL, within MCSE_MULTIPLE standard errors."""
    return bool(np.mean(outside) < LEVEL + MCSE_MULTIPLE * np.sqrt(LEVEL * (1.0 - LEVEL) / len(outside)))


def mean_share_is_small(shares: list[float]) -> bool:
    """Whether the mean share of places outside is at most LEVEL, within MCSE_MULTIPLE of its own standard errors over data sets."""
    return bool(np.mean(shares) <= LEVEL + MCSE_MULTIPLE * np.std(shares, ddof=1) / np.sqrt(len(shares)))


def many(share: float, count: int) -> bool:
    """Whether a share of ``count`` independent intervals outside is more than chance makes it."""
    return share > LEVEL + MCSE_MULTIPLE * np.sqrt(LEVEL * (1.0 - LEVEL) / count)


def exact_binary_fit(seed: int, *, groups: int, size: int, tau: float, draws: int = 400) -> tuple[Fit, np.ndarray]:
    """Zero-one responses around random intercepts, all else known: draws from the exact posterior of the intercepts, and exact predictions.

    The predictions, shape (n,), are the probabilities of a one given the other rows of the group. Both come from sums over 4,001 points.
    """
    rng = np.random.default_rng(seed)
    b = tau * rng.normal(size=(groups, 1))
    y = (rng.random((groups, size)) < special.expit(b)).astype(float)
    fit = make_fit(
        "y ~ 1 + time + (1 | g)",
        rows_of(rng, groups, size).assign(y=y.reshape(-1)),
        family="bernoulli",
        beta=[0.0, 0.0],
        sd=tau,
        spread=0.0,
        n_chains=1,
        n_draws=draws,
    )
    grid = tau * np.linspace(-9.0, 9.0, 4001)
    ones, zeros = special.log_expit(grid), special.log_expit(-grid)
    prior, total = -0.5 * np.square(grid / tau), y.sum(axis=1, keepdims=True)
    log_law = prior + total * ones + (size - total) * zeros
    law = np.exp(log_law - log_law.max(axis=1, keepdims=True))
    cumulative = np.cumsum(law, axis=1) / law.sum(axis=1, keepdims=True)
    drawn = np.stack([np.interp(rng.random(draws), c, grid) for c in cumulative], axis=1)[None]
    others = log_law[:, None] - np.where(y[..., None] == 1.0, ones, zeros)
    left = np.exp(others - others.max(axis=2, keepdims=True))
    exact = np.sum(left * special.expit(grid), axis=2) / np.sum(left, axis=2)
    return with_posterior(fit, fit.posterior.assign({"1|g": fit.posterior["1|g"].copy(data=drawn)})), exact.reshape(-1)
