"""Variance partition, R2 and change in variance: from fits whose draws are known."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.partition import response_shares
from bayesglmm.post import linear_predictor
from bayesglmm.post import variance_partition as variance_partition_module
from bayesglmm.post.r_squared import r_squared, variance_change
from bayesglmm.post.rows import build_rows
from bayesglmm.post.variance_partition import variance_partition
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

GOLDEN = Path(__file__).parents[1] / "golden"
EXACT = {"spread": 0.0, "n_chains": 1, "n_draws": 1}


def golden(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def golden_fit(name: str, family: str = "gaussian", formula: str | None = None):
    """One draw: the estimates of another program."""
    record = golden(name)
    beta = [term["est"] for term in record["fixed"]]
    sd = {part["group"]: part["sd"] for part in record["random"]}
    corr = {part["group"]: part["corr"] for part in record["random"] if part["corr"] is not None}
    data = bg.datasets.load(record["data"])
    options = {"aux": {"sigma": record["sigma"]}} if record["sigma"] else {}
    return make_fit(formula or record["formula"], data, family=family, beta=beta, sd=sd, corr=corr, **options, **EXACT)


def share(result, component: str, scale: str = "latent") -> float:
    rows = result.table
    return rows.loc[(rows["component"] == component) & (rows["scale"] == scale), "mean"].item()


def poisson_fit(**options: object):
    given = {"family": "poisson", "beta": [0.4, 0.3], "sd": {"g": [0.6], "h": [0.3]}}
    return make_fit("count ~ x + (1 | g) + (1 | h)", table(), **{**given, **options})


class TestLatent:
    def test_gaussian_icc_is_that_of_the_estimates(self):
        record = golden("dyestuff_reml")
        between, within = record["random"][0]["sd"][0] ** 2, record["sigma"] ** 2
        result = variance_partition(golden_fit("dyestuff_reml"))
        assert share(result, "Batch") == pytest.approx(between / (between + within), rel=ALGEBRAIC)
        assert share(result, "Batch") == pytest.approx(0.4185, abs=5e-5)  # 42.0006^2 / (42.0006^2 + 49.5101^2)
        assert any("intraclass correlation" in n for n in result.notes)

    def test_crossed_factors(self):
        record = golden("penicillin_reml")
        v = {part["group"]: part["sd"][0] ** 2 for part in record["random"]}
        result, whole = variance_partition(golden_fit("penicillin_reml")), sum(v.values()) + record["sigma"] ** 2
        for factor, variance in v.items():
            assert share(result, factor) == pytest.approx(variance / whole, rel=ALGEBRAIC)
        assert share(result, "total") == pytest.approx(sum(v.values()) / whole, rel=ALGEBRAIC)

    def test_random_slopes_at_a_row(self):
        s0, s1 = golden("sleepstudy_corr_reml")["random"][0]["sd"]
        rho, sigma = golden("sleepstudy_corr_reml")["random"][0]["corr"][0][1], golden("sleepstudy_corr_reml")["sigma"]
        result = variance_partition(golden_fit("sleepstudy_corr_reml"), {"Days": [0, 9]})
        for day in (0, 9):
            v = s0**2 + 2 * day * rho * s0 * s1 + day**2 * s1**2
            found = result.table.query("Days == @day and component == 'Subject'")["mean"].item()
            assert found == pytest.approx(v / (v + sigma**2), rel=ALGEBRAIC)
        assert any("hold at these covariates only" in n for n in result.notes)

    def test_poisson_is_log_of_one_over_the_population_mean(self):
        record = golden("rehab_sim_null_nagq25")
        intercept, v = record["fixed"][0]["est"], record["random"][0]["sd"][0] ** 2
        result = variance_partition(golden_fit("rehab_sim_null_nagq25", "poisson"), scale="both")
        mean = np.exp(intercept + v / 2)
        assert share(result, "rehab") == pytest.approx(v / (v + np.log(1 + 1 / mean)), rel=ALGEBRAIC)
        assert share(result, "rehab", "response") == pytest.approx(mean * np.expm1(v) / (mean * np.expm1(v) + 1), rel=ALGEBRAIC)

    def test_binomial_is_that_of_one_trial(self):
        sd = golden("cbpp_nagq25")["random"][0]["sd"][0]
        fit = golden_fit("cbpp_nagq25", "binomial")
        result = variance_partition(fit)
        assert share(result, "herd") == pytest.approx(sd**2 / (sd**2 + np.pi**2 / 3), rel=ALGEBRAIC)
        assert "one trial" in result.target
        assert any("one trial" in n for n in result.notes)
        single = make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", beta=[0.2, 0.5], sd=1.1, **EXACT)
        many = make_fit("k | trials(n) ~ x + (1 | g)", table(), family="binomial", beta=[0.2, 0.5], sd=1.1, **EXACT)
        for scale in ("latent", "response"):
            found = [variance_partition(f, {"x": 1.0}, scale=scale).table["mean"] for f in (single, many)]
            np.testing.assert_array_equal(*found)

    @pytest.mark.parametrize("name", ["logit", "probit", "cloglog", "loglog"])
    def test_components_and_residual_add_up_to_one(self, name):
        fit = crossed_fit(link=name, spread=0.2)
        draws = draws_of(variance_partition(fit, {"x": [-1.0, 2.0]}), "share").reshape(-1, 2, 4)
        np.testing.assert_allclose(draws[..., [0, 1, 3]].sum(axis=-1), 1.0, rtol=ALGEBRAIC)
        np.testing.assert_allclose(draws[..., 2], draws[..., :2].sum(axis=-1), rtol=ALGEBRAIC)

    def test_two_terms_of_one_factor_are_one_component(self):
        options = {"sd": {"g": 1.0, "g.2": 0.5}, **EXACT}
        fit = make_fit("zero_one ~ x + (1 | g) + (0 + x | g)", table(), family="bernoulli", **options)
        result = variance_partition(fit, {"x": 2.0})
        assert result.table["component"].tolist() == ["g", "total", "residual"]
        assert share(result, "g") == pytest.approx(2.0 / (2.0 + np.pi**2 / 3), rel=ALGEBRAIC)


class TestResponse:
    def test_it_is_the_arithmetic_of_the_row(self):
        fit = crossed_fit(spread=0.2, n_draws=5)
        found = draws_of(variance_partition(fit, {"x": 1.5}, scale="response"), "share")
        draws = parameters(fit)
        g, h = draws.groups
        z = np.array([1.0, 1.5])
        m = draws.beta @ [1.0, 1.5, 0.0, 0.0]
        v = np.stack([np.einsum("sk,skl,sl->s", z * g.sd, g.corr, z * g.sd), h.sd[:, 0] ** 2])
        expected = response_shares("logit", m, v)
        np.testing.assert_allclose(found[:, :2].T, expected.factors, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found[:, 2], expected.total, rtol=0, atol=1e-9)
        np.testing.assert_allclose(found[:, 2] + found[:, 3], 1.0, rtol=ALGEBRAIC)

    def test_it_is_the_correlation_of_two_simulated_responses_of_one_level(self):
        """The intraclass correlation of 0/1 responses at one x, from new levels; batches give the error, five of it are allowed."""
        fit = make_fit("zero_one ~ x + (1 | g) + (1 | h)", table(), family="bernoulli", beta=[-0.5, 0.6], sd={"g": 1.4, "h": 0.8}, **EXACT)
        result = variance_partition(fit, {"x": 1.0}, scale="response")
        rng, size = np.random.default_rng(11), (50, 40_000)
        level = 1.4 * rng.normal(size=size)
        pair = [rng.random(size) < 1 / (1 + np.exp(-(0.1 + level + 0.8 * rng.normal(size=size)))) for _ in range(2)]
        found = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(*pair, strict=True)])
        assert abs(found.mean() - share(result, "g", "response")) < MCSE_MULTIPLE * found.std(ddof=1) / np.sqrt(len(found))

    def test_identity_is_the_latent_scale(self):
        fit = make_fit("y ~ x + (x | g) + (1 | h)", table(), sd={"g": [1.0, 0.5], "h": 0.7}, aux={"sigma": 1.2})
        both = draws_of(variance_partition(fit, {"x": [0.0, 1.0]}, scale="both"), "share").reshape(-1, 2, 2, 4)
        np.testing.assert_allclose(both[:, :, 0], both[:, :, 1], rtol=ALGEBRAIC)

    @pytest.mark.parametrize(
        ("family", "link", "response", "reason"),
        [("bernoulli", "cauchit", "zero_one", "Cauchy residual"), ("gaussian", "log", "level", "added to the mean")],
    )
    def test_it_works_where_the_latent_scale_does_not_exist(self, family, link, response, reason):
        fit = make_fit(f"{response} ~ x + (1 | g)", table(), family=family, link=link, beta=[0.3, 0.2], sd=0.7, aux={"sigma": 0.9}, **EXACT)
        for scale in ("latent", "both"):
            with pytest.raises(FamilyError, match=rf"{reason}.*response"):
                variance_partition(fit, scale=scale)
        with pytest.raises(FamilyError, match=rf"{reason}.*scale='response' of variance_partition"):
            r_squared(fit)
        assert 0.0 < share(variance_partition(fit, scale="response"), "g", "response") < 1.0

    def test_gaussian_under_the_log_link(self):
        fit = make_fit("level ~ x + (1 | g)", table(), link="log", beta=[0.3, 0.2], sd=0.7, aux={"sigma": 0.9}, **EXACT)
        between = np.exp(2 * 0.5 + 0.7**2) * np.expm1(0.7**2)
        result = variance_partition(fit, {"x": 1.0}, scale="response")
        assert share(result, "g", "response") == pytest.approx(between / (between + 0.9**2), rel=ALGEBRAIC)

    def test_the_notes_say_that_shares_need_not_add_up(self):
        notes = variance_partition(crossed_fit(), scale="response").notes
        assert any("need not add up" in n for n in notes)
        assert any("<= " in n for n in notes)
        assert any("drug = a (reference level)" in n for n in notes)
        assert not any("need not add up" in n for n in variance_partition(crossed_fit()).notes)


def test_rows_scales_and_components_in_order():
    result = variance_partition(crossed_fit(n_chains=3, n_draws=7), {"x": [0, 1], "drug": ["b"]}, scale="both")
    assert dict(result.draws.sizes) == {"chain": 3, "draw": 7, "row": 16}
    assert result.table["x"].tolist() == [0] * 8 + [1] * 8
    assert result.table["scale"].tolist() == 2 * (4 * ["latent"] + 4 * ["response"])
    assert result.table["component"].tolist() == 4 * ["g", "h", "total", "residual"]
    np.testing.assert_allclose(draws_of(result, "share").mean(axis=0), result.table["mean"], rtol=ALGEBRAIC)
    assert result.draws["component"].values.tolist() == result.table["component"].tolist()
    assert "share of the variance" in str(result)


def test_new_rows_and_blocks_of_draws(monkeypatch):
    fit = crossed_fit()
    whole = draws_of(variance_partition(fit, fit.frame.iloc[[7, 3]], scale="both"), "share")
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 30)
    # blocks differ in the quadrature rule, whose error is at most 2e-10 per moment
    np.testing.assert_allclose(draws_of(variance_partition(fit, fit.frame.iloc[[7, 3]], scale="both"), "share"), whole, rtol=0, atol=1e-9)


def test_without_draws_the_table_is_the_same_and_rows_that_are_alike_are_computed_once(monkeypatch):
    """Rows a few at a time: equal up to rounding, and to the bound of a quadrature rule for other rows (6e-10 per moment)."""
    fit, computed = crossed_fit(), []
    at = pd.concat([fit.frame.iloc[:20]] * 3, ignore_index=True)
    whole = variance_partition(fit, at, scale="both").table
    response = variance_partition_module.response_shares

    def counted(link, m, v, variance):
        computed.append(m.size)
        return response(link, m, v, variance)

    monkeypatch.setattr(variance_partition_module, "response_shares", counted)
    monkeypatch.setattr(variance_partition_module, "AT_ONCE", 40 * 8 * 3)
    parts = variance_partition(fit, at, scale="both", keep_draws=False)
    assert max(computed) <= 40 * 3, "three rows at a time"
    assert sum(computed) == 40 * len(at[["x", "drug"]].drop_duplicates())
    assert not parts.draws.data_vars
    pd.testing.assert_frame_equal(parts.table, whole, rtol=1e-8, atol=1e-8)


def test_without_draws_a_small_table_is_the_same_number():
    fit = crossed_fit()
    without, kept = (variance_partition(fit, {"x": [0.0, 1.0]}, keep_draws=keep) for keep in (False, True))
    pd.testing.assert_frame_equal(without.table, kept.table)
    assert without.n_draws == kept.n_draws > 0
    assert kept.n_draws == 40


def test_known_standard_errors():
    same = make_fit("y | se(e) ~ x + (1 | g)", table().assign(e=0.5), sd=1.5, **EXACT)
    result = variance_partition(same)
    assert share(result, "g") == pytest.approx(1.5**2 / (1.5**2 + 0.25), rel=ALGEBRAIC)
    assert any("known standard error" in n for n in result.notes)
    different = make_fit("y | se(s) ~ x + (1 | g)", table())
    for function in (variance_partition, r_squared):
        with pytest.raises(ArgumentError, match="no one residual variance"):
            function(different)


def test_weights_are_named():
    fit = make_fit("y | weights(w) ~ x + (1 | g)", table())
    for result in (variance_partition(fit), r_squared(fit)):
        assert any("weight one" in n for n in result.notes)


def test_what_has_no_partition_is_refused():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        variance_partition(make_fit("y ~ x", table()))
    with pytest.raises(ArgumentError, match="did you mean 'latent'"):
        variance_partition(crossed_fit(), scale="laten")


class TestRSquared:
    def test_against_published_numbers(self):
        """Sleep study: 0.279 and 0.799, by R's performance::r2_nakagawa (documentation of the package) on lme4's REML fit."""
        found = r_squared(golden_fit("sleepstudy_corr_reml")).table["mean"]
        assert found["marginal"] == pytest.approx(0.279, abs=5e-4)
        assert found["conditional"] == pytest.approx(0.799, abs=5e-4)

    def test_it_is_the_definition_per_draw(self):
        fit = poisson_fit(n_draws=6)
        draws, X = parameters(fit), fit.design.X
        g, h = (group.sd[:, 0] ** 2 for group in draws.groups)
        fixed, mean = (draws.beta @ X.T).var(axis=1, ddof=1), np.exp(draws.beta @ X.T + (g + h)[:, None] / 2).mean(axis=1)
        whole = fixed + g + h + np.log(1 + 1 / mean)
        found = draws_of(r_squared(fit), "r_squared")
        np.testing.assert_allclose(found, np.stack([fixed, fixed + g + h], axis=1) / whole[:, None], rtol=ALGEBRAIC)

    def test_random_slopes_enter_by_their_mean_over_rows(self):
        fit = crossed_fit(n_draws=6)
        draws = parameters(fit)
        v = linear_predictor.group_variance(draws, build_rows(fit, None, target="population"))
        fixed = (draws.beta @ fit.design.X.T).var(axis=1, ddof=1)
        conditional = (fixed + v.mean(axis=1)) / (fixed + v.mean(axis=1) + np.pi**2 / 3)
        np.testing.assert_allclose(draws_of(r_squared(fit), "r_squared")[:, 1], conditional, rtol=ALGEBRAIC)

    def test_without_groups_the_two_are_one(self):
        fit = make_fit("y ~ x + drug", table(), beta=[0.0, 1.0, 0.5, -0.5])
        draws = draws_of(r_squared(fit), "r_squared")
        np.testing.assert_array_equal(draws[:, 0], draws[:, 1])

    def test_without_covariates_nothing_is_explained_by_them(self):
        for formula in ("y ~ 1 + (1 | g)", "y ~ 0 + (1 | g)"):
            found = r_squared(make_fit(formula, table(), sd=1.5, **EXACT)).table["mean"]
            assert found["marginal"] == 0.0
            assert found["conditional"] == pytest.approx(2.25 / 3.25, rel=ALGEBRAIC)

    def test_offsets_are_left_out_and_named(self):
        options = {"family": "poisson", "beta": [0.1, 0.2], "sd": 0.5, **EXACT}
        result = r_squared(make_fit("count ~ x + offset(s) + (1 | g)", table(), **options))
        assert any("Offsets are left out" in n for n in result.notes)
        s, x = table()["s"], table()["x"]
        mean = np.exp(0.1 + 0.2 * x + s + 0.125).mean()
        fixed = 0.04 * x.var(ddof=1)
        assert result.table["mean"]["marginal"] == pytest.approx(fixed / (fixed + 0.25 + np.log(1 + 1 / mean)), rel=ALGEBRAIC)


class TestChange:
    def null(self, **options):
        return make_fit("y ~ 1 + (1 | g)", table(), **{"sd": 2.0, "aux": {"sigma": 1.0}, **options})

    def larger(self, **options):
        return make_fit("y ~ x + (1 | g)", table(), **{"sd": 1.0, "aux": {"sigma": 1.1}, **options})

    def test_proportions_of_the_estimates(self):
        found = variance_change(self.null(**EXACT), self.larger(**EXACT)).table
        assert found.index.tolist() == ["1|g", "sigma"]
        np.testing.assert_allclose(found["mean"], [1 - 1 / 4, 1 - 1.21], rtol=ALGEBRAIC)
        np.testing.assert_allclose(found[["null_variance", "variance"]], [[4.0, 1.0], [1.0, 1.21]], rtol=ALGEBRAIC)

    def test_golden_level_two_predictors(self):
        """Rehab: the variance between rehabs without and with covariates, by lme4."""
        fits = [golden_fit("rehab_sim_null_nagq25", "poisson"), golden_fit("rehab_sim_higher_nagq25", "poisson")]
        v = [golden(n)["random"][0]["sd"][0] ** 2 for n in ("rehab_sim_null_nagq25", "rehab_sim_higher_nagq25")]
        assert variance_change(*fits).table["mean"].item() == pytest.approx((v[0] - v[1]) / v[0], rel=ALGEBRAIC)

    def test_draws_are_paired_independently_and_always_alike(self):
        """Equal draws in equal order would give no change at all: they are permuted. The shorter run says how many pairs there are."""
        result = variance_change(self.null(n_draws=60, spread=0.3), self.null(n_draws=40, spread=0.3, seed=1))
        assert dict(result.draws.sizes) == {"chain": 1, "draw": 80, "component": 2}
        assert any("80 pairs" in n for n in result.notes)
        again = variance_change(self.null(n_draws=60, spread=0.3), self.null(n_draws=40, spread=0.3, seed=1))
        pd.testing.assert_frame_equal(result.table, again.table)
        same = self.null(spread=0.3)
        itself = variance_change(same, same)
        assert np.all(itself.table["sd"] > 0.1)
        assert any("same fit" in n for n in itself.notes)

    def test_the_interval_is_that_of_independent_posteriors(self):
        """Log ratio of independent log-normal SDs: its SD is spread sqrt 2, times 2 for variances; 4000 draws, five standard errors."""
        first, second = self.null(spread=0.1, n_draws=2000), self.larger(spread=0.1, n_draws=2000, seed=9)
        change = variance_change(first, second).draws["change"].to_numpy()[0, :, 0]
        log_ratio = np.log(1 - change)
        assert abs(log_ratio.std() - 0.2 * np.sqrt(2)) < MCSE_MULTIPLE * 0.2 * np.sqrt(2) / np.sqrt(2 * 4000)

    def test_what_is_in_one_fit_only_is_named(self):
        options = {"sd": {"g": [1.0, 0.5], "h": 0.3}, **EXACT}
        result = variance_change(self.null(**EXACT), make_fit("y ~ x + (x | g) + (1 | h)", table(), **options))
        assert any("x|g" in n and "1|h" in n for n in result.notes)
        assert result.table.index.tolist() == ["1|g", "sigma"]

    def test_binary_responses_are_warned_of(self):
        null, larger = (make_fit(f"zero_one ~ {x} + (1 | g)", table(), family="bernoulli") for x in ("1", "x"))
        assert any("stretches the scale" in n for n in variance_change(null, larger).notes)

    def test_other_data_are_refused(self):
        null = self.null()
        with pytest.raises(ArgumentError, match="differ in their response"):
            variance_change(null, make_fit("y ~ x + (1 | g)", table(seed=2)))
        with pytest.raises(ArgumentError, match="120 and 119 rows"):
            variance_change(null, make_fit("y ~ x + (1 | g)", table().iloc[1:]))
        with pytest.raises(ArgumentError, match=r"gaussian \(identity link\) and poisson \(log link\).*one family and link"):
            variance_change(null, poisson_fit())
        by_link = [make_fit("zero_one ~ x + (1 | g)", table(), family="bernoulli", link=name) for name in ("logit", "probit")]
        with pytest.raises(ArgumentError, match=r"bernoulli \(logit link\) and bernoulli \(probit link\)"):
            variance_change(*by_link)
        with pytest.raises(ArgumentError, match=r"groups of their rows.*g: 20 and 4 levels"):
            variance_change(null, make_fit("y ~ x + (1 | g)", table().assign(g=table()["h"])))
        with pytest.raises(ArgumentError, match=r"weights.*only the second fit has them.*with the same weights"):
            variance_change(null, make_fit("y | weights(w) ~ x + (1 | g)", table()))
        with pytest.raises(ArgumentError, match=r"no variance in common.*What to do"):
            variance_change(*(make_fit(f"zero_one ~ x + (1 | {g})", table(), family="bernoulli") for g in ("g", "h")))
        with pytest.raises(ArgumentError, match=r"of the first fit is zero.*What to do"):
            variance_change(self.null(sd=0.0), self.larger())

    def test_rows_that_differ_are_counted(self):
        fits = [make_fit("y | weights(w) ~ x + (1 | g)", table().assign(w=w)) for w in (1.0, np.where(np.arange(120) < 7, 2.0, 1.0))]
        with pytest.raises(ArgumentError, match=r"differ in their weights. Where: 7 of 120 rows"):
            variance_change(*fits)
        swapped = table().assign(g=lambda d: d["g"].where(d.index != 0, d["g"].iloc[-1]).where(d.index != 119, d["g"].iloc[0]))
        with pytest.raises(ArgumentError, match=r"groups of their rows. Where: g: 2 of 120 rows"):
            variance_change(self.null(), make_fit("y ~ x + (1 | g)", swapped))

    def test_known_standard_errors_are_data_too(self):
        fits = [make_fit("y | se(e) ~ x + (1 | g)", table().assign(e=e)) for e in (0.5, 0.6)]
        with pytest.raises(ArgumentError, match=r"differ in their known standard errors. Where: 120 of 120 rows"):
            variance_change(*fits)
        with pytest.raises(ArgumentError, match="only the first fit has them"):
            variance_change(fits[0], self.null())

    def test_the_base_is_named_and_a_larger_base_is_told(self):
        result = variance_change(self.null(), self.larger())
        assert result.title.startswith("Proportional change in variance: y ~ 1 + (1 | g) (base) to y ~ ")
        assert result.target.endswith("the first fit is the base")
        assert not any("larger model" in n for n in result.notes)
        turned = variance_change(self.larger(), self.null()).notes
        assert any("The first fit, the base, is the larger model: only it has x" in n for n in turned)
        other = variance_change(make_fit("y ~ age + (1 | g)", table()), make_fit("y ~ x + (1 | g)", table())).notes
        assert not any("larger model" in n for n in other)

    def test_a_column_of_one_name_with_other_values_is_refused(self):
        moved = make_fit("y ~ x + (1 | g)", table().assign(x=lambda d: d["x"] - (d.index < 3)))
        with pytest.raises(ArgumentError, match=r"a column that both read. Where: column 'x': 3 of 120 rows"):
            variance_change(make_fit("y ~ x + (1 | g)", table()), moved)

    def test_notes_on_a_run_say_which_fit_they_are_of(self):
        good = self.null()
        bad = Fit(good.spec, good.design, good.frame, good.priors, good.idata, type(good.quality)(()), good.provenance)
        told = lambda *fits: [n for n in variance_change(*fits).notes if "Verdict" in n]  # noqa: E731
        assert told(good, bad) == ["second fit: Verdict on the run: attention."]
        assert [n.split(":")[0] for n in told(bad, bad)] == ["first fit", "second fit"]
