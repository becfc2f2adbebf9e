"""The effect plot: a dot and an interval per cell and target, as the table has them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.effects import plot_effects
from bayesglmm.plots.style import TARGETS
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

ALL = ("average_subject", "population", "observed_groups")


def dots(axes, target):
    """Medians of one target from the first cell to the last, and their heights."""
    (line,) = [a for a in axes.lines if a.get_color() == TARGETS[target][0] and a.get_marker() == TARGETS[target][1]]
    return line.get_xdata(), line.get_ydata()


def bars(axes, target):
    """Ends (cells, 2) of the intervals of one target."""
    colour = [c for c in axes.collections if c.get_colors()[0][:3].tolist() == pytest.approx(rgb(target))]
    return np.array([s[:, 0] for s in colour[0].get_segments()])


def rgb(target):
    return [int(TARGETS[target][0][k : k + 2], 16) / 255 for k in (1, 3, 5)]


def test_every_target_of_a_result_is_drawn_at_every_cell():
    result = bg.compare_targets(crossed_fit(), at={"drug": ["a", "b", "c"]}, targets=ALL)
    (axes,) = plot_effects(result).axes
    for target in ALL:
        own = result.table[result.table["quantity"] == target]
        x, y = dots(axes, target)
        np.testing.assert_array_equal(x, own["median"])
        np.testing.assert_array_equal(np.round(y), [0, 1, 2])
        np.testing.assert_array_equal(bars(axes, target), own[["ci_lower", "ci_upper"]])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_ylabel() == "drug"


def test_a_fit_has_a_panel_for_each_factor():
    fit = make_fit("zero_one ~ x + drug + h + (1 | g)", table(), family="bernoulli")
    figure = plot_effects(fit)
    assert [axes.get_ylabel() for axes in figure.axes] == ["drug", "h"]
    means = bg.means(fit, {"h": ["p", "q", "r", "s"]}, target="population").table
    np.testing.assert_allclose(dots(figure.axes[1], "population")[0], means["median"])
    assert figure.axes[1].get_xlabel() == "probability of zero_one"
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert "drug = a (reference level)" in figure.axes[1].get_title(loc="left")
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [TARGETS[t][2] for t in ALL]


def test_without_factors_the_quartiles_of_the_first_number_are_shown():
    axes = plot_effects(make_fit("y ~ x + (1 | g)", table())).axes[0]
    quartiles = np.quantile(table()["x"], [0.25, 0.5, 0.75])
    assert [t.get_text() for t in axes.get_yticklabels()] == [f"{q:.4g}" for q in quartiles]


def test_a_fit_without_groups_has_one_target_and_one_without_covariates_one_cell():
    axes = plot_effects(make_fit("y ~ drug", table())).axes[0]
    assert len(dots(axes, "average_subject")[0]) == 3
    assert len(dots(plot_effects(make_fit("y ~ 1 + (1 | g)", table())).axes[0], "population")[0]) == 1


def test_a_target_that_the_link_does_not_have_is_left_out():
    fit = make_fit("level ~ drug + (1 | g)", table(), beta=[3.0, 0.1, 0.1], sd=0.1)
    legend = plot_effects(replace(fit, spec=replace(fit.spec, link="sqrt"))).legends[0]
    assert [t.get_text() for t in legend.get_texts()] == [TARGETS[t][2] for t in ("average_subject", "observed_groups")]


@pytest.mark.parametrize("keep_draws", [True, False])
def test_contrasts_are_arrows_and_zero_is_marked(keep_draws):
    result = bg.contrasts(crossed_fit(), "drug", at={"x": [0.0, 1.0]}, target="population", keep_draws=keep_draws)
    axes = plot_effects(result).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == [f"x = {x}: a \N{RIGHTWARDS ARROW} {d}" for x in (0, 1) for d in "bc"]
    np.testing.assert_array_equal(dots(axes, "population")[0], result.table["median"])
    assert axes.get_xlabel() == "contrast"


@pytest.mark.parametrize(
    "make", [lambda f: bg.means(f, {"x": [0.0, 1.0]}, target="population"), lambda f: bg.slopes(f, "x", target="population")]
)
def test_means_and_slopes_are_drawn(make):
    result = make(crossed_fit())
    np.testing.assert_array_equal(dots(plot_effects(result).axes[0], "population")[0], result.table["median"])


def test_columns_of_the_rows_may_have_any_name():
    frame = table().rename(columns={"x": "quantity"})
    fit = make_fit("y ~ quantity + (1 | g)", frame)
    axes = plot_effects(bg.means(fit, {"quantity": [0.0, 1.0]}, target="average_subject")).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["0", "1"]


def test_too_many_cells_and_other_things_are_refused():
    fit = crossed_fit()
    many = pd.DataFrame({"x": np.linspace(-1.0, 1.0, 61), "drug": "a"})
    with pytest.raises(ArgumentError, match="61 cells"):
        plot_effects(bg.means(fit, many, target="average_subject"))
    for given in (bg.summary(fit), bg.random_effects(fit), bg.curves(fit, "x"), bg.heterogeneity(fit), bg.marginal_coefficients(fit), None):
        with pytest.raises(ArgumentError, match=r"compare_targets\(\.\.\.\)"):
            plot_effects(given)


def test_titles():
    result = bg.means(crossed_fit(), {"x": [0.0, 1.0]}, target="population", ci_prob=0.8)
    assert "80 % intervals" in plot_effects(result).get_suptitle()
    assert plot_effects(result, title="Own $x$").get_suptitle() == r"Own \$x\$"
