"""What pictures take when nobody says: the covariate, the grid, the targets, the times."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import bayesglmm as bg
from bayesglmm import naming
from bayesglmm.errors import ArgumentError
from bayesglmm.post import curves
from bayesglmm.post.axis import axis_rows, default_covariate, default_grid, effect_cells, spaced_times, targets_of
from bayesglmm.post.effect_covariance import effect_covariance
from bayesglmm.post.words import link_words, mean_words
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC


@pytest.mark.parametrize(
    ("formula", "covariate"),
    [
        ("y ~ age + x + drug + (x | g)", "x"),
        ("y ~ drug + age + x + (1 | g)", "age"),
        ("y ~ drug + (1 | g)", "drug"),
        ("y ~ C(n6) + (1 | g)", "n6"),
        ("y ~ 1 + (0 + x | g)", "x"),
        ("y ~ log(level) + drug + (drug | g)", "level"),
    ],
)
def test_a_number_with_a_random_slope_goes_before_other_numbers_and_factors(formula, covariate):
    fit = make_fit(formula, table().assign(n6=np.resize([1, 2, 5], 120)))
    assert default_covariate(fit) == covariate
    assert list(default_grid(fit)) == [covariate]


def test_a_model_without_covariates_has_no_axis_and_one_row():
    fit = make_fit("y ~ 1 + (1 | g)", table())
    with pytest.raises(ArgumentError, match="no covariate"):
        default_covariate(fit)
    assert default_grid(fit) == {}
    assert effect_cells(fit) == [{}]


def test_rows_of_an_axis_are_those_of_curves():
    fit = crossed_fit()
    rows = axis_rows(fit, "x", {"drug": "c"}, None)
    shown = curves.curves(fit, "x", {"drug": "c"}, groups=0).table.query("target == 'population'")
    np.testing.assert_allclose(rows.frame["x"], shown["x"], rtol=ALGEBRAIC)


def test_effects_are_shown_at_levels_or_at_quartiles():
    assert effect_cells(crossed_fit()) == [{"drug": ["a", "b", "c"]}]
    assert effect_cells(make_fit("y ~ x + drug * h + (1 | g)", table())) == [{"drug": ["a", "b", "c"]}, {"h": ["p", "q", "r", "s"]}]
    (cells,) = effect_cells(make_fit("y ~ x + age + (1 | g)", table()))
    assert cells == {"x": np.quantile(table()["x"], [0.25, 0.5, 0.75]).tolist()}


def test_targets_are_those_that_the_fit_has():
    fit = crossed_fit()
    assert targets_of(fit) == ("average_subject", "population", "observed_groups")
    assert targets_of(replace(fit, spec=replace(fit.spec, link="sqrt"))) == ("average_subject", "observed_groups")
    assert targets_of(make_fit("y ~ x", table())) == ("average_subject",)
    kept = {name: node.to_dataset() for name, node in fit.idata.children.items()}
    tree = xr.DataTree.from_dict({**kept, "posterior": kept["posterior"].drop_vars(naming.effect("x", "g"))})
    assert targets_of(replace(fit, idata=tree)) == ("average_subject", "population")


def test_times_are_spaced_among_those_that_occur():
    frame = table().assign(visit=np.resize([0, 1, 2, 3, 5, 8, 13, 21, 34], 120))
    times, factor = spaced_times(make_fit("y ~ visit + (visit | h) + (1 | g)", frame, sd={"h": [1.0, 0.1], "g": [1.0]}))
    assert (times, factor) == ([0, 2, 3, 8, 13, 34], "h")
    few, _ = spaced_times(make_fit("y ~ visit + (visit | g)", frame.assign(visit=np.resize([4, 2], 120))))
    assert few == [2, 4]
    for formula in ("y ~ x + (1 | g)", "y ~ x + (x + age | g)"):
        assert spaced_times(make_fit(formula, frame)) == ("all", None)


def test_the_mean_has_a_name():
    assert mean_words(crossed_fit()) == "probability of zero_one"
    assert mean_words(make_fit("log(level) ~ 1", table())) == "mean of log(level)"


def test_the_covariance_of_two_effects_is_that_of_their_posterior_means():
    fit = crossed_fit(spread=0.3)
    sd = [fit.posterior[naming.effect_sd(name, "g")].to_numpy().mean() for name in ("1", "x")]
    rho = fit.posterior[naming.correlation("g")].to_numpy()[..., 0, 1].mean()
    wanted = [[sd[0] ** 2, rho * sd[0] * sd[1]], [rho * sd[0] * sd[1], sd[1] ** 2]]
    np.testing.assert_allclose(effect_covariance(fit, "g", ("1", "x")), wanted, rtol=ALGEBRAIC)
    np.testing.assert_allclose(effect_covariance(fit, "g", ("x", "1")), np.array(wanted)[::-1, ::-1], rtol=ALGEBRAIC)


def test_effects_of_different_terms_are_uncorrelated():
    fit = make_fit("y ~ x + (x || g)", table(), sd={"g": [2.0, 3.0]}, spread=0.0)
    np.testing.assert_allclose(effect_covariance(fit, "g", ("1", "x")), [[4.0, 0.0], [0.0, 9.0]], rtol=ALGEBRAIC)


@pytest.mark.parametrize(("factor", "effect"), [("g", "age"), ("k", "1")])
def test_an_effect_that_is_not_there_is_refused(factor, effect):
    with pytest.raises(ArgumentError, match="has no random effect"):
        effect_covariance(crossed_fit(), factor, ("1", effect))


@pytest.mark.parametrize("draw", [bg.curves, bg.lattice])
def test_a_model_without_a_covariate_says_so(draw):
    with pytest.raises(ArgumentError, match=r"no covariate to draw along.*y ~ 1 \+ \(1 \| g\).*add a covariate"):
        draw(make_fit("y ~ 1 + (1 | g)", table(), n_draws=5), "g")


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("zero_one ~ x + (1 | g)", {"family": "bernoulli"}, "log odds"),
        ("zero_one ~ x + (1 | g)", {"family": "bernoulli", "link": "probit"}, "probit scale"),
        ("count ~ x + (1 | g)", {"family": "poisson"}, "log of the mean"),
        ("y ~ x + (1 | g)", {}, "units of y"),
    ],
)
def test_the_scale_of_the_predictor_has_a_name(formula, options, words):
    assert link_words(make_fit(formula, table(), n_draws=2, **options)) == words
