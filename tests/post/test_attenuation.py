"""Targets side by side: exact ratios, and agreement with the functions that give each number alone."""

import tracemalloc
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.post import attenuation as module
from bayesglmm.post.attenuation import attenuation, compare_targets
from bayesglmm.post.contrasts import contrasts
from tests.fits import make_fit
from tests.post.makers import AIDS_BETA, aids_fit, aids_visits, crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC


def test_probit_ratio_is_exact_and_has_a_posterior():
    fit = make_fit("zero_one ~ x + drug + (1 | g)", table(), family="bernoulli", link="probit", beta=[0.5, 1.0, -1.0, 0.3], sd=1.7)
    result = attenuation(fit)
    factor = 1 / np.sqrt(1 + parameters(fit).groups[0].sd[:, 0] ** 2)
    np.testing.assert_allclose(draws_of(result, "ratio"), np.repeat(factor[:, None], 4, axis=1), rtol=1e-8)  # a least-squares solve
    np.testing.assert_allclose(result.table["median"], np.median(factor), rtol=1e-8)
    np.testing.assert_allclose(result.table["ci_lower"], np.quantile(factor, 0.025), rtol=1e-8)


def test_columns_agree_with_marginal_coefficients():
    fit = crossed_fit()
    alone, result = bg.marginal_coefficients(fit, weights=np.resize([1.0, 2.0], 120)), attenuation(fit, weights=np.resize([1.0, 2.0], 120))
    for name in ("subject_specific", "marginal"):
        np.testing.assert_array_equal(draws_of(result, name), draws_of(alone, name))
        np.testing.assert_array_equal(result.table[name], alone.table[name])
    np.testing.assert_array_equal(draws_of(result, "ratio"), draws_of(alone, "marginal") / draws_of(alone, "subject_specific"))
    assert not any(n.startswith("ratio is posterior mean") for n in result.notes)


def test_published_attenuation_of_the_trial():
    """Hedeker et al.'s projection: 5.711 becomes 1.588 by simulation with three decimals."""
    table = attenuation(aids_fit(aids_visits())).table
    np.testing.assert_allclose(table["mean"].loc["Intercept"], 1.588 / AIDS_BETA["Intercept"], rtol=1e-3)


def test_denominators_that_change_sign_or_vanish_are_said():
    crossing = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[1.0, 0.0], sd=1.0)
    assert any("both signs in the draws (x)" in n for n in attenuation(crossing).notes)
    zero = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[1.0, 0.0], sd=1.0, spread=0.0)
    result = attenuation(zero)
    assert np.isnan(result.table.loc["x", "mean"]) or abs(result.draws["marginal"].to_numpy()[..., 1]).max() > 0.0
    assert any("missing where its denominator is zero" in n for n in result.notes)
    assert np.isfinite(result.table.loc["Intercept", "mean"])


@pytest.mark.parametrize("compare", ["difference", "odds_ratio"])
def test_contrasts_of_targets_are_those_of_each_target(compare):
    fit = crossed_fit()
    result = compare_targets(fit, "drug", targets=("average_subject", "population", "observed_groups"), compare=compare, by="h")
    parts = {
        t: draws_of(contrasts(fit, "drug", target=t, compare=compare, by="h"), "contrast")
        for t in ("average_subject", "population", "observed_groups")
    }
    quantity, draws = result.table["quantity"].to_numpy(), draws_of(result, "value")
    for target, values in parts.items():
        np.testing.assert_array_equal(draws[:, quantity == target], values)
        if target != "average_subject":
            np.testing.assert_array_equal(draws[:, quantity == f"{target} minus average_subject"], values - parts["average_subject"])
            np.testing.assert_array_equal(draws[:, quantity == f"{target} over average_subject"], values / parts["average_subject"])
    assert len(result.table) == 4 * 2 * 7
    assert result.table["h"].tolist() == np.repeat(list("pqrs"), 14).tolist()
    assert result.target.startswith("average_subject: ")
    assert "; population: " in result.target


def test_log_odds_are_attenuated():
    table = compare_targets(crossed_fit(), "drug", at={}, scale="link").table
    ratio = table.loc[table["quantity"] == "population over average_subject", "ci_upper"]
    assert np.all(ratio < 1.0)


def test_identity_link_has_no_attenuation():
    fit = make_fit("y ~ x + drug + (1 | g)", table(), beta=[1.0, 2.0, -1.0, 0.5])
    table_ = compare_targets(fit, "drug").table
    np.testing.assert_allclose(table_.loc[table_["quantity"].str.contains("over"), ["ci_lower", "ci_upper"]], 1.0, rtol=ALGEBRAIC)
    np.testing.assert_array_equal(table_.loc[table_["quantity"].str.contains("minus"), "mean"], 0.0)


def test_the_target_names_the_ratio_and_both_of_its_parts():
    target = attenuation(crossed_fit()).target
    assert target.startswith("mean to ci_upper: marginal over subject_specific")
    assert "marginal: population: averaged over the random-effects distribution of g and h" in target
    assert target.endswith("subject_specific: coefficients at given random effects of g, h")
    alone = attenuation(make_fit("y ~ x", table(), beta=[1.0, 2.0])).target
    assert alone.endswith("subject_specific: the same coefficients")


@pytest.mark.parametrize("name", ["value", "quantity", "compares", "mean", "contrast"])
def test_predictors_may_be_called_as_columns_of_the_result_are(name):
    fit = make_fit(f"y ~ {name} + drug + (1 | g)", table().rename(columns={"x": name}), beta=[1.0, 2.0, -1.0, 0.5])
    plain = make_fit("y ~ x + drug + (1 | g)", table(), beta=[1.0, 2.0, -1.0, 0.5])
    for variable in (None, "drug"):
        found = compare_targets(fit, variable, at={name: [0, 1]})
        wanted = compare_targets(plain, variable, at={"x": [0, 1]})
        np.testing.assert_array_equal(draws_of(found, "value"), draws_of(wanted, "value"))
        kept = [c for c in found.table.columns if c.rstrip("_") == name and found.table[c].tolist() == wanted.table["x"].tolist()]
        assert kept, "the column that tells the rows apart"
        assert found.table["quantity"].tolist() == wanted.table["quantity"].tolist()
        np.testing.assert_array_equal(found.draws[kept[0]], found.table[kept[0]])


def test_means_of_targets_are_compared_without_a_variable():
    fit = crossed_fit()
    result = compare_targets(fit, at={"x": [0, 1]})
    draws, quantity = draws_of(result, "value"), result.table["quantity"]
    for target in ("average_subject", "population"):
        np.testing.assert_array_equal(draws[:, quantity == target], draws_of(bg.means(fit, {"x": [0, 1]}, target=target)))
    assert result.table["x"].tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": "population"}, "two or more different targets"),
        ({"targets": ["population"]}, "two or more different targets"),
        ({"targets": ["population", "population"]}, "two or more different targets"),
        ({"targets": ["population", "average"]}, "did you mean 'average_subject'"),
        ({"compare": "ratio"}, "belong to contrasts"),
        ({"values": [0, 1]}, "belong to contrasts"),
    ],
)
def test_bad_questions_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        compare_targets(crossed_fit(), **arguments)


class TestGroupsAmongTheTargets:
    """A level may be named where one of the targets reads it."""

    at: ClassVar = {"x": [0.0, 1.0], "g": ["g01", "g05"], "h": "q"}

    def test_means_of_the_population_stand_beside_each_group(self):
        fit = crossed_fit()
        result = compare_targets(fit, at=self.at, targets=("group", "population"))
        quantity, draws = result.table["quantity"].to_numpy(), draws_of(result, "value")
        np.testing.assert_array_equal(draws[:, quantity == "group"], draws_of(bg.means(fit, self.at, target="group")))
        alone = draws_of(bg.means(fit, {"x": [0.0, 1.0]}, target="population"))
        np.testing.assert_allclose(draws[:, quantity == "population"], np.repeat(alone, 2, axis=1), rtol=0, atol=2e-10)  # quadrature
        assert result.table.columns[:4].tolist() == ["x", "g", "h", "quantity"]
        assert result.table["g"].tolist() == (["g01"] * 4 + ["g05"] * 4) * 2
        assert any(n.startswith("Held fixed: drug = a") for n in result.notes)

    def test_contrasts_of_the_population_stand_beside_each_group(self):
        fit = crossed_fit()
        result = compare_targets(fit, "drug", at=self.at, targets=("population", "group"), scale="link")
        quantity, draws = result.table["quantity"].to_numpy(), draws_of(result, "value")
        wanted = draws_of(contrasts(fit, "drug", at=self.at, target="group", scale="link"), "contrast")
        np.testing.assert_array_equal(draws[:, quantity == "group"], wanted)
        assert result.table.columns[:6].tolist() == ["x", "g", "h", "from", "to", "quantity"]
        assert not any("drug =" in n for n in result.notes), "the column that is compared is not held"

    def test_some_factors_are_averaged_over(self):
        fit = crossed_fit()
        result = compare_targets(fit, at=self.at, targets=("population", "observed_groups", "group", "average_subject"), over=["g"])
        quantity, draws = result.table["quantity"].to_numpy(), draws_of(result, "value")
        for target in ("population", "observed_groups"):
            alone = draws_of(bg.means(fit, {"x": [0.0, 1.0], "h": "q"}, target=target, over=["g"]))
            np.testing.assert_allclose(draws[:, quantity == target], np.repeat(alone, 2, axis=1), rtol=0, atol=2e-10)  # quadrature
        assert "given the named levels of h" in result.target
        with pytest.raises(ArgumentError, match="averages over no grouping factor"):
            compare_targets(fit, at=self.at, targets=("group", "average_subject"), over=["g"])

    def test_cells_of_a_grid(self):
        fit = crossed_fit()
        result = compare_targets(fit, at=self.at, targets=("group", "population"), by="g")
        group = draws_of(bg.means(fit, self.at, target="group", by="g"))
        np.testing.assert_allclose(draws_of(result, "value")[:, result.table["quantity"] == "group"], group, rtol=ALGEBRAIC)
        assert result.table["g"].tolist() == ["g01"] * 4 + ["g05"] * 4

    def test_a_level_that_no_target_reads_is_refused(self):
        with pytest.raises(ArgumentError, match="its levels are not read here"):
            compare_targets(crossed_fit(), at={"g": "g01"})

    def test_all_levels_are_needed(self):
        with pytest.raises(ArgumentError, match=r"target='group' needs a level of every grouping factor.*h"):
            compare_targets(crossed_fit(), at={"g": "g01"}, targets=("population", "group"))

    def test_bad_variables_are_named(self):
        with pytest.raises(ColumnError, match="did you mean 'drug'"):
            compare_targets(crossed_fit(), "drgu", at=self.at, targets=("population", "group"))
        with pytest.raises(ArgumentError, match="at names the column"):
            compare_targets(crossed_fit(), "drug", at={**self.at, "drug": "a"}, targets=("population", "group"))


@pytest.mark.parametrize("arguments", [{}, {"variable": "drug"}, {"by": "h"}, {"variable": "drug", "by": "h"}], ids=str)
def test_without_draws_lines_are_taken_a_few_at_a_time(monkeypatch, arguments):
    fit = crossed_fit()
    at, targets = fit.frame.iloc[:7], ("average_subject", "observed_groups", "group")
    whole = compare_targets(fit, at=at, targets=targets, **arguments)
    monkeypatch.setattr(module, "AT_ONCE", 40 * 2 * 7 * 3)
    left = compare_targets(fit, at=at, targets=targets, keep_draws=False, **arguments)
    assert not left.draws.data_vars
    pd.testing.assert_frame_equal(left.table, whole.table, rtol=ALGEBRAIC)
    assert (left.target, left.notes) == (whole.target, whole.notes)


def test_without_draws_memory_does_not_grow_with_lines():
    fit = crossed_fit(n_draws=500)
    rows = pd.DataFrame({"x": np.linspace(-2.0, 2.0, 2000), "drug": "b", "g": "g01", "h": "p"})
    tracemalloc.start()
    compare_targets(fit, at=rows, targets=("average_subject", "group"), keep_draws=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 1000 * 2000 * 8  # the draws of the four quantities of all lines
