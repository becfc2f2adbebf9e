"""The compiled density equals the PyMC form over the whole support table, through the map between their coordinates and its Jacobian.

The kernel's coordinates are not PyMC's: coefficients of orthogonal columns with the groups' mean effects taken off, reflected effects,
canonical partial correlations. ``derive`` maps them to the parameters; the log Jacobian of that map is written out here.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm import naming
from bayesglmm.kernel import codes as d
from bayesglmm.kernel.derive import correlation_factors, derive
from bayesglmm.kernel.effects import SHARES
from bayesglmm.kernel.layout import Centering
from bayesglmm.kernel.priors import EXP, INTERVAL
from bayesglmm.kernel.program import make_program
from bayesglmm.model.build import build_model
from tests.cases import CASES, ready_for
from tests.tolerances import TWO_FORMS

FORMS = ("noncentered", "centered", "partial")


def form_of(ready, name):
    return {naming.block(g.name, g.position): partly_centered(g) if name == "partial" else name for g in ready.design.groups}


def partly_centered(group):
    """Another share for every level and effect, and units that are not one."""
    J, q = len(group.levels), len(group.labels)
    rng = np.random.default_rng(J + q)
    return Centering(rng.integers(0, SHARES + 1, (J, q)) / SHARES, rng.uniform(0.5, 2.0, q))


def program_of(ready, name):
    link, center = ready.link.name, ready.spec.center
    return make_program(ready.design, ready.priors, family=ready.family, link=link, center=center, parameterization=form_of(ready, name))


def log_jacobian(x, program):
    """Log of the determinant of the map from the flat vector to coefficients, SDs, Cholesky factors, effects, up to a constant."""
    layout, total = program.layout, 0.0
    kinds = layout.kinds[:, d.TRANSFORM]
    scalars = x[: len(kinds)]
    total += scalars[kinds == EXP].sum()
    bounded = scalars[kinds == INTERVAL]
    total -= np.sum(np.logaddexp(0, bounded) + np.logaddexp(0, -bounded))
    for block in layout.blocks:
        q, J = block[d.WIDTH], block[d.LEVELS]
        L = np.eye(q)
        if block[d.COR_START] != d.NONE:
            coordinates = x[block[d.COR_START] : block[d.COR_START] + q * (q - 1) // 2]
            L = correlation_factors(coordinates, q)
            partial = np.tanh(coordinates)
            # L[i, m] = p left: its derivative in its own coordinate is (1 - p^2) left = (1 - p^2) L / p
            total += np.sum(np.log((1 - partial**2) * L[np.tril_indices(q, -1)] / partial))
        shares = program.layout.shares[block[d.SCRATCH] : block[d.SCRATCH] + J * q].reshape(J, q) / SHARES
        # an effect with share c is A_kk^(1 - c) times its coordinate, up to constants and what comes before it in its row
        total += np.sum(1.0 - shares, axis=0) @ (x[block[d.SD_START] : block[d.SD_START] + q] + np.log(np.diag(L)))
    return total


def natural(x, program, ready):
    """Values of the PyMC model's free variables, centered form, at a point of the kernel's space."""
    derived, design, priors = derive(program.natural(x), program.layout), ready.design, ready.priors
    values, slopes = {}, [k for k, label in enumerate(design.labels) if label != naming.INTERCEPT]
    for term in design.fixed:
        columns = derived.beta[term.start : term.stop]
        values[term.name] = columns[0] if term.levels is None else columns
    if priors.intercept is not None and ready.spec.center and slopes:
        at_means = values.pop(naming.INTERCEPT) + design.X[:, slopes].mean(axis=0) @ derived.beta[slopes]
        values[naming.CENTERED_INTERCEPT] = at_means
    for group, block in zip(design.groups, derived.blocks, strict=True):
        name = naming.block(group.name, group.position)
        for term in group.effects:
            sd = block.sd[term.start : term.stop]
            values[naming.effect_sd(term.name, group.name)] = sd[0] if term.levels is None else sd
        values[naming.correlation_factor(name)] = np.linalg.cholesky(block.correlation)
        values[naming.offsets(name)] = block.effects
    return values | dict(zip(program.layout.auxiliary, derived.auxiliary, strict=True))


class PymcDensity:
    """The PyMC form's log density, in natural coordinates, as a function of a point of the kernel's space."""

    def __init__(self, ready):
        self.ready = ready
        self.model = build_model(ready.spec, ready.design, ready.priors, family=ready.family, parameterization=form_of(ready, "centered"))
        self.log_density = self.model.compile_logp(jacobian=False, mode="FAST_COMPILE")

    def __call__(self, x, program):
        values, point = natural(x, program, self.ready), {}
        for variable in self.model.free_RVs:
            transform = self.model.rvs_to_transforms[variable]
            value = np.asarray(values[variable.name], dtype=float)
            inputs = variable.owner.inputs
            point[self.model.rvs_to_values[variable].name] = value if transform is None else transform.forward(value, *inputs).eval()
        return float(self.log_density(point)) + log_jacobian(x, program)


def points(program, count=4):
    rng = np.random.default_rng(17)
    return [0.5 * rng.normal(size=program.layout.size) for _ in range(count)]


@pytest.mark.parametrize("case", CASES)
def test_density_equals_the_pymc_form(case):
    formula, family, link, priors = CASES[case]
    ready = ready_for(formula, family, link, priors)
    pymc = PymcDensity(ready)
    for form in FORMS:
        program = program_of(ready, form)
        both = np.array([(program(x)[0], pymc(x, program)) for x in points(program)])
        np.testing.assert_allclose(np.diff(both[:, 0]), np.diff(both[:, 1]), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(both).max())


@pytest.mark.parametrize("case", ["priors", "more priors", "weights", "probit"])
def test_density_equals_the_pymc_form_with_the_intercept_prior_at_zero(case):
    formula, family, link, priors = CASES[case]
    ready = ready_for(formula, family, link, priors, center=False)
    pymc, program = PymcDensity(ready), program_of(ready, "noncentered")
    both = np.array([(program(x)[0], pymc(x, program)) for x in points(program)])
    np.testing.assert_allclose(np.diff(both[:, 0]), np.diff(both[:, 1]), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(both).max())


def slope_along(function, x, direction, step=2e-3):
    """Derivative by the five-point central rule: its error is of order step^4, 2e-11 relative here."""
    ahead = [function(x + k * step * direction) for k in (-2, -1, 1, 2)]
    return (ahead[0] - 8 * ahead[1] + 8 * ahead[2] - ahead[3]) / (12 * step)


@pytest.mark.parametrize("case", ["correlated", "priors", "nested", "binomial loglog", "gaussian log", "poisson offset"])
def test_gradient_equals_the_pymc_forms(case):
    formula, family, link, priors = CASES[case]
    ready = ready_for(formula, family, link, priors)
    pymc, program = PymcDensity(ready), program_of(ready, "noncentered")
    rng = np.random.default_rng(4)
    for x in points(program, 2):
        gradient = program(0.3 * x)[1]
        direction = rng.normal(size=len(x)) / np.sqrt(len(x))
        along = slope_along(lambda z: pymc(z, program), 0.3 * x, direction)
        # the five-point rule's own error (step^4 times a fifth derivative, and rounding over the step) is far below this
        assert abs(along - gradient @ direction) <= TWO_FORMS * np.linalg.norm(gradient)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_gradient_matches_finite_differences(case, form):
    formula, family, link, priors = CASES[case]
    program = program_of(ready_for(formula, family, link, priors), form)
    x = 0.3 * points(program, 1)[0]
    gradient = program(x)[1]
    for k in range(program.layout.size):
        axis = np.eye(program.layout.size)[k]
        assert abs(slope_along(lambda z: program(z)[0], x, axis) - gradient[k]) <= TWO_FORMS * max(np.linalg.norm(gradient), 1.0)


EFFECTS = st.sampled_from(["1", "x", "1 + x", "0 + f", "1 + x + f"])
BARS = st.sampled_from(["|", "||"])


@st.composite
def formulas(draw):
    fixed = draw(st.sampled_from(["1", "x", "x + f", "x * f", "0 + f + x"]))
    first = f"({draw(EFFECTS)} {draw(BARS)} g)"
    more = draw(st.sampled_from(["", " + (1 | h)", " + (0 + x | h)", " + (1 | g:h)"]))
    response, family, link = draw(
        st.sampled_from(
            [
                ("real", "gaussian", "identity"),
                ("binary", "bernoulli", "logit"),
                ("binary", "bernoulli", "cloglog"),
                ("count", "poisson", "log"),
            ]
        )
    )
    return f"{response} ~ {fixed} + {first}{more}", family, link


@settings(max_examples=40)
@given(formulas(), st.sampled_from(FORMS), st.booleans())
def test_random_specs_have_the_right_gradient(chosen, form, center):
    formula, family, link = chosen
    program = program_of(ready_for(formula, family, link, {}, center=center), form)
    x = 0.3 * points(program, 1)[0]
    gradient, rng = program(x)[1], np.random.default_rng(8)
    for _ in range(3):
        direction = rng.normal(size=len(x)) / np.sqrt(len(x))
        along = slope_along(lambda z: program(z)[0], x, direction)
        assert abs(along - gradient @ direction) <= TWO_FORMS * max(np.linalg.norm(gradient), 1.0)


@settings(max_examples=6)
@given(formulas())
def test_random_specs_equal_the_pymc_form(chosen):
    ready = ready_for(chosen[0], chosen[1], chosen[2], {})
    pymc, program = PymcDensity(ready), program_of(ready, "noncentered")
    both = np.array([(program(x)[0], pymc(x, program)) for x in points(program, 3)])
    np.testing.assert_allclose(np.diff(both[:, 0]), np.diff(both[:, 1]), rtol=TWO_FORMS, atol=TWO_FORMS * np.abs(both).max())
