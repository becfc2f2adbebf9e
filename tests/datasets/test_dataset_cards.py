"""Cards are complete, the packaged files are the ones on the cards, and NOTICE names every table's licence."""

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from bayesglmm import datasets
from bayesglmm.datasets.cards import folder, names
from bayesglmm.errors import DatasetError

NO_PUBLICATION = {"InstEval", "rehab_sim"}
LICENCE_TEXTS = {"GPL": ("GPL-2.txt", "GPL-3.txt"), "LGPL": ("LGPL-2.txt",)}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(params=names())
def card(request):
    return datasets.card(request.param)


def test_cards_say_what_the_table_is_and_where_it_comes_from(card):
    assert card.licence
    assert card.source
    assert card.description.endswith(".")
    assert bool(card.reference) == (card.name not in NO_PUBLICATION)
    assert len({c.name for c in card.columns}) == len(card.columns)


def test_cards_describe_every_column(card):
    for column in card.columns:
        assert column.description, column.name
        assert column.is_factor == (column.kind in ("factor", "ordered")), column.name
        assert 0 <= column.n_missing < card.rows, column.name
        if column.levels is not None:
            assert len(set(column.levels)) == column.n_levels, column.name


@pytest.mark.parametrize("name", [n for n in names() if datasets.card(n).bundled])
def test_packaged_file_has_the_hash_of_its_card(name):
    card = datasets.card(name)
    assert len(card.files) == 1
    content = folder().joinpath(card.files[0].name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.files[0].sha256


def test_external_cards_give_hashes_and_at_most_a_secure_source(card):
    for file in card.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.url is None or file.url.startswith("https://")
        assert card.bundled <= (file.url is None)


def test_every_packaged_file_belongs_to_a_card():
    expected = {f"{n}.json" for n in names()} | {datasets.card(n).files[0].name for n in names() if datasets.card(n).bundled}
    assert {p.name for p in folder().iterdir()} == expected


def test_notice_names_every_table_with_its_licence_and_source(card):
    notice = (REPOSITORY / "NOTICE").read_text(encoding="utf-8")
    entry = re.search(rf"^{re.escape(card.name)}\b.*\n((?: {{4,}}.*\n?)+)", notice, flags=re.MULTILINE)
    assert entry is not None
    words = " ".join(entry.group(1).split())
    assert f"Licence: {card.licence}" in words
    assert f"Source: {card.source}" in words


def test_licence_texts_are_packaged(card):
    family = re.match("[A-Z]+", card.licence)
    for name in LICENCE_TEXTS.get(family.group(0) if family else "", ()):
        assert "Free Software Foundation" in folder().joinpath("..", "licences", name).read_text(encoding="utf-8")


def test_printed_card_names_columns_levels_and_units():
    text = str(datasets.card("pbc2"))
    assert "pbc2: 1945 rows, 16 columns" in text
    assert "drug (factor: placebo, D-penicil)" in text
    assert "[mg/dL]; 821 missing" in text
    assert "LGPL (>= 2)" in text


def test_simulated_data_set_keeps_its_truth():
    truth = dict(datasets.card("rehab_sim").truth)
    assert truth["treat"] == -0.31192
    assert truth["sd_rehab"] == 1.09
    assert "sd_rehab = 1.09" in str(datasets.card("rehab_sim"))


def test_cards_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        datasets.card("cbpp").rows = 1


def test_list_has_one_row_per_card():
    table = datasets.list()
    assert tuple(table["name"]) == names()
    assert list(table.columns) == ["name", "rows", "columns", "description", "licence", "source", "bundled"]
    assert table.set_index("name").loc["sleepstudy", ["rows", "columns"]].tolist() == [180, 3]
    assert set(table.loc[~table["bundled"], "name"]) == {"aids", "Salamanders"}


@pytest.mark.parametrize(("asked", "meant"), [("sleep_study", "sleepstudy"), ("AIDS", "aids"), ("pbc", "pbc2")])
def test_unknown_data_set_is_refused_with_the_nearest(asked, meant):
    with pytest.raises(DatasetError, match=f"no data set '{asked}'.*did you mean '{meant}'"):
        datasets.load(asked)


def test_unknown_data_set_without_a_near_one_lists_all():
    with pytest.raises(DatasetError, match="What to do: Known: aids, Arabidopsis"):
        datasets.card("qqqqqq")
