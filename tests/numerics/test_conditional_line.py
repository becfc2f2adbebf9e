"""The law of one effect given responses: exact for normal ones, against adaptive quadrature where the likelihood is a cliff."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from bayesglmm.numerics.conditional_line import line_law
from tests.tolerances import ALGEBRAIC, REFERENCE


def moments(law) -> np.ndarray:
    mass = np.exp(law.log_mass)
    mean = np.sum(mass * law.nodes, axis=0)
    return np.stack([mean, np.sqrt(np.sum(mass * np.square(law.nodes), axis=0) - np.square(mean))])


def test_normal_responses_have_a_normal_law():
    """From hardly any data to an effect that is known to a thousandth of its prior SD: such a narrow peak costs the rule two digits."""
    A, y = np.array([[0.1], [1.0], [30.0], [1000.0]]), np.array([[0.3], [-1.0], [45.0], [-2500.0]])

    def density(eta: np.ndarray) -> np.ndarray:
        return -0.5 * np.square(y - eta)

    law = line_law(density, density, np.zeros((4, 1)), A)
    precision = 1.0 + A[:, 0] ** 2
    found, expected = moments(law), np.array([A[:, 0] * y[:, 0] / precision, 1.0 / np.sqrt(precision)])
    np.testing.assert_allclose(found[:, :2], expected[:, :2], rtol=REFERENCE)
    np.testing.assert_allclose(found, expected, rtol=100 * REFERENCE)
    np.testing.assert_allclose(np.exp(law.log_mass).sum(axis=0), 1.0, rtol=ALGEBRAIC)


def test_without_data_it_is_the_prior():

    def density(eta: np.ndarray) -> np.ndarray:
        return 0.0 * eta

    law = line_law(density, density, np.zeros((2, 3)), np.ones((2, 3)))
    np.testing.assert_allclose(moments(law), [[0.0, 0.0], [1.0, 1.0]], rtol=REFERENCE, atol=REFERENCE)


@pytest.mark.parametrize("A", [0.5, 3.0, 6.0, 20.0, 60.0])
@pytest.mark.parametrize("y", [(1,), (1, 1, 1), (0, 1), (1, 1, 0, 0, 0, 1)])
@pytest.mark.parametrize("eta0", [-4.0, 1.0])
def test_zero_one_responses_against_adaptive_quadrature(A, y, eta0):
    """Under a large SD the likelihood is a cliff beside a half-normal tail; errors stay below a thousandth of the prior SD."""
    signs = np.where(np.array(y) == 1, 1.0, -1.0)

    def rows(eta: np.ndarray) -> np.ndarray:
        return special.log_expit(signs * eta)

    law = line_law(rows, rows, np.full((1, len(y)), eta0), np.full((1, len(y)), A))

    def density(e: float, power: int) -> float:
        return float(e**power * np.exp(-0.5 * e**2 + np.sum(special.log_expit(signs * (eta0 + A * e)))))

    corner = -eta0 / A
    area, first, second = (
        sum(
            integrate.quad(density, low, high, args=(power,), limit=500, epsabs=0.0, epsrel=1e-9)[0]
            for low, high in [(-9.0, corner - 8 / A), (corner - 8 / A, corner), (corner, corner + 8 / A), (corner + 8 / A, 12.0)]
            if low < high
        )
        for power in (0, 1, 2)
    )
    expected = [first / area, np.sqrt(second / area - (first / area) ** 2)]
    np.testing.assert_allclose(moments(law)[:, 0], expected, atol=1e-3)


@pytest.mark.parametrize("A", [0.1, 1.0, 40.0])
def test_further_responses_are_averaged_over_the_law_however_narrow_they_are(A):
    """A wide law, N(0, 1), and the density and distribution function of one precise response under it: those of N(0, 1 + A^2)."""
    y = np.array([[-1.5 * A], [0.01], [0.7 * A]])

    def own(eta: np.ndarray) -> np.ndarray:
        return -0.5 * np.square(y - eta)

    law = line_law(lambda eta: 0.0 * eta, own, np.zeros((3, 1)), np.full((3, 1), A))
    mass, eta, sd = np.exp(law.log_mass), A * law.nodes, np.hypot(1.0, A)
    np.testing.assert_allclose(np.sum(mass * stats.norm.cdf(y[:, 0], eta), axis=0), stats.norm.cdf(y[:, 0], 0.0, sd), rtol=1e-5)
    np.testing.assert_allclose(np.sum(mass * stats.norm.pdf(y[:, 0], eta), axis=0), stats.norm.pdf(y[:, 0], 0.0, sd), rtol=1e-5)
