"""Statistics of data sets and of groups of rows, against pandas."""

import numpy as np
import pandas as pd

from bayesglmm.numerics.group_statistics import data_statistics, group_means, group_sds, group_zeros, shares_up_to, value_counts
from tests.tolerances import ALGEBRAIC

SIZES = np.array([3, 2, 5, 4])
Y = np.random.default_rng(1).poisson(1.2, (6, 14)).astype(float)
GROUP = np.repeat(np.arange(4), SIZES)


def test_groups_are_those_of_pandas():
    table = pd.DataFrame(Y.T).groupby(GROUP)
    np.testing.assert_allclose(group_means(Y, SIZES), table.mean().to_numpy().T, rtol=ALGEBRAIC)
    np.testing.assert_allclose(group_sds(Y, SIZES), table.std().to_numpy().T, rtol=ALGEBRAIC)
    np.testing.assert_allclose(group_zeros(Y, SIZES), pd.DataFrame(Y.T == 0).groupby(GROUP).mean().to_numpy().T, rtol=ALGEBRAIC)


def test_whole_data_sets():
    found = data_statistics(Y)
    assert list(found) == ["mean", "sd", "min", "max", "zeros"]
    table = pd.DataFrame(Y.T)
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(found[name.replace("std", "sd")], getattr(table, name)(), rtol=ALGEBRAIC)
    np.testing.assert_allclose(found["zeros"], (table == 0).mean(), rtol=ALGEBRAIC)
    assert data_statistics(np.ones((2, 1)))["sd"].tolist() == [0.0, 0.0]


def test_values_are_counted_and_the_rest_is_above():
    found = value_counts(np.array([[0.0, 2.0, 2.0, 7.0, np.inf], [1.0, 1.0, 1.0, 3.0, 4.0]]), 3)
    np.testing.assert_array_equal(found, [[1, 0, 2, 0, 2], [0, 3, 0, 1, 1]])


def test_distribution_functions_count_ties_as_below():
    found = shares_up_to(np.array([[1.0, 2.0, 2.0, 9.0]]), np.array([0.0, 1.0, 2.0, 5.0]))
    np.testing.assert_allclose(found, [[0.0, 0.25, 0.75, 0.75]])
