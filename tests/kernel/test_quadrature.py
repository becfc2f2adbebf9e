"""One or two effects of a factor integrated out: the density against dense and adaptive integrals, its stated error, its gradient."""

from dataclasses import fields, replace
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special

import bayesglmm as bg
from bayesglmm.design.prepare import prepare
from bayesglmm.kernel.derive import correlation_factors, derive, scalars
from bayesglmm.kernel.elementary import fast_exp, fast_log
from bayesglmm.kernel.quadrature import SHARED as SHARED_NODES
from bayesglmm.kernel.quadrature import log_density
from bayesglmm.kernel.quadrature_bounds import CLOGLOG, INSIDE, LIMITS, LOGIT, PROBIT, RATE, bound_of_rates, growth, widest_step
from bayesglmm.kernel.quadrature_program import TOLERANCE, make_quadrature, not_integrable
from bayesglmm.spec.model_spec import make_spec
from tests.cases import TABLE
from tests.kernel import test_equality
from tests.kernel.test_equality import PymcDensity
from tests.tolerances import ALGEBRAIC, TWO_FORMS

LINKS = ("logit", "probit", "cloglog", "loglog", "cauchit")
ONE = {"intercept": "(1 | g)", "slope": "(0 + x | g)"}
TWO = {"correlated": "(1 + x | g)", "independent": "(1 + x || g)", "two terms": "(1 | g) + (0 + x | g)"}
FORMULAS = {f"{link}, {name}": (f"binary ~ x + {term}", "bernoulli", link) for link in LINKS for name, term in ONE.items()}
FORMULAS |= {f"{link}, {name}": (f"binary ~ x + {term}", "bernoulli", link) for link in LINKS[:4] for name, term in TWO.items()}
FORMULAS |= {f"binomial {link}": ("k | trials(size) + weights(w) ~ x + (1 | g)", "binomial", link) for link in LINKS}
FORMULAS |= {f"poisson, {name}": (f"count ~ x + offset(log(size)) + {term}", "poisson", "log") for name, term in (ONE | TWO).items()}
FORMULAS["poisson, weights"] = ("count | weights(w) ~ x + (1 | g)", "poisson", "log")
FORMULAS["poisson, covariates of groups"] = ("count | weights(w) ~ x + (1 + u | g)", "poisson", "log")
DATA = TABLE.assign(u=lambda d: d["g"].map({name: k / 3 - 1.0 for k, name in enumerate(sorted(set(d["g"])))}))


def program_of(formula, family, link, *, data=DATA, center=True, priors=None):
    ready = prepare(make_spec(formula, family=family, link=link, center=center, priors=priors), data)
    sd = np.ones(sum(g.Z.shape[1] for g in ready.design.groups))
    return ready, make_quadrature(ready.design, ready.priors, family=ready.family, link=link, center=center, sd=sd)


def points(program, count=3, seed=7):
    rng = np.random.default_rng(seed)
    return [0.5 * rng.normal(size=program.size) for _ in range(count)]


def arrays_of(program, **changed):
    arrays = replace(program.arrays, **changed)
    return [getattr(arrays, f.name) for f in fields(arrays)]


def log_likelihood(program, x, tighter=1.0):
    """The density less prior and Jacobian, which are what it is without groups."""
    none, limits = np.zeros(0, dtype=np.int64), program.arrays.limits.copy()
    limits[:2] += np.log(tighter) * np.array([-1.0, 1.0])
    empty = {"start": np.zeros(1, dtype=np.int64), "row_of": none, "y": np.zeros(0), "size": np.zeros(0), "count": np.zeros(0)}
    prior = log_density(x, np.empty(len(x)), *arrays_of(program, **empty))
    return log_density(x, np.empty(len(x)), *arrays_of(program, limits=limits)) - prior


def factor_of(program, x):
    s, q = len(program.kinds), program.arrays.Z.shape[1]
    L = correlation_factors(x[s:], q) if len(x) > s else np.eye(q)
    return scalars(x[:s], program.kinds, program.numbers)[-q:, None] * L


def log_joint(ready, program, x, j):
    """Log of likelihood times standard normal density of one group, as a function of effects of shape (..., q)."""
    design = ready.design
    theta = scalars(x[: len(program.kinds)], program.kinds, program.numbers)
    rows = np.flatnonzero(design.groups[0].index == j)
    means = (design.offset + program.internal.X @ theta[: program.internal.X.shape[1]])[rows]
    Z = np.concatenate([g.Z for g in design.groups], axis=1)[rows] @ factor_of(program, x)
    n = None if design.trials is None else design.trials[rows]
    weight = 1.0 if design.weights is None else design.weights[rows]

    def value(e):
        values = ready.family.log_prob(design.y[rows], means + e @ Z.T, ready.link, trials=n)
        return np.sum(weight * values, axis=-1) - 0.5 * np.sum(e * e, axis=-1)

    return value


def scaled(value, top, e):
    return np.exp(value(np.array([e])) - top)


def adaptive(ready, program, x):
    """Log likelihood at x: one effect by scipy's adaptive rule, two on a dense grid; the family's own density."""
    total, q = 0.0, program.arrays.Z.shape[1]
    for j in range(len(ready.design.groups[0].levels)):
        value = log_joint(ready, program, x, j)
        if q == 1:
            grid = np.linspace(-9, 9, 721)
            peak = grid[np.argmax(value(grid[:, None]))]
            top = value(np.array([peak]))
            # split at the peak and near it: the adaptive rule then reaches its tolerance everywhere
            ends = np.unique(np.clip([-12, peak - 3, peak - 1, peak, peak + 1, peak + 3, 12], -12, 12))
            total += top + np.log(
                sum(integrate.quad(partial(scaled, value, top), a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(ends))
            )
        else:
            grid = np.linspace(-9, 9, 401)
            values = value(np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1))
            total += values.max() + np.log(np.exp(values - values.max()).sum() * (grid[1] - grid[0]) ** 2)
    return total


@pytest.mark.parametrize("case", FORMULAS)
def test_likelihood_equals_dense_and_adaptive_integrals(case):
    ready, program = program_of(*FORMULAS[case])
    ours, exact = np.array([(log_likelihood(program, x), adaptive(ready, program, x)) for x in points(program)]).T
    np.testing.assert_allclose(np.diff(ours), np.diff(exact), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(exact).max() + 2 * TOLERANCE)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("case", FORMULAS)
def test_gradient_matches_finite_differences(case, center):
    _, program = program_of(*FORMULAS[case], center=center)
    step = 2e-3
    for x in points(program, 2):
        gradient = program(x)[1]
        for k in range(program.size):
            ahead = [program(x + m * step * np.eye(program.size)[k])[0] for m in (-2, -1, 1, 2)]
            # five-point rule: error of order step^4; the integrals' own errors, below TOLERANCE, may change between points
            slope = (ahead[0] - 8 * ahead[1] + 8 * ahead[2] - ahead[3]) / (12 * step)
            assert slope == pytest.approx(gradient[k], abs=TWO_FORMS * np.linalg.norm(gradient) + TOLERANCE / step)


@pytest.mark.parametrize("sd", [0.1, 1.0, 3.0, 9.0])
@pytest.mark.parametrize("case", FORMULAS)
def test_error_stays_below_the_stated_bound(case, sd):
    """Against the same rule with a bound 10,000 times tighter."""
    _, program = program_of(*FORMULAS[case])
    p, q = program.internal.X.shape[1], program.arrays.Z.shape[1]
    for x in points(program, 2):
        x[p : p + q] = np.log(sd)
        usual, finer = log_likelihood(program, x), log_likelihood(program, x, tighter=1e4)
        # rounding of the sum over groups comes on top
        assert abs(usual - finer) <= TOLERANCE + 1e-12 * abs(finer)


SHARED = ["logit, intercept", "logit, slope", "probit, intercept", "cauchit, slope", "binomial logit", "binomial cauchit"]


@pytest.mark.parametrize("sd", [0.1, 1.0, 9.0])
@pytest.mark.parametrize("case", SHARED)
def test_nodes_shared_by_all_groups_give_the_same(case, sd):
    _, program = program_of(*FORMULAS[case])
    header = program.arrays.header.copy()
    x = points(program, 1)[0]
    x[-1] = np.log(sd)
    found = []
    for shared in (0, 1):
        header[SHARED_NODES] = shared
        gradient = np.empty(len(x))
        found.append((log_density(x, gradient, *arrays_of(program, header=header.copy())), gradient))
    (apart, slopes), (together, other) = found
    assert together == pytest.approx(apart, abs=2 * TOLERANCE + 1e-12 * abs(apart))
    # what a sum over nodes is off by, its slopes are too, times the slopes' size
    np.testing.assert_allclose(other, slopes, atol=10 * TOLERANCE * np.linalg.norm(slopes))


@pytest.mark.parametrize("link", LINKS)
def test_groups_share_their_nodes_where_patterns_are_made_of_few_rows(link):
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"g": np.repeat(np.arange(500), 4), "x": np.tile([0.0, 1.0, 2.0, 3.0], 500)})
    _, program = program_of("binary ~ x + (1 | g)", "bernoulli", link, data=data.assign(binary=rng.integers(0, 2, 2000)))
    assert program.arrays.header[SHARED_NODES] == (link in ("logit", "probit", "cauchit"))
    assert program.n_patterns == 16
    x = points(program, 1)[0]
    tight = log_likelihood(program, x, tighter=1e4)
    assert abs(log_likelihood(program, x) - tight) <= TOLERANCE + 1e-12 * abs(tight)


PRIORS = {
    "intercept": bg.Uniform(-20, 20),
    "b": bg.StudentT(4, 0, 2),
    "sd": bg.Gamma(2, 1),
    "sd[g, x]": bg.HalfCauchy(1),
    "cor": bg.LKJ(3.5),
}


@pytest.mark.parametrize("center", [True, False])
def test_priors_of_all_kinds_have_the_right_gradient(center):
    _, program = program_of("binary ~ x + (1 + x | g)", "bernoulli", "logit", center=center, priors=PRIORS)
    x, step = points(program, 1)[0], 2e-3
    gradient = program(x)[1]
    for k in range(program.size):
        ahead = [program(x + m * step * np.eye(program.size)[k])[0] for m in (-2, -1, 1, 2)]
        slope = (ahead[0] - 8 * ahead[1] + 8 * ahead[2] - ahead[3]) / (12 * step)
        assert slope == pytest.approx(gradient[k], abs=TWO_FORMS * np.linalg.norm(gradient) + TOLERANCE / step)


@pytest.mark.parametrize("kind", range(6))
def test_chords_lie_above_the_growth_that_bounds_the_links(kind):
    """The factor of one trial off the real axis, by complex arithmetic, never exceeds what the step is chosen by."""
    x = np.linspace(-12, 3 if kind == RATE else 12, 241)
    for y in np.linspace(0.01, INSIDE * LIMITS[kind] * 0.999, 40):
        bound = growth(kind, y)
        for value, on_axis in factors(kind, x, y):
            assert np.all(np.log(np.abs(value)) <= np.log(on_axis) + bound + ALGEBRAIC)


def factors(kind, x, y):
    z = x + 1j * y
    if kind == LOGIT:
        return [(1 / (1 + np.exp(-z)), special.expit(x)), (1 / (1 + np.exp(z)), special.expit(-x))]
    if kind == PROBIT:
        return [(special.erfc(-z / np.sqrt(2)) / 2, special.ndtr(x)), (special.erfc(z / np.sqrt(2)) / 2, special.ndtr(-x))]
    if kind == CLOGLOG:
        return [(-np.expm1(-np.exp(z)), -np.expm1(-np.exp(x)))]
    if kind == CLOGLOG + 1:
        return [(-np.expm1(-np.exp(-z)), -np.expm1(-np.exp(-x)))]
    if kind == RATE:  # the value with all rates smaller
        return [(np.exp(-np.exp(z)), np.exp(-np.exp(x) * np.cos(y)))]
    return [(0.5 + np.arctan(z) / np.pi, 0.5 + np.arctan(x) / np.pi), (0.5 - np.arctan(z) / np.pi, 0.5 - np.arctan(x) / np.pi)]


@pytest.mark.parametrize(("m", "slopes"), [(0.3, [0.5]), (2.0, [1.0, -1.0, 0.3]), (4.0, [3.0, 0.2]), (-3.0, [2.0, 2.0])])
def test_expected_rates_stay_below_their_bound(m, slopes):
    """For counts equal to the rates at zero, and slopes that cancel, the mode is zero; the expectation is over a dense grid."""
    e, s = np.linspace(-9, 9, 40_001), np.array([*slopes, -sum(slopes)])
    rates = np.exp(m + s[:, None] * e)
    log_joint = np.exp(m) * s.sum() * e - rates.sum(axis=0) - 0.5 * e * e
    weight = np.exp(log_joint - log_joint.max())
    assert e[np.argmax(weight)] == pytest.approx(0.0, abs=1e-3)
    assert np.sum(weight * rates.sum(axis=0)) / weight.sum() <= bound_of_rates(len(s) * np.exp(m), 1, 0.0)


@pytest.mark.parametrize("kind", range(6))
def test_step_shrinks_with_the_change_the_total_and_the_tolerance(kind):
    steps = [widest_step(kind, 40.0, sigma, 1.0, np.log(1e-10)) for sigma in (0.1, 0.5, 1.0, 3.0, 6.0, 100.0)]
    assert np.all(np.diff(steps) < 0)
    assert widest_step(kind, 80.0, 1.0, 1.0, np.log(1e-10)) < widest_step(kind, 40.0, 1.0, 1.0, np.log(1e-10))
    assert widest_step(kind, 40.0, 1.0, 1.0, np.log(1e-13)) < widest_step(kind, 40.0, 1.0, 1.0, np.log(1e-10))


def test_vector_functions_are_those_of_the_library():
    x = np.concatenate([np.linspace(-700, 700, 4001), np.logspace(-18, 0, 200), [0.0]])
    np.testing.assert_allclose([fast_exp(v) for v in x], np.exp(x), rtol=1e-15)
    y = np.concatenate([1.0 + np.logspace(-16, 2, 2001), np.logspace(-300, 300, 2001)])
    np.testing.assert_allclose([fast_log(v) for v in y], np.log(y), rtol=1e-15, atol=1e-16)
    assert fast_exp(-np.inf) < 1e-300
    assert np.isnan(fast_exp(np.nan))


MARGINAL = {"probit": ("binary ~ x + (1 | g)", "bernoulli", "probit"), "poisson, slope": ("count ~ x + (0 + x | g)", "poisson", "log")}


@pytest.mark.parametrize("case", MARGINAL)
def test_density_equals_the_pymc_form_integrated_over_each_effect(case):
    """Given the parameters the effects are independent: the joint density is integrated over one at a time, the others at zero."""
    ready, program = program_of(*MARGINAL[case])
    pymc, full = PymcDensity(ready), test_equality.program_of(ready, "noncentered")
    both = []
    for z in test_equality.points(full, 3):
        values = test_equality.natural(z, full, ready)
        derived = derive(full.natural(z), full.layout)
        sd, internal = derived.blocks[0].sd.item(), program.internal
        beta = derived.beta.copy()
        beta[internal.intercept] += beta @ internal.means
        x = np.append(np.linalg.solve(internal.basis, beta), np.log(sd))
        both.append((program(x)[0] - np.log(sd), integrated_pymc(pymc, values, sd)))
    ours, theirs = np.array(both).T
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(theirs).max() + 2 * TOLERANCE)


def integrated_pymc(pymc, values, sd):
    """Log of the PyMC form's density, integrated over the effects on a grid; in natural coordinates."""
    model, point, effects = pymc.model, {}, None
    for variable in model.free_RVs:
        transform, name = model.rvs_to_transforms[variable], model.rvs_to_values[variable].name
        value = np.asarray(values[variable.name], dtype=float)
        point[name] = value if transform is None else transform.forward(value, *variable.owner.inputs).eval()
        effects = name if value.ndim and value.shape[0] == 6 else effects
    zero, grid = np.zeros_like(point[effects]), np.linspace(-8, 8, 161) * sd
    base = float(pymc.log_density(point | {effects: zero}))
    total = base
    for j in range(len(zero)):
        gains = []
        for b in grid:
            moved = zero.copy()
            moved[j] = b
            gains.append(float(pymc.log_density(point | {effects: moved})) - base)
        total += special.logsumexp(gains) + np.log(grid[1] - grid[0])
    return total


EXTREME = {
    "separated": DATA.assign(binary=lambda d: (d["g"] < "g3").astype(int)),
    "many trials": DATA.assign(size=10_000, k=lambda d: 5_000 + 20 * d["count"]),
    "all trials": DATA.assign(size=10_000, k=10_000),
    "many counts": DATA.assign(count=lambda d: 10_000 + d["count"]),
    "no counts": DATA.assign(count=0),
}


@pytest.mark.parametrize("sd", [1e-8, 1.0, 30.0, 1e4, 1e12])
@pytest.mark.parametrize("data", EXTREME)
@pytest.mark.parametrize("case", FORMULAS)
def test_extremes_are_finite_or_have_no_density(case, data, sd):
    _, program = program_of(*FORMULAS[case], data=EXTREME[data])
    p, q = program.internal.X.shape[1], program.arrays.Z.shape[1]
    for shift in (0.0, 8.0, -300.0, 1000.0):
        x = points(program, 1)[0]
        x[0] += shift
        x[p : p + q] = np.log(sd)
        value, gradient = program(x)
        assert value == -np.inf or (np.isfinite(value) and np.all(np.isfinite(gradient)))
        # with many thousands of trials that do not agree, cauchit's window takes more nodes than there may be
        if shift == 0.0 and sd <= 1.0 and not case.startswith("binomial cauchit"):
            assert np.isfinite(value)


REFUSED = {
    "no groups": ("binary ~ x", "bernoulli", "logit", "0 group terms"),
    "two factors": ("binary ~ x + (1 | g) + (1 | h)", "bernoulli", "logit", "2 grouping factors"),
    "three effects": ("binary ~ x + (1 + f | g)", "bernoulli", "logit", "3 effects per group"),
    "two effects, cauchit": ("binary ~ x + (1 + x | g)", "bernoulli", "cauchit", "not log-concave"),
    "another family": ("real ~ x + (1 | g)", "gaussian", "identity", "no error bound"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_stands_against_it_is_named(case):
    formula, family, link, words = REFUSED[case]
    ready = prepare(make_spec(formula, family=family, link=link), DATA)
    assert words in not_integrable(ready.design, ready.family, link)


@pytest.mark.parametrize("case", FORMULAS)
def test_the_rest_is_integrable(case):
    formula, family, link = FORMULAS[case]
    ready = prepare(make_spec(formula, family=family, link=link), DATA)
    assert not_integrable(ready.design, ready.family, link) is None


def test_cost_grows_with_the_sd_and_the_rows():
    ready, program = program_of(*FORMULAS["logit, intercept"])
    make = partial(make_quadrature, family=ready.family, link="logit", center=True)
    assert make(ready.design, ready.priors, sd=np.array([5.0])).cost > program.cost
    _, two = program_of(*FORMULAS["logit, correlated"])
    assert two.cost > program.cost
