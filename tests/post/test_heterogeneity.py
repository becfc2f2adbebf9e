"""Heterogeneity intervals: they hold the share of subjects that they say, and the three do not stand in for each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import get_link
from bayesglmm.post.targets import check_monotone
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def exact_fit(**options: object):
    return crossed_fit(spread=0.0, n_chains=1, n_draws=1, **options)


@settings(max_examples=20)
@given(level=st.floats(0.01, 0.999), x=st.floats(-3, 3))
def test_the_interval_inverts_to_its_level(level, x):
    fit = exact_fit()
    row = bg.heterogeneity(fit, {"x": x}, level=level).table.iloc[0]
    m, z = row["average_subject"], np.array([1.0, x])
    g, h = parameters(fit).groups
    v = (z * g.sd[0]) @ g.corr[0] @ (z * g.sd[0]) + h.sd[0, 0] ** 2
    inside = special.ndtr((row["plug_in_upper"] - m) / np.sqrt(v)) - special.ndtr((row["plug_in_lower"] - m) / np.sqrt(v))
    assert inside == pytest.approx(level, rel=1e-8)  # the difference of two probabilities near one


def test_response_scale_is_the_inverse_link_of_the_link_scale():
    scales = bg.heterogeneity(exact_fit(), {"x": [0.0, 1.0]}).table
    link, response = (scales[scales["scale"] == s].drop(columns=["scale", "x"]).to_numpy() for s in ("link", "response"))
    np.testing.assert_allclose(response, special.expit(link), rtol=ALGEBRAIC)


def test_with_known_parameters_the_three_intervals_are_one():
    row = bg.heterogeneity(exact_fit(), {"x": 1.0}).table.iloc[0]
    for end in ("lower", "upper"):
        same = [row[f"plug_in_{end}"], row[f"{end}_ci_lower"], row[f"{end}_ci_upper"]]
        np.testing.assert_allclose(same, same[0], rtol=ALGEBRAIC)
        assert row[f"predictive_{end}"] == pytest.approx(same[0], rel=ALGEBRAIC)


def test_the_predictive_interval_holds_simulated_new_subjects():
    """One new subject per draw, many times over; the share inside is binomial, so five standard errors of it are allowed."""
    fit = crossed_fit(spread=0.4, n_draws=200)
    row = bg.heterogeneity(fit, {"x": 1.0}, level=0.8).table.iloc[0]
    rng, draws = np.random.default_rng(2), parameters(fit)
    g, h = draws.groups
    z = np.array([1.0, 1.0])
    v = np.einsum("sk,skl,sl->s", z * g.sd, g.corr, z * g.sd) + h.sd[:, 0] ** 2
    m = draws.beta @ [1.0, 1.0, 0.0, 0.0]
    eta = m[:, None] + np.sqrt(v)[:, None] * rng.normal(size=(len(m), 500))
    for end, share in (("lower", 0.1), ("upper", 0.9)):
        found = np.mean(eta < row[f"predictive_{end}"])
        assert abs(found - share) < MCSE_MULTIPLE * np.sqrt(0.1 * 0.9 / eta.size)


def test_the_predictive_interval_is_wider_when_the_mean_is_unsure():
    fit = crossed_fit(spread=1.0, n_draws=200)
    row = bg.heterogeneity(fit, {"x": 0.0}).table.iloc[0]
    assert row["predictive_lower"] < row["plug_in_lower"]
    assert row["predictive_upper"] > row["plug_in_upper"]


def test_ends_are_summarised_from_their_draws():
    fit = crossed_fit(n_draws=100)
    result = bg.heterogeneity(fit, {"x": [0.0, 1.0]}, ci_prob=0.9)
    upper = result.draws["upper"].to_numpy().reshape(-1, 2)
    link = result.table[result.table["scale"] == "link"]
    np.testing.assert_allclose(link["plug_in_upper"], np.median(upper, axis=0), rtol=ALGEBRAIC)
    np.testing.assert_allclose(link["upper_ci_lower"], np.quantile(upper, 0.05, axis=0), rtol=ALGEBRAIC)


def test_highest_density_intervals_are_made_on_each_scale():
    fit = crossed_fit(n_draws=100, spread=0.5)
    result = bg.heterogeneity(fit, {"x": 0.0}, ci_kind="hdi")
    response = result.table.iloc[1]
    draws = np.sort(special.expit(result.draws["lower"].to_numpy().ravel()))
    steps = int(np.floor(0.95 * len(draws)))
    shortest = np.min(draws[steps:] - draws[: len(draws) - steps])
    assert response["lower_ci_upper"] - response["lower_ci_lower"] == pytest.approx(shortest, rel=1e-9)


def test_it_says_what_it_is_and_where():
    result = bg.heterogeneity(exact_fit())
    assert any("not how sure we are" in n for n in result.notes)
    assert any("drug = a (reference level)" in n for n in result.notes)
    assert "95 %" in result.title


def test_what_has_no_heterogeneity_interval_is_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        bg.heterogeneity(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="level"):
        bg.heterogeneity(exact_fit(), level=95)
    with pytest.raises(FamilyError, match="sqrt"):
        check_monotone(get_link("sqrt"))
