"""Curves of groups, of the average subject and of the population, beside the means that they are."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, BayesglmmError, LevelError
from bayesglmm.post.curves import curves
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

XS = [-1.0, 0.0, 2.0]


def lines(result, target):
    return result.table[result.table["target"] == target]


@pytest.mark.parametrize("target", ["average_subject", "population"])
def test_summaries_are_the_means_of_that_target(target):
    fit = crossed_fit()
    ours = lines(curves(fit, "x", {"drug": "b"}, values=XS), target)
    means = bg.means(fit, {"x": XS, "drug": "b"}, target=target).table
    for column in ("mean", "sd", "median", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(ours[column], means[column], rtol=ALGEBRAIC)


def test_a_group_is_its_mean_when_there_is_one_factor():
    fit = make_fit("count ~ x + (x | g)", table(), family="poisson", sd=[0.5, 0.3])
    ours = lines(curves(fit, "x", values=XS, groups=["g03", "g01"]), "group")
    for level in ("g03", "g01"):
        means = bg.means(fit, {"x": XS, "g": level}, target="group").table
        np.testing.assert_allclose(ours.loc[ours["level"] == level, "mean"], means["mean"], rtol=ALGEBRAIC)


def test_other_factors_are_at_zero_and_the_notes_say_so():
    fit = crossed_fit(spread=0.0, n_draws=1)
    result = curves(fit, "x", values=XS, factor="h", groups=["q"])
    b = fit.posterior["1|h"].sel(h__factor_dim="q").to_numpy().reshape(-1)[0]
    eta = fit.link.link(lines(result, "average_subject")["mean"].to_numpy()) + b
    np.testing.assert_allclose(lines(result, "group")["mean"], fit.link.inverse(eta), rtol=ALGEBRAIC)
    assert any("effects of g are at zero" in note for note in result.notes)


def test_groups_are_spread_over_the_ranks():
    fit = crossed_fit()
    shown = list(dict.fromkeys(lines(curves(fit, "x", values=XS, groups=5), "group")["level"]))
    order = bg.random_effects(fit, factor="g").table.query("effect == '1'").sort_values("mean")["level"].tolist()
    assert [order.index(level) for level in shown] == sorted(order.index(level) for level in shown)
    assert shown[0] == order[0]
    assert shown[-1] == order[-1]
    assert lines(curves(fit, "x", values=XS, groups=0), "group").empty


def test_a_number_is_shown_over_its_range_and_a_factor_at_its_levels():
    fit = crossed_fit()
    assert curves(fit, "x", groups=0).table["x"].agg(["min", "max"]).tolist() == [fit.frame["x"].min(), fit.frame["x"].max()]
    assert list(dict.fromkeys(curves(fit, "drug", groups=0).table["drug"])) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"variable": "nothing"}, BayesglmmError),
        ({"variable": "x", "at": {"x": 1.0}}, ArgumentError),
        ({"variable": "x", "at": {"drug": ["a", "b"]}}, ArgumentError),
        ({"variable": "x", "at": {"drug": "all"}}, ArgumentError),
        ({"variable": "x", "factor": "k"}, ArgumentError),
        ({"variable": "x", "groups": ["g99"]}, LevelError),
        ({"variable": "x", "groups": -1}, ArgumentError),
        ({"variable": "x", "groups": "g01"}, ArgumentError),
        ({"variable": "x", "groups": None}, ArgumentError),
        ({"variable": "x", "groups": 2.5}, ArgumentError),
        ({"variable": "x", "groups": []}, ArgumentError),
        ({"variable": "x", "values": []}, ArgumentError),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, error):
    with pytest.raises(error):
        curves(crossed_fit(), **arguments)


def test_numbers_that_are_factors_are_shown_at_their_levels_and_named_as_in_the_data():
    frame = table().assign(dose=np.resize([1, 2, 5], 120), g=np.repeat(np.arange(20.0), 6))
    fit = make_fit("y ~ C(dose) + (1 | g)", frame)
    result = curves(fit, "dose", groups=[3.0])
    assert list(dict.fromkeys(result.table["dose"])) == [1, 2, 5]
    assert set(result.table["level"]) == {"", "3"}


def test_a_model_without_groups_is_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        curves(make_fit("y ~ x", table()), "x")


def test_an_empty_list_of_groups_leads_to_what_shows_none():
    with pytest.raises(ArgumentError, match=r"names no level.*groups=0 shows the average subject and the population alone"):
        curves(crossed_fit(), "x", groups=())
    assert set(curves(crossed_fit(), "x", groups=0).table["target"]) == {"average_subject", "population"}
