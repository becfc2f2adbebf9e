"""Slopes against analytic derivatives."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, DesignError
from bayesglmm.post import lines
from bayesglmm.post.slopes import slopes
from bayesglmm.types import Target, choices
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table

DIFFERENCES = 1e-8
"""Relative: fourth-order differences; rounding divided by the steps, 1e-4 and 1e-3 SD, allows about 1e-11."""


def slope_draws(result) -> np.ndarray:
    return draws_of(result, "slope")


def test_logit_slope_of_the_average_subject():
    fit = crossed_fit()
    beta = parameters(fit).beta
    found = slope_draws(slopes(fit, "x", {"x": [-2.0, 0.3]}, target="average_subject"))
    p = special.expit(beta[:, :1] + beta[:, 1:2] * [-2.0, 0.3])
    np.testing.assert_allclose(found, p * (1 - p) * beta[:, 1:2], rtol=DIFFERENCES)
    link = slope_draws(slopes(fit, "x", {"x": [-2.0, 0.3]}, target="average_subject", scale="link"))
    np.testing.assert_allclose(link, np.repeat(beta[:, 1:2], 2, axis=1), rtol=DIFFERENCES)


def test_average_slope_is_the_average_of_the_rows_slopes():
    fit = crossed_fit()
    beta = parameters(fit).beta
    p = special.expit(beta @ fit.design.X.T)
    rows = p * (1 - p) * beta[:, 1:2]
    np.testing.assert_allclose(slope_draws(slopes(fit, "x", target="average_subject"))[:, 0], rows.mean(axis=1), rtol=DIFFERENCES)
    within = slopes(fit, "x", target="average_subject", by="drug")
    for k, drug in enumerate("abc"):
        mask = (fit.frame["drug"] == drug).to_numpy()
        np.testing.assert_allclose(slope_draws(within)[:, k], rows[:, mask].mean(axis=1), rtol=DIFFERENCES)
    weights = np.arange(120.0)
    weighted = slope_draws(slopes(fit, "x", target="average_subject", weights=weights))[:, 0]
    np.testing.assert_allclose(weighted, rows @ weights / weights.sum(), rtol=DIFFERENCES)


def test_identity_slope_is_the_coefficient_for_every_target():
    data = table().assign(age=table()["age"] + 2000)
    fit = make_fit("y ~ age * drug + (1 | g)", data, beta=[1.0, 0.2, 0.0, 0.0, 0.3, -0.4])
    beta = parameters(fit).beta
    for target in ("average_subject", "population", "observed_groups"):
        found = slope_draws(slopes(fit, "age", {"drug": ["a", "b", "c"]}, target=target))
        np.testing.assert_allclose(found, beta[:, 1:2] + np.column_stack([np.zeros(len(beta)), beta[:, 4:]]), rtol=1e-7)  # near 2000
    averaged = slope_draws(slopes(fit, "age", target="population"))[:, 0]
    shares = [(data["drug"] == d).mean() for d in "bc"]
    np.testing.assert_allclose(averaged, beta[:, 1] + beta[:, 4:] @ shares, rtol=1e-7)


def test_log_link_slopes_follow_random_slopes_and_transforms():
    data = table().assign(age=table()["age"].astype(float))
    fit = make_fit("count ~ log(age) + (log(age) | g)", data, family="poisson", beta=[0.1, 0.4], sd=[0.5, 0.2])
    draws, age = parameters(fit), np.array([20.0, 37.0, 59.0])
    s, rho = draws.groups[0].sd, draws.groups[0].corr[:, 0, 1]
    growth = draws.beta[:, 1:2] + (rho * s[:, 0] * s[:, 1])[:, None] + s[:, 1:2] ** 2 * np.log(age)
    link = slopes(fit, "age", {"age": age}, target="population", scale="link")
    np.testing.assert_allclose(slope_draws(link), growth / age, rtol=DIFFERENCES)
    mean = draws_of(bg.means(fit, {"age": age}, target="population"))
    np.testing.assert_allclose(slope_draws(slopes(fit, "age", {"age": age}, target="population")), mean * growth / age, rtol=DIFFERENCES)


def test_probit_population_slope_has_its_closed_form():
    fit = make_fit("zero_one ~ x + (x | g)", table(), family="bernoulli", link="probit", beta=[0.3, 0.8], sd=[1.1, 0.6])
    draws, x = parameters(fit), np.array([-1.0, 0.5])
    s, rho = draws.groups[0].sd, draws.groups[0].corr[:, 0, 1]
    cross = (rho * s[:, 0] * s[:, 1])[:, None]
    m = draws.beta[:, :1] + draws.beta[:, 1:] * x
    v = s[:, :1] ** 2 + 2 * cross * x + s[:, 1:] ** 2 * x**2
    link = draws.beta[:, 1:] / np.sqrt(1 + v) - m * (cross + s[:, 1:] ** 2 * x) / (1 + v) ** 1.5
    np.testing.assert_allclose(slope_draws(slopes(fit, "x", {"x": x}, target="population", scale="link")), link, rtol=DIFFERENCES)
    response = stats.norm.pdf(m / np.sqrt(1 + v)) * link
    np.testing.assert_allclose(slope_draws(slopes(fit, "x", {"x": x}, target="population")), response, rtol=DIFFERENCES)


def test_logit_population_slope_by_quadrature():
    fit = crossed_fit(n_draws=3)
    draws = parameters(fit)
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    weights = weights / weights.sum()
    x = 0.4
    z = np.array([1.0, x])
    D = draws.groups[0].sd[:, :, None] * draws.groups[0].corr * draws.groups[0].sd[:, None, :]
    v, dv = z @ D @ z + draws.groups[1].sd[:, 0] ** 2, 2 * (D @ z)[:, 1]
    p = special.expit(draws.beta[:, :1] + draws.beta[:, 1:2] * x + np.sqrt(v)[:, None] * nodes)
    rate = draws.beta[:, 1:2] + 0.5 * (dv / np.sqrt(v))[:, None] * nodes
    expected = (p * (1 - p) * rate) @ weights
    result = slopes(fit, "x", {"x": x}, target="population")
    np.testing.assert_allclose(slope_draws(result)[:, 0], expected, rtol=1e-7)  # quadrature of both sides
    assert any("quadrature adds at most" in n for n in result.notes)


def test_offsets_and_named_groups_follow():
    fit = make_fit("count ~ x + offset(log(s)) + (x | g)", table(), family="poisson", beta=[0.1, 0.4], sd=[0.5, 0.2])
    draws = parameters(fit)
    offset = slopes(fit, "s", {"s": [0.5, 1.4]}, target="average_subject", scale="link")
    np.testing.assert_allclose(slope_draws(offset), np.tile([1 / 0.5, 1 / 1.4], (len(draws.beta), 1)), rtol=DIFFERENCES)
    group = slopes(fit, "x", {"g": "g03"}, target="group", scale="link")
    np.testing.assert_allclose(slope_draws(group)[:, 0], draws.beta[:, 1] + draws.groups[0].b[:, 3, 1], rtol=DIFFERENCES)


def test_splines_have_slopes_at_the_ends_of_their_range():
    data = table()
    fit = make_fit("y ~ bs(x, df=5) + (1 | g)", data, beta=[0.0, 1.0, -1.0, 2.0, 0.5, 1.0], spread=0.1)
    lower, upper = data["x"].min(), data["x"].max()
    x = np.array([lower, lower + 0.5, 0.0, upper])
    found = slope_draws(slopes(fit, "x", {"x": x}, target="average_subject"))
    h = 1e-5
    inside = np.clip(np.array([x - h, x + h]), lower, upper)
    low, high = (draws_of(bg.means(fit, {"x": points}, target="average_subject")) for points in inside)
    np.testing.assert_allclose(found, (high - low) / (inside[1] - inside[0]), rtol=0, atol=1e-3)  # one-sided first-order at the ends
    assert np.all(np.isfinite(slope_draws(slopes(fit, "x", target="average_subject"))))


def test_slopes_given_some_factors():
    fit = crossed_fit(n_draws=4)
    found = slopes(fit, "x", {"h": ["p", "q"]}, target="population", over="g")
    mean, h = fit.frame["x"].mean(), 0.01
    low, high = (draws_of(bg.means(fit, {"h": ["p", "q"], "x": mean + k * h}, target="population", over="g")) for k in (-1, 1))
    np.testing.assert_allclose(slope_draws(found), (high - low) / (2 * h), rtol=0, atol=1e-4)  # h^2 / 6 times a third derivative
    assert "given the named levels of h" in found.target


@pytest.mark.parametrize("target", choices(Target))
def test_slope_is_the_limit_of_contrasts(target):
    fit = crossed_fit(n_draws=4)
    at = {"x": 0.2, **({"g": "g01", "h": "q"} if target == "group" else {})}
    h = 0.01
    low, high = (draws_of(bg.means(fit, {**at, "x": 0.2 + k * h}, target=target)) for k in (-1, 1))
    curvature = 1e-4  # h^2 / 6 times a third derivative of order one, and quadrature over h
    np.testing.assert_allclose(slope_draws(slopes(fit, "x", at, target=target)), (high - low) / (2 * h), rtol=0, atol=curvature)


def test_slope_on_the_link_scale_in_the_far_tail():
    fit = crossed_fit(beta={"Intercept": 60.0, "x": 2.0}, sd={"g": [0.5, 0.0], "h": [0.5]}, spread=0.0)
    for target in ("average_subject", "population"):
        found = slope_draws(slopes(fit, "x", target=target, scale="link", by="drug"))
        assert np.all((found > 0.5) & (found < 2.0 + 1e-6))


def test_bends_are_refused():
    bend = make_fit("y ~ abs(x - 1) + (1 | g)", table(), beta=[0.0, 1.0], spread=0.0)
    found = slopes(bend, "x", {"x": [0.9, 1.1]}, target="average_subject").table["mean"]
    np.testing.assert_allclose(found, [-1.0, 1.0], rtol=DIFFERENCES)
    for near in (1.00005, 1.0):
        with pytest.raises(DesignError, match=r"not smooth.*column 'x', row 1"):
            slopes(bend, "x", {"x": [0.9, near]}, target="average_subject")


@pytest.mark.parametrize("target", ["population", "group"])
def test_without_draws_rows_are_taken_a_few_at_a_time(monkeypatch, target):
    fit = crossed_fit()
    monkeypatch.setattr(lines, "AT_ONCE", 500)  # 40 draws at 4 points: three rows
    grid = {"x": np.linspace(-1, 1, 7), **({"g": "g01", "h": "p"} if target == "group" else {})}
    for options in ({"at": fit.frame}, {"at": fit.frame, "by": "h"}, {"at": grid}):
        kept, left = (slopes(fit, "x", target=target, keep_draws=keep, **options) for keep in (True, False))
        assert not left.draws.data_vars
        assert (left.title, left.target) == (kept.title, kept.target)
        pd.testing.assert_frame_equal(left.table, kept.table, rtol=1e-6)  # quadrature of blocks of rows, over the step
        assert len(left.notes) == len(kept.notes)


@pytest.mark.parametrize("keep_draws", [True, False])
def test_means_beyond_a_double_have_no_slope_on_the_response_scale(monkeypatch, keep_draws):
    monkeypatch.setattr(lines, "AT_ONCE", 500)
    fit = make_fit("count ~ x + (1 | g)", table(), family="poisson", beta=[0.1, 1.0], spread=0.01)
    at = {"x": [0.0, 1.0, 2000.0, 3000.0]}
    beyond = "lines 2, 3" if keep_draws else "line 2"  # the first block with any
    with pytest.raises(ArgumentError, match=rf"response scale, {beyond} \(counted from 0\).*use scale='link', or rows nearer the data"):
        slopes(fit, "x", at, target="average_subject", keep_draws=keep_draws)
    assert len(slopes(fit, "x", at, target="average_subject", scale="link", keep_draws=keep_draws).table) == 4


def test_columns_are_held_and_named():
    result = slopes(crossed_fit(), "x", {"drug": "b"}, target="population")
    assert result.table["x"].tolist() == [pytest.approx(table()["x"].mean())]
    assert result.target.startswith("population")
    assert "per unit of x" in result.title


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"variable": "drug"}, ArgumentError, "a factor has no slope"),
        ({"variable": "g"}, ArgumentError, "target='group'"),
        ({"variable": "xx"}, ColumnError, "did you mean 'x'"),
        ({"variable": "x", "at": {"x": "low"}}, ColumnError, "text where numbers are needed"),
        ({"variable": "x", "by": "x"}, ArgumentError, "within a column that is set"),
        ({"variable": "x", "scale": "odds"}, ArgumentError, "scale"),
        ({"variable": "x", "target": "all"}, ArgumentError, "target"),
    ],
)
def test_bad_questions_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        slopes(crossed_fit(), **{"target": "population", **arguments})
