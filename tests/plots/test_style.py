"""What all plots share: positions on an axis, names of cells, titles, results of a fit."""

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.style import cell_names, headline, mean_label, new_panels, positions, result_of, say_held, share_limits
from tests.post.makers import crossed_fit


@pytest.mark.parametrize(
    ("values", "at", "names"),
    [
        ([2, 5, 3], [2.0, 5.0, 3.0], None),
        (["b", "a", "b"], [0.0, 1.0, 0.0], ("b", "a")),
        ([False, True, False], [0.0, 1.0, 0.0], ("False", "True")),
        (["$"], [0.0], (r"\$",)),
    ],
)
def test_numbers_stand_where_they_are_and_others_side_by_side(values, at, names):
    found, labels = positions(pd.Series(values))
    assert found.tolist() == at
    assert labels == names


def test_cells_are_named_by_their_columns():
    assert cell_names(pd.DataFrame({"x": [0.123456, 2.0]})) == ["0.1235", "2"]
    assert cell_names(pd.DataFrame({"x": [1, 2], "d$": ["a", "b"]})) == [r"x = 1, d\$ = a", r"x = 2, d\$ = b"]
    assert cell_names(pd.DataFrame({"x": [1]}), named=True) == ["x = 1"]
    assert cell_names(pd.DataFrame(index=range(2))) == ["", ""]


def test_panels_share_the_range_of_them_all():
    _, panels = new_panels(1, 2)
    panels[0].set(xlim=(0, 1), ylim=(-5, 0))
    panels[1].set(xlim=(-3, 0.5), ylim=(2, 4))
    share_limits(panels, "x")
    share_limits(panels, "y")
    assert [(p.get_xlim(), p.get_ylim()) for p in panels] == [((-3, 1), (-5, 4))] * 2


def test_long_titles_are_broken_and_what_is_held_is_told():
    result = bg.curves(crossed_fit(), "x", groups=0, ci_prob=0.5)
    figure, (axes,) = new_panels(1, 1, width=4.0)
    headline(figure, result, "word " * 40)
    assert max(map(len, figure.get_suptitle().split("\n"))) <= 48
    say_held(axes, result, width=4.0)
    assert axes.get_title(loc="left") == "Held fixed: drug = a (reference level)."
    headline(figure, result, None)
    assert figure.get_suptitle().replace("\n", " ").endswith("response scale; 50 % intervals")
    headline(figure, result, None, intervals=False)
    assert figure.get_suptitle().endswith("response scale")


def test_the_mean_is_named_where_it_is_known():
    fit = crossed_fit()
    assert mean_label(fit) == "probability of zero_one"
    result = bg.summary(fit)
    assert mean_label(result) == "mean response"


def test_a_result_is_taken_as_it_is_and_made_of_a_fit():
    fit = crossed_fit()
    result = bg.summary(fit)
    assert result_of(result, "summary", bg.random_effects) is result
    assert result_of(fit, "summary", bg.summary).title == result.title
    with pytest.raises(ArgumentError, match=r"summary\(\.\.\.\)"):
        result_of(np.zeros(2), "summary", bg.summary)
