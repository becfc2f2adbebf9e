"""Identities that hold for every parameter value, and averages that must be taken in the right order."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError, DesignWarning, LevelError, MissingValueError
from bayesglmm.numerics.covariance import covariance_matrix
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

NEW_GROUPS = 50_000

coefficients = st.tuples(st.floats(-2.0, 2.0), st.floats(-1.5, 1.5))
sds = st.floats(0.05, 3.0)
correlations = st.floats(-0.9, 0.9)


def intercept_fit(response: str, family: str, link: str, beta, sd: float, **options: object):
    """Random intercepts of 20 groups; draws scatter around the truth."""
    return make_fit(f"{response} ~ x + (1 | g)", table(), family=family, link=link, beta=list(beta), sd=sd, n_draws=5, **options)


def one_draw(beta, sd: tuple[float, float], rho: float, **options: object):
    """Correlated random slopes in a fit of one draw, the truth."""
    corr = [[1.0, rho], [rho, 1.0]]
    fixed = {"spread": 0.0, "n_chains": 1, "n_draws": 1}
    return make_fit("zero_one ~ x + (x | g)", table(), family="bernoulli", beta=list(beta), sd=list(sd), corr=corr, **fixed, **options)


@settings(max_examples=20, deadline=None)
@given(beta=coefficients, sd=sds)
def test_probit_random_intercepts_shrink_all_coefficients_by_one_factor(beta, sd):
    """beta_M = beta / sqrt(1 + v), per draw."""
    fit = intercept_fit("zero_one", "bernoulli", "probit", beta, sd)
    draws, variance = bg.marginal_coefficients(fit).draws, np.square(parameters(fit).groups[0].sd)
    found = draws["marginal"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(found, parameters(fit).beta / np.sqrt(1.0 + variance), rtol=ALGEBRAIC, atol=ALGEBRAIC)


@settings(max_examples=20, deadline=None)
@given(beta=coefficients, sd=sds)
def test_log_random_intercepts_shift_the_intercept_and_leave_the_slopes(beta, sd):
    """Intercept + v / 2, slopes as they are, per draw."""
    fit = intercept_fit("count", "poisson", "log", beta, sd)
    draws, variance = bg.marginal_coefficients(fit).draws, np.square(parameters(fit).groups[0].sd)
    found = draws["marginal"].to_numpy().reshape(-1, 2)
    np.testing.assert_allclose(found, parameters(fit).beta + 0.5 * variance * np.array([1.0, 0.0]), rtol=ALGEBRAIC, atol=ALGEBRAIC)


@settings(max_examples=15, deadline=None)
@given(beta=coefficients, sd=sds, rho=correlations, x=st.floats(-3.0, 3.0))
def test_identity_link_the_population_is_the_average_subject(beta, sd, rho, x):
    """Also with random slopes, on a grid, averaged over rows, and on both scales."""
    fit = make_fit(
        "y ~ x + (x | g) + (1 | h)", table(), beta=list(beta), sd={"g": [sd, 0.5]}, corr={"g": [[1.0, rho], [rho, 1.0]]}, n_draws=5
    )
    for arguments in ({"at": {"x": [x, 0.0]}}, {"by": "h"}, {"at": {"x": [x]}, "scale": "link"}):
        population, subject = (draws_of(bg.means(fit, target=t, **arguments)) for t in ("population", "average_subject"))
        np.testing.assert_allclose(population, subject, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@settings(max_examples=15, deadline=None)
@given(beta=coefficients, sd=st.tuples(sds, sds), rho=correlations, x=st.floats(-2.0, 2.0), seed=st.integers(0, 2**32 - 1))
def test_population_is_the_mean_over_simulated_new_groups(beta, sd, rho, x, seed):
    """Groups are drawn from N(0, D); five standard errors of that simulation."""
    fit = one_draw(beta, sd, rho)
    group = parameters(fit).groups[0]
    D = covariance_matrix(group.sd[0], group.corr[0])
    b = np.random.default_rng(seed).standard_normal((NEW_GROUPS, 2)) @ np.linalg.cholesky(D).T
    simulated = special.expit(beta[0] + beta[1] * x + b @ np.array([1.0, x]))
    found = bg.means(fit, {"x": [x]}, target="population").table["mean"].item()
    assert abs(simulated.mean() - found) < MCSE_MULTIPLE * simulated.std(ddof=1) / np.sqrt(NEW_GROUPS)


@settings(max_examples=15, deadline=None)
@given(beta=coefficients, sd=st.tuples(sds, sds), rho=correlations, x=st.floats(-2.0, 2.0), level=st.floats(0.05, 0.999))
def test_the_heterogeneity_interval_holds_its_level_of_the_normal_law(beta, sd, rho, x, level):
    """Phi of the standardised ends, m and v from the definition: their difference is the level."""
    fit = one_draw(beta, sd, rho)
    group = parameters(fit).groups[0]
    z = np.array([1.0, x])
    m, s = beta[0] + beta[1] * x, np.sqrt(z @ covariance_matrix(group.sd[0], group.corr[0]) @ z)
    line = bg.heterogeneity(fit, {"x": [x]}, level=level).table.set_index("scale").loc["link"]
    low, high = (line["plug_in_lower"] - m) / s, (line["plug_in_upper"] - m) / s
    np.testing.assert_allclose(special.ndtr(high) - special.ndtr(low), level, rtol=ALGEBRAIC)
    np.testing.assert_allclose(low, -high, rtol=ALGEBRAIC, atol=ALGEBRAIC)


@pytest.mark.parametrize("target", ["average_subject", "population", "observed_groups", "group"])
def test_an_average_over_rows_has_the_interval_of_its_own_draws(target):
    """Pinned: the interval of an average within ``by`` is not the average of the intervals of its rows, which is far wider here."""
    data = table().assign(x=np.resize([-2.0, 2.0], 120))
    fit = make_fit("zero_one ~ x + (1 | g)", data, family="bernoulli", beta=[0.2, 0.1], sd=0.5, spread=0.6, n_draws=400)
    average = bg.means(fit, target=target, by="x", weights=np.ones(120)).table
    whole = bg.means(fit, target=target).table
    rows = bg.means(fit, data, target=target)
    draws = draws_of(rows)
    np.testing.assert_allclose(whole[["ci_lower", "ci_upper"]].iloc[0], np.quantile(draws.mean(axis=1), [0.025, 0.975]), rtol=1e-9)
    for value, line in average.groupby("x"):
        own = draws[:, (data["x"] == value).to_numpy()].mean(axis=1)
        np.testing.assert_allclose(line[["ci_lower", "ci_upper"]].iloc[0], np.quantile(own, [0.025, 0.975]), rtol=1e-9)
    averaged_ends = rows.table[["ci_lower", "ci_upper"]].mean()
    assert (whole["ci_upper"] - whole["ci_lower"]).item() < 0.9 * (averaged_ends["ci_upper"] - averaged_ends["ci_lower"])


@pytest.mark.parametrize("target", ["population", "observed_groups"])
def test_an_average_over_groups_is_not_the_mean_of_the_average_subject(target):
    """With a large variance the order matters: the mean of probabilities is nearer to one half than the probability of the mean."""
    fit = intercept_fit("zero_one", "bernoulli", "logit", (2.0, 0.0), 3.0, spread=0.0)
    averaged, subject = (bg.means(fit, {}, target=t).table["mean"].item() for t in (target, "average_subject"))
    assert abs(averaged - 0.5) < abs(subject - 0.5) - 0.05


def test_a_level_outside_the_factor_is_named_with_its_column():
    with pytest.raises(LevelError, match=r"column 'drug': 'z'; rows 1 .*known levels are: 'a', 'b', 'c'"):
        bg.means(crossed_fit(), pd.DataFrame({"x": [0.0, 1.0], "drug": ["a", "z"]}), target="population")


def test_an_unknown_target_lists_the_four():
    with pytest.raises(ArgumentError, match=r"target='marginal' is not known.*'average_subject', 'population', 'observed_groups', 'group'"):
        bg.means(crossed_fit(), target="marginal")


@pytest.mark.parametrize("bad", [np.nan, np.inf, None])
def test_rows_with_missing_covariates_are_named_with_their_column(bad):
    rows = pd.DataFrame({"x": [0.0, bad, 1.0], "drug": ["a", "b", "c"]})
    with pytest.raises(MissingValueError, match=r"x.*1"):
        bg.means(crossed_fit(), rows, target="population")
    with pytest.raises(MissingValueError, match="drug"):
        bg.means(crossed_fit(), pd.DataFrame({"x": [0.0, 1.0], "drug": ["a", None]}), target="population")


def test_text_in_place_of_a_number_is_refused():
    with pytest.raises(ColumnError, match="x"):
        bg.means(crossed_fit(), {"x": "high"}, target="population")


@pytest.mark.parametrize("basis", ["poly(x, 2)", "poly(x, 2, raw=True)", "ns(x, 3)", "bs(x, df=4)"])
def test_a_curve_that_is_extrapolated_warns(basis):
    fit = make_fit(f"y ~ {basis} + (1 | g)", table())
    with pytest.warns(DesignWarning, match=r"extrapolated beyond .* where the fit has data.*Where: \w+\(x, .*rows 1 \(1 in all"):
        bg.means(fit, {"x": [0.0, 99.0]}, target="population")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bg.means(fit, fit.frame, target="population")
