"""Group terms: index and narrow Z, whatever the form of the term; implicit nesting is noted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm import datasets
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.groups import cells
from bayesglmm.errors import ColumnError, DesignError
from tests.design.makers import design_of, small_table, table_of
from tests.tolerances import ALGEBRAIC

DATA = small_table()
D2 = (DATA["drug"] == "ddI").to_numpy(float)
X = DATA["x"].to_numpy()
ONE = np.ones(60)

FORMS = {
    "(1 | g)": [("g", "us", {"1": ONE})],
    "(x | g)": [("g", "us", {"1": ONE, "x": X})],
    "(x || g)": [("g", "diag", {"1": ONE, "x": X})],
    "(0 + x | g)": [("g", "us", {"x": X})],
    "(1 | g) + (0 + x | g)": [("g", "us", {"1": ONE}), ("g", "us", {"x": X})],
    "(drug || h)": [("h", "diag", {"1": ONE, "drug[ddI]": D2})],
    "(0 + drug || h)": [("h", "diag", {"drug[ddC]": 1 - D2, "drug[ddI]": D2})],
    "(x:drug | h)": [("h", "us", {"1": ONE, "x:drug[ddC]": X * (1 - D2), "x:drug[ddI]": X * D2})],
    "(1 | h:drug)": [("h:drug", "us", {"1": ONE})],
    "(1 | h/drug)": [("h", "us", {"1": ONE}), ("h:drug", "us", {"1": ONE})],
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_its_effects(form):
    design = design_of(f"y ~ x + {form}", DATA)
    assert [(g.name, g.term.covariance, g.labels) for g in design.groups] == [(n, c, tuple(z)) for n, c, z in FORMS[form]]
    for group, (_, _, expected) in zip(design.groups, FORMS[form], strict=True):
        np.testing.assert_allclose(group.Z, np.column_stack(list(expected.values())), rtol=ALGEBRAIC)
        assert group.index.dtype == np.int64
        assert len(group.levels) == group.index.max() + 1


def test_terms_of_one_factor_are_numbered():
    design = design_of("y ~ (1 | g) + (1 | h) + (0 + x | g)", DATA)
    assert [(g.name, g.position) for g in design.groups] == [("g", 0), ("h", 0), ("g", 1)]


def test_effects_are_named_as_terms():
    (group,) = design_of("y ~ (x * drug | h)", DATA).groups
    expected = (("1", 0, 1, None), ("x", 1, 2, None), ("drug", 2, 3, ("ddI",)), ("x:drug", 3, 4, ("ddI",)))
    assert group.effects == tuple(TermColumns(*e) for e in expected)


def test_levels_are_in_the_order_of_the_column_and_cells_parents_first():
    data = pd.DataFrame(
        {
            "y": np.arange(6.0),
            "g": pd.Categorical(["B", "B", "A", "A", "C", "C"], categories=["C", "B", "A", "never"]),
            "k": [10, 9, 9, 10, 9, 9],
        }
    )
    g, nested = design_of("y ~ (1 | g/k)", data).groups
    assert g.levels == ("C", "B", "A")
    assert nested.levels == ("C:9", "B:9", "B:10", "A:9", "A:10")
    np.testing.assert_array_equal(nested.index, [2, 1, 3, 4, 0, 0])


@given(st.permutations(range(60)))
def test_row_order_changes_nothing_but_row_order(order):
    group, moved = (design_of("y ~ (x | g:h)", d).groups[0] for d in (DATA, DATA.iloc[list(order)]))
    assert moved.levels == group.levels
    np.testing.assert_array_equal(moved.index, group.index[list(order)])
    np.testing.assert_array_equal(moved.Z, group.Z[list(order)])


@given(st.permutations(list("pqrs")))
def test_relabelling_groups_permutes_the_levels(names):
    """The rows that share a level stay the rows that share a level."""
    new = dict(zip("pqrs", names, strict=True))
    (group,), (renamed,) = (design_of("y ~ (1 | h)", d).groups for d in (DATA, DATA.assign(h=DATA["h"].map(new))))
    assert [new[group.levels[i]] for i in group.index] == [renamed.levels[i] for i in renamed.index]


def test_cells_of_three_columns():
    codes, labels = cells(table_of({"a": ["u", "v", "u"], "b": [2, 1, 2], "c": [True, True, False]}), ("a", "b", "c"))
    assert labels == ("u:2:False", "u:2:True", "v:1:True")
    np.testing.assert_array_equal(codes, [1, 2, 0])


def test_cells_that_read_alike_are_refused():
    with pytest.raises(DesignError, match="take the colons out"):
        cells(table_of({"a": ["u:v", "u"], "b": ["w", "v:w"]}), ("a", "b"))


REFUSED = [
    ("(1 | g)", {"g": 1}, DesignError, "one level only. Where: g is always '1'"),
    ("(1 | gg)", {}, ColumnError, "did you mean 'g'"),
    ("(k | g)", {"k": 2.0}, DesignError, r"effects of \(1 \+ k \| g\): k"),
    ("(x + k | g)", {"k": 3.0 - 2.0 * X}, DesignError, r"effects of \(1 \+ x \+ k \| g\): (x|k) is a combination of (k|x)"),
    ("(1 | row)", {"row": np.arange(60)}, DesignError, "as many levels as there are rows"),
]


@pytest.mark.parametrize(("form", "columns", "kind", "message"), REFUSED, ids=[r[3] for r in REFUSED])
def test_group_terms_that_cannot_be_fitted_say_why(form, columns, kind, message):
    with pytest.raises(kind, match=message):
        design_of(f"y ~ 1 + {form}", DATA.assign(**columns))


def test_one_level_per_row_is_allowed_where_the_residual_is_known_or_there_is_none():
    data = DATA.assign(row=np.arange(60), s=0.3)
    assert len(design_of("y | se(s) ~ 1 + (1 | row)", data).groups[0].levels) == 60
    assert len(design_of("count ~ 1 + (1 | row)", data, family="poisson").groups[0].levels) == 60


def test_pastes_casks_are_noted_as_implicitly_nested():
    pastes = datasets.load("Pastes")
    (note,) = design_of("strength ~ 1 + (1 | batch) + (1 | cask)", pastes).notes
    assert "(1 | batch) + (1 | batch:cask)" in note
    assert design_of("strength ~ 1 + (1 | batch/cask)", pastes).notes == ()
    assert design_of("strength ~ 1 + (1 | batch) + (1 | sample)", pastes).notes == ()


def test_a_column_that_names_the_cells_is_recommended():
    """The table may hold more columns than the formula needs; here the formula itself reads the explicit factor."""
    (note,) = design_of("strength ~ 1 + (1 | batch) + (1 | cask) + (1 | sample)", datasets.load("Pastes")).notes
    assert "the column 'sample' names the same cells" in note


@pytest.mark.parametrize(
    ("name", "formula"),
    [("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"), ("InstEval", "y ~ 1 + (1 | s) + (1 | d)")],
)
def test_crossed_factors_are_not_noted(name, formula):
    assert design_of(formula, datasets.load(name)).notes == ()


def test_unbalanced_nesting_is_noted_and_crossing_with_gaps_is_not():
    """Pupils numbered 1 to n_j within each class, two scores each; then pupils of whom not all are in every class."""
    sizes = {"u": 3, "v": 2, "w": 4}
    rows = [(c, p) for c, n in sizes.items() for p in range(1, n + 1) for _ in range(2)]
    data = pd.DataFrame(rows, columns=["class", "pupil"]).assign(y=np.arange(18.0) % 5)
    (note,) = design_of("y ~ 1 + (1 | `class`) + (1 | pupil)", data).notes
    assert "(1 | `class`:pupil)" in note
    gaps = data[~((data["class"] == "u") & (data["pupil"] == 2))]
    assert design_of("y ~ 1 + (1 | `class`) + (1 | pupil)", gaps).notes == ()
