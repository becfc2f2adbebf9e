"""Whose effects vary, whose are those of a named level, whose are zero: heterogeneity, shares and slopes of the other sign."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.post.group_ratios import interval_odds_ratio, median_odds_ratio
from bayesglmm.post.shares import opposite_slopes, shares
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.post.test_nested import casks, implicit_fit
from tests.tolerances import ALGEBRAIC


def exact_fit(**options: object):
    return crossed_fit(spread=0.0, n_chains=1, n_draws=1, **options)


def link_row(result):
    return result.table[result.table["scale"] == "link"].iloc[0]


def both_slopes(**options: object):
    """Random slopes of both factors."""
    return make_fit("y ~ x + (x | g) + (x | h)", table(), beta=[0.5, 0.4], n_draws=5, **options)


class TestHeterogeneityAtANamedLevel:
    """The effects of a level that ``at`` names are part of the mean."""

    def test_moves_the_interval_and_keeps_its_width(self):
        fit = exact_fit()
        zero, named = (link_row(bg.heterogeneity(fit, at, over=["g"])) for at in ({"x": 1.0}, {"x": 1.0, "h": "q"}))
        effect = parameters(fit).groups[1].b[0, 1, 0]
        assert named["plug_in_lower"] == pytest.approx(zero["plug_in_lower"] + effect, rel=ALGEBRAIC)
        assert named["plug_in_upper"] == pytest.approx(zero["plug_in_upper"] + effect, rel=ALGEBRAIC)
        assert named["average_subject"] == pytest.approx(zero["average_subject"] + effect, rel=ALGEBRAIC)

    def test_of_slopes_adds_the_slope_of_the_level(self):
        fit = both_slopes(spread=0.0)
        zero, named = (link_row(bg.heterogeneity(fit, at, of="slope", variable="x", over="g")) for at in ({}, {"h": "s"}))
        effect = parameters(fit).groups[1].b[0, 3, 1]
        assert named["plug_in_upper"] == pytest.approx(zero["plug_in_upper"] + effect, rel=1e-9)  # a derivative by differences

    def test_of_contrasts_compares_named_levels(self):
        fit = exact_fit()
        found = bg.heterogeneity(fit, {"h": "q"}, of="contrast", versus={"h": "p"}, over="g")
        b = parameters(fit).groups[1].b[0, :, 0]
        assert link_row(found)["plug_in_upper"] == pytest.approx(b[1] - b[0], rel=ALGEBRAIC)
        p = special.expit([0.4 + fit.frame["x"].mean() * 0.8 + b[k] for k in range(2)])
        response = found.table[found.table["scale"] == "response"].iloc[0]
        assert response["average_subject"] == pytest.approx(p[1] - p[0], rel=1e-9)  # a subtraction

    def test_of_a_table_is_that_of_each_row(self):
        fit = exact_fit()
        rows = pd.DataFrame({"x": [0.0, 0.0], "drug": "a", "h": ["p", "r"]})
        upper = draws_of(bg.heterogeneity(fit, rows, over="g"), "upper")[0]
        b = parameters(fit).groups[1].b[0, :, 0]
        assert upper[1] - upper[0] == pytest.approx(b[2] - b[0], rel=1e-9)  # a subtraction

    def test_is_told_in_the_target(self):
        fit = exact_fit()
        named, zero = (bg.heterogeneity(fit, at, over="g").target for at in ({"h": "q"}, {}))
        assert named.endswith("; given the named levels of h, whose effects are part of x'beta")
        assert zero.endswith("; random effects of h at zero")
        data = table().assign(room=np.resize(["one", "two", "three"], 120))
        three = make_fit("y ~ 1 + (1 | g) + (1 | h) + (1 | room)", data)
        both = bg.heterogeneity(three, {"room": "two"}, over="g").target
        assert both.endswith("; given the named levels of room, whose effects are part of x'beta; random effects of h at zero")

    def test_is_needed_on_both_sides_of_a_contrast(self):
        with pytest.raises(ArgumentError, match=r"named in at and not in versus.*column 'h'"):
            bg.heterogeneity(exact_fit(), {"h": "q"}, of="contrast", versus={"x": 0.0}, over="g")
        with pytest.raises(ArgumentError, match="in at and versus alike"):
            bg.heterogeneity(exact_fit(), {"x": 1.0}, of="contrast", versus={"h": "q"}, over="g")

    def test_of_a_factor_that_varies_is_refused(self):
        with pytest.raises(ArgumentError, match=r"named in at.*column 'g'.*over leaves out"):
            bg.heterogeneity(exact_fit(), {"g": "g01", "h": "p"}, over="g")

    def test_that_is_unknown_is_refused(self):
        with pytest.raises(LevelError, match="h: 'z'"):
            bg.heterogeneity(exact_fit(), {"h": "z"}, over="g")

    def test_a_column_that_is_a_predictor_too_names_no_level(self):
        data = table().assign(year=np.resize([1.0, 2.0, 3.0, 4.0, 5.0], 120))
        fit = make_fit("y ~ year + (1 | g) + (1 | year)", data)
        result = bg.heterogeneity(fit, {"year": 2.5}, over="g")
        assert "random effects of year at zero" in result.target


class TestNestedSubjects:
    """Children within a named parent."""

    def test_a_child_of_a_named_parent(self):
        fit = implicit_fit()
        result = bg.heterogeneity(fit, {"x": 0.0, "batch": "B"}, over="sample")
        draws = parameters(fit)
        m, sd = draws.beta[:, 0] + draws.groups[0].b[:, 1, 0], draws.groups[1].sd[:, 0]
        np.testing.assert_allclose(draws_of(result, "upper")[:, 0], m + special.ndtri(0.975) * sd, rtol=ALGEBRAIC)

    def test_a_new_parent_of_a_named_child_does_not_exist(self):
        with pytest.raises(ArgumentError, match="batch is averaged over while a level of sample is given"):
            bg.heterogeneity(implicit_fit(), {"sample": "A1"}, over="batch")

    def test_a_named_child_brings_its_parent(self):
        fit = make_fit(
            "zero_one ~ x + (1 | batch) + (1 | sample) + (1 | h)", casks(), family="bernoulli", spread=0.0, n_chains=1, n_draws=1
        )
        result = bg.heterogeneity(fit, {"x": 0.0, "sample": "B2"}, over="h")
        b = parameters(fit).groups
        assert link_row(result)["average_subject"] == pytest.approx(b[0].b[0, 1, 0] + b[1].b[0, 6, 0], rel=ALGEBRAIC)
        assert "given the named levels of batch and sample" in result.target


class TestSharesAtANamedLevel:
    """As for heterogeneity."""

    def test_share_above(self):
        fit = exact_fit()
        found = shares(fit, {"x": 0.0, "h": "r"}, threshold=0.5, over="g")
        g, h = parameters(fit).groups
        wanted = special.ndtr((0.4 + h.b[0, 2, 0]) / g.sd[0, 0])
        np.testing.assert_allclose(found.table["mean"], wanted, rtol=ALGEBRAIC)
        assert "given the named levels of h" in found.target

    def test_slopes_of_the_other_sign(self):
        fit = both_slopes()
        found = draws_of(opposite_slopes(fit, "x", {"h": ["p", "q"]}, over="g"), "share").reshape(-1, 2, 2)
        draws = parameters(fit)
        for k in range(2):
            d = draws.beta[:, 1] + draws.groups[1].b[:, k, 1]
            np.testing.assert_allclose(found[:, k, 0], special.ndtr(-np.abs(d) / draws.groups[0].sd[:, 1]), rtol=1e-7)
            own = d[:, None] + draws.groups[0].b[:, :, 1]
            np.testing.assert_allclose(found[:, k, 1], np.mean(own * d[:, None] < 0, axis=1), rtol=ALGEBRAIC)

    def test_slopes_of_the_children_of_the_named_parent(self):
        fit = make_fit("y ~ x + (x | batch) + (x | sample)", casks(), beta=[0.5, 0.4], n_draws=5)
        result = opposite_slopes(fit, "x", {"batch": ["A", "C"]}, over="sample")
        found = draws_of(result, "share").reshape(-1, 2, 2)
        draws = parameters(fit)
        for k, batch in enumerate([0, 2]):
            d = draws.beta[:, 1] + draws.groups[0].b[:, batch, 1]
            own = d[:, None] + draws.groups[1].b[:, 4 * batch : 4 * batch + 4, 1]
            np.testing.assert_allclose(found[:, k, 1], np.mean(own * d[:, None] < 0, axis=1), rtol=ALGEBRAIC)
        assert any("those that belong to the named levels" in n for n in result.notes)


def test_ratios_of_groups_say_that_other_effects_cancel():
    fit = exact_fit()
    for function in (median_odds_ratio, interval_odds_ratio):
        assert "effects of the other factors are equal in both and cancel" in function(fit, over="g").target
        assert "cancel" not in function(make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli")).target
        with pytest.raises(ArgumentError, match=r"column 'h'.*leave it out of at; contrasts\(fit, 'h', target='group'\)"):
            function(fit, {"h": "p"}, over="g")
