"""Effects drawn after quadrature: against their exact conditional distribution, the same for the same seed."""

import numpy as np
import pytest
from scipy import stats

from tests.kernel.test_quadrature import FORMULAS, factor_of, log_joint, points, program_of
from tests.tolerances import ALGEBRAIC

DRAWS = 4000
ALARM = 1e-5
"""Each case tests at most 12 distributions with the test of Kolmogorov and Smirnov."""

CASES = ["logit, intercept", "logit, slope", "probit, intercept", "cloglog, slope", "loglog, intercept", "cauchit, intercept"]
CASES += ["cauchit, slope", "binomial logit", "binomial cauchit", "poisson, intercept", "poisson, slope", "poisson, weights"]
TWO = ["logit, correlated", "logit, two terms", "probit, independent", "poisson, correlated", "poisson, covariates of groups"]


def drawn(program, x, seed=11, count=DRAWS):
    return program.derive(np.tile(x, (2, count // 2, 1)), seed, effects=np.float64)


def distribution(grid, density):
    cumulative = np.cumsum(density) / density.sum()
    # the trapezoid rule's half cells: without them the distribution is off by half a density
    return lambda v: np.interp(v, grid + 0.5 * (grid[1] - grid[0]), cumulative)


@pytest.mark.parametrize("sd", [0.3, 3.0])
@pytest.mark.parametrize("case", CASES)
def test_one_effect_follows_its_exact_conditional_distribution(case, sd):
    ready, program = program_of(*FORMULAS[case])
    x = points(program, 1)[0]
    x[-1] = np.log(sd)
    b = drawn(program, x).blocks[0].effects.reshape(DRAWS, -1)
    grid = np.linspace(-9, 9, 40_001)
    for j in range(b.shape[1]):
        values = log_joint(ready, program, x, j)(grid[:, None])
        exact = distribution(grid, np.exp(values - values.max()))
        assert stats.kstest(b[:, j] / sd, exact).pvalue > ALARM


@pytest.mark.parametrize("case", TWO)
def test_two_effects_follow_their_exact_conditional_distribution(case):
    """Both coordinates, and a slanted combination, which their dependence decides."""
    ready, program = program_of(*FORMULAS[case])
    x = points(program, 1)[0]
    A, blocks = factor_of(program, x), drawn(program, x).blocks
    b = np.concatenate([block.effects for block in blocks], axis=-1).reshape(DRAWS, -1, 2)
    e = np.linalg.solve(A, b[..., None])[..., 0]
    grid = np.linspace(-7, 7, 561)
    for j in range(b.shape[1]):
        value = log_joint(ready, program, x, j)
        for turn in (np.eye(2), np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)):
            u = e[:, j] @ turn
            values = value(np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1) @ turn.T)
            top = values.max()
            for k in range(2):
                assert stats.kstest(u[:, k], distribution(grid, np.exp(values - top).sum(axis=1 - k))).pvalue > ALARM


@pytest.mark.parametrize("case", ["logit, intercept", "logit, correlated"])
def test_the_same_seed_gives_the_same_draws_and_another_one_others(case):
    _, program = program_of(*FORMULAS[case])
    x = points(program, 1)[0]
    first, second, other = (drawn(program, x, seed, 20).blocks[0].effects for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, second)
    assert not np.any(first == other)
    assert not np.any(first[0] == first[1])  # chains have streams of their own


def test_parameters_come_back_with_the_effects_or_without():
    _, program = program_of(*FORMULAS["logit, two terms"])
    x = points(program, 1)[0]
    full, without = (program.derive(x[None, None], 1, effects=kind) for kind in (np.float32, None))
    assert full.blocks[0].effects.dtype == np.float32
    assert [block.effects for block in without.blocks] == [None, None]
    assert [block.sd.shape for block in without.blocks] == [(1, 1, 1), (1, 1, 1)]
    p = program.internal.X.shape[1]
    np.testing.assert_allclose([block.sd.item() for block in full.blocks], np.exp(x[p : p + 2]), rtol=ALGEBRAIC)
    # beta on the user's scale gives the internal columns' predictor
    X = program.internal.X @ np.linalg.inv(program.internal.basis) + program.internal.means
    np.testing.assert_allclose(X @ full.beta[0, 0], program.internal.X @ x[:p], rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_correlations_are_those_of_the_factor():
    _, program = program_of(*FORMULAS["logit, correlated"])
    x = points(program, 1)[0]
    block = program.derive(x[None, None], 1, effects=None).blocks[0]
    covariance = factor_of(program, x) @ factor_of(program, x).T
    outer = block.sd[0, 0][:, None] * block.sd[0, 0]
    np.testing.assert_allclose(block.correlation[0, 0] * outer, covariance, rtol=ALGEBRAIC)
