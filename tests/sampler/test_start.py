"""Starts: near the maximum likelihood fit without groups, inside the bounds of priors, finite for every family."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.approx.irls import INTERCEPT_SD, glm_mode
from bayesglmm.approx.sketch import make_sketch
from bayesglmm.design.prepare import prepare
from bayesglmm.families.registry import get_family
from bayesglmm.kernel.program import make_program
from bayesglmm.numerics.links import get_link
from bayesglmm.sampler.kernel import flat_start
from bayesglmm.sampler.start import find_start
from bayesglmm.spec.model_spec import make_spec

RNG = np.random.default_rng(3)
N = 300
X = np.column_stack([np.ones(N), RNG.normal(size=N), RNG.choice([0.0, 1.0], N)])
ETA = X @ np.array([0.3, 0.6, -0.8])


def test_logistic_mode_is_the_maximum_likelihood_up_to_the_weak_penalty():
    y = (RNG.uniform(size=N) < special.expit(ETA)).astype(float)
    mode = glm_mode(X, y, np.zeros(N), family=get_family("bernoulli"), link=get_link("logit"))
    exact = optimize.minimize(lambda b: -np.sum(y * (X @ b) - np.logaddexp(0, X @ b)), np.zeros(3)).x
    # the penalty is a Normal prior 2.5 SDs wide: it moves the mode by far less than a standard error
    assert np.all(np.abs(mode.beta - exact) < 0.1 * mode.se)


def test_poisson_mode_with_offset():
    offset = RNG.uniform(-1, 1, N)
    y = RNG.poisson(np.exp(ETA + offset)).astype(float)
    mode = glm_mode(X, y, offset, family=get_family("poisson"), link=get_link("log"))
    exact = optimize.minimize(lambda b: np.sum(np.exp(X @ b + offset) - y * (X @ b + offset)), np.zeros(3)).x
    assert np.all(np.abs(mode.beta - exact) < 0.1 * mode.se)


def test_gaussian_mode_is_least_squares_at_any_scale():
    y = 1e6 * (ETA + RNG.normal(size=N))
    mode = glm_mode(X, y, np.zeros(N), family=get_family("gaussian"), link=get_link("identity"))
    exact = np.linalg.lstsq(X, y, rcond=None)[0]
    assert np.all(np.abs(mode.beta - exact) < 0.1 * mode.se)
    assert mode.residual_sd == pytest.approx((y - X @ exact).std(), rel=0.01)


def test_a_separated_design_has_a_finite_mode():
    y = (X[:, 1] > 0).astype(float)
    mode = glm_mode(X, y, np.zeros(N), family=get_family("bernoulli"), link=get_link("logit"))
    assert np.all(np.isfinite(mode.beta))
    assert np.all(np.isfinite(mode.se))


@pytest.mark.parametrize(("value", "family", "link"), [(0.0, "bernoulli", "logit"), (1.0, "bernoulli", "logit"), (0.0, "poisson", "log")])
def test_a_constant_response_has_a_mode_near_its_center(value, family, link):
    y, record = np.full(N, value), get_family(family)
    mode = glm_mode(X, y, np.zeros(N), family=record, link=get_link(link))
    assert np.all(np.isfinite(mode.beta))
    assert abs(mode.beta[0] - record.response_center(y, get_link(link))) < INTERCEPT_SD


def test_a_flat_likelihood_does_not_scatter_the_chains():
    table = TABLE.assign(count=0)
    ready = prepare(make_spec("count ~ x + (1 | g)", family="poisson", link="log"), table)
    start, spread = flat_start(program_of(ready).layout, make_sketch(ready.design, ready.family, ready.link))
    assert np.all(np.abs(start) < 20)
    assert np.all(spread <= 1)


TABLE = pd.DataFrame({"x": X[:, 1], "f": np.where(X[:, 2] == 1, "b", "a"), "g": RNG.choice(list("pqrst"), N)}).assign(
    real=ETA + RNG.normal(size=N), binary=(ETA > 0).astype(int), count=RNG.poisson(np.exp(ETA))
)
CASES = [
    ("real", "gaussian", "identity"),
    ("binary", "bernoulli", "logit"),
    ("binary", "bernoulli", "cloglog"),
    ("count", "poisson", "log"),
]


def program_of(ready):
    form = {"g": "noncentered"}
    return make_program(ready.design, ready.priors, family=ready.family, link=ready.link.name, center=True, parameterization=form)


def start_of(formula, family, link, priors=None, *, center=True):
    ready = prepare(make_spec(formula, family=family, link=link, priors=priors, center=center), TABLE)
    sketch = make_sketch(ready.design, ready.family, ready.link)
    return ready, find_start(ready.design, ready.priors, sketch, center=center, parameterization={"g": "noncentered"})


@pytest.mark.parametrize(("response", "family", "link"), CASES)
def test_every_start_is_finite_and_shaped_like_its_variable(response, family, link):
    _, start = start_of(f"{response} ~ x + f + (1 + x + f | g)", family, link)
    assert np.ndim(start.values["x"]) == 0
    assert np.shape(start.values["f"]) == (1,)
    assert start.values["1|g_sigma"] > 0
    assert all(np.all(np.isfinite(v)) for v in start.values.values())
    assert naming.CENTERED_INTERCEPT in start.values


def test_without_centering_the_intercept_itself_starts():
    _, start = start_of("real ~ x + (1 | g)", "gaussian", "identity", center=False)
    assert naming.INTERCEPT in start.values


def test_bounded_priors_keep_the_start_inside():
    priors = {"sd": bg.Uniform(3, 4), "b": bg.Uniform(-9, -8), "sigma": bg.Uniform(10, 20)}
    _, start = start_of("real ~ x + (1 | g)", "gaussian", "identity", priors)
    assert 3 < start.values["1|g_sigma"] < 4
    assert -9 < start.values["x"] < -8
    assert 10 < start.values["sigma"] < 20
