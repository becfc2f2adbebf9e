"""Transforms with a state: closed forms, and the same arithmetic for training rows and new rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayesglmm.design.transforms import LEARNERS, learn_bs, learn_center, learn_ns, learn_poly, learn_scale
from bayesglmm.errors import ArgumentError, DesignError
from tests.tolerances import ALGEBRAIC, REFERENCE

X = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_center_and_scale():
    np.testing.assert_allclose(learn_center(X).apply(X), [-2.0, -1.0, 0.0, 1.0, 2.0], rtol=ALGEBRAIC)
    scaled = learn_scale(X).apply(X)
    np.testing.assert_allclose(np.std(scaled, ddof=1), 1.0, rtol=ALGEBRAIC)
    np.testing.assert_allclose(learn_scale(X).apply(np.array([6.0])), 3.0 / np.sqrt(2.5), rtol=ALGEBRAIC)


def test_polynomials_are_the_orthogonal_contrasts_of_equally_spaced_points():
    """R: poly(1:5, 2); Fisher & Yates, table XXIII."""
    expected = np.column_stack([np.array([-2, -1, 0, 1, 2]) / np.sqrt(10.0), np.array([2, -1, -2, -1, 2]) / np.sqrt(14.0)])
    np.testing.assert_allclose(learn_poly(X, 2).apply(X), expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)
    np.testing.assert_allclose(learn_poly(X, 3, raw=True).apply(X), np.column_stack([X, X**2, X**3]), rtol=ALGEBRAIC)


@given(arrays(float, 30, elements=st.integers(-5000, 5000).map(lambda k: k / 100), unique=True), st.integers(1, 4))
def test_polynomials_are_orthonormal_and_sum_to_zero(x, degree):
    basis = np.column_stack([np.full(30, 1 / np.sqrt(30.0)), learn_poly(x, degree).apply(x)])
    # atol: the recurrence loses digits when a few points lie far from all others, which lie close together
    np.testing.assert_allclose(basis.T @ basis, np.eye(degree + 1), atol=REFERENCE)


def test_a_cubic_spline_without_knots_is_the_bernstein_basis():
    """On [0, 1]: 3x(1-x)^2, 3x^2(1-x), x^3; the first one, (1-x)^3, is left out."""
    x = np.linspace(0.0, 1.0, 11)
    expected = np.column_stack([3 * x * (1 - x) ** 2, 3 * x**2 * (1 - x), x**3])
    np.testing.assert_allclose(learn_bs(x, df=3).apply(x), expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_a_linear_spline_is_made_of_hats():
    """Degree 1, a knot at 3: hats with their peaks at 3 and 5."""
    expected = np.column_stack([[0.0, 0.5, 1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.5, 1.0]])
    np.testing.assert_allclose(learn_bs(X, knots=[3.0], degree=1).apply(X), expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@given(arrays(float, 40, elements=st.integers(-1000, 1000).map(lambda k: k / 100), unique=True), st.integers(4, 7))
def test_a_full_b_spline_basis_sums_to_one(x, df):
    spline = learn_bs(x, df=df, include_intercept=True)
    basis = spline.apply(x)
    assert basis.shape == (40, df)
    np.testing.assert_allclose(basis.sum(axis=1), 1.0, rtol=ALGEBRAIC)


def test_bounds_widen_the_domain():
    spline = learn_ns(X, df=2, lower_bound=0.0, upper_bound=10.0)
    assert spline.domain == (0.0, 10.0)
    assert np.isfinite(spline.apply(np.array([0.0, 10.0]))).all()
    assert learn_bs(X, df=4, upper_bound=6.0).domain == (1.0, 6.0)


@pytest.mark.parametrize("learned", [learn_poly(X, 2), learn_poly(X, 2, raw=True), learn_ns(X, df=3), learn_bs(X, df=4)])
def test_curves_go_on_smoothly_beyond_the_training_rows(learned):
    """The same polynomial piece goes on: values just outside are the tangent's, to second order in the step."""
    lower, upper = learned.domain
    assert (lower, upper) == (X.min(), X.max())
    for end in (lower, upper):
        inner, at, outer = learned.apply(end + np.sign(end - X.mean()) * np.array([-1e-4, 0.0, 1e-4]))
        np.testing.assert_allclose(outer - at, at - inner, atol=REFERENCE)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_learned_does_not_depend_on_the_new_rows(name):
    """A single row, coded alone, is coded as it was among all: equal up to the rounding of a matrix product of another shape."""
    x = np.random.default_rng(3).gamma(2.0, size=50)
    learned = LEARNERS[name](x)
    whole = learned.apply(x)
    np.testing.assert_array_equal(learned.apply(x), whole)
    np.testing.assert_allclose(learned.apply(x[7:8])[0], whole[7], rtol=ALGEBRAIC, atol=ALGEBRAIC)


@pytest.mark.parametrize(
    ("learn", "kind", "message"),
    [
        (lambda: learn_scale(np.ones(4)), DesignError, "constant"),
        (lambda: learn_poly(X, 5), DesignError, "more than 5 distinct"),
        (lambda: learn_poly(X, 1.5), ArgumentError, "whole number"),
        (lambda: learn_bs(X, df=2), ArgumentError, "at least 3"),
        (lambda: learn_bs(X, df=4, knots=[2.0]), ArgumentError, "not both"),
        (lambda: learn_bs(X, knots=[9.0]), DesignError, "knots 9"),
        (lambda: learn_bs(np.repeat([0.0, 1.0], 9), df=6), DesignError, "fewer df"),
        (lambda: learn_ns(np.ones(4), df=2), DesignError, "coincide"),
        (lambda: learn_ns(X, knots=[3.0, 2.0]), DesignError, "increase"),
    ],
)
def test_what_cannot_be_learned_says_why(learn, kind, message):
    with pytest.raises(kind, match=message):
        learn()
