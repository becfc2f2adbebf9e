"""Nested factors among rows whose groups may be new, and contrasts within levels that are nested in what changes."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, LevelError
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of
from tests.post.test_nested import casks, explicit_fit, implicit_fit
from tests.tolerances import ALGEBRAIC

MISPLACED = r"sample 'A1' with batch '{}', row 1 of the new rows.*belongs to batch 'A'.*name batch 'A' with it"


def rows(batch, sample) -> pd.DataFrame:
    return pd.DataFrame({"x": 0.0, "batch": batch, "sample": sample})


def own(batch, sample) -> pd.DataFrame:
    """Rows of a new subject with its responses."""
    return rows(batch, sample).assign(zero_one=1)


class TestAnObservedChild:
    """It belongs to its own parent whatever new levels mean."""

    @pytest.mark.parametrize("new_groups", ["error", "population", "observed"])
    @pytest.mark.parametrize("ask", [bg.predict, bg.simulate])
    def test_is_refused_with_another_parent(self, ask, new_groups):
        with pytest.raises(LevelError, match=MISPLACED.format("B")):
            ask(implicit_fit(), rows(["A", "B"], ["A0", "A1"]), new_groups=new_groups)

    @pytest.mark.parametrize("ask", [bg.predict, bg.simulate])
    def test_is_refused_with_a_new_parent(self, ask):
        with pytest.raises(LevelError, match=MISPLACED.format("NEW")):
            ask(implicit_fit(), rows(["A", "NEW"], ["A0", "A1"]), new_groups="population", seed=1)

    def test_is_refused_as_part_of_a_new_subject(self):
        with pytest.raises(LevelError, match=MISPLACED.format("NEW")):
            bg.update_subject(implicit_fit(), own(["NEW", "NEW"], ["a new one", "A1"]))
        with pytest.raises(LevelError, match="sample 'A1' with batch 'NEW'"):
            bg.update_subject(implicit_fit(), None, at=rows(["NEW"], ["A1"]))

    def test_is_taken_with_its_own_as_the_message_says(self):
        fit = implicit_fit()
        found = bg.predict(fit, rows(["A", "A"], ["A0", "A1"]))
        wanted = bg.means(fit, {"x": 0.0, "sample": ["A0", "A1"]}, target="group")
        np.testing.assert_allclose(draws_of(found), draws_of(wanted), rtol=ALGEBRAIC)
        assert len(bg.predict(fit, rows(["A", "B"], ["A0", "B.A1"]), new_groups="population", seed=1).table) == 2


class TestANewChild:
    """It belongs to one parent, which the rows choose."""

    @pytest.mark.parametrize("parents", [["A", "B"], ["A", "NEW"], ["NEW", "OTHER"]])
    def test_under_two_parents_is_refused(self, parents):
        message = rf"sample 'S' with batch '{parents[1]}', row 1 .*before it stood with batch '{parents[0]}'.*'{parents[0]}.S' and"
        with pytest.raises(LevelError, match=message):
            bg.predict(implicit_fit(), rows(parents, ["S", "S"]), new_groups="population", seed=1)
        with pytest.raises(LevelError, match=message):
            bg.update_subject(implicit_fit(), own(parents, ["S", "S"]))

    def test_under_one_parent_is_taken(self):
        fit = implicit_fit()
        for parent in ("A", "NEW"):
            found = draws_of(bg.predict(fit, rows([parent, parent], ["S", "S"]), new_groups="population", seed=1))
            np.testing.assert_array_equal(found[:, 0], found[:, 1])
            assert len(bg.update_subject(fit, own([parent, parent], ["S", "S"]), seed=1).table) == 2
        two = rows(["A", "B"], ["A.S", "B.S"])
        assert len(bg.predict(fit, two, new_groups="population", seed=1).table) == 2

    def test_stays_where_its_data_put_it(self):
        fit, data = implicit_fit(), own(["A"], ["S"])
        with pytest.raises(LevelError, match=r"sample 'S' with batch 'B', row 0 of at .*before it stood with batch 'A'"):
            bg.update_subject(fit, data, at=rows(["B"], ["S"]))
        assert len(bg.update_subject(fit, data, at=rows(["A"], ["S"]), seed=1).table) == 1

    def test_of_a_cell_has_its_parent_in_its_name(self):
        new = pd.DataFrame({"x": 0.0, "batch": ["B", "A"], "cask": ["a", "a"]})
        with pytest.raises(LevelError, match="B:a"):
            bg.predict(explicit_fit(), new)
        assert len(bg.predict(explicit_fit(), new, new_groups="population", seed=1).table) == 2

    def test_whose_colon_makes_it_read_like_an_observed_cell_is_refused(self):
        data = casks().assign(cask=lambda d: d["cask"].replace("a", "p:q"))
        fit = make_fit("zero_one ~ x + (1 | batch/cask)", data, family="bernoulli", n_draws=5)
        with pytest.raises(LevelError, match=r"batch:cask 'A:p:q' with batch 'A:p', row 0 .*belongs to batch 'A'"):
            bg.predict(fit, pd.DataFrame({"x": 0.0, "batch": ["A:p"], "cask": ["q"]}), new_groups="population")

    def test_of_crossed_factors_goes_with_any_level(self):
        new = pd.DataFrame({"x": 0.0, "drug": "a", "g": ["g00", "NEW", "NEW"], "h": ["p", "q", "NEW"]})
        assert len(bg.predict(crossed_fit(), new, new_groups="population", seed=1).table) == 3


class TestAContrastWithinSubjects:
    """Nobody is in two levels of what subjects are nested in."""

    refused = r"each level of sample belongs to one level of batch only.*batch 'A' and 'B', row 0.*contrasts\(fit, .*over=\['sample'\]"
    one: ClassVar = {"batch": "A", "x": 0.0}

    def test_between_two_parents_is_refused(self):
        fit = implicit_fit()
        with pytest.raises(ArgumentError, match=self.refused):
            bg.heterogeneity(fit, {"batch": ["A", "B"]}, of="contrast", over="sample")
        with pytest.raises(ArgumentError, match=self.refused):
            bg.heterogeneity(fit, {**self.one, "batch": "B"}, of="contrast", versus=self.one, over="sample")
        with pytest.raises(ArgumentError, match="each level of batch:cask belongs to one level of batch only"):
            bg.heterogeneity(explicit_fit(), {"batch": ["A", "B"]}, of="contrast", over="batch:cask")

    def test_is_answered_by_the_function_that_the_message_names(self):
        found = bg.contrasts(implicit_fit(), "batch", ["A", "B"], {}, target="population", over=["sample"])
        assert len(found.table) == 1

    def test_within_one_parent_is_taken(self):
        fit = implicit_fit()
        found = bg.heterogeneity(fit, {"batch": "B", "x": [0.0, 1.0]}, of="contrast", over="sample")
        again = bg.heterogeneity(fit, {"batch": "B", "x": 1.0}, of="contrast", versus={"batch": "B", "x": 0.0}, over="sample")
        np.testing.assert_array_equal(found.table["average_subject"], again.table["average_subject"])

    def test_between_levels_of_a_crossed_factor_is_taken(self):
        found = bg.heterogeneity(crossed_fit(), {"h": ["p", "q"]}, of="contrast", over="g")
        assert found.table["average_subject"].ne(0.0).all()
