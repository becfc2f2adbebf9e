"""The random-intercept logit model of low CD4 counts: our rule against an independent dense quadrature, and published numbers.

The marginal coefficients depend on the data through the visits only, so a simulated response on the trial's visit design gives them too.
"""

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm import datasets
from bayesglmm.errors import DatasetError
from tests.post.makers import AIDS_BETA, AIDS_SD, aids_fit, aids_visits
from tests.tolerances import ALGEBRAIC

PUBLISHED_MARGINAL = [1.588, 0.046, -0.167, -0.010]
"""By Monte Carlo integration, as printed; exact integration gives the next line, so the tolerance is the Monte Carlo error seen."""

EXACT_MARGINAL = [1.587, 0.0456, -0.1694, -0.0101]
MONTE_CARLO = [0.002, 0.001, 0.003, 0.001]


def dense_mean(m: float, sd: float) -> float:
    """E expit(m + sd e) by Gauss-Legendre, 2,000 panels of 10 nodes on (-12, 12): another rule than the one tested.

    The panels are 0.012 wide, far narrower than anything expit or the normal density does at sd < 6; beyond 12 lies 4e-33.
    """
    nodes, weights = np.polynomial.legendre.leggauss(10)
    edges = np.linspace(-12.0, 12.0, 2001)
    half = 0.5 * np.diff(edges)
    e = (0.5 * (edges[1:] + edges[:-1]) + nodes[:, None] * half).ravel()
    w = (weights[:, None] * half).ravel()
    return float(np.sum(w * special.expit(m + sd * e) * np.exp(-0.5 * e**2)) / np.sqrt(2 * np.pi))


def assert_within(found: np.ndarray, wanted: list[float], half_units: list[float]) -> None:
    """Equal to the digits that are given: half a unit of the last one each."""
    assert np.all(np.abs(np.asarray(found) - wanted) <= half_units), found


def check_published(fit) -> None:
    marginal = bg.marginal_coefficients(fit).table["marginal"].to_numpy()
    assert_within(marginal, EXACT_MARGINAL, [5e-4, 5e-5, 5e-5, 5e-5])
    assert np.all(np.abs(marginal - PUBLISHED_MARGINAL) < MONTE_CARLO)
    interval = bg.heterogeneity(fit, {"obstime": 0, "drug": "ddC"}).table
    shown = interval[["average_subject", "plug_in_lower", "plug_in_upper"]].to_numpy()
    assert interval["scale"].tolist() == ["link", "response"]
    assert_within(shown[0], [5.711, -5.45, 16.87], [5e-4, 5e-3, 5e-3])
    assert_within(shown[1], [0.9967, 0.00427, 1.0], [5e-5, 5e-6, 5e-6])


def test_visit_design_is_the_trial_s():
    table = aids_visits()
    assert len(table) == 1405
    assert table["patient"].nunique() == 467
    counts = table.groupby(["drug", "obstime"]).size()
    assert counts["ddC"].tolist() == [237, 186, 157, 123, 14]
    assert counts["ddI"].tolist() == [230, 182, 153, 103, 20]


def test_population_probabilities_equal_dense_quadrature():
    fit = aids_fit(aids_visits())
    result = bg.means(fit, {"obstime": [0, 2, 6, 12, 18], "drug": "all"}, target="population")
    for obstime, drug, found in result.table[["obstime", "drug", "mean"]].itertuples(index=False):
        ddI = float(drug == "ddI")
        m = np.dot(list(AIDS_BETA.values()), [1.0, obstime, ddI, obstime * ddI])
        assert abs(found - dense_mean(m, AIDS_SD)) < 1e-10  # the bound of our rule


def test_marginal_coefficients_equal_a_projection_of_dense_quadrature():
    fit = aids_fit(aids_visits())
    X = fit.design.X
    m = X @ np.array(list(AIDS_BETA.values()))
    means = {value: dense_mean(value, AIDS_SD) for value in np.unique(m)}
    expected = np.linalg.lstsq(X, special.logit([means[value] for value in m]), rcond=None)[0]
    found = bg.marginal_coefficients(fit).table["marginal"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)  # 1e-10 on probabilities, times 1 / (p (1 - p)) < 10


def test_published_numbers_on_the_visit_design():
    check_published(aids_fit(aids_visits()))


@pytest.mark.external
def test_published_numbers_on_the_trial():
    try:
        table = datasets.load("aids")
    except DatasetError as error:
        pytest.skip(f"the table 'aids' is not here: {error}")
    fit = aids_fit(table.assign(low=(table["CD4"] < np.sqrt(150.0)).astype(int)))
    check_published(fit)
    simulated, real = bg.marginal_coefficients(aids_fit(aids_visits())), bg.marginal_coefficients(fit)
    np.testing.assert_allclose(simulated.table["marginal"], real.table["marginal"], rtol=ALGEBRAIC)
