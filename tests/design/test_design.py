"""The table door: response, offset, weights, standard errors, and errors for what does not belong."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bayesglmm import datasets
from bayesglmm.design.design import build_design
from bayesglmm.design.prepare import prepare
from bayesglmm.design.table import read_table
from bayesglmm.errors import (
    ArgumentError,
    BayesglmmError,
    ColumnError,
    DesignError,
    FamilyError,
    MissingValueError,
    NotBuiltError,
    ResponseError,
)
from bayesglmm.families.registry import get_family
from bayesglmm.numerics.links import get_link
from bayesglmm.spec.model_spec import make_spec
from tests.design.makers import design_of, small_table
from tests.tolerances import ALGEBRAIC

DATA = small_table()


def test_gaussian_response_offset_and_weights():
    design = design_of("log(t) | weights(w) ~ x + offset(x / 2) + offset(log(t))", DATA.assign(w=np.arange(1.0, 61.0)))
    np.testing.assert_allclose(design.y, np.log(DATA["t"]), rtol=ALGEBRAIC)
    np.testing.assert_allclose(design.offset, DATA["x"] / 2 + np.log(DATA["t"]), rtol=ALGEBRAIC)
    np.testing.assert_array_equal(design.weights, np.arange(1.0, 61.0))
    assert design.trials is None
    assert design.se is None


@pytest.mark.parametrize("left", ["count | trials(trials)", "prop(count, trials)", "cbind(count, trials - count)"])
def test_the_forms_of_a_binomial_response_agree(left):
    design = design_of(f"{left} ~ x", DATA, family="binomial")
    np.testing.assert_array_equal(design.y, DATA["count"])
    np.testing.assert_array_equal(design.trials, DATA["trials"])


def test_a_boolean_is_a_bernoulli_response():
    np.testing.assert_array_equal(design_of("flag ~ x", DATA, family="bernoulli").y, DATA["flag"].astype(float))


def test_a_model_may_have_no_random_effects_and_no_terms():
    assert design_of("y ~ 1", DATA).X.shape == (60, 1)
    assert design_of("y ~ 0 + (1 | g)", DATA).X.shape == (60, 0)


def test_a_coefficient_per_row_leaves_no_residual():
    data = DATA.assign(row=[f"r{i}" for i in range(60)], s=1.0)
    with pytest.raises(DesignError, match=r"as many coefficients as rows.*60 columns, 60 rows"):
        design_of("y ~ row", data)
    assert design_of("y | se(s) ~ row", data).X.shape == (60, 60)
    assert design_of("count ~ row", data, family="poisson").X.shape == (60, 60)


def test_a_formula_alone_is_no_model():
    with pytest.raises(ArgumentError, match=r"a model is needed, not str. Where: 'y ~ x'. What to do: .* bg.glmm\(formula, data\)"):
        prepare("y ~ x", DATA)


def test_what_missing_values_cost_is_kept():
    data = DATA.assign(y=DATA["y"].where(DATA["x"] > 0), unused=np.nan)
    spec = make_spec("y ~ x", family="gaussian", link="identity")
    table, dropped = read_table(data, spec.columns, missing="drop")
    design = build_design(spec, table, get_family("gaussian"), get_link("identity"), dropped=dropped)
    assert design.dropped.kept == len(design.y) == int((DATA["x"] > 0).sum())
    assert design.dropped.by_column == (("y", int((DATA["x"] <= 0).sum())),)


def test_rows_of_messages_are_those_of_the_users_table():
    data = pd.DataFrame({"y": [np.nan, 1.0, 2.0, 3.0], "x": [1.0, 2.0, 0.0, 4.0]})
    spec = make_spec("y ~ log(x)", family="gaussian", link="identity")
    table, _ = read_table(data, spec.columns, missing="drop")
    with pytest.raises(MissingValueError, match=r"rows 2 \(1 in all"):
        build_design(spec, table, get_family("gaussian"), get_link("identity"))


REFUSED = [
    ("zero_one2 ~ x", "bernoulli", {"zero_one2": np.resize([0, 1, 2], 60)}, ResponseError, "Bernoulli"),
    ("count ~ x", "poisson", {"count": -1.0}, ResponseError, "60 of 60 rows"),
    ("t ~ x", "poisson", {}, ResponseError, "whole number"),
    ("count | trials(trials) ~ x", "binomial", {"trials": 1}, ResponseError, "more successes than trials"),
    ("drug ~ x", "bernoulli", {}, ColumnError, "column 'drug' with values 'ddC', 'ddI'"),
    ("log(y) ~ x", "gaussian", {}, MissingValueError, r"log\(y\) is not a finite number"),
    ("count ~ x", "binomial", {}, FamilyError, r"write k \| trials\(n\)"),
    ("count | trials(trials) ~ x", "poisson", {}, FamilyError, "has no trials"),
    ("y | se(s) ~ x", "gaussian", {"s": 0.0}, ResponseError, "must be positive"),
    ("count | se(t) ~ x", "poisson", {}, FamilyError, "Gaussian response with identity link"),
    ("y | weights(x) ~ t", "gaussian", {}, ResponseError, "weights must be positive"),
    ("k ~ x", "gaussian", {"k": 3.0}, DesignError, "response does not vary"),
    ("y ~ x + (1 | g, by=drug)", "gaussian", {}, NotBuiltError, "by="),
    ("y ~ lag(x)", "gaussian", {}, NotBuiltError, "lag"),
    ("y ~ nothing", "gaussian", {}, ColumnError, "no column 'nothing'"),
]


@pytest.mark.parametrize(("formula", "family", "columns", "kind", "message"), REFUSED, ids=[f"{r[0]} {r[1]}" for r in REFUSED])
def test_what_does_not_belong_is_refused(formula, family, columns, kind, message):
    with pytest.raises(kind, match=message):
        design_of(formula, DATA.assign(**columns), family=family)


def test_known_standard_errors_do_not_go_with_a_log_link():
    with pytest.raises(FamilyError, match="identity link"):
        design_of("t | se(x) ~ 1", DATA, link="log")


def test_contrasts_are_used_in_both_parts_and_refused_where_nothing_is_a_factor():
    design = design_of("y ~ dose + (dose | h)", DATA, contrasts={"dose": "sum"})
    assert design.labels == ("Intercept", "dose[S.low]", "dose[S.mid]")
    assert design.groups[0].labels == ("1", "dose[S.low]", "dose[S.mid]")
    with pytest.raises(ArgumentError, match=r"no factors of the model\. Where: x"):
        design_of("y ~ x + dose", DATA, contrasts={"x": "sum"})


def test_functions_must_be_given():
    spec = make_spec("y ~ f(x)", family="gaussian", link="identity", functions={"f"})
    table, _ = read_table(DATA, spec.columns)
    with pytest.raises(ArgumentError, match=r"pass functions=\{'f': f\}"):
        build_design(spec, table, get_family("gaussian"), get_link("identity"))
    design = build_design(spec, table, get_family("gaussian"), get_link("identity"), functions={"f": np.sin})
    np.testing.assert_allclose(design.X[:, 1], np.sin(DATA["x"]), rtol=ALGEBRAIC)


LIBRARIES = {
    "polars": lambda d: pl.DataFrame(
        {**{c: d[c].to_list() for c in d}, "dose": pl.Series(d["dose"].to_list(), dtype=pl.Enum(["low", "mid", "high"]))}
    ),
    "pyarrow": pa.Table.from_pandas,
    "dict": lambda d: {c: d[c].array for c in d},
}


@pytest.mark.parametrize("convert", LIBRARIES.values(), ids=LIBRARIES)
def test_every_library_gives_the_same_design(convert):
    formula = "y ~ ns(x, 3) * dose + flag + (x | g) + (dose || h) + offset(t)"
    expected, found = design_of(formula, DATA), design_of(formula, convert(DATA))
    assert (found.labels, found.fixed) == (expected.labels, expected.fixed)
    np.testing.assert_array_equal(found.X, expected.X)
    np.testing.assert_array_equal(found.offset, expected.offset)
    for a, b in zip(found.groups, expected.groups, strict=True):
        assert (a.levels, a.labels) == (b.levels, b.labels)
        np.testing.assert_array_equal(a.index, b.index)
        np.testing.assert_array_equal(a.Z, b.Z)


def test_a_large_crossed_table_is_not_made_dense():
    """73,421 rows, 2,972 and 1,128 levels: arrays of the size of the table, no dummy matrix."""
    design = design_of("y ~ service + (1 | s) + (1 | d) + (1 | dept:service)", datasets.load("InstEval"))
    assert [len(g.levels) for g in design.groups] == [2972, 1128, 28]
    assert all(g.Z.shape == (73421, 1) for g in design.groups)


ATTACKS = [
    "y ~ os.system('touch canary')",
    "y ~ I(__import__('os').system('touch canary'))",
    "y ~ pd.io.common.os.system('true')",
    "y ~ np.load('x')",
]


@pytest.mark.parametrize("formula", ATTACKS)
def test_code_in_a_formula_is_refused_and_not_run(formula, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BayesglmmError):
        design_of(formula, DATA)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("family", "left", "column"),
    [("bernoulli", "zero_one", "zero_one"), ("binomial", "count | trials(trials)", "count"), ("poisson", "count", "count")],
)
def test_a_bad_response_is_named_by_its_row_in_the_table_also_when_rows_before_it_were_dropped(family, left, column):
    x = DATA["x"].mask(DATA.index < 4)  # four rows are left out
    bad = DATA.assign(x=x, **{column: DATA[column].astype(float).mask(DATA.index == 20, 77.5)})
    spec = make_spec(f"{left} ~ x", family=family, link=get_family(family).links[0])
    with pytest.raises(ResponseError, match=r"rows 20 \(counted from 0\)"):
        prepare(spec, bad, missing="drop")
