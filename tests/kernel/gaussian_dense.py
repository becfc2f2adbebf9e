"""Gaussian models written out with dense matrices: what the integrated form is compared with."""

import numpy as np
import pandas as pd
from scipy import stats

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.design.prepare import prepare
from bayesglmm.kernel.codes import COR_START, NONE, SD_START, WIDTH
from bayesglmm.kernel.derive import correlation_factors
from bayesglmm.kernel.gaussian_program import make_gaussian
from bayesglmm.spec.model_spec import make_spec

RNG = np.random.default_rng(15)
N = 64
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "v": RNG.normal(size=N),
        "f": RNG.choice(list("abc"), N),
        "region": np.repeat(list("rst"), [20, 20, 24]),
        "school": np.repeat([f"s{i}" for i in range(6)], [12, 8, 12, 8, 12, 12]),
        "room": [f"c{i}" for i in np.repeat(np.arange(16), 4)],
        "rater": RNG.choice([f"h{i}" for i in range(5)], N),
        "item": RNG.choice([f"i{i}" for i in range(4)], N),
        "w": RNG.uniform(0.5, 2.0, N),
        "s": RNG.uniform(0.3, 1.5, N),
        "o": RNG.normal(size=N),
    }
).assign(y=lambda d: 20.0 + d["x"] + 2 * RNG.normal(size=6)[d["school"].str[1:].astype(int)] + RNG.normal(size=N))

CASES = {
    "intercepts": ("y ~ x + f + (1 | school)", {}, True),
    "slope": ("y ~ x + (1 + x | school)", {}, True),
    "two slopes": ("y ~ x + (1 + x + v | school)", {"cor": bg.LKJ(2.5)}, True),
    "slope only": ("y ~ x + (0 + x | school)", {}, True),
    "factor as effects": ("y ~ x + (0 + f | school)", {}, True),
    "uncorrelated": ("y ~ x + (1 + x || school)", {}, True),
    "two terms of one factor": ("y ~ x + (1 + v | school) + (0 + x | school)", {}, True),
    "nested": ("y ~ x + (1 | region/school)", {}, True),
    "nested, slopes": ("y ~ x + (1 + x | school) + (1 + v | room)", {}, True),
    "nested three deep": ("y ~ x + (1 + x | region) + (1 | school) + (1 + v || room)", {}, True),
    "crossed": ("y ~ x + (1 | rater) + (1 | item)", {}, True),
    "crossed, slopes": ("y ~ x + (1 + x | rater) + (1 + v | item)", {}, True),
    "nested and crossed": ("y ~ x + (1 + x | school) + (1 | room) + (1 + v | rater) + (1 | item) + (0 + x | rater)", {}, True),
    "three deep and crossed": ("y ~ x * f + (1 | region/school/room) + (1 + x | item)", {}, True),
    "cells": ("y ~ x + (1 | rater) + (1 | item) + (1 | rater:item)", {}, True),
    "weights": ("y | weights(w) ~ x + (1 + x | school) + (1 | rater)", {}, True),
    "known errors": ("y | se(s) ~ x + (1 + x | school) + (1 | room)", {}, True),
    "known errors, weights, crossed": ("y | se(s) + weights(w) ~ x + (1 | school) + (1 | rater)", {}, True),
    "offset": ("y ~ x + offset(o) + (1 | school)", {}, True),
    "no intercept": ("y ~ 0 + f + x + (1 | school) + (1 | item)", {}, True),
    "no fixed effects": ("y ~ 0 + (1 | school)", {}, True),
    "intercept alone": ("y ~ 1 + (1 | school) + (1 | rater)", {}, True),
    "no random effects": ("y ~ x * f", {}, True),
    "no random effects, all sampled": ("y ~ x * f", {"b": bg.Laplace(0, 2)}, True),
    "bounded slope": ("y ~ x + v + (1 + x | school)", {"b[x]": bg.Uniform(-3, 4)}, True),
    "bounded intercept": ("y ~ x + (1 | school)", {"intercept": bg.Uniform(-50, 60)}, True),
    "bounded intercept at zero": ("y ~ x + (1 | school)", {"intercept": bg.Uniform(-50, 60)}, False),
    "bounded SD": ("y ~ x + (1 | school)", {"sd": bg.Uniform(0, 9)}, True),
    "intercept prior at zero": ("y ~ x + (1 + x | school)", {}, False),
    "normal intercept": ("y ~ x + f + (1 + x | school) + (1 | rater)", {"intercept": bg.Normal(3, 8)}, True),
    "normal intercept at zero": ("y ~ x + f + (1 + x | room)", {"intercept": bg.Normal(3, 8), "b[x]": bg.Normal(1, 0.5)}, False),
    "one slope not normal": ("y ~ x + v + (1 | room) + (1 | rater)", {"b[x]": bg.StudentT(4, 0, 2)}, True),
    "priors": (
        "y ~ x + (1 + x | school)",
        {
            "intercept": bg.Cauchy(0, 2),
            "b": bg.Laplace(0, 1.5),
            "sd": bg.Gamma(2, 1),
            "sd[school, x]": bg.HalfCauchy(1),
            "cor": bg.LKJ(3.5),
            "sigma": bg.InverseGamma(3, 2),
        },
        True,
    ),
}


def ready_for(formula, priors, center=True, table=TABLE):
    return prepare(make_spec(formula, family="gaussian", link="identity", priors=priors, center=center), table)


def program_of(ready):
    return make_gaussian(ready.design, ready.priors, family=ready.family, link="identity", center=ready.spec.center)


def made(case):
    ready = ready_for(*CASES[case])
    return ready, program_of(ready)


def points(program, count=5, seed=7):
    """Random points; in the first two after the first all SDs are tiny and large."""
    rng, found = np.random.default_rng(seed), []
    r, s = len(program.sampled), len(program.kinds)
    for k in range(count):
        x = 0.6 * rng.normal(size=program.size)
        x[r : s - len(program.auxiliary)] += {1: -7.0, 2: 4.0}.get(k, 0.0)
        found.append(x)
    return found


LOG_PRIORS = {
    bg.Normal: lambda p, v: stats.norm.logpdf(v, p.mu, p.sigma),
    bg.HalfNormal: lambda p, v: stats.norm.logpdf(v, 0, p.sigma),
    bg.StudentT: lambda p, v: stats.t.logpdf(v, p.nu, p.mu, p.sigma),
    bg.HalfStudentT: lambda p, v: stats.t.logpdf(v, p.nu, 0, p.sigma),
    bg.Cauchy: lambda p, v: stats.cauchy.logpdf(v, p.mu, p.sigma),
    bg.HalfCauchy: lambda p, v: stats.cauchy.logpdf(v, 0, p.sigma),
    bg.Laplace: lambda p, v: -abs(v - p.mu) / p.b,
    bg.Exponential: lambda p, v: -p.rate * v,
    bg.Gamma: lambda p, v: stats.gamma.logpdf(v, p.alpha, scale=1 / p.beta),
    bg.InverseGamma: lambda p, v: stats.invgamma.logpdf(v, p.alpha, scale=p.beta),
    bg.Uniform: lambda p, v: 0.0,
}
"""By scipy, up to a constant; without one where the constant would not matter for a comparison of values."""


class Reference:
    """The model written out with dense matrices, on the user's scale, at one point of the sampler's space."""

    def __init__(self, ready, program, x):
        self.design, self.priors, self.program, self.x = ready.design, ready.priors, program, x
        self.internal, self.center = program.internal, ready.spec.center
        s = len(program.kinds)
        self.theta, self.jacobian = np.empty(s), 0.0
        coefficient = [self.coefficient_priors()[k] for k in program.sampled]
        self.scalar_priors = [*coefficient, *(p for group in self.priors.sd for p in group), *(p for _, p in self.priors.aux)]
        for k, prior in enumerate(self.scalar_priors):
            self.scalar(k, prior, positive=k >= len(coefficient))
        self.sigma = self.theta[-1] if self.priors.aux else 1.0
        self.factors()

    def coefficient_priors(self):
        slopes = iter(self.priors.b)
        return [self.priors.intercept if label == naming.INTERCEPT else next(slopes) for label in self.design.labels]

    def scalar(self, k, prior, *, positive):
        value = self.x[k]
        if isinstance(prior, bg.Uniform):
            share = 1 / (1 + np.exp(-value))
            self.theta[k] = prior.lower + (prior.upper - prior.lower) * share
            self.jacobian += np.log(share) + np.log1p(-share)
        elif positive:
            self.theta[k] = np.exp(value)
            self.jacobian += value
        else:
            self.theta[k] = value

    def factors(self):
        """Dense Z, covariance of all effects, log density of the correlations with its Jacobian."""
        blocks, columns, self.correlation, self.L = [], [], 0.0, []
        for group, block, prior in zip(self.design.groups, self.program.arrays.blocks, self.priors.cor, strict=True):
            q, J = block[WIDTH], len(group.levels)
            L, at = np.eye(q), block[COR_START]
            if at != NONE:
                u = self.x[at : at + q * (q - 1) // 2]
                L = correlation_factors(u, q)
                partial = np.tanh(u)
                # p(L) under LKJ: product over rows i of L_ii^(q - i - 2 + 2 eta - 1), rows counted from 0; then the map from x to L
                self.correlation += np.sum([(q - i + 2 * prior.eta - 3) * np.log(L[i, i]) for i in range(1, q)])
                self.correlation += np.sum(np.log((1 - partial**2) * L[np.tril_indices(q, -1)] / partial))
            A = self.theta[block[SD_START] : block[SD_START] + q, None] * L
            self.L.append(L)
            blocks += [A @ A.T] * J
            Z = np.zeros((len(self.design.y), J, q))
            Z[np.arange(len(Z)), group.index] = group.Z
            columns.append(Z.reshape(len(Z), -1))
        self.Z = np.concatenate([np.empty((len(self.design.y), 0)), *columns], axis=1)
        self.D = np.zeros((self.Z.shape[1],) * 2)
        at = 0
        for D in blocks:
            self.D[at : at + len(D), at : at + len(D)] = D
            at += len(D)

    @property
    def X(self):
        """Columns on whose coefficients the priors are: the user's, centered where the intercept's prior refers to the means."""
        X, k = np.array(self.design.X, dtype=float), self.internal.intercept
        return X if k == NONE or not self.center else X - X.mean(axis=0) * (np.arange(X.shape[1]) != k)

    @property
    def integrated(self):
        return np.delete(np.arange(self.design.X.shape[1]), self.program.sampled)

    @property
    def coefficients(self):
        """Sampled coefficients of those columns."""
        r = len(self.program.sampled)
        if not len(self.integrated):
            beta = self.internal.basis @ self.theta[:r]
            k = self.internal.intercept
            if k != NONE and not self.center:
                beta[k] -= self.internal.means @ beta
            return beta
        return self.theta[:r]  # only an intercept is sampled next to integrated slopes

    @property
    def noise(self):
        """Variance of each row and what the multipliers of the log likelihood add."""
        w = np.ones(len(self.design.y)) if self.design.weights is None else self.design.weights
        if self.design.se is not None:
            return self.design.se**2 / w, 0.0
        return self.sigma**2 / w, np.sum((1 - w) * np.log(self.sigma))

    def prior_of_integrated(self):
        chosen = [self.coefficient_priors()[k] for k in self.integrated]
        return np.array([p.mu for p in chosen]), np.array([p.sigma for p in chosen])

    def log_prior(self):
        total = self.jacobian + self.correlation
        r = len(self.program.sampled)
        values = [*self.coefficients, *self.theta[r:]]
        return total + sum(LOG_PRIORS[type(p)](p, v) for p, v in zip(self.scalar_priors, values, strict=True))

    def log_density(self):
        """Return log N(y; mean, Z D Z' + X_S P^-1 X_S' + noise) with priors and Jacobian."""
        mean, sd = self.prior_of_integrated()
        X, (noise, extra) = self.X, self.noise
        wide = X[:, self.integrated] * sd
        V = self.Z @ self.D @ self.Z.T + wide @ wide.T + np.diag(noise)
        r = self.design.y - self.design.offset - X[:, self.program.sampled] @ self.coefficients - X[:, self.integrated] @ mean
        factor = np.linalg.cholesky(V)
        return self.log_prior() + extra - np.log(np.diag(factor)).sum() - 0.5 * np.sum(np.linalg.solve(factor, r) ** 2)

    def conditional(self):
        """Mean and covariance of (effects, integrated coefficients) given y."""
        mean, sd = self.prior_of_integrated()
        W = np.concatenate([self.Z, self.X[:, self.integrated]], axis=1)
        C = np.zeros((W.shape[1],) * 2)
        C[: len(self.D), : len(self.D)] = self.D
        at = np.arange(len(self.D), len(C))
        C[at, at] = sd**2
        prior_mean = np.concatenate([np.zeros(len(self.D)), mean])
        V = W @ C @ W.T + np.diag(self.noise[0])
        gain = np.linalg.solve(V, W @ C).T
        r = self.design.y - self.design.offset - self.X[:, self.program.sampled] @ self.coefficients - W @ prior_mean
        return prior_mean + gain @ r, C - gain @ W @ C
