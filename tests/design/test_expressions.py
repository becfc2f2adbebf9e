"""Expressions are walked, never evaluated as code; what is not finite is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.design.expressions import evaluate, unknown_column
from bayesglmm.errors import BayesglmmError, ColumnError, FormulaError, MissingValueError
from tests.tolerances import ALGEBRAIC

X = np.array([0.5, 1.0, 4.0])
Z = np.array([2.0, -1.0, 3.0])
COLUMNS = {"x": X, "z": Z, "a b": X + 1.0, "log": Z, "class": X, "x|y": Z, "1": X}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", X),
        ("x + 2 * z - 1", X + 2 * Z - 1),
        ("-x ** 2 / 4", -(X**2) / 4),
        ("log(x)", np.log(X)),
        ("log1p(x) + log2(x) + log10(x)", np.log1p(X) + np.log2(X) + np.log10(X)),
        ("exp(z) * sqrt(x) + abs(z)", np.exp(Z) * np.sqrt(X) + np.abs(Z)),
        ("I(x ^ 2)", X**2),
        ("log(`log` ** 2)", np.log(Z**2)),
        ("`a b` + `class` + `x|y` + `1`", 3 * X + 1.0 + Z),
        ("sqrt(150)", np.full(3, np.sqrt(150.0))),
        ("x < 2", [1.0, 1.0, 0.0]),
        ("x >= 1 and z > 0", [0.0, 0.0, 1.0]),
        ("not x == 1 or z == 2", [1.0, 0.0, 1.0]),
    ],
)
def test_an_expression_is_what_numpy_says(text, expected):
    np.testing.assert_allclose(evaluate(text, COLUMNS), expected, rtol=ALGEBRAIC)


def test_missing_stays_missing_and_decides_nothing_alone():
    """Kleene's logic: false and missing is false, true or missing is true, everything else with a missing value is missing."""
    columns = {"a": np.array([0.0, 1.0, np.nan]), "m": np.full(3, np.nan)}
    np.testing.assert_array_equal(evaluate("m < 1", columns), [np.nan] * 3)
    np.testing.assert_array_equal(evaluate("a > 0 and m > 0", columns), [0.0, np.nan, np.nan])
    np.testing.assert_array_equal(evaluate("a > 0 or m > 0", columns), [np.nan, 1.0, np.nan])
    np.testing.assert_array_equal(evaluate("not a", columns), [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(evaluate("log(a + 1)", columns), [0.0, np.log(2.0), np.nan])


def test_text_is_compared_with_strings_only():
    columns = {"status": np.array(["dead", None, "alive"], dtype=object), "x": X}
    np.testing.assert_array_equal(evaluate("status == 'dead'", columns), [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(evaluate("status != 'dead'", columns), [0.0, np.nan, 1.0])
    with pytest.raises(ColumnError, match="'status' is text"):
        evaluate("log(status)", columns)
    with pytest.raises(ColumnError, match="holds numbers"):
        evaluate("x == 'dead'", columns)


@pytest.mark.parametrize(
    ("text", "named"),
    [("log(x - 1)", "log(x - 1)"), ("1 / (z + 1)", "1 / (z + 1)"), ("sqrt(z) + x", "sqrt(z)"), ("exp(1000 * x)", "exp(1000 * x)")],
)
def test_what_is_not_finite_is_named_with_its_rows(text, named):
    with pytest.raises(MissingValueError, match=r"rows .*\d+ in all, counted from 0") as caught:
        evaluate(text, COLUMNS)
    assert caught.value.what.startswith(named)


def test_an_unknown_column_names_the_nearest():
    with pytest.raises(ColumnError, match="did you mean 'class'"):
        evaluate("clas + 1", COLUMNS)


ATTACKS = [
    "__import__('os').system('touch canary')",
    "x.__class__",
    "os.system('true')",
    "open('canary', 'w')",
    "(lambda: 1)()",
    "[c for c in x]",
    "x[0]",
    "f'{x}'",
    "(y := x)",
    "eval('1')",
    "x if x else z",
    "scale(x)",
    "C(x)",
    "True",
    "'text'",
    "x @ z",
    "x // z",
    "x & z",
]


@pytest.mark.parametrize("text", ATTACKS)
def test_code_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormulaError):
        evaluate(text, COLUMNS)
    assert not list(tmp_path.iterdir())


@given(st.text(alphabet="xz19.()+-*/<>= _[]'`:,", max_size=30))
def test_any_text_is_evaluated_or_refused_in_our_words(text):
    try:
        shape = evaluate(text, COLUMNS).shape
    except BayesglmmError:
        shape = (3,)
    assert shape == (3,)


def test_without_columns_there_is_no_list_of_them():
    assert unknown_column("x", []).fix == "Leave it out: no column is read here"
