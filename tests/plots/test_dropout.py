"""The plot of the drop-out study draws its repeats, means with Monte Carlo errors, and the truth."""

import numpy as np
import pytest
import xarray as xr

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.plots.dropout import plot_dropout
from bayesglmm.post.result import Result
from tests.fits import make_fit
from tests.post.makers import table

NAMES, COEFFICIENTS = ["gee_complete", "gee_independence", "mixed_model"], ["Intercept", "time", "arm$"]


def study(n=30):
    values = np.random.default_rng(1).normal(size=(n, 3, 3))
    values[: n // 3, 1] = np.nan
    dims = ("repeat", "estimator", "coefficient")
    truth = ("coefficient", np.array([0.3, -0.1, 0.0]))
    coords = {"estimator": NAMES, "coefficient": COEFFICIENTS}
    draws = xr.Dataset({"estimate": (dims, values), "truth": truth}, coords=coords)
    return Result("study", "population", bg.summary(make_fit("y ~ 1", table(), n_draws=5)).table, draws)


def test_dots_means_and_truth_are_drawn(tmp_path):
    result = study()
    figure = plot_dropout(result)
    panels = [a for a in figure.axes if a.axison]
    assert len(panels) == 3
    for k, panel in enumerate(panels):
        assert panel.lines[0].get_xdata()[0] == result.draws["truth"].to_numpy()[k]
        for e, (dots, bar) in enumerate(zip(panel.collections[::2], panel.containers, strict=True)):
            values = result.draws["estimate"].to_numpy()[:, e, k]
            values = values[np.isfinite(values)]
            np.testing.assert_allclose(np.sort(dots.get_offsets()[:, 0]), np.sort(values))
            marker, _, (error,) = bar
            assert marker.get_xdata()[0] == pytest.approx(values.mean())
            ends = error.get_segments()[0][:, 0]
            np.testing.assert_allclose(np.ptp(ends), 4 * values.std(ddof=1) / np.sqrt(len(values)))
    figure.savefig(tmp_path / "plot.png")


def test_estimators_and_marks_are_named():
    figure = plot_dropout(study())
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == ["GEE, nobody left", "GEE, independence", "mixed model"]
    assert "line: truth" in figure.get_suptitle()
    assert plot_dropout(study(), title="Own").get_suptitle() == "Own"


def test_dots_do_not_hide_each_other_and_are_few():
    figure = plot_dropout(study(2000))
    offsets = np.asarray(figure.axes[0].collections[0].get_offsets())
    assert len(offsets) == 400
    assert len(np.unique(offsets[:, 1].round(6))) == 400


@pytest.mark.parametrize("given", [lambda: bg.summary(make_fit("y ~ 1", table())), lambda: None])
def test_other_things_are_refused(given):
    with pytest.raises(ArgumentError, match=r"dropout\(\.\.\.\)"):
        plot_dropout(given())
