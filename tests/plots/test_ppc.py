"""Pictures of posterior predictive checks hold the numbers of their tables."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.plots.ppc import plot_ppc
from bayesglmm.plots.style import COLOURS
from bayesglmm.post.check import check
from bayesglmm.post.check_autocorrelation import check_autocorrelation
from bayesglmm.post.check_calibration import check_calibration
from bayesglmm.post.check_distribution import check_distribution
from bayesglmm.post.check_groups import check_groups
from bayesglmm.post.intervals import IntervalChoice
from bayesglmm.post.result import Result
from bayesglmm.post.summary import summary
from tests.fits import make_fit
from tests.plots.made import band_of, data_of, fit_of, labelled, legend_of
from tests.post.makers import crossed_fit, table


def observed_points(axes):
    """What is observed, inside and outside, in the order of x, then y."""
    lines = [*labelled(axes, "observed"), *labelled(axes, "observed, outside")]
    points = np.concatenate([np.stack(data_of(line), axis=1) for line in lines])
    return points[np.lexsort([points[:, 0], points[:, 1]])]


def test_groups_stand_in_the_order_of_what_is_observed():
    result = check_groups(crossed_fit(n_draws=30))
    figure = plot_ppc(result)
    assert [a.get_ylabel() for a in figure.axes] == ["g", "h"]
    for axes, (_, part) in zip(figure.axes, result.table.groupby("factor", sort=False), strict=True):
        ordered = part.sort_values("observed", kind="stable")
        np.testing.assert_allclose(observed_points(axes)[:, 0], ordered["observed"])
        ends = np.array([s[:, 0] for s in axes.collections[0].get_segments()])
        np.testing.assert_allclose(ends, ordered[["ci_lower", "ci_upper"]])
        np.testing.assert_allclose(labelled(axes, "median of replicated data")[0].get_xdata(), ordered["median"])
        assert [t.get_text() for t in axes.get_yticklabels()] == ordered["level"].tolist()


def test_levels_outside_are_squares():
    frame = table()
    frame.loc[frame["g"] == "g04", "y"] += 40.0
    result = check_groups(make_fit("y ~ x + (1 | g)", frame, b=np.zeros(20), n_draws=30))
    assert result.table.set_index("level")["outside"]["g04"]
    figure = plot_ppc(result)
    (squares,) = labelled(figure.axes[0], "observed, outside")
    np.testing.assert_allclose(np.sort(squares.get_xdata()), np.sort(result.table.loc[result.table["outside"], "observed"]))
    assert (squares.get_marker(), squares.get_color()) == ("s", COLOURS[1])
    assert "95 % of replicated data" in legend_of(figure)


def test_a_rootogram_has_a_bar_per_value():
    result = check_distribution(fit_of("poisson"))
    axes = plot_ppc(result).axes[0]
    shown = result.table
    np.testing.assert_allclose(observed_points(axes)[:, 1], np.sort(shown["observed"]))
    ends = np.array([s[:, 1] for s in axes.collections[0].get_segments()])
    np.testing.assert_allclose(ends, shown[["ci_lower", "ci_upper"]])
    assert axes.get_yscale() == "function"
    assert axes.get_ylim()[0] == 0.0
    assert "square-root" in axes.get_ylabel()


def test_a_measurement_has_distribution_functions():
    result = check_distribution(fit_of("gaussian"))
    axes = plot_ppc(result).axes[0]
    x, y = data_of(labelled(axes, "observed")[0])
    np.testing.assert_array_equal(x, result.table["value"])
    np.testing.assert_array_equal(y, result.table["observed"])
    assert set(result.table["ci_upper"].round(9)) <= set(band_of(axes)[:, 1].round(9))
    assert axes.get_yscale() == "linear"
    assert axes.get_ylabel() == "share of rows up to this value"


def test_many_counts_are_lines():
    value = np.arange(80.0)
    columns = {"observed": value * 2, "mean": value, "sd": value, "median": value, "ci_lower": value - 1, "ci_upper": value + 1}
    shown = pd.DataFrame({"value": value, **columns, "outside": value > 2})
    axes = plot_ppc(Result("counts", "rows", shown, xr.Dataset(), (), IntervalChoice(0.9, "eti"))).axes[0]
    np.testing.assert_array_equal(labelled(axes, "observed")[0].get_ydata(), shown["observed"])
    np.testing.assert_array_equal(labelled(axes, "observed, outside")[0].get_xdata(), value[3:])
    assert axes.get_yscale() == "function"


def test_calibration_is_drawn_against_the_diagonal():
    result = check_calibration(fit_of("bernoulli"))
    axes = plot_ppc(result).axes[0]
    (line,) = labelled(axes, "observed (isotonic regression)")
    ordered = result.table.sort_values("predicted")
    np.testing.assert_array_equal(line.get_xdata(), ordered["predicted"])
    np.testing.assert_array_equal(line.get_ydata(), ordered["observed"])
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), axes.lines[0].get_ydata())
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted probability", "observed frequency")


def test_each_statistic_has_an_axis_of_its_own():
    result = check(fit_of("poisson"))
    figure = plot_ppc(result)
    panels = [a for a in figure.axes if a.axison]
    assert [a.get_title(loc="left") for a in panels] == result.table["statistic"].tolist()
    for axes, line in zip(panels, result.table.itertuples(), strict=True):
        assert observed_points(axes)[0, 0] == line.observed
        np.testing.assert_array_equal(axes.collections[0].get_segments()[0][:, 0], [line.ci_lower, line.ci_upper])


def test_correlations_of_residuals_by_lag():
    result = check_autocorrelation(fit_of(), np.arange(120.0), lags=3)
    axes = plot_ppc(result).axes[0]
    points = observed_points(axes)
    np.testing.assert_allclose(points[np.argsort(points[:, 0])], result.table[["lag", "observed"]])


@pytest.mark.parametrize(
    ("kind", "family", "maker"),
    [
        ("groups", "gaussian", check_groups),
        ("distribution", "poisson", check_distribution),
        ("calibration", "bernoulli", check_calibration),
        ("statistics", "gaussian", check),
    ],
)
def test_a_fit_is_drawn_by_kind(kind, family, maker):
    fit = fit_of(family)
    axes, expected = plot_ppc(fit, kind=kind).axes[0], plot_ppc(maker(fit)).axes[0]
    assert len(axes.lines) == len(expected.lines) > 0
    for line, other in zip(axes.lines, expected.lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), other.get_xydata())


def test_what_cannot_be_drawn_is_refused():
    fit = fit_of()
    with pytest.raises(ArgumentError, match="groups"):
        plot_ppc(fit, kind="group")
    with pytest.raises(FamilyError, match="probability"):
        plot_ppc(fit, kind="calibration")
    with pytest.raises(ArgumentError, match="no grouping factor"):
        plot_ppc(make_fit("y ~ x", table()), kind="groups")
    for given in (summary(fit), None):
        with pytest.raises(ArgumentError, match="check_groups"):
            plot_ppc(given)


@pytest.mark.parametrize("kind", ["groups", "distribution", "calibration", "statistics"])
def test_they_render(kind, tmp_path):
    plot_ppc(fit_of("bernoulli"), kind=kind, title="a $ title").savefig(tmp_path / "ppc.png")


def many_fit():
    rows = pd.DataFrame({"id": np.repeat([f"p{k:03d}" for k in range(100)], 2), "high": np.tile([0, 1, 1, 1], 50)})
    return make_fit("high ~ 1 + (1 | id)", rows, family="bernoulli", n_draws=15)


def test_many_levels_have_thin_lines_under_the_medians_and_no_names():
    axes = plot_ppc(check_groups(many_fit())).axes[0]
    few = plot_ppc(check_groups(fit_of("bernoulli"))).axes[0]
    assert axes.collections[0].get_linewidth()[0] < few.collections[0].get_linewidth()[0]
    (median,) = labelled(axes, "median of replicated data")
    (dots,) = labelled(axes, "observed")
    assert median.get_zorder() > dots.get_zorder() > axes.collections[0].get_zorder()
    assert dots.get_markersize() < labelled(few, "observed")[0].get_markersize()
    assert not axes.get_yticklabels()
    assert axes.get_ylim() == (-1.0, 100.0)
    assert axes.get_xlabel() == "mean of high per level"


@pytest.mark.parametrize(("statistic", "words"), [("mean", "mean"), ("sd", "standard deviation"), ("zeros", "share of zeros")])
def test_the_statistic_and_the_response_are_named(statistic, words):
    axes = plot_ppc(check_groups(fit_of("poisson"), statistic=statistic)).axes[0]
    assert axes.get_xlabel() == f"{words} of count per level"
    assert plot_ppc(check_distribution(fit_of("poisson"))).axes[0].get_xlabel() == "count"
    assert plot_ppc(check_distribution(fit_of("gaussian"))).axes[0].get_xlabel() == "y"


def test_a_rootogram_of_zeros_and_ones_has_two_ticks():
    axes = plot_ppc(check_distribution(fit_of("bernoulli"))).axes[0]
    low, high = axes.get_xlim()
    assert [t for t in axes.get_xticks() if low <= t <= high] == [0.0, 1.0]


def test_without_groups_the_distribution_is_drawn():
    alone = make_fit("y ~ x", table(), n_draws=15)
    assert plot_ppc(alone).axes[0].get_ylabel() == "share of rows up to this value"
    assert plot_ppc(fit_of("poisson")).axes[0].get_ylabel() == "g"
