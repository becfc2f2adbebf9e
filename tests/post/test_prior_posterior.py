"""Prior beside posterior: overlap at its extremes, densities that stay within bounds, and the numbers that the table repeats."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import flatten
from bayesglmm.naming import CENTERED_INTERCEPT
from bayesglmm.numerics.covariance import correlation_from_cholesky
from bayesglmm.numerics.lkj import lkj_factors
from bayesglmm.post.prior_laws import sample_prior
from bayesglmm.post.prior_posterior import BARELY, POINTS, prior_posterior
from tests.fits import make_fit
from tests.post.makers import crossed_fit, parameters, table
from tests.tolerances import ALGEBRAIC

FORMULA = "y ~ x + (x | g)"
PRIORS = {
    "intercept": bg.Normal(0, 2),
    "b": bg.StudentT(3, 0, 1),
    "sd": bg.HalfStudentT(3, 1),
    "cor": bg.LKJ(2),
    "sigma": bg.Exponential(1),
}
CHAINS, DRAWS = 4, 1000


def with_draws(fit, **variables):
    """The same fit with other draws (S, ...) of some variables."""
    posterior, tree = fit.posterior, fit.idata.copy()
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    new = {name: (posterior[name].dims, np.asarray(v).reshape(*shape, *posterior[name].shape[2:])) for name, v in variables.items()}
    tree["posterior"] = posterior.assign(new)
    return replace(fit, idata=tree)


def prior_fit(**options):
    """A fit whose posterior is its prior: draws from every prior, so that the data said nothing."""
    fit = make_fit(FORMULA, table(), priors=PRIORS, n_chains=CHAINS, n_draws=DRAWS, **options)
    rng, size = np.random.default_rng(12), CHAINS * DRAWS
    slope = sample_prior(fit.priors.b[0], rng, size)
    shift = slope * table()["x"].mean() if fit.spec.center else 0.0
    return with_draws(
        fit,
        **{
            "Intercept": sample_prior(fit.priors.intercept, rng, size) - shift,
            "x": slope,
            "1|g_sigma": sample_prior(fit.priors.sd[0][0], rng, size),
            "x|g_sigma": sample_prior(fit.priors.sd[0][1], rng, size),
            "g_corr": correlation_from_cholesky(lkj_factors(rng, 2.0, 2, size)),
            "sigma": sample_prior(fit.priors.aux[0][1], rng, size),
        },
    )


def column(result, name):
    return result.table.set_index("parameter")[name]


@pytest.mark.parametrize("center", [True, False])
def test_where_the_data_said_nothing_prior_and_posterior_overlap(center):
    """The loss is the noise of the density estimate: about 0.4 sqrt(1 / (2 sqrt(pi) S w)) in units of the range, two percent here."""
    result = prior_posterior(prior_fit(center=center))
    assert result.table["parameter"].tolist() == [
        CENTERED_INTERCEPT if center else "Intercept", "x", "1|g_sigma", "x|g_sigma", "g_corr[1, x]", "sigma",
    ]  # fmt: skip
    assert (result.table["overlap"] > 0.95).all()
    assert (result.table["overlap"] <= 1.0).all()
    (note,) = [n for n in result.notes if "barely identify" in n]
    assert note.startswith("The data barely identify 1|g_sigma, x|g_sigma, g_corr[1, x]:")
    assert any("center=True" in n for n in result.notes) is center


def test_where_the_data_say_much_the_overlap_is_small_and_where_they_conflict_it_vanishes():
    fit = prior_fit()
    rng = np.random.default_rng(1)
    sure = {"1|g_sigma": rng.normal(3.0, 0.02, 4000), "x": rng.normal(80.0, 0.5, 4000)}
    overlap = column(prior_posterior(with_draws(fit, **sure)), "overlap")
    assert overlap["1|g_sigma"] < 0.05
    assert overlap["x"] < 0.001
    assert overlap["sigma"] > 0.95


def test_overlap_of_two_known_laws():
    """Prior N(0, 2), posterior N(1, 1): the crossing points from the quadratic; tolerance from the noise of 40,000 draws."""
    fit = make_fit("y ~ 1", table(), priors={"intercept": bg.Normal(0, 2)}, n_chains=4, n_draws=10_000)
    fit = with_draws(fit, Intercept=np.random.default_rng(2).normal(1.0, 1.0, 40_000))
    low, high = np.sort(np.roots([3.0, -8.0, 4.0 - 8.0 * np.log(2.0)]))
    expected = 1.0 - (stats.norm(1, 1).cdf(high) - stats.norm(1, 1).cdf(low)) + stats.norm(0, 2).cdf(high) - stats.norm(0, 2).cdf(low)
    assert column(prior_posterior(fit), "overlap")["Intercept"] == pytest.approx(expected, abs=0.01)


def test_the_table_repeats_the_draws_and_the_priors():
    fit = crossed_fit(n_draws=200)
    result, summary = prior_posterior(fit, ci_prob=0.8), bg.summary(fit, ci_prob=0.8).table
    for name in ("kind", "mean", "sd", "median", "ci_lower", "ci_upper"):
        assert result.table[name].tolist()[1:] == summary[name].tolist()[1:]
    X = fit.design.X
    at_means = parameters(fit).beta @ np.where(np.array(fit.design.labels) == "Intercept", 1.0, X.mean(axis=0))
    assert result.table["mean"][0] == pytest.approx(at_means.mean(), rel=ALGEBRAIC)
    assert result.table["prior"].tolist()[:2] == [fit.priors.intercept.text, fit.priors.b[0].text]
    assert column(result, "prior")["g_corr[1, x]"] == "LKJ(2)"
    assert column(result, "prior_median")["g_corr[1, x]"] == pytest.approx(0.0, abs=ALGEBRAIC)
    np.testing.assert_allclose(flatten(result.draws["posterior"].to_numpy())[:, 0], at_means, rtol=ALGEBRAIC)
    assert result.n_draws == 400


def test_densities_are_those_of_prior_and_posterior():
    result = prior_posterior(prior_fit())
    assert dict(result.draws.sizes) == {"parameter": 6, "point": POINTS, "chain": CHAINS, "draw": DRAWS}
    for name, law in (("sigma", stats.expon()), ("x", stats.t(3)), ("g_corr[1, x]", stats.beta(2, 2, -1, 2))):
        one = result.draws.sel(parameter=name)
        np.testing.assert_allclose(one["prior_density"], law.pdf(one["value"]), rtol=ALGEBRAIC)
        # the picture shows the posterior between its 0.5 % and 99.5 % quantiles and somewhat beyond
        assert 0.985 < np.trapezoid(one["posterior_density"], one["value"]) < 1.005


def test_nothing_leaks_over_a_bound_and_nothing_is_lost_there():
    fit = prior_fit()
    rng = np.random.default_rng(3)
    rho = np.where(rng.random(4000) < 0.5, 1.0, -1.0) * (1.0 - np.abs(rng.normal(0.0, 0.05, 4000)))
    corr = np.tile(np.eye(2), (4000, 1, 1))
    corr[:, 0, 1] = corr[:, 1, 0] = rho
    result = prior_posterior(with_draws(fit, **{"1|g_sigma": np.abs(rng.normal(0.0, 0.3, 4000)), "g_corr": corr}))
    for name, lower, upper in (("1|g_sigma", 0.0, np.inf), ("g_corr[1, x]", -1.0, 1.0)):
        one = result.draws.sel(parameter=name)
        x, density = one["value"].to_numpy(), one["posterior_density"].to_numpy()
        assert x[0] == lower
        assert x[-1] <= upper
        assert np.trapezoid(density, x) == pytest.approx(1.0, abs=0.01)
        assert density[0] > 0.75 * density.max()  # a kernel that leaks would have half of it
    assert result.draws.sel(parameter="g_corr[1, x]")["value"].to_numpy()[-1] == 1.0


def test_correlations_beyond_one_by_rounding_are_forgiven():
    fit = prior_fit()
    corr = fit.posterior["g_corr"].to_numpy().reshape(-1, 2, 2).copy()
    corr[0, 0, 1] = corr[0, 1, 0] = np.nextafter(1.0, 2.0)
    assert column(prior_posterior(with_draws(fit, g_corr=corr)), "overlap")["g_corr[1, x]"] > 0.9


def test_the_mode_at_zero_is_told_for_sds_only():
    fit = prior_fit()
    rng = np.random.default_rng(6)
    sds = {"1|g_sigma": np.abs(rng.normal(0.0, 0.2, 4000)), "x|g_sigma": rng.gamma(9.0, 0.1, 4000)}
    mode = column(prior_posterior(with_draws(fit, **sds)), "mode_at_zero")
    assert mode["1|g_sigma"] is True
    assert mode["x|g_sigma"] is False
    assert mode.drop(["1|g_sigma", "x|g_sigma"]).isna().all()


def test_one_sure_sd_is_not_called_unsure():
    rng = np.random.default_rng(6)
    fit = with_draws(prior_fit(), **{"1|g_sigma": rng.normal(2.0, 0.1, 4000)})
    assert column(prior_posterior(fit), "overlap")["1|g_sigma"] < BARELY
    (note,) = [n for n in prior_posterior(fit).notes if "barely identify" in n]
    assert "1|g_sigma" not in note


def test_the_picture_reaches_towards_a_prior_elsewhere():
    """Posterior far above the prior: points go on towards the prior by the posterior's own breadth, and not beyond."""
    fit = with_draws(prior_fit(), x=np.random.default_rng(1).normal(80.0, 1.0, 4000))
    x = prior_posterior(fit).draws.sel(parameter="x")["value"].to_numpy()
    breadth = 1.5 * 2 * stats.norm.ppf(0.995)
    assert x[0] == pytest.approx(80.0 - 1.5 * breadth, abs=1.0)
    assert x[-1] == pytest.approx(80.0 + 0.5 * breadth, abs=1.0)


def test_draws_that_do_not_vary_have_no_density_and_are_named():
    fit = make_fit(FORMULA, table(), corr=np.eye(2))
    result = prior_posterior(fit)
    assert np.isnan(column(result, "overlap")["g_corr[1, x]"])
    assert result.table["overlap"].notna().sum() == 5
    assert any("g_corr[1, x] do not vary" in n for n in result.notes)
    assert np.isnan(result.draws.sel(parameter="g_corr[1, x]")["posterior_density"]).all()


def test_draws_outside_a_prior_are_refused():
    fit = make_fit("y ~ x", table(), beta=[0.0, 3.0], priors={"b": bg.Uniform(-1, 1)})
    with pytest.raises(ArgumentError, match=r"beyond the bounds.*x, prior Uniform"):
        prior_posterior(fit)
    with pytest.raises(ArgumentError, match="ci_prob"):
        prior_posterior(fit, ci_prob=95)


@pytest.mark.parametrize("family", ["bernoulli", "poisson"])
def test_other_families_and_texts(family):
    result = prior_posterior(make_fit("zero_one ~ x + drug + (1 | g)", table(), family=family))
    assert len(result.table) == 5
    assert "overlap" in str(result)
    assert "overlap" in result._repr_html_()
    assert all(row["overlap"] is not None for row in result.to_dict()["table"])
