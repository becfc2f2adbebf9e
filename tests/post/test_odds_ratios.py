"""Odds ratios of coefficients, and ratios between two random groups."""

import numpy as np
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, DesignError, FamilyError
from bayesglmm.post.group_ratios import interval_odds_ratio, median_odds_ratio
from bayesglmm.post.odds_ratios import (
    ALIKE,
    APART,
    CHANGE,
    ONE_MORE,
    POPULATIONS,
    RATIOS_ALIKE,
    RATIOS_OF_POPULATIONS,
    SAME_SUBJECT,
    odds_ratios,
)
from tests.fits import make_fit
from tests.post.makers import AIDS_SD, aids_fit, aids_visits, crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

PAIRS = 200_000


def exact_fit(**options: object):
    return crossed_fit(spread=0.0, n_chains=1, n_draws=1, **options)


def wide(result, column: str = "mean", index: tuple[str, ...] = ("coefficient",)):
    return result.table.pivot(index=list(index), columns="quantity", values=column)


class TestOddsRatios:
    """exp(beta), exp(beta_M) and their ratio."""

    def test_are_those_of_the_two_sets_of_coefficients(self):
        fit = crossed_fit()
        result, marginal = odds_ratios(fit), bg.marginal_coefficients(fit)
        assert result.table["coefficient"].tolist() == [c for c in ("x", "drug[b]", "drug[c]") for _ in range(3)]
        for name in ("subject_specific", "marginal"):
            wanted = np.exp(draws_of(marginal, name)[:, 1:])
            np.testing.assert_allclose(draws_of(result, name), wanted, rtol=ALGEBRAIC)
            np.testing.assert_allclose(wide(result, "median")[name][["x", "drug[b]", "drug[c]"]], np.median(wanted, axis=0), rtol=ALGEBRAIC)
        ratio = draws_of(result, "marginal") / draws_of(result, "subject_specific")
        np.testing.assert_allclose(draws_of(result, "marginal_over_subject_specific"), ratio, rtol=ALGEBRAIC)

    def test_of_the_aids_trial(self):
        """The published coefficients: exp(0.146) per month within a patient, exp(0.0456) in the population."""
        found = wide(odds_ratios(aids_fit(aids_visits()))).loc["obstime"]
        assert round(found["subject_specific"], 4) == round(np.exp(0.146), 4)
        assert round(np.log(found["marginal"]), 4) == 0.0456

    def test_random_intercepts_under_the_log_link_leave_rate_ratios(self):
        fit = make_fit("count ~ x + (1 | g)", table(), family="poisson", beta=[0.5, 0.3], sd=0.8)
        result = odds_ratios(fit)
        np.testing.assert_allclose(draws_of(result, "marginal_over_subject_specific"), 1.0, rtol=ALGEBRAIC)
        assert result.title == "Ratios of means, subject-specific and marginal"
        assert "ratio of means at equal random effects" in result.target

    def test_say_who_is_compared(self):
        fit = make_fit("zero_one ~ x + arm + (1 | g)", table().assign(arm=np.repeat(["a", "b"], 60)), family="bernoulli")
        subject = odds_ratios(fit).table.iloc[::3].set_index("coefficient")["compares"]
        assert subject["x"] == f"{SAME_SUBJECT}, {ONE_MORE}"
        assert subject["arm[b]"] == f"{ALIKE}, arm = b against the reference a"

    @pytest.mark.parametrize(
        ("term", "words"),
        [
            ("drug", ["drug = b against the reference a", "drug = c against the reference a"]),
            ("C(drug, 'treatment', 'b')", ["drug = a against the reference b", "drug = c against the reference b"]),
            ("C(drug, 'sum')", ["one unit of the sum contrast of drug"] * 2),
            ("arm", ["arm = True against the reference False"]),
            ("age", ["one unit more"]),
        ],
    )
    def test_a_level_is_compared_with_the_reference_and_a_number_with_one_unit_less(self, term, words):
        data = table().assign(arm=table()["x"] > 0.0)
        result = odds_ratios(make_fit(f"zero_one ~ {term} + (1 | g)", data, family="bernoulli"))
        compares = result.table["compares"].tolist()
        assert compares[::3] == [f"{SAME_SUBJECT}, {w}" for w in words]
        assert compares[1::3] == [f"{POPULATIONS}, {w.replace('one unit more', APART)}" for w in words]

    def test_levels_of_a_product_with_all_levels_of_another_factor_are_told(self):
        """In ``a + a:b`` the columns of b within a compare its levels at each level of a."""
        data = table().assign(arm=np.resize(["t", "u"], 120))
        result = odds_ratios(make_fit("zero_one ~ drug + drug:arm + (1 | g)", data, family="bernoulli"))
        compares = result.table.groupby("coefficient", sort=False)["compares"].agg(list)
        assert compares["drug:arm[a, u]"][0] == compares["drug:arm[c, u]"][0] == f"{SAME_SUBJECT}, arm = u against the reference t"

    def test_a_product_of_two_steps_is_a_ratio_of_ratios(self):
        result = odds_ratios(make_fit("zero_one ~ x * drug + (1 | g)", table(), family="bernoulli"))
        compares = result.table.groupby("coefficient", sort=False)["compares"].agg(list)
        assert compares["x:drug[b]"] == compares["x:drug[c]"] == [RATIOS_ALIKE, RATIOS_OF_POPULATIONS, CHANGE]
        assert compares["x"][0] == f"{SAME_SUBJECT}, {ONE_MORE}"
        assert compares["drug[b]"][0] == f"{SAME_SUBJECT}, drug = b against the reference a"
        assert "Ratios of ratios: x:drug[b], x:drug[c]." in result.notes

    @pytest.mark.parametrize("predictors", ["x + clock", "drug + drug:x", "x + `c:d`"], ids=["level", "slopes within levels", "column"])
    def test_a_colon_alone_makes_no_product(self, predictors):
        data = table().assign(clock=np.resize(["9:00", "10:30"], 120), **{"c:d": table()["age"]})
        result = odds_ratios(make_fit(f"zero_one ~ {predictors} + (1 | g)", data, family="bernoulli"))
        assert any(":" in c for c in result.table["coefficient"])
        assert all(text.startswith(SAME_SUBJECT) for text in result.table["compares"].iloc[::3])
        assert not any("of ratios" in n for n in result.notes)

    @pytest.mark.parametrize("function", [odds_ratios, interval_odds_ratio])
    def test_a_level_alone_has_odds_and_no_odds_ratio(self, function):
        fit = make_fit("zero_one ~ 0 + drug + (1 | g)", table(), family="bernoulli")
        with pytest.raises(DesignError, match=r"drug\[a\].*with its intercept, or use contrasts\(compare='odds_ratio'\)"):
            function(fit)
        counts = make_fit("count ~ 0 + drug + (1 | g)", table(), family="poisson")
        with pytest.raises(DesignError, match=r"compare='ratio'"):
            function(counts)

    @pytest.mark.parametrize("function", [odds_ratios, interval_odds_ratio])
    def test_levels_are_left_out_aloud(self, function):
        fit = make_fit("zero_one ~ 0 + drug + h + x + (1 | g)", table(), family="bernoulli")
        result = function(fit)
        assert list(dict.fromkeys(result.table["coefficient"])) == ["h[q]", "h[r]", "h[s]", "x"]
        assert any(n.startswith("Left out, because each belongs to one level") and "drug[a], drug[b], drug[c];" in n for n in result.notes)

    def test_combinations_of_levels_are_left_out_too(self):
        fit = make_fit("zero_one ~ 0 + drug:h + drug:x + (1 | g)", table(), family="bernoulli")
        assert list(dict.fromkeys(odds_ratios(fit).table["coefficient"])) == ["drug:x[a]", "drug:x[b]", "drug:x[c]"]

    def test_weights_count_as_in_the_marginal_coefficients(self):
        fit = make_fit("zero_one ~ x + w + (1 | g)", table(), family="bernoulli", beta=[0.2, 1.0, 0.3], sd=2.0)
        wanted = np.exp(draws_of(bg.marginal_coefficients(fit, weights="w"), "marginal")[:, 1:])
        np.testing.assert_allclose(draws_of(odds_ratios(fit, weights="w"), "marginal"), wanted, rtol=ALGEBRAIC)

    @pytest.mark.parametrize("function", [odds_ratios, median_odds_ratio, interval_odds_ratio])
    def test_other_links_are_refused(self, function):
        fit = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", link="probit")
        with pytest.raises(FamilyError, match="no ratio of odds, means or hazards under the probit"):
            function(fit)

    def test_without_a_coefficient_there_is_no_ratio(self):
        fit = make_fit("zero_one ~ 1 + (1 | g)", table(), family="bernoulli")
        with pytest.raises(DesignError, match="but the intercept"):
            odds_ratios(fit)
        with pytest.raises(DesignError, match="but the intercept"):
            interval_odds_ratio(fit)


class TestMedianOddsRatio:
    """exp(sqrt(2 v) Phi^-1(3/4))."""

    def test_is_the_median_of_simulated_pairs(self):
        fit = exact_fit()
        found = median_odds_ratio(fit).table.set_index("factor")["mean"]
        for factor, group in zip(("g", "h"), parameters(fit).groups, strict=True):
            b = group.sd[0, 0] * np.random.default_rng(9).normal(size=(2, PAIRS))
            above = np.mean(np.exp(np.abs(b[0] - b[1])) > found[factor])
            assert abs(above - 0.5) < MCSE_MULTIPLE * np.sqrt(0.25 / PAIRS)

    def test_at_rows_counts_the_random_slopes(self):
        fit = exact_fit()
        result = median_odds_ratio(fit, {"x": [0.0, 2.0]}, over="g")
        g, z = parameters(fit).groups[0], np.array([[1.0, 0.0], [1.0, 2.0]])
        v = np.einsum("nk,kl,nl->n", z * g.sd[0], g.corr[0], z * g.sd[0])
        np.testing.assert_allclose(np.log(result.table["mean"]), np.sqrt(2.0 * v) * special.ndtri(0.75), rtol=ALGEBRAIC)
        np.testing.assert_allclose(result.table["mean"].iloc[0], median_odds_ratio(fit, over="g").table["mean"].iloc[0], rtol=ALGEBRAIC)

    def test_of_the_aids_trial(self):
        found = median_odds_ratio(aids_fit(aids_visits())).table["mean"].iloc[0]
        assert found == pytest.approx(np.exp(np.sqrt(2.0) * AIDS_SD * special.ndtri(0.75)), rel=ALGEBRAIC)

    def test_says_where_the_random_slopes_stand(self):
        assert any("x = 0" in n for n in median_odds_ratio(exact_fit()).notes)

    def test_factors_without_a_random_intercept_are_left_out_aloud(self):
        fit = make_fit("zero_one ~ x + (0 + x | g) + (1 | h)", table(), family="bernoulli")
        result = median_odds_ratio(fit)
        assert result.table["factor"].tolist() == ["h"]
        assert any("Left out, without a random intercept: g" in n for n in result.notes)
        with pytest.raises(ArgumentError, match="no random intercept"):
            median_odds_ratio(fit, over="g")

    def test_columns_of_the_rows_keep_their_values(self):
        """Rows may have a column of the name that the table uses."""
        fit = make_fit("zero_one ~ factor + (1 | g)", table().rename(columns={"x": "factor"}), family="bernoulli")
        result = median_odds_ratio(fit, {"factor": [0.5, 2.0]})
        assert result.table["factor_"].tolist() == [0.5, 2.0]
        assert result.table["factor"].tolist() == ["g", "g"]
        assert result.draws.coords["factor_"].to_numpy().tolist() == [0.5, 2.0]

    def test_names_of_factors_are_checked(self):
        fit = exact_fit()
        assert median_odds_ratio(fit, over={"h"}).table["factor"].tolist() == ["h"]
        with pytest.raises(ArgumentError, match="leave it out of at") as raised:
            median_odds_ratio(fit, {"g": "g01"})
        assert "target='population'" not in str(raised.value)

    def test_terms_of_one_factor_add(self):
        fit = make_fit("zero_one ~ x + (1 | g) + (0 + x | g)", table(), family="bernoulli", spread=0.0, n_chains=1, n_draws=1)
        found = median_odds_ratio(fit, {"x": 2.0}).table["mean"]
        np.testing.assert_allclose(np.log(found), np.sqrt(2.0 * 5.0) * special.ndtri(0.75), rtol=ALGEBRAIC)


class TestIntervalOddsRatio:
    """exp(dx'beta +- sqrt(w) Phi^-1(0.9)), and the share of opposed ones."""

    def test_holds_simulated_pairs(self):
        """Two random groups, the second one unit higher in x, its random slope included."""
        fit = exact_fit()
        found = wide(interval_odds_ratio(fit, over="g")).loc["x"]
        g = parameters(fit).groups[0]
        b = np.random.default_rng(10).multivariate_normal(np.zeros(2), g.sd[0][:, None] * g.corr[0] * g.sd[0], size=(2, PAIRS))
        ratio = np.exp(0.8 + b[1].sum(axis=1) - b[0][:, 0])
        for share, wanted in (
            (np.mean(ratio < found["lower"]), 0.1),
            (np.mean(ratio > found["upper"]), 0.1),
            (np.mean(ratio < 1.0), found["opposed"]),
        ):
            assert abs(share - wanted) < MCSE_MULTIPLE * np.sqrt(wanted * (1.0 - wanted) / PAIRS)

    def test_larsen_and_merlo_s_form_for_a_covariate_of_the_groups(self):
        fit = exact_fit()
        found = wide(interval_odds_ratio(fit), index=("coefficient", "factor"))
        w = 2.0 * parameters(fit).groups[1].sd[0, 0] ** 2
        row, beta = found.loc[("drug[c]", "h")], 1.1
        np.testing.assert_allclose(np.log([row["lower"], row["upper"]]), beta + np.sqrt(w) * special.ndtri([0.1, 0.9]), rtol=ALGEBRAIC)
        assert row["opposed"] == pytest.approx(special.ndtr(-beta / np.sqrt(w)), rel=ALGEBRAIC)

    def test_rows_and_coefficients_agree_on_one_unit(self):
        fit = crossed_fit()
        rows = interval_odds_ratio(fit, {"x": 1.0}, versus={"x": 0.0}).table
        named = interval_odds_ratio(fit).table
        named = named[named["coefficient"] == "x"]
        columns = ["mean", "sd", "median", "ci_lower", "ci_upper"]
        assert rows["factor"].tolist() == named["factor"].tolist() == ["g"] * 3 + ["h"] * 3
        np.testing.assert_allclose(rows[columns].to_numpy(), named[columns].to_numpy(), rtol=ALGEBRAIC)

    def test_no_more_than_half_are_opposed_and_the_ends_are_ordered(self):
        result = interval_odds_ratio(crossed_fit(spread=1.0, n_draws=100), level=0.5)
        lower, upper, opposed = (draws_of(result, name) for name in ("lower", "upper", "opposed"))
        assert np.all((opposed >= 0.0) & (opposed <= 0.5))
        assert np.all(lower < upper)
        assert "IOR-50" in result.title

    def test_another_coding_in_the_random_effects_is_left_out_aloud(self):
        fit = make_fit("zero_one ~ x + drug + (1 | g) + (0 + drug | g)", table(), family="bernoulli")
        result = interval_odds_ratio(fit)
        assert set(result.table["coefficient"]) == {"x"}
        assert any("drug[b], drug[c]; give at and versus" in n for n in result.notes)
        rows = interval_odds_ratio(fit, {"drug": "b"}, versus={"drug": "a"})
        assert rows.table["quantity"].tolist() == ["lower", "upper", "opposed"]
        only = make_fit("zero_one ~ drug + (1 | g) + (0 + drug | g)", table(), family="bernoulli")
        with pytest.raises(ArgumentError, match="in another term"):
            interval_odds_ratio(only)

    @pytest.mark.parametrize(
        ("predictors", "kept", "left"),
        [("x * drug", ["x", "drug[b]", "drug[c]"], "x:drug[b], x:drug[c]"), ("x + I(x ** 2)", ["x"], "I(x ** 2)")],
        ids=["product", "power"],
    )
    def test_products_and_powers_of_a_random_slope_belong_to_no_pair_of_rows(self, predictors, kept, left):
        fit = make_fit(f"zero_one ~ {predictors} + (x | g) + (1 | h)", table(), family="bernoulli")
        result = interval_odds_ratio(fit)
        assert list(dict.fromkeys(result.table["coefficient"])) == kept
        assert any(f"in another term: {left}; give at and versus" in n for n in result.notes)
        assert left.split(", ")[0] in set(interval_odds_ratio(fit, over="h").table["coefficient"])

    def test_columns_of_the_rows_keep_their_values(self):
        data = table().rename(columns={"x": "factor", "age": "quantity"})
        fit = make_fit("zero_one ~ factor + quantity + (1 | g)", data, family="bernoulli")
        result = interval_odds_ratio(fit, {"factor": 1.0, "quantity": [20.0, 30.0]}, versus={"factor": 0.0, "quantity": 20.0})
        assert result.table["quantity_"].tolist() == [20.0] * 3 + [30.0] * 3
        assert result.table["factor"].tolist() == ["g"] * 6
        assert result.table["quantity"].tolist() == ["lower", "upper", "opposed"] * 2

    def test_draws_are_found_by_coefficient(self):
        result = interval_odds_ratio(crossed_fit(), over="h")
        row = result.table[(result.table["coefficient"] == "drug[b]") & (result.table["quantity"] == "upper")].iloc[0]
        draws = result.draws["upper"].set_index(row="coefficient").sel(row="drug[b]")
        assert row["mean"] == pytest.approx(float(draws.mean()), rel=ALGEBRAIC)
        assert result.draws.coords["factor"].to_numpy().tolist() == ["h"] * 3

    def test_under_the_log_link_they_are_ratios_of_means(self):
        result = interval_odds_ratio(make_fit("count ~ x + (1 | g)", table(), family="poisson"))
        assert result.title.startswith("Interval ratios of means (IOR-80)")
        assert any("80 % of the ratios of means;" in n for n in result.notes)

    def test_impossible_arguments_are_refused(self):
        with pytest.raises(ArgumentError, match="level"):
            interval_odds_ratio(exact_fit(), level=80)
        with pytest.raises(ArgumentError, match="no grouping factor"):
            interval_odds_ratio(make_fit("zero_one ~ x", table(), family="bernoulli"))
