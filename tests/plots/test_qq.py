"""The quantile plot holds the numbers of check_effects, a panel per effect."""

from dataclasses import replace

import numpy as np
import pytest

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.qq import plot_qq
from bayesglmm.plots.style import COLOURS
from bayesglmm.post.check_effects import check_effects
from bayesglmm.post.summary import summary
from tests.fits import make_fit
from tests.plots.made import band_of, data_of, fit_of, labelled, legend_of
from tests.post.makers import crossed_fit, table


def outlying():
    """A fit one of whose levels lies far outside."""
    b = np.linspace(-1.0, 1.0, 20)
    b[7] = 9.0
    return make_fit("y ~ x + (1 | g)", table(), b=b, n_draws=30)


def test_every_effect_has_a_panel():
    result = check_effects(crossed_fit())
    figure = plot_qq(result)
    panels = [a for a in figure.axes if a.axison]
    assert [a.get_title(loc="left") for a in panels] == ["intercept of g", "x of g", "intercept of h"]
    for axes, (_, part) in zip(panels, result.table.groupby(["factor", "effect"], sort=False), strict=True):
        dots = [data_of(line) for line in axes.lines if line.get_linestyle() == "None"]
        drawn = np.concatenate([np.stack(d, axis=1) for d in dots])
        own = part[["normal_quantile", "mean"]].to_numpy()
        np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])], own[np.argsort(own[:, 0])])


def test_bands_intervals_and_the_line_of_a_match():
    result = check_effects(fit_of())
    axes = plot_qq(result).axes[0]
    part = result.table[result.table["effect"] == "1"]
    vertices = band_of(axes)
    assert {*part["lower"].round(9), *part["upper"].round(9)} <= set(vertices[:, 1].round(9))
    ends = np.array([s[:, 1] for s in axes.collections[1].get_segments()])
    np.testing.assert_allclose(ends, part[["ci_lower", "ci_upper"]])
    x, y = data_of(axes.lines[0])
    np.testing.assert_array_equal(x, y)


def test_levels_outside_are_squares_with_names():
    result = check_effects(outlying())
    assert result.table["outside"].any()
    figure = plot_qq(result)
    (squares,) = labelled(figure.axes[0], "outside the band")
    own = result.table[result.table["outside"]]
    np.testing.assert_allclose(squares.get_ydata(), own["mean"])
    assert squares.get_color() == COLOURS[1]
    assert squares.get_marker() == "s"
    assert [t.get_text() for t in figure.axes[0].texts] == own["level"].tolist()
    assert "outside the band" in legend_of(figure)


def test_a_fit_gives_the_default_and_titles_can_be_given():
    fit = fit_of()
    np.testing.assert_array_equal(plot_qq(fit).axes[0].lines[1].get_ydata(), plot_qq(check_effects(fit)).axes[0].lines[1].get_ydata())
    assert plot_qq(fit, title="a $ title").get_suptitle() == r"a \$ title"


def test_other_things_are_refused():
    for given in (summary(fit_of()), None, replace(check_effects(fit_of()), table=check_effects(fit_of()).table.iloc[:0])):
        with pytest.raises(ArgumentError, match=r"check_effects\(\.\.\.\)"):
            plot_qq(given)
    with pytest.raises(ArgumentError, match="no grouping factor"):
        plot_qq(make_fit("y ~ x", table()))


def test_it_renders(tmp_path):
    plot_qq(crossed_fit()).savefig(tmp_path / "qq.png")
