"""Draws of what a Gaussian model integrated out: against the exact joint conditional distribution."""

import numpy as np
import pytest

from bayesglmm.kernel.codes import NONE, SD_START, WIDTH
from tests.kernel.gaussian_dense import Reference, made, points
from tests.tolerances import MCSE_MULTIPLE, TWO_FORMS

DRAWN = [
    "slope",
    "nested three deep",
    "nested and crossed",
    "known errors, weights, crossed",
    "normal intercept",
    "normal intercept at zero",
]


@pytest.mark.parametrize("case", [*DRAWN, "no fixed effects", "one slope not normal", "no random effects"])
def test_draws_follow_their_exact_joint_conditional_distribution(case):
    ready, program = made(case)
    x, n = points(program, 1, seed=5)[0], 40_000
    derived = program.derive(np.tile(x, (2, n // 2, 1)), 3, effects=np.float64)
    reference = Reference(ready, program, x)
    beta = derived.beta.reshape(n, -1).copy()
    if program.internal.intercept != NONE and ready.spec.center:
        means = ready.design.X.mean(axis=0)
        means[program.internal.intercept] = 0.0
        beta[:, program.internal.intercept] += beta @ means
    np.testing.assert_allclose(beta[:, program.sampled], np.broadcast_to(reference.coefficients, (n, len(program.sampled))), rtol=TWO_FORMS)
    effects = [b.effects.reshape(n, -1) for b in derived.blocks]
    drawn = np.concatenate([*effects, beta[:, reference.integrated]], axis=1)
    mean, V = reference.conditional()
    # standard errors of means and covariances of n normal draws
    assert np.all(np.abs(drawn.mean(axis=0) - mean) <= MCSE_MULTIPLE * np.sqrt(np.diag(V) / n))
    error = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / n)
    assert np.all(np.abs(np.cov(drawn.T).reshape(V.shape) - V) <= MCSE_MULTIPLE * error)


def test_draws_hold_the_parameters_of_their_points():
    ready, program = made("nested and crossed")
    flat = np.stack(points(program, 4)).reshape(2, 2, -1)
    derived = program.derive(flat, 1, effects=np.float64)
    for chain in range(2):
        for draw in range(2):
            reference = Reference(ready, program, flat[chain, draw])
            np.testing.assert_allclose(derived.auxiliary[chain, draw], reference.sigma, rtol=TWO_FORMS)
            for block, row, L in zip(derived.blocks, program.arrays.blocks, reference.L, strict=True):
                sd = reference.theta[row[SD_START] : row[SD_START] + row[WIDTH]]
                np.testing.assert_allclose(block.sd[chain, draw], sd, rtol=TWO_FORMS)
                np.testing.assert_allclose(block.correlation[chain, draw], L @ L.T, atol=TWO_FORMS)
    assert [b.effects.shape for b in derived.blocks] == [(2, 2, len(g.levels), len(g.labels)) for g in ready.design.groups]


def test_draws_repeat_with_their_seed_and_differ_between_chains(monkeypatch):
    _, program = made("nested and crossed")
    flat = np.tile(points(program, 1)[0], (3, 50, 1))
    first, second, other = (program.derive(flat, seed, effects=np.float64) for seed in (8, 8, 9))
    np.testing.assert_array_equal(first.beta, second.beta)
    for a, b, c in zip(first.blocks, second.blocks, other.blocks, strict=True):
        np.testing.assert_array_equal(a.effects, b.effects)
        assert not np.any(a.effects == c.effects)
        assert not np.any(a.effects[0] == a.effects[1])
    # neither the number of threads nor the other chains matter
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    np.testing.assert_array_equal(program.derive(flat, 8, effects=np.float64).beta, first.beta)
    np.testing.assert_array_equal(program.derive(flat[:1], 8, effects=np.float64).beta[0], first.beta[0])


def test_draws_are_kept_as_they_are_asked_for(monkeypatch):
    _, program = made("three deep and crossed")
    flat = np.stack(points(program, 4)).reshape(2, 2, -1)
    single = program.derive(flat, 1, effects=np.float32)
    double, none = program.derive(flat, 1, effects=np.float64), program.derive(flat, 1, effects=None)
    for a, b, c in zip(single.blocks, double.blocks, none.blocks, strict=True):
        assert a.effects.dtype == np.float32
        np.testing.assert_array_equal(a.effects, b.effects.astype(np.float32))
        assert c.effects is None
    assert none.beta.shape == double.beta.shape
    monkeypatch.setattr("bayesglmm.kernel.gaussian_draws.SCRATCH", 1)
    assert program.derive(flat, 1, effects=np.float64).blocks[0].effects.shape == double.blocks[0].effects.shape
