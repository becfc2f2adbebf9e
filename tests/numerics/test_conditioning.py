"""Condition numbers against closed forms, and the columns that they name."""

import numpy as np
import pytest

from bayesglmm.numerics.conditioning import condition
from tests.tolerances import ALGEBRAIC


def two_columns(correlation, n=400):
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, 2))]))[0][:, 1:]
    return np.column_stack([basis[:, 0], correlation * basis[:, 0] + np.sqrt(1.0 - correlation**2) * basis[:, 1]])


@pytest.mark.parametrize("r", [0.0, 0.5, 0.99, -0.999])
def test_two_columns_have_a_closed_form(r):
    """Singular values of two unit columns with correlation r: sqrt(1 + |r|) and sqrt(1 - |r|)."""
    found = condition(two_columns(r), center=True)
    assert found.number == pytest.approx(np.sqrt((1.0 + abs(r)) / (1.0 - abs(r))), rel=1e-6)
    # each of two columns has the same share: 1/(1-r) of 1/(1-r) + 1/(1+r) in squares of singular values
    if r:
        np.testing.assert_allclose(found.shares, (1.0 + abs(r)) / 2.0, rtol=1e-6)


def test_units_do_not_matter():
    X = two_columns(0.9)
    assert condition(X * [1e6, 1e-4], center=True).number == pytest.approx(condition(X, center=True).number, rel=1e-8)


def test_the_columns_behind_it_are_named():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 4))
    X[:, 3] = X[:, 0] - X[:, 2] + 1e-3 * rng.normal(size=200)
    found = condition(X, center=True)
    assert found.number > 100.0
    assert (found.shares > 0.5).tolist() == [True, False, True, True]


def test_centering_takes_the_mean_out():
    x = np.linspace(2000.0, 2010.0, 50)
    X = np.column_stack([x, np.resize([0.0, 1.0], 50)])
    assert condition(X + 1e5, center=False).number > 1e3
    assert condition(X + 1e5, center=True).number == pytest.approx(condition(X, center=True).number, rel=1e-6)


def test_one_column_is_fine():
    assert condition(np.ones((5, 1)), center=False).number == 1.0


def test_dependent_columns_are_infinitely_ill():
    x = np.array([1.0, 2.0, 4.0])
    assert condition(np.column_stack([x, x]), center=False).number > 1.0 / ALGEBRAIC
