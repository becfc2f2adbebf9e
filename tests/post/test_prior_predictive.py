"""Prior predictive draws: laws that are known in closed form, the structure of the data, and every kind of input."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesglmm as bg
from bayesglmm.api import prior_predictive
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.families.registry import get_family
from bayesglmm.post.new_groups import level_generator
from bayesglmm.post.prior_predictive import STREAM
from bayesglmm.post.prior_sample import sample_priors
from tests.fits import make_fit
from tests.post.makers import draws_of, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

LEVEL = 0.001
"""Of a Kolmogorov test at a fixed seed: one false alarm in a thousand seeds."""


def predicted(formula, family="gaussian", data=None, *, seed=1, draws=2000, **options):
    fit = make_fit(formula, table() if data is None else data, family=family, n_draws=2, **options)
    return prior_predictive(fit, draws=draws, seed=seed)


def row(result, quantity):
    return result.table.set_index("quantity").loc[quantity]


def test_the_intercept_alone_is_the_mean_response():
    result = predicted("y ~ 1", priors={"intercept": bg.Normal(1, 2), "sigma": bg.Uniform(1, 3)})
    mu = draws_of(result)
    np.testing.assert_array_equal(mu, np.repeat(mu[:, :1], 120, axis=1))
    assert stats.kstest(mu[:, 0], stats.norm(1, 2).cdf).pvalue > LEVEL
    assert result.table["quantity"].tolist() == ["mean response", "new response", "sigma, in units of the response"]
    residual = draws_of(result, "response") - mu
    expected = 2.0**2 + 1.0 / 3.0  # E sigma^2 of a uniform on (1, 3)
    per_draw = np.square(residual).mean(axis=1)
    assert abs(per_draw.mean() - expected) < MCSE_MULTIPLE * per_draw.std() / np.sqrt(len(mu))


@pytest.mark.parametrize("center", [True, False])
def test_the_intercept_prior_refers_to_the_means_or_to_zero(center):
    """Far from zero the slope decides the mean response, unless the prior refers to the columns at their means."""
    frame = table().assign(x=lambda d: d["x"] + 30.0)
    result = predicted("y ~ x", data=frame, priors={"intercept": bg.Normal(0, 1), "b": bg.Normal(0, 1)}, center=center)
    average = draws_of(result).mean(axis=1)
    sd = 1.0 if center else np.hypot(1.0, frame["x"].mean())
    assert stats.kstest(average, stats.norm(0, sd).cdf).pvalue > LEVEL


def test_a_subject_adds_its_effects_to_the_average_one():
    priors = {"intercept": bg.Normal(0, 1), "sd": bg.Uniform(2.0, 2.000001), "sigma": bg.Exponential(1)}
    result = predicted("y ~ 1 + (1 | g)", priors=priors)
    mu = draws_of(result)
    levels = table()["g"].to_numpy()
    same = levels[:, None] == levels[None, :]
    np.testing.assert_array_equal(mu[:, 0], mu[:, 5])
    assert not same[0, 6]
    assert stats.kstest((mu[:, 0] - mu[:, 6]) / np.sqrt(8.0), stats.norm.cdf).pvalue > LEVEL
    assert stats.kstest(mu[:, 0], stats.norm(0, np.sqrt(5.0)).cdf).pvalue > LEVEL
    assert row(result, "mean response of a subject")["sd"] > row(result, "mean response of an average subject")["sd"]
    assert row(result, "SD between levels of g, in units of the response")["median"] == pytest.approx(2.0, rel=1e-6)


def test_correlated_effects_follow_their_matrix():
    """Effects in units of their SDs have the correlation of their draw: regressed on it, the mean product has slope one."""
    fit = make_fit("y ~ x + (x | g)", table(), priors={"cor": bg.LKJ(1)}, n_draws=2)
    sample = sample_priors(fit.design, fit.priors, fit.family, center=True, draws=3000, rng=np.random.default_rng(4))
    (group,) = sample.parameters.groups
    e = group.b / group.sd[:, None, :]
    products, rho = (e[:, :, 0] * e[:, :, 1]).mean(axis=1), group.corr[:, 1, 0]
    slope = np.sum(products * rho) / np.sum(rho**2)
    error = np.sqrt(np.sum(np.square((products - rho) * rho))) / np.sum(rho**2)
    assert abs(slope - 1.0) < MCSE_MULTIPLE * error
    assert error < 0.05
    assert stats.kstest((rho + 1) / 2, stats.beta(1, 1).cdf).pvalue > LEVEL


def test_the_table_summarises_rows_and_draws_together():
    priors = {"b": bg.Normal(0, 0.3), "intercept": bg.Normal(1, 0.5), "sd": bg.HalfNormal(0.5)}
    result = predicted("count ~ x + (1 | g)", "poisson", priors=priors)
    mu = draws_of(result)
    line = row(result, "mean response of a subject")
    np.testing.assert_allclose([line["mean"], line["median"]], [mu.mean(), np.median(mu)], rtol=ALGEBRAIC)
    np.testing.assert_allclose([line["ci_lower"], line["ci_upper"]], np.quantile(mu, [0.025, 0.975]), rtol=ALGEBRAIC)
    y = draws_of(result, "response")
    assert np.array_equal(y, np.round(y))
    assert row(result, "median ratio of means of two levels of g")["ci_lower"] >= 1.0


def test_ratios_are_the_median_odds_ratio_per_unit():
    result = predicted("zero_one ~ x + (x | g)", "bernoulli", priors={"sd": bg.Uniform(0.999999, 1.000001)})
    ratio = np.exp(np.sqrt(2.0) * stats.norm.ppf(0.75))
    for name in ("median odds ratio of two levels of g", "median odds ratio of two levels of g, per unit of x"):
        assert row(result, name)["median"] == pytest.approx(ratio, rel=1e-5)
    assert "on the probit scale" in predicted("zero_one ~ x + (1 | g)", "bernoulli", link="probit").table["quantity"].iloc[-1]


def test_binomial_responses_are_successes_in_the_trials_of_their_rows():
    result = predicted("k | trials(n) ~ x + (1 | g)", "binomial")
    y, mu = draws_of(result, "response"), draws_of(result)
    assert y.min() >= 0
    assert y.max() == 6
    assert 0.0 <= mu.min() <= mu.max() <= 1.0
    assert any("probability of one success" in note for note in result.notes)


def test_known_errors_take_the_place_of_sigma():
    frame = table()
    result = predicted("y | se(s) ~ 1", data=frame, priors={"intercept": bg.Normal(0, 1)})
    spread = (draws_of(result, "response") - draws_of(result)).std(axis=0)
    np.testing.assert_allclose(spread, frame["s"], rtol=MCSE_MULTIPLE / np.sqrt(2 * 2000))
    assert not any("sigma" in q for q in result.table["quantity"])


def test_large_tables_are_looked_at_in_two_hundred_rows():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": rng.normal(size=1000), "g": np.repeat(np.arange(100), 10), "x": rng.normal(size=1000)})
    result = predicted("y ~ x + (x | g)", data=frame, draws=50)
    assert dict(result.draws.sizes) == {"chain": 1, "draw": 50, "row": 200}
    np.testing.assert_array_equal(result.draws["row"], np.arange(0, 1000, 5))
    assert any("200 of the 1000 rows" in note for note in result.notes)
    assert np.all(np.isfinite(draws_of(result)))


def test_seeds_repeat_and_are_named():
    first, again, other = (draws_of(predicted("y ~ x + (1 | g)", seed=s, draws=20)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    assert any("seed 3." in note for note in predicted("y ~ x", seed=3, draws=20).notes)
    assert any("seed" in note for note in predicted("y ~ x", seed=None, draws=20).notes)


def test_priors_without_moments_say_so_and_break_nothing():
    result = predicted("count ~ x + (1 | g)", "poisson", priors={"intercept": bg.Cauchy(0, 100), "sd": bg.InverseGamma(0.001, 0.001)})
    assert np.isfinite(result.table.drop(columns="quantity").to_numpy(dtype=float)).all()
    assert any("mean and SD say nothing" in note for note in result.notes)
    assert str(result)
    assert result._repr_html_()


def test_formula_spec_and_fit_are_the_same_model():
    frame = table()
    fit = make_fit("zero_one ~ x + (1 | g)", frame, family="bernoulli")
    options = {"draws": 30, "seed": 5}
    from_fit, from_spec = prior_predictive(fit, **options), prior_predictive(fit.spec, frame, **options)
    from_text = prior_predictive("zero_one ~ x + (1 | g)", frame, family="bernoulli", **options)
    for other in (from_spec, from_text):
        pd.testing.assert_frame_equal(other.table, from_fit.table)
    assert "prior" in from_fit.target
    assert "logit" in from_fit.title
    assert from_fit.interval.text.startswith("95 % equal-tailed")
    assert prior_predictive(fit, ci_prob=0.5, ci_kind="hdi", **options).interval.text == "50 % highest-density interval"


@pytest.mark.parametrize("wrong", [{"draws": 0}, {"draws": 2.5}, {"draws": True}, {"seed": -1}, {"ci_prob": 95}, {"ci_kind": "sd"}])
def test_impossible_arguments_are_refused(wrong):
    with pytest.raises(ArgumentError):
        prior_predictive(make_fit("y ~ x", table()), **wrong)


def test_errors_of_the_model_come_through():
    with pytest.raises(ColumnError, match="zz"):
        prior_predictive("y ~ zz", table())


def test_the_response_is_not_looked_at():
    """Default priors come from the data; with the same priors, other responses change nothing."""
    fit = make_fit("y ~ x + (1 | g)", table())
    other = make_fit("y ~ x + (1 | g)", table().assign(y=lambda d: 100.0 - d["y"]))
    samples = [
        sample_priors(f.design, fit.priors, get_family("gaussian"), center=True, draws=10, rng=level_generator(1, STREAM))
        for f in (fit, other)
    ]
    np.testing.assert_array_equal(samples[0].subject_eta(), samples[1].subject_eta())


def test_means_that_a_few_draws_rule_are_named():
    """A half-t SD has no finite mean of its exponential; a half-normal one has."""
    heavy = predicted("count ~ 1 + (1 | g)", "poisson", priors={"sd": bg.HalfStudentT(3, 2.5), "intercept": bg.Normal(0, 1)})
    (note,) = [n for n in heavy.notes if "ruled by a few draws" in n]
    assert "median ratio of means of two levels of g" in note
    light = predicted("count ~ 1 + (1 | g)", "poisson", priors={"sd": bg.HalfNormal(0.3), "intercept": bg.Normal(0, 0.5)})
    assert not any("ruled" in n for n in light.notes)
