"""Traces and rank plots hold the draws of each chain, and leave nothing behind in pyplot."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.style import COLOURS
from bayesglmm.plots.trace import plot_rank, plot_trace
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.summary import summary
from bayesglmm.post.traces import ranks, traces
from tests.fits import make_fit
from tests.plots.made import data_of, fit_of, labelled, legend_of
from tests.post.makers import crossed_fit, table


def test_every_chain_of_every_parameter_is_a_line():
    fit = crossed_fit()
    result = traces(fit)
    figure = plot_trace(fit)
    panels = [a for a in figure.axes if a.axison]
    assert len(panels) == len(result.table) == 8
    for at, axes in enumerate(panels):
        name = result.table.index[at]
        assert axes.get_title(loc="left") == f"{name}   R-hat {result.table['r_hat'].iloc[at]:.3f}"
        for chain in range(2):
            (line,) = labelled(axes, f"chain {chain + 1}")
            np.testing.assert_array_equal(line.get_ydata(), result.draws["value"].isel(parameter=at, chain=chain))
            assert line.get_color() == COLOURS[chain]
    assert legend_of(figure) == ["chain 1", "chain 2"]
    assert [a.get_xlabel() for a in panels] == [""] * 6 + ["draw"] * 2


def test_parameters_can_be_named_and_results_given():
    fit = crossed_fit()
    names = ["1|g[g03]", "drug[b]", "g_corr[1, x]"]
    titles = {a.get_title(loc="left").split("   ")[0] for a in plot_trace(fit, parameters=names).axes if a.axison}
    assert titles == set(names)
    assert len([a for a in plot_trace(summary(fit)).axes if a.axison]) == len(summary(fit).table)
    assert len([a for a in plot_trace(fit.idata).axes if a.axison]) == 8


def test_divergent_transitions_are_ticks_at_the_foot():
    fit = crossed_fit()
    tree = fit.idata.copy(deep=True)
    stats = tree["sample_stats"].to_dataset()
    stats["diverging"][1, [4, 9]] = True
    tree["sample_stats"] = xr.DataTree(stats)
    for axes in plot_trace(replace(fit, idata=tree)).axes[:8]:
        (ticks,) = labelled(axes, "divergent")
        assert list(ticks.get_xdata()) == [4, 9]
        low, high = axes.get_ylim()
        values = np.concatenate([data_of(line)[1] for line in axes.lines if line.get_label() != "divergent"])
        assert low < values.min() < values.max() < high
    assert not labelled(plot_trace(fit).axes[0], "divergent")


def test_ranks_are_steps_in_their_band():
    fit = make_fit("y ~ x + (1 | g)", table(), n_chains=4, n_draws=100)
    result = ranks(fit)
    figure = plot_rank(fit)
    panels = [a for a in figure.axes if a.axison]
    assert len(panels) == 4
    for axes, (_, part) in zip(panels, result.table.groupby("parameter", sort=False), strict=True):
        steps = {patch.get_label(): patch.get_data() for patch in axes.patches}
        assert steps["chain 1"].edges[0] == 0.0
        assert steps["chain 1"].edges[-1] == 1.0
        for chain, own in part.groupby("chain"):
            np.testing.assert_array_equal(steps[f"chain {chain + 1}"].values, own["count"])
            np.testing.assert_allclose(steps[f"chain {chain + 1}"].edges[:-1], own["from"])
        first = part[part["chain"] == 0]
        np.testing.assert_array_equal(steps["band if chains agree"].values, first["upper"])
        np.testing.assert_array_equal(steps["band if chains agree"].baseline, first["lower"])
    assert legend_of(figure) == ["band if chains agree", *(f"chain {c}" for c in range(1, 5))]


def test_without_diagnostics_the_name_stands_alone():
    figure = plot_trace(make_fit("y ~ x + (1 | g)", table(), n_draws=3))
    assert figure.axes[0].get_title(loc="left") == "Intercept"


def test_what_cannot_be_drawn_is_refused():
    fit = fit_of()
    for plot in (plot_trace, plot_rank):
        with pytest.raises(ArgumentError, match="draws are needed"):
            plot(None)
        with pytest.raises(ArgumentError, match="this plot takes what"):
            plot(random_effects(fit))
        with pytest.raises(ArgumentError, match="no parameter 'z'"):
            plot(fit, parameters=["z"])
    with pytest.raises(ArgumentError, match="already"):
        plot_trace(traces(fit), parameters=["x"])
    with pytest.raises(ArgumentError, match="one only"):
        plot_rank(fit_of(n_chains=1))


def test_pyplot_keeps_no_figure():
    before = pyplot.get_fignums()
    for plot in (plot_trace, plot_rank):
        plot(fit_of())
    assert pyplot.get_fignums() == before


@pytest.mark.parametrize("plot", [plot_trace, plot_rank])
def test_they_render(plot, tmp_path):
    plot(crossed_fit(n_chains=4), title="a $ title").savefig(tmp_path / "trace.png")


def test_pictures_leave_out_the_quotes_of_formulas():
    rows = table().rename(columns={"x": "dose of a"})
    fit = make_fit("y ~ `dose of a` + (1 | g)", rows, n_chains=4)  # four parameters: all are drawn
    for plot in (plot_trace, plot_rank):
        titles = [a.get_title(loc="left") for a in plot(fit).axes]
        assert any(t.startswith("dose of a ") for t in titles)
        assert not any("`" in t for t in titles)
    assert plot_rank(fit).get_supylabel() == "draws in a bin of ranks"
