"""Every registered family under each of its links: density, moments, draws, extremes, and PyMC's density."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from scipy import integrate, stats

from bayesglmm.errors import ArgumentError, FamilyError, ResponseError
from bayesglmm.families.base import Family, check_pair
from bayesglmm.families.registry import FAMILIES
from bayesglmm.numerics.links import LINKS, Link
from bayesglmm.numerics.marginal import population_mean
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE, TWO_FORMS

TRIALS, AUXILIARY = 7.0, 0.8
ETA = np.linspace(-2.0, 2.0, 9)
COUNTS = np.arange(0.0, 200.0)  # a Poisson count with mean e^2 is larger with probability below 1e-200

SCIPY = {
    "bernoulli": lambda mu: stats.bernoulli(mu).logpmf,
    "binomial": lambda mu, n: stats.binom(n, mu).logpmf,
    "poisson": lambda mu: stats.poisson(mu).logpmf,
    "gaussian": lambda mu, sigma: stats.norm(mu, sigma).logpdf,
}
PYMC = {
    "bernoulli": lambda mu: {"p": mu},
    "binomial": lambda mu, n: {"p": mu, "n": n},
    "poisson": lambda mu: {"mu": mu},
    "gaussian": lambda mu, sigma: {"mu": mu, "sigma": sigma},
}

DISCRETE = [name for name, family in FAMILIES.items() if family.discrete]
PAIRS = [pytest.param(family, LINKS[link], id=f"{family.name}-{link}") for family in FAMILIES.values() for link in family.links]
every_pair = pytest.mark.parametrize(("family", "link"), PAIRS)
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def extras(family: Family) -> dict[str, np.ndarray]:
    """Trials and auxiliary parameters for a family."""
    trials = {"trials": np.asarray(TRIALS)} if family.needs_trials else {}
    return trials | {name: np.asarray(AUXILIARY) for name in family.auxiliary}


def response_mean(family: Family, link: Link, eta: np.ndarray) -> np.ndarray:
    return family.mean(eta, link) * (TRIALS if family.needs_trials else 1.0)


def values(family: Family) -> np.ndarray:
    """Responses on a grid, all possible."""
    if not family.discrete:
        return np.linspace(-3.0, 6.0, 19)
    grid = COUNTS[:12]
    return grid[np.isfinite(family.log_prob(grid, np.zeros(12), LINKS[family.links[0]], **extras(family)))]


@every_family
def test_the_registry_holds_it_by_its_name_and_its_links_exist(family):
    assert FAMILIES[family.name] is family
    assert family.links
    for link in family.links:
        assert check_pair(family, link) is LINKS[link]


@every_family
def test_other_links_are_refused_with_the_list(family):
    for link in set(LINKS) - set(family.links):
        with pytest.raises(FamilyError, match=family.links[0]):
            check_pair(family, link)
    with pytest.raises(FamilyError, match="not known"):
        check_pair(family, "no such link")


@every_family
def test_it_is_frozen(family):
    with pytest.raises(dataclasses.FrozenInstanceError):
        family.name = "other"


@every_family
def test_missing_and_unknown_parameters_are_refused(family):
    link = LINKS[family.links[0]]
    for wrong in ({**extras(family), "nu": np.asarray(1.0)}, {} if extras(family) else {"trials": np.asarray(3.0)}):
        with pytest.raises(ArgumentError, match=family.name):
            family.log_prob(np.ones(2), np.zeros(2), link, **wrong)
        with pytest.raises(ArgumentError, match=family.name):
            family.sample(np.random.default_rng(1), np.zeros(2), link, **wrong)
        with pytest.raises(ArgumentError, match=family.name):
            family.variance(np.full(2, 0.5), **wrong)


@every_pair
def test_the_density_is_one_in_all(family, link):
    """Counts are summed; densities integrated adaptively over 40 standard deviations on each side."""
    for eta in ETA:
        if family.discrete:
            total = np.exp(family.log_prob(COUNTS, np.full(COUNTS.shape, eta), link, **extras(family))).sum()
            np.testing.assert_allclose(total, 1.0, rtol=ALGEBRAIC)
        else:
            mean = float(family.mean(np.asarray(eta), link))
            density = lambda y, eta=eta: float(np.exp(family.log_prob(np.asarray(y), np.asarray(eta), link, **extras(family))))  # noqa: E731
            total = integrate.quad(density, mean - 40 * AUXILIARY, mean + 40 * AUXILIARY, points=[mean], epsabs=ALGEBRAIC)[0]
            np.testing.assert_allclose(total, 1.0, rtol=TWO_FORMS)


@every_pair
def test_mean_and_variance_are_those_of_the_density(family, link):
    for eta in ETA:
        centre, spread = float(response_mean(family, link, np.asarray(eta))), 40 * AUXILIARY
        y = COUNTS if family.discrete else np.linspace(centre - spread, centre + spread, 4001)
        step = 1.0 if family.discrete else y[1] - y[0]
        mass = step * np.exp(family.log_prob(y, np.full(y.shape, eta), link, **extras(family)))
        variance = family.variance(family.mean(np.asarray(eta), link), **extras(family))
        np.testing.assert_allclose(mass @ y, centre, rtol=ALGEBRAIC, atol=ALGEBRAIC)
        np.testing.assert_allclose(mass @ (y - centre) ** 2, variance, rtol=TWO_FORMS)


@every_pair
def test_draws_have_that_mean_and_variance(family, link):
    """Within MCSE_MULTIPLE Monte Carlo standard errors; that of the variance from the fourth moment of the draws."""
    draws = family.sample(np.random.default_rng(11), np.tile(ETA, (40_000, 1)), link, **extras(family))
    assert draws.shape == (40_000, ETA.size)
    mean, variance = response_mean(family, link, ETA), family.variance(family.mean(ETA, link), **extras(family))
    squares = (draws - mean) ** 2
    assert (np.abs(draws.mean(axis=0) - mean) < MCSE_MULTIPLE * np.sqrt(variance / len(draws))).all()
    error = squares.std(axis=0) / np.sqrt(len(draws))  # zero for a fair coin, whose squares are all 1/4
    assert (np.abs(squares.mean(axis=0) - variance) < MCSE_MULTIPLE * error + ALGEBRAIC).all()


@every_pair
def test_draws_are_possible_and_repeatable(family, link):
    first, again = (family.sample(np.random.default_rng(5), np.tile(ETA, (50, 1)), link, **extras(family)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float64
    assert np.isfinite(family.log_prob(first, ETA, link, **extras(family))).all()
    trials = np.full(first.size, TRIALS) if family.needs_trials else None
    family.check_response(first.ravel(), trials)


@every_pair
def test_averaged_draws_have_the_population_mean(family, link):
    """Predictors N(m, v), then responses: the plain simulation of what quadrature computes."""
    rng, m, v = np.random.default_rng(12), 0.4, 1.2
    draws = family.sample(rng, rng.normal(m, np.sqrt(v), 100_000), link, **extras(family))
    expected = population_mean(link.name, m, v).value * (TRIALS if family.needs_trials else 1.0)
    assert abs(draws.mean() - expected) < MCSE_MULTIPLE * draws.std() / np.sqrt(draws.size)


@every_pair
def test_the_log_density_is_scipys(family, link):
    y, eta = values(family)[:, None], ETA[None, :]
    mu = family.mean(eta, link)
    expected = SCIPY[family.name](mu, *extras(family).values())(y)
    np.testing.assert_allclose(family.log_prob(y, eta, link, **extras(family)), expected, rtol=TWO_FORMS, atol=ALGEBRAIC)


@cache
def pymc_log_density(name: str) -> tuple[np.ndarray, ...]:
    """PyMC's log density on values x predictors, for all links of a family in one compiled function."""
    import pymc as pm

    family = FAMILIES[name]
    y, eta = values(family)[:, None], np.linspace(-1.5, 1.5, 7)
    mu = np.concatenate([family.mean(eta, LINKS[link]) for link in family.links])
    grid = [np.broadcast_to(a, (y.size, mu.size)).astype(np.float64) for a in (mu, *extras(family).values())]
    whole = np.broadcast_to(y, (y.size, mu.size))
    dist = getattr(pm, family.pymc_name).dist(**PYMC[name](*grid))
    found = pm.logp(dist, whole.astype(np.int64) if family.discrete else whole).eval(mode="FAST_COMPILE")
    return tuple(np.split(found, len(family.links), axis=1))


@every_pair
def test_the_log_density_is_pymcs(family, link):
    found = family.log_prob(values(family)[:, None], np.linspace(-1.5, 1.5, 7), link, **extras(family))
    expected = pymc_log_density(family.name)[family.links.index(link.name)]
    np.testing.assert_allclose(found, expected, rtol=TWO_FORMS, atol=ALGEBRAIC)


@every_pair
@pytest.mark.parametrize("size", [40.0, 700.0])
def test_far_predictors_do_not_break_the_density(family, link, size):
    """A mean that is a probability keeps every possible outcome possible; an unbounded one may underflow, never to NaN."""
    found = family.log_prob(values(family)[:, None], np.array([-size, size]), link, **extras(family))
    assert not np.isnan(found).any()
    if link.onto_unit_interval:
        assert np.isfinite(found).all()


@every_pair
def test_far_predictors_can_be_drawn_from(family, link):
    draws = family.sample(np.random.default_rng(2), np.array([-700.0, -40.0, 40.0, 700.0]), link, **extras(family))
    assert not np.isnan(draws).any()


@pytest.mark.parametrize("name", DISCRETE)
def test_impossible_counts_have_no_probability(name):
    family = FAMILIES[name]
    link = LINKS[family.links[0]]
    for impossible in (-1.0, 0.5, np.nan):
        assert family.log_prob(np.asarray(impossible), np.asarray(0.0), link, **extras(family)) == -np.inf
        trials = np.array([TRIALS]) if family.needs_trials else None
        with pytest.raises(ResponseError):
            family.check_response(np.array([impossible]), trials)


@every_family
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_and_infinite_responses_are_refused_by_row(family, bad):
    y = np.array([0.0, 1.0, bad, 1.0, bad])
    with pytest.raises(ResponseError, match=r"2 of 5 rows.*rows 2, 4 "):
        family.check_response(y, np.full(5, TRIALS) if family.needs_trials else None)


@every_pair
def test_the_center_of_the_response_is_the_link_of_its_mean(family, link):
    y = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
    trials = np.full(5, TRIALS) if family.needs_trials else None
    share = 3.0 / (5.0 * (TRIALS if family.needs_trials else 1.0))
    np.testing.assert_allclose(family.response_center(y, link, trials=trials), link.link(np.asarray(share)), rtol=ALGEBRAIC)
    weighted = family.response_center(y, link, trials=trials, weights=np.array([1.0, 2.0, 1.0, 1.0, 3.0]))
    repeated = np.repeat(y, [1, 2, 1, 1, 3])
    again = family.response_center(repeated, link, trials=None if trials is None else np.full(8, TRIALS))
    np.testing.assert_allclose(weighted, again, rtol=ALGEBRAIC)


@pytest.mark.parametrize("name", DISCRETE)
def test_the_center_is_finite_on_the_boundary(name):
    family = FAMILIES[name]
    trials = np.full(4, 1.0) if family.needs_trials else None
    for link in family.links:
        for y in (np.zeros(4), np.ones(4)):
            assert np.isfinite(family.response_center(y, LINKS[link], trials=trials))


@every_pair
def test_the_scale_is_positive(family, link):
    assert family.response_scale(np.array([0.0, 1.0, 1.0]), link.name) > 0.0
    assert family.response_scale(np.array([1.0]), link.name) == 1.0


@every_pair
def test_the_distribution_function_adds_up_the_density(family, link):
    """Counts are summed; densities integrated adaptively from 40 standard deviations below the mean."""
    for eta in ETA:
        if family.discrete:
            mass = np.exp(family.log_prob(COUNTS, np.full(COUNTS.shape, eta), link, **extras(family)))
            found = family.cdf(COUNTS, np.full(COUNTS.shape, eta), link, **extras(family))
            np.testing.assert_allclose(found, np.cumsum(mass), rtol=TWO_FORMS)
        else:
            mean = float(family.mean(np.asarray(eta), link))
            density = lambda y, eta=eta: float(np.exp(family.log_prob(np.asarray(y), np.asarray(eta), link, **extras(family))))  # noqa: E731
            for y in mean + AUXILIARY * np.array([-2.0, 0.0, 1.5]):
                area = integrate.quad(density, mean - 40 * AUXILIARY, y, points=[mean - 3 * AUXILIARY], epsabs=ALGEBRAIC)[0]
                found = family.cdf(np.asarray(y), np.asarray(eta), link, **extras(family))
                np.testing.assert_allclose(found, area, rtol=TWO_FORMS)


@every_pair
def test_the_distribution_function_rises_from_zero_to_one(family, link):
    grid = np.concatenate([[-np.inf, -1e6], np.linspace(-3.0, 30.0, 331), [1e6, np.inf]])[:, None]
    found = family.cdf(grid, ETA[None], link, **extras(family))
    assert found.shape == (335, ETA.size)
    assert np.all(np.diff(found, axis=0) >= 0.0)
    np.testing.assert_array_equal(found[[0, -1]], [[0.0] * ETA.size, [1.0] * ETA.size])
    assert np.isnan(family.cdf(np.asarray(np.nan), np.asarray(0.0), link, **extras(family)))


@pytest.mark.parametrize("name", DISCRETE)
def test_the_distribution_function_of_a_count_jumps_at_whole_numbers_only(name):
    family = FAMILIES[name]
    link, y = LINKS[family.links[0]], np.array([-0.1, 0.0, 0.9, 1.0, 1.99])
    found = family.cdf(y, np.zeros(5), link, **extras(family))
    assert found[0] == 0.0
    np.testing.assert_array_equal(found[[1, 3]], found[[2, 4]])
    assert found[1] < found[3]


@every_pair
@pytest.mark.parametrize("size", [40.0, 700.0])
def test_far_predictors_do_not_break_the_distribution_function(family, link, size):
    found = family.cdf(values(family)[:, None], np.array([-size, size]), link, **extras(family))
    assert np.all((found >= 0.0) & (found <= 1.0))


@every_family
def test_the_distribution_function_refuses_missing_and_unknown_parameters(family):
    link = LINKS[family.links[0]]
    for wrong in ({**extras(family), "nu": np.asarray(1.0)}, {} if extras(family) else {"trials": np.asarray(3.0)}):
        with pytest.raises(ArgumentError, match=family.name):
            family.cdf(np.ones(2), np.zeros(2), link, **wrong)
