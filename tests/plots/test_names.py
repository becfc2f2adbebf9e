"""Long names of levels, columns and responses: every picture keeps its panels, and all text stays inside the figure."""

import warnings
from functools import cache

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bayesglmm.plots.data import plot_data
from bayesglmm.plots.gallery import GALLERY, picture
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import new_figure, short, wrapped
from tests.fits import make_fit
from tests.post.makers import table

DOSE, PLACE, OUTCOME = "dose of the drug in mg per kg of weight", "place of treatment of the patient", "an outcome with quite a long name"
SMALLEST = 0.9
"""Inches: a panel that is smaller shows nothing."""


@cache
def long_fit():
    rows = table().assign(g=lambda t: "the clinic with a very long name, number " + t["g"].astype(str))
    rows = rows.rename(columns={"x": DOSE, "g": PLACE, "y": OUTCOME})
    return make_fit(f"`{OUTCOME}` ~ `{DOSE}` * drug + (`{DOSE}` | `{PLACE}`)", rows, sd=[0.8, 0.4], n_chains=4, n_draws=30)


def room_left(figure):
    """Pixels between what is drawn and the four edges of the figure, the least."""
    box, (width, height) = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer()), figure.get_size_inches()
    return figure.dpi * min(box.x0, box.y0, width - box.x1, height - box.y1)


def overlapping(figure):
    """Titles of panels that lie upon each other."""
    titles = [t for axes in figure.axes for t in (axes.title, axes._left_title, axes._right_title) if t.get_text()]
    boxes = [t.get_window_extent() for t in titles]
    return [titles[k].get_text() for k, box in enumerate(boxes) for other in boxes[:k] if box.overlaps(other)]


@pytest.mark.parametrize("name", [*GALLERY, "groups", "subjects"])
def test_pictures_with_long_names(name, tmp_path):
    figure = picture(name, long_fit()) if name in GALLERY else plot_data(long_fit(), kind=name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of panels that have no room
        figure.savefig(tmp_path / "plot.png", dpi=figure.dpi)
    for axes in figure.axes:
        if axes.has_data() and axes.axison and axes.get_label() != "<colorbar>":
            box = axes.get_window_extent()
            assert box.width / figure.dpi > SMALLEST
    assert room_left(figure) > -1.0
    assert not overlapping(figure)


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("short", 5, "short"),
        ("abcdefghij", 7, "abc\N{HORIZONTAL ELLIPSIS}hij"),
        ("`a b`:`c$`", 24, r"a b:c\$"),
        (12, 5, "12"),
    ],
)
def test_the_middle_of_a_long_name_is_left_out(text, width, expected):
    assert short(text, width) == expected


@pytest.mark.parametrize("text", ["word " * 30, "x" * 100, "a", "`dose of $` and more of it", ""])
@pytest.mark.parametrize("lines", [1, 2, 3])
def test_long_titles_have_few_lines(text, lines):
    found = wrapped(text, 12, lines=lines).replace(r"\$", "$").split("\n")
    assert len(found) <= lines
    assert max(map(len, found)) <= 12
    assert "`" not in "".join(found)


def test_a_legend_has_the_columns_that_fit():
    for width, expected in ((12.0, 3), (3.0, 1)):
        figure, axes = new_figure(width=width)
        for label in ("a label of some length", "another label of some length", "one"):
            axes.plot([0, 1], [0, 1], label=label)
        common_legend(figure, (axes,), 3, title="t " * 60)
        assert figure.legends[0]._ncols == expected
        figure.canvas.draw()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0.0
        assert box.x1 <= figure.bbox.width
