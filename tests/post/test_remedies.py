"""What messages say to do works, and they name nothing that a user cannot know."""

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, LevelError
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.post.test_nested import casks, explicit_fit, implicit_fit


def version_fit():
    """A user's own column is called as one of ours was."""
    return make_fit("y ~ x + drug * version + (1 | g)", table().rename(columns={"h": "version"}), n_draws=10)


class TestInternalColumns:
    """They are not seen from outside."""

    @pytest.mark.parametrize("name", ["period", "version", "version_"])
    @pytest.mark.parametrize(
        "ask",
        [
            lambda fit, by: bg.contrasts(fit, "drug", target="population", by=by),
            lambda fit, by: bg.slopes(fit, "x", target="population", by=by),
            lambda fit, by: bg.pairwise(fit, "drug", target="population", by=by),
            lambda fit, by: bg.compare_targets(fit, variable="drug", targets=["average_subject", "population"], by=by),
        ],
        ids=["contrasts", "slopes", "pairwise", "compare_targets"],
    )
    def test_are_not_offered_nor_found(self, ask, name):
        with pytest.raises(ColumnError, match=f"no column '{name}' to average within") as raised:
            ask(crossed_fit(), name)
        assert "version" not in raised.value.fix

    def test_leave_a_users_column_of_that_name_alone(self):
        fit = version_fit()
        twin = make_fit("y ~ x + drug * h + (1 | g)", table(), n_draws=10)
        found = bg.contrasts(fit, "drug", target="population", by="version")
        wanted = bg.contrasts(twin, "drug", target="population", by="h")
        pd.testing.assert_frame_equal(found.table, wanted.table.rename(columns={"h": "version"}))
        slopes, wanted = (bg.slopes(f, "x", target="population", by=n) for f, n in ((fit, "version"), (twin, "h")))
        pd.testing.assert_frame_equal(slopes.table, wanted.table.rename(columns={"h": "version"}))
        varied, wanted = (bg.contrasts(f, n, target="population", by="drug") for f, n in ((fit, "version"), (twin, "h")))
        pd.testing.assert_series_equal(varied.table["mean"], wanted.table["mean"])


class TestContrastsBeyondTheNumbers:
    """The comparison that the message names is finite."""

    def test_of_means_without_an_upper_end(self):
        fit = make_fit("count ~ x + (1 | g)", table(), family="poisson", beta=[0.0, 1.0], n_draws=5)
        for compare in ("ratio", "difference"):
            with pytest.raises(ArgumentError, match=r"compare closer values, or use compare='difference' with scale='link'\."):
                bg.contrasts(fit, "x", [0, 900], {}, target="population", compare=compare)
        found = bg.contrasts(fit, "x", [0, 900], {}, target="population", compare="difference", scale="link")
        assert np.isfinite(found.table["mean"]).all()

    def test_of_probabilities(self):
        fit = crossed_fit(spread=0.0)
        with pytest.raises(ArgumentError, match=r"compare closer values, or use compare='difference'\."):
            bg.contrasts(fit, "x", [0, 2000], {}, target="average_subject", compare="odds_ratio")
        assert bg.contrasts(fit, "x", [0, 2000], {}, target="average_subject").table["mean"].between(0.0, 1.0).all()


class TestNestedFactors:
    """A factor and what lies within it."""

    def test_whose_parent_is_compared_for_named_groups(self):
        fit = implicit_fit()
        words = r"each level of sample belongs to one level of batch only.*'population' or 'observed_groups', over=\['sample'\]"
        for ask in (bg.contrasts, bg.pairwise):
            with pytest.raises(ArgumentError, match=words):
                ask(fit, "batch", ["A", "B"], {}, target="group")
        for target in ("population", "observed_groups"):
            assert len(bg.contrasts(fit, "batch", ["A", "B"], {}, target=target, over=["sample"]).table) == 1
        with pytest.raises(ArgumentError, match=r"each level of cask .*over=\['batch:cask'\]"):
            bg.contrasts(explicit_fit(), "batch", ["A", "B"], {}, target="group")

    def test_whose_labels_start_again_are_named(self):
        fit = explicit_fit("number")
        with pytest.raises(ArgumentError, match=r"at={'number': \.\.\.}"):
            bg.contrasts(fit, "batch", ["A", "B"], {}, target="group")
        assert len(bg.contrasts(fit, "batch", ["A", "B"], {"number": 2}, target="group").table) == 1

    def test_of_three_depths_are_averaged_over_together(self):
        data = casks().assign(site=np.repeat(["east", "west"], [80, 40]))
        fit = make_fit("y ~ 1 + (1 | site) + (1 | batch) + (1 | sample)", data)
        with pytest.raises(ArgumentError, match=r"each level of batch and sample .*over=\['batch', 'sample'\]"):
            bg.contrasts(fit, "site", ["east", "west"], {}, target="group")
        assert len(bg.contrasts(fit, "site", ["east", "west"], {}, target="population", over=["batch", "sample"]).table) == 1

    def test_are_among_the_names_of_columns(self):
        with pytest.raises(ColumnError, match=r"did you mean 'batch'.*The columns are: x, batch, sample"):
            bg.contrasts(implicit_fit(), "bach", target="population")


class TestUnseenLevels:
    """The way out is one that the function has."""

    def test_of_a_factor_whose_children_vary(self):
        fit = implicit_fit()
        words = "name an observed level; or, for a new one, leave batch and sample out of at and name batch and sample in over"
        with pytest.raises(LevelError, match=words):
            bg.heterogeneity(fit, {"batch": "zz"}, over="sample")
        bg.heterogeneity(fit, {}, over=["batch", "sample"])
        with pytest.raises(LevelError, match=words):
            bg.means(fit, {"batch": "zz"}, target="population", over=["sample"])
        bg.means(fit, {}, target="population", over=["batch", "sample"])

    def test_of_a_cell_leave_its_own_column_out(self):
        fit = explicit_fit()
        for label in ("z", "g"):
            with pytest.raises(LevelError, match="leave cask out of at and name batch:cask in over"):
                bg.means(fit, {"batch": "A", "cask": label}, target="group")
        bg.means(fit, {"batch": "A"}, target="population", over=["batch:cask"])
        with pytest.raises(LevelError, match="leave batch and cask out of at and name batch and batch:cask in over"):
            bg.means(fit, {"cask": "z"}, target="group")
        bg.means(fit, {}, target="population", over=["batch", "batch:cask"])

    def test_of_one_of_two_crossed_factors_keep_the_other(self):
        with pytest.raises(LevelError, match="leave h out of at and name h in over"):
            bg.means(crossed_fit(), {"h": "z", "g": "g01"}, target="group")
        bg.means(crossed_fit(), {"g": "g01"}, target="population", over=["h"])


class TestTheRowThatIsSubtracted:
    """It names the levels that the other one names."""

    def test_without_a_level_is_refused(self):
        fit = implicit_fit()
        with pytest.raises(ArgumentError, match=r"named in at and not in versus.*name it in versus too, versus={'batch': \.\.\."):
            bg.heterogeneity(fit, {"batch": "A", "x": 1}, of="contrast", versus={"x": 0}, over="sample")
        with pytest.raises(ArgumentError, match=r"named in at and not in versus.*column 'batch'"):
            bg.heterogeneity(fit, {"batch": "A", "x": 1}, of="contrast", versus=pd.DataFrame({"x": [0.0]}), over="sample")
        bg.heterogeneity(fit, {"batch": "A", "x": 1}, of="contrast", versus={"batch": "A", "x": 0}, over="sample")

    def test_may_name_a_child_alone(self):
        fit = make_fit("y ~ x + (1 | batch) + (1 | sample) + (1 | h)", casks())
        at, versus = {"sample": "A0", "x": 1}, {"sample": "B0", "x": 0}
        assert len(bg.heterogeneity(fit, at, of="contrast", versus=versus, over="h").table) > 0


class TestTimesOfSideBySide:
    """They are columns of the fitted formula, which the table of a marginal model need not be."""

    @pytest.mark.parametrize("time", ["x", "visit", "age"])
    def test_point_to_the_marginal_model_by_itself(self, time):
        fit = make_fit("y ~ x + age + (1 | g)", table().assign(age=np.resize([1, 1, 2], 120)), n_draws=5)
        with pytest.raises(ColumnError, match=r"a fit keeps only the columns .*gee\(formula, table, structure='ar1', time='visit'\)"):
            bg.side_by_side(fit, structure="ar1", time=time)

    def test_by_itself_it_takes_the_number_of_the_visit(self):
        data = table().assign(visit=lambda d: d.groupby("g").cumcount())
        assert len(bg.gee("y ~ x + (1 | g)", data, structure="ar1", time="visit").table) > 0
