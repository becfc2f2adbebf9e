"""The picture of prior and posterior holds the densities of the result, a panel per parameter."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.prior_posterior import MOST_PANELS, plot_prior_posterior
from bayesglmm.plots.style import COLOURS
from bayesglmm.post.prior_posterior import prior_posterior
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table


def panels_of(figure):
    return [axes for axes in figure.axes if axes.axison]


def line(axes, colour):
    (found,) = [line for line in axes.lines if line.get_color() == colour]
    return found


def test_every_parameter_has_its_two_densities_and_its_overlap():
    result = prior_posterior(crossed_fit(n_draws=200))
    panels = panels_of(plot_prior_posterior(result))
    assert len(panels) == len(result.table)
    for axes, (_, row) in zip(panels, result.table.iterrows(), strict=True):
        one = result.draws.sel(parameter=row["parameter"])
        for colour, name in ((COLOURS[0], "posterior_density"), (COLOURS[1], "prior_density")):
            np.testing.assert_array_equal(line(axes, colour).get_xdata(), one["value"])
            np.testing.assert_array_equal(line(axes, colour).get_ydata(), one[name])
        assert any(isinstance(c, PolyCollection) for c in axes.collections)
        title = axes.get_title()
        assert title.startswith(row["parameter"])
        assert f"overlap {row['overlap']:.2f}" in title
    kinds = dict(zip(result.table["parameter"], (axes.get_xlabel() for axes in panels), strict=True))
    assert kinds["x"] == "coefficient"
    assert kinds["1|g_sigma"] == "standard deviation"
    assert kinds["g_corr[1, x]"] == "correlation"


def test_a_fit_is_drawn_as_its_result(tmp_path):
    fit = make_fit("y ~ x + (1 | g)", table(), n_draws=200)
    figure = plot_prior_posterior(fit)
    assert len(panels_of(figure)) == 4
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"posterior", "prior"}
    assert "Prior and posterior" in figure.get_suptitle()
    assert plot_prior_posterior(fit, title="Own").get_suptitle() == "Own"
    figure.savefig(tmp_path / "plot.png")


def test_named_parameters_come_in_the_order_asked_for():
    result = prior_posterior(crossed_fit(n_draws=200))
    titles = [axes.get_title() for axes in panels_of(plot_prior_posterior(result, parameters=["1|h_sigma", "x"]))]
    assert [title.split("\n")[0] for title in titles] == ["1|h_sigma", "x"]
    assert len(panels_of(plot_prior_posterior(result, parameters="x"))) == 1
    for wrong in (["z"], []):
        with pytest.raises(ArgumentError, match="no parameters"):
            plot_prior_posterior(result, parameters=wrong)


def test_many_parameters_are_cut_aloud_and_sds_come_first():
    frame = table(420).assign(k=lambda d: np.resize([f"level{i:02d}" for i in range(30)], len(d)))
    result = prior_posterior(make_fit("y ~ k + (1 | g)", frame, n_draws=20))
    figure = plot_prior_posterior(result)
    titles = [axes.get_title().split("\n")[0] for axes in panels_of(figure)]
    assert len(titles) == MOST_PANELS
    assert {"1|g_sigma", "sigma"} <= set(titles)
    assert f"{MOST_PANELS} of {len(result.table)} parameters" in figure.get_suptitle()


def test_the_mode_at_zero_and_missing_densities_are_told(tmp_path):
    fit = make_fit("y ~ x + (x | g)", table(), n_draws=200, spread=1.5, sd=0.05, corr=np.eye(2))
    result = prior_posterior(fit)
    figure = plot_prior_posterior(result)
    titles = {axes.get_title().split("\n")[0]: axes.get_title() for axes in panels_of(figure)}
    assert "no density" in titles["g_corr[1, x]"]
    table_rows = result.table.set_index("parameter")["mode_at_zero"]
    for name in ("1|g_sigma", "x|g_sigma"):
        assert ("mode at zero" in titles[name]) is table_rows[name]
    figure.savefig(tmp_path / "plot.png")


def test_a_prior_without_bound_is_drawn_where_it_is_finite(tmp_path):
    fit = make_fit("y ~ x + (1 | g)", table(), n_draws=200, sd=0.1, spread=1.0, priors={"sd": bg.Gamma(0.5, 1)})
    figure = plot_prior_posterior(fit, parameters=["1|g_sigma"])
    assert np.isfinite(line(panels_of(figure)[0], COLOURS[1]).get_ydata()).all()
    figure.savefig(tmp_path / "plot.png")


def test_a_dollar_sign_in_a_label_is_text():
    frame = table().rename(columns={"x": "x$_1$"})
    figure = plot_prior_posterior(make_fit("y ~ `x$_1$` + (1 | g)", frame))
    assert panels_of(figure)[1].get_title().startswith(r"x\$_1\$")


@pytest.mark.parametrize("given", [None, "fit"])
def test_it_refuses_what_it_cannot_draw(given):
    with pytest.raises(ArgumentError, match="this plot takes what"):
        plot_prior_posterior(given)
    with pytest.raises(ArgumentError, match="this plot takes what"):
        plot_prior_posterior(bg.summary(make_fit("y ~ 1", table())))
