"""The fan of a new subject: roots of the mixture over draws, beside simulation, closed forms and the heterogeneity interval."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, BayesglmmError, FamilyError
from bayesglmm.post import linear_predictor
from bayesglmm.post.fan import QUANTILES, fan
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, REFERENCE

XS = [-1.0, 0.0, 2.0]


def laws(fit, x):
    """Mean and SD (S,) of the predictor of a new subject of the crossed fit, drug at its reference."""
    draws, z = parameters(fit), np.array([1.0, x])
    g, h = draws.groups
    v = np.einsum("sk,skl,sl->s", z * g.sd, g.corr, z * g.sd) + h.sd[:, 0] ** 2
    return draws.beta @ [1.0, x, 0.0, 0.0], np.sqrt(v)


def wide(result, column):
    """Numbers by value (rows) and quantile (columns)."""
    return result.table.pivot(index="x", columns="quantile", values=column).to_numpy()


def test_quantiles_are_those_of_simulated_new_subjects():
    """Subjects are drawn for every draw many times over; the share below a quantile is binomial."""
    fit = crossed_fit(spread=0.4, n_draws=200)
    result, rng, times = fan(fit, "x", values=XS), np.random.default_rng(3), 500
    for x, ends in zip(XS, wide(result, "link"), strict=True):
        m, sd = laws(fit, x)
        eta = m[:, None] + sd[:, None] * rng.normal(size=(len(m), times))
        for q, end in zip(QUANTILES, ends, strict=True):
            assert abs(np.mean(eta < end) - q) < MCSE_MULTIPLE * np.sqrt(q * (1.0 - q) / eta.size)


def test_quantiles_are_roots_of_the_mixture():
    fit = crossed_fit(spread=0.4, n_draws=50)
    for x, ends in zip(XS, wide(fan(fit, "x", values=XS), "link"), strict=True):
        m, sd = laws(fit, x)
        np.testing.assert_allclose(special.ndtr((ends[:, None] - m) / sd).mean(axis=1), QUANTILES, rtol=REFERENCE)


@pytest.mark.parametrize("scale", ["link", "response"])
def test_the_middle_95_percent_are_the_interval_of_a_new_subject(scale):
    fit = crossed_fit(spread=0.4)
    ours = wide(fan(fit, "x", values=XS, quantiles=[0.025, 0.975]), scale)
    theirs = bg.heterogeneity(fit, {"x": XS}).table.query("scale == @scale")
    np.testing.assert_allclose(ours, theirs[["predictive_lower", "predictive_upper"]], rtol=REFERENCE)


def test_with_known_parameters_a_quantile_has_a_closed_form():
    fit = crossed_fit(spread=0.0, n_chains=1, n_draws=1)
    m, sd = laws(fit, 2.0)
    ours = wide(fan(fit, "x", values=[2.0]), "link")[0]
    np.testing.assert_allclose(ours, m + sd * special.ndtri(QUANTILES), rtol=REFERENCE, atol=REFERENCE)


def test_the_response_is_the_inverse_link_and_quantiles_rise():
    fit = crossed_fit(spread=0.3)
    result = fan(fit, "x", {"drug": "b"})
    np.testing.assert_allclose(result.table["response"], special.expit(result.table["link"]), rtol=ALGEBRAIC)
    assert (np.diff(wide(result, "response"), axis=1) > 0.0).all()
    assert result.table["x"].agg(["min", "max"]).tolist() == [fit.frame["x"].min(), fit.frame["x"].max()]
    assert len(result.table) == 50 * len(QUANTILES)
    assert not result.draws


def test_a_factor_is_shown_at_its_levels_and_quantiles_are_sorted():
    result = fan(crossed_fit(), "drug", quantiles=(0.9, 0.1))
    assert result.table["drug"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert result.table["quantile"].tolist() == [0.1, 0.9] * 3


def test_what_is_held_and_whose_mean_it_is_are_told():
    result = fan(crossed_fit(), "x")
    assert result.target.startswith("group: a new level of g and of h")
    assert any(note.startswith("Held fixed: drug = a") for note in result.notes)
    assert result.draws.attrs["mean"] == "probability of zero_one"


def test_a_covariate_may_have_the_name_of_a_column_of_the_table():
    fit = make_fit("y ~ quantile + (1 | g)", table().rename(columns={"x": "quantile"}))
    result = fan(fit, "quantile", values=[0.5], quantiles=[0.25, 0.75])
    assert result.table["quantile_"].tolist() == [0.5, 0.5]
    assert result.table["quantile"].tolist() == [0.25, 0.75]


def test_rows_taken_a_few_at_a_time_give_the_same(monkeypatch):
    fit = crossed_fit(n_draws=4, spread=0.3)
    whole = fan(fit, "x", values=XS).table
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1)
    np.testing.assert_allclose(fan(fit, "x", values=XS).table, whole, rtol=REFERENCE)  # quantiles are solved for, each by itself


@pytest.mark.parametrize(
    "quantiles", [[], [0.5, 0.5], [0.0, 0.5], [0.5, 1.0], [5, 95], "0.5", 0.5, [1e-9], [1.0 - 1e-9], [float("nan")], [None]]
)
def test_what_are_no_quantiles_is_refused(quantiles):
    with pytest.raises(ArgumentError, match="quantiles"):
        fan(crossed_fit(), "x", quantiles=quantiles)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"variable": "nothing"}, BayesglmmError),
        ({"variable": "x", "at": {"x": 1.0}}, ArgumentError),
        ({"variable": "x", "at": {"drug": ["a", "b"]}}, ArgumentError),
        ({"variable": "x", "at": {"g": "g01"}}, ArgumentError),
        ({"variable": "x", "values": []}, ArgumentError),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, error):
    with pytest.raises(error):
        fan(crossed_fit(), **arguments)


def test_models_without_a_fan_are_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        fan(make_fit("y ~ x", table()), "x")
    fit = crossed_fit()
    with pytest.raises(FamilyError, match="sqrt"):
        fan(replace(fit, spec=replace(fit.spec, link="sqrt")), "x")
