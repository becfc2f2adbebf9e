"""The population target: closed form = rule = simulation, for every family and link that has one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import bayesglmm as bg
from bayesglmm.families.registry import FAMILIES
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.numerics.quadrature import normal_average, normal_rule
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

RESPONSES = {"gaussian": "level", "bernoulli": "zero_one", "binomial": "k | trials(n)", "poisson": "count"}
PAIRS = [(family.name, link) for family in FAMILIES.values() for link in family.links]
NEW_GROUPS = 200_000


def fit_of(family: str, link: str, **options: object):
    given = {"beta": {"Intercept": 0.3, "x": 0.5}, "sd": {"g": [0.8, 0.5], "h": [0.6]}, "corr": {"g": [[1.0, -0.5], [-0.5, 1.0]]}}
    return make_fit(f"{RESPONSES[family]} ~ x + (x | g) + (1 | h)", table(), family=family, link=link, **{**given, **options})


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_equals_the_mean_over_simulated_new_groups(family, link):
    """New levels of both factors are drawn from N(0, D), independently; the tolerance is five standard errors of that simulation."""
    fit = fit_of(family, link, spread=0.0, n_chains=1, n_draws=1)
    result = bg.means(fit, {"x": [-1.5, 0.0, 2.0]}, target="population")
    rng, draws = np.random.default_rng(5), parameters(fit)
    for x, found in zip(result.table["x"], result.table["mean"], strict=True):
        eta = np.full(NEW_GROUPS, 0.3 + 0.5 * x)
        for group, z in zip(draws.groups, ([1.0, x], [1.0]), strict=True):
            D = covariance_matrix(group.sd[0], None if group.corr is None else group.corr[0])
            eta += rng.multivariate_normal(np.zeros(len(D)), D, NEW_GROUPS) @ z
        simulated = fit.family.mean(eta, fit.link)
        assert abs(simulated.mean() - found) < MCSE_MULTIPLE * simulated.std() / np.sqrt(NEW_GROUPS)


def test_identity_is_the_average_subject():
    fit = fit_of("gaussian", "identity")
    at = {"x": [-1.0, 2.0]}
    np.testing.assert_allclose(
        draws_of(bg.means(fit, at, target="population")), draws_of(bg.means(fit, at, target="average_subject")), rtol=ALGEBRAIC
    )


@pytest.mark.parametrize("family", ["poisson", "gaussian"])
def test_log_is_exp_of_half_the_variance_more(family):
    fit = make_fit(f"{RESPONSES[family]} ~ x + (1 | g)", table(), family=family, link="log", beta=[0.2, 0.4], sd=0.7)
    sd = parameters(fit).groups[0].sd
    subject = draws_of(bg.means(fit, {"x": [-1.0, 2.0]}, target="average_subject"))
    np.testing.assert_allclose(
        draws_of(bg.means(fit, {"x": [-1.0, 2.0]}, target="population")), subject * np.exp(sd**2 / 2), rtol=ALGEBRAIC
    )


@settings(max_examples=20)
@given(intercept=st.floats(-4, 4), sd=st.floats(0.01, 6), other=st.floats(0.0, 3))
def test_probit_closed_form_is_the_rule(intercept, sd, other):
    """The closed form that the package uses, and the trapezoid rule for the same mean, within the rule's own bound."""
    fit = make_fit(
        "zero_one ~ 1 + (1 | g) + (1 | h)",
        table(),
        family="bernoulli",
        link="probit",
        beta=[intercept],
        sd={"g": sd, "h": other},
        spread=0.0,
        n_chains=1,
        n_draws=1,
    )
    found = bg.means(fit, {}, target="population").table["mean"].item()
    total = np.sqrt(sd**2 + other**2)
    np.testing.assert_allclose(found, special.ndtr(intercept / np.sqrt(1 + total**2)), rtol=ALGEBRAIC)
    rule = normal_rule("probit", total)
    by_rule = normal_average(fit.link.inverse, np.array([intercept]), np.array([total]), rule)
    assert abs(found - by_rule.item()) <= rule.bound


def test_factors_add_their_variances():
    """Two intercepts of crossed factors are, for the population, one of the combined variance."""
    two = make_fit("zero_one ~ x + (1 | g) + (1 | h)", table(), family="bernoulli", beta=[1.0, 0.5], sd={"g": 1.2, "h": 0.9}, spread=0.0)
    one = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[1.0, 0.5], sd=np.hypot(1.2, 0.9), spread=0.0)
    at = {"x": [-2.0, 0.0, 3.0]}
    np.testing.assert_allclose(
        bg.means(two, at, target="population").table["mean"], bg.means(one, at, target="population").table["mean"], rtol=ALGEBRAIC
    )


def test_the_error_bound_is_in_the_notes():
    notes = bg.means(crossed_fit(), {"x": 0}, target="population").notes
    bound = next(float(n.split("<= ")[1].split(";")[0]) for n in notes if "integration error" in n)
    assert 0.0 < bound <= 1e-10
    closed = bg.means(fit_of("poisson", "log"), {"x": 0}, target="population").notes
    assert any("closed form" in n for n in closed)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6))
def test_order_and_repetition_of_rows_do_not_matter(seed):
    fit, rng = crossed_fit(n_draws=4), np.random.default_rng(seed)
    order = rng.integers(0, 120, 60)
    base = draws_of(bg.means(fit, fit.frame, target="population"))
    np.testing.assert_allclose(draws_of(bg.means(fit, fit.frame.iloc[order], target="population")), base[:, order], rtol=1e-9)


@settings(max_examples=10)
@given(names=st.permutations(["p", "q", "r", "s"]))
def test_names_of_levels_do_not_matter(names):
    renamed = dict(zip("pqrs", names, strict=True))
    effects = {"p": -1.0, "q": 0.5, "r": 2.0, "s": 0.1}
    fits = []
    for mapping in ({n: n for n in "pqrs"}, renamed):
        back = {new: old for old, new in mapping.items()}
        b = np.array([[effects[back[level]]] for level in "pqrs"])
        data = table().assign(h=table()["h"].map(mapping))
        fits.append(make_fit("zero_one ~ x + (1 | h)", data, family="bernoulli", beta=[0.3, 1.0], b=b, spread=0.0))
    for target in ("population", "observed_groups"):
        first, second = (draws_of(bg.means(f, target=target)) for f in fits)
        np.testing.assert_allclose(first, second, rtol=ALGEBRAIC)
