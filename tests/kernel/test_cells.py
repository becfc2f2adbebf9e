"""Equal rows counted once: the density is that of all rows, up to one constant, for every family that has cells."""

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.design.prepare import prepare
from bayesglmm.kernel.cells import distinct_rows, make_cells
from bayesglmm.kernel.program import make_program
from bayesglmm.post.density import log_likelihood
from bayesglmm.spec.model_spec import make_spec
from tests.tolerances import TWO_FORMS

pytestmark = pytest.mark.filterwarnings("ignore::bayesglmm.errors.DesignWarning")  # the made-up factors look nested

RNG = np.random.default_rng(12)
N = 240
TABLE = pd.DataFrame(
    {
        "x": RNG.integers(0, 3, N).astype(float),
        "g": RNG.integers(0, 5, N),
        "h": RNG.choice(["p", "q", "r"], N),
        "n": RNG.integers(2, 5, N),
        "w": RNG.choice([0.5, 1.0, 2.0], N),
        "s": RNG.choice([0.5, 1.5], N),
        "real": RNG.normal(size=N),
        "positive": RNG.uniform(0.5, 3.0, N),
        "binary": RNG.integers(0, 2, N),
        "count": RNG.poisson(2.0, N),
    }
).assign(k=lambda d: np.minimum(d["n"], d["count"]))

CASES = {
    "gaussian": ("real ~ x + (1 + x | g)", "gaussian", "identity"),
    "gaussian, weights": ("real | weights(w) ~ x + (1 | g)", "gaussian", "identity"),
    "gaussian, known errors": ("real | se(s) ~ x + (1 | g)", "gaussian", "identity"),
    "gaussian log": ("positive ~ x + (1 | g)", "gaussian", "log"),
    "bernoulli": ("binary ~ x + (1 | g) + (1 | h)", "bernoulli", "logit"),
    "bernoulli, weights": ("binary | weights(w) ~ x + (1 | g)", "bernoulli", "probit"),
    "binomial": ("k | trials(n) ~ x + (1 | g)", "binomial", "cloglog"),
    "poisson, offset": ("count ~ x + offset(log(n)) + (1 | g)", "poisson", "log"),
}


def programs(case):
    """The model twice: as it is, and with a column that makes every row its own cell and has no weight in the density."""
    formula, family, link = CASES[case]
    ready = prepare(make_spec(formula, family=family, link=link), TABLE)
    form = {naming.block(g.name, g.position): "noncentered" for g in ready.design.groups}
    return ready, make_program(ready.design, ready.priors, family=ready.family, link=link, center=True, parameterization=form)


def by_rows(ready, program, x):
    """Log likelihood of the rows themselves by the family's own density."""
    natural, design = program.natural(x), ready.design
    p, q = design.X.shape[1], sum(len(g.labels) for g in design.groups)
    eta = design.offset + design.X @ natural[:p]
    at = program.layout.n_parameters
    for group in design.groups:
        b = natural[at : at + group.Z.shape[1] * len(group.levels)].reshape(len(group.levels), -1)
        eta = eta + np.sum(group.Z * b[group.index], axis=1)
        at += b.size
    sigma = {} if not ready.family.auxiliary else {"sigma": natural[p + q] if design.se is None else design.se}
    values = ready.family.log_prob(design.y, eta, ready.link, trials=design.trials, **sigma)
    return np.sum(values if design.weights is None else design.weights * values)


@pytest.mark.parametrize("case", CASES)
def test_cells_have_the_likelihood_of_their_rows(case):
    ready, program = programs(case)
    assert program.layout.n_cells < N
    rng = np.random.default_rng(3)
    first = 0.3 * rng.normal(size=program.layout.size)
    # the same parameters twice, other data: priors and Jacobians drop out, the likelihood stays
    name = ready.design.response
    column = ready.frame["n"] - ready.frame[name] if "n" in ready.frame and name == "k" else ready.frame[name].to_numpy()[::-1]
    swapped = prepare(ready.spec, ready.frame.assign(**{name: column}))
    form = {naming.block(g.name, g.position): "noncentered" for g in ready.design.groups}
    other = make_program(swapped.design, ready.priors, family=ready.family, link=ready.link.name, center=True, parameterization=form)
    second = 0.3 * rng.normal(size=program.layout.size)
    ours = np.diff([program(x)[0] - other(x)[0] for x in (first, second)])
    exact = np.diff([by_rows(ready, program, x) - by_rows(swapped, other, x) for x in (first, second)])
    scale = abs(by_rows(ready, program, first))
    np.testing.assert_allclose(ours, exact, rtol=TWO_FORMS, atol=TWO_FORMS * scale)


def test_rows_that_differ_stay_apart():
    ready = prepare(make_spec("real ~ x + (1 | g)", family="gaussian", link="identity"), TABLE.assign(x=RNG.normal(size=N)))
    cells = make_cells(ready.design, normal=True)
    assert len(cells.first) == N
    assert cells.totals[0] == 0.0
    assert cells.size.size == cells.offset.size == 0, "sizes of one and offsets of zero are not stored"


def test_cells_are_sorted_by_the_largest_factor():
    ready = prepare(make_spec("binary ~ x + (1 | h) + (1 | g)", family="bernoulli", link="logit"), TABLE)
    cells = make_cells(ready.design, normal=False)
    assert cells.sorted_by == 1
    assert np.all(np.diff(ready.design.groups[1].index[cells.first]) >= 0)


def test_distinct_rows_ignore_order_and_the_sign_of_zero():
    columns = [np.array([1.0, 2.0, 1.0, 0.0, -0.0]), np.array([5, 5, 5, 1, 1])]
    cell, first = distinct_rows(columns)
    assert len(first) == 3
    assert cell[0] == cell[2] != cell[1]
    assert cell[3] == cell[4]


def test_a_collision_of_hashes_is_noticed(monkeypatch):
    from bayesglmm.kernel import cells

    monkeypatch.setattr(cells, "MULTIPLIER", np.uint64(0))
    cell, first = distinct_rows([np.array([1.0, 2.0, 1.0])])
    assert len(first) == 2
    assert cell[0] == cell[2] != cell[1]


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # a short run: what counts is the shape
def test_the_log_likelihood_is_still_by_row():
    fit = bg.glmm("binary ~ x + (1 | g) + (1 | h)", TABLE, family="bernoulli", seed=1, draws=20, tune=50, chains=1)
    assert "240 rows joined to" in fit.engine
    assert log_likelihood(fit).shape == (20, N)


def test_other_data_compile_nothing_and_keep_the_coordinates():
    ready, program = programs("bernoulli")
    flipped = prepare(ready.spec, ready.frame.assign(binary=1 - ready.frame["binary"]))
    other = program.with_data(flipped.design, flipped.priors)
    form = {naming.block(g.name, g.position): "noncentered" for g in ready.design.groups}
    fresh = make_program(flipped.design, flipped.priors, family=ready.family, link="logit", center=True, parameterization=form)
    x = 0.2 * np.random.default_rng(4).normal(size=program.layout.size)
    assert other.pointer() is program.pointer()
    assert other(x)[0] == fresh(x)[0] != program(x)[0]
    fewer = prepare(ready.spec, ready.frame[ready.frame["g"] != 0])
    with pytest.raises(ValueError, match="other numbers of levels"):
        program.with_data(fewer.design, fewer.priors)
