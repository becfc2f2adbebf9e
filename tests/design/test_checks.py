"""Constant and dependent columns, names that collide, weights."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayesglmm.design.checks import check_rank
from bayesglmm.errors import DesignError
from tests.design.makers import design_of, small_table

DATA = small_table()
X, T = DATA["x"].to_numpy(), DATA["t"].to_numpy()

DEPENDENT = [
    ("x + c", {"c": 5.0}, "does not vary. Where: fixed effects: c"),
    ("x + z", {"z": 0.0}, "does not vary. Where: fixed effects: z"),
    ("0 + x + z", {"z": 0.0}, "does not vary. Where: fixed effects: z"),
    ("x + t + s", {"s": X + 2 * T}, "(x|t|s) is a combination of .* and .*"),
    ("x + s", {"s": 1e6 * X + 3.0}, r"(x|s) is a combination of (x|s) \(and Intercept\)"),
    ("0 + drug + a + b", {"a": X, "b": 1.0 - X}, "is a combination of"),
    ("x + v", {"v": 1e200 * X}, "too large to be squared. Where: fixed effects: v"),
    ("x + u + t", {"u": 3.0 - X}, "(x|u) is a combination of (x|u)"),
]


@pytest.mark.parametrize(("terms", "columns", "message"), DEPENDENT, ids=[d[0] for d in DEPENDENT])
def test_dependent_columns_are_named(terms, columns, message):
    with pytest.raises(DesignError, match=message):
        design_of(f"y ~ {terms}", DATA.assign(**columns))


def test_only_the_columns_that_take_part_are_named():
    with pytest.raises(DesignError) as caught:
        design_of("y ~ x + t + twice + flag", DATA.assign(twice=2 * X))
    assert {"x", "twice"} <= set(caught.value.where.replace("(", " ").split())
    assert "flag" not in caught.value.where
    assert " t " not in caught.value.where


@pytest.mark.parametrize(
    ("terms", "columns"),
    [
        ("0 + c", {"c": 5.0}),
        ("year + I(year^2) + I(year^3)", {"year": 1990.0 + 20 * DATA["flag"] + T}),
        ("a + b", {"a": X, "b": X + 1e-6 * T}),
    ],
)
def test_columns_that_are_only_nearly_dependent_are_kept(terms, columns):
    """A constant without an intercept is one; powers of a calendar year; two columns that differ in the sixth digit."""
    assert design_of(f"y ~ {terms}", DATA.assign(**columns)).X.shape[0] == 60


@given(arrays(float, (12, 3), elements=st.floats(-9, 9)), arrays(float, 3, elements=st.floats(-3, 3)), st.floats(-5, 5))
def test_any_combination_is_found_and_its_parts_named(X, weights, shift):
    """Property: a column appended as a combination of an independent set is always refused, with a culprit among those involved."""
    base = np.column_stack([np.ones(12), X])
    assume(np.linalg.cond(base) < 1e4)
    assume(np.abs(weights).max() > 0.1)
    check_rank(base, ("Intercept", "a", "b", "c"), "fixed effects")
    with pytest.raises(DesignError, match="is a combination of"):
        check_rank(np.column_stack([base, X @ weights + shift]), ("Intercept", "a", "b", "c", "d"), "fixed effects")


COLLISIONS = [
    ("y ~ chain", {"chain": X}, "gaussian", "chain"),
    ("y ~ sigma", {"sigma": X}, "gaussian", "sigma"),
    ("y ~ Intercept_centered", {"Intercept_centered": X}, "gaussian", "Intercept_centered"),
    ("y ~ g_corr + (x | g)", {"g_corr": X}, "gaussian", "g_corr"),
]


@pytest.mark.parametrize(("formula", "columns", "family", "name"), COLLISIONS, ids=[c[3] for c in COLLISIONS])
def test_names_that_would_collide_are_refused(formula, columns, family, name):
    with pytest.raises(DesignError, match=f"one name. Where: {name}"):
        design_of(formula, DATA.assign(**columns), family=family)


def test_a_name_that_collides_with_nothing_is_fine():
    assert design_of("count ~ sigma", DATA.assign(sigma=X), family="poisson").labels == ("Intercept", "sigma")
