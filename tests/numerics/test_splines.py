"""Natural splines equal R's ``splines::ns``; reference values made by tests/golden/r/natural_splines.R (see there)."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesglmm.errors import DesignError
from bayesglmm.numerics.splines import natural_spline_basis, natural_spline_knots
from tests.tolerances import ALGEBRAIC, REFERENCE

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "numerics" / "natural_splines.json").read_text(encoding="utf-8"))
CASES = {case["name"]: {key: np.array(value) for key, value in case.items() if key != "name"} for case in GOLDEN["cases"]}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_basis_is_that_of_r(case):
    """Columns, signs and all: rtol REFERENCE, and entries that are zero up to rounding of a basis of size one."""
    for at, expected in (("x", "basis"), ("new", "new_basis")):
        found = natural_spline_basis(case[at], case["knots"], case["boundary"])
        np.testing.assert_allclose(found, case[expected], rtol=REFERENCE, atol=ALGEBRAIC)


@pytest.mark.parametrize("case", [case for name, case in CASES.items() if "own" not in name], ids=[n for n in CASES if "own" not in n])
def test_the_knots_are_those_of_r(case):
    knots, boundary = natural_spline_knots(case["x"], int(case["df"]))
    np.testing.assert_allclose(knots, case["knots"], rtol=ALGEBRAIC)
    np.testing.assert_array_equal(boundary, case["boundary"])


def test_a_straight_line_is_in_the_space():
    """With an intercept the basis reproduces every straight line: it is a natural spline."""
    x = np.linspace(-3.0, 8.0, 60)
    basis = natural_spline_basis(x, *natural_spline_knots(x, 4))
    columns = np.column_stack([np.ones_like(x), basis])
    fitted = columns @ np.linalg.lstsq(columns, 2.0 - 0.7 * x)[0]
    np.testing.assert_allclose(fitted, 2.0 - 0.7 * x, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@given(shift=st.floats(-100.0, 100.0), scale=st.floats(0.01, 100.0))
def test_shift_and_scale_of_the_covariate_change_nothing(shift, scale):
    """B-splines depend on relative positions only; the second-derivative conditions scale by one factor per end."""
    x = np.array([0.0, 0.4, 1.0, 1.7, 2.0, 3.3, 4.0, 6.1, 7.0])
    plain = natural_spline_basis(x, *natural_spline_knots(x, 3))
    moved = shift + scale * x
    # atol: shifting by 100 and scaling by 0.01 leaves 4 digits less than a double has
    np.testing.assert_allclose(natural_spline_basis(moved, *natural_spline_knots(moved, 3)), plain, rtol=ALGEBRAIC, atol=1e4 * ALGEBRAIC)


def test_second_derivatives_vanish_at_the_boundary():
    """Second differences at the ends are those of a cubic whose second derivative is zero there: O(step) of the inside."""
    x = np.linspace(0.0, 1.0, 2001)
    basis = natural_spline_basis(x, np.array([0.3, 0.6]), np.array([0.0, 1.0]))
    curvature = np.abs(np.diff(basis, 2, axis=0)) / (x[1] - x[0]) ** 2
    assert (curvature[[0, -1]] < 0.01 * curvature.max(axis=0)).all()


def test_the_basis_goes_on_in_straight_lines_beyond_its_boundary():
    knots, boundary = np.array([0.3, 0.6]), np.array([0.0, 1.0])
    for end, step in ((0.0, -0.1), (1.0, 0.1)):
        near, far, farther = natural_spline_basis(end + step * np.array([0.0, 1.0, 2.0]), knots, boundary)
        np.testing.assert_allclose(farther - far, far - near, atol=ALGEBRAIC)
        inside = natural_spline_basis(np.array([end - 1e-6 * step]), knots, boundary)[0]
        np.testing.assert_allclose((near - inside) / 1e-6, far - near, rtol=1e-4, atol=REFERENCE)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_row(bad):
    with pytest.raises(DesignError, match="rows 1"):
        natural_spline_basis(np.array([0.5, bad]), np.array([0.5]), np.array([0.0, 1.0]))


@pytest.mark.parametrize("df", [0, -1, 2.5])
def test_impossible_degrees_of_freedom_are_refused(df):
    with pytest.raises(DesignError, match="df"):
        natural_spline_knots(np.arange(10.0), df)


def test_knots_that_coincide_are_refused():
    with pytest.raises(DesignError, match="coincide"):
        natural_spline_knots(np.array([0.0, 0.0, 0.0, 0.0, 1.0]), 4)
    with pytest.raises(DesignError, match="outside"):
        natural_spline_basis(np.array([0.5]), np.array([2.0]), np.array([0.0, 1.0]))


def test_missing_values_are_refused():
    with pytest.raises(DesignError, match="finite"):
        natural_spline_knots(np.array([0.0, np.nan, 1.0]), 2)
