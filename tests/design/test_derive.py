"""Derived columns of model files: a new table of the same library, missing where an input is missing."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayesglmm.design.derive import derive_columns
from bayesglmm.design.table import plain_columns
from bayesglmm.errors import ColumnError, FormulaError

FRAME = pd.DataFrame({"CD4": [3.0, 14.0, np.nan, 12.2], "n": [1, 2, 3, 4], "status": ["dead", "alive", None, "alive"]})
DERIVE = (("low", "CD4 < sqrt(150)"), ("alive", "status == 'alive'"), ("both", "low == 1 and alive == 1"), ("ratio", "CD4 / n"))
EXPECTED = {
    "low": [1.0, 0.0, np.nan, 1.0],
    "alive": [0.0, 1.0, np.nan, 1.0],
    "both": [0.0, 0.0, np.nan, 1.0],
    "ratio": [3.0, 7.0, np.nan, 3.05],
}


def _duckdb() -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    connection.register("frame", pa.Table.from_pandas(FRAME))
    return connection.sql("select * from frame")


TABLES = {
    "pandas": (lambda: FRAME, pd.DataFrame),
    "polars": (lambda: pl.from_pandas(FRAME), pl.DataFrame),
    "pyarrow": (lambda: pa.Table.from_pandas(FRAME), pa.Table),
    "duckdb": (_duckdb, pa.Table),
    "dict": (lambda: {k: FRAME[k].array for k in FRAME}, dict),
}


@pytest.mark.parametrize(("make", "kind"), TABLES.values(), ids=TABLES)
def test_columns_are_added_in_every_library(make, kind):
    found = derive_columns(make(), DERIVE)
    assert isinstance(found, kind)
    for name, values in plain_columns(found, tuple(EXPECTED)).items():
        np.testing.assert_allclose(values, EXPECTED[name])


def test_the_given_table_is_unchanged():
    before = FRAME.copy(deep=True)
    derive_columns(FRAME, DERIVE)
    pd.testing.assert_frame_equal(FRAME, before)


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        ("CD4", "n + 1", ColumnError, "already"),
        ("low", "cd4 < 1", ColumnError, "did you mean 'CD4'"),
        ("low", "status < 1", ColumnError, "is text"),
        ("low", "1 < 2", FormulaError, "must use a column"),
        ("low", "CD4.sum()", FormulaError, "attributes"),
        ("low", "scale(CD4)", FormulaError, "cannot be used here"),
    ],
)
def test_what_cannot_be_derived_says_why(name, text, kind, message):
    with pytest.raises(kind, match=message):
        derive_columns(FRAME, ((name, text),))
