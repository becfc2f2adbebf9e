"""Subject-specific beside marginal coefficients: the numbers of the table, a panel each."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.marginal_vs_conditional import plot_marginal_vs_conditional
from bayesglmm.plots.style import TARGETS
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table


def test_both_coefficients_are_drawn_with_their_intervals():
    result = bg.marginal_coefficients(crossed_fit())
    panels = [a for a in plot_marginal_vs_conditional(result).axes if a.axison]
    assert [p.get_title(loc="left") for p in panels] == list(result.table.index)
    for panel, (_, row) in zip(panels, result.table.iterrows(), strict=True):
        dots = [line.get_xdata()[0] for line in panel.lines if len(line.get_xdata()) == 1]
        assert dots == [row["subject_specific"], row["marginal"]]
        ends = [segment[:, 0].tolist() for bar in panel.collections for segment in bar.get_segments()]
        assert ends == [[row[f"{n}_lower"], row[f"{n}_upper"]] for n in ("subject_specific", "marginal")]
        assert panel.get_title(loc="right") == f"ratio {row['ratio']:.2f}"


def test_they_are_named_and_told_apart_without_colours():
    figure = plot_marginal_vs_conditional(crossed_fit())
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["subject-specific", "marginal"]
    markers = [line.get_marker() for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert markers == [TARGETS["average_subject"][1], TARGETS["population"][1]]
    assert "95 % intervals" in figure.get_suptitle()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_any_number_of_coefficients(n, tmp_path):
    terms = ["x", "age", "s", "level"][: n - 1]
    figure = plot_marginal_vs_conditional(make_fit(f"y ~ {' + '.join(['1', *terms])} + (1 | g)", table()))
    assert sum(a.axison for a in figure.axes) == n
    figure.savefig(tmp_path / "plot.png")


def test_a_ratio_that_does_not_exist_is_not_written():
    fit = make_fit("y ~ x + (1 | g)", table(), beta=[0.0, 1.0], spread=0.0, n_draws=2)
    panels = plot_marginal_vs_conditional(fit).axes
    assert [p.get_title(loc="right") for p in panels] == ["", "ratio 1.00"]


@pytest.mark.parametrize("given", [lambda: bg.summary(crossed_fit()), lambda: None, lambda: np.zeros(3)])
def test_other_things_are_refused(given):
    with pytest.raises(ArgumentError, match=r"marginal_coefficients\(\.\.\.\)"):
        plot_marginal_vs_conditional(given())
