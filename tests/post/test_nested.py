"""Nested factors: impossible combinations are refused, a child brings its parent along, and averages stay within the parent."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.numerics.marginal import population_mean
from bayesglmm.post.hierarchy import check_levels, children_of, parents_of, shared_factors
from bayesglmm.post.rows import build_rows
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC

BATCHES, SAMPLES = ("A", "B", "C"), tuple(f"{b}{k}" for b in "ABC" for k in range(4))
IMPOSSIBLE = r"sample 'A1' with batch 'B', row 0 .*belongs to batch 'A'.*name the level of sample alone"


def casks() -> pd.DataFrame:
    """Twelve samples in three batches; ``cask`` names them by letters of their own, ``number`` by numbers that start again."""
    return table().assign(
        batch=np.repeat(BATCHES, 40), sample=np.repeat(SAMPLES, 10), cask=np.repeat(list("abcdefghijkl"), 10), number=np.tile(range(4), 30)
    )


def implicit_fit(**options: object):
    """Nesting that the formula does not tell."""
    return make_fit(
        "zero_one ~ x + (1 | batch) + (1 | sample)", casks(), **{"family": "bernoulli", "beta": [0.2, 0.5], "n_draws": 5, **options}
    )


def explicit_fit(inner: str = "cask"):
    return make_fit(f"zero_one ~ x + (1 | batch/{inner})", casks(), family="bernoulli", beta=[0.2, 0.5], n_draws=5)


def eta(fit, x: float, batch: int, sample: int) -> np.ndarray:
    """Predictor of one sample in one batch, per draw."""
    draws = parameters(fit)
    return draws.beta @ [1.0, x] + draws.groups[0].b[:, batch, 0] + draws.groups[1].b[:, sample, 0]


def test_the_data_say_what_is_nested():
    fit = implicit_fit()
    assert parents_of(fit, "sample") == ("batch",)
    assert children_of(fit, "batch") == ("sample",)
    assert shared_factors(fit, "sample") == ("batch", "sample")
    assert parents_of(fit, "batch") == children_of(fit, "sample") == ()
    assert parents_of(crossed_fit(), "g") == parents_of(crossed_fit(), "h") == ()


class TestImpossibleCombinations:
    """A level and a parent that is not its own."""

    at: ClassVar = {"batch": "B", "sample": "A1"}

    @pytest.mark.parametrize(
        "ask",
        [
            lambda fit, at: bg.means(fit, at, target="group"),
            lambda fit, at: bg.contrasts(fit, "x", [0, 1], at, target="group"),
            lambda fit, at: bg.pairwise(fit, "x", [0, 1], at, target="group"),
            lambda fit, at: bg.slopes(fit, "x", at, target="group"),
            lambda fit, at: bg.compare_targets(fit, at=at, targets=("population", "group")),
            lambda fit, at: bg.means(fit, pd.DataFrame([{"x": 0.0, **at}]), target="group"),
            lambda fit, at: bg.contrasts(fit, "x", [0, 1], pd.DataFrame([{"x": 0.0, **at}]), target="group"),
        ],
        ids=["means", "contrasts", "pairwise", "slopes", "compare_targets", "table", "contrasts of a table"],
    )
    def test_are_refused_with_the_true_parent(self, ask):
        with pytest.raises(LevelError, match=IMPOSSIBLE):
            ask(implicit_fit(), self.at)

    @pytest.mark.parametrize("target", ["population", "observed_groups"])
    def test_are_refused_among_given_factors(self, target):
        fit = make_fit("zero_one ~ 1 + (1 | batch) + (1 | sample) + (1 | h)", casks(), family="bernoulli", n_draws=5)
        with pytest.raises(LevelError, match=r"sample 'A1' with batch 'B'"):
            bg.means(fit, self.at, target=target, over=["h"])
        assert len(bg.means(fit, {"sample": "A1"}, target=target, over=["h"]).table) == 1

    def test_name_the_row_of_a_table(self):
        fit = implicit_fit()
        rows = fit.frame.iloc[[0, 50, 119]].assign(batch=["A", "B", "B"])
        with pytest.raises(LevelError, match=r"sample 'C3' with batch 'B', row 2"):
            bg.means(fit, rows, target="group")

    def test_of_a_cell_say_where_the_label_occurs(self):
        with pytest.raises(LevelError, match=r"batch:cask: 'A:g'; cask 'g' occurs in batch 'B'"):
            bg.means(explicit_fit(), {"batch": "A", "cask": "g"}, target="group")
        with pytest.raises(LevelError, match=r"has not seen these levels.*batch:cask: 'A:nothing'"):
            bg.means(explicit_fit(), {"batch": "A", "cask": "nothing"}, target="group")

    def test_of_three_levels_are_found_between_any_two(self):
        data = casks().assign(site=np.repeat(["east", "west"], [80, 40]))
        fit = make_fit("y ~ 1 + (1 | site) + (1 | batch) + (1 | sample)", data)
        assert parents_of(fit, "sample") == ("site", "batch")
        with pytest.raises(LevelError, match=r"batch 'C' with site 'east'.*belongs to site 'west'"):
            bg.means(fit, {"site": "east", "batch": "C", "sample": "C0"}, target="group")
        result = bg.means(fit, {"sample": "C0"}, target="group")
        b = parameters(fit).groups
        expected = parameters(fit).beta[:, 0] + b[0].b[:, 1, 0] + b[1].b[:, 2, 0] + b[2].b[:, 8, 0]
        np.testing.assert_allclose(draws_of(result)[:, 0], expected, rtol=ALGEBRAIC)

    def test_of_crossed_factors_do_not_exist(self):
        fit = crossed_fit()
        pairs = np.array([(i, j) for i in range(20) for j in range(4)])
        check_levels(fit, (pairs[:, 0], pairs[:, 1]))
        assert len(bg.means(fit, {"g": "all", "h": "all"}, target="group").table) == 80


class TestAChildAlone:
    """A named child brings its parent along."""

    def test_has_the_effect_of_its_parent(self):
        fit = implicit_fit()
        result = bg.means(fit, {"x": 1.0, "sample": ["A0", "C3"]}, target="group")
        np.testing.assert_allclose(draws_of(result)[:, 0], special.expit(eta(fit, 1.0, 0, 0)), rtol=ALGEBRAIC)
        np.testing.assert_allclose(draws_of(result)[:, 1], special.expit(eta(fit, 1.0, 2, 11)), rtol=ALGEBRAIC)
        assert result.table.columns[:2].tolist() == ["x", "sample"]
        assert any("batch: that of each named sample" in n for n in result.notes)

    def test_of_a_cell_needs_labels_of_its_own(self):
        fit = explicit_fit()
        found = draws_of(bg.means(fit, {"cask": "g"}, target="group"))
        np.testing.assert_array_equal(found, draws_of(bg.means(fit, {"batch": "B", "cask": "g"}, target="group")))
        with pytest.raises(ArgumentError, match=r"level of every grouping factor.*batch"):
            bg.means(explicit_fit("number"), {"number": 2}, target="group")

    def test_may_stand_in_a_table(self):
        fit = implicit_fit()
        rows = fit.frame[["x", "sample"]].iloc[::7]
        np.testing.assert_array_equal(
            draws_of(bg.means(fit, rows, target="group")), draws_of(bg.means(fit, fit.frame.iloc[::7], target="group"))
        )
        found = bg.contrasts(fit, "x", [0, 1], rows, target="group")
        wanted = bg.contrasts(fit, "x", [0, 1], fit.frame.iloc[::7], target="group")
        np.testing.assert_array_equal(draws_of(found, "contrast"), draws_of(wanted, "contrast"))

    def test_that_is_unknown_is_refused(self):
        with pytest.raises(LevelError, match="sample: 'Z9'"):
            bg.means(implicit_fit(), {"sample": "Z9"}, target="group")

    def test_of_kept_categories_and_numbers(self):
        data = casks().assign(batch=lambda d: pd.Categorical(d["batch"], categories=["C", "B", "A"]), sample=np.repeat(np.arange(12), 10))
        fit = make_fit("y ~ 1 + (1 | batch) + (1 | sample)", data)
        rows = build_rows(fit, {"sample": [0, 11]}, target="group")
        assert [fit.design.groups[0].levels[k] for k in rows.index[0]] == ["A", "C"]


class TestAveragesWithinAParent:
    """Only the levels that belong to the named one."""

    @pytest.mark.parametrize("inner", ["sample", "cask", "number"])
    def test_are_over_its_own_children(self, inner):
        fit = implicit_fit() if inner == "sample" else explicit_fit(inner)
        child = fit.design.groups[1].name
        result = bg.means(fit, {"x": 0.5, "batch": ["A", "C"]}, target="observed_groups", over=[child])
        for column, batch in enumerate([0, 2]):
            mean = np.mean([special.expit(eta(fit, 0.5, batch, 4 * batch + k)) for k in range(4)], axis=0)
            np.testing.assert_allclose(draws_of(result)[:, column], mean, rtol=ALGEBRAIC)
        assert f"only those levels of {child} that belong to them" in result.target

    def test_of_the_population_integrate_new_children(self):
        fit = implicit_fit()
        draws = parameters(fit)
        found = draws_of(bg.means(fit, {"x": 0.5, "batch": "B"}, target="population", over=["sample"]))
        m = draws.beta @ [1.0, 0.5] + draws.groups[0].b[:, 1, 0]
        expected = population_mean("logit", m, np.square(draws.groups[1].sd[:, 0]))
        np.testing.assert_allclose(found[:, 0], expected.value, rtol=0, atol=2 * expected.bound)

    def test_of_the_data_stay_in_each_row_of_it(self):
        fit = implicit_fit()
        result = bg.means(fit, target="observed_groups", over="sample", by="batch")
        for column, batch in enumerate(BATCHES):
            x = fit.frame.loc[fit.frame["batch"] == batch, "x"]
            mean = np.mean([special.expit(eta(fit, v, column, 4 * column + k)) for v in x for k in range(4)], axis=0)
            np.testing.assert_allclose(draws_of(result)[:, column], mean, rtol=ALGEBRAIC)

    def test_without_draws_are_the_same(self, monkeypatch):
        fit, at = implicit_fit(), {"x": [0.0, 0.5, 1.0], "batch": ["A", "B", "C"]}
        kept = bg.means(fit, at, target="observed_groups", over="sample")
        monkeypatch.setattr("bayesglmm.post.means.AT_ONCE", 20)
        left = bg.means(fit, at, target="observed_groups", over="sample", keep_draws=False)
        pd.testing.assert_frame_equal(left.table, kept.table)

    def test_are_compared(self):
        fit = implicit_fit()
        means = draws_of(bg.means(fit, {"x": 0.5, "batch": ["A", "B", "C"]}, target="observed_groups", over="sample"))
        found = bg.pairwise(fit, "batch", at={"x": 0.5}, target="observed_groups", over="sample")
        wanted = np.stack([means[:, j] - means[:, i] for i, j in ((0, 1), (0, 2), (1, 2))], axis=1)
        np.testing.assert_allclose(draws_of(found, "contrast"), wanted, rtol=0, atol=1e-12)  # means of order one, subtracted

    def test_have_slopes(self):
        fit = implicit_fit()
        found = draws_of(bg.slopes(fit, "x", {"x": 0.5, "batch": "B"}, target="observed_groups", over="sample"), "slope")
        p = [special.expit(eta(fit, 0.5, 1, 4 + k)) for k in range(4)]
        slope = parameters(fit).beta[:, 1] * np.mean([q * (1 - q) for q in p], axis=0)
        np.testing.assert_allclose(found[:, 0], slope, rtol=1e-7)  # central differences

    def test_over_a_third_crossed_factor_use_the_combinations_that_can_exist(self):
        fit = make_fit("zero_one ~ 1 + (1 | batch) + (1 | sample) + (1 | h)", casks(), family="bernoulli", n_draws=5)
        b, draws = parameters(fit).groups, parameters(fit)
        found = draws_of(bg.means(fit, {"batch": "B"}, target="observed_groups", over=["sample", "h"]))
        rows = fit.design.groups
        pairs = {(int(s), int(h)) for k, s, h in zip(*(g.index for g in rows), strict=True) if k == 1}
        expected = [special.expit(draws.beta[:, 0] + b[0].b[:, 1, 0] + b[1].b[:, s, 0] + b[2].b[:, h, 0]) for s, h in pairs]
        assert len({s for s, _ in pairs}) == 4
        np.testing.assert_allclose(found[:, 0], np.mean(expected, axis=0), rtol=ALGEBRAIC)

    def test_of_cells_of_two_crossed_factors_are_the_one_cell(self):
        fit = make_fit("zero_one ~ 1 + (1 | g) + (1 | h) + (1 | g:h)", table(), family="bernoulli", n_draws=5)
        g, h, cell = (d.index for d in fit.design.groups)
        present = int(h[g == 3][0])
        level = fit.design.groups[1].levels[present]
        draws = parameters(fit)
        own = int(cell[(g == 3) & (h == present)][0])
        expected = draws.beta[:, 0] + draws.groups[0].b[:, 3, 0] + draws.groups[1].b[:, present, 0] + draws.groups[2].b[:, own, 0]
        one = draws_of(bg.means(fit, {"g": "g03", "h": level}, target="observed_groups", over="g:h"))
        np.testing.assert_allclose(one[:, 0], special.expit(expected), rtol=ALGEBRAIC)
        absent = next((i, j) for i in range(20) for j in range(4) if not np.any((g == i) & (h == j)))
        names = [fit.design.groups[k].levels[j] for k, j in enumerate(absent)]
        with pytest.raises(LevelError, match=rf"no observed level of g:h.*g '{names[0]}', h '{names[1]}'.*target='population'"):
            bg.means(fit, {"g": names[0], "h": names[1]}, target="observed_groups", over="g:h")

    @pytest.mark.parametrize("target", ["population", "observed_groups"])
    def test_over_a_parent_while_its_child_is_given_have_no_meaning(self, target):
        with pytest.raises(ArgumentError, match=r"batch is averaged over while a level of sample is given.*name sample in over too"):
            bg.means(implicit_fit(), {"sample": "A1"}, target=target, over=["batch"])


class TestTheVariableIsAFactor:
    """Levels of nested factors against each other."""

    @pytest.mark.parametrize("at", [None, {}], ids=["data", "grid"])
    def test_a_child_is_compared_with_its_parent_along(self, at):
        fit = implicit_fit()
        found = bg.contrasts(fit, "sample", ["A0", "B1"], at, target="group")
        x = fit.frame["x"] if at is None else [fit.frame["x"].mean()]
        wanted = np.mean([special.expit(eta(fit, v, 1, 5)) - special.expit(eta(fit, v, 0, 0)) for v in x], axis=0)
        np.testing.assert_allclose(draws_of(found, "contrast")[:, 0], wanted, rtol=0, atol=1e-12)  # a subtraction
        assert any("batch: that of each named sample" in n for n in found.notes)

    def test_a_parent_of_rows_that_name_children_is_refused(self):
        with pytest.raises(LevelError, match=r"with batch '.'.*over=\['sample'\]"):
            bg.contrasts(implicit_fit(), "batch", target="group")

    def test_children_of_one_parent_by_numbers_that_start_again(self):
        fit = explicit_fit("number")
        found = bg.pairwise(fit, "number", [0, 3], {"batch": "B", "x": 0.0}, target="group", scale="link")
        b = parameters(fit).groups[1].b[:, :, 0]
        np.testing.assert_allclose(draws_of(found, "contrast")[:, 0], b[:, 7] - b[:, 4], rtol=1e-9)  # a subtraction of logits


class TestLinesOfSingleLevels:
    """A child's line has its parent's effects, as its mean has; a crossed factor stays at zero."""

    xs = (-1.0, 0.0, 2.0)

    def test_curves_are_the_means_of_the_child(self):
        fit = implicit_fit()
        result = bg.curves(fit, "x", values=self.xs, factor="sample", groups=["B1", "A0"])
        for level in ("B1", "A0"):
            line = result.table[result.table["level"] == level]
            means = bg.means(fit, {"x": list(self.xs), "sample": level}, target="group").table
            np.testing.assert_allclose(line["mean"], means["mean"], rtol=ALGEBRAIC)
        said = "The line of a single group of sample has the random effects of the batch that it belongs to."
        assert said in result.notes
        assert not any("at zero" in note for note in result.notes)

    def test_the_lattice_too(self):
        fit = implicit_fit()
        result = bg.lattice(fit, "x", factor="sample", groups=["B1", "C2"])
        for level in ("B1", "C2"):
            line = result.table[(result.table["level"] == level) & (result.table["kind"] == "group")]
            means = bg.means(fit, {"x": line["x"].tolist(), "sample": level}, target="group").table
            np.testing.assert_allclose(line["mean"], means["mean"], rtol=ALGEBRAIC)
        assert "The line of a single level of sample has the random effects of the batch that it belongs to." in result.notes

    def test_a_parent_has_no_child_and_a_crossed_factor_is_at_zero(self):
        fit = make_fit("zero_one ~ x + (1 | batch/cask) + (1 | h)", casks(), family="bernoulli", beta=[0.2, 0.5], n_draws=5)
        draws = parameters(fit)
        batch, cell = (next(k for k, g in enumerate(fit.design.groups) if g.name == name) for name in ("batch", "batch:cask"))
        parent = bg.curves(fit, "x", values=[0.0], factor="batch", groups=["B"])
        wanted = special.expit(draws.beta[:, 0] + draws.groups[batch].b[:, 1, 0])
        np.testing.assert_allclose(draws_of(parent, "curve")[:, 0], wanted, rtol=ALGEBRAIC)
        assert any("effects of batch:cask, h are at zero" in note for note in parent.notes)
        child = bg.curves(fit, "x", values=[0.0], factor="batch:cask", groups=["B:e"])
        b = draws.groups[cell].b[:, fit.design.groups[cell].levels.index("B:e"), 0]
        wanted = special.expit(draws.beta[:, 0] + draws.groups[batch].b[:, 1, 0] + b)
        np.testing.assert_allclose(draws_of(child, "curve")[:, 0], wanted, rtol=ALGEBRAIC)
        assert any("effects of h are at zero" in note for note in child.notes)
