"""What the pictures of curves, random effects and shrinkage hold: the numbers of the records, drawn as they are."""

import numpy as np
import pytest
from matplotlib.patches import Ellipse

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.style import COLOURS, GREY, INK
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

KINDS = {
    "bernoulli": ("zero_one ~ x + (x | g)", {}),
    "poisson": ("count ~ x + (x | g)", {}),
    "gaussian": ("y ~ x + (x | g)", {}),
}


def fit_of(family):
    formula, options = KINDS[family]
    return make_fit(formula, table(), family=family, sd=[0.8, 0.4], **options)


def lines_of(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour and len(line.get_xdata())]


@pytest.mark.parametrize("family", KINDS)
def test_spaghetti_draws_every_group_and_both_means(family):
    curves = bg.curves(fit_of(family), "x", groups=5)
    axes = bg.plot_spaghetti(curves).axes[0]
    assert len(lines_of(axes, GREY)) == 5
    for target, colour in (("average_subject", COLOURS[0]), ("population", COLOURS[1])):
        (line,) = lines_of(axes, colour)
        own = curves.table[curves.table["target"] == target]
        np.testing.assert_array_equal(line.get_xdata(), own["x"])
        np.testing.assert_array_equal(line.get_ydata(), own["median"])


@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("scale", ["rank", "normal"])
def test_a_caterpillar_is_ordered_by_size(family, scale):
    effects = bg.random_effects(fit_of(family))
    figure = bg.plot_caterpillar(effects, scale=scale)
    means = lines_of(figure.axes[0], COLOURS[1])[0].get_xdata()
    own = effects.table[effects.table["effect"] == "1"]["mean"]
    np.testing.assert_array_equal(means, np.sort(own))
    scales = {"bernoulli": "log odds", "poisson": "log of the mean", "gaussian": "units of y"}
    assert [axes.get_xlabel() for axes in figure.axes] == [f"{name} of g ({scales[family]})" for name in ("intercept", "x")]
    labels = [axes.get_xlabel() for axes in bg.plot_caterpillar(fit_of(family)).axes]
    assert labels == [f"{name} of g ({scales[family]})" for name in ("intercept", "x")]


def test_zero_is_marked_for_random_effects_only():
    fit = fit_of("gaussian")
    for coefficients in (False, True):
        axes = bg.plot_caterpillar(bg.random_effects(fit, coefficients=coefficients)).axes[0]
        assert bool(lines_of(axes, INK)) is not coefficients


def test_names_of_levels_stand_beside_their_intervals():
    effects = bg.random_effects(fit_of("gaussian"))
    axes = bg.plot_caterpillar(effects).axes[0]
    ordered = effects.table[effects.table["effect"] == "1"].sort_values("mean")["level"].tolist()
    assert [text.get_text() for text in axes.get_yticklabels()] == ordered


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_arrows_go_from_each_group_alone_to_partial_pooling(family):
    pooled = bg.pooling(fit_of(family))
    axes = bg.plot_shrinkage(pooled, spread=np.array([[0.64, 0.1], [0.1, 0.16]])).axes[0]
    wide = pooled.table.pivot(index="level", columns="effect", values=["separate", "mean"])
    (alone,), (partial,) = lines_of(axes, COLOURS[1]), lines_of(axes, COLOURS[0])
    np.testing.assert_array_equal(alone.get_xdata(), wide["separate"]["1"])
    np.testing.assert_array_equal(partial.get_ydata(), wide["mean"]["x"])
    arrows = [(a.xyann, a.xy) for a in axes.texts]
    known = wide["separate"].notna().all(axis=1).to_numpy()
    assert len(arrows) == known.sum()
    np.testing.assert_allclose([start for start, _ in arrows], wide["separate"].to_numpy()[known])
    assert sum(isinstance(patch, Ellipse) for patch in axes.patches) == 2


def test_each_plot_refuses_what_it_cannot_draw():
    fit = crossed_fit()
    summary = bg.summary(fit)
    for plot in (bg.plot_spaghetti, bg.plot_caterpillar, bg.plot_shrinkage):
        for given in (summary, fit.frame):
            with pytest.raises(ArgumentError, match="this plot takes what"):
                plot(given)
    with pytest.raises(ArgumentError, match="one factor, not g, h"):
        bg.plot_caterpillar(bg.random_effects(fit))
    with pytest.raises(ArgumentError, match="scale"):
        bg.plot_caterpillar(bg.random_effects(fit, factor="g"), scale="log")
    with pytest.raises(ArgumentError, match="two effects"):
        bg.plot_shrinkage(bg.pooling(fit, factor="g"), effects=("1", "age"))


def test_a_dollar_sign_in_a_label_is_text():
    frame = table().rename(columns={"x": "x$_1$"})
    fit = make_fit("y ~ `x$_1$` + (1 | g)", frame)
    assert bg.plot_spaghetti(bg.curves(fit, "x$_1$", groups=2)).axes[0].get_xlabel() == r"x\$_1\$"


def test_a_notebook_shows_the_figure_that_a_cell_returns():
    picture = bg.plot_caterpillar(bg.random_effects(fit_of("gaussian")))._repr_png_()
    assert picture.startswith(b"\x89PNG")


def test_a_fit_is_drawn_as_its_default_result():
    fit = crossed_fit()
    axes = bg.plot_spaghetti(fit).axes[0]
    own = bg.curves(fit, "x").table.query("target == 'population'")
    np.testing.assert_array_equal(lines_of(axes, COLOURS[1])[0].get_ydata(), own["median"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "probability of zero_one")
    levels = bg.plot_caterpillar(fit).axes
    assert [a.get_xlabel() for a in levels] == ["intercept of g (log odds)", "x of g (log odds)"]


def test_arrows_of_a_fit_have_the_ellipses_of_its_covariance():
    fit = make_fit("y ~ x + (x | g)", table(), sd=[0.8, 0.4], spread=0.0, n_draws=2)
    patches = [p for p in bg.plot_shrinkage(fit).axes[0].patches if isinstance(p, Ellipse)]
    assert sorted((patches[0].width, patches[0].height)) == pytest.approx([0.8, 1.6])
    assert not bg.plot_shrinkage(bg.pooling(fit)).axes[0].patches


def test_models_without_such_a_picture_are_refused():
    alone, simple = make_fit("y ~ x", table()), make_fit("y ~ 1 + (1 | g)", table())
    for plot in (bg.plot_spaghetti, bg.plot_caterpillar, bg.plot_shrinkage):
        with pytest.raises(ArgumentError, match="no grouping factor"):
            plot(alone)
    with pytest.raises(ArgumentError, match="no covariate"):
        bg.plot_spaghetti(simple)
    with pytest.raises(ArgumentError, match="two effects of g, not 1"):
        bg.plot_shrinkage(simple)


def test_a_factor_stands_along_the_axis_at_its_levels():
    axes = bg.plot_spaghetti(bg.curves(crossed_fit(), "drug", groups=3)).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    assert lines_of(axes, COLOURS[1])[0].get_xdata().tolist() == [0.0, 1.0, 2.0]


def test_a_caterpillar_of_many_levels_has_a_height_that_fits_a_page():
    rows = table(600)
    axes = bg.plot_caterpillar(make_fit("y ~ x + (1 | g)", rows, n_draws=5)).axes[0]
    assert rows["g"].nunique() > 60
    assert axes.figure.get_figheight() == 6.0
    assert axes.get_ylim() == (-1.0, rows["g"].nunique())


def test_legends_name_ellipses_intervals_and_how_many_levels_are_shown():
    fit = make_fit("y ~ x + (x | g)", table(), sd=[0.8, 0.4], n_draws=5)
    words = {plot: [t.get_text() for t in plot(fit).legends[0].get_texts()] for plot in (bg.plot_shrinkage, bg.plot_modes_scatter)}
    assert all("1 and 2 SDs of the effects' distribution" in found for found in words.values())
    assert "95 % intervals" in words[bg.plot_modes_scatter]
    assert "13 of 20 levels of g" in [t.get_text() for t in bg.plot_spaghetti(fit).legends[0].get_texts()]


def test_only_one_panel_names_the_levels_that_all_share():
    panels = bg.plot_caterpillar(fit_of("gaussian")).axes
    assert [axes.yaxis.get_tick_params()["labelleft"] for axes in panels] == [True, False]
