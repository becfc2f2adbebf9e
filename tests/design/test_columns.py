"""Fixed columns: full-rank coding as in R, names as in Bambi, and new rows coded like training rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.design.columns import TermColumns, build_columns, replay_columns
from bayesglmm.errors import (
    ArgumentError,
    BayesglmmError,
    ColumnError,
    DesignError,
    DesignWarning,
    FormulaError,
    LevelError,
    MissingValueError,
)
from bayesglmm.spec.terms import Part, Term
from tests.design.makers import columns_of, small_table, table_of
from tests.tolerances import ALGEBRAIC

DATA = small_table()
D2 = (DATA["drug"] == "ddI").to_numpy(float)
MID, HIGH = ((DATA["dose"] == level).to_numpy(float) for level in ("mid", "high"))
LOW = 1.0 - MID - HIGH
X = DATA["x"].to_numpy()

CODED = {
    "1": {"Intercept": np.ones(60)},
    "x": {"Intercept": np.ones(60), "x": X},
    "0 + x": {"x": X},
    "drug": {"Intercept": np.ones(60), "drug[ddI]": D2},
    "0 + drug": {"drug[ddC]": 1 - D2, "drug[ddI]": D2},
    "0 + drug + dose": {"drug[ddC]": 1 - D2, "drug[ddI]": D2, "dose[mid]": MID, "dose[high]": HIGH},
    "x * drug": {"Intercept": np.ones(60), "x": X, "drug[ddI]": D2, "x:drug[ddI]": X * D2},
    "x:drug": {"Intercept": np.ones(60), "x:drug[ddC]": X * (1 - D2), "x:drug[ddI]": X * D2},
    "drug / x": {"Intercept": np.ones(60), "drug[ddI]": D2, "drug:x[ddC]": X * (1 - D2), "drug:x[ddI]": X * D2},
    "drug * dose": {
        "Intercept": np.ones(60),
        "drug[ddI]": D2,
        "dose[mid]": MID,
        "dose[high]": HIGH,
        "drug:dose[ddI, mid]": D2 * MID,
        "drug:dose[ddI, high]": D2 * HIGH,
    },
    "dose / drug": {
        "Intercept": np.ones(60),
        "dose[mid]": MID,
        "dose[high]": HIGH,
        "dose:drug[low, ddI]": LOW * D2,
        "dose:drug[mid, ddI]": MID * D2,
        "dose:drug[high, ddI]": HIGH * D2,
    },
    "0 + drug:dose": {
        f"drug:dose[{d}, {e}]": a * b for e, b in (("low", LOW), ("mid", MID), ("high", HIGH)) for d, a in (("ddC", 1 - D2), ("ddI", D2))
    },
    "flag": {"Intercept": np.ones(60), "flag[True]": DATA["flag"].to_numpy(float)},
    "I(x^2) + log(t)": {"Intercept": np.ones(60), "I(x ** 2)": X**2, "log(t)": np.log(DATA["t"].to_numpy())},
}


@pytest.mark.parametrize("terms", CODED)
def test_columns_are_coded_and_named_as_r_and_bambi_do(terms):
    columns, _ = columns_of(terms, DATA)
    assert columns.labels == tuple(CODED[terms])
    np.testing.assert_allclose(columns.matrix, np.column_stack(list(CODED[terms].values())), rtol=ALGEBRAIC)


def test_terms_say_where_their_columns_are():
    columns, _ = columns_of("x * dose + poly(t, 2)", DATA)
    assert columns.terms == (
        TermColumns("Intercept", 0, 1, None),
        TermColumns("x", 1, 2, None),
        TermColumns("dose", 2, 4, ("mid", "high")),
        TermColumns("poly(t, 2)", 4, 6, ("1", "2")),
        TermColumns("x:dose", 6, 8, ("mid", "high")),
    )


@pytest.mark.parametrize("terms", ["drug:dose", "x:drug:dose", "drug + drug:dose", "0 + drug:dose + x:dose", "drug * dose * x - drug"])
def test_coding_spans_the_full_space_without_redundancy(terms):
    """As many columns as the terms' space has dimensions: compared with the rank of all indicator products."""
    columns, encoding = columns_of(terms, DATA)
    blocks = {"x": X[:, None], "drug": np.column_stack([1 - D2, D2]), "dose": np.column_stack([LOW, MID, HIGH])}
    everything = [np.ones((60, 1))] if encoding.part.intercept else []
    for term in encoding.part.terms:
        product = np.ones((60, 1))
        for factor in term.factors:
            product = (product[:, :, None] * blocks[factor][:, None, :]).reshape(60, -1)
        everything.append(product)
    assert np.linalg.matrix_rank(columns.matrix) == columns.matrix.shape[1] == np.linalg.matrix_rank(np.hstack(everything))


def test_contrasts_are_those_of_r():
    """contr.sum, contr.helmert and contr.poly of three levels, and the successive differences of MASS::contr.sdif."""
    level = np.array([0, 1, 2])[DATA["dose"].cat.codes]
    expected = {
        "sum": ([[1, 0], [0, 1], [-1, -1]], ("S.low", "S.mid")),
        "helmert": ([[-1, -1], [1, -1], [0, 2]], ("H.mid", "H.high")),
        "poly": (np.column_stack([np.array([-1, 0, 1]) / np.sqrt(2.0), np.array([1, -2, 1]) / np.sqrt(6.0)]), (".L", ".Q")),
        "diff": ([[-2 / 3, -1 / 3], [1 / 3, -1 / 3], [1 / 3, 2 / 3]], ("D.mid", "D.high")),
    }
    for name, (matrix, labels) in expected.items():
        by_term, _ = columns_of(f"C(dose, '{name}')", DATA)
        by_argument, _ = columns_of("dose", DATA, contrasts={"dose": name})
        assert by_argument.terms[1].levels == by_term.terms[1].levels == labels
        np.testing.assert_allclose(by_term.matrix[:, 1:], np.asarray(matrix)[level], rtol=ALGEBRAIC, atol=ALGEBRAIC)
        np.testing.assert_array_equal(by_argument.matrix, by_term.matrix)


def test_the_reference_level_can_be_chosen():
    columns, _ = columns_of("C(dose, 'treatment', 'mid')", DATA)
    assert columns.terms[1].levels == ("low", "high")
    np.testing.assert_array_equal(columns.matrix[:, 1], LOW)


def test_a_number_becomes_a_factor_by_name():
    columns, _ = columns_of("C(k)", {"k": [10, 9, 10, 2, 2]})
    assert columns.terms[1].levels == ("9", "10")


ODD_NAMES = ["scale", "C", "log", "I", "x|y", "a b", "a:b", "1", "class", "lambda", "__obs__x"[2:], "poly", "f0"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_column_names_work(name):
    data = {name: np.array([1.0, 4.0, 2.0, 0.5]), "f": ["u", "v", "v", "u"]}
    plain = {"x": data[name], "f": data["f"]}
    odd, _ = columns_of(f"scale(`{name}`) + f:`{name}`", data)
    expected, _ = columns_of("scale(x) + f:x", plain)
    np.testing.assert_array_equal(odd.matrix, expected.matrix)
    alone, _ = columns_of(f"`{name}`", data)
    np.testing.assert_array_equal(alone.matrix[:, 1], data[name])


def test_a_column_called_like_the_constant_is_refused():
    with pytest.raises(DesignError, match="name of the constant"):
        build_columns(Part(True, (Term(("Intercept",)),)), table_of({"Intercept": [1.0, 2.0]}))


STATEFUL = "scale(x) * drug + ns(t, 3) + bs(x, df=5):dose + poly(x, 2, raw=True) + log(center(t) ** 2 + 1) + C(g, 'sum') + f(x)"
FUNCTIONS = {"f": lambda x: np.column_stack([np.sin(x), np.cos(x)])}


def test_training_rows_encode_to_the_design_bit_by_bit():
    columns, encoding = columns_of(STATEFUL, small_table(90), functions=FUNCTIONS)
    again = replay_columns(encoding, table_of(small_table(90)), functions=FUNCTIONS)
    assert again.labels == columns.labels
    assert again.terms == columns.terms
    np.testing.assert_array_equal(again.matrix, columns.matrix)


@given(st.lists(st.integers(0, 59), min_size=1, max_size=8))
def test_any_rows_encode_as_they_did_among_all(rows):
    """Coding depends on the row, not on its company; rtol: matrix products of another shape round differently."""
    columns, encoding = columns_of(STATEFUL, DATA, functions=FUNCTIONS)
    part = replay_columns(encoding, table_of(DATA.iloc[rows]), functions=FUNCTIONS)
    np.testing.assert_allclose(part.matrix, columns.matrix[rows], rtol=ALGEBRAIC, atol=ALGEBRAIC)


@given(st.permutations(range(60)))
def test_the_order_of_rows_changes_nothing_but_the_order_of_rows(order):
    """rtol: what a transform learns is a sum over rows, which rounds by its order."""
    columns, _ = columns_of("ns(x, 3) * dose + scale(t)", DATA)
    moved, _ = columns_of("ns(x, 3) * dose + scale(t)", DATA.iloc[list(order)])
    np.testing.assert_allclose(moved.matrix, columns.matrix[list(order)], rtol=ALGEBRAIC, atol=ALGEBRAIC)


def test_a_new_table_may_spell_a_level_in_another_type():
    _, encoding = columns_of("C(k)", {"k": [1, 2, 3, 1]})
    np.testing.assert_array_equal(replay_columns(encoding, table_of({"k": ["3", "1"]})).matrix, [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    np.testing.assert_array_equal(replay_columns(encoding, table_of({"k": [3.0, 1.0]})).matrix, [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


NEW_ROWS = [
    ("drug", {"drug": ["ddC", "new"]}, LevelError, r"column 'drug': 'new'; rows 1 \(1 in all.*known levels are: 'ddC', 'ddI'"),
    ("log(t)", {"t": [1.0, 0.0]}, MissingValueError, r"log\(t\) is not a finite number. Where: rows 1"),
    ("x", {"x": ["a", "b"]}, ColumnError, "text where numbers are needed"),
    ("x", {"z": [1.0]}, ColumnError, "no column 'x'"),
]


@pytest.mark.parametrize(("terms", "data", "kind", "message"), NEW_ROWS, ids=[r[3] for r in NEW_ROWS])
def test_new_rows_that_cannot_be_coded_are_our_own_errors(terms, data, kind, message):
    _, encoding = columns_of(terms, DATA)
    with pytest.raises(kind, match=message):
        replay_columns(encoding, table_of(data))


@pytest.mark.parametrize(
    ("terms", "values", "message"),
    [("ns(x, 3)", [0.0, 99.0], r"ns\(x, 3\), rows 1"), ("bs(x, df=4)", [-99.0, 0.0], r"bs\(x, df=4\), rows 0")],
)
def test_an_extrapolated_spline_is_warned_of_by_row(terms, values, message):
    _, encoding = columns_of(terms, DATA)
    with pytest.warns(DesignWarning, match=f"extrapolated beyond .*Where: {message}"):
        assert np.isfinite(replay_columns(encoding, table_of({"x": values})).matrix).all()


REFUSED = [
    ("log(drug)", DATA, {}, ColumnError, "column 'drug' with values 'ddC', 'ddI'"),
    ("log(x)", DATA, {}, MissingValueError, r"log\(x\) is not a finite number"),
    ("drg", DATA, {}, ColumnError, "did you mean 'drug'"),
    ("drug", DATA.assign(drug="ddI"), {}, DesignError, "one level only. Where: term drug: column 'drug' is always 'ddI'"),
    ("x:drug", DATA.assign(drug="ddI").iloc[:1], {}, DesignError, "2 columns for 1 rows"),
    ("C(dose, 'treatment', 'never')", DATA, {}, FormulaError, "reference level 'never' does not occur"),
    ("dose", DATA, {"contrasts": {"dose": "user"}}, ArgumentError, "contrast 'user' is not known"),
    ("scale(k)", DATA.assign(k=1.0), {}, DesignError, r"constant column cannot be scaled.*Where: scale\(k\)"),
    ("ns(flag, 4)", DATA, {}, DesignError, r"Where: ns\(flag, 4\)"),
    ("f(x)", DATA, {"functions": {"f": lambda x: x[:3]}}, ColumnError, r"f\(\) must return numbers, one row per row"),
    ("f(x)", DATA, {"functions": {"f": lambda x: x - x.mean()}}, ColumnError, r"f\(\) must make each row from that row alone"),
    ("f(x)", DATA, {"functions": {"f": np.cumsum}}, ColumnError, r"f\(\) must make each row from that row alone"),
    ("f(x)", DATA, {"functions": {"f": lambda x: {}["k"]}}, ArgumentError, r"your function f\(\) failed: KeyError: 'k'"),
    ("f(x)", DATA, {"functions": {"f": 3}}, ArgumentError, r"your function f\(\) failed: TypeError"),
    ("f(x)", DATA, {"functions": {"f": lambda x: np.where(x > 0, np.nan, x)}}, MissingValueError, r"f\(x\) is not a finite"),
    ("x", DATA.assign(x=[*map(str, range(59)), "oops"]), {}, ColumnError, r"read as text.*'x': 60 different values, no number: 'oops'"),
    ("x", DATA.assign(x=DATA["x"].astype(str)), {}, ColumnError, "read as text.*60 different values, such as"),
    ("x", DATA.assign(x=[f"{i},5" for i in range(60)]), {}, ColumnError, r"read as text.*write C\(x\)"),
    ("0 + u:v", {"u": ["a, b", "a", "a, b", "a"] * 9, "v": ["c", "b, c", "b, c", "c"] * 9}, {}, DesignError, "commas"),
]


@pytest.mark.parametrize(("terms", "data", "options", "kind", "message"), REFUSED, ids=[f"{r[0]} {r[4]}" for r in REFUSED])
def test_terms_that_cannot_be_coded_say_why(terms, data, options, kind, message):
    with pytest.raises(kind, match=message):
        columns_of(terms, data, **options)


def test_a_function_that_was_not_given_again_is_asked_for():
    _, encoding = columns_of("f(x)", DATA, functions=FUNCTIONS)
    with pytest.raises(FormulaError, match="functions="):
        replay_columns(encoding, table_of(DATA))


@given(st.text(alphabet="xdrug:*+-/^()01 `I,|", max_size=25))
def test_any_right_hand_side_is_coded_or_refused_in_our_words(terms):
    try:
        rows = len(columns_of(terms, DATA)[0].matrix)
    except BayesglmmError:
        rows = 60
    assert rows == 60


def test_text_that_may_be_levels_is_a_factor():
    codes = DATA.assign(code=np.resize([str(i) for i in range(100, 120)], 60), few=np.resize(["0", "1", "2", "3+"], 60))
    for terms, levels in (("code", 20), ("few", 4), ("C(drug)", 2)):
        assert columns_of(terms, codes)[0].matrix.shape[1] == levels
    mixed = DATA.assign(band=np.resize([*map(str, range(19)), "19+"], 60))
    assert columns_of("C(band)", mixed)[0].matrix.shape[1] == 20


def test_a_function_cannot_change_the_table():
    def doubled(x):
        x *= 2
        return x

    columns, _ = columns_of("f(x) + x", DATA, functions={"f": doubled})
    np.testing.assert_array_equal(columns.matrix[:, 1:], np.column_stack([2 * DATA["x"], DATA["x"]]))


def test_a_wide_factor_is_pointed_to_a_grouping_factor():
    data = pd.DataFrame({"id": [str(i) for i in range(50)], "x": np.arange(50.0)})
    with pytest.raises(DesignError, match=r"make a factor with many levels a grouping factor, \(1 \| g\)"):
        columns_of("id + x", data)
