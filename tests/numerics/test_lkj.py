"""The LKJ distribution: its constant against integrals, its draws against marginal and joint facts."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.covariance import correlation_from_cholesky
from bayesglmm.numerics.lkj import lkj_factors, lkj_log_density
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, REFERENCE, TWO_FORMS

SHAPES = [(2, 0.7), (2, 2.0), (3, 1.0), (3, 2.5), (4, 0.6), (5, 3.0)]
LEVEL = 0.001 / sum(q * (q - 1) // 2 for q, _ in SHAPES)
"""Of each Kolmogorov test: one false alarm in a thousand seeds over all of them."""


def log_constant(q, eta):
    return float(lkj_log_density(np.eye(q), eta))


def vine_constant(q, eta):
    """Equation (16) of Lewandowski, Kurowicka and Joe (2009), written from there."""
    k = np.arange(1, q)
    shape = eta + 0.5 * (q - 1 - k)
    return -float(np.sum((q - k) * ((2 * eta - 2 + q - k) * np.log(2.0) + special.betaln(shape, shape))))


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0, 3.7])
def test_two_effects_integrate_to_one(eta):
    def density(r):
        return np.exp(lkj_log_density(np.array([[1.0, r], [r, 1.0]]), eta))

    assert integrate.quad(density, -1.0, 1.0)[0] == pytest.approx(1.0, rel=REFERENCE)


@pytest.mark.parametrize("eta", [0.8, 1.0, 2.5])
def test_three_effects_integrate_to_one(eta):
    """The third correlation given the others is integrated in closed form: c - ab = t sqrt((1 - a^2) (1 - b^2)), t in (-1, 1)."""
    inner = integrate.quad(lambda t: (1 - t * t) ** (eta - 1), -1, 1)[0]
    outer = integrate.quad(lambda a: (1 - a * a) ** (eta - 0.5), -1, 1)[0]
    assert log_constant(3, eta) == pytest.approx(-np.log(inner * outer**2), rel=REFERENCE)


@pytest.mark.parametrize(("q", "eta"), SHAPES)
def test_the_constant_is_that_of_the_vine(q, eta):
    assert log_constant(q, eta) == pytest.approx(vine_constant(q, eta), rel=ALGEBRAIC)


def test_densities_differ_by_their_determinants():
    L = lkj_factors(np.random.default_rng(1), 1.5, 4, 6).reshape(2, 3, 4, 4)
    R = correlation_from_cholesky(L)
    found = lkj_log_density(R, 2.5)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found - log_constant(4, 2.5), 1.5 * np.linalg.slogdet(R)[1], rtol=TWO_FORMS)


def test_what_is_no_correlation_matrix_has_density_zero():
    bad = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert lkj_log_density(bad, 1.0) == -np.inf
    assert lkj_log_density(np.ones((2, 2)) * [[1.0, 1.1], [1.1, 1.0]], 2.0) == -np.inf
    assert log_constant(1, 2.0) == 0.0


@pytest.mark.parametrize(("q", "eta"), SHAPES)
def test_every_correlation_has_its_beta_law(q, eta):
    R = correlation_from_cholesky(lkj_factors(np.random.default_rng(11), eta, q, 4000))
    shape = eta - 1 + q / 2
    for i, j in zip(*np.tril_indices(q, -1), strict=True):
        assert stats.kstest((R[:, i, j] + 1) / 2, stats.beta(shape, shape).cdf).pvalue > LEVEL


def test_three_correlations_together():
    """E(abc) under eta = 3 against matrices drawn uniformly, weighted by det^2: a joint moment that the marginals do not fix."""
    rng = np.random.default_rng(5)
    r = rng.uniform(-1, 1, (100_000, 3))
    determinant = np.maximum(1 + 2 * r.prod(axis=1) - np.square(r).sum(axis=1), 0.0)
    weight = determinant**2 / np.mean(determinant**2)
    expected = np.mean(weight * r.prod(axis=1))
    error = np.std(weight * (r.prod(axis=1) - expected)) / np.sqrt(len(r))
    R = correlation_from_cholesky(lkj_factors(rng, 3.0, 3, 50_000))
    found = R[:, 1, 0] * R[:, 2, 0] * R[:, 2, 1]
    assert found.mean() > MCSE_MULTIPLE * found.std() / np.sqrt(len(found))  # it is not zero, so that the comparison can fail
    assert abs(found.mean() - expected) < MCSE_MULTIPLE * np.hypot(error, found.std() / np.sqrt(len(found)))


def test_factors_are_lower_triangles_with_rows_of_length_one():
    L = lkj_factors(np.random.default_rng(2), 2.0, 4, 50)
    np.testing.assert_array_equal(L, np.tril(L))
    np.testing.assert_allclose(np.linalg.norm(L, axis=-1), 1.0, rtol=ALGEBRAIC)
    np.testing.assert_array_equal(lkj_factors(np.random.default_rng(2), 2.0, 1, 3), np.ones((3, 1, 1)))


def test_impossible_requests_are_refused():
    with pytest.raises(ArgumentError, match="eta"):
        lkj_factors(np.random.default_rng(1), 0.0, 2, 3)
    with pytest.raises(ArgumentError, match="eta"):
        lkj_log_density(np.eye(2), float("nan"))
    with pytest.raises(ArgumentError, match="square"):
        lkj_log_density(np.ones((2, 3)), 1.0)
