"""What is particular to the Gaussian family."""

import numpy as np
import pytest

from bayesglmm.errors import ArgumentError, ResponseError
from bayesglmm.families.gaussian import Gaussian
from bayesglmm.numerics.links import LINKS
from tests.tolerances import ALGEBRAIC

GAUSSIAN = Gaussian()
IDENTITY, LOG = LINKS["identity"], LINKS["log"]


def test_known_standard_errors_are_a_sigma_per_row():
    se = np.array([0.1, 1.0, 3.0])
    found = GAUSSIAN.log_prob(np.zeros(3), np.zeros(3), IDENTITY, sigma=se)
    np.testing.assert_allclose(found, -np.log(se) - 0.5 * np.log(2 * np.pi), rtol=ALGEBRAIC)


def test_draws_of_sigma_broadcast_with_rows():
    sigma = np.array([[1.0], [2.0]])
    assert GAUSSIAN.log_prob(np.zeros(3), np.zeros((2, 3)), IDENTITY, sigma=sigma).shape == (2, 3)
    np.testing.assert_array_equal(GAUSSIAN.variance(np.zeros((2, 3)), sigma=sigma), [[1.0] * 3, [4.0] * 3])
    assert GAUSSIAN.sample(np.random.default_rng(0), np.zeros(3), IDENTITY, sigma=sigma).shape == (2, 3)


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan])
def test_a_sigma_that_is_not_positive_has_no_density(sigma):
    with pytest.raises(ArgumentError, match="sigma"):
        GAUSSIAN.log_prob(np.zeros(2), np.zeros(2), IDENTITY, sigma=np.array([1.0, sigma]))


def test_the_scale_of_the_predictor():
    """sd(y) under identity; sd(log y) under log when all y are positive; otherwise 1."""
    y = np.array([1.0, np.e, np.e**2])
    np.testing.assert_allclose(GAUSSIAN.response_scale(y, "identity"), np.std(y, ddof=1), rtol=ALGEBRAIC)
    np.testing.assert_allclose(GAUSSIAN.response_scale(y, "log"), 1.0, rtol=ALGEBRAIC)
    np.testing.assert_allclose(GAUSSIAN.response_scale(y**3, "log"), 3.0, rtol=ALGEBRAIC)
    assert GAUSSIAN.response_scale(np.array([-1.0, 5.0, 9.0]), "log") == 1.0
    assert GAUSSIAN.response_scale(np.full(5, 3.0), "identity") == 1.0


def test_the_center_is_the_mean_on_the_link_scale():
    y = np.array([1.0, 2.0, 6.0])
    assert GAUSSIAN.response_center(y, IDENTITY) == 3.0
    np.testing.assert_allclose(GAUSSIAN.response_center(y, LOG), np.log(3.0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(GAUSSIAN.response_center(y, IDENTITY, weights=np.array([2.0, 1.0, 0.0])), 4.0 / 3.0, rtol=ALGEBRAIC)


def test_a_negative_mean_response_under_the_log_link_is_refused():
    with pytest.raises(ResponseError, match="log link"):
        GAUSSIAN.response_center(np.array([-3.0, 1.0]), LOG)
