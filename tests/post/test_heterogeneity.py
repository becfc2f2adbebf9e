"""Heterogeneity intervals: they hold the share of subjects that they say, and the three do not stand in for each other."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.numerics.links import get_link
from bayesglmm.post import linear_predictor
from bayesglmm.post.targets import check_monotone
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, REFERENCE


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


def test_several_factors_make_combinations_of_levels():
    fit = exact_fit()
    both, one = bg.heterogeneity(fit), bg.heterogeneity(fit, over="g", of="slope", variable="x")
    assert both.title.endswith("where 95 % of the combinations of levels of g and h are")
    assert both.target.startswith("each single combination of levels of g and h, old or new")
    assert one.title.endswith("where 95 % of the slopes in x of the levels of g are")
    assert one.target.startswith("each single level of g, old or new")


def test_draws_are_found_by_row():
    result = bg.heterogeneity(crossed_fit(), {"x": [0.0, 1.0], "drug": ["a", "c"]})
    found = result.draws["upper"].set_index(row=["x", "drug"]).sel(x=1.0, drug="a")
    line = result.table.query("x == 1 and drug == 'a' and scale == 'link'").iloc[0]
    assert float(found.median()) == pytest.approx(line["plug_in_upper"], rel=ALGEBRAIC)


def test_columns_of_the_rows_keep_their_values():
    """Rows may have a column of the name of the draws."""
    fit = make_fit("y ~ lower + (lower | g)", table().rename(columns={"x": "lower"}))
    result = bg.heterogeneity(fit, {"lower": [0.5, 2.0]})
    assert result.table["lower_"].tolist() == [0.5, 0.5, 2.0, 2.0]
    assert result.draws.coords["lower_"].to_numpy().tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    "question", [{}, {"of": "slope", "variable": "x"}, {"of": "contrast", "versus": {"x": 0.0}}], ids=["level", "slope", "contrast"]
)
def test_rows_taken_a_few_at_a_time_give_the_same(monkeypatch, question):
    fit, at = crossed_fit(n_draws=4, spread=0.3), {"x": [0.5, 1.0, 2.0], "drug": ["a", "c"]}
    whole = bg.heterogeneity(fit, at, **question)
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1)
    kept, part = bg.heterogeneity(fit, at, **question), bg.heterogeneity(fit, at, keep_draws=False, **question)
    for result in (kept, part):
        pd.testing.assert_frame_equal(result.table, whole.table, rtol=REFERENCE)  # ends are solved for, each by itself
        assert result.notes == whole.notes
    np.testing.assert_allclose(kept.draws["lower"], whole.draws["lower"], rtol=ALGEBRAIC)
    assert not part.draws


def test_without_draws_memory_does_not_grow_with_rows():
    fit, at = crossed_fit(n_draws=500), pd.DataFrame({"x": np.linspace(-2.0, 2.0, 2000), "drug": "b"})
    tracemalloc.start()
    bg.heterogeneity(fit, at, keep_draws=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1000 * 2000 * 8  # one array of draws x rows


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ({"at": {"g": "g01"}}, "leave it out of at"),
        ({"at": {"x": [0.0, 1.0], "g": "g01"}, "of": "contrast"}, "leave it out of at"),
        ({"of": "contrast", "versus": {"g": "g01"}}, "leave it out of versus"),
        ({"of": "slope", "variable": "x", "at": {"g": "g01"}}, "leave it out of at"),
    ],
)
def test_a_level_among_the_rows_is_refused_with_what_to_do(arguments, fix):
    with pytest.raises(ArgumentError, match=fix) as raised:
        bg.heterogeneity(exact_fit(), **arguments)
    assert "target='population'" not in str(raised.value)


def test_what_has_no_heterogeneity_interval_is_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        bg.heterogeneity(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="level"):
        bg.heterogeneity(exact_fit(), level=95)
    with pytest.raises(FamilyError, match="sqrt"):
        check_monotone(get_link("sqrt"))
