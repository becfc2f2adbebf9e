"""The user's own table of new rows: its columns, its index, and what it lacks."""

import datetime

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ColumnError
from tests.fits import make_fit
from tests.post.makers import table

NUMBERS = ["mean", "sd", "median", "ci_lower", "ci_upper"]


def fit(**options):
    return make_fit("y ~ x + drug + (1 | g)", table(), **{"n_draws": 5, **options})


def visits() -> pd.DataFrame:
    """Columns that the model reads among others, in an order of their own, with an index."""
    columns = {
        "site": ["north", None, "south"],
        "g": ["g01", "g02", "g03"],
        "when": [datetime.date(2020, 1, day) for day in (1, 2, 3)],
        "x": [0.0, 0.5, 1.0],
        "y": [np.nan, 1.0, 2.0],
        "drug": ["a", "b", "a"],
        "stay": pd.to_timedelta([1, 2, 3], unit="D"),
    }
    return pd.DataFrame(columns, index=pd.Index([11, 12, 15], name="visit"))


CALLS = {
    "predict": lambda rows: bg.predict(fit(), rows),
    "simulate": lambda rows: bg.simulate(fit(), rows, seed=1),
    "update_subject": lambda rows: bg.update_subject(fit(), {"x": [0.0], "y": [1.0], "drug": "a", "g": "new"}, at=rows, seed=1),
}


@pytest.mark.parametrize("call", CALLS)
def test_all_columns_stay_in_their_order_and_so_does_the_index(call):
    result = CALLS[call](visits())
    assert list(result.table.columns) == [*visits().columns, *NUMBERS]
    pd.testing.assert_index_equal(result.table.index, visits().index)
    pd.testing.assert_series_equal(result.table["site"], visits()["site"])
    pd.testing.assert_series_equal(result.table["stay"], visits()["stay"])
    assert result.table["when"].tolist() == visits()["when"].tolist()
    assert str(result).splitlines()[4].split()[0] == "visit"
    assert result.to_dict()["table"][0]["visit"] == 11
    assert dict(result.draws.sizes)["row"] == 3


def test_the_table_joins_back_to_the_users():
    rows = visits()
    assert np.isfinite(rows.assign(p=bg.predict(fit(), rows).table["mean"])["p"]).all()


@pytest.mark.parametrize("index", [pd.RangeIndex(3), pd.Index([0, 1, 2])])
def test_row_numbers_are_no_index(index):
    result = bg.predict(fit(), visits().set_axis(index, axis=0))
    assert isinstance(result.table.index, pd.RangeIndex)
    assert "visit" not in str(result)


@pytest.mark.parametrize("name", ["x", "mean", "site"])
def test_an_index_called_as_a_column_keeps_its_values(name):
    rows = visits().rename_axis(index=name)
    result = bg.predict(fit(), rows)
    assert result.table.index.tolist() == [11, 12, 15]
    assert result.table.index.name is None
    assert str(result)
    assert len(result.to_dict()["table"]) == 3


def test_several_indexes_stay():
    rows = visits().set_index("g", append=True, drop=False).rename_axis(index=["visit", "who"])
    assert bg.predict(fit(), rows).table.index.tolist() == rows.index.tolist()


def test_columns_called_as_parts_of_the_result_are_renamed_and_none_is_doubled():
    rows = visits().rename(columns={"site": "mean", "stay": "row", "when": "mean_response"})
    result = bg.predict(fit(), rows)
    assert list(result.table.columns)[:3] == ["mean_", "g", "mean_response_"]
    assert result.table.columns.is_unique
    twice = pd.concat([visits(), visits()[["site"]].assign(site="again")], axis=1)
    assert list(bg.predict(fit(), twice).table.columns) == [*visits().columns, *NUMBERS]


def test_a_dict_keeps_its_other_entries():
    new = {"note": "pilot", "x": [0.0, 1.0], "g": "g01", "drug": ["a", "b"], "id": np.array([7, 8]), "s": pd.Series([1, 2], index=[5, 6])}
    result = bg.predict(fit(), new)
    assert list(result.table.columns) == [*new, *NUMBERS]
    assert result.table["note"].tolist() == ["pilot", "pilot"]
    assert result.table["id"].tolist() == [7, 8]
    assert result.table["s"].tolist() == [1, 2]
    assert not result.notes


def test_what_cannot_be_shown_is_left_out_and_named():
    result = bg.predict(fit(), {"x": [0.0, 1.0], "g": "g01", "drug": "a", "odd": [1, 2, 3], "wide": np.ones((2, 2))})
    assert list(result.table.columns) == ["x", "g", "drug", *NUMBERS]
    assert "Left out of the table, since its values cannot be shown: odd, wide." in result.notes


def test_tables_of_other_libraries():
    pyarrow = pytest.importorskip("pyarrow")
    rows = visits().drop(columns=["when", "stay"]).reset_index()
    result = bg.predict(fit(), pyarrow.table({name: pyarrow.array(rows[name], from_pandas=True) for name in rows}))
    assert list(result.table.columns) == [*rows.columns, *NUMBERS]
    assert result.table["visit"].tolist() == [11, 12, 15]
    assert result.table["site"].isna().tolist() == [False, True, False]
    assert result.table["site"].dropna().tolist() == ["north", "south"]
    assert np.isnan(result.table["y"].iloc[0])
    dated = pyarrow.table({"x": [0.0], "g": ["g01"], "drug": ["a"], "when": [datetime.date(2020, 1, 1)]})
    assert bg.predict(fit(), dated).notes == ("Left out of the table, since its values cannot be shown: when.",)


def test_columns_that_are_missing_are_all_named_and_nothing_far_is_suggested():
    model = make_fit(
        "k | trials(n) ~ period + (1 | herd)", table().rename(columns={"h": "period", "g": "herd"}), family="binomial", n_draws=5
    )
    with pytest.raises(ColumnError, match="no column 'period'") as raised:
        bg.predict(model, {"herd": ["g01"]})
    assert "did you mean" not in str(raised.value)
    assert "The model reads: period, herd" in str(raised.value)
    with pytest.raises(ColumnError, match="no columns 'period', 'herd'"):
        bg.predict(model, {"n": [3]})
    with pytest.raises(ColumnError, match="did you mean 'Periode'"):
        bg.predict(model, {"herd": ["g01"], "Periode": ["p"]})


class TestResponse:
    def test_the_response_keeps_its_name_in_the_table(self):
        result = bg.simulate(fit(), seed=1)
        assert "y" in result.table.columns
        assert "y_" not in result.table.columns
        assert list(result.draws.data_vars) == ["y"]
        np.testing.assert_array_equal(result.draws["y_"], table()["y"])

    def test_without_a_response_in_the_rows_nothing_is_renamed(self):
        result = bg.simulate(fit(), visits().drop(columns="y"), seed=1)
        assert not any(name.endswith("_") for name in [*result.table.columns, *result.draws.coords])


NAMES = ("shrinkage", "level", "rank", "factor", "effect", "mean", "quantity", "scale", "component", "target", "threshold", "among", "from")
EVERYWHERE = {
    "means": lambda f, n: bg.means(f, {n: "g01"}, target="group"),
    "by": lambda f, n: bg.means(f, target="population", by=n),
    "predict": lambda f, n: bg.predict(f),
    "simulate": lambda f, n: bg.simulate(f, seed=1),
    "contrasts": lambda f, n: bg.contrasts(f, n, ["g01", "g02"], target="group"),
    "pairwise": lambda f, n: bg.pairwise(f, n, ["g01", "g02"], {"x": 0.0}, target="group"),
    "slopes": lambda f, n: bg.slopes(f, "x", {n: "g01"}, target="group"),
    "curves": lambda f, n: bg.curves(f, "x", values=[0.0], groups=2),
    "random_effects": lambda f, n: bg.random_effects(f),
    "heterogeneity": lambda f, n: bg.heterogeneity(f, {"x": 0.0}),
    "median_odds_ratio": lambda f, n: bg.median_odds_ratio(f),
    "variance_partition": lambda f, n: bg.variance_partition(f),
    "odds_ratios": lambda f, n: bg.odds_ratios(f),
    "side_by_side": lambda f, n: bg.side_by_side(f, structure="independence"),
    "pooling": lambda f, n: bg.pooling(f),
    "opposite_slopes": lambda f, n: bg.opposite_slopes(f, "x"),
    "shares": lambda f, n: bg.shares(f, {"x": 0.0}, threshold=0.5),
}


@pytest.mark.parametrize("call", EVERYWHERE)
def test_no_table_has_two_columns_of_one_name_whatever_the_grouping_factor_is_called(call):
    for name in NAMES:
        data = table().drop(columns="level").rename(columns={"g": name})
        model = make_fit(f"zero_one ~ x + (x | `{name}`)", data, family="bernoulli", n_draws=5)
        columns = EVERYWHERE[call](model, name).table.reset_index().columns
        assert columns.is_unique, (name, list(columns))
