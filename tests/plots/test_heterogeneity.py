"""The heterogeneity plot: intervals of the table along a number or by cells, and the mean with its own interval."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.heterogeneity import plot_heterogeneity
from bayesglmm.plots.style import TARGETS
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

XS = [-1.0, 0.0, 1.0, 2.0]
BLUE, RED = TARGETS["average_subject"][0], TARGETS["population"][0]


def line(axes, colour, style):
    return [a.get_ydata() for a in axes.lines if a.get_color() == colour and a.get_linestyle() == style]


def edges(band):
    points = band.get_paths()[0].vertices
    found = [points[np.isclose(points[:, 0], x), 1] for x in XS]
    return np.array([[p.min(), p.max()] for p in found])


@pytest.mark.parametrize("scale", ["response", "link"])
def test_bands_and_lines_along_a_number_are_those_of_the_table(scale):
    fit = crossed_fit()
    result = bg.heterogeneity(fit, {"x": XS, "drug": ["b"]})
    mean = bg.means(fit, {"x": XS, "drug": ["b"]}, target="population", scale=scale)
    axes = plot_heterogeneity(result, mean=mean, scale=scale).axes[0]
    own = result.table[result.table["scale"] == scale]
    band, certainty = axes.collections
    np.testing.assert_allclose(edges(band), own[["plug_in_lower", "plug_in_upper"]])
    np.testing.assert_allclose(edges(certainty), mean.table[["ci_lower", "ci_upper"]])
    np.testing.assert_array_equal(line(axes, BLUE, "--")[0], own["average_subject"])
    np.testing.assert_array_equal(line(axes, BLUE, ":"), own[["predictive_lower", "predictive_upper"]].T)
    np.testing.assert_array_equal(line(axes, RED, "-")[0], mean.table["median"])
    assert axes.get_xlabel() == "x"


def test_a_fit_is_drawn_along_its_first_number_with_the_population():
    fit = crossed_fit()
    figure = plot_heterogeneity(fit)
    axes = figure.axes[0]
    x = np.linspace(fit.frame["x"].min(), fit.frame["x"].max(), 50).tolist()
    means = bg.means(fit, {"x": x}, target="population").table
    np.testing.assert_allclose(line(axes, RED, "-")[0], means["median"])
    assert axes.get_ylabel() == "probability of zero_one"
    words = [t.get_text() for t in figure.legends[0].get_texts()]
    assert words[0] == "where 95 % of the combinations of levels of g and h are"
    assert len(words) == 4


@pytest.mark.parametrize("at", [{"drug": ["a", "b", "c"]}, {"x": XS, "drug": ["a", "b"]}, {"x": [0.0, 1.0]}])
def test_cells_are_bars(at):
    fit = crossed_fit()
    result, mean = bg.heterogeneity(fit, at), bg.means(fit, at, target="population")
    axes = plot_heterogeneity(result, mean=mean).axes[0]
    own = result.table[result.table["scale"] == "response"]
    np.testing.assert_allclose([[b.get_x(), b.get_x() + b.get_width()] for b in axes.patches], own[["plug_in_lower", "plug_in_upper"]])
    predictive, certainty = ([s[:, 0] for s in c.get_segments()] for c in axes.collections)
    np.testing.assert_array_equal(predictive, own[["predictive_lower", "predictive_upper"]])
    np.testing.assert_array_equal(certainty, mean.table[["ci_lower", "ci_upper"]])
    dots = [a.get_xdata() for a in axes.lines]
    np.testing.assert_array_equal(dots, [own["average_subject"], mean.table["median"]])
    names = [t.get_text() for t in axes.get_yticklabels()]
    assert len(names) == len(own)
    assert names[0] == {1: "a" if "drug" in at else "0", 2: "x = -1, drug = a"}[len(at)]


def test_slopes_are_drawn_as_ratios_and_contrasts_as_differences():
    fit = crossed_fit()
    slope = bg.heterogeneity(fit, of="slope", variable="x")
    axes = plot_heterogeneity(slope).axes[0]
    assert axes.get_xlabel() == "odds ratio"
    assert axes.lines[0].get_xdata()[0] == slope.table.query("scale == 'odds ratio'")["average_subject"].iloc[0]
    contrast = bg.heterogeneity(fit, {"x": [0.0, 1.0]}, of="contrast")
    assert len(plot_heterogeneity(contrast).axes[0].patches) == 1


def test_a_model_without_covariates_has_one_bar(tmp_path):
    figure = plot_heterogeneity(make_fit("y ~ 1 + (1 | g)", table()))
    assert len(figure.axes[0].patches) == 1
    figure.savefig(tmp_path / "plot.png")


def test_rows_are_drawn_in_the_order_of_the_number():
    result = bg.heterogeneity(crossed_fit(), {"x": [2.0, -1.0, 0.0]})
    axes = plot_heterogeneity(result).axes[0]
    assert [a.get_xdata().tolist() for a in axes.lines] == [[-1.0, 0.0, 2.0]] * 3
    own = result.table.query("scale == 'response'").sort_values("x")["average_subject"]
    np.testing.assert_array_equal(line(axes, BLUE, "--")[0], own)


def test_what_cannot_be_drawn_is_refused():
    fit = crossed_fit()
    result = bg.heterogeneity(fit, {"x": XS})
    for given in (bg.summary(fit), bg.means(fit, target="population"), None):
        with pytest.raises(ArgumentError, match=r"heterogeneity\(\.\.\.\)"):
            plot_heterogeneity(given)
    with pytest.raises(ArgumentError, match="one of link, response"):
        plot_heterogeneity(result, scale="odds")
    for other in (bg.means(fit, {"x": [0.0]}, target="population"), bg.marginal_coefficients(fit)):
        with pytest.raises(ArgumentError, match="not of the same rows"):
            plot_heterogeneity(result, mean=other)
    with pytest.raises(ArgumentError, match="cells"):
        plot_heterogeneity(bg.heterogeneity(fit, {"x": np.linspace(0, 1, 31).tolist(), "drug": ["a", "b"]}))
    with pytest.raises(ArgumentError, match="no grouping factor"):
        plot_heterogeneity(make_fit("y ~ x", table()))
