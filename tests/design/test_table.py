"""One table, whatever the library it comes from."""

from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayesglmm.design.records import Column, levels_of
from bayesglmm.design.table import column_names, read_table, row_count, to_frame
from bayesglmm.errors import ArgumentError, ColumnError, DesignError, MissingValueError

NAMES = ["y", "i", "f", "s", "b", "with space"]
ORDER = ["low", "mid", "high", "never"]
FRAME = pd.DataFrame(
    {
        "y": [1.5, 2.0, 3.0, 4.0],
        "i": [3, 1, 2, 2],
        "f": pd.Categorical(["mid", "low", "high", "mid"], categories=ORDER),
        "s": ["x", "z", "y", "x"],
        "b": [True, False, True, True],
        "with space": [0.0, 1.0, 0.0, 1.0],
        "unused": [None, None, None, None],
    }
)


def _polars() -> pl.DataFrame:
    return pl.DataFrame({**FRAME.drop(columns=["f", "unused"]).to_dict("list"), "f": pl.Series(list(FRAME["f"]), dtype=pl.Enum(ORDER))})


def _duckdb() -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.execute(f"create type scale as enum {tuple(ORDER)}")
    connection.register("frame", pa.Table.from_pandas(FRAME.assign(f=FRAME["f"].astype(str)).drop(columns="unused")))
    connection.execute('create table t as select y, i, f::scale as f, s, b, "with space" from frame')
    return connection.table("t")


TABLES = {
    "pandas": lambda: FRAME,
    "pandas nullable": FRAME.convert_dtypes,
    "pandas arrow": lambda: FRAME.drop(columns="unused").convert_dtypes(dtype_backend="pyarrow"),
    "pandas other index": lambda: FRAME.set_axis([7, 7, 1, 0]),
    "polars": _polars,
    "polars lazy": lambda: _polars().lazy(),
    "pyarrow": lambda: pa.Table.from_pandas(FRAME),
    "pyarrow in chunks": lambda: pa.concat_tables([pa.Table.from_pandas(FRAME.iloc[:1]), pa.Table.from_pandas(FRAME.iloc[1:])]),
    "duckdb": _duckdb,
    "dict": lambda: {
        **{n: FRAME[n].to_numpy() for n in NAMES},
        "f": FRAME["f"].set_axis([3, 2, 1, 0]),
        "s": list(FRAME["s"]),
        "i": _polars()["i"],
    },
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_every_library_gives_the_same_table(make):
    data = make()
    table, dropped = read_table(data, NAMES)
    assert list(table.columns) == NAMES
    assert (table.n_rows, dropped.dropped, row_count(data)) == (4, 0, 4)
    np.testing.assert_array_equal(table.column("y").numbers, [1.5, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(table.column("i").numbers, [3.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(table.column("b").numbers, [1.0, 0.0, 1.0, 1.0])
    assert levels_of(table.column("f"))[1] == ("low", "mid", "high")
    np.testing.assert_array_equal(levels_of(table.column("f"))[0], [1, 0, 2, 1])
    assert levels_of(table.column("s"))[1] == ("x", "y", "z")
    assert levels_of(table.column("b"))[1] == ("False", "True")
    assert set(NAMES) <= set(column_names(data))


def test_a_polars_categorical_has_no_order_so_its_text_is_sorted():
    data = pl.DataFrame({"c": pl.Series(["z", "a", "m"], dtype=pl.Categorical)})
    assert levels_of(read_table(data, ["c"])[0].column("c"))[1] == ("a", "m", "z")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([10, 9, 100], ("9", "10", "100")),
        ([1.0, 2.0, -3.0], ("-3", "1", "2")),
        ([0.5, 2.0, 1.0], ("0.5", "1", "2")),
        ([True, False, True], ("False", "True")),
        (["10", "9", "b"], ("10", "9", "b")),
        (pd.Categorical([3, 1, 2], categories=[3, 2, 1]), ("3", "2", "1")),
        (np.array([2**63 + 1, 2**53 + 1, 2**53], dtype=np.uint64), (str(2**53), str(2**53 + 1), str(2**63 + 1))),
    ],
)
def test_any_column_may_be_a_grouping_factor(values, labels):
    codes, found = levels_of(read_table({"v": values}, ["v"])[0].column("v"))
    assert found == labels
    assert [found[c] for c in codes] == [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values]


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_the_frame_that_is_kept_reads_back_equal(make):
    table, _ = read_table(make(), NAMES)
    again, _ = read_table(to_frame(table), NAMES)
    for name in NAMES:
        assert again.column(name).levels == table.column(name).levels
        np.testing.assert_array_equal(again.column(name).values, table.column(name).values)


def _with_gaps() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "y": [1.0, np.nan, 3.0, 4.0],
            "i": pd.array([3, 1, None, 2], dtype="Int64"),
            "f": pd.Categorical(["mid", "low", "high", "mid"], categories=ORDER),
            "s": ["x", "z", "y", None],
            "o": pd.Series([1, 2, 3, 4.5], dtype=object),
        }
    )


GAPS = {"pandas": _with_gaps, "polars": lambda: pl.from_pandas(_with_gaps()), "pyarrow": lambda: pa.Table.from_pandas(_with_gaps())}


@pytest.mark.parametrize("make", GAPS.values(), ids=GAPS)
def test_missing_values_are_refused_with_columns_and_counts(make):
    with pytest.raises(MissingValueError, match=r"y \(1\), i \(1\), s \(1\) of 4 rows"):
        read_table(make(), ["y", "i", "f", "s"])


@pytest.mark.parametrize("make", GAPS.values(), ids=GAPS)
def test_dropped_rows_are_counted_and_their_levels_forgotten(make):
    table, dropped = read_table(make(), ["y", "i", "f", "s", "o"], missing="drop")
    assert (dropped.total, dropped.kept, dropped.dropped) == (4, 1, 3)
    assert dropped.by_column == (("y", 1), ("i", 1), ("s", 1))
    np.testing.assert_array_equal(table.rows, [0])
    assert levels_of(table.column("f"))[1] == ("mid",)
    assert levels_of(table.column("s"))[1] == ("x",)


def test_a_column_that_is_not_needed_may_be_anything():
    table, dropped = read_table(FRAME.assign(when=pd.Timestamp("2020-01-01"), inf=np.inf), ["y"], missing="drop")
    assert (table.n_rows, dropped.dropped) == (4, 0)


REFUSED = [
    (FRAME, ["yy"], ColumnError, "did you mean 'y'"),
    (FRAME.iloc[:0], ["y"], DesignError, "no rows"),
    (FRAME.assign(y=[1.0, np.inf, -np.inf, 2.0]), ["y"], MissingValueError, "column 'y', 2 rows"),
    (FRAME.assign(y=pd.Timestamp("2020-01-01")), ["y"], ColumnError, "neither number nor text"),
    (FRAME.assign(y=pd.Series([1, "a", 2.0, None], dtype=object)), ["y"], ColumnError, "mixes kinds"),
    (pd.concat([FRAME[["y"]], FRAME[["y"]]], axis=1), ["y"], ColumnError, "two columns of one name"),
    (FRAME.assign(y=[date(2020, 1, day) for day in (1, 2, 3, 4)]), ["y"], ColumnError, "type date is neither number nor text"),
    (FRAME.assign(y=FRAME["y"] + 1j), ["y"], ColumnError, "type complex128 is neither number nor text"),
    ({"y": [1.0, 2.0], "x": [1.0]}, ["y", "x"], ColumnError, "different lengths"),
    ({"y": [1.0, 2.0], "x": np.ones((2, 2))}, ["y", "x"], ColumnError, "more than one dimension. Where: x"),
    ({"y": [[1.0], [2.0, 3.0]]}, ["y"], ColumnError, "type list is neither number nor text"),
    ({"y": pd.Categorical([1, "1"], categories=[1, "1"])}, ["y"], ColumnError, "read the same"),
    (Path(), ["y"], ColumnError, "cannot be read"),
    (pl.DataFrame({"y": [2**60]}).select(pl.col("y").cast(pl.Int128) + 1), ["y"], ColumnError, "lose digits"),
]


@pytest.mark.parametrize(("data", "names", "kind", "message"), REFUSED, ids=[r[3] for r in REFUSED])
def test_a_table_that_cannot_be_read_says_why(data, names, kind, message):
    with pytest.raises(kind, match=message):
        read_table(data, names)


def test_infinite_values_are_never_dropped():
    with pytest.raises(MissingValueError, match="infinite"):
        read_table(FRAME.assign(y=[1.0, np.inf, 1.0, 2.0]), ["y"], missing="drop")


def test_dropping_everything_is_refused():
    with pytest.raises(DesignError, match="every row has a missing value"):
        read_table({"y": [np.nan, np.nan]}, ["y"], missing="drop")


def test_an_unknown_rule_for_missing_values_is_refused():
    with pytest.raises(ArgumentError, match="missing='skip'"):
        read_table(FRAME, ["y"], missing="skip")


def test_text_is_no_number():
    with pytest.raises(ColumnError, match="column 's' with values 'x', 'y', 'z'"):
        _ = read_table(FRAME, ["s"])[0].numeric["s"]


def test_a_scalar_of_a_dict_is_repeated():
    table, _ = read_table({"x": [0.0, 1.0], "drug": "ddI"}, ["x", "drug"])
    np.testing.assert_array_equal(levels_of(table.column("drug"))[0], [0, 0])


def test_the_users_table_is_not_changed():
    before = FRAME.copy(deep=True)
    read_table(FRAME, NAMES, missing="drop")
    pd.testing.assert_frame_equal(FRAME, before)


def test_levels_that_do_not_occur_are_not_levels():
    column = Column("c", "category", np.array([2, 0, 2]), ("a", "b", "c"))
    codes, labels = levels_of(column)
    assert labels == ("a", "c")
    np.testing.assert_array_equal(codes, [1, 0, 1])
