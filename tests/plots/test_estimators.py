"""The plot draws the numbers of the table, a panel for each coefficient."""

import numpy as np
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.estimators import plot_estimators
from bayesglmm.post.side_by_side import side_by_side
from tests.fits import make_fit
from tests.post.makers import table


def fit(formula="y ~ x + drug + (1 | g)", data=None):
    return make_fit(formula, table() if data is None else data, beta=None, n_draws=20)


def shown_panels(figure):
    return [a for a in figure.axes if a.axison]


def test_every_estimate_and_interval_is_drawn_in_the_panel_of_its_coefficient():
    result = side_by_side(fit())
    panels = shown_panels(plot_estimators(result))
    assert [p.get_title(loc="left") for p in panels] == list(dict.fromkeys(result.table["coefficient"]))
    for panel in panels:
        part = result.table[result.table["coefficient"] == panel.get_title(loc="left")]
        lines = [line.get_xydata() for line in panel.lines]
        intervals = [line for line in lines if len(line) == 2 and line[0, 1] == line[1, 1]]
        points = [line for line in lines if len(line) == 1]
        np.testing.assert_allclose([i[:, 0] for i in intervals], part[["ci_lower", "ci_upper"]])
        np.testing.assert_allclose([p[0, 0] for p in points], part["estimate"])
        np.testing.assert_allclose([p[0, 1] for p in points], range(4))


def test_estimators_are_named_and_told_apart_without_colours():
    panel = shown_panels(plot_estimators(side_by_side(fit(), structure=("independence", "ar1"))))[0]
    labels = [t.get_text() for t in panel.get_yticklabels()]
    assert labels == ["subject-specific", "marginal (mixed model)", "GEE, independence", "GEE, autoregressive"]
    markers = [line.get_marker() for line in panel.lines if len(line.get_xdata()) == 1]
    assert len(set(markers)) == 4


def test_level_and_title_are_told():
    result = side_by_side(fit(), ci_prob=0.8)
    assert "80 % intervals" in plot_estimators(result).get_suptitle()
    assert plot_estimators(result, title="Own").get_suptitle() == "Own"


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_any_number_of_coefficients(n, tmp_path):
    terms = ["x", "age", "s", "level"][: n - 1]
    figure = plot_estimators(side_by_side(fit(f"y ~ {' + '.join(['1', *terms])} + (1 | g)")))
    assert len(shown_panels(figure)) == n
    figure.savefig(tmp_path / "plot.png")


def test_dollar_signs_of_labels_are_no_formulas(tmp_path):
    data = table().assign(drug=np.resize(["a", "b$\\frac$", "c$"], 120))
    plot_estimators(side_by_side(fit(data=data))).savefig(tmp_path / "plot.png")


def test_a_fit_is_drawn_as_its_default_result():
    given = fit()
    ours, wanted = (shown_panels(plot_estimators(x)) for x in (given, side_by_side(given)))
    for one, other in zip(ours, wanted, strict=True):
        assert [a.get_xydata().tolist() for a in one.lines] == [a.get_xydata().tolist() for a in other.lines]


@pytest.mark.parametrize("given", [lambda: bg.summary(fit()), lambda: fit().frame, lambda: None])
def test_other_things_are_refused(given):
    with pytest.raises(ArgumentError, match=r"side_by_side\(\.\.\.\)"):
        plot_estimators(given())
