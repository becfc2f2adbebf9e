"""Implied covariance matrices: definition, shape, and what they must be for any draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.implied import add_to_diagonal, correlation_of, shared_covariance
from tests.tolerances import ALGEBRAIC


def test_it_is_z_d_z_transposed():
    rng = np.random.default_rng(1)
    z, sd, rho = np.column_stack([np.ones(4), [0.0, 1.0, 2.5, 6.0]]), rng.uniform(0.5, 2.0, (3, 2)), np.array([-0.4, 0.0, 0.8])
    corr = np.array([[[1.0, r], [r, 1.0]] for r in rho])
    found = shared_covariance(z, sd, corr)
    for k in range(3):
        D = np.array([[sd[k, 0] ** 2, rho[k] * sd[k, 0] * sd[k, 1]], [rho[k] * sd[k, 0] * sd[k, 1], sd[k, 1] ** 2]])
        np.testing.assert_allclose(found[k], [[a @ D @ b for b in z] for a in z], rtol=ALGEBRAIC)
    np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))


def test_without_correlation_it_is_the_identity_s():
    z, sd = np.array([[1.0, -1.0], [1.0, 3.0]]), np.array([[2.0, 0.5]])
    np.testing.assert_array_equal(shared_covariance(z, sd, None), shared_covariance(z, sd, np.eye(2)[None]))


@given(rho=st.floats(-0.999, 0.999), sd=st.tuples(st.floats(0.01, 50.0), st.floats(0.0, 5.0)), sigma=st.floats(0.05, 10.0))
def test_correlations_are_correlations_and_v_is_positive_definite(rho, sd, sigma):
    z = np.column_stack([np.ones(5), np.arange(5.0)])
    V = add_to_diagonal(shared_covariance(z, np.array(sd), np.array([[1.0, rho], [rho, 1.0]])), np.array([sigma**2]))
    R = correlation_of(V)
    assert np.all(np.abs(R) <= 1.0)
    np.testing.assert_array_equal(np.diag(R), 1.0)
    assert np.linalg.eigvalsh(V).min() >= sigma**2 - 1e-10 * np.trace(V)  # rounding of the decomposition


def test_random_intercepts_are_compound_symmetry():
    V = add_to_diagonal(shared_covariance(np.ones((3, 1)), np.array([[2.0]]), None), np.array([[1.5**2]]))
    np.testing.assert_allclose(correlation_of(V)[0], np.where(np.eye(3), 1.0, 4.0 / (4.0 + 2.25)), rtol=ALGEBRAIC)


def test_a_variance_per_row_goes_to_its_place():
    np.testing.assert_array_equal(add_to_diagonal(np.zeros((1, 2, 2)), np.array([[1.0, 3.0]]))[0], [[1.0, 0.0], [0.0, 3.0]])


def test_the_diagonal_is_changed_in_place():
    V = np.zeros((2, 3, 3))
    assert add_to_diagonal(V, np.array([[2.0], [3.0]])) is V
    np.testing.assert_array_equal(V, np.array([2.0, 3.0])[:, None, None] * np.eye(3))


def test_what_is_no_covariance_is_refused():
    with pytest.raises(ArgumentError, match=r"do not go with.*What to do"):
        shared_covariance(np.ones((3, 2)), np.ones((1, 1)), None)
    with pytest.raises(ArgumentError, match=r"not positive and finite.*What to do"):
        correlation_of(np.zeros((2, 2)))
    with pytest.raises(ArgumentError, match=r"not positive and finite.*What to do"):
        correlation_of(np.full((1, 1), np.nan))
