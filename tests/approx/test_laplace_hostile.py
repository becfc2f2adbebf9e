"""The Laplace mode where data are hostile: separated, constant, far from zero, overflowing, or saying next to nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from bayesglmm.approx import laplace
from bayesglmm.approx.laplace import first_scales
from bayesglmm.approx.pirls import find_mode
from bayesglmm.design.prepare import prepare
from bayesglmm.spec.model_spec import make_spec
from tests.approx.makers import found_for, sketched, start_of


@pytest.mark.parametrize("seed", range(12))
def test_small_binary_groups_do_not_run_away(seed):
    """Thirty groups of eight answers: nothing about a correlation, little about a small SD; steps that overshoot once ended at -1 or 1."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(30), 8), rng.standard_normal(240)
    eta = -1.5 + 0.1 * rng.standard_normal(30)[g] + (0.3 + 0.8 * rng.standard_normal(30)[g]) * x
    data = pd.DataFrame({"y": (rng.random(240) < special.expit(eta)).astype(int), "x": x, "g": g})
    ready = prepare(make_spec("y ~ x + (x | g)", family="bernoulli", link="logit"), data)
    sketch, problem, blocks = sketched(ready)
    found = found_for(ready)
    start = find_mode(problem, first_scales(problem, blocks, sketch), start_of(problem))
    assert found.log_evidence > start.log_evidence - laplace.ROUNDS * laplace.LOSS
    assert abs(found.correlation[0][0, 1]) < 0.5
    assert found.sd[0].max() < 2.0


def finite(mode):
    arrays = (mode.beta, mode.beta_sd, *mode.sd, *mode.correlation, *mode.effects, *mode.effect_sd, *mode.shrinkage)
    numbers = (mode.sigma, mode.log_likelihood, mode.log_evidence)
    return all(np.isfinite(a).all() for a in arrays) and np.isfinite(numbers).all()


RNG = np.random.default_rng(8)
N = 60
HOSTILE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "g": np.repeat(np.arange(20), 3),
        "pair": np.repeat(np.arange(30), 2),
        "two": np.tile([0, 1], 30),
        "big": RNG.uniform(-40, 40, N),
        "real": RNG.normal(size=N),
        "count": RNG.poisson(2.0, N),
    }
).assign(
    separated=lambda d: (d["x"] > 0).astype(int),
    by_group=lambda d: (d["g"] % 2).astype(int),
    none=0,
    one=1,
    exact=lambda d: d["g"] * 1.0,
    far=lambda d: 1e9 + 1e3 * d["real"],
    tiny=lambda d: 1e-9 * d["real"],
    huge=lambda d: d["count"] * 10**9,
)
HOSTILE_MODELS = {
    "separated by a column": ("separated ~ x + (1 | g)", "bernoulli", "logit"),
    "separated, probit": ("separated ~ x + (1 + x | g)", "bernoulli", "probit"),
    "separated, cloglog": ("separated ~ x + (1 | g)", "bernoulli", "cloglog"),
    "separated, loglog": ("separated ~ x + (1 | g)", "bernoulli", "loglog"),
    "separated, cauchit": ("separated ~ x + (1 | g)", "bernoulli", "cauchit"),
    "groups of one kind": ("by_group ~ x + (1 | g)", "bernoulli", "logit"),
    "all zero": ("none ~ x + (1 | g)", "bernoulli", "logit"),
    "all one": ("one ~ x + (1 | pair) + (1 | two)", "bernoulli", "cloglog"),
    "no counts": ("none ~ x + (1 | g)", "poisson", "log"),
    "large counts": ("huge ~ x + (1 | g)", "poisson", "log"),
    "offsets far apart": ("count ~ x + offset(big) + (1 | g)", "poisson", "log"),
    "two groups": ("real ~ x + (1 + x | two)", "gaussian", "identity"),
    "groups tell all": ("exact ~ x + (1 | g)", "gaussian", "identity"),
    "far from zero": ("far ~ x + (1 | g)", "gaussian", "identity"),
    "tiny units": ("tiny ~ x + (1 | g)", "gaussian", "identity"),
    "log of far": ("far ~ x + (1 | g)", "gaussian", "log"),
    "more effects than rows": ("real ~ x + (1 + x + big | g) + (1 | pair)", "gaussian", "identity"),
}


@pytest.mark.parametrize("name", HOSTILE_MODELS)
def test_hostile_data_have_a_finite_mode(name):
    formula, family, link = HOSTILE_MODELS[name]
    mode = found_for(prepare(make_spec(formula, family=family, link=link), HOSTILE))
    assert mode is not None
    assert finite(mode)
    for shrinkage in mode.shrinkage:
        assert np.all((shrinkage >= 0) & (shrinkage <= 1))


def test_what_overflows_has_no_mode():
    table = HOSTILE.assign(big=100 * HOSTILE["big"])
    assert found_for(prepare(make_spec("count ~ x + offset(big) + (1 | g)", family="poisson", link="log"), table)) is None
