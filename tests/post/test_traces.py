"""Traces and ranks hold the draws of the parameters that were asked for, those that look worst first."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import parameter_draws
from bayesglmm.post.summary import summary
from bayesglmm.post.traces import MOST, ranks, traces
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table


def with_shifted_chain(fit, name, by=5.0):
    """A fit whose last chain disagrees about one scalar variable."""
    tree = fit.idata.copy(deep=True)
    posterior = tree["posterior"].to_dataset()
    posterior[name][-1] += by
    tree["posterior"] = xr.DataTree(posterior)
    return replace(fit, idata=tree)


def test_the_worst_come_first():
    formula = "y ~ x + drug + age + (x | g) + (1 | h)"
    fit = with_shifted_chain(make_fit(formula, table(), n_draws=50), "x")
    result = traces(fit)
    assert result.table.index[0] == "x"
    assert result.table["r_hat"].iloc[0] > 1.5
    assert result.table["r_hat"].is_monotonic_decreasing
    own = summary(fit).table["r_hat"]
    np.testing.assert_array_equal(result.table["r_hat"], own[result.table.index])
    assert len(result.table) == MOST < len(own)
    assert result.table["r_hat"].min() >= own.drop(result.table.index).max()


def test_draws_are_those_of_the_fit():
    fit = crossed_fit()
    known = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    result = traces(fit)
    for at, name in enumerate(result.draws["parameter"].to_numpy()):
        np.testing.assert_array_equal(result.draws["value"].isel(parameter=at), known.values[..., known.labels.index(name)])
    assert result.draws["diverging"].dims == ("chain", "draw")


def test_parameters_by_name():
    fit = crossed_fit()
    names = ["drug[b]", "1|g_sigma", "g_corr[1, x]", "1|g[g03]", "x|g[g04]"]
    result = traces(fit, parameters=names)
    assert set(result.table.index) == set(names)
    value = result.draws["value"]
    np.testing.assert_array_equal(value.sel(parameter="1|g[g03]"), fit.posterior["1|g"].sel(g__factor_dim="g03"))
    np.testing.assert_array_equal(value.sel(parameter="x|g[g04]"), fit.posterior["x|g"].sel(g__factor_dim="g04"))
    np.testing.assert_array_equal(value.sel(parameter="g_corr[1, x]"), fit.posterior["g_corr"].isel(g__effect_dim=0, g__effect_dim_2=1))


def test_any_tree_of_draws_will_do():
    fit = crossed_fit()
    result = traces(fit.idata)
    assert set(result.table.index) <= {"Intercept", "x", "drug[b]", "drug[c]", "1|g_sigma", "x|g_sigma", "1|h_sigma", "g_corr[1, x]"}
    assert len(result.table) == 8
    bare = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), np.random.default_rng(1).normal(size=(2, 20)))})})
    assert "diverging" not in traces(bare).draws
    assert traces(bare).table.index.tolist() == ["mu"]


def test_few_draws_have_no_diagnostics():
    result = traces(make_fit("y ~ x + (1 | g)", table(), n_draws=3))
    assert result.table.isna().all(axis=None)
    assert len(result.table) == 4


def test_divergent_transitions_are_counted():
    fit = crossed_fit()
    tree = fit.idata.copy(deep=True)
    stats = tree["sample_stats"].to_dataset()
    stats["diverging"][0, :3] = True
    tree["sample_stats"] = xr.DataTree(stats)
    result = traces(replace(fit, idata=tree))
    assert "3 divergent transitions." in result.notes
    assert int(result.draws["diverging"].sum()) == 3


def test_ranks_of_chains_that_agree_are_in_the_band():
    fit = make_fit("y ~ x + (1 | g)", table(), n_chains=4, n_draws=250, seed=4)
    shown = ranks(fit).table
    assert len(shown) == 4 * 4 * 20
    assert shown.groupby("parameter")["outside"].any().sum() <= 2  # of 4; at most 1 in 2,000 for chains that agree
    for _, part in shown.groupby(["parameter", "chain"]):
        assert part["count"].sum() == 250
        assert part["expected"].sum() == pytest.approx(250)
        assert part["from"].iloc[0] == 0.0
        assert part["to"].iloc[-1] == 1.0


def test_a_chain_apart_is_outside():
    fit = with_shifted_chain(make_fit("y ~ x + (1 | g)", table(), n_chains=4, n_draws=100), "x")
    shown = ranks(fit, parameters=["x"]).table
    last = shown[shown["chain"] == 3]
    assert last["count"].iloc[-5:].sum() == 100
    assert last["outside"].iloc[-5:].all()


def test_what_cannot_be_is_refused():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match=r"no parameter 'drug\[z\]'.*Intercept, x"):
        traces(fit, parameters=["drug[z]"])
    with pytest.raises(ArgumentError, match="no parameter is named"):
        traces(fit, parameters=[])
    for given in (None, fit.posterior, summary(fit), xr.DataTree()):
        with pytest.raises(ArgumentError, match="draws are needed"):
            traces(given)
    with pytest.raises(ArgumentError, match="one only"):
        ranks(crossed_fit(n_chains=1))
