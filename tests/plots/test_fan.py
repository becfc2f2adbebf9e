"""The fan plot: bands between neighbouring quantiles of the table, darker nearer to the median."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.fan import plot_fan, shade
from bayesglmm.post.fan import fan
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

XS = [-1.0, 0.0, 2.0]


def wide(result, scale="response"):
    return result.table.pivot(index="x", columns="quantile", values=scale).to_numpy()


def outline(band):
    """Lower and upper edge of a filled band at the values of the covariate."""
    points = band.get_paths()[0].vertices
    lower, upper = ([points[np.isclose(points[:, 0], x), 1] for x in XS] for _ in range(2))
    return [p.min() for p in lower], [p.max() for p in upper]


@pytest.mark.parametrize("scale", ["response", "link"])
def test_bands_are_between_neighbouring_quantiles_and_the_median_is_a_line(scale):
    result = fan(crossed_fit(), "x", values=XS, quantiles=[0.1, 0.4, 0.5, 0.9])
    axes = plot_fan(result, scale=scale).axes[0]
    values = wide(result, scale)
    assert len(axes.collections) == 3
    for k, band in enumerate(axes.collections):
        lower, upper = outline(band)
        np.testing.assert_allclose(lower, values[:, k])
        np.testing.assert_allclose(upper, values[:, k + 1])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), values[:, 2])


def test_bands_nearer_to_the_median_are_darker():
    brightness = [sum(shade(q)) for q in (0.5, 0.6, 0.75, 0.9, 0.99)]
    assert brightness == sorted(brightness)
    assert shade(0.2) == pytest.approx(shade(0.8))
    assert all(0.0 <= part <= 1.0 for part in shade(0.001))


def test_a_factor_has_bars():
    result = fan(crossed_fit(), "drug", quantiles=[0.1, 0.5, 0.9])
    axes = plot_fan(result).axes[0]
    own = result.table.pivot(index="drug", columns="quantile", values="response").to_numpy()
    tops = np.array([[bar.get_y() + bar.get_height() for bar in part] for part in axes.containers]).T
    np.testing.assert_allclose(tops, own[:, 1:])
    np.testing.assert_allclose([bar.get_y() for bar in axes.containers[0]], own[:, 0])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]


def test_a_fit_is_drawn_along_its_first_covariate_with_names():
    figure = plot_fan(crossed_fit())
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "probability of zero_one")
    assert "drug = a (reference level)" in axes.get_title(loc="left")
    assert "quantiles 0.05 to 0.95" in figure.legends[0].get_texts()[0].get_text()


def test_what_has_no_fan_is_refused():
    fit = crossed_fit()
    for given in (bg.summary(fit), bg.curves(fit, "x"), None):
        with pytest.raises(ArgumentError, match=r"fan\(\.\.\.\)"):
            plot_fan(given)
    with pytest.raises(ArgumentError, match="scale"):
        plot_fan(fit, scale="log")
    with pytest.raises(ArgumentError, match="two quantiles"):
        plot_fan(fan(fit, "x", quantiles=[0.5]))
    with pytest.raises(ArgumentError, match="no grouping factor"):
        plot_fan(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="no covariate"):
        plot_fan(make_fit("y ~ 1 + (1 | g)", table()))
