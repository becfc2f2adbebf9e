"""Effects of a larger factor that give way to those of smaller ones: another set of coordinates for the same density."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm import naming
from bayesglmm.design.prepare import prepare
from bayesglmm.kernel.effects import SHARES
from bayesglmm.kernel.layout import Centering
from bayesglmm.kernel.program import make_program
from bayesglmm.kernel.pulls import LEAST_LEVELS, Pulls, find_pulls
from bayesglmm.spec.model_spec import make_spec
from tests.kernel.test_equality import slope_along
from tests.tolerances import ALGEBRAIC, TWO_FORMS

N, PUPILS, TEACHERS, SCHOOLS = 2400, 120, 40, 6
RNG = np.random.default_rng(9)
TEACHER = RNG.integers(0, TEACHERS, N)
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "pupil": RNG.integers(0, PUPILS, N),
        "teacher": TEACHER,
        "school": (TEACHER + (RNG.uniform(size=N) < 0.1)) % SCHOOLS,
        "y": RNG.normal(size=N),
        "binary": RNG.integers(0, 2, N),
    }
)
FORMULAS = {"gaussian": ("y", "identity"), "bernoulli": ("binary", "logit")}


def ready_for(family):
    response, link = FORMULAS[family]
    return prepare(make_spec(f"{response} ~ x + (1 | pupil) + (1 | school) + (1 | teacher)", family=family, link=link), TABLE)


def pulls_of(ready, sd=1.0):
    return find_pulls(ready.design.groups, [np.array([sd])] * 3, np.ones(N), 1.0)


def program_of(ready, pulls, share=None):
    rng = np.random.default_rng(2)
    form = {}
    for g in ready.design.groups:
        J = len(g.levels)
        shares = rng.integers(0, SHARES + 1, (J, 1)) / SHARES if share is None else np.full((J, 1), share)
        form[naming.block(g.name, g.position)] = Centering(shares, np.array([0.7]))
    return make_program(
        ready.design, ready.priors, family=ready.family, link=ready.link.name, center=True, parameterization=form, pulls=pulls
    )


@pytest.mark.parametrize("family", FORMULAS)
def test_gradient_matches_finite_differences(family):
    ready = ready_for(family)
    program, rng = program_of(ready, pulls_of(ready)), np.random.default_rng(5)
    x = 0.3 * rng.normal(size=program.layout.size)
    gradient = program(x)[1]
    for k in [*range(6), *rng.choice(program.layout.size, 30, replace=False)]:
        axis = np.eye(program.layout.size)[k]
        assert abs(slope_along(lambda z: program(z)[0], x, axis) - gradient[k]) <= TWO_FORMS * np.linalg.norm(gradient)


def test_it_is_the_same_density_in_other_coordinates():
    """Both programs at points that stand for the same parameters; the map between the coordinates has a constant determinant."""
    ready = ready_for("gaussian")
    plain, pulled = program_of(ready, None, share=1.0), program_of(ready, pulls_of(ready), share=1.0)
    d, first = plain.layout.size, plain.layout.n_parameters
    rng, gaps = np.random.default_rng(6), []
    for _ in range(4):
        x = 0.3 * rng.normal(size=d)
        target = plain.natural(x)
        z = np.linalg.lstsq(linear_part(pulled, x[:first]), (target - at_zero(pulled, x[:first]))[first:], rcond=None)[0]
        # the scalars: coefficients change by what the groups share, which is the same for the same effects
        same = np.concatenate([x[:first], z])
        same[: len(plain.layout.internal.means)] += coefficient_gap(pulled, same, target)
        np.testing.assert_allclose(pulled.natural(same), target, rtol=ALGEBRAIC, atol=ALGEBRAIC)
        gaps.append(pulled(same)[0] - plain(x)[0])
    assert np.ptp(gaps) <= TWO_FORMS * abs(plain(x)[0])


def at_zero(program, scalars):
    return program.natural(np.concatenate([scalars, np.zeros(program.layout.size - len(scalars))]))


def linear_part(program, scalars):
    """Effects as a linear map of their coordinates at fixed scalars."""
    m, first, base = program.layout.size - len(scalars), len(scalars), at_zero(program, scalars)
    points = np.concatenate([np.tile(scalars, (m, 1)), np.eye(m)], axis=1)
    return (program.natural(points) - base)[:, first:].T


def coefficient_gap(program, x, target):
    """What to add to the internal coefficients so that the user's are those of the target."""
    p = len(program.layout.internal.means)
    steps = np.concatenate([np.eye(p), np.zeros((p, len(x) - p))], axis=1)
    slopes = np.stack([program.natural(x + step)[:p] - program.natural(x)[:p] for step in steps], axis=1)
    return np.linalg.solve(slopes, target[:p] - program.natural(x)[:p])


def test_larger_factors_give_way_to_smaller_ones_only():
    ready = ready_for("gaussian")
    found = pulls_of(ready)
    sizes = np.diff(found.start)
    pupils, schools, teachers = sizes[:PUPILS], sizes[PUPILS : PUPILS + SCHOOLS], sizes[PUPILS + SCHOOLS :]
    assert schools.sum() == 0
    assert teachers.min() >= 1
    assert pupils.min() >= 1
    counts = np.bincount(TABLE["teacher"], minlength=TEACHERS)
    start, end = found.start[PUPILS + SCHOOLS], found.start[PUPILS + SCHOOLS + 1]
    assert found.weight[start:end].sum() == pytest.approx(counts[0] / (counts[0] + 1.0), rel=ALGEBRAIC)


def test_few_levels_and_levels_that_the_data_hardly_know_do_not_give_way():
    assert TEACHERS >= LEAST_LEVELS
    assert not pulls_of(ready_for("gaussian"), sd=0.01).any
    small = TABLE[TABLE["pupil"] < LEAST_LEVELS - 1]
    ready = prepare(make_spec("y ~ 1 + (1 | pupil) + (1 | school)", family="gaussian", link="identity"), small)
    assert not find_pulls(ready.design.groups, [np.ones(1)] * 2, np.ones(len(small)), 1.0).any


def test_no_entries_is_no_change():
    ready = ready_for("gaussian")
    n = PUPILS + SCHOOLS + TEACHERS
    empty = Pulls(np.zeros(n + 1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0))
    first, second = program_of(ready, None), program_of(ready, empty)
    x = 0.2 * np.random.default_rng(1).normal(size=first.layout.size)
    assert first(x)[0] == second(x)[0]
