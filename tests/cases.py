"""The support table: one small model for every family, link, covariance and kind of prior, on one made-up table."""

import numpy as np
import pandas as pd

import bayesglmm as bg
from bayesglmm.design.prepare import prepare
from bayesglmm.spec.model_spec import make_spec

RNG = np.random.default_rng(5)
N = 60
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "f": RNG.choice(list("abc"), N),
        "g": np.repeat([f"g{i}" for i in range(6)], 10),
        "h": RNG.choice([f"h{i}" for i in range(4)], N),
        "size": RNG.integers(3, 9, N),
        "w": RNG.uniform(0.5, 2.0, N),
        "s": RNG.uniform(0.5, 2.0, N),
        "real": RNG.normal(size=N),
        "binary": RNG.integers(0, 2, N),
        "count": RNG.poisson(2.0, N),
    }
).assign(k=lambda d: np.minimum(d["size"], d["count"]))

CASES = {
    "gaussian": ("real ~ x + f + (1 | g)", "gaussian", "identity", {}),
    "gaussian log": ("count ~ x + (1 | g)", "gaussian", "log", {}),
    "known errors": ("real | se(s) ~ x + (1 | g)", "gaussian", "identity", {}),
    "weights": ("real | weights(w) ~ x + (1 | g)", "gaussian", "identity", {}),
    "correlated": ("real ~ x + (1 + x + f | g)", "gaussian", "identity", {}),
    "independent": ("real ~ x + (1 + x + f || g)", "gaussian", "identity", {}),
    "crossed, two terms of one factor": ("real ~ x + (1 | g) + (0 + x | g) + (1 | h)", "gaussian", "identity", {}),
    "nested": ("real ~ x + (1 | h/g)", "gaussian", "identity", {}),
    "no random effects": ("real ~ x * f", "gaussian", "identity", {}),
    "no intercept": ("real ~ 0 + f + x + (1 | g)", "gaussian", "identity", {}),
    "logit": ("binary ~ x + f + (1 + x | g)", "bernoulli", "logit", {}),
    "probit": ("binary ~ x + (1 | g)", "bernoulli", "probit", {}),
    "cloglog": ("binary ~ x + (1 | g)", "bernoulli", "cloglog", {}),
    "cauchit": ("binary ~ x + (1 | g)", "bernoulli", "cauchit", {}),
    "binomial logit": ("k | trials(size) ~ x + (1 | g)", "binomial", "logit", {}),
    "binomial loglog": ("k | trials(size) ~ x + (1 | g)", "binomial", "loglog", {}),
    "poisson offset": ("count ~ x + offset(log(size)) + (1 | g)", "poisson", "log", {}),
    "priors": (
        "real ~ x + (1 + x | g)",
        "gaussian",
        "identity",
        {
            "intercept": bg.Cauchy(0, 2),
            "b": bg.Laplace(0, 1.5),
            "sd": bg.Gamma(2, 1),
            "sd[g, x]": bg.HalfCauchy(1),
            "cor": bg.LKJ(3.5),
            "sigma": bg.InverseGamma(3, 2),
        },
    ),
    "more priors": (
        "real ~ x + (1 + x | g)",
        "gaussian",
        "identity",
        {"intercept": bg.Uniform(-20, 20), "b": bg.StudentT(4, 0, 2), "sd": bg.HalfNormal(2), "sd[g, x]": bg.HalfStudentT(4, 1)},
    ),
}


def ready_for(formula, family, link, priors, *, center=True):
    return prepare(make_spec(formula, family=family, link=link, priors=priors, center=center), TABLE)
