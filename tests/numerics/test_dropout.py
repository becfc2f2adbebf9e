"""Drop-out is monotone and depends on the last observed response only."""

import numpy as np
from scipy import special

from bayesglmm.numerics.dropout import leaving_probability, observed_visits


def test_everybody_is_there_first_and_nobody_comes_back():
    rng = np.random.default_rng(1)
    seen = observed_visits(rng.random((500, 6)), rng.random((500, 6)))
    assert seen[:, 0].all()
    assert np.all(seen[:, 1:] <= seen[:, :-1])
    assert 0.0 < seen.mean() < 1.0


def test_certain_chances():
    uniforms = np.random.default_rng(2).random((4, 3))
    assert observed_visits(np.zeros((4, 3)), uniforms).all()
    np.testing.assert_array_equal(observed_visits(np.ones((4, 3)), uniforms).sum(axis=1), 1)


def test_what_is_not_observed_plays_no_part():
    rng = np.random.default_rng(3)
    y, uniforms = rng.normal(size=(300, 5)), rng.random((300, 5))
    seen = observed_visits(leaving_probability(y, -1.0, 1.0), uniforms)
    other = np.where(seen, y, rng.normal(10.0, 50.0, y.shape))
    np.testing.assert_array_equal(observed_visits(leaving_probability(other, -1.0, 1.0), uniforms), seen)


def test_a_response_decides_on_the_next_visit_only():
    rng = np.random.default_rng(4)
    y, uniforms = rng.normal(size=(300, 5)), rng.random((300, 5))
    leaves = uniforms < leaving_probability(y, -1.0, 1.0)
    changed = y.copy()
    changed[:, 2] += 3.0
    again = uniforms < leaving_probability(changed, -1.0, 1.0)
    np.testing.assert_array_equal(np.delete(again, 2, axis=1), np.delete(leaves, 2, axis=1))
    assert (again[:, 2] != leaves[:, 2]).any()


def test_chance_is_logistic_in_the_response():
    np.testing.assert_allclose(leaving_probability(np.array([0.0, 1.0]), -3.0, 2.5), special.expit([-3.0, -0.5]))
