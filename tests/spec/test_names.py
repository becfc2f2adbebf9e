"""Names with and without back-quotes."""

import pytest

from bayesglmm.spec.names import bare_names, named, unquoted


@pytest.mark.parametrize(
    ("written", "name"),
    [("`my col`", "my col"), ("my col", "my col"), ("x", "x"), ("``", "``"), ("`a`:`b`", "`a`:`b`"), ("`", "`"), ("", ""), ("`a", "`a")],
)
def test_one_pair_of_back_quotes_is_taken_off(written, name):
    assert unquoted(written) == name


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("the group", "`the group`"),
        ("`the group`", "`the group`"),
        ("`g`", "g"),
        ("the group:h", "`the group`:h"),
        ("`the group:h`", "`the group`:h"),
        ("nothing", "nothing"),
        ("`nothing`", "`nothing`"),
    ],
)
def test_a_known_name_is_found_in_either_spelling(written, name):
    assert named(written, ("g", "`the group`", "`the group`:h")) == name


def test_a_spelling_of_two_names_is_left_alone_unless_it_is_one_of_them():
    known = ("a:b", "`a:b`")
    assert [named(text, known) for text in (*known, "`a`:`b`")] == ["a:b", "`a:b`", "`a`:`b`"]


def test_bare_names_stay_apart():
    assert bare_names(("g", "`the group`", "`the group`:h")) == {
        "g": "g",
        "`the group`": "the group",
        "`the group`:h": "the group:h",
    }
    assert bare_names(("a:b", "`a:b`")) == {"a:b": "a:b", "`a:b`": "`a:b`"}
