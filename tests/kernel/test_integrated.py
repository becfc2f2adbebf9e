"""Random intercepts integrated out: the density against adaptive integrals and R's exact fits, the draws against the exact conditional."""

import json
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import bayesglmm as bg
from bayesglmm.design.prepare import prepare
from bayesglmm.errors import DatasetError, NotBuiltError
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.kernel.integrated import LOGIT, POISSON, log_density, make_nodes, widest_step
from bayesglmm.kernel.integrated_program import TOLERANCE, derive_integrated, make_integrated, not_integrable, pays
from bayesglmm.kernel.patterns import find_patterns
from bayesglmm.spec.model_spec import make_spec
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


def program_of(formula, data, family, link, *, center=True, priors=None):
    ready = prepare(make_spec(formula, family=family, link=link, center=center, priors=priors), data)
    return ready, make_integrated(ready.design, ready.priors, family=ready.family, link=link, center=center)


def points(program, count=4, seed=7):
    rng = np.random.default_rng(seed)
    return [0.6 * rng.normal(size=program.size) for _ in range(count)]


def adaptive(ready, program, x):
    """Log likelihood at x, each group by scipy's adaptive rule on the family's own density."""
    theta = x[:-1]
    sd, means = np.exp(x[-1]), ready.design.offset + program.internal.X @ theta
    design, total = ready.design, 0.0
    for j in range(len(design.groups[0].levels)):
        rows = np.flatnonzero(design.groups[0].index == j)

        def log_joint(e, rows=rows):
            n = None if design.trials is None else design.trials[rows]
            values = ready.family.log_prob(design.y[rows], means[rows] + sd * e, ready.link, trials=n)
            return np.sum(values if design.weights is None else design.weights[rows] * values) - 0.5 * e * e

        grid = np.linspace(-9, 9, 721)
        peak = grid[np.argmax([log_joint(e) for e in grid])]
        top = log_joint(peak)
        # split at the peak and near it: the adaptive rule then reaches its tolerance everywhere
        ends = np.unique(np.clip([-12, peak - 3, peak - 1, peak, peak + 1, peak + 3, 12], -12, 12))
        scaled = partial(scaled_joint, log_joint, top)
        pieces = [integrate.quad(scaled, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(ends)]
        total += top + np.log(np.sum(pieces))
    return total


def scaled_joint(log_joint, top, e):
    return np.exp(log_joint(e) - top)


def only_prior(program, x):
    """The program's density without any pattern: log prior and Jacobian."""
    arrays = program.arrays
    none = np.zeros(0, dtype=np.int64)
    rest = (arrays.X, arrays.rows, np.zeros(1, dtype=np.int64), none, np.zeros(0), np.zeros(0))
    return log_density(x, np.empty(len(x)), arrays.header, arrays.limits, arrays.kinds, arrays.numbers, arrays.prior_map, *rest)


@pytest.mark.parametrize("case", CASES)
def test_likelihood_equals_adaptive_integrals(case):
    ready, program = program_of(*CASES[case])
    ours, exact = np.array([(program(x)[0] - only_prior(program, x), adaptive(ready, program, x)) for x in points(program)]).T
    np.testing.assert_allclose(np.diff(ours), np.diff(exact), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(exact).max())


@pytest.mark.parametrize("case", CASES)
def test_gradient_matches_finite_differences(case):
    _, program = program_of(*CASES[case])
    step = 2e-3
    for x in points(program, 2):
        gradient = program(x)[1]
        for k in range(program.size):
            ahead = [program(x + m * step * np.eye(program.size)[k])[0] for m in (-2, -1, 1, 2)]
            # five-point rule: error of order step^4; the rule's own error TOLERANCE may change between nodes
            assert (ahead[0] - 8 * ahead[1] + 8 * ahead[2] - ahead[3]) / (12 * step) == pytest.approx(
                gradient[k], abs=TWO_FORMS * np.linalg.norm(gradient) + TOLERANCE / step
            )


@pytest.mark.parametrize("sd", [0.1, 1.0, 3.0, 6.0, 9.0])
@pytest.mark.parametrize("case", CASES)
def test_error_stays_below_the_stated_bound(case, sd):
    """Against the same rule with a bound 10,000 times tighter."""
    _, program = program_of(*CASES[case])
    arrays = program.arrays
    tight = np.array([arrays.limits[0], arrays.limits[1] - np.log(1e4)])
    for x in points(program, 3):
        x[-1] = np.log(sd)
        rest = (arrays.kinds, arrays.numbers, arrays.prior_map, arrays.X, arrays.rows, arrays.start, arrays.row_of, arrays.y, arrays.count)
        finer = log_density(x, np.empty(len(x)), arrays.header, tight, *rest)
        # rounding of the sum over groups comes on top
        assert abs(program(x)[0] - finer) <= TOLERANCE + 1e-12 * abs(finer)


@pytest.mark.parametrize(("kind", "total"), [(LOGIT, 1.0), (LOGIT, 40.0), (POISSON, 3.0), (POISSON, 300.0)])
def test_step_shrinks_with_the_sd_the_total_and_the_tolerance(kind, total):
    steps = [widest_step(kind, total, sd, np.log(1e-10)) for sd in (0.1, 0.5, 1.0, 3.0, 6.0)]
    assert np.all(np.diff(steps) < 0)
    assert widest_step(kind, 2 * total, 1.0, np.log(1e-10)) < widest_step(kind, total, 1.0, np.log(1e-10))
    assert widest_step(kind, total, 1.0, np.log(1e-13)) < widest_step(kind, total, 1.0, np.log(1e-10))


def test_nodes_hold_the_normal_distribution():
    nodes, log_weights = make_nodes(0.2)
    assert np.exp(log_weights).sum() == pytest.approx(1.0, rel=1e-10)
    assert np.sum(np.exp(log_weights) * nodes**2) == pytest.approx(1.0, rel=1e-10)


def exact_fit(name, formula, dataset, prepare_table):
    """Log likelihood of a stored maximum likelihood fit, at its own estimates."""
    stored = json.loads((GOLDEN / f"{name}.json").read_text())
    ready, program = program_of(formula, prepare_table(bg.datasets.load(dataset)), "bernoulli", "logit")
    beta, sd = np.array([entry["est"] for entry in stored["fixed"]]), stored["random"][0]["sd"]
    centered = beta.copy()
    centered[0] += program.internal.means @ beta
    x = np.append(np.linalg.solve(program.internal.basis, centered), np.log(np.ravel(sd)[0]))
    return program(x)[0] - only_prior(program, x), stored["logLik"], ready


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
    found = find_patterns(rows, np.array([1.0, 0.0, 1.0, 0.0, 1.0, 1.0]), np.array([0, 0, 1, 1, 2, 2]), 3)
    assert found.pattern_of[0] == found.pattern_of[1] != found.pattern_of[2]
    np.testing.assert_array_equal(np.sort(found.count), [1.0, 2.0])


def test_drawn_intercepts_follow_their_exact_conditional_distribution():
    ready, program = program_of(*CASES["bernoulli"])
    x = np.append(points(program, 1)[0][:-1], np.log(3.0))
    n = 4000
    b = derive_integrated(np.tile(x, (1, n, 1)), program, seed=11).blocks[0].effects[0, :, :, 0]
    means, e = ready.design.offset + program.internal.X @ x[:-1], np.linspace(-9, 9, 20_001)
    for j in range(b.shape[1]):
        rows = np.flatnonzero(ready.design.groups[0].index == j)
        values = ready.family.log_prob(ready.design.y[rows][:, None], means[rows][:, None] + 3.0 * e, ready.link).sum(axis=0)
        density = np.exp(values - values.max()) * stats.norm.pdf(e)
        distribution = np.cumsum(density) / density.sum()
        # 12 tests of Kolmogorov and Smirnov at one in a hundred thousand
        assert stats.kstest(b[:, j] / 3.0, lambda v, d=distribution: np.interp(v, e, d)).pvalue > 1e-5


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


def test_auto_integrates_where_groups_repeat_and_not_where_rows_are_all_different():
    repeated, different = visits(500), visits(500).assign(obstime=lambda d: d["obstime"] + np.linspace(0, 1, len(d)))
    for data, expected in ((repeated, True), (different, False)):
        ready, program = program_of("low ~ obstime * drug + (1 | patient)", data, "bernoulli", "logit")
        assert pays(program, len(ready.design.y), 2.0) is expected


REFUSED = {
    "two factors": ("low ~ 1 + (1 | patient) + (1 | drug)", "bernoulli", "logit", "2 group terms"),
    "a slope": ("low ~ 1 + (obstime | patient)", "bernoulli", "logit", "more than a random intercept"),
    "another link": ("low ~ 1 + (1 | patient)", "bernoulli", "probit", "no integrated form"),
    "another family": ("low ~ 1 + (1 | patient)", "gaussian", "identity", "no integrated form"),
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
