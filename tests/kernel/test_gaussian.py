"""Gaussian effects integrated out: against dense normal densities, the PyMC form and R's fits."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.kernel.codes import COR_START, NONE, SD_START, WIDTH
from bayesglmm.kernel.derive import correlation_factors
from bayesglmm.kernel.gaussian_program import WIDEST_ROOT, not_integrable
from bayesglmm.kernel.gaussian_tree import CROSSED_LEVELS, LEVEL, REST, find_factors, split_factors
from bayesglmm.model.build import build_model
from tests.kernel.gaussian_dense import CASES, TABLE, Reference, made, points, program_of, ready_for
from tests.tolerances import REFERENCE, TWO_FORMS

GOLDEN = Path(__file__).parents[1] / "golden"
INTEGRATED = {"intercepts": 3, "no intercept": 4, "no fixed effects": 0, "intercept alone": 0, "bounded slope": 0, "bounded intercept": 1}
INTEGRATED |= {"bounded intercept at zero": 1, "intercept prior at zero": 0, "normal intercept": 4, "normal intercept at zero": 4}
INTEGRATED |= {"one slope not normal": 0, "priors": 0, "three deep and crossed": 5}


def both_densities(ready, program, xs):
    return np.array([(program(x)[0], Reference(ready, program, x).log_density()) for x in xs])


def same(both):
    np.testing.assert_allclose(np.diff(both[:, 0]), np.diff(both[:, 1]), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(both).max())


@pytest.mark.parametrize("case", CASES)
def test_density_equals_the_dense_normal_density(case):
    ready, program = made(case)
    same(both_densities(ready, program, points(program)))


@pytest.mark.parametrize("case", INTEGRATED)
def test_coefficients_with_normal_priors_are_integrated(case):
    _, program = made(case)
    assert len(program.internal.means) - len(program.sampled) == INTEGRATED[case]


def slope_along(program, x, direction, step=2e-3):
    """Derivative by the five-point central rule: its error is of order step^4."""
    ahead = [program(x + k * step * direction)[0] for k in (-2, -1, 1, 2)]
    return (ahead[0] - 8 * ahead[1] + 8 * ahead[2] - ahead[3]) / (12 * step)


@pytest.mark.parametrize("case", CASES)
def test_gradient_matches_finite_differences(case):
    _, program = made(case)
    for x in points(program, 4):
        value, gradient = program(x)
        # the rule's rounding, a few units in the last place of the value over the step, comes on top
        allowed = TWO_FORMS * max(np.linalg.norm(gradient), 1.0) + 4 * np.finfo(float).eps * abs(value) / 2e-3
        for k in range(program.size):
            assert abs(slope_along(program, x, np.eye(program.size)[k]) - gradient[k]) <= allowed


@pytest.mark.parametrize("case", ["two slopes", "nested and crossed", "three deep and crossed", "two terms of one factor", "known errors"])
def test_gradient_equals_that_of_the_dense_density(case):
    ready, program = made(case)
    rng = np.random.default_rng(3)
    for x in points(program, 2):
        direction = rng.normal(size=len(x)) / np.sqrt(len(x))
        gradient = program(x)[1]
        dense = slope_along(lambda z: (Reference(ready, program, z).log_density(), None), x, direction)
        assert abs(dense - gradient @ direction) <= TWO_FORMS * max(np.linalg.norm(gradient), 1.0)


TERMS = ["(1 | {})", "(1 + x | {})", "(0 + x | {})", "(0 + f | {})", "(1 + x + v || {})", "(1 + v + x | {})", "(1 | {}) + (0 + x + v | {})"]
FACTORS = st.lists(st.sampled_from(["region", "school", "room", "rater", "item", "rater:item"]), max_size=4, unique=True)


@st.composite
def specs(draw):
    fixed = draw(st.sampled_from(["1", "x", "x + f", "0 + x", "0 + f", "x * v"]))
    response = draw(st.sampled_from(["y", "y | weights(w)", "y | se(s)"]))
    terms = [draw(st.sampled_from(TERMS)).format(factor, factor) for factor in draw(FACTORS)]
    priors = draw(st.sampled_from([{}, {} if fixed == "1" else {"b": bg.StudentT(4, 0, 2)}]))
    return f"{response} ~ {' + '.join([fixed, *terms])}", priors, draw(st.booleans())


@settings(max_examples=60)
@given(specs(), st.integers(0, 2**32 - 1))
def test_random_specs_equal_the_dense_normal_density(chosen, seed):
    ready = ready_for(*chosen)
    program = program_of(ready)
    xs = points(program, 3, seed)
    same(both_densities(ready, program, xs))
    direction = np.random.default_rng(seed).normal(size=program.size) / np.sqrt(program.size)
    for x in xs:
        value, gradient = program(x)
        allowed = TWO_FORMS * max(np.linalg.norm(gradient), 1.0) + 4 * np.finfo(float).eps * abs(value) / 2e-3
        assert abs(slope_along(program, x, direction) - gradient @ direction) <= allowed


def pymc_values(ready, reference, u):
    """Free variables of the PyMC model, centered form, with effects and integrated coefficients u."""
    design, priors, theta = ready.design, ready.priors, reference.theta
    beta = np.empty(design.X.shape[1])
    beta[reference.program.sampled] = reference.coefficients
    beta[reference.integrated] = u[len(reference.D) :]
    values = {}
    for term in design.fixed:
        columns = beta[term.start : term.stop]
        name = naming.CENTERED_INTERCEPT if term.name == naming.INTERCEPT and ready.spec.center and len(beta) > 1 else term.name
        values[name] = columns[0] if term.levels is None else columns
    at = 0
    for group, block, L in zip(design.groups, reference.program.arrays.blocks, reference.L, strict=True):
        for term in group.effects:
            sd = theta[block[SD_START] + term.start : block[SD_START] + term.stop]
            values[naming.effect_sd(term.name, group.name)] = sd[0] if term.levels is None else sd
        name, size = naming.block(group.name, group.position), len(group.levels) * len(group.labels)
        values[naming.correlation_factor(name)] = L
        values[naming.offsets(name)] = u[at : at + size].reshape(len(group.levels), -1)
        at += size
    return values | {name: theta[-1] for name, _ in priors.aux}


@pytest.mark.parametrize(
    "case", ["slope", "two terms of one factor", "three deep and crossed", "weights", "known errors", "normal intercept", "priors"]
)
def test_density_equals_the_pymc_forms_over_the_conditional(case):
    """p(y | theta) = p(y, b | theta) / p(b | y, theta) at any b."""
    ready, program = made(case)
    form = {naming.block(g.name, g.position): "centered" for g in ready.design.groups}
    model = build_model(ready.spec, ready.design, ready.priors, family=ready.family, parameterization=form)
    log_joint, rng, both = model.compile_logp(jacobian=False, mode="FAST_COMPILE"), np.random.default_rng(2), []
    for x in points(program)[::2]:
        reference, point = Reference(ready, program, x), {}
        mean, covariance = reference.conditional()
        u = mean + np.linalg.cholesky(covariance) @ rng.normal(size=len(mean))
        values = pymc_values(ready, reference, u)
        for variable in model.free_RVs:
            transform, value = model.rvs_to_transforms[variable], np.asarray(values[variable.name], dtype=float)
            name = model.rvs_to_values[variable].name
            point[name] = value if transform is None else transform.forward(value, *variable.owner.inputs).eval()
        # PyMC's density is in the correlation factor itself: the map from x to it is the second part of the reference's term
        jacobian = reference.jacobian + correlation_jacobian(reference)
        both.append((program(x)[0], float(log_joint(point)) + jacobian - stats.multivariate_normal(mean, covariance).logpdf(u)))
    same(np.array(both))


def correlation_jacobian(reference):
    total = 0.0
    for block in reference.program.arrays.blocks:
        q, at = block[WIDTH], block[COR_START]
        if at != NONE:
            u = reference.x[at : at + q * (q - 1) // 2]
            total += np.sum(np.log((1 - np.tanh(u) ** 2) * correlation_factors(u, q)[np.tril_indices(q, -1)] / np.tanh(u)))
    return total


@pytest.mark.parametrize("case", ["nested and crossed", "three deep and crossed", "two slopes"])
def test_order_of_rows_and_names_of_levels_do_not_matter(case):
    _, program = made(case)
    formula, priors, center = CASES[case]
    shuffled = TABLE.sample(frac=1.0, random_state=2)
    for factor in ("school", "room", "rater", "item", "region"):
        levels = sorted(set(TABLE[factor]))
        shuffled[factor] = shuffled[factor].map(dict(zip(levels, np.random.default_rng(1).permutation(levels), strict=True)))
    other = program_of(ready_for(formula, priors, center, shuffled))
    for x in points(program, 3):
        (value, gradient), (again, slope) = program(x), other(x)
        assert again == pytest.approx(value, rel=TWO_FORMS)
        np.testing.assert_allclose(slope, gradient, atol=TWO_FORMS * np.linalg.norm(gradient))


def at_estimates(stored, ready, program):
    """The point of the sampler's space where a stored fit is."""
    x, internal = np.zeros(program.size), program.internal
    beta = np.array([entry["est"] for entry in stored["fixed"]])
    beta[internal.intercept] += internal.means @ beta
    x[: len(program.sampled)] = np.linalg.solve(internal.basis, beta)[program.sampled]
    for group, block in zip(ready.design.groups, program.arrays.blocks, strict=True):
        records = [r for r in stored["random"] if OTHER_NAMES.get(r["group"], r["group"]) == group.name]
        sds = np.concatenate([r["sd"] for r in records])
        assert len(sds) == block[WIDTH]
        x[block[SD_START] : block[SD_START] + block[WIDTH]] = np.log(sds)
        if block[COR_START] != NONE:
            x[block[COR_START]] = np.arctanh(records[0]["corr"][0][1])
    x[len(program.kinds) - 1] = np.log(stored["sigma"])
    return x


OTHER_NAMES = {"sample": "batch:cask"}
EXACT = {
    "pastes_nested_ml": ("strength ~ 1 + (1 | batch/cask)", "Pastes"),
    "dyestuff_ml": ("Yield ~ 1 + (1 | Batch)", "Dyestuff"),
    "sleepstudy_corr_ml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "sleepstudy_indep_ml": ("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
    "pastes_nested_reml": ("strength ~ 1 + (1 | batch/cask)", "Pastes"),
    "sleepstudy_corr_reml": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "orthodont_reml": ("distance ~ age * Sex + (age | Subject)", "Orthodont"),
    "scotssec_slope_reml": ("attain ~ verbal + sex + (1 | primary) + (verbal | second)", "ScotsSec"),
}


@pytest.mark.parametrize("name", EXACT)
def test_log_likelihood_equals_stored_fits(name):
    """Coefficients sampled: the log likelihood at a maximum. Integrated under a wide prior: the REML criterion."""
    formula, dataset = EXACT[name]
    stored = json.loads((GOLDEN / f"{name}.json").read_text())
    p, ml = len(stored["fixed"]), stored["method"] == "ML"
    wide = bg.Laplace(0, 1) if ml else bg.Normal(0, 1e9)
    priors = {"intercept": wide, "sd": bg.Exponential(0.1), "sigma": bg.Exponential(0.1)}
    correlated = any(len(r["terms"]) > 1 for r in stored["random"])
    table = bg.datasets.load(dataset)
    ready = ready_for(formula, priors | ({"b": wide} if p > 1 else {}) | ({"cor": bg.LKJ(1)} if correlated else {}), table=table)
    program = program_of(ready)
    assert len(program.sampled) == (p if ml else 0)
    x = at_estimates(stored, ready, program)
    # these priors have no constants that the compiled form leaves out; the integral is over internal coordinates
    value = program(x)[0] - Reference(ready, program, x).log_prior()
    value -= (len(table) - p + len(program.sampled)) * 0.5 * np.log(2 * np.pi)
    if not ml:
        value += np.linalg.slogdet(program.internal.basis)[1]
    assert value == pytest.approx(stored["logLik"], rel=REFERENCE)


def test_what_has_no_closed_form_is_named():
    ready = ready_for("y ~ x + (1 | school)", {})
    assert "log link has no closed form" in not_integrable(ready.design, ready.family, "log")
    assert not_integrable(ready.design, ready.family, "identity") is None
    many = pd.DataFrame({"y": np.arange(3000) % 7.0, "a": np.arange(3000) % 300, "b": np.arange(3000) // 7 % 298})
    ready = ready_for("y ~ 1 + (1 | a) + (1 | b)", {}, table=many)
    assert "298 crossed effects are too many" in not_integrable(ready.design, ready.family, "identity")
    with pytest.raises(ValueError, match="298 crossed effects"):
        program_of(ready)


def test_coefficients_that_do_not_fit_in_the_root_are_sampled():
    rng = np.random.default_rng(4)
    a, b = np.arange(2000) % 400, rng.integers(0, WIDEST_ROOT - 1, 2000)
    b[: WIDEST_ROOT - 1] = np.arange(WIDEST_ROOT - 1)
    table = pd.DataFrame({"y": rng.normal(size=2000), "x": rng.normal(size=2000), "v": rng.normal(size=2000), "a": a, "b": b})
    assert list(program_of(ready_for("y ~ x + (1 | a) + (1 | b)", {}, table=table)).sampled) == [0]
    assert list(program_of(ready_for("y ~ x + v + (1 | a) + (1 | b)", {}, table=table)).sampled) == [0, 1, 2]


CHAINS = {
    "(1 | school)": (["school"], []),
    "(1 | region) + (1 | room) + (1 | school)": (["room", "school", "region"], []),
    "(1 | item) + (1 | room) + (1 | rater) + (1 | region)": (["room", "region"], ["item", "rater"]),
    "(1 | item) + (1 | rater) + (1 | rater:item)": (["rater:item", "rater"], ["item"]),
    "(1 + x | item) + (1 | rater) + (1 | rater:item)": (["rater:item", "item"], ["rater"]),
}


@pytest.mark.parametrize("terms", CHAINS)
def test_the_longest_chain_makes_the_tree(terms):
    factors = find_factors(ready_for(f"y ~ 1 + {terms}", {}).design.groups)
    chain, crossed = split_factors(factors)
    assert ([factors[i].name for i in chain], [factors[i].name for i in crossed]) == CHAINS[terms]


def test_nodes_hold_only_the_crossed_levels_that_they_touch():
    ready, program = made("three deep and crossed")
    nodes, group = program.arrays.nodes, {g.name: g for g in ready.design.groups}
    leaves, items = group["region:school:room"].index, group["item"].index
    touched = sorted(len(np.unique(items[leaves == j])) for j in range(leaves.max() + 1))
    # the rest of a leaf's front: two ancestors, the right-hand side, two effects of each item it meets, five coefficients
    assert sorted(nodes[nodes[:, LEVEL] == 0, REST]) == [2 + 1 + 2 * k + 5 for k in touched]
    assert program.arrays.crossed[0, CROSSED_LEVELS] == 4


def test_the_cost_counts_the_groups_and_not_the_rows():
    formula = "y ~ x + (1 + x | school) + (1 | rater)"
    once, twice = (program_of(ready_for(formula, {}, table=table)).cost for table in (TABLE, pd.concat([TABLE, TABLE])))
    assert once == twice
    more = TABLE.assign(school=TABLE["school"] + TABLE["room"])
    assert program_of(ready_for(formula, {}, table=more)).cost > once


def test_what_was_integrated_is_said():
    _, program = made("nested and crossed")
    assert program.described == "the effects of school and room and rater and item and 1 of 2 coefficients integrated out in closed form"
    assert made("no random effects, all sampled")[1].described == "nothing integrated out in closed form"


def test_a_point_of_another_length_is_refused():
    _, program = made("slope")
    with pytest.raises(ValueError, match="a point has shape"):
        program(np.zeros(program.size + 1))


def test_a_scale_that_underflows_has_no_density():
    _, program = made("slope")
    x = np.zeros(program.size)
    x[len(program.sampled)] = -800.0
    assert program(x)[0] == -np.inf
