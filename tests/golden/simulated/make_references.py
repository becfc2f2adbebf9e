"""Exact posteriors of five simulated designs, by integrating the random effects out and importance sampling the rest.

Run: ``python tests/golden/simulated/make_references.py`` (some minutes). It needs numpy, scipy and pandas only and shares no code with
the package: the integrated densities are written out here. Random effects are integrated by Woodbury's identity (Gaussian) or by a dense
trapezoid rule (one grouping factor), so the density of the remaining parameters is exact; their posterior is then a weighted sample from
a Student-t around the mode.
Writes ``<name>.csv`` and ``<name>.json`` beside this file.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import linalg, optimize, special, stats

HERE = Path(__file__).parent
DRAWS = 60_000
DEGREES = 6.0


@dataclass(frozen=True)
class Problem:
    """A simulated design: the model to fit, its data, and the exact log posterior of unconstrained parameters."""

    name: str
    model: dict
    data: pd.DataFrame
    log_posterior: Callable[[np.ndarray], float]
    start: np.ndarray
    report: Callable[[np.ndarray], dict[str, float]]


def normal_prior(x, sd):
    return -0.5 * np.sum((x / sd) ** 2)


def log_sd_prior(log_sd, rate):
    """Exponential prior on SDs, in log SD, with the Jacobian."""
    return np.sum(log_sd - rate * np.exp(log_sd))


def woodbury(residual, Z, root, sigma):
    """log N(residual; 0, Z R R' Z' + sigma^2 I) for R = root."""
    n, U = len(residual), Z @ root
    M = np.eye(U.shape[1]) + U.T @ U / sigma**2
    chol = linalg.cholesky(M, lower=True)
    half = linalg.solve_triangular(chol, U.T @ residual, lower=True) / sigma**2
    quadratic = residual @ residual / sigma**2 - half @ half
    return -0.5 * (quadratic + n * np.log(2 * np.pi * sigma**2)) - np.log(np.diag(chol)).sum()


def indicator(codes):
    return np.eye(codes.max() + 1)[codes]


def crossed():
    rng = np.random.default_rng(11)
    n, sizes, sds = 420, (14, 11, 9), (1.0, 0.7, 0.4)
    codes = [rng.integers(0, k, n) for k in sizes]
    x = rng.normal(size=n).round(4)
    eta = 2 + 0.5 * x + sum(sd * rng.normal(size=k)[c] for sd, k, c in zip(sds, sizes, codes, strict=True))
    y = (eta + 0.8 * rng.normal(size=n)).round(4)
    data = pd.DataFrame({"y": y, "x": x, **{name: [f"{name}{i:02d}" for i in c] for name, c in zip("abc", codes, strict=True)}})
    X = np.column_stack([np.ones(n), x])
    Z = np.concatenate([indicator(c) for c in codes], axis=1)

    def log_posterior(t):
        root = np.diag(np.repeat(np.exp(t[2:5]), sizes))
        prior = normal_prior(t[:2], np.array([5.0, 2.0])) + log_sd_prior(t[2:5], 1.0) + log_sd_prior(t[5:], 1.0)
        return prior + woodbury(y - X @ t[:2], Z, root, np.exp(t[5]))

    def report(t):
        names = ("Intercept", "x", "1|a_sigma", "1|b_sigma", "1|c_sigma", "sigma")
        return dict(zip(names, [*t[:2], *np.exp(t[2:])], strict=True))

    model = {
        "formula": "y ~ x + (1 | a) + (1 | b) + (1 | c)",
        "family": "gaussian",
        "link": "identity",
        "priors": {"intercept": ["normal", 0, 5], "b": ["normal", 0, 2], "sd": ["exponential", 1], "sigma": ["exponential", 1]},
    }
    return Problem("crossed", model, data, log_posterior, np.array([2, 0.5, 0, -0.3, -0.9, -0.2]), report)


def correlation_root(z, q=3):
    """Cholesky factor of a correlation matrix from partial correlations tanh(z), and log LKJ(2) with Jacobian (Lewandowski et al. 2009)."""
    L, density, at = np.zeros((q, q)), 0.0, 0
    L[0, 0] = 1.0
    for i in range(1, q):
        left = 1.0
        for j in range(i):
            p = np.tanh(z[at])
            density += (2.0 + (q - 2 - j) / 2 - 1) * np.log1p(-(p**2)) + np.log1p(-(p**2))
            L[i, j] = p * np.sqrt(left)
            left *= 1 - p**2
            at += 1
        L[i, i] = np.sqrt(left)
    return L, density


def correlated():
    rng = np.random.default_rng(12)
    groups, per = 30, 12
    n = groups * per
    g = np.repeat(np.arange(groups), per)
    x, t = rng.normal(size=n).round(4), np.tile(np.linspace(-1, 1, per), groups).round(4)
    R = np.array([[1, 0.5, -0.3], [0.5, 1, 0.2], [-0.3, 0.2, 1]])
    b = rng.normal(size=(groups, 3)) @ linalg.cholesky(R, lower=True).T * np.array([1.0, 0.6, 0.8])
    X = np.column_stack([np.ones(n), x, t])
    y = (X @ np.array([1.0, 0.5, -0.7]) + (X * b[g]).sum(axis=1) + 0.7 * rng.normal(size=n)).round(4)
    data = pd.DataFrame({"y": y, "x": x, "t": t, "g": [f"g{i:02d}" for i in g]})
    blocks = [X[g == j] for j in range(groups)]
    rows = [np.flatnonzero(g == j) for j in range(groups)]

    def log_posterior(p):
        sd, sigma = np.exp(p[3:6]), np.exp(p[9])
        L, lkj = correlation_root(p[6:9])
        root, residual = sd[:, None] * L, y - X @ p[:3]
        prior = normal_prior(p[:3], np.array([5.0, 2.0, 2.0])) + log_sd_prior(p[3:6], 1.0) + log_sd_prior(p[9:], 1.0) + lkj
        return prior + sum(woodbury(residual[r], Zj, root, sigma) for r, Zj in zip(rows, blocks, strict=True))

    def report(p):
        L, _ = correlation_root(p[6:9])
        C = L @ L.T
        names = ("Intercept", "x", "t", "1|g_sigma", "x|g_sigma", "t|g_sigma", "g_corr[1, x]", "g_corr[1, t]", "g_corr[x, t]", "sigma")
        return dict(zip(names, [*p[:3], *np.exp(p[3:6]), C[1, 0], C[2, 0], C[2, 1], np.exp(p[9])], strict=True))

    model = {
        "formula": "y ~ x + t + (1 + x + t | g)",
        "family": "gaussian",
        "link": "identity",
        "priors": {
            "intercept": ["normal", 0, 5],
            "b": ["normal", 0, 2],
            "sd": ["exponential", 1],
            "cor": ["lkj", 2],
            "sigma": ["exponential", 1],
        },
    }
    return Problem("correlated", model, data, log_posterior, np.array([1, 0.5, -0.7, 0, -0.5, -0.2, 0.5, -0.3, 0.2, -0.3]), report)


def one_factor(name, seed, groups, per, truth, draw, log_density, model):
    """One grouping factor with random intercepts: beta (2), log SD (1), effects integrated by a trapezoid rule of step 0.1 on (-9, 9)."""
    rng = np.random.default_rng(seed)
    n = groups * per
    g, x = np.repeat(np.arange(groups), per), rng.normal(size=groups * per).round(4)
    exposure = rng.uniform(0.5, 4.0, size=n).round(3)
    trials = rng.integers(1, 8, size=n)
    eta = truth[0] + truth[1] * x + truth[2] * rng.normal(size=groups)[g]
    y = draw(rng, eta, trials, exposure)
    data = pd.DataFrame({"y": y, "x": x, "exposure": exposure, "n": trials, "g": [f"g{i:02d}" for i in g]})
    node = np.arange(-9, 9.0001, 0.1)
    log_weight = stats.norm.logpdf(node) + np.log(0.1)
    X = np.column_stack([np.ones(n), x])

    def log_posterior(t):
        grid = (X @ t[:2])[:, None] + np.exp(t[2]) * node
        rows = log_density(y[:, None], grid, trials[:, None], exposure[:, None])
        joint = np.add.reduceat(rows, np.arange(0, n, per), axis=0) + log_weight
        return special.logsumexp(joint, axis=1).sum() + normal_prior(t[:2], np.array([5.0, 2.0])) + log_sd_prior(t[2:], 1.0)

    def report(t):
        return {"Intercept": t[0], "x": t[1], "1|g_sigma": np.exp(t[2])}

    full = {**model, "priors": {"intercept": ["normal", 0, 5], "b": ["normal", 0, 2], "sd": ["exponential", 1]}}
    return Problem(name, full, data, log_posterior, np.array([truth[0], truth[1], np.log(truth[2])]), report)


def probit():
    def log_density(y, eta, trials, exposure):
        return np.where(y == 1, special.log_ndtr(eta), special.log_ndtr(-eta))

    model = {"formula": "y ~ x + (1 | g)", "family": "bernoulli", "link": "probit"}
    return one_factor(
        "probit", 13, 40, 12, (0.3, 0.6, 1.0), lambda r, e, n, w: (r.uniform(size=len(e)) < special.ndtr(e)).astype(int), log_density, model
    )


def cloglog():
    def log_density(y, eta, trials, exposure):
        rate = np.exp(eta)
        return y * np.log(-np.expm1(-rate)) - (trials - y) * rate

    model = {"formula": "y | trials(n) ~ x + (1 | g)", "family": "binomial", "link": "cloglog"}
    return one_factor("cloglog", 14, 40, 8, (-0.5, 0.5, 0.8), lambda r, e, n, w: r.binomial(n, -np.expm1(-np.exp(e))), log_density, model)


def poisson_offset():
    def log_density(y, eta, trials, exposure):
        log_mu = eta + np.log(exposure)
        return y * log_mu - np.exp(np.minimum(log_mu, 700.0))

    model = {"formula": "y ~ x + offset(log(exposure)) + (1 | g)", "family": "poisson", "link": "log"}
    return one_factor("poisson_offset", 15, 35, 8, (0.4, 0.3, 0.6), lambda r, e, n, w: r.poisson(w * np.exp(e)), log_density, model)


def importance_sample(problem):
    """Draws, normalised weights, and the parameters to report, one row per draw."""
    fit = optimize.minimize(lambda t: -problem.log_posterior(t), problem.start, method="BFGS", options={"gtol": 1e-5})
    mode, k = fit.x, len(fit.x)
    step = 1e-3
    E = np.eye(k) * step
    f = problem.log_posterior
    H = np.array([[(f(mode + a + b) - f(mode + a - b) - f(mode - a + b) + f(mode - a - b)) / (4 * step**2) for a in E] for b in E])
    root = linalg.cholesky(1.2 * linalg.inv(-H), lower=True)
    rng = np.random.default_rng(2026)
    t = mode + (rng.normal(size=(DRAWS, k)) / np.sqrt(rng.chisquare(DEGREES, size=(DRAWS, 1)) / DEGREES)) @ root.T
    standard = linalg.solve_triangular(root, (t - mode).T, lower=True)
    log_proposal = -0.5 * (DEGREES + k) * np.log1p((standard**2).sum(axis=0) / DEGREES)
    log_weight = np.array([f(row) for row in t]) - log_proposal
    weight = np.exp(log_weight - log_weight.max())
    return weight / weight.sum(), pd.DataFrame([problem.report(row) for row in t])


def summarise(values, weight):
    """Weighted mean, SD, quantiles, each with its Monte Carlo standard error (delta method)."""
    mean = np.sum(weight * values)
    variance = np.sum(weight * (values - mean) ** 2)
    sd = np.sqrt(variance)
    result = {"mean": mean, "mcse_mean": np.sqrt(np.sum(weight**2 * (values - mean) ** 2)), "sd": sd}
    result["mcse_sd"] = np.sqrt(np.sum(weight**2 * ((values - mean) ** 2 - variance) ** 2)) / (2 * sd)
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order])
    for prob in (0.05, 0.95):
        q = values[order][np.searchsorted(cumulative, prob)]
        error = np.sqrt(np.sum(weight**2 * ((values <= q) - prob) ** 2))
        ends = [values[order][min(np.searchsorted(cumulative, np.clip(p, 0, 1)), len(values) - 1)] for p in (prob - error, prob + error)]
        result[f"q{round(100 * prob)}"], result[f"mcse_q{round(100 * prob)}"] = q, (ends[1] - ends[0]) / 2
    return {key: float(value) for key, value in result.items()}


def main():
    for make in (crossed, correlated, probit, cloglog, poisson_offset):
        problem = make()
        weight, table = importance_sample(problem)
        problem.data.to_csv(HERE / f"{problem.name}.csv", index=False)
        record = {
            "name": problem.name,
            "engine": "exact integration of the random effects, importance sampling of the rest (make_references.py)",
            "draws": DRAWS,
            "importance_ess": float(1 / np.sum(weight**2)),
            "largest_weight": float(weight.max()),
            "model": problem.model,
            "center": False,
            "parameters": {name: summarise(table[name].to_numpy(), weight) for name in table},
        }
        (HERE / f"{problem.name}.json").write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
