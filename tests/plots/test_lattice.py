"""The lattice plot: a panel per level, with its data, its line and the means."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.lattice import plot_lattice
from bayesglmm.plots.style import INK, TARGETS
from bayesglmm.post.lattice import lattice
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table


def drawn(axes, colour):
    """Points of the one mark of a colour that has any."""
    (line,) = [a for a in axes.lines if a.get_color() == colour and len(a.get_xdata())]
    return line.get_xydata()


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "gaussian"])
def test_every_panel_has_its_data_and_three_lines(family):
    response = {"bernoulli": "zero_one", "poisson": "count", "gaussian": "y"}[family]
    result = lattice(make_fit(f"{response} ~ x + (x | g)", table(), family=family, sd=[0.5, 0.3]), groups=5)
    panels = [a for a in plot_lattice(result).axes if a.axison]
    levels = result.table["level"].unique().tolist()
    assert [p.get_title() for p in panels] == levels
    for panel, level in zip(panels, levels, strict=True):
        own = result.table[result.table["level"] == level]
        np.testing.assert_array_equal(drawn(panel, INK), own.loc[own["kind"] == "data", ["x", "observed"]])
        for kind in ("group", "average_subject", "population"):
            np.testing.assert_array_equal(drawn(panel, TARGETS[kind][0]), own.loc[own["kind"] == kind, ["x", "median"]])


def test_panels_have_common_axes_that_are_written_at_the_edges():
    figure = plot_lattice(crossed_fit())
    panels = figure.axes
    assert len({(p.get_xlim(), p.get_ylim()) for p in panels}) == 1
    assert len(panels) == 12
    named = [p.yaxis.get_tick_params()["labelleft"] for p in panels]
    assert named == [place % 4 == 0 for place in range(12)]
    assert [p.xaxis.get_tick_params()["labelbottom"] for p in panels] == [place >= 8 for place in range(12)]


@pytest.mark.parametrize(("groups", "columns"), [(1, 1), (3, 3), (8, 4), (10, 5), (18, 6), (11, 4)])
def test_panels_fill_the_figure(groups, columns):
    panels = plot_lattice(lattice(crossed_fit(n_draws=2), groups=groups)).axes
    assert panels[0].get_gridspec().ncols == columns
    assert sum(p.axison for p in panels) == groups


def test_the_response_and_the_covariate_are_named(tmp_path):
    figure = plot_lattice(make_fit("log(level) ~ x + (x | g)", table()))
    assert [axes.get_xlabel() for axes in figure.axes] == [""] * 8 + ["x"] * 4
    assert figure.get_supylabel() == "mean of log(level)"
    assert plot_lattice(crossed_fit(), ylabel="share $").get_supylabel() == r"share \$"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["data", "this level", "average subject", "population"]
    figure.savefig(tmp_path / "plot.png")


def test_a_factor_is_shown_at_its_levels():
    axes = plot_lattice(lattice(crossed_fit(), "drug", groups=3)).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]
    assert set(drawn(axes, INK)[:, 0]) <= {0.0, 1.0, 2.0}


def test_what_has_no_lattice_is_refused():
    fit = crossed_fit()
    for given in (bg.summary(fit), bg.curves(fit, "x"), None):
        with pytest.raises(ArgumentError, match=r"lattice\(\.\.\.\)"):
            plot_lattice(given)
    frame = table(600)
    with pytest.raises(ArgumentError, match="100 panels"):
        plot_lattice(lattice(make_fit("y ~ x + (1 | g)", frame, n_draws=2), groups=100))
    with pytest.raises(ArgumentError, match="no covariate"):
        plot_lattice(make_fit("y ~ 1 + (1 | g)", table()))


def test_the_legend_says_what_is_shown_and_what_is_held():
    title = plot_lattice(crossed_fit()).legends[0].get_title().get_text().replace("\n", " ")
    assert title == "12 of 20 levels of g; each panel holds its level's own other covariates"
    alone = plot_lattice(make_fit("y ~ x + (1 | g)", table(), n_draws=5)).legends[0].get_title().get_text()
    assert alone == "12 of 20 levels of g"
