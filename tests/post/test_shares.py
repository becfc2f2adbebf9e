"""Shares of subjects above a threshold, and with a slope of the other sign."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.post import linear_predictor
from bayesglmm.post.shares import opposite_slopes, shares
from tests.fits import make_fit
from tests.post.makers import aids_fit, aids_visits, crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE


def exact_fit(**options: object):
    return crossed_fit(spread=0.0, n_chains=1, n_draws=1, **options)


class TestShares:
    """P(h(eta) > threshold)."""

    def test_of_simulated_subjects(self):
        fit, n = exact_fit(), 200_000
        result = shares(fit, {"x": 1.0}, threshold=[0.3, 0.9])
        rng, draws = np.random.default_rng(7), parameters(fit)
        g, h = draws.groups
        b = rng.multivariate_normal(np.zeros(2), g.sd[0][:, None] * g.corr[0] * g.sd[0], size=n).sum(axis=1)
        mean = special.expit(1.2 + b + h.sd[0, 0] * rng.normal(size=n))
        for threshold, share in result.table[["threshold", "mean"]].itertuples(index=False):
            assert abs(np.mean(mean > threshold) - share) < MCSE_MULTIPLE * np.sqrt(share * (1.0 - share) / n)

    def test_the_ends_of_a_heterogeneity_interval_have_its_tails_beyond_them(self):
        fit = aids_fit(aids_visits())
        at = {"obstime": 0, "drug": "ddC"}
        low, high = bg.heterogeneity(fit, at).table.iloc[0][["plug_in_lower", "plug_in_upper"]]
        found = shares(fit, at, threshold=special.expit(np.array([low, high]))).table["mean"]
        np.testing.assert_allclose(found, [0.975, 0.025], rtol=1e-6)  # expit(16.87) is one up to 5e-8

    @settings(max_examples=20, deadline=None)
    @given(threshold=st.floats(0.001, 0.999), x=st.floats(-5, 5))
    def test_shares_are_shares(self, threshold, x):
        row = shares(crossed_fit(n_draws=4), {"x": x}, threshold=threshold).table.iloc[0]
        assert 0.0 <= row["ci_lower"] <= row["median"] <= row["ci_upper"] <= 1.0

    def test_are_summarised_from_their_draws(self):
        result = shares(crossed_fit(), {"x": [0.0, 1.0]}, threshold=[0.2, 0.5, 0.8])
        assert result.table["threshold"].tolist() == [0.2, 0.5, 0.8] * 2
        assert result.table["x"].tolist() == [0.0] * 3 + [1.0] * 3
        np.testing.assert_allclose(result.table["median"], np.median(draws_of(result, "share"), axis=0), rtol=ALGEBRAIC)
        falling = result.table["mean"].to_numpy().reshape(2, 3)
        assert np.all(np.diff(falling, axis=1) < 0.0)

    def test_of_one_factor_alone(self):
        fit = exact_fit()
        found = shares(fit, {"x": 0.0}, threshold=0.5, over="h")
        np.testing.assert_allclose(found.table["mean"], special.ndtr(0.4 / parameters(fit).groups[1].sd[0, 0]), rtol=ALGEBRAIC)
        assert "random effects of g at zero" in found.target

    def test_several_factors_make_combinations_of_levels(self):
        fit = exact_fit()
        assert shares(fit, threshold=0.5).target.startswith("combinations of levels of g and h, old and new")
        assert shares(fit, threshold=0.5).title.startswith("Share of the combinations of levels of g and h whose probability")
        assert shares(fit, threshold=0.5, over={"h"}).target.startswith("levels of h, old and new")

    def test_columns_of_the_rows_keep_their_values(self):
        fit = make_fit("y ~ threshold + (1 | g)", table().rename(columns={"x": "threshold"}))
        result = shares(fit, {"threshold": [1.0, 2.0]}, threshold=[0.1, 0.2, 0.3])
        assert result.table["threshold_"].tolist() == [1.0] * 3 + [2.0] * 3
        assert result.table["threshold"].tolist() == [0.1, 0.2, 0.3] * 2

    def test_draws_are_found_by_row_and_threshold(self):
        result = shares(crossed_fit(), {"x": [0.0, 1.0], "drug": ["a", "b"]}, threshold=[0.2, 0.8])
        found = result.draws["share"].set_index(row=["x", "drug", "threshold"]).sel(x=1.0, drug="a", threshold=0.8)
        line = result.table.query("x == 1 and drug == 'a' and threshold == 0.8").iloc[0]
        assert float(found.mean()) == pytest.approx(line["mean"], rel=ALGEBRAIC)

    def test_without_draws_the_table_is_the_same_and_memory_does_not_grow_with_rows(self):
        fit, at = crossed_fit(n_draws=500), pd.DataFrame({"x": np.linspace(-2.0, 2.0, 2000), "drug": "b"})
        pd.testing.assert_frame_equal(
            shares(fit, at.iloc[:200], threshold=[0.2, 0.8], keep_draws=False).table,
            shares(fit, at.iloc[:200], threshold=[0.2, 0.8]).table,
            rtol=ALGEBRAIC,
        )
        tracemalloc.start()
        result = shares(fit, at, threshold=[0.2, 0.8], keep_draws=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not result.draws
        assert peak < 1000 * 2000 * 8  # half of the draws

    def test_a_level_in_at_is_refused_with_what_to_do(self):
        with pytest.raises(ArgumentError, match="leave it out of at") as raised:
            shares(exact_fit(), {"g": "g01"}, threshold=0.5)
        assert "target='population'" not in str(raised.value)

    @pytest.mark.parametrize("threshold", [0.0, 1.0, 50, np.nan, "half", [], [[0.5]]])
    def test_thresholds_outside_the_means_are_refused(self, threshold):
        with pytest.raises(ArgumentError, match="threshold"):
            shares(exact_fit(), threshold=threshold)

    def test_without_groups_there_are_no_subjects(self):
        with pytest.raises(ArgumentError, match="no grouping factor"):
            shares(make_fit("y ~ x", table()), threshold=0.0)


class TestOppositeSlopes:
    """Phi(-|d| / sd) in the population, and a count among the groups."""

    def test_by_hand(self):
        fit = exact_fit()
        found = opposite_slopes(fit, "x").table.set_index("among")["mean"]
        draws = parameters(fit)
        own = draws.beta[0, 1] + draws.groups[0].b[0, :, 1]
        assert found["population"] == pytest.approx(special.ndtr(-0.8 / 0.7), rel=ALGEBRAIC)
        assert found["observed_groups"] == pytest.approx(np.mean(own < 0.0), rel=ALGEBRAIC)

    def test_many_groups_are_like_their_population(self):
        n = 4000
        long = table(n=6 * n)
        fit = make_fit("y ~ x + (x | g)", long, beta=[0.0, 0.5], sd=[1.0, 0.8], spread=0.0, n_chains=1, n_draws=1)
        found = opposite_slopes(fit, "x").table.set_index("among")["mean"]
        share = found["population"]
        assert abs(found["observed_groups"] - share) < MCSE_MULTIPLE * np.sqrt(share * (1.0 - share) / n)

    def test_slopes_of_two_factors_add_in_the_observed_combinations(self):
        fit = make_fit("y ~ x + (x | g) + (0 + x | h)", table(), beta=[0.0, 0.4], n_draws=5)
        draws, design = parameters(fit), fit.design
        pairs = sorted({(int(i), int(j)) for i, j in zip(design.groups[0].index, design.groups[1].index, strict=True)})
        i, j = np.array(pairs).T
        own = draws.beta[:, [1]] + draws.groups[0].b[:, i, 1] + draws.groups[1].b[:, j, 0]
        wanted = np.mean(np.sign(own) != np.sign(draws.beta[:, [1]]), axis=1)
        result = opposite_slopes(fit, "x")
        np.testing.assert_allclose(draws_of(result, "share")[:, 1], wanted, rtol=ALGEBRAIC)
        assert any(f"the {len(pairs)} combinations" in n for n in result.notes)
        assert "combinations of levels of g and h whose slope" in result.title

    def test_only_factors_whose_slopes_differ_are_named(self):
        result = opposite_slopes(crossed_fit(n_draws=2), "x")
        assert "Share of the levels of g whose slope" in result.title
        assert any("the 20 levels of g in the data" in n for n in result.notes)

    def test_columns_of_the_rows_keep_their_values(self):
        fit = make_fit("y ~ among + x + (among | g)", table().rename(columns={"age": "among"}))
        result = opposite_slopes(fit, "among", {"among": [30.0, 40.0], "x": 0.5})
        assert result.table["among_"].tolist() == [30.0, 30.0, 40.0, 40.0]
        assert result.table["among"].tolist() == ["population", "observed_groups"] * 2
        assert result.draws.coords["x"].to_numpy().tolist() == [0.5] * 4

    def test_without_draws_the_table_is_the_same(self, monkeypatch):
        fit, at = make_fit("y ~ x * drug + (x | g) + (0 + x | h)", table(), spread=1.0), {"x": [0.0, 1.0], "drug": "all"}
        whole = opposite_slopes(fit, "x", at)
        monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 1)
        part = opposite_slopes(fit, "x", at, keep_draws=False)
        pd.testing.assert_frame_equal(part.table, whole.table, rtol=ALGEBRAIC)
        assert not part.draws

    def test_interactions_matter(self):
        fit = make_fit("y ~ x * drug + (x | g)", table(), beta={"x": 1.0, "x:drug[c]": -0.9}, spread=0.0, n_chains=1, n_draws=1)
        found = opposite_slopes(fit, "x", {"drug": ["a", "c"]}).table
        population = found[found["among"] == "population"]["mean"]
        np.testing.assert_allclose(population, special.ndtr([-1.0, -0.1]), rtol=ALGEBRAIC)

    def test_no_share_in_the_population_is_above_one_half(self):
        fit = make_fit("y ~ poly(x, 2) + (poly(x, 2) | g)", table(), spread=1.0, n_draws=20)
        result = opposite_slopes(fit, "x", {"x": [-1.0, 0.0, 1.0]})
        draws = draws_of(result, "share")
        assert np.all((draws >= 0.0) & (draws <= 1.0))
        assert np.all(draws[:, ::2] <= 0.5)

    def test_equal_slopes_are_refused(self):
        with pytest.raises(ArgumentError, match="are equal"):
            opposite_slopes(exact_fit(), "x", over="h")
        with pytest.raises(ArgumentError, match=r"\(x \| g\)"):
            opposite_slopes(make_fit("y ~ x + (1 | g)", table()), "x")
