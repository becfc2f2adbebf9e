import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from bayesglmm.errors import FitFileError
from bayesglmm.io.frames import pack_frame, unpack_frame

FRAME = pd.DataFrame(
    {
        "real": [1.5, -0.0, 1e-300],
        "whole": np.array([2**62, -1, 0]),
        "small": np.array([1, 2, 3], dtype=np.int8),
        "unsigned": np.array([2**63 + 1, 0, 1], dtype=np.uint64),
        "yes": [True, False, True],
        "text": ["b", "", "a é 日本"],
        "factor": pd.Categorical(["x", "y", "x"], categories=["y", "x", "unused"]),
        "ordered": pd.Categorical(["lo", "hi", "lo"], categories=["lo", "hi"], ordered=True),
        "numbered": pd.Categorical([3, 1, 3], categories=[3, 1]),
        "a / b": [1, 2, 3],
    }
)


def roundtrip(frame):
    data, records = pack_frame(frame)
    return unpack_frame(data, records, len(frame))


def test_every_kind_of_column_comes_back_as_it_was():
    assert_frame_equal(roundtrip(FRAME), FRAME, check_exact=True)


def test_the_index_is_not_data():
    assert_frame_equal(roundtrip(FRAME.set_index(pd.Index([7, 8, 9]))), FRAME, check_exact=True)


def test_numbers_that_may_be_missing_come_back_as_plain_numbers():
    frame = pd.DataFrame({"n": pd.array([1, 2, 3], dtype="Int64"), "yes": pd.array([True, False, True], dtype="boolean")})
    assert_frame_equal(roundtrip(frame), pd.DataFrame({"n": [1, 2, 3], "yes": [True, False, True]}))


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(texts, min_size=1, max_size=20))
def test_any_text_comes_back(values):
    frame = pd.DataFrame({"t": values, "c": pd.Categorical(values)})
    assert list(roundtrip(frame)["t"]) == values
    assert list(roundtrip(frame)["c"]) == values


@pytest.mark.parametrize(
    "column",
    [pd.to_datetime(["2020-01-01"]), pd.Series([{"a": 1}]), pd.Series([1j]), pd.Series(["a\0"])],
    ids=["date", "dict", "complex", "nul"],
)
def test_what_cannot_be_stored_is_refused(column):
    with pytest.raises(FitFileError, match="column 'bad'"):
        pack_frame(pd.DataFrame({"bad": column}))


def damaged(change):
    data, records = pack_frame(FRAME)
    return change(data.copy(deep=True), [dict(r) for r in records])


def without_levels(data, records):
    return data.drop_vars("levels_6"), records


def with_more(data, records):
    return data.assign(extra=1), records


def code_without_level(data, records):
    data["column_6"][0] = 3
    return data, records


def negative_code(data, records):
    data["column_5"][0] = -1
    return data, records


def not_a_boolean(data, records):
    data["column_4"][0] = 2
    return data, records


def levels_twice(data, records):
    data["levels_6"][0] = "x"
    return data, records


def other_type(data, records):
    records[0]["dtype"] = "int64"
    return data, records


def two_names(data, records):
    records[1]["name"] = "real"
    return data, records


def number_as_category(data, records):
    records[6]["dtype"] = "float64"
    return data, records


def fewer_rows(data, records):
    return data.assign(column_0=("other", [1.0])), records


CHANGES = [
    without_levels,
    with_more,
    code_without_level,
    negative_code,
    not_a_boolean,
    levels_twice,
    other_type,
    two_names,
    number_as_category,
    fewer_rows,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_what_was_changed_is_refused(change):
    data, records = damaged(change)
    with pytest.raises(FitFileError):
        unpack_frame(data, records, 3)
