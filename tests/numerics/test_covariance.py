"""Covariance matrices and the variance they give to a predictor, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.covariance import (
    correlation_cholesky,
    correlation_from_cholesky,
    covariance_matrix,
    linear_predictor_variance,
)
from tests.tolerances import ALGEBRAIC


def random_correlations(rng: np.random.Generator, shape: tuple[int, ...], q: int) -> np.ndarray:
    factor = rng.normal(size=(*shape, q, q + 2))
    cov = factor @ np.swapaxes(factor, -1, -2)
    sd = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    return cov / (sd[..., :, None] * sd[..., None, :])


@given(q=st.integers(1, 4), seed=st.integers(0, 1000))
def test_the_predictor_variance_is_the_quadratic_form(q, seed):
    rng = np.random.default_rng(seed)
    z, sd, corr = rng.normal(size=(5, q)), rng.uniform(0.0, 3.0, (2, 3, q)), random_correlations(rng, (2, 3), q)
    found = linear_predictor_variance(z, sd, corr)
    D = np.array([[np.diag(sd[a, b]) @ corr[a, b] @ np.diag(sd[a, b]) for b in range(3)] for a in range(2)])
    expected = np.array([[[z[i] @ D[a, b] @ z[i] for i in range(5)] for b in range(3)] for a in range(2)])
    np.testing.assert_allclose(found, expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)
    np.testing.assert_allclose(covariance_matrix(sd, corr), D, rtol=ALGEBRAIC)


def test_without_correlation_variances_add():
    z, sd = np.array([[1.0, 2.0], [1.0, 0.0]]), np.array([[3.0, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(linear_predictor_variance(z, sd, None), [[10.0, 9.0], [4.0, 0.0]], rtol=ALGEBRAIC)
    np.testing.assert_allclose(
        linear_predictor_variance(z, sd, None), linear_predictor_variance(z, sd, np.broadcast_to(np.eye(2), (2, 2, 2))), rtol=ALGEBRAIC
    )


def test_random_intercepts_give_the_same_variance_to_every_row():
    np.testing.assert_array_equal(linear_predictor_variance(np.ones((3, 1)), np.array([[2.0]]), None), [[4.0, 4.0, 4.0]])


def test_a_variance_that_cancels_is_not_negative():
    """Correlation -1 and equal standard deviations: the sum of the two effects is constant."""
    corr = np.array([[1.0, -1.0], [-1.0, 1.0]])
    found = linear_predictor_variance(np.array([[1.0, 1.0], [0.1, 0.1]]), np.array([0.3, 0.3]), corr)
    assert (found >= 0.0).all()
    np.testing.assert_allclose(found, 0.0, atol=ALGEBRAIC)


@given(q=st.integers(1, 5), seed=st.integers(0, 1000))
def test_cholesky_and_back(q, seed):
    corr = random_correlations(np.random.default_rng(seed), (3,), q)
    L = correlation_cholesky(corr)
    np.testing.assert_allclose(L, np.tril(L), rtol=ALGEBRAIC)
    np.testing.assert_allclose(np.linalg.norm(L, axis=-1), 1.0, rtol=ALGEBRAIC)
    np.testing.assert_allclose(correlation_from_cholesky(L), corr, rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_the_factor_of_a_covariance_gives_the_same_correlation():
    rng = np.random.default_rng(8)
    corr, sd = random_correlations(rng, (), 3), np.array([0.2, 1.0, 40.0])
    found = correlation_from_cholesky(np.linalg.cholesky(covariance_matrix(sd, corr)))
    np.testing.assert_allclose(found, corr, rtol=ALGEBRAIC)
    np.testing.assert_array_equal(np.diag(found), 1.0)
    np.testing.assert_array_equal(found, found.T)


def test_what_is_no_correlation_matrix_is_refused():
    with pytest.raises(ArgumentError, match="positive definite"):
        correlation_cholesky(np.array([[1.0, 1.2], [1.2, 1.0]]))
    with pytest.raises(ArgumentError, match="diagonal"):
        correlation_cholesky(np.diag([1.0, 2.0]))


def test_columns_that_do_not_match_are_refused():
    with pytest.raises(ArgumentError, match="effect columns"):
        linear_predictor_variance(np.ones((4, 2)), np.ones((10, 3)), None)
