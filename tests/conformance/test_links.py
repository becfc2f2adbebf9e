"""Every registered link: inverse of each other, derivative, tails, extremes, and a stated way to average over effects."""

import numpy as np
import pytest
from scipy.differentiate import derivative

from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.marginal import population_mean, population_predictor
from tests.numerics.integrals import mean_over_effects
from tests.tolerances import ALGEBRAIC, REFERENCE

every_link = pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
unit_links = pytest.mark.parametrize("link", [link for link in LINKS.values() if link.onto_unit_interval], ids=lambda link: link.name)
averaged = pytest.mark.parametrize("link", [link for link in LINKS.values() if link.has_population_mean], ids=lambda link: link.name)

EPS = np.finfo(np.float64).eps


def grid(interval: tuple[float, float], reach: float) -> np.ndarray:
    """41 points inside an interval, no farther than ``reach`` from its finite end or from zero."""
    low = interval[0] if np.isfinite(interval[0]) else -reach
    high = interval[1] if np.isfinite(interval[1]) else reach
    return np.linspace(low, high, 43)[1:-1]


@every_link
def test_the_registry_holds_it_by_its_name(link):
    assert LINKS[link.name] is link


@every_link
def test_the_inverse_undoes_the_link(link):
    mu = grid(link.mean_interval, 9.0)
    np.testing.assert_allclose(link.inverse(link.link(mu)), mu, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@every_link
def test_the_link_undoes_the_inverse(link):
    """mu is rounded by EPS, which the link magnifies by 1 / h'(eta)."""
    eta = grid(link.eta_interval, 3.5)
    lost = 8.0 * EPS * np.maximum(np.abs(link.inverse(eta)), EPS) / np.abs(link.derivative(eta))
    assert (np.abs(link.link(link.inverse(eta)) - eta) <= lost + ALGEBRAIC * np.abs(eta) + EPS).all()


@every_link
def test_the_derivative_is_that_of_the_inverse(link):
    eta = grid(link.eta_interval, 6.0)
    numeric = derivative(link.inverse, eta, initial_step=0.01 * np.minimum(1.0, np.abs(eta) + 0.01))
    np.testing.assert_allclose(link.derivative(eta), numeric.df, rtol=REFERENCE, atol=ALGEBRAIC)


@every_link
def test_means_lie_inside_their_interval_and_move_one_way(link):
    mu = link.inverse(grid(link.eta_interval, 3.5))
    assert ((mu > link.mean_interval[0]) & (mu < link.mean_interval[1])).all()
    steps = np.sign(np.diff(mu))
    assert (steps == steps[0]).all()
    assert steps[0] != 0.0


@every_link
@pytest.mark.parametrize("size", [40.0, 700.0])
def test_far_predictors_are_finite_and_do_not_warn(link, size):
    """700 is near the largest power of e that a double holds."""
    eta = np.array([-size, size]) if np.isinf(link.eta_interval[0]) else np.array([size])
    assert np.isfinite(link.inverse(eta)).all()
    assert np.isfinite(link.derivative(eta)).all()
    for function in (link.log_inverse, link.log_complement, link.complement):
        assert function is None or np.isfinite(function(eta)).all()


@every_link
def test_functions_keep_the_shape(link):
    eta = np.full((2, 3), 0.7)
    functions = (link.inverse, link.derivative, link.link, link.log_inverse, link.complement, link.log_complement)
    assert {function(eta).shape for function in functions if function is not None} == {(2, 3)}


@unit_links
def test_a_probability_has_both_tails_and_their_logarithms(link):
    eta = np.linspace(-4.0, 4.0, 81)
    mu, rest = link.inverse(eta), link.complement(eta)
    np.testing.assert_allclose(rest, 1.0 - mu, rtol=ALGEBRAIC, atol=EPS)
    np.testing.assert_allclose(link.log_inverse(eta), np.where(mu < 0.5, np.log(mu), np.log1p(-np.minimum(rest, 0.5))), rtol=ALGEBRAIC)
    np.testing.assert_allclose(link.log_complement(eta), np.where(mu < 0.5, np.log1p(-np.minimum(mu, 0.5)), np.log(rest)), rtol=ALGEBRAIC)
    np.testing.assert_allclose(link.link_of_tails(mu, rest), eta, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@unit_links
@pytest.mark.parametrize("size", [40.0, 700.0])
def test_logarithms_of_tails_never_say_impossible(link, size):
    eta = np.array([-size, size])
    for function in (link.log_inverse, link.log_complement):
        assert (function(eta) <= 0.0).all()
        assert np.diff(function(eta)) != 0.0


@every_link
def test_it_is_averaged_in_exactly_one_way_or_says_why_not(link):
    if link.refusal is not None:
        assert link.marginal_predictor is None
        assert link.strip is None
        assert not link.has_population_mean
    else:
        assert link.marginal_predictor is not None or link.strip is not None


@averaged
@pytest.mark.parametrize("v", [0.04, 1.7, 6.0])
def test_the_population_mean_is_the_adaptive_integral(link, v):
    """Within the link's own bound and the error of the reference, whose integral is cut at 13 standard deviations."""
    for m in (-2.4, 0.0, 1.3):
        reference = mean_over_effects(link, m, np.sqrt(v))
        found = population_mean(link.name, m, v)
        assert found.bound <= 1e-10
        assert abs(found.value - reference.value) <= found.bound + reference.error + ALGEBRAIC * abs(reference.value)


@averaged
def test_the_population_predictor_is_the_link_of_the_population_mean(link):
    m = np.linspace(-2.0, 2.0, 9)
    found = population_predictor(link.name, m, 1.5)
    np.testing.assert_allclose(link.inverse(found.value), population_mean(link.name, m, 1.5).value, rtol=ALGEBRAIC)
