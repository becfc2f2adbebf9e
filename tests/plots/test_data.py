"""Pictures of data hold the numbers of their views."""

import numpy as np
import pytest

from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.plots import data as module
from bayesglmm.plots.data import plot_data
from bayesglmm.plots.style import COLOURS, MARKERS
from bayesglmm.post.data_views import data_view
from bayesglmm.post.summary import summary
from bayesglmm.post.visits import STATES, visits
from tests.fits import make_fit
from tests.plots.made import data_of, fit_of, labelled, legend_of
from tests.post.makers import aids_visits, table

FORMULA = "y ~ x + drug + (x | g)"
AIDS = "low ~ obstime * drug + (1 | patient)"


def visited():
    return table().assign(visit=np.resize(np.arange(6), 120))


def test_groups_have_dots_and_means():
    result = data_view(FORMULA, table())
    axes = plot_data(FORMULA, table()).axes[0]
    np.testing.assert_allclose(axes.collections[0].get_offsets(), np.stack([result.draws["response"], result.draws["rank"]], axis=1))
    x, y = data_of(labelled(axes, "mean of the level")[0])
    np.testing.assert_array_equal(x, result.table["mean"])
    np.testing.assert_array_equal(y, np.arange(20))
    assert [t.get_text() for t in axes.get_yticklabels()] == result.table["level"].tolist()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("y", "g")


def test_larger_dots_stand_for_several_rows():
    figure = plot_data("zero_one ~ x + (1 | g)", table(), family="bernoulli")
    result = data_view("zero_one ~ x + (1 | g)", table(), family="bernoulli")
    sizes = figure.axes[0].collections[0].get_sizes()
    np.testing.assert_allclose(sizes, module.DOT_AREA * result.draws["rows"])
    assert "the area of a dot counts them" in legend_of(figure)[0]


def test_areas_stay_in_proportion_however_many_rows():
    frame = table(600).assign(g=np.repeat(["a", "b"], [590, 10]))
    sizes = plot_data("zero_one ~ x + (1 | g)", frame, family="bernoulli").axes[0].collections[0].get_sizes()
    rows = data_view("zero_one ~ x + (1 | g)", frame, family="bernoulli").draws["rows"].to_numpy()
    assert sizes.max() == pytest.approx(module.LARGEST_DOT)
    np.testing.assert_allclose(sizes / rows, sizes[0] / rows[0])


def test_many_dots_are_thinned_and_the_legend_says_so(monkeypatch):
    monkeypatch.setattr(module, "DOTS", 50)
    figure = plot_data(FORMULA, table())
    assert len(figure.axes[0].collections[0].get_offsets()) == 50
    assert legend_of(figure)[0] == "rows (50 of 120 dots)"


def test_many_levels_have_no_names():
    assert not plot_data(FORMULA, table(600)).axes[0].get_yticklabels()


def test_subjects_have_panels_with_equal_axes():
    result = data_view(FORMULA, visited(), kind="subjects", time="visit")
    figure = plot_data(FORMULA, visited(), kind="subjects", time="visit")
    panels = [a for a in figure.axes if a.axison]
    assert [a.get_title(loc="left") for a in panels] == result.table["level"].tolist()
    for axes, level, mean in zip(panels, result.table["level"], result.table["mean"], strict=True):
        own = result.draws["level"].to_numpy() == level
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), result.draws["along"].to_numpy()[own])
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), result.draws["response"].to_numpy()[own])
        assert axes.lines[1].get_ydata()[0] == mean
    assert len({(a.get_xlim(), a.get_ylim()) for a in panels}) == 1


def test_a_factor_names_its_levels_along_the_axis():
    axes = plot_data(FORMULA, table(), kind="subjects", time="drug").axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]


def test_running_means_have_a_line_and_intervals_per_level():
    frame = table(300)
    result = data_view(FORMULA, frame, kind="smooth", factor="drug")
    figure = plot_data(FORMULA, frame, kind="smooth", factor="drug")
    axes = figure.axes[0]
    assert legend_of(figure) == ["a", "b", "c"]
    for at, (level, part) in enumerate(result.table.groupby("level", sort=False)):
        (line,) = labelled(axes, level)
        np.testing.assert_array_equal(line.get_xdata(), part["value"])
        np.testing.assert_array_equal(line.get_ydata(), part["mean"])
        assert (line.get_color(), line.get_marker()) == (COLOURS[at], MARKERS[at])
        ends = np.array([s[:, 1] for s in axes.collections[at].get_segments()])
        np.testing.assert_allclose(ends, part[["ci_lower", "ci_upper"]])
    assert axes.get_ylabel() == "mean of y"
    assert legend_of(plot_data(FORMULA, frame, kind="smooth")) == ["all rows"]


def test_missing_visits_are_an_image_below_their_shares():
    frame = aids_visits().astype({"low": float})
    frame.loc[::50, "low"] = np.nan
    result = visits(AIDS, frame, family="bernoulli")
    figure = plot_data(AIDS, frame, kind="missing", family="bernoulli")
    top, below = figure.axes
    np.testing.assert_array_equal(top.lines[0].get_ydata(), result.table["share"])
    np.testing.assert_array_equal(below.images[0].get_array(), result.draws["state"])
    assert [t.get_text() for t in below.get_xticklabels()] == ["0", "2", "6", "12", "18"]
    assert legend_of(figure) == [STATES[3], STATES[1], STATES[0]]
    assert top.get_xlim() == below.get_xlim()


def test_the_structure_is_that_of_z():
    axes = plot_data(FORMULA, table(), kind="structure").axes[0]
    assert axes.images[0].get_array().shape == (120, 40)


@pytest.mark.parametrize("kind", ["groups", "subjects", "smooth", "missing", "structure"])
def test_a_fit_and_a_result_will_do_and_they_render(kind, tmp_path):
    frame = visited()
    fit = make_fit("y ~ visit + (1 | g)", frame, n_draws=3)
    first, second = plot_data(fit, kind=kind), plot_data(data_view("y ~ visit + (1 | g)", frame, kind=kind), title="a $ title")
    assert [len(a.lines) for a in first.axes] == [len(a.lines) for a in second.axes]
    assert second.get_suptitle() == r"a \$ title"
    second.savefig(tmp_path / "data.png")


def test_dollar_signs_are_text(tmp_path):
    frame = table().rename(columns={"y": "y$_1$", "g": "g$"})
    frame["g$"] = "$" + frame["g$"] + "$"
    figure = plot_data("`y$_1$` ~ x + (1 | `g$`)", frame)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == (r"y\$_1\$", r"g\$")
    figure.savefig(tmp_path / "data.png")


def test_other_things_are_refused():
    with pytest.raises(ArgumentError, match=r"data_view\(\.\.\.\)"):
        plot_data(summary(fit_of()))
    with pytest.raises(ArgumentError, match="kind"):
        plot_data(FORMULA, table(), kind="spaghetti")
    with pytest.raises(ColumnError):
        plot_data(FORMULA, table(), factor="centre")


def test_zeros_and_ones_are_not_joined_by_lines():
    for response, line in (("zero_one", "None"), ("y", "-")):
        figure = plot_data(f"{response} ~ x + (1 | g)", table(), kind="subjects")
        assert figure.axes[0].lines[0].get_linestyle() == line
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["rows", "mean of the level"]
