"""Prior quantiles against integrals of the densities, and what priors imply in words."""

import numpy as np
import pytest
from scipy import integrate, special

import bayesglmm as bg
from bayesglmm.errors import PriorError
from bayesglmm.post.prior_quantiles import correlation_quantile, prior_quantile
from bayesglmm.spec.priors import LKJ, PRIORS, prior_from_dict
from tests.fits import make_fit
from tests.post.makers import table
from tests.tolerances import MCSE_MULTIPLE, REFERENCE

DENSITIES = {
    "normal": ({"mu": 1, "sigma": 2}, lambda x: np.exp(-0.5 * ((x - 1) / 2) ** 2)),
    "student_t": ({"nu": 3, "mu": 1, "sigma": 2}, lambda x: (1 + ((x - 1) / 2) ** 2 / 3) ** -2),
    "cauchy": ({"mu": 1, "sigma": 2}, lambda x: 1 / (1 + ((x - 1) / 2) ** 2)),
    "laplace": ({"mu": 1, "b": 2}, lambda x: np.exp(-np.abs(x - 1) / 2)),
    "half_normal": ({"sigma": 2}, lambda x: np.exp(-0.5 * (x / 2) ** 2)),
    "half_student_t": ({"nu": 3, "sigma": 2}, lambda x: (1 + (x / 2) ** 2 / 3) ** -2),
    "half_cauchy": ({"sigma": 2}, lambda x: 1 / (1 + (x / 2) ** 2)),
    "exponential": ({"rate": 3}, lambda x: np.exp(-3 * x)),
    "gamma": ({"alpha": 3, "beta": 2}, lambda x: x**2 * np.exp(-2 * x)),
    "inverse_gamma": ({"alpha": 3, "beta": 2}, lambda x: x**-4.0 * np.exp(-2 / x)),
    "uniform": ({"lower": -1, "upper": 4}, lambda x: np.ones_like(x) * ((x > -1) & (x < 4))),
}
"""Numbers, and the density up to its constant, written from the definition."""

LOWER = {"real": -np.inf, "positive": 0.0, "interval": -1.0}


def share_below(name: str, quantile: float) -> float:
    density = DENSITIES[name][1]
    start, stop = LOWER[PRIORS[name].support], 4.0 if name == "uniform" else np.inf
    below = integrate.quad(density, start, quantile, limit=200)[0]
    return below / (below + integrate.quad(density, quantile, stop, limit=200)[0])


def test_every_prior_has_quantiles_or_is_a_matrix():
    assert set(DENSITIES) == {name for name, prior in PRIORS.items() if prior.support != "correlation"}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("prob", [0.025, 0.5, 0.975])
def test_quantiles_leave_their_share_below(name, prob):
    prior = prior_from_dict({"dist": name, **DENSITIES[name][0]})
    assert share_below(name, prior_quantile(prior, prob)) == pytest.approx(prob, rel=REFERENCE)


def test_a_matrix_prior_has_no_quantile_of_one_number():
    with pytest.raises(PriorError):
        prior_quantile(LKJ(2), 0.5)


def test_correlation_of_two_effects_has_the_density_of_its_determinant():
    def share(upper: float) -> float:
        return integrate.quad(lambda r: (1 - r * r) ** 1.5, -1, upper)[0] / integrate.quad(lambda r: (1 - r * r) ** 1.5, -1, 1)[0]

    assert share(correlation_quantile(LKJ(2.5), 2, 0.9)) == pytest.approx(0.9, rel=REFERENCE)


def test_correlations_of_three_effects_under_the_uniform_prior():
    """LKJ(1) is uniform: matrices drawn uniformly and kept when positive definite; tolerance from the count that is kept."""
    r = np.random.default_rng(4).uniform(-1, 1, (200_000, 3))
    determinant = 1 + 2 * r.prod(axis=1) - np.square(r).sum(axis=1)
    kept = r[determinant > 0, 0]
    share = np.mean(kept < correlation_quantile(LKJ(1), 3, 0.8))
    assert abs(share - 0.8) < MCSE_MULTIPLE * np.sqrt(0.8 * 0.2 / len(kept))


def priors_of(formula: str, family: str, link: str | None = None, **options: object):
    return bg.prior_summary(make_fit(formula, table(), family=family, link=link, **options)).table


def test_addresses_can_be_used_as_they_are_printed():
    frame = priors_of("y ~ x * drug + (x | g) + (1 | h)", "gaussian")
    fixed, groups = ["b[x]", "b[drug[b]]", "b[drug[c]]", "b[x:drug[b]]", "b[x:drug[c]]"], ["sd[g, 1]", "sd[g, x]", "cor[g]", "sd[h, 1]"]
    assert frame.index.tolist() == ["intercept", *fixed, *groups, "sigma"]
    again = {a: bg.LKJ(3) if a.startswith("cor") else bg.HalfNormal(1) if a[:2] in ("sd", "si") else bg.Normal(0, 1) for a in frame.index}
    changed = priors_of("y ~ x * drug + (x | g) + (1 | h)", "gaussian", priors=again)
    assert changed["prior"].tolist() == ["Normal(0, 1)"] * 6 + ["HalfNormal(1)"] * 2 + ["LKJ(3)", "HalfNormal(1)", "HalfNormal(1)"]


def test_logit_slopes_are_odds_ratios_and_intercepts_probabilities():
    priors = {"b": bg.Normal(0, 1), "intercept": bg.Normal(0, 2)}
    frame = priors_of("zero_one ~ x + (1 | g)", "bernoulli", priors=priors)
    low, high = np.exp([-1.959964, 1.959964])
    assert frame.loc["b[x]", "implies"] == f"odds ratio {low:.3g} to {high:.3g} per unit"
    ends = special.expit([-2 * 1.959964, 2 * 1.959964])
    assert frame.loc["intercept", "implies"] == f"probability {ends[0]:.3g} to {ends[1]:.3g} with every column at its mean"
    uncentered = priors_of("zero_one ~ x + (1 | g)", "bernoulli", priors=priors, center=False)
    assert uncentered.loc["intercept", "implies"].endswith("every column at zero")


def test_random_effect_sds_are_median_odds_ratios():
    frame = priors_of("zero_one ~ x + (x | g)", "bernoulli", priors={"sd": bg.Exponential(1)})
    median = np.log(2)
    ratio = np.exp(np.sqrt(2) * 0.6744898 * median)
    assert f"differ {ratio:.3g}-fold in odds (" in frame.loc["sd[g, 1]", "implies"]
    assert f"differ {ratio:.3g}-fold in odds per unit of x" in frame.loc["sd[g, x]", "implies"]


def test_other_links_say_their_scale():
    assert "ratio of means" in priors_of("count ~ x + (1 | g)", "poisson").loc["b[x]", "implies"]
    assert "in units of the response" in priors_of("y ~ x + (1 | g)", "gaussian").loc["b[x]", "implies"]
    assert "on the probit scale" in priors_of("zero_one ~ x + (1 | g)", "bernoulli", "probit").loc["sd[g, 1]", "implies"]
    assert "hazard ratio" in priors_of("zero_one ~ x + (1 | g)", "bernoulli", "cloglog").loc["b[x]", "implies"]


def test_huge_and_tiny_numbers_are_named_not_printed():
    frame = priors_of("zero_one ~ x + (1 | g)", "bernoulli", priors={"b": bg.Cauchy(0, 1000)})
    assert frame.loc["b[x]", "implies"] == "odds ratio less than 1e-6 to more than 1e6 per unit"


def test_models_without_intercept_or_groups():
    frame = priors_of("y ~ 0 + x", "gaussian")
    assert frame.index.tolist() == ["b[x]", "sigma"]
    assert priors_of("y ~ 1", "gaussian").loc["intercept", "implies"].count("column") == 0
