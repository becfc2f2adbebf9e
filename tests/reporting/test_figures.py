"""Pictures as bytes, the covariates that they go along, and what stands in place of one that cannot be drawn."""

import struct

import pytest

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.plots.style import new_figure
from bayesglmm.reporting import figures
from bayesglmm.reporting.figures import MOST_PIXELS, first_factor, first_number, grid, image, limited, picture
from bayesglmm.reporting.parts import Part, Rule, joined
from bayesglmm.reporting.records import Words, worst
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.reporting.models import PNG

RULE = Rule("some.check", "What it means.", "What to do.", "< 1", "A book 2020")


def size_of(png):
    """Width and height, from the header of the file."""
    return struct.unpack(">II", png[16:24])


def test_a_picture_is_a_png_of_its_size():
    figure, axes = new_figure(width=7.0, height=4.0)
    axes.plot([0.0, 1.0], [1.0, 0.0])
    made = image(figure, "a line", "A line.")
    assert made.png.startswith(PNG)
    assert size_of(made.png) == (770, 440)
    assert (made.alt, made.caption) == ("a line", "A line.")


def test_a_long_picture_is_not_larger_than_a_page_holds():
    made = image(new_figure(width=5.0, height=40.0)[0], "long", "Long.")
    assert max(size_of(made.png)) <= MOST_PIXELS


def test_a_picture_that_is_refused_is_a_row_that_says_why_and_counts_as_nothing():
    def refuse():
        raise ArgumentError("nothing to draw", fix="fit something")

    part = picture("some.check.picture", refuse, "alt", "caption")
    (entry,) = part.entries
    assert part.blocks == ()
    assert entry.check.id == "some.check.picture"
    assert entry.check.verdict == "not run"
    assert "nothing to draw" in entry.check.detail
    assert worst(part.entries) == "ok"


def test_a_fault_of_the_program_is_not_hidden():
    def fail():
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        picture("some.check.picture", fail, "alt", "caption")
    with pytest.raises(RuntimeError, match="a fault"):
        RULE.attempt(fail)


@pytest.mark.parametrize(("error", "verdict"), [(FamilyError("no such mean"), "ok"), (ArgumentError("no draws"), "attention")])
def test_a_refusal_counts_unless_the_model_has_no_such_quantity(error, verdict):
    def refuse():
        raise error

    (entry,) = RULE.attempt(refuse).entries
    assert entry.check.verdict == "not run"
    assert error.what in entry.check.detail
    assert worst([entry]) == verdict


def test_a_number_that_is_not_finite_passes_nothing():
    for value in (float("nan"), float("inf")):
        entry = RULE.judged(value, "A ratio.", bad=False)
        assert entry.check.verdict == "not run"
        assert worst([entry]) == "attention"
    assert RULE.judged(0.5, "A ratio.", bad=False).check.verdict == "ok"
    assert RULE.judged(2.0, "A ratio.", bad=True).check.verdict == "attention"


def test_only_a_threshold_or_a_reference_has_a_source():
    assert RULE.entry(None, "Shown.").source == "A book 2020"
    assert Rule("a.table", "Means.", "Do.").entry(None, "Shown.").source == ""
    assert Rule("a.check", "Means.", "Do.", "< 1").entry(0.0, "Zero.").source == "rule of thumb"


def test_parts_keep_their_order():
    first, second = Part((RULE.entry(0.1, "One."),), (Words(("a",)),)), Part(blocks=(Words(("b",)),))
    whole = joined([first, second])
    assert [e.check.value for e in whole.entries] == [0.1]
    assert [b.paragraphs for b in whole.blocks] == [("a",), ("b",)]


def test_covariates_are_the_first_number_and_the_first_factor():
    fit = crossed_fit()
    assert first_number(fit) == "x"
    assert first_factor(fit) == "drug"
    values = grid(fit)
    assert list(values) == ["x", "drug"]
    assert values["drug"] == ["a", "b", "c"]
    assert set(values["x"]) <= set(fit.frame["x"])
    assert len(values["x"]) == 3


def test_a_number_with_two_values_is_second_choice():
    data = table().assign(sex=lambda t: t["k"] % 2)
    assert first_number(make_fit("y ~ sex + x + (1 | g)", data)) == "x"
    assert first_number(make_fit("y ~ sex + (1 | g)", data)) == "sex"


def test_grouping_factors_and_offsets_are_no_covariates():
    fit = make_fit("count ~ 1 + offset(log(w)) + (1 | g)", table(), family="poisson")
    assert first_number(fit) is None
    assert first_factor(fit) is None
    assert grid(fit) == {}


def test_random_slopes_alone_are_covariates_too():
    assert first_number(make_fit("y ~ 1 + (x | g)", table(), sd=[1.0, 0.5])) == "x"


def test_only_the_first_grouping_factors_are_drawn(monkeypatch):
    fit, drawn = crossed_fit(), []
    monkeypatch.setattr(figures, "MOST_FACTORS", 1)
    limited(fit, "g", lambda: drawn.append("g"))()
    part = picture("post.forest.h", limited(fit, "h", lambda: drawn.append("h")), "alt", "caption")
    assert drawn == ["g"]
    assert "a report draws 1" in part.entries[0].check.detail
