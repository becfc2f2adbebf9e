"""Effects given data: against dense normal formulas, quadrature, and each other."""

import numpy as np
import pytest
from scipy import special, stats

from bayesglmm.families.registry import get_family
from bayesglmm.numerics.conditional import NormalLaw, effect_root, laplace, normal_draws, normal_posterior, propose
from bayesglmm.numerics.importance import log_mean
from bayesglmm.numerics.links import get_link
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

S, N, Q = 5, 7, 2
DIFFERENCES = 1e-5  # slopes and curvatures are central differences with a step of 1e-3


def problem(seed: int = 1, n_draws: int = S, q: int = Q):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=(n_draws, N)), rng.normal(size=(n_draws, N, q))


@pytest.mark.parametrize("rho", [-1.0, 0.0, 0.6, 1.0])
def test_root_of_a_covariance(rho):
    sd = np.array([[1.0, 2.0], [0.0, 3.0]])
    corr = np.broadcast_to(np.array([[1.0, rho], [rho, 1.0]]), (2, 2, 2))
    R = effect_root(sd, corr)
    np.testing.assert_allclose(R @ np.swapaxes(R, 1, 2), sd[:, :, None] * corr * sd[:, None], rtol=ALGEBRAIC, atol=1e-14)
    np.testing.assert_allclose(effect_root(sd, None), sd[:, :, None] * np.eye(2), rtol=ALGEBRAIC)


def test_normal_posterior_is_the_conditional_law_of_the_joint_normal():
    rng, residual, A = problem()
    sigma = rng.uniform(0.5, 2.0, (S, 1))
    law, evidence = normal_posterior(residual, A, sigma, np.ones(N))
    for s in range(S):
        V = A[s] @ A[s].T + sigma[s] ** 2 * np.eye(N)
        assert evidence[s] == pytest.approx(stats.multivariate_normal(np.zeros(N), V).logpdf(residual[s]), rel=1e-9)
        np.testing.assert_allclose(law.location[s], A[s].T @ np.linalg.solve(V, residual[s]), rtol=1e-9)
        np.testing.assert_allclose(np.linalg.inv(law.precision[s]), np.eye(Q) - A[s].T @ np.linalg.solve(V, A[s]), rtol=1e-8, atol=1e-12)


def test_whole_weights_are_repeated_rows():
    _, residual, A = problem()
    times = np.array([1, 2, 3, 1, 1, 2, 1])
    repeat = np.repeat(np.arange(N), times)
    weighted = normal_posterior(residual, A, np.full((S, 1), 1.3), times.astype(float))
    repeated = normal_posterior(residual[:, repeat], A[:, repeat], np.full((S, 1), 1.3), np.ones(len(repeat)))
    np.testing.assert_allclose(weighted[0].location, repeated[0].location, rtol=1e-9)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-9)


def test_without_columns_nothing_is_learnt():
    _, residual, A = problem()
    law, evidence = normal_posterior(residual, 0.0 * A, np.ones((S, 1)), np.ones(N))
    np.testing.assert_array_equal(law.location, 0.0)
    np.testing.assert_allclose(law.precision, np.broadcast_to(np.eye(Q), (S, Q, Q)), rtol=ALGEBRAIC)
    np.testing.assert_allclose(evidence, stats.norm.logpdf(residual).sum(axis=1), rtol=ALGEBRAIC)


def test_laplace_of_normal_responses_is_exact():
    _, residual, A = problem()
    exact, evidence = normal_posterior(residual, A, np.full((S, 1), 0.7), np.ones(N))

    def density(eta):
        return stats.norm.logpdf(residual - eta, scale=0.7)

    law = laplace(density, np.zeros((S, N)), A)
    np.testing.assert_allclose(law.location, exact.location, rtol=DIFFERENCES, atol=DIFFERENCES)
    np.testing.assert_allclose(law.precision, exact.precision, rtol=DIFFERENCES, atol=DIFFERENCES)
    weights = propose(np.random.default_rng(3), exact, density, np.zeros((S, N)), A, size=20_000).log_weights
    error = np.std(np.exp(weights - evidence[:, None]), axis=1) / np.sqrt(20_000)
    assert np.all(np.abs(np.exp(log_mean(weights) - evidence) - 1.0) < MCSE_MULTIPLE * error)


@pytest.mark.parametrize("scale", [1.0, 20.0, 300.0])
def test_the_mode_is_found_from_afar(scale):
    """Predictors far outside: the slope of the joint density is zero at the mode."""
    rng, eta0, A = problem()
    y = rng.integers(0, 2, N).astype(float)
    family, link = get_family("bernoulli"), get_link("logit")
    law = laplace(lambda eta: family.log_prob(y, eta, link), scale * eta0, A)
    eta = scale * eta0 + np.einsum("snq,sq->sn", A, law.location)
    slope = np.einsum("snq,sn->sq", A, y - special.expit(eta)) - law.location
    np.testing.assert_allclose(slope, 0.0, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "link"), [("bernoulli", "logit"), ("bernoulli", "cauchit"), ("poisson", "log"), ("bernoulli", "cloglog")]
)
def test_one_effect_against_quadrature(family, link):
    """Evidence, mean and second moment by the trapezoid rule on (-12, 12), 24,001 points: exact to rounding for smooth integrands."""
    rng, eta0, A = problem(seed=4, q=1)
    y = rng.integers(0, 2, N).astype(float) if family == "bernoulli" else rng.poisson(2.0, N).astype(float)
    record, function = get_family(family), get_link(link)

    def density(eta):
        return record.log_prob(y, eta, function)

    e, step = np.linspace(-12.0, 12.0, 24_001, retstep=True)
    size = 20_000
    found = propose(rng, laplace(density, eta0, A), density, eta0, A, size=size)
    for s in range(S):
        joint = np.exp(density(eta0[s] + e[:, None] * A[s, :, 0]).sum(axis=1) + stats.norm.logpdf(e))
        evidence = step * joint.sum()
        w = np.exp(found.log_weights[s]) / evidence
        for power in (0, 1, 2):
            wanted = step * (joint * e**power).sum() / evidence
            value = w * found.effects[s, :, 0] ** power
            assert abs(value.mean() - wanted) < MCSE_MULTIPLE * value.std() / np.sqrt(size)
        assert 1.0 / np.mean(w**2) > 0.5, "the proposal is close to the posterior"


def test_two_effects_against_a_grid():
    rng, eta0, A = problem(seed=5, n_draws=1)
    y = rng.integers(0, 2, N).astype(float)
    family, link = get_family("bernoulli"), get_link("logit")

    def density(eta):
        return family.log_prob(y, eta, link)

    axis, step = np.linspace(-8.0, 8.0, 401, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    joint = np.exp(density(eta0[0] + grid @ A[0].T).sum(axis=1) + stats.norm.logpdf(grid).sum(axis=1))
    found = propose(rng, laplace(density, eta0, A), density, eta0, A, size=40_000)
    w = np.exp(found.log_weights[0])
    assert abs(w.mean() - step**2 * joint.sum()) < MCSE_MULTIPLE * w.std() / 200.0
    cross = w * found.effects[0, :, 0] * found.effects[0, :, 1]
    assert abs(cross.mean() - step**2 * (joint * grid[:, 0] * grid[:, 1]).sum()) < MCSE_MULTIPLE * cross.std() / 200.0


def test_a_draw_under_which_the_data_cannot_be_has_no_weight():
    _, eta0, A = problem()

    def density(eta):
        return np.where(np.arange(S)[:, None] == 2, -np.inf, -0.5 * np.square(eta))

    law = laplace(density, eta0, A)
    weights = propose(np.random.default_rng(1), law, density, eta0, A).log_weights
    assert np.all(weights[2] == -np.inf)
    assert np.isfinite(np.delete(weights, 2, axis=0)).all()


def test_draws_have_the_law():
    """Mean and covariance of 20,000 draws within five standard errors."""
    precision = np.array([[2.0, 0.5], [0.5, 1.0]])
    n = 20_000
    law = NormalLaw(np.tile([1.0, -2.0], (n, 1)), np.broadcast_to(precision, (n, 2, 2)))
    x = normal_draws(np.random.default_rng(2), law) - [1.0, -2.0]
    V = np.linalg.inv(precision)
    error = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / n)
    assert np.all(np.abs(x.T @ x / n - V) < MCSE_MULTIPLE * error)
    assert np.all(np.abs(x.mean(axis=0)) < MCSE_MULTIPLE * np.sqrt(np.diag(V) / n))
