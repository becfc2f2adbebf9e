"""Grids and new rows: what is held, what is refused, and that training rows come back as they were."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, LevelError, MissingValueError
from bayesglmm.post.cells import make_cells
from bayesglmm.post.rows import build_rows, distinct_rows, predictor_columns
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC


def test_rows_of_the_data_are_those_of_the_design():
    fit = crossed_fit()
    new, old = build_rows(fit, fit.frame, target="group"), build_rows(fit, None, target="group")
    for found, wanted in zip([new.X, new.offset, *new.Z, *new.index], [old.X, old.offset, *old.Z, *old.index], strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_grid_is_every_combination_last_column_fastest():
    rows = build_rows(crossed_fit(), {"drug": "all", "x": [0, 1]}, target="population")
    assert rows.frame.values.tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1], ["c", 0], ["c", 1]]


def test_what_is_not_named_is_held_and_said():
    fit = make_fit("y ~ x + age + drug + (age | g)", table())
    rows = build_rows(fit, {"x": 1}, target="population")
    mean = table()["age"].mean()
    np.testing.assert_allclose(rows.X[0], [1.0, 1.0, mean, 0.0, 0.0], rtol=ALGEBRAIC)
    np.testing.assert_allclose(rows.Z[0][0], [1.0, mean], rtol=ALGEBRAIC)
    assert rows.notes == (f"Held fixed: age = {mean:.4g} (mean), drug = a (reference level).",)


def test_a_number_coded_as_factor_is_held_at_its_reference():
    data = table().assign(period=np.resize([1, 2, 3], 120))
    first = build_rows(make_fit("y ~ C(period) + (1 | g)", data), {}, target="population")
    np.testing.assert_array_equal(first.X, [[1.0, 0.0, 0.0]])
    second = build_rows(make_fit("y ~ C(period, 'treatment', 2) + (1 | g)", data), {}, target="population")
    np.testing.assert_array_equal(second.X, [[1.0, 0.0, 0.0]])
    assert "period = 2 (reference level)" in second.notes[0]


def test_all_is_every_value_that_occurs():
    data = table().assign(
        dose=pd.Categorical(np.resize(["low", "high"], 120), categories=["low", "mid", "high"]), flag=np.resize([True, True, False], 120)
    )
    rows = build_rows(make_fit("y ~ dose + flag + (1 | g)", data), {"dose": "all", "flag": "all"}, target="population")
    assert rows.frame["dose"].tolist() == ["low", "low", "high", "high"]
    assert rows.frame["flag"].tolist() == [False, True, False, True]
    assert build_rows(make_fit("y ~ x + (1 | g)", data), {"x": "all"}, target="population").n_rows == data["x"].nunique()


def test_nested_levels_are_named_by_their_columns():
    data = table().assign(batch=np.repeat(["A", "B", "C"], 40), cask=np.repeat([f"{c}" for c in "abcdefghijkl"], 10))
    fit = make_fit("y ~ 1 + (1 | batch/cask)", data)
    rows = build_rows(fit, {"batch": "B", "cask": ["f", "g"]}, target="group")
    assert [fit.design.groups[1].levels[i] for i in rows.index[1]] == ["B:f", "B:g"]
    with pytest.raises(LevelError, match="A:g"):
        build_rows(fit, {"batch": "A", "cask": "g"}, target="group")


def test_unknown_column_names_the_nearest():
    with pytest.raises(ColumnError, match="did you mean 'drug'"):
        build_rows(crossed_fit(), {"drgu": "a"}, target="population")
    with pytest.raises(ColumnError, match="zero_one"):
        build_rows(crossed_fit(), {"zero_one": 1}, target="population")
    with pytest.raises(ColumnError, match="drug"):
        build_rows(crossed_fit(), pd.DataFrame({"x": [1.0]}), target="population")


def test_grouping_factors_belong_to_the_group_target():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match="target='group'"):
        build_rows(fit, {"g": "g01"}, target="population")
    with pytest.raises(ArgumentError, match="level of every grouping factor"):
        build_rows(fit, {"g": "g01"}, target="group")
    assert build_rows(fit, {"g": "g01", "h": "all"}, target="group").n_rows == 4


def test_a_grouping_factor_that_is_also_a_predictor_may_be_named():
    fit = make_fit("y ~ h + (1 | g) + (0 + x | h)", table())
    assert build_rows(fit, {"h": ["p", "q"]}, target="population").frame["h"].tolist() == ["p", "q"]


def test_unseen_groups_are_sent_to_the_population():
    with pytest.raises(LevelError, match="target='population'"):
        build_rows(crossed_fit(), {"g": "nobody", "h": "p"}, target="group")


def test_unseen_levels_of_a_predictor_and_missing_values_are_refused():
    with pytest.raises(LevelError, match="z"):
        build_rows(crossed_fit(), {"drug": "z"}, target="population")
    with pytest.raises(MissingValueError):
        build_rows(crossed_fit(), pd.DataFrame({"x": [np.nan], "drug": ["a"]}), target="population")
    with pytest.raises(ArgumentError, match="at least one value"):
        build_rows(crossed_fit(), {"x": []}, target="population")


@pytest.mark.parametrize("options", [{"by": "clinic"}, {"by": "drug", "weights": "clinic"}])
def test_a_missing_value_in_a_column_beside_the_predictor_says_what_can_be_done(options):
    fit, rows = crossed_fit(), crossed_fit().frame.assign(clinic=np.where(np.arange(120) == 3, np.nan, 1.0))
    calls = (
        lambda: bg.means(fit, rows, target="population", **options),
        lambda: bg.contrasts(fit, "x", [0.0, 1.0], rows, target="population", **options),
    )
    for call in calls:
        with pytest.raises(MissingValueError, match=r"clinic \(1\) of 120 rows.*fill in or leave out these rows") as error:
            call()
        assert "missing=" not in str(error.value), "these functions have no such argument"


def test_functions_without_a_target_say_what_to_do_about_a_named_level():
    for function in (bg.variance_partition, bg.heterogeneity):
        with pytest.raises(ArgumentError, match=r"grouping factor is named in at.*column 'g'.*leave it out of at; means\(") as error:
            function(crossed_fit(), {"g": "g01"})
        assert "target='population'" not in str(error.value)


def test_a_factor_of_both_parts_is_held_at_the_reference_of_the_fixed_one():
    fit = make_fit("y ~ drug + (0 + C(drug, 'treatment', 'b') | g)", table())
    assert build_rows(fit, {}, target="population").notes == ("Held fixed: drug = a (reference level).",)


def test_columns_of_the_predictor():
    fit = make_fit("y ~ I(x ** 2) + offset(s) + (age | g) + (1 | h)", table())
    assert predictor_columns(fit, levels=False) == ("x", "s", "age")
    assert predictor_columns(fit, levels=True) == ("x", "s", "age", "g", "h")


def test_an_intercept_only_model_has_a_grid_of_one_row():
    fit = make_fit("y ~ 1 + (1 | g)", table())
    assert build_rows(fit, {}, target="population").n_rows == 1
    assert build_rows(fit, pd.DataFrame({"any": [1, 2, 3]}), target="population").n_rows == 3


def test_distinct_rows_keep_groups_apart_only_when_asked():
    fit = make_fit("y ~ drug + (1 | g)", table())
    rows = build_rows(fit, None, target="group")
    unique, which = distinct_rows(rows, levels=False)
    assert unique.n_rows == 3
    np.testing.assert_array_equal(unique.X[which], rows.X)
    apart, position = distinct_rows(rows, levels=True)
    assert apart.n_rows == len({(d, g) for d, g in fit.frame[["drug", "g"]].itertuples(index=False)})
    np.testing.assert_array_equal(apart.index[0][position], rows.index[0])


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), cells=st.integers(1, 5))
def test_averages_over_distinct_rows_are_averages_over_rows(seed, cells):
    rng = np.random.default_rng(seed)
    rows = build_rows(make_fit("y ~ drug + (1 | h)", table()), None, target="population")
    unique, which = distinct_rows(rows, levels=False)
    code, weight = rng.integers(0, cells, rows.n_rows), rng.uniform(0.1, 2.0, rows.n_rows)
    framed = build_rows(make_fit("y ~ drug + (1 | h)", table()), None, target="population").frame.assign(code=code)
    found = make_cells(type(rows)(framed, rows.X, rows.offset, rows.Z, rows.index), which, by=["code"], weights=weight)
    values = rng.normal(size=(3, unique.n_rows))
    for k, value in enumerate(found.frame["code"]):
        mask = code == value
        expected = np.average(values[:, which[mask]], axis=1, weights=weight[mask])
        np.testing.assert_allclose(found.average(values)[:, k], expected, rtol=ALGEBRAIC, atol=ALGEBRAIC)
