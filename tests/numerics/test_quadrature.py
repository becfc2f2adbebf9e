"""The trapezoid rule keeps the error bound that it states, for every link, against adaptive integration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.quadrature import normal_average, normal_rule
from tests.numerics.integrals import mean_over_effects, mean_over_thresholds
from tests.tolerances import ALGEBRAIC

RULED = [name for name, link in LINKS.items() if link.strip is not None]
WITHOUT = [name for name, link in LINKS.items() if link.strip is None]

means = st.floats(-40.0, 40.0)
variances = st.floats(1e-3, 100.0)


def rule_mean(name: str, m: float, s: float, rule) -> float:
    return float(normal_average(LINKS[name].inverse, np.asarray(m), np.asarray(s), rule))


@pytest.mark.parametrize("name", RULED)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(m=means, v=variances)
def test_the_error_is_within_the_links_own_bound(name, m, v):
    """At random (m, v), v up to 100: the rule for sd 10 is valid below it too."""
    rule = normal_rule(name, 10.0)
    reference = mean_over_effects(LINKS[name], m, np.sqrt(v))
    assert rule.bound <= 1e-10
    assert abs(rule_mean(name, m, np.sqrt(v), rule) - reference.value) <= rule.bound + reference.error


@pytest.mark.parametrize("name", RULED)
@pytest.mark.parametrize("sd", [0.3, 2.0, 10.0])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6, 1e-8])
def test_the_bound_holds_where_it_is_nearly_reached(name, sd, tolerance):
    """With a coarse tolerance discretization dominates, so that a wrong derivation of the bound would show."""
    rule = normal_rule(name, sd, tolerance=tolerance)
    for m in np.linspace(-2.5, 2.5, 7) * max(sd, 1.0):
        reference = mean_over_effects(LINKS[name], m, sd)
        assert abs(rule_mean(name, m, sd, rule) - reference.value) <= rule.bound + reference.error


@pytest.mark.parametrize("name", RULED)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(m=st.floats(-30.0, 30.0), v=st.floats(0.05, 100.0))
def test_the_reference_agrees_with_another_integral(name, m, v):
    """The mean as an integral over thresholds has another integrand and other break points."""
    a, b = mean_over_effects(LINKS[name], m, np.sqrt(v)), mean_over_thresholds(LINKS[name], m, np.sqrt(v))
    assert max(a.error, b.error) < 1e-11  # a tenth of the tolerance under test
    assert abs(a.value - b.value) <= a.error + b.error


@pytest.mark.parametrize("name", RULED)
@pytest.mark.parametrize("m", [-130.0, 0.4, 77.0])
def test_a_standard_deviation_of_100(name, m):
    rule = normal_rule(name, 100.0)
    reference = mean_over_effects(LINKS[name], m, 100.0)
    assert rule.bound <= 1e-10
    assert abs(rule_mean(name, m, 100.0, rule) - reference.value) <= rule.bound + reference.error


@pytest.mark.parametrize("name", RULED)
def test_a_rule_used_beyond_its_standard_deviation_breaks_its_bound(name):
    """The comparisons above can fail."""
    rule = normal_rule(name, 1.0)
    worst = max(abs(rule_mean(name, m, 30.0, rule) - mean_over_effects(LINKS[name], m, 30.0).value) for m in (1.0, 9.0, 20.0))
    assert worst > 1e3 * rule.bound


@pytest.mark.parametrize("name", RULED)
def test_nodes_grow_linearly_with_the_standard_deviation(name):
    few, many = normal_rule(name, 20.0).nodes.size, normal_rule(name, 80.0).nodes.size
    assert 3.5 < many / few < 4.5


@pytest.mark.parametrize("name", RULED)
@pytest.mark.parametrize("sd", [0.0, 1.0, 40.0])
def test_weights_are_a_symmetric_distribution(name, sd):
    rule = normal_rule(name, sd)
    np.testing.assert_allclose(rule.weights.sum(), 1.0, rtol=ALGEBRAIC)
    np.testing.assert_array_equal(rule.nodes, -rule.nodes[::-1])
    np.testing.assert_allclose(rule.weights, rule.weights[::-1], rtol=ALGEBRAIC)
    assert (rule.weights > 0.0).all()


def test_even_moments_of_the_standard_normal():
    """The rule itself is accurate to its truncation: E e^2 = 1 and E e^4 = 3, of which the tail beyond L = 6.8 holds 1e-7."""
    rule = normal_rule("logit", 1.0, tolerance=1e-12)
    np.testing.assert_allclose(rule.weights @ rule.nodes**2, 1.0, rtol=1e-9)
    np.testing.assert_allclose(rule.weights @ rule.nodes**4, 3.0, rtol=1e-8)


def test_many_rows_are_streamed_like_few():
    """Blocks of rows and nodes do not change the result."""
    rng = np.random.default_rng(1)
    m, s = rng.normal(0.0, 3.0, (97, 131)), rng.uniform(0.0, 5.0, 131)
    rule = normal_rule("logit", 5.0)
    whole = normal_average(LINKS["logit"].inverse, m, s, rule)
    assert whole.shape == (97, 131)
    one = [normal_average(LINKS["logit"].inverse, m[i, j], s[j], rule) for i, j in [(0, 0), (40, 7), (96, 130)]]
    np.testing.assert_allclose(whole[[0, 40, 96], [0, 7, 130]], one, rtol=ALGEBRAIC)


def test_memory_does_not_grow_with_rows_times_nodes(tracked_peak):
    """200,000 rows and 197 nodes would be 315 MB at once; the peak is the result, s, and fixed blocks of half a megabyte each."""
    m = np.zeros(200_000)
    rule = normal_rule("logit", 10.0)
    peak = tracked_peak(lambda: normal_average(LINKS["logit"].inverse, m, np.full(m.shape, 10.0), rule))
    assert peak < 4 * m.nbytes + 8 * 2**20


@pytest.mark.parametrize("name", WITHOUT)
def test_unbounded_links_are_refused(name):
    with pytest.raises(FamilyError, match=name):
        normal_rule(name, 1.0)


@pytest.mark.parametrize("sd", [-1.0, np.nan, np.inf])
def test_impossible_standard_deviations_are_refused(sd):
    with pytest.raises(ArgumentError, match="largest_sd"):
        normal_rule("logit", sd)


@pytest.mark.parametrize("tolerance", [0.0, -1e-3, 1.0, np.nan])
def test_impossible_tolerances_are_refused(tolerance):
    with pytest.raises(ArgumentError, match="tolerance"):
        normal_rule("logit", 1.0, tolerance=tolerance)


def test_a_tolerance_below_rounding_is_refused_with_a_possible_one():
    with pytest.raises(ArgumentError, match="double precision"):
        normal_rule("cauchit", 100.0, tolerance=1e-13)
