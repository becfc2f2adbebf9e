"""The pictures of PIT values and residuals hold the numbers of their tables."""

import numpy as np
import pytest
from scipy import stats

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.pit import NORMAL_95, plot_pit
from bayesglmm.post.check_pit import check_pit
from bayesglmm.post.pit import pit_residuals
from bayesglmm.post.summary import summary
from tests.fits import make_fit
from tests.plots.made import band_of, data_of, fit_of, labelled, legend_of
from tests.post.makers import table


def test_the_difference_is_drawn_in_its_envelope():
    result = check_pit(fit_of())
    figure = plot_pit(result)
    axes = figure.axes[0]
    x, y = data_of(labelled(axes, "ECDF of PIT values less uniform")[0])
    np.testing.assert_array_equal(x, result.table["at"])
    np.testing.assert_array_equal(y, result.table["difference"])
    assert {*result.table["lower"].round(9), *result.table["upper"].round(9)} <= set(band_of(axes)[:, 1].round(9))
    assert axes.get_xlim() == (0.0, 1.0)
    assert "simultaneous envelope" in legend_of(figure)


def test_what_is_outside_is_marked():
    fit = make_fit("y ~ x + (1 | g)", table(), aux={"sigma": 9.0}, b=np.zeros(20), n_draws=30)
    result = check_pit(fit)
    assert result.table["outside"].any()
    (squares,) = labelled(plot_pit(result).axes[0], "outside the envelope")
    np.testing.assert_array_equal(squares.get_xdata(), result.table.loc[result.table["outside"], "at"])
    assert squares.get_marker() == "s"


@pytest.mark.parametrize("family", ["gaussian", "poisson", "bernoulli"])
def test_residuals_lie_along_fitted_means(family):
    fit = fit_of(family)
    result = pit_residuals(fit)
    for figure in (plot_pit(result), plot_pit(fit, kind="residuals")):
        (dots,) = [line for line in figure.axes[0].lines if line.get_linestyle() == "None"]
        np.testing.assert_array_equal(dots.get_xdata(), result.table["fitted"])
        np.testing.assert_array_equal(dots.get_ydata(), result.table["residual"])


def test_the_dashed_lines_hold_95_percent():
    assert pytest.approx(stats.norm.ppf(0.975), rel=1e-14) == NORMAL_95


def test_a_fit_gives_the_difference():
    fit = fit_of("poisson")
    np.testing.assert_array_equal(plot_pit(fit).axes[0].lines[1].get_ydata(), plot_pit(check_pit(fit)).axes[0].lines[1].get_ydata())


def test_other_things_are_refused():
    for given in (summary(fit_of()), None):
        with pytest.raises(ArgumentError, match="check_pit or pit_residuals"):
            plot_pit(given)
    with pytest.raises(ArgumentError, match="residuals"):
        plot_pit(fit_of(), kind="residual")


@pytest.mark.parametrize("kind", ["pit", "residuals"])
def test_they_render(kind, tmp_path):
    plot_pit(fit_of("bernoulli"), kind=kind, title="a $ title").savefig(tmp_path / "pit.png")
