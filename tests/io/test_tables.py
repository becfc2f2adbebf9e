import gzip

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from bayesglmm.errors import DatasetError
from bayesglmm.io.tables import read_data

CSV = "id,x,group,flag,empty\n1,0.1,a,True,\n2,1e-3,None,False,NA\n3,2,null,True,3\n"
EXPECTED = pd.DataFrame(
    {"id": [1, 2, 3], "x": [0.1, 1e-3, 2.0], "group": ["a", "None", "null"], "flag": [True, False, True], "empty": [np.nan, np.nan, 3]}
)


def test_csv(tmp_path):
    (tmp_path / "t.csv").write_text(CSV)
    assert_frame_equal(read_data(tmp_path / "t.csv"), EXPECTED, check_exact=True)


def test_csv_with_byte_order_mark(tmp_path):
    (tmp_path / "t.csv").write_text(CSV, encoding="utf-8-sig")
    assert_frame_equal(read_data(tmp_path / "t.csv"), EXPECTED, check_exact=True)


def test_compressed_csv(tmp_path):
    (tmp_path / "t.CSV.gz").write_bytes(gzip.compress(CSV.encode()))
    assert_frame_equal(read_data(str(tmp_path / "t.CSV.gz")), EXPECTED, check_exact=True)


def test_parquet_keeps_types_and_the_order_of_categories(tmp_path):
    frame = EXPECTED.assign(c=pd.Categorical(["b", "a", "b"], categories=["b", "a"]))
    frame.to_parquet(tmp_path / "t.parquet", engine="pyarrow")
    assert_frame_equal(read_data(tmp_path / "t.parquet"), frame, check_exact=True)


def test_numbers_are_read_to_the_nearest_double(tmp_path):
    (tmp_path / "t.csv").write_text("x\n0.1\n2.2250738585072014e-308\n9007199254740993\n")
    assert list(read_data(tmp_path / "t.csv")["x"]) == [0.1, 2.2250738585072014e-308, 9007199254740993.0]


def test_a_column_with_one_text_is_text(tmp_path):
    (tmp_path / "t.csv").write_text("x\n1\n2\nthree\n")
    assert list(read_data(tmp_path / "t.csv")["x"]) == ["1", "2", "three"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", b"PK", "kind cannot be read.*csv.gz"),
        ("t.csv", b"", "cannot be read: No columns"),
        ("t.csv", b"a,a\n1,2\n", "two columns of one name.*'a'"),
        ("t.csv", b"a,,\n1,2,3\n", "two columns of one name, or of none"),
        ("t.csv", b"a;b\n1;2\n", "not separated by commas"),
        ("t.csv", b"a\tb\n1\t2\n", "not separated by commas"),
        ("t.csv", b"a,b\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "cannot be read"),
        ("t.csv", b"a,b\n\xff\xfe,2\n", "cannot be read"),
        ("t.csv", b'a,b\n"1,2\n', "cannot be read"),
        ("t.csv.gz", b"a,b\n1,2\n", "cannot be read"),
        ("t.csv.gz", gzip.compress(CSV.encode())[:-20], "cannot be read"),
        ("t.parquet", b"PAR1 no", "cannot be read"),
        ("t.parquet", b"", "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        read_data(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no such data file.*t.csv"):
        read_data(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="no such data file"):
        read_data(tmp_path)
