import pytest

from bayesglmm.errors import FitFileError
from bayesglmm.io.shapes import Maybe, Pairs, check_shape, parse_json

SHAPE = {"a": int, "b": [float], "c": Maybe(str), "d": Pairs(bool)}
GOOD = {"a": 1, "b": [1, 2.5], "c": None, "d": {"x": True}}


def test_what_fits_passes():
    check_shape(GOOD, SHAPE, "test")
    check_shape(GOOD | {"c": "text"}, SHAPE, "test")


@pytest.mark.parametrize(
    "changed",
    [
        {"a": 1.0},
        {"a": True},
        {"a": None},
        {"a": "1"},
        {"b": 1},
        {"b": [1, "2"]},
        {"b": [True]},
        {"b": {"0": 1}},
        {"c": 1},
        {"d": []},
        {"d": {"x": 1}},
        {"e": 1},
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused(changed):
    with pytest.raises(FitFileError, match=r"Where: .*test"):
        check_shape(GOOD | changed, SHAPE, "test")


def test_a_missing_key_is_named():
    with pytest.raises(FitFileError, match="Where: a in test"):
        check_shape({k: v for k, v in GOOD.items() if k != "a"}, SHAPE, "test")


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, '{"a": NaN}', "[Infinity]", "[-Infinity]", "{'a': 1}", "\x00"], ids=lambda t: t[:12]
)
def test_no_json_is_refused(text):
    with pytest.raises(FitFileError, match="no JSON"):
        parse_json(text, "test")


def test_a_number_too_large_for_a_float_is_no_number():
    with pytest.raises(FitFileError, match="no float"):
        check_shape(parse_json("1e999", "test"), float, "test")
