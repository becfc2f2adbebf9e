"""The lattice: lines of single levels at their own covariates, beside the means that they are, and the data as they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, BayesglmmError, LevelError
from bayesglmm.post import linear_predictor
from bayesglmm.post.lattice import lattice
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.tolerances import ALGEBRAIC

SUMMARIES = ["mean", "sd", "median", "ci_lower", "ci_upper"]


def poisson_fit(**options):
    return make_fit("count ~ x + drug + (x | g)", table(), family="poisson", beta=[0.8, 0.2, -0.4, 0.3], sd=[0.5, 0.3], **options)


def rows(result, kind, level):
    return result.table[(result.table["kind"] == kind) & (result.table["level"] == level)]


def own_drug(level):
    frame = table()
    return frame.loc[frame["g"] == level, "drug"].mode().iloc[0]


@pytest.mark.parametrize("level", ["g03", "g07"])
def test_lines_are_the_means_at_the_covariates_of_the_level(level):
    fit = poisson_fit()
    result = lattice(fit, "x", groups=["g07", "g03"])
    at = {"x": rows(result, "group", level)["x"].tolist(), "drug": own_drug(level)}
    for kind, where in (("group", {**at, "g": level}), ("average_subject", at), ("population", at)):
        means = bg.means(fit, where, target=kind).table
        for column in SUMMARIES:
            np.testing.assert_allclose(rows(result, kind, level)[column], means[column], rtol=ALGEBRAIC)


def test_numbers_are_held_at_their_mean_within_the_level():
    fit = make_fit("y ~ x + age + (1 | g)", table(), beta=[0.0, 1.0, 0.5], spread=0.0, n_chains=1, n_draws=1)
    result = lattice(fit, "x", groups=["g02"])
    age = table().query("g == 'g02'")["age"].mean()
    line = rows(result, "average_subject", "g02")
    np.testing.assert_allclose(line["mean"], line["x"] + 0.5 * age, rtol=ALGEBRAIC)


def test_data_are_the_rows_of_the_levels():
    result, frame = lattice(poisson_fit(), "x"), table()
    for level in result.table["level"].unique():
        ours, own = rows(result, "data", level), frame[frame["g"] == level]
        np.testing.assert_array_equal(ours["observed"], own["count"])
        np.testing.assert_array_equal(ours["x"], own["x"])
        assert ours[SUMMARIES].isna().all(axis=None)
    assert result.table.loc[result.table["kind"] != "data", "observed"].isna().all()


def test_trials_make_shares():
    fit = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial")
    ours = rows(lattice(fit, groups=["g00"]), "data", "g00")["observed"]
    np.testing.assert_array_equal(ours, table().query("g == 'g00'")["k"] / 6)


@pytest.mark.parametrize("groups", [5, ["g19", "g00", "g10"]])
def test_levels_are_ordered_by_their_intercepts(groups):
    fit = poisson_fit()
    levels = lattice(fit, groups=groups).table["level"].unique().tolist()
    order = bg.random_effects(fit).table.query("effect == '1'").sort_values("mean")["level"].tolist()
    assert len(levels) == (groups if isinstance(groups, int) else len(groups))
    assert [order.index(level) for level in levels] == sorted(order.index(level) for level in levels)


def test_without_names_the_first_factor_and_the_number_with_a_slope_are_shown():
    result = lattice(
        make_fit("zero_one ~ age + x + drug + (x | g) + (1 | h)", table(), family="bernoulli", sd={"g": [1.0, 0.5], "h": [0.3]})
    )
    assert result.table.columns[0] == "x"
    assert result.table["level"].nunique() == 12
    assert result.table["level"].isin(table()["g"]).all()
    assert any("effects of h are at zero" in note for note in result.notes)
    assert any("(age, drug)" in note for note in result.notes)
    assert result.draws.attrs["mean"] == "probability of zero_one"


def test_other_factors_are_at_zero():
    fit = crossed_fit(spread=0.0, n_draws=1, n_chains=1)
    result = lattice(fit, "x", factor="h", groups=["q"])
    b = fit.posterior["1|h"].sel(h__factor_dim="q").to_numpy().reshape(-1)[0]
    eta = fit.link.link(rows(result, "average_subject", "q")["mean"].to_numpy()) + b
    np.testing.assert_allclose(rows(result, "group", "q")["mean"], fit.link.inverse(eta), rtol=ALGEBRAIC)


def test_a_factor_is_shown_at_its_levels():
    result = lattice(crossed_fit(), "drug", groups=2)
    level = result.table["level"].iloc[0]
    assert rows(result, "group", level)["drug"].tolist() == ["a", "b", "c"]
    assert set(rows(result, "data", level)["drug"]) <= {"a", "b", "c"}


def test_draws_are_those_of_the_lines():
    result = lattice(poisson_fit(), groups=3)
    lines = result.table[result.table["kind"] != "data"]
    draws = result.draws["curve"]
    assert draws.sizes["row"] == len(lines)
    np.testing.assert_allclose(draws.mean(("chain", "draw")), lines["mean"], rtol=ALGEBRAIC)
    assert draws.coords["kind"].to_numpy().tolist() == lines["kind"].tolist()
    assert draws.coords["level"].to_numpy().tolist() == lines["level"].tolist()


def test_rows_taken_a_few_at_a_time_give_the_same(monkeypatch):
    fit = crossed_fit(n_draws=4)
    whole = lattice(fit, groups=2).table
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1)
    pd.testing.assert_frame_equal(lattice(fit, groups=2).table, whole, rtol=ALGEBRAIC)


def test_a_link_without_a_population_mean_has_no_such_line():
    fit = make_fit("level ~ x + (1 | g)", table(), beta=[3.0, 0.1], sd=0.1)
    result = lattice(replace(fit, spec=replace(fit.spec, link="sqrt")))
    assert set(result.table["kind"]) == {"group", "average_subject", "data"}
    assert any("no population mean" in note for note in result.notes)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"variable": "nothing"}, BayesglmmError),
        ({"factor": "k"}, ArgumentError),
        ({"groups": ["g99"]}, LevelError),
        ({"groups": -1}, ArgumentError),
        ({"groups": 0}, ArgumentError),
        ({"groups": []}, ArgumentError),
        ({"groups": "g01"}, ArgumentError),
        ({"groups": 2.5}, ArgumentError),
        ({"groups": True}, ArgumentError),
        ({"ci_prob": 95}, ArgumentError),
    ],
)
def test_what_cannot_be_made_is_refused(arguments, error):
    with pytest.raises(error):
        lattice(crossed_fit(), **arguments)


def test_models_without_a_lattice_are_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        lattice(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="no covariate"):
        lattice(make_fit("y ~ 1 + (1 | g)", table()))
