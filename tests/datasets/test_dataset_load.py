"""Every packaged table loads as its card says; a table that differs from its card is refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm import datasets
from bayesglmm.datasets import catalog
from bayesglmm.datasets.cards import folder, names
from bayesglmm.datasets.frames import typed
from bayesglmm.errors import DatasetError

BUNDLED = [n for n in names() if datasets.card(n).bundled]
GOLDEN = Path(__file__).parents[1] / "golden"
TYPES = {"integer": "int64", "numeric": "float64"}


def _with_effects() -> list[str]:
    """Reference fits of packaged tables that list the levels of their factors."""
    fits = {p.stem: json.loads(p.read_text()) for p in sorted(GOLDEN.glob("*.json"))}
    return [n for n, f in fits.items() if f.get("data") in BUNDLED and "lecture" in f and f.get("ranef")]


@pytest.fixture(params=BUNDLED)
def card(request):
    return datasets.card(request.param)


def test_rows_columns_types_and_levels_are_those_of_the_card(card):
    table = datasets.load(card.name)
    assert table.shape == (card.rows, len(card.columns))
    assert list(table.columns) == [c.name for c in card.columns]
    assert table.index.equals(pd.RangeIndex(card.rows))
    for column in card.columns:
        values = table[column.name]
        assert values.isna().sum() == column.n_missing
        if column.is_factor:
            assert values.cat.ordered == (column.kind == "ordered")
            assert len(values.cat.categories) == column.n_levels
            assert column.levels is None or tuple(values.cat.categories) == column.levels
        else:
            assert str(values.dtype) == ("float64" if column.n_missing else TYPES[column.kind])


def test_factors_without_listed_levels_are_in_numeric_order(card):
    table = datasets.load(card.name)
    for column in card.columns:
        if column.is_factor and column.levels is None:
            numbers = [int(v) for v in table[column.name].cat.categories]
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("name", [n for n in BUNDLED if datasets.card(n).files[0].name.endswith(".csv")])
def test_numbers_and_labels_equal_another_reader_s_to_the_last_digit(name):
    table = datasets.load(name)
    rows = list(csv.DictReader(folder().joinpath(f"{name}.csv").read_text(encoding="utf-8").splitlines()))
    for column in datasets.card(name).columns:
        text = [row[column.name] for row in rows]
        if column.is_factor:
            assert table[column.name].astype(object).where(table[column.name].notna(), "NA").tolist() == text
        else:
            np.testing.assert_array_equal(table[column.name].to_numpy(float), [float("nan" if v == "NA" else v) for v in text])


@pytest.mark.parametrize("fit", _with_effects())
def test_level_order_is_the_one_of_r(fit):
    reference = json.loads((GOLDEN / f"{fit}.json").read_text())
    table = datasets.load(reference["data"])
    for factor, effects in reference["ranef"].items():
        values = table[factor]
        if isinstance(values.dtype, pd.CategoricalDtype):
            kept = set(effects["levels"])
            assert [v for v in values.cat.categories if v in kept] == effects["levels"]


def test_every_load_is_a_table_of_its_own():
    first = datasets.load("cbpp")
    first.loc[0, "incidence"] = -1.0
    assert datasets.load("cbpp").loc[0, "incidence"] == 2.0


def test_pbc2_has_the_visits_with_cholesterol_of_the_reference_fits():
    table = datasets.load("pbc2").dropna(subset=["serChol"])
    assert len(table) == 1124
    assert table["id"].nunique() == 304


def test_pbc2_baseline_prothrombin_is_the_value_at_year_zero():
    table = datasets.load("pbc2")
    first = table[table["year"] == 0].set_index("id")["prothrombin"]
    assert len(first) == 312
    np.testing.assert_array_equal(table["basePro"], first.loc[table["id"]])


def test_pbc2_is_pbcseq_under_other_names():
    visits, source = datasets.load("pbc2"), datasets.load("pbcseq")
    np.testing.assert_array_equal(visits["serChol"], source["chol"])
    np.testing.assert_array_equal(visits["id"].astype(str), source["id"].astype(str))
    np.testing.assert_array_equal(visits["drug"] == "D-penicil", source["trt"] == 1)


def test_pastes_sample_is_batch_and_cask():
    table = datasets.load("Pastes")
    assert (table["batch"].astype(str) + ":" + table["cask"].astype(str)).tolist() == table["sample"].astype(str).tolist()


def test_changed_packaged_file_is_refused(tmp_path, monkeypatch):
    content = folder().joinpath("cbpp.csv").read_bytes()
    (tmp_path / "cbpp.csv").write_bytes(content.replace(b'"1",2,14', b'"1",3,14'))
    monkeypatch.setattr(catalog, "folder", lambda: tmp_path)
    with pytest.raises(DatasetError, match=r"not the published file.*SHA-256"):
        datasets.load("cbpp")


def _changed(change: str) -> pd.DataFrame:
    table = datasets.load("cbpp")
    if change == "row":
        return table.iloc[:-1]
    if change == "column":
        return table.rename(columns={"herd": "Herd"})
    if change == "label":
        return table.assign(period=table["period"].astype(object).replace("4", "5"))
    if change == "missing":
        return table.assign(size=table["size"].where(table["size"] != 14))
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("row", "55 rows.*card has 56"),
        ("column", "columns are Herd"),
        ("label", "labels that the card does not have: 5"),
        ("missing", "values are missing, 0 on the card"),
    ],
)
def test_table_that_differs_from_its_card_is_refused(change, message):
    with pytest.raises(DatasetError, match=message):
        typed(_changed(change), datasets.card("cbpp"))


def test_fraction_in_an_integer_column_is_refused():
    table = datasets.load("epil")
    with pytest.raises(DatasetError, match=r"not whole numbers.*'y' of epil"):
        typed(table.assign(y=table["y"] + 0.5), datasets.card("epil"))


def test_factor_in_numeric_order_refuses_labels_that_are_no_numbers():
    table = datasets.load("rehab_sim")
    with pytest.raises(DatasetError, match="labels that the card does not have: centre"):
        typed(table.assign(rehab=table["rehab"].astype(object).replace("110", "centre")), datasets.card("rehab_sim"))


@given(order=st.permutations(["1", "2", "3", "4"]))
def test_level_order_comes_from_the_card_and_not_from_the_table(order):
    table = datasets.load("cbpp")
    shuffled = table.assign(period=table["period"].cat.reorder_categories(order))
    pd.testing.assert_frame_equal(typed(shuffled, datasets.card("cbpp")), table)
