"""The heat maps of the implied covariance and correlation: posterior means with their numbers."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.plots.covariance import plot_covariance
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table


def slope_fit(**options):
    frame = table().assign(visit=np.resize([0, 1, 2, 3, 5, 8, 13, 21], 120))
    given = {"sd": [1.0, 0.3], "corr": [[1.0, -0.5], [-0.5, 1.0]], "n_draws": 20}
    return make_fit("y ~ visit + (visit | g)", frame, **{**given, **options})


def test_both_matrices_are_drawn_with_their_numbers():
    result = bg.implied_covariance(slope_fit(), [0, 1, 2])
    figure = plot_covariance(result)
    for axes, name in zip(figure.axes, ("covariance", "correlation"), strict=True):
        mean = result.draws[name].mean(("chain", "draw")).to_numpy()
        np.testing.assert_allclose(axes.images[0].get_array(), mean)
        assert [t.get_text() for t in axes.texts] == [f"{v:.2f}" for v in mean.ravel()]
        assert [t.get_text() for t in axes.get_xticklabels()] == ["0", "1", "2"]
        assert axes.get_xlabel() == "visit"
        low, high = axes.images[0].get_clim()
        assert low == -high


def test_a_fit_is_drawn_at_six_times_that_occur():
    axes = plot_covariance(slope_fit()).axes[0]
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert len(labels) == 6
    assert (labels[0], labels[-1]) == ("0", "21")


@pytest.mark.parametrize(("sd", "digits"), [(40.0, 0), (4.0, 1), (0.5, 3)])
def test_numbers_have_three_digits_of_the_largest(sd, digits):
    fit = slope_fit(sd=[sd, 0.0], aux={"sigma": 0.1 * sd}, spread=0.0)
    texts = [t.get_text() for t in plot_covariance(bg.implied_covariance(fit, [0, 1])).axes[0].texts]
    assert texts == [f"{v * sd**2:.{digits}f}" for v in (1.01, 1.0, 1.0, 1.01)]


@pytest.mark.parametrize(("sd", "text"), [(1e4, "1.0e+08"), (1e-4, "1.0e-08")])
def test_very_large_and_small_numbers_have_an_exponent(sd, text):
    fit = slope_fit(sd=[sd, 0.0], aux={"sigma": 0.1 * sd}, spread=0.0)
    assert plot_covariance(bg.implied_covariance(fit, [0, 1])).axes[0].texts[1].get_text() == text


def test_negative_and_positive_numbers_have_different_colours():
    figure = plot_covariance(bg.implied_covariance(slope_fit(sd=[2.0, 1.0], corr=[[1.0, -0.9], [-0.9, 1.0]]), [0, 10]))
    matrix = figure.axes[1].images[0]
    values, colours = np.asarray(matrix.get_array()), matrix.to_rgba(matrix.get_array())
    assert (values < 0.0).any()
    assert (colours[values < 0.0][:, 2] > colours[values < 0.0][:, 0]).all()
    assert (colours[values > 0.0][:, 0] > colours[values > 0.0][:, 2]).all()


def test_many_times_have_no_numbers(tmp_path):
    figure = plot_covariance(bg.implied_covariance(slope_fit(), list(range(20))))
    assert not figure.axes[0].texts
    assert len(figure.axes[0].get_xticks()) <= 12
    figure.savefig(tmp_path / "plot.png")


def test_what_has_no_such_matrices_is_refused():
    with pytest.raises(FamilyError, match="Gaussian"):
        plot_covariance(crossed_fit())
    with pytest.raises(ArgumentError, match="random intercepts only"):
        plot_covariance(make_fit("y ~ x + (1 | g)", table()))
    with pytest.raises(ArgumentError, match="several columns"):
        plot_covariance(make_fit("y ~ x + (x + age | g)", table()))
    for given in (bg.summary(crossed_fit()), None):
        with pytest.raises(ArgumentError, match=r"implied_covariance\(\.\.\.\)"):
            plot_covariance(given)
