"""The Laplace mode: against R at R's own estimates, and against dense algebra for every family and link."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import linalg, optimize, stats

import bayesglmm as bg
from bayesglmm.approx import laplace
from bayesglmm.approx.laplace import first_scales
from bayesglmm.approx.pirls import Scales, find_mode
from bayesglmm.approx.scoring import assemble, em_step, scoring_step, variances_at
from bayesglmm.approx.sketch import make_sketch
from bayesglmm.design.prepare import prepare
from bayesglmm.families.registry import FAMILIES
from bayesglmm.spec.model_spec import make_spec
from tests.approx.makers import found_for, sketched, start_of
from tests.cases import CASES, TABLE, ready_for
from tests.tolerances import ALGEBRAIC, REFERENCE, TWO_FORMS

TESTS = Path(__file__).parents[1]
MODELS = TESTS.parent / "models"
PINNED = 1e10
"""Prior precision that holds a coefficient where it is put."""


GLMER = 1e-5
"""Relative, R's Laplace likelihoods: glmer takes its determinant from the weights of one step before the mode. Its modes are ours to
1e-5 posterior SDs, its conditional SDs differ by up to 1e-4, and the logarithms of all groups' SDs add up in the likelihood."""


# --- R's numbers at R's estimates ---------------------------------------------------------------------------------------------------

R_FITS = ["contraception_cm1", "contraception_cm2", "contraception_cm3", "contraception_cm4", "epil_poisson_slope", "rehab_sim_crosslevel"]
R_FITS += ["dyestuff_ml", "pastes_nested_ml", "sleepstudy_corr_ml", "sleepstudy_indep_ml", "insteval_crossed_ml"]


def at_estimates_of_r(name):
    """The problem with coefficients, covariances and sigma where R's fit has them, and our terms of each of R's groups."""
    record = json.loads((TESTS / "golden" / f"{name}.json").read_text())
    ready = prepare(bg.load_spec(MODELS / f"{name.removesuffix('_ml')}.toml"))
    sketch, problem, blocks = sketched(ready)
    beta = np.array([row["est"] for row in record["fixed"]])
    beta[0] += sketch.means @ beta  # the intercept of centered columns
    problem = replace(problem, penalty=np.full(len(beta), PINNED), center=beta)
    parts, entries = [], list(record["random"])
    for group in ready.design.groups:
        entry = next(e for e in entries if e["group"] == group.name and len(np.atleast_1d(e["sd"])) == len(group.labels))
        entries.remove(entry)
        sd = np.atleast_1d(entry["sd"])
        corr = np.eye(len(sd)) if entry["corr"] is None else np.array(entry["corr"])
        parts.append(np.outer(sd, sd) * corr)
    scales = Scales(assemble(problem, blocks, parts), 1.0 if record["sigma"] is None else record["sigma"])
    return record, ready, problem, blocks, scales


@pytest.mark.parametrize("name", R_FITS)
def test_likelihood_and_modes_are_those_of_lme4_at_its_estimates(name):
    record, ready, problem, blocks, scales = at_estimates_of_r(name)
    mode = find_mode(problem, scales, np.concatenate([np.zeros(problem.structure.parts[-1].stop), problem.center]))
    assert mode.converged
    assert mode.log_likelihood == pytest.approx(record["logLik"], rel=TWO_FORMS if problem.response.additive else GLMER)
    if not record.get("ranef"):
        return
    variances = variances_at(mode).effects
    effects = problem.structure.effects(mode.unknowns)
    compared = 0
    for group, block in zip(ready.design.groups, blocks, strict=True):
        stored = record["ranef"][group.name]
        order = [group.levels.index(level) for level in stored["levels"]]
        terms = list(stored["modes"])
        for k in range(len(group.labels)):
            column = block.columns.start + k
            term = terms[column if len(terms) > len(group.labels) else k]
            sd = np.sqrt(variances[block.factor][order, column, column])
            np.testing.assert_allclose(effects[block.factor][order, column], stored["modes"][term], atol=GLMER * sd.min(), rtol=0)
            if "cond_sd" in stored:
                np.testing.assert_allclose(sd, stored["cond_sd"][term], rtol=10 * GLMER)
            compared += 1
    assert compared == sum(len(g.labels) for g in ready.design.groups)


# --- dense algebra -----------------------------------------------------------------------------------------------------------------


def dense_columns(problem):
    """All columns of the design, shape (n, unknowns)."""
    columns = []
    for factor in problem.structure.factors:
        n, q = factor.Z.shape
        wide = np.zeros((n, factor.n_levels, q))
        wide[np.arange(n), factor.index] = factor.Z
        columns.append(wide.reshape(n, -1))
    return np.concatenate([*columns, problem.structure.X], axis=1)


def dense_prior(problem, scales):
    """Precision of the prior of all unknowns."""
    parts = [np.kron(np.eye(f.n_levels), np.linalg.inv(D)) for f, D in zip(problem.structure.factors, scales.covariances, strict=True)]
    return linalg.block_diag(*parts, np.diag(problem.penalty))


def dense_weights(problem, eta, sigma):
    """Expected information of each row, from its definition: the squared slope of the mean over the variance of the response."""
    r = problem.response
    if r.family.name in ("bernoulli", "binomial"):
        n = 1.0 if r.trials is None else r.trials
        mu = r.link.inverse(eta)
        return r.weights * n * r.link.derivative(eta) ** 2 / (mu * (1 - mu))
    if r.family.name == "poisson":
        return r.weights * np.exp(eta)
    return r.weights * r.link.derivative(eta) ** 2 / (sigma if r.errors is None else r.errors) ** 2


def numerical_score(problem, eta, sigma):
    """Derivative of each row's log density by central differences."""
    r, h = problem.response, 1e-5
    up, down = (r.family.log_prob(r.y, eta + s * h, r.link, trials=r.trials, **r.auxiliary(sigma)) for s in (1, -1))
    return r.weights * (up - down) / (2 * h)


def some_scales(problem, blocks, seed=3):
    """Covariances with correlations where the model has them, and a sigma."""
    rng = np.random.default_rng(seed)
    parts = []
    for block in blocks:
        q = len(block.least)
        A = rng.normal(size=(q, q + 2)) * 0.5
        parts.append(A @ A.T / q if block.correlated else np.diag(rng.uniform(0.2, 1.0, q)))
    sigma = 0.8 if problem.response.family.auxiliary and problem.response.errors is None else 1.0
    return Scales(assemble(problem, blocks, parts), sigma)


def assert_dense(problem, blocks):
    scales = some_scales(problem, blocks)
    mode = find_mode(problem, scales, start_of(problem))
    assert mode.converged
    Z, P = dense_columns(problem), dense_prior(problem, scales)
    np.testing.assert_allclose(mode.eta, problem.response.offset + Z @ mode.unknowns, rtol=ALGEBRAIC, atol=ALGEBRAIC)
    H = (Z.T * dense_weights(problem, mode.eta, scales.sigma)) @ Z + P
    V = np.linalg.inv(H)
    center = np.concatenate([np.zeros(len(H) - len(problem.center)), problem.center])
    gradient = Z.T @ numerical_score(problem, mode.eta, scales.sigma) - P @ (mode.unknowns - center)
    assert np.sqrt(gradient @ V @ gradient) < REFERENCE, "the gradient is zero: the next step is none, in posterior SDs"
    variances = variances_at(mode)
    for part, factor, blocks_of in zip(problem.structure.parts, problem.structure.factors, variances.effects, strict=True):
        q = factor.Z.shape[1]
        own = V[part, part].reshape(factor.n_levels, q, factor.n_levels, q)
        expected = own[np.arange(factor.n_levels), :, np.arange(factor.n_levels), :]
        np.testing.assert_allclose(blocks_of, expected, rtol=REFERENCE, atol=ALGEBRAIC)
    np.testing.assert_allclose(variances.beta, np.diag(V)[len(V) - len(problem.center) :], rtol=REFERENCE)
    first = problem.structure.parts[-1].stop
    penalized = problem.response.log_likelihood(mode.eta, scales.sigma) - 0.5 * (mode.unknowns - center) @ P @ (mode.unknowns - center)
    evidence = penalized + 0.5 * np.linalg.slogdet(P)[1] - 0.5 * np.linalg.slogdet(H)[1]
    assert mode.log_evidence == pytest.approx(evidence, rel=TWO_FORMS)
    beta = (mode.unknowns - center)[first:]
    likelihood = penalized + 0.5 * problem.penalty @ beta**2 + 0.5 * np.linalg.slogdet(P[:first, :first])[1]
    assert mode.log_likelihood == pytest.approx(likelihood - 0.5 * np.linalg.slogdet(H[:first, :first])[1], rel=TWO_FORMS)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "|" in case[0].partition("~")[2]])
def test_mode_variances_and_likelihood_are_those_of_dense_algebra(name):
    formula, family, link, priors = CASES[name]
    _, problem, blocks = sketched(ready_for(formula, family, link, priors))
    assert_dense(problem, blocks)


RESPONSES = {"gaussian": "positive", "bernoulli": "binary", "binomial": "k | trials(size)", "poisson": "count"}
PAIRS = [(family.name, link) for family in FAMILIES.values() for link in family.links]


@pytest.mark.parametrize(("family", "link"), PAIRS)
@pytest.mark.parametrize("terms", ["(1 + x | g) + (1 | h) + (0 + x | h)", "(1 | h) + (1 + x | h:g) + (1 | g)"], ids=["crossed", "nested"])
def test_every_family_and_link_with_several_factors(family, link, terms):
    table = TABLE.assign(positive=np.exp(0.5 * TABLE["real"]))
    spec = make_spec(f"{RESPONSES[family]} ~ x + offset(0.1 * w) + {terms}", family=family, link=link)
    _, problem, blocks = sketched(prepare(spec, table))
    assert len(problem.structure.factors) > 1
    assert_dense(problem, blocks)


@pytest.mark.parametrize("name", ["gaussian", "correlated", "crossed, two terms of one factor", "nested", "known errors"])
def test_a_gaussian_likelihood_is_exact(name):
    formula, family, link, priors = CASES[name]
    _, problem, blocks = sketched(ready_for(formula, family, link, priors))
    scales = some_scales(problem, blocks)
    mode = find_mode(problem, scales, start_of(problem))
    r, cut = problem.response, problem.structure.parts[-1].stop
    Z, prior = dense_columns(problem), np.linalg.inv(dense_prior(problem, scales))
    noise = np.diag(np.broadcast_to((scales.sigma if r.errors is None else r.errors) ** 2, r.y.shape))
    given_beta = stats.multivariate_normal(
        r.offset + problem.structure.X @ mode.unknowns[cut:], noise + Z[:, :cut] @ prior[:cut, :cut] @ Z[:, :cut].T
    )
    assert mode.log_likelihood == pytest.approx(given_beta.logpdf(r.y), rel=TWO_FORMS)
    whole = stats.multivariate_normal(r.offset + problem.structure.X @ problem.center, noise + Z @ prior @ Z.T)
    assert mode.log_evidence == pytest.approx(whole.logpdf(r.y), rel=TWO_FORMS)


# --- estimates of the covariances --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian", "correlated", "independent", "crossed, two terms of one factor", "nested", "weights"])
def test_em_steps_raise_a_gaussian_likelihood(name):
    formula, family, link, priors = CASES[name]
    _, problem, blocks = sketched(ready_for(formula, family, link, priors))
    free = [replace(b, least=1e-6 * b.least, most=1e6 * b.most) for b in blocks]
    scales, values = some_scales(problem, blocks), []
    for _ in range(12):
        mode = find_mode(problem, scales, start_of(problem))
        values.append(mode.log_evidence)
        scales = em_step(problem, free, scales, mode, variances_at(mode))
    assert values[-1] > values[0]
    assert np.all(np.diff(values) > -ALGEBRAIC * abs(values[0]))


@pytest.mark.parametrize("model", ["penicillin", "sleepstudy_corr", "dietox", "pastes_nested", "orthodont", "oxboys"])
def test_both_steps_stand_still_where_the_likelihood_is_largest(model):
    _, problem, blocks = sketched(prepare(bg.load_spec(MODELS / f"{model}.toml")))

    def scales_at(x):
        parts, at = [], 1
        for block in blocks:
            q = len(block.least)
            L = np.diag(np.exp(np.minimum(x[at : at + q], 50.0)))  # a wild step of the line search must not overflow
            at += q
            if block.correlated:
                L[np.tril_indices(q, -1)] = x[at : at + q * (q - 1) // 2] * np.sqrt(block.least.prod())
                at += q * (q - 1) // 2
            parts.append(L @ L.T)
        return Scales(assemble(problem, blocks, parts), float(np.exp(x[0])))

    def loss(x):
        mode = find_mode(problem, scales_at(x), start_of(problem))
        return np.inf if mode is None else -mode.log_evidence

    sketch = first_scales(problem, blocks, make_sketch(*_of(model)))
    x = [np.log(sketch.sigma)]
    for block in blocks:
        q = len(block.least)
        own = sketch.covariances[block.factor][block.columns, block.columns]
        x += [*(0.5 * np.log(np.diag(own))), *([0.0] * (q * (q - 1) // 2 if block.correlated else 0))]
    best = scales_at(optimize.minimize(loss, x, method="BFGS", options={"gtol": 1e-6}).x)
    mode = find_mode(problem, best, start_of(problem))
    for step in (em_step, scoring_step):
        new = step(problem, blocks, best, mode, variances_at(mode))
        for old, moved in zip((*best.covariances, best.sigma), (*new.covariances, new.sigma), strict=True):
            # the optimizer differentiates numerically: its optimum is good to about the square root of rounding
            np.testing.assert_allclose(moved, old, rtol=1e-3, atol=1e-3 * np.abs(old).max())


def _of(model):
    ready = prepare(bg.load_spec(MODELS / f"{model}.toml"))
    return ready.design, ready.family, ready.link


REML = ["penicillin", "sleepstudy_corr", "sleepstudy_indep", "dietox", "pastes_nested", "pastes_sample", "oxboys", "orthodont", "star_math"]


@pytest.mark.parametrize("model", REML)
def test_the_estimates_are_close_to_restricted_maximum_likelihood(model):
    """A few per cent apart: the steps end when the next moves no log SD by more than 0.01, and the coefficients have weak priors."""
    ready = prepare(bg.load_spec(MODELS / f"{model}.toml"))
    record = json.loads((TESTS / "golden" / f"{model}_reml.json").read_text())
    mode = found_for(ready)
    assert mode.converged
    entries = list(record["random"])
    for group, sd, correlation in zip(ready.design.groups, mode.sd, mode.correlation, strict=True):
        entry = next(e for e in entries if e["group"] == group.name)
        entries.remove(entry)
        np.testing.assert_allclose(sd, np.atleast_1d(entry["sd"]), rtol=3 * laplace.SETTLED)
        if entry["corr"] is not None:
            np.testing.assert_allclose(correlation, entry["corr"], atol=3 * laplace.SETTLED)
    assert mode.sigma == pytest.approx(record["sigma"], rel=laplace.SETTLED)


def test_shrinkage_is_what_a_group_tells_about_itself():
    """The closed form of a balanced design; groups of twelve that differ much tell nearly all."""
    n, levels = 12, 40
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"g": np.repeat(np.arange(levels), n), "y": np.repeat(rng.normal(size=levels), n) + rng.normal(size=n * levels)})
    mode = found_for(prepare(make_spec("y ~ 1 + (1 | g)", family="gaussian", link="identity"), table))
    share = n * mode.sd[0] ** 2 / (n * mode.sd[0] ** 2 + mode.sigma**2)
    # Var(b_j) = D (1 - s) + s^2 Var(beta): what the group itself leaves open, and the mean that it is measured from
    expected = share - share**2 * mode.beta_sd[0] ** 2 / mode.sd[0] ** 2
    np.testing.assert_allclose(mode.shrinkage[0], np.full((levels, 1), expected), rtol=TWO_FORMS)
    assert np.all(mode.shrinkage[0] > 0.8)


def test_a_normal_prior_of_a_slope_holds():
    priors = {"b": bg.Normal(3.0, 1e-4)}
    mode = found_for(ready_for("real ~ x + (1 | g)", "gaussian", "identity", priors))
    np.testing.assert_allclose(mode.beta[1], 3.0, atol=1e-3)
    np.testing.assert_allclose(mode.beta_sd[1], 1e-4, rtol=1e-3)


def test_nothing_to_eliminate_and_too_much_left(monkeypatch):
    assert found_for(ready_for("real ~ x", "gaussian", "identity", {})) is None
    crossed = ready_for("real ~ x + (1 | g) + (1 | h)", "gaussian", "identity", {})
    width = 4 + 2
    monkeypatch.setattr(laplace, "LARGEST_WIDTH", width)
    assert found_for(crossed) is not None
    monkeypatch.setattr(laplace, "LARGEST_WIDTH", width - 1)
    assert found_for(crossed) is None


def test_the_same_data_give_the_same_numbers_in_any_order_of_rows():
    spec = make_spec("count ~ x + (1 + x | g) + (1 | h)", family="poisson", link="log")
    first, again = found_for(prepare(spec, TABLE)), found_for(prepare(spec, TABLE))
    assert np.array_equal(first.beta, again.beta)
    assert all(np.array_equal(a, b) for a, b in zip(first.effects, again.effects, strict=True))
    shuffled = found_for(prepare(spec, TABLE.sample(frac=1.0, random_state=4)))
    np.testing.assert_allclose(shuffled.beta, first.beta, rtol=REFERENCE)
    for a, b in zip(shuffled.effects, first.effects, strict=True):
        np.testing.assert_allclose(a, b, rtol=REFERENCE, atol=REFERENCE)
