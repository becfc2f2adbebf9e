"""Smoothed importance weights: those of ArviZ, and what they are for."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayesglmm.numerics.importance import pareto_shape
from bayesglmm.numerics.pareto_smoothing import smoothed_weights
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, REFERENCE


@pytest.mark.parametrize("size", [30, 400, 2000])
def test_weights_and_shapes_are_those_of_arviz(size):
    """ArviZ takes the logarithms of inverse weights, one target at a time."""
    log_weights = np.random.default_rng(size).exponential(size=(size, 4)) * np.array([0.1, 0.4, 0.7, 1.1])
    found = smoothed_weights(log_weights)
    for column in range(4):
        log_expected, shape = array_stats.psislw(-log_weights[:, column])
        np.testing.assert_allclose(found.weights[:, column], np.exp(log_expected), rtol=REFERENCE)
        assert found.shapes[column] == pytest.approx(float(shape), rel=REFERENCE)
        assert found.shapes[column] == pytest.approx(pareto_shape(log_weights[:, column]), rel=ALGEBRAIC)


def test_equal_weights_stay_equal_beside_targets_with_a_tail():
    log_weights = np.stack([np.zeros(100), np.random.default_rng(1).exponential(size=100)], axis=1)
    found = smoothed_weights(log_weights)
    np.testing.assert_allclose(found.weights[:, 0], 0.01, rtol=ALGEBRAIC)
    assert found.shapes[0] == -np.inf
    assert np.isfinite(found.shapes[1])
    np.testing.assert_allclose(found.weights.sum(axis=0), 1.0, rtol=ALGEBRAIC)


def test_few_weights_are_left_as_they_are():
    log_weights = np.arange(20.0)[:, None]
    found = smoothed_weights(log_weights)
    np.testing.assert_allclose(found.weights[:, 0], np.exp(log_weights[:, 0]) / np.exp(log_weights).sum(), rtol=ALGEBRAIC)
    assert np.isnan(found.shapes[0])


def test_impossible_draws_have_no_weight():
    log_weights = np.where(np.arange(100)[:, None] < 50, -np.inf, np.random.default_rng(2).normal(size=(100, 1)))
    assert np.all(smoothed_weights(log_weights).weights[:50] == 0.0)


def test_leaving_a_value_out_of_a_normal_mean():
    """Draws of a mean given five values, weighted by 1 / N(y; mean, 1): the mean of the other four, over 2,000 repetitions."""
    rng, y = np.random.default_rng(3), np.array([0.4, -1.0, 0.3, 1.4, -0.2])
    draws = rng.normal(y.mean(), np.sqrt(1 / 5), (400, 2000))
    found = smoothed_weights(0.5 * np.square(y[0] - draws))
    estimates = np.sum(found.weights * draws, axis=0)
    bias = estimates.mean() - y[1:].mean()
    assert abs(bias) < MCSE_MULTIPLE * estimates.std() / np.sqrt(2000) + 0.02 * np.sqrt(1 / 4)  # smoothing has a small bias of its own
    assert abs(y.mean() - y[1:].mean()) > 0.02 * np.sqrt(1 / 4) + MCSE_MULTIPLE * estimates.std() / np.sqrt(2000)  # so this shows
