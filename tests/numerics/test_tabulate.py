"""Tables of population means: inside their bound, used where they pay, and never felt."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesglmm.errors import FamilyError
from bayesglmm.numerics import marginal, tabulate
from bayesglmm.numerics.links import LINKS
from bayesglmm.numerics.quadrature import DEFAULT_TOLERANCE, normal_average, normal_rule
from tests.numerics.integrals import mean_over_effects
from tests.tolerances import REFERENCE

TABULATED = [name for name, link in LINKS.items() if link.has_population_mean and link.marginal_predictor is None]


def by_rule(monkeypatch, name: str, m: np.ndarray, v: np.ndarray) -> marginal.PopulationPredictor:
    """The same predictor without a table."""
    with monkeypatch.context() as context:
        context.setattr(marginal, "worthwhile_table", lambda *_: None)
        return marginal.population_predictor(name, m, v)


def law(rows: int = 3000, draws: int = 8, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of a model with random slopes, s from about 0.5 to 6."""
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1.5, (draws, rows)), np.exp(rng.normal(1.5, 0.8, (draws, rows)))


@pytest.mark.parametrize("name", TABULATED)
@pytest.mark.parametrize(("octave", "limits"), [(-2, (-4.0, 4.0)), (1, (-7.0, 3.0)), (3, (-16.0, 12.0))])
def test_a_table_is_the_adaptive_integral_within_its_bound(name, octave, limits):
    table = tabulate.mean_table(name, octave, limits, DEFAULT_TOLERANCE)
    rng = np.random.default_rng(3)
    m, s = rng.uniform(*limits, 6), 2.0 ** rng.uniform(octave - 1, octave, 6)
    m[:2], s[:2] = limits, (2.0 ** (octave - 1), 2.0**octave)
    for mean, sd, found in zip(m, s, table.mean(m, s), strict=True):
        reference = mean_over_effects(LINKS[name], float(mean), float(sd))
        assert abs(found - reference.value) <= table.bound + reference.error


@pytest.mark.parametrize("name", TABULATED)
@pytest.mark.parametrize("tolerance", [1e-4, 1e-7, 1e-10])
def test_the_bound_holds_at_any_tolerance_and_is_kept_to(name, tolerance):
    table = tabulate.mean_table(name, 2, (-8.0, 8.0), tolerance)
    rng = np.random.default_rng(4)
    m, s = rng.uniform(-8.0, 8.0, 3000), rng.uniform(2.0, 4.0, 3000)
    rule = normal_rule(name, 4.0, tolerance=1e-12)
    error = np.abs(table.mean(m, s) - normal_average(LINKS[name].inverse, m, s, rule)).max()
    assert error <= table.bound + rule.bound
    assert table.bound <= tolerance


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(TABULATED), octave=st.integers(-5, 5), middle=st.integers(-6, 6), half=st.integers(1, 8))
def test_the_bound_holds_for_any_range(name, octave, middle, half):
    unit = max(1.0, 2.0 ** (octave - 1))
    limits = ((middle - half) * unit, (middle + half) * unit)
    table = tabulate.mean_table(name, octave, limits, DEFAULT_TOLERANCE)
    grid = np.linspace(0.0, 1.0, 23)
    m, s = (part.reshape(-1) for part in np.meshgrid(limits[0] + (limits[1] - limits[0]) * grid, 2.0 ** (octave - 1 + grid)))
    rule = normal_rule(name, 2.0**octave)
    assert np.abs(table.mean(m, s) - normal_average(LINKS[name].inverse, m, s, rule)).max() <= table.bound + rule.bound


def test_a_smaller_tolerance_and_a_wider_interval_need_more_points():
    loose, tight = (tabulate.degrees("logit", 2, 6.0, tolerance) for tolerance in (1e-5, 1e-10))
    assert tight[0] > loose[0]
    assert tight[1] > loose[1]
    assert tabulate.degrees("logit", 2, 24.0, 1e-10)[0] > tight[0]


def test_a_tolerance_beyond_double_precision_has_no_table():
    assert tabulate.mean_table("logit", 2, (-4.0, 4.0), 1e-14) is None
    assert tabulate.mean_table("cauchit", 7, (-64.0, 64.0), 1e-13) is None


def test_unbounded_links_have_no_table():
    with pytest.raises(FamilyError, match="unbounded"):
        tabulate.degrees("log", 1, 2.0, 1e-10)


def test_few_points_are_not_tabulated():
    rule, m = normal_rule("logit", 3.0), np.linspace(-4.0, 4.0, 50_000)
    assert tabulate.worthwhile_table("logit", m[::1000], 2, rule, 1e-10) is None
    assert tabulate.worthwhile_table("logit", m, 2, rule, 1e-10) is not None


def test_blocks_of_one_computation_share_a_table():
    rule, rng = normal_rule("logit", 3.0), np.random.default_rng(0)
    first, second = (tabulate.worthwhile_table("logit", rng.uniform(-3.9, 3.9, 50_000), 2, rule, 1e-10) for _ in range(2))
    assert first is second


def test_a_far_row_does_not_widen_the_table_beyond_the_tails():
    rule, m = normal_rule("logit", 3.0), np.linspace(-4.0, 4.0, 50_000)
    table = tabulate.worthwhile_table("logit", np.append(m, 1e7), 2, rule, 1e-10)
    assert table is not None
    assert table.highest < 40.0


def test_means_that_are_all_in_a_tail_are_not_tabulated():
    rule, m = normal_rule("logit", 3.0), np.linspace(-400.0, -300.0, 50_000)
    assert tabulate.worthwhile_table("logit", m, 2, rule, 1e-10) is None


@pytest.mark.parametrize("name", TABULATED)
def test_predictors_with_and_without_a_table_agree(name, monkeypatch):
    m, v = law()
    with_table, without = marginal.population_predictor(name, m, v), by_rule(monkeypatch, name, m, v)
    inverse = LINKS[name].inverse
    assert np.abs(inverse(with_table.value) - inverse(without.value)).max() <= with_table.mean_bound + without.mean_bound
    assert with_table.mean_bound <= DEFAULT_TOLERANCE
    assert not np.array_equal(with_table.value, without.value), "the test needs rows enough for a table"


@pytest.mark.parametrize("name", TABULATED)
def test_tails_keep_their_digits(name, monkeypatch):
    """Rows far out are integrated one by one, so that the link scale has no more error there than without a table."""
    m, v = law()
    m[0, :6] = [-60.0, -30.0, -20.0, 15.0, 30.0, 60.0]
    found, plain = marginal.population_predictor(name, m, v).value, by_rule(monkeypatch, name, m, v).value
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, plain, rtol=REFERENCE, atol=REFERENCE)


def test_rows_without_variance_stay_exact(monkeypatch):
    m, v = law()
    v[:, ::3] = 0.0
    predictor, mean = marginal.population_predictor("logit", m, v), marginal.population_mean("logit", m, v)
    np.testing.assert_array_equal(predictor.value[:, ::3], m[:, ::3])
    np.testing.assert_array_equal(mean.value[:, ::3], LINKS["logit"].inverse(m[:, ::3]))
    plain = by_rule(monkeypatch, "logit", m, v)
    assert np.abs(mean.value - LINKS["logit"].inverse(plain.value)).max() <= mean.bound + plain.mean_bound


def test_evaluation_needs_a_fixed_amount_of_memory(tracked_peak):
    table = tabulate.mean_table("logit", 2, (-8.0, 8.0), DEFAULT_TOLERANCE)
    rng = np.random.default_rng(1)
    m, s = rng.uniform(-8.0, 8.0, 400_000), rng.uniform(2.0, 4.0, 400_000)
    assert tracked_peak(lambda: table.mean(m, s)) < m.nbytes + 2**23
