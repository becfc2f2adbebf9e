"""Working correlations: solving equals dense algebra, estimates equal loops over pairs."""

import numpy as np
import pytest
from scipy import optimize

from bayesglmm.numerics.working import FORMS, Clusters
from tests.tolerances import ALGEBRAIC


def clusters_of(times: list[list[int]]) -> Clusters:
    sizes = [len(t) for t in times]
    code = np.repeat(np.arange(len(times)), sizes)
    return Clusters(code, np.concatenate(times).astype(np.int64), np.concatenate([[0], np.cumsum(sizes)]))


def dense(name: str, rho: float, times: np.ndarray) -> np.ndarray:
    lag = np.abs(times[:, None] - times[None, :])
    return {"independence": np.eye(len(times)), "exchangeable": np.where(lag == 0, 1.0, rho), "ar1": np.power(rho, lag, dtype=float)}[name]


def pairs(residuals: np.ndarray, clusters: Clusters):
    for first, last in zip(clusters.start[:-1], clusters.start[1:], strict=True):
        for i in range(first, last):
            for j in range(i + 1, last):
                yield residuals[i] * residuals[j], int(clusters.time[j] - clusters.time[i])


VISITS = [[0, 2, 6, 12], [3], [0, 1, 2, 3, 4], [1, 2], [5, 6, 8]]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("rho", [-0.2, 0.0, 0.7])
@pytest.mark.parametrize("times", VISITS)
def test_solving_is_dense_algebra(name, rho, times):
    times = np.array(times)
    x = np.random.default_rng(1).normal(size=(len(times), 3))
    found = FORMS[name].solve(x, rho, np.diff(times))
    np.testing.assert_allclose(found, np.linalg.solve(dense(name, rho, times), x), rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_exchangeable_estimate_is_the_mean_product():
    clusters = clusters_of(VISITS)
    residuals = np.random.default_rng(2).normal(size=len(clusters.code)) + 0.5 * np.sin(clusters.code)
    expected = np.mean([product for product, _ in pairs(residuals, clusters)])
    assert FORMS["exchangeable"].estimate(residuals, clusters) == pytest.approx(expected, rel=ALGEBRAIC)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.8])
def test_autoregressive_estimate_minimizes_the_squares(rho):
    rng = np.random.default_rng(3)
    clusters = clusters_of(VISITS * 40)
    residuals = np.concatenate([np.linalg.cholesky(dense("ar1", rho, np.array(t))) @ rng.normal(size=len(t)) for t in VISITS * 40])
    found = FORMS["ar1"].estimate(residuals, clusters)
    products = list(pairs(residuals, clusters))
    squares = lambda a: sum((product - a**lag) ** 2 for product, lag in products)  # noqa: E731
    best = optimize.minimize_scalar(squares, bounds=(found - 0.05, found + 0.05), method="bounded", options={"xatol": 1e-10})
    assert found == pytest.approx(best.x, abs=1e-6)  # a minimum is found to the root of the rounding error
    assert all(squares(found) <= squares(a) for a in np.linspace(-0.99, 0.99, 199)), "a local minimum only"


def test_without_odd_lags_the_correlation_is_not_negative():
    clusters = clusters_of([[0, 2, 4]] * 50)
    residuals = np.random.default_rng(4).normal(size=150)
    assert FORMS["ar1"].estimate(residuals, clusters) >= 0.0


def test_least_correlation_of_exchangeable_groups_is_where_the_matrix_turns_singular():
    clusters = clusters_of(VISITS)
    least = FORMS["exchangeable"].least(clusters)
    largest = np.array(VISITS[2])
    assert np.linalg.eigvalsh(dense("exchangeable", least, largest))[0] == pytest.approx(0.0, abs=ALGEBRAIC)
    assert np.linalg.eigvalsh(dense("exchangeable", least + 0.01, largest))[0] > 0.0
