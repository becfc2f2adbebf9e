"""Importance weights: effective size, tail, and choice by weight."""

import numpy as np
import pytest
from arviz_stats.base import array_stats

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.importance import effective_size, log_mean, pareto_shape, systematic_choice
from tests.tolerances import ALGEBRAIC, REFERENCE


def test_effective_size_is_between_one_and_all():
    assert effective_size(np.full(50, -1e4)) == pytest.approx(50.0, rel=ALGEBRAIC)
    assert effective_size(np.array([0.0, -np.inf, -np.inf])) == 1.0
    assert effective_size(np.log([1.0, 2.0, 3.0])) == pytest.approx(36 / 14, rel=ALGEBRAIC)


def test_log_mean_does_not_overflow():
    assert log_mean(np.array([1000.0, 1000.0 + np.log(3.0)])) == pytest.approx(1000.0 + np.log(2.0), rel=ALGEBRAIC)


@pytest.mark.parametrize("k", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("size", [30, 400, 5000])
def test_shape_is_that_of_arviz(k, size):
    """ArviZ takes the logarithms of inverse weights, as in leave-one-out."""
    log_weights = k * np.random.default_rng(size).exponential(size=size)
    assert pareto_shape(log_weights) == pytest.approx(float(array_stats.psislw(-log_weights)[1]), rel=REFERENCE)


def test_shape_without_a_tail():
    assert pareto_shape(np.zeros(100)) == -np.inf
    assert pareto_shape(1e-14 * np.arange(100.0)) == -np.inf
    assert np.isnan(pareto_shape(np.arange(20.0)))


def test_one_weight_beside_which_the_others_vanish_is_a_heavy_tail():
    assert pareto_shape(-1000.0 * np.arange(100.0)) > 0.7
    assert pareto_shape(np.where(np.arange(100) == 3, 0.0, -np.inf)) > 0.7


def test_choice_is_in_proportion_to_weights():
    w = np.array([0.5, 0.0, 2.5, 1.0, 0.25, 0.75])
    with np.errstate(divide="ignore"):
        log_weights = np.log(w)
    total = np.zeros(6)
    for seed in range(400):
        counts = np.bincount(systematic_choice(np.random.default_rng(seed), log_weights, 10), minlength=6)
        assert np.all(np.abs(counts - 2.0 * w) < 1.0), "each as often as expected, up to one"
        total += counts
    assert total[1] == 0.0
    np.testing.assert_allclose(total / 400, 2.0 * w, atol=5.0 * 0.5 / np.sqrt(400))


def test_equal_weights_choose_everyone_once():
    np.testing.assert_array_equal(systematic_choice(np.random.default_rng(1), np.full(1000, -3.0), 1000), np.arange(1000))


@pytest.mark.parametrize("bad", [[-np.inf, -np.inf], [0.0, np.nan], [np.inf, 0.0], []])
def test_weights_that_are_none_are_refused(bad):
    for function in (effective_size, pareto_shape, lambda w: systematic_choice(np.random.default_rng(1), w, 3)):
        with pytest.raises(ArgumentError, match=rf"importance weights.*{len(bad)} weights.*What to do"):
            function(np.array(bad))
