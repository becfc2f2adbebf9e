"""The scatter of two random effects: posterior means, their intervals, and the ellipses of D."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.modes_scatter import plot_modes_scatter
from bayesglmm.plots.style import COLOURS
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import REFERENCE

D = np.array([[1.69, 0.364], [0.364, 0.49]])


def dots(axes):
    (line,) = [a for a in axes.lines if a.get_color() == COLOURS[0]]
    return line.get_xydata()


def ellipses(axes):
    return [patch for patch in axes.patches if isinstance(patch, Ellipse)]


@pytest.mark.parametrize("effects", [None, ("x", "1")])
def test_dots_are_the_means_of_the_two_effects(effects):
    result = bg.random_effects(crossed_fit(), factor="g")
    axes = plot_modes_scatter(result, effects=effects).axes[0]
    pair = effects or ("1", "x")
    wide = result.table.pivot(index="level", columns="effect", values=["mean", "ci_lower", "ci_upper"])
    np.testing.assert_array_equal(dots(axes), wide["mean"][list(pair)])
    across, up = (np.array([s for s in c.get_segments()]) for c in axes.collections)
    np.testing.assert_array_equal(across[:, :, 0], wide.swaplevel(axis=1)[pair[0]][["ci_lower", "ci_upper"]])
    np.testing.assert_array_equal(up[:, :, 1], wide.swaplevel(axis=1)[pair[1]][["ci_lower", "ci_upper"]])
    names = {"1": "intercept of g", "x": "x of g"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == (names[pair[0]], names[pair[1]])
    assert not ellipses(axes)


def test_ellipses_of_a_fit_are_those_of_its_covariance():
    """Every point of an ellipse of radius r has the Mahalanobis length r."""
    axes = plot_modes_scatter(crossed_fit(spread=0.0)).axes[0]
    assert len(ellipses(axes)) == 2
    for radius, ellipse in zip((1.0, 2.0), ellipses(axes), strict=True):
        points = ellipse.get_patch_transform().transform(np.column_stack([np.cos(np.arange(12)), np.sin(np.arange(12))]))
        lengths = np.sqrt(np.einsum("ni,ij,nj->n", points, np.linalg.inv(D), points))
        np.testing.assert_allclose(lengths, radius, rtol=REFERENCE)


def test_a_given_covariance_goes_before_that_of_the_fit():
    (inner, _) = ellipses(plot_modes_scatter(crossed_fit(), spread=np.diag([4.0, 1.0])).axes[0])
    assert sorted((inner.width, inner.height)) == pytest.approx([2.0, 4.0])


def test_coefficients_have_no_zero_and_no_ellipses():
    result = bg.random_effects(crossed_fit(), factor="g", coefficients=True)
    assert len(plot_modes_scatter(result).axes[0].lines) == 1
    with pytest.raises(ArgumentError, match="ellipses are around zero"):
        plot_modes_scatter(result, spread=D)


def test_many_levels_have_no_bars():
    axes = plot_modes_scatter(make_fit("y ~ x + (x | g)", table(600), n_draws=3)).axes[0]
    assert len(dots(axes)) == 100
    assert not axes.collections


@pytest.mark.parametrize("spread", [np.eye(3), [[1.0, 0.5], [0.4, 1.0]], [[1.0, 2.0], [2.0, 1.0]], [[np.nan, 0.0], [0.0, 1.0]]])
def test_what_is_no_covariance_is_refused(spread):
    with pytest.raises(ArgumentError, match="no covariance matrix"):
        plot_modes_scatter(crossed_fit(), spread=spread)


def test_what_has_no_two_effects_is_refused():
    fit = crossed_fit()
    for given in (bg.summary(fit), None):
        with pytest.raises(ArgumentError, match=r"random_effects\(\.\.\.\)"):
            plot_modes_scatter(given)
    with pytest.raises(ArgumentError, match="one factor, not g, h"):
        plot_modes_scatter(bg.random_effects(fit))
    with pytest.raises(ArgumentError, match="two effects of h, not 1"):
        plot_modes_scatter(bg.random_effects(fit, factor="h"))
    for effects in (("1", "age"), ("1", "1"), ("1",)):
        with pytest.raises(ArgumentError, match="two effects of g"):
            plot_modes_scatter(fit, effects=effects)
    with pytest.raises(ArgumentError, match="no grouping factor of the model has two"):
        plot_modes_scatter(make_fit("y ~ x + (1 | g)", table()))
