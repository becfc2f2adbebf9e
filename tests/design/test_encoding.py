"""New rows: the training rows encode to the design, unseen levels by rule, only needed columns are read."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from bayesglmm.design.encoding import encode_rows
from bayesglmm.errors import ArgumentError, ColumnError, LevelError, MissingValueError
from tests.design.makers import design_of, small_table

DATA = small_table()
FORMULA = "count | trials(trials) ~ ns(x, 3) * dose + scale(t) + (x | g) + (1 | g:h) + (0 + drug || h) + offset(t)"
DESIGN = design_of(FORMULA, DATA, family="binomial")


@pytest.mark.parametrize(
    "convert", [lambda d: d, pl.from_pandas, lambda d: {c: d[c].to_numpy() for c in d}], ids=["pandas", "polars", "dict"]
)
def test_training_rows_encode_to_the_design(convert):
    rows = encode_rows(DESIGN.encoding, convert(DATA.astype({"dose": str})))
    np.testing.assert_array_equal(rows.X, DESIGN.X)
    np.testing.assert_array_equal(rows.offset, DESIGN.offset)
    np.testing.assert_array_equal(rows.trials, DESIGN.trials)
    assert rows.se is None
    for new, group in zip(rows.groups, DESIGN.groups, strict=True):
        assert (new.name, new.position, new.new_levels) == (group.name, group.position, ())
        np.testing.assert_array_equal(new.index, group.index)
        np.testing.assert_array_equal(new.Z, group.Z)
        np.testing.assert_array_equal(new.new_index, np.full(60, -1))


def test_unseen_groups_are_an_error_or_are_numbered():
    new = DATA.iloc[[0, 1, 2, 3]].assign(g=[1, 99, 98, 99])
    with pytest.raises(LevelError, match=r"g: '98', '99'; rows 1, 2, 3 \(3 in all"):
        encode_rows(DESIGN.encoding, new)
    g, cells, h = encode_rows(DESIGN.encoding, new, unseen="population").groups
    np.testing.assert_array_equal(g.index, [0, -1, -1, -1])
    np.testing.assert_array_equal(g.new_index, [-1, 1, 0, 1])
    assert g.new_levels == ("98", "99")
    assert cells.index[0] == DESIGN.groups[1].index[0]
    assert set(cells.new_levels) == {"98:r", "99:q", "99:s"}
    np.testing.assert_array_equal(h.new_index, np.full(4, -1))


def test_a_new_child_of_a_known_parent_is_new_in_the_cells_only():
    new = DATA.iloc[:1].assign(h="t")
    with pytest.raises(LevelError, match="g:h: '1:t'"):
        encode_rows(DESIGN.encoding, new, groups=("g", "g:h"))
    g, cells, _ = encode_rows(DESIGN.encoding, new, unseen="observed", groups=("g", "g:h")).groups
    assert (g.index[0], cells.index[0], cells.new_levels) == (0, -1, ("1:t",))


def test_only_needed_columns_are_read():
    fixed = {"x": [0.1, 0.2], "dose": ["low", "high"], "t": [1.0, 2.0]}
    rows = encode_rows(DESIGN.encoding, fixed, groups=(), effects=())
    assert rows.X.shape == (2, DESIGN.X.shape[1])
    assert rows.trials is None
    assert all(g.Z is None and g.index is None for g in rows.groups)
    with_effects = encode_rows(DESIGN.encoding, {**fixed, "drug": ["ddI", "ddC"]}, groups=())
    np.testing.assert_array_equal(with_effects.groups[2].Z, [[0.0, 1.0], [1.0, 0.0]])
    assert with_effects.groups[0].index is None
    with pytest.raises(ColumnError, match="no column 'drug'"):
        encode_rows(DESIGN.encoding, fixed, groups=())
    with pytest.raises(ColumnError, match="no column 'g'"):
        encode_rows(DESIGN.encoding, {**fixed, "drug": ["ddI", "ddC"]}, groups=("g",))


@pytest.mark.parametrize(
    ("columns", "options", "kind", "message"),
    [
        ({"dose": "never"}, {}, LevelError, "column 'dose': 'never'"),
        ({"x": np.nan}, {}, MissingValueError, "fill in or leave out these rows"),
        ({"drug": "new"}, {}, LevelError, "column 'drug': 'new'"),
        ({}, {"unseen": "ignore"}, ArgumentError, "unseen='ignore'"),
        ({}, {"groups": ("patient",)}, ArgumentError, "factors are: g, g:h, h"),
    ],
)
def test_rows_that_cannot_be_coded_say_why(columns, options, kind, message):
    with pytest.raises(kind, match=message):
        encode_rows(DESIGN.encoding, DATA.iloc[:3].assign(**columns), **options)


def test_a_model_without_columns_counts_rows():
    design = design_of("y ~ 1 + (1 | g)", DATA)
    assert encode_rows(design.encoding, {}, groups=()).X.shape == (1, 1)
    assert encode_rows(design.encoding, pd.DataFrame({"other": [1, 2, 3]}), groups=()).X.shape == (3, 1)


def test_known_standard_errors_of_new_rows():
    design = design_of("y | se(t) ~ x", DATA)
    np.testing.assert_array_equal(encode_rows(design.encoding, DATA).se, DATA["t"])
    assert encode_rows(design.encoding, {"x": [0.0]}).se is None
