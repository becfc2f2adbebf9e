"""One factor's effects integrated out: patterns, R's exact fits, and whole fits against those that sample the effects."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayesglmm as bg
from bayesglmm.design.prepare import prepare
from bayesglmm.errors import DatasetError, NotBuiltError
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.kernel.patterns import find_patterns
from bayesglmm.kernel.quadrature_program import make_quadrature, not_integrable
from bayesglmm.spec.model_spec import make_spec
from tests.kernel.test_quadrature import log_likelihood
from tests.tolerances import MCSE_MULTIPLE, REFERENCE, TWO_FORMS

GOLDEN = Path(__file__).parents[1] / "golden"


def visits(n_subjects, seed=1, sd=3.0):
    """Yes-or-no answers at up to five visits, two arms: the design of the AIDS trial, made up."""
    rng = np.random.default_rng(seed)
    times = np.array([0, 2, 6, 12, 18])
    seen = rng.choice([2, 3, 4, 5], n_subjects, p=[0.3, 0.3, 0.25, 0.15])
    subject = np.repeat(np.arange(n_subjects), seen)
    obstime = np.concatenate([times[:k] for k in seen])
    drug = rng.integers(0, 2, n_subjects)[subject]
    eta = 1.0 + 0.1 * obstime - 0.5 * drug + sd * rng.normal(size=n_subjects)[subject]
    low = (rng.uniform(size=len(eta)) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"low": low, "obstime": obstime, "drug": np.where(drug == 1, "ddI", "ddC"), "patient": subject})


def counts(n_subjects, seed=2):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_subjects), 4)
    x, exposure = rng.integers(0, 3, len(g)), rng.choice([0.5, 1.0, 2.0], len(g))
    y = rng.poisson(exposure * np.exp(0.5 + 0.3 * x + 0.7 * rng.normal(size=n_subjects)[g]))
    return pd.DataFrame({"y": y, "x": x, "exposure": exposure, "w": rng.choice([1.0, 2.0], len(g)), "g": g})


def trials(n_subjects, seed=3):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(n_subjects), 3)
    n, x = rng.integers(1, 6, len(g)), rng.integers(0, 2, len(g))
    k = rng.binomial(n, 1 / (1 + np.exp(-(0.2 + x + rng.normal(size=n_subjects)[g]))))
    return pd.DataFrame({"k": k, "n": n, "x": x, "g": g})


CASES = {
    "bernoulli": ("low ~ obstime * drug + (1 | patient)", visits(12), "bernoulli", "logit"),
    "binomial": ("k | trials(n) ~ x + (1 | g)", trials(8), "binomial", "logit"),
    "poisson, offset and weights": ("y | weights(w) ~ x + offset(log(exposure)) + (1 | g)", counts(8), "poisson", "log"),
}


def program_of(formula, data, family, link):
    ready = prepare(make_spec(formula, family=family, link=link), data)
    sd = np.ones(len(ready.design.groups[0].labels))
    return ready, make_quadrature(ready.design, ready.priors, family=ready.family, link=link, center=True, sd=sd)


def points(program, count=4, seed=7):
    rng = np.random.default_rng(seed)
    return [0.6 * rng.normal(size=program.size) for _ in range(count)]


def exact_fit(name, formula, dataset, prepare_table):
    """Log likelihood of a stored maximum likelihood fit, at its own estimates."""
    stored = json.loads((GOLDEN / f"{name}.json").read_text())
    ready, program = program_of(formula, prepare_table(bg.datasets.load(dataset)), "bernoulli", "logit")
    beta, sd = np.array([entry["est"] for entry in stored["fixed"]]), stored["random"][0]["sd"]
    centered = beta.copy()
    centered[0] += program.internal.means @ beta
    x = np.append(np.linalg.solve(program.internal.basis, centered), np.log(np.ravel(sd)[0]))
    return log_likelihood(program, x), stored["logLik"], ready


EXACT = {
    "pbc_chol_code_exact": (
        "high ~ year * drug + (1 | id)",
        "pbc2",
        lambda d: d.dropna(subset="serChol").assign(high=lambda t: (t["serChol"] > 210).astype(int)),
    ),
    "muscatine_exact": (
        "y ~ gender + cage + I(cage^2) + (1 | id)",
        "muscatine",
        lambda d: d.dropna(subset="obese").assign(y=lambda t: (t["obese"].astype(str) == "yes").astype(int), cage=lambda t: t["age"] - 12),
    ),
    "aids_glmm_ri_exact": ("low ~ obstime * drug + (1 | patient)", "aids", lambda d: d.assign(low=(d["CD4"] < np.sqrt(150)).astype(int))),
}


@pytest.mark.parametrize("name", EXACT)
def test_log_likelihood_equals_the_exact_maximum_likelihood_fits(name):
    try:
        ours, stored, _ = exact_fit(name, *EXACT[name])
    except DatasetError as error:
        pytest.skip(f"the table is not bundled and was not found: {error}")
    assert ours == pytest.approx(stored, rel=REFERENCE)


def test_patterns_count_every_group_once_and_ignore_order_and_labels():
    data = visits(400)
    ready, program = program_of("low ~ obstime * drug + (1 | patient)", data, "bernoulli", "logit")
    assert program.arrays.count.sum() == len(ready.design.groups[0].levels)
    assert program.n_rows == 10
    assert program.n_patterns < 268
    shuffled = data.sample(frac=1.0, random_state=1).assign(patient=lambda d: 1000 - d["patient"])
    _, other = program_of("low ~ obstime * drug + (1 | patient)", shuffled, "bernoulli", "logit")
    assert (other.n_rows, other.n_patterns) == (program.n_rows, program.n_patterns)
    x = points(program, 1)[0]
    assert other(x)[0] == pytest.approx(program(x)[0], rel=TWO_FORMS)


def test_equal_groups_share_a_pattern_and_different_ones_do_not():
    rows = np.array([[0.0], [1.0], [0.0], [1.0], [0.0], [1.0]])
    sums = np.array([[1.0], [0.0], [1.0], [0.0], [1.0], [1.0]])
    found = find_patterns(rows, sums, np.array([0, 0, 1, 1, 2, 2]), 3)
    assert found.pattern_of[0] == found.pattern_of[1] != found.pattern_of[2]
    np.testing.assert_array_equal(np.sort(found.count), [1.0, 2.0])


def test_equal_rows_of_a_group_are_added_up():
    rows = np.array([[0.0], [-0.0], [1.0], [0.0]])
    found = find_patterns(rows, np.array([[1.0, 1.0], [0.0, 2.0], [1.0, 1.0], [5.0, 5.0]]), np.array([0, 0, 0, 1]), 2)
    assert len(found.first) == 2
    first = slice(found.start[found.pattern_of[0]], found.start[found.pattern_of[0] + 1])
    assert {tuple(row) for row in found.sums[first]} == {(1.0, 3.0), (1.0, 1.0)}
    np.testing.assert_array_equal(np.diff(found.start)[found.pattern_of], [2, 1])


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 3))
def test_patterns_are_those_of_a_dictionary(seed, n_groups, n_values):
    """Groups have the same pattern exactly when their sets of (row, sums) are the same."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, 2 * n_groups)]))
    rows, sums = rng.integers(0, n_values, (len(index), 2)).astype(float), rng.integers(0, 2, (len(index), 1)).astype(float)
    found = find_patterns(rows, sums, index, n_groups)
    expected = []
    for j in range(n_groups):
        added = {}
        for i in np.flatnonzero(index == j):
            added[tuple(rows[i])] = added.get(tuple(rows[i]), 0.0) + sums[i, 0]
        expected.append(frozenset(added.items()))
    for j in range(n_groups):
        entries = range(found.start[found.pattern_of[j]], found.start[found.pattern_of[j] + 1])
        assert frozenset((tuple(rows[found.first[found.row_of[e]]]), found.sums[e, 0]) for e in entries) == expected[j]
    assert len(found.count) == len(set(expected))


def agree(first, second):
    """Whether all parameters and random effects have means and SDs within the policy."""
    for draws in zip(*(parameters(f) for f in (first, second)), strict=True):
        for statistic, error in ((np.mean, diagnostics.mcse_mean), (np.std, diagnostics.mcse_sd)):
            gap = abs(statistic(draws[0]) - statistic(draws[1]))
            assert gap < MCSE_MULTIPLE * np.hypot(error(draws[0]), error(draws[1]))


def parameters(fit):
    group = fit.design.groups[0]
    effects = fit.posterior[f"1|{group.name}"].transpose("chain", "draw", ...).to_numpy()
    stacked = np.concatenate([parameter_draws(fit.posterior, fit.design, ()).values, effects[..., :8]], axis=-1)
    return np.moveaxis(stacked, -1, 0)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # default settings; the policy below allows for few effective draws
@pytest.mark.parametrize(
    ("formula", "data", "family"),
    [
        ("low ~ obstime * drug + (1 | patient)", visits(150), "bernoulli"),
        ("k | trials(n) ~ x + (1 | g)", trials(40), "binomial"),
        ("y ~ x + offset(log(exposure)) + (1 | g)", counts(40), "poisson"),
    ],
    ids=["bernoulli", "binomial", "poisson"],
)
def test_the_posterior_is_that_of_sampled_effects(formula, data, family):
    settings = {"family": family, "seed": 5, "draws": 2000}
    integrated = bg.glmm(formula, data, integrate="all", **settings)
    sampled = bg.glmm(formula, data, integrate="none", **settings)
    assert "integrated out" in integrated.engine
    assert "integrated out" not in sampled.engine
    agree(integrated, sampled)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # a short run: what counts is that it is the same
def test_the_same_seed_gives_the_same_draws():
    first, second = (bg.glmm(*CASES["bernoulli"][:2], family="bernoulli", integrate="all", seed=3, draws=400, tune=400) for _ in range(2))
    np.testing.assert_array_equal(parameters(first), parameters(second))


def test_the_cost_is_that_of_distinct_groups():
    few, many = (program_of("low ~ obstime * drug + (1 | patient)", visits(n), "bernoulli", "logit")[1] for n in (2000, 8000))
    assert many.cost < 2 * few.cost
    different = visits(2000).assign(obstime=lambda d: d["obstime"] + np.linspace(0, 1, len(d)))
    assert program_of("low ~ obstime * drug + (1 | patient)", different, "bernoulli", "logit")[1].cost > 5 * few.cost


REFUSED = {
    "two factors": ("low ~ 1 + (1 | patient) + (1 | drug)", "bernoulli", "logit", "2 grouping factors"),
    "three effects": ("low ~ 1 + (obstime + drug | patient)", "bernoulli", "logit", "3 effects per group"),
    "two effects, cauchit": ("low ~ 1 + (obstime | patient)", "bernoulli", "cauchit", "not log-concave"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_all_is_refused_where_it_cannot_be(case):
    formula, family, link, words = REFUSED[case]
    with pytest.raises(NotBuiltError, match=words):
        bg.glmm(formula, visits(20), family=family, link=link, integrate="all")


def test_all_is_refused_for_the_pymc_form():
    with pytest.raises(NotBuiltError, match="the PyMC form samples them"):
        bg.glmm(*CASES["bernoulli"][:2], family="bernoulli", engine="pymc", integrate="all")


def test_no_random_effects_leave_nothing_to_integrate():
    ready = prepare(make_spec("low ~ obstime", family="bernoulli", link="logit"), visits(20))
    assert "0 group terms" in not_integrable(ready.design, ready.family, "logit")
