"""Three ways to pool: separate fits are maximum likelihood of their rows, pooled ones of all rows, partially pooled ones the draws' own."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.workflows.pooling import pooling
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, table
from tests.tolerances import ALGEBRAIC, REFERENCE


def column(result, name, effect="1"):
    return result.table.loc[result.table["effect"] == effect, name].to_numpy()


def test_random_intercepts_of_a_gaussian_response():
    data = table()
    fit = make_fit("y ~ 1 + (1 | g)", data, beta=[0.3], sd=0.5)
    result = pooling(fit)
    groups = data.groupby("g")["y"]
    np.testing.assert_allclose(column(result, "separate"), groups.mean(), rtol=ALGEBRAIC)
    within = np.sqrt(groups.apply(lambda v: np.sum((v - v.mean()) ** 2)).sum() / (120 - 20))
    np.testing.assert_allclose(column(result, "separate_se"), within / np.sqrt(6), rtol=ALGEBRAIC)
    np.testing.assert_allclose(column(result, "pooled"), data["y"].mean(), rtol=ALGEBRAIC)
    np.testing.assert_allclose(column(result, "pooled_se"), data["y"].std(ddof=1) / np.sqrt(120), rtol=ALGEBRAIC)
    assert result.table["rows"].eq(6).all()


def test_partially_pooled_are_the_coefficients_of_the_mixed_model():
    fit = make_fit("y ~ x + drug + (x | g) + (1 | h)", table(), beta=[0.3, 1.0, 0.2, -0.1])
    result = pooling(fit)
    expected = bg.random_effects(fit, factor="g", coefficients=True).table.set_index(["effect", "level"])
    for effect in ("1", "x"):
        np.testing.assert_allclose(column(result, "mean", effect), expected.loc[effect, "mean"], rtol=ALGEBRAIC)
        np.testing.assert_allclose(column(result, "ci_upper", effect), expected.loc[effect, "ci_upper"], rtol=ALGEBRAIC)
    np.testing.assert_allclose(draws_of(result, "coefficient").mean(axis=0), result.table["mean"], rtol=ALGEBRAIC)
    assert list(result.table["effect"][:2]) == ["1", "x"]


def test_shrinkage_is_the_share_of_the_way_to_the_fixed_effect():
    data, given = table(), np.linspace(-1.0, 1.0, 20)[:, None]
    fit = make_fit("y ~ 1 + (1 | g)", data, beta=[0.3], b=given, spread=0.0)
    own = data.groupby("g")["y"].mean().to_numpy()
    np.testing.assert_allclose(column(pooling(fit), "shrinkage"), 1 - given[:, 0] / (own - 0.3), rtol=1e-9)  # small differences
    complete = make_fit("y ~ 1 + (1 | g)", data, beta=[0.3], b=np.zeros((20, 1)), spread=0.0)
    np.testing.assert_allclose(column(pooling(complete), "shrinkage"), 1.0, rtol=ALGEBRAIC)
    none = make_fit("y ~ 1 + (1 | g)", data, beta=[0.3], b=(own - 0.3)[:, None], spread=0.0)
    np.testing.assert_allclose(column(pooling(none), "shrinkage"), 0.0, atol=ALGEBRAIC)


def test_center_is_what_groups_are_shrunk_to():
    fit = make_fit("y ~ x + (x + s | g)", table(), beta=[0.3, 1.0])
    result = pooling(fit)
    for effect, name in (("1", "Intercept"), ("x", "x")):
        np.testing.assert_allclose(column(result, "center", effect), fit.posterior[name].mean().item(), rtol=ALGEBRAIC)
    assert (column(result, "center", "s") == 0.0).all()
    shrinkage = 1 - (result.table["mean"] - result.table["center"]) / (result.table["separate"] - result.table["center"])
    np.testing.assert_allclose(result.table["shrinkage"], shrinkage, rtol=ALGEBRAIC)


@pytest.mark.parametrize("formula", ["y ~ drug + (0 + drug | h)", "y ~ 0 + drug + (drug | h)", "y ~ drug + (drug | h)"])
def test_a_difference_is_not_added_to_a_level(formula):
    """The columns of drug[b] are alike; in one part they mean a level, in the other a difference from the reference."""
    fit = make_fit(formula, table(), beta=[0.3, 1.0, -0.5])
    result = pooling(fit)
    expected = bg.random_effects(fit, coefficients=True).table.set_index(["effect", "level"])["mean"]
    for effect in result.table["effect"].unique():
        np.testing.assert_allclose(column(result, "mean", effect), expected.loc[effect], rtol=ALGEBRAIC)
    alone = formula != "y ~ drug + (drug | h)"
    assert any("same term and coding" in n for n in result.notes) == alone
    assert (result.table["center"] == 0.0).all() == alone


def test_slopes_are_least_squares_of_each_group():
    data = table()
    fit = make_fit("y ~ x + (x || g)", data)
    result = pooling(fit)
    lines = np.array([np.polyfit(part["x"], part["y"], 1) for _, part in data.groupby("g")])
    np.testing.assert_allclose(column(result, "separate", "x"), lines[:, 0], rtol=1e-8)  # two least-squares solvers
    np.testing.assert_allclose(column(result, "separate", "1"), lines[:, 1], rtol=1e-8)
    np.testing.assert_allclose(column(result, "pooled", "x"), np.polyfit(data["x"], data["y"], 1)[0], rtol=1e-8)


def test_the_rest_of_the_predictor_is_held():
    data = table()
    other = np.array([[0.5], [-0.5], [1.0], [0.0]])
    fit = make_fit("y ~ x + offset(s) + (1 | g) + (1 | h)", data, beta=[0.3, 2.0], b={"h": other}, spread=0.0)
    left = data["y"] - data["s"] - 2.0 * data["x"] - other[pd.Categorical(data["h"]).codes, 0]
    np.testing.assert_allclose(column(pooling(fit), "separate"), left.groupby(data["g"]).mean(), rtol=1e-9)
    assert set(pooling(fit, factor="h").table["level"]) == {"p", "q", "r", "s"}


def test_two_terms_of_one_factor_are_fitted_together():
    data = table()
    joint, split = (pooling(make_fit(f"y ~ x + {terms}", data)) for terms in ("(x || g)", "(1 | g) + (0 + x | g)"))
    for effect in ("1", "x"):
        np.testing.assert_allclose(column(joint, "separate", effect), column(split, "separate", effect), rtol=ALGEBRAIC)


def test_binary_groups_that_are_all_alike_have_no_estimate_of_their_own():
    data = table().assign(zero_one=lambda d: np.where(d["g"].isin(["g00", "g07"]), 1, d["zero_one"]))
    result = pooling(make_fit("zero_one ~ 1 + (1 | g)", data, family="bernoulli", beta=[0.5]))
    share = data.groupby("g")["zero_one"].mean().to_numpy()
    alike = share == 1.0
    assert alike.sum() == 2
    assert np.isnan(column(result, "separate")[alike]).all()
    assert np.isnan(column(result, "shrinkage")[alike]).all()
    assert np.isfinite(column(result, "mean")).all()
    np.testing.assert_allclose(column(result, "separate")[~alike], special.logit(share[~alike]), rtol=REFERENCE)
    np.testing.assert_allclose(column(result, "separate_se")[~alike], 1 / np.sqrt(6 * (share * (1 - share))[~alike]), rtol=REFERENCE)
    assert any("2 of 20 levels (g00, g07)" in n and "alike" in n for n in result.notes)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_scoring_finds_the_maximum(link):
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=300), "n": 5, "g": np.repeat(["a", "b", "c"], 100)})
    data = data.assign(k=rng.binomial(5, special.expit(0.4 + 0.8 * data["x"])))
    fit = make_fit("k | trials(n) ~ x + (x | g)", data, family="binomial", link=link)
    result = pooling(fit)
    own = data[data["g"] == "b"]

    def cost(beta):
        p = fit.link.inverse(beta[0] + beta[1] * own["x"].to_numpy())
        return -np.sum(own["k"] * np.log(p) + (5 - own["k"]) * np.log1p(-p))

    best = optimize.minimize(cost, [0.0, 0.0], method="BFGS", options={"gtol": 1e-8})
    found = result.table.loc[result.table["level"] == "b", "separate"]
    np.testing.assert_allclose(found, best.x, atol=1e-5)  # finite differences inside BFGS


def test_counts_with_exposures_and_weights():
    data = table().assign(count=lambda d: d["count"] * 1000 + 1)
    fit = make_fit("count | weights(w) ~ 1 + offset(log(level)) + (1 | g)", data, family="poisson", beta=[5.0])
    totals = data.assign(a=data["w"] * data["count"], b=data["w"] * data["level"]).groupby("g")[["a", "b"]].sum()
    np.testing.assert_allclose(column(pooling(fit), "separate"), np.log(totals["a"] / totals["b"]), rtol=REFERENCE)


def test_known_standard_errors_weigh_the_rows():
    data = table()
    result = pooling(make_fit("y | se(s) ~ 1 + (1 | g)", data))
    w = 1 / data["s"] ** 2
    totals = w.groupby(data["g"]).sum()
    np.testing.assert_allclose(column(result, "separate"), (w * data["y"]).groupby(data["g"]).sum() / totals, rtol=ALGEBRAIC)
    np.testing.assert_allclose(column(result, "separate_se"), 1 / np.sqrt(totals), rtol=ALGEBRAIC)


def test_groups_with_too_few_rows_and_effects_without_a_fixed_effect():
    data = pd.concat([table(), table().iloc[:1].assign(g="lonely")], ignore_index=True)
    result = pooling(make_fit("y ~ 1 + (x | g)", data))
    lonely = result.table[result.table["level"] == "lonely"]
    assert lonely["separate"].isna().all()
    assert lonely["mean"].notna().all()
    assert any("lonely" in n and "too few" in n for n in result.notes)
    assert np.isnan(column(result, "pooled", "x")).all()
    assert any("shrunk to zero" in n and "x" in n for n in result.notes)
    np.testing.assert_allclose(
        column(result, "shrinkage", "x")[:20], 1 - (column(result, "mean", "x") / column(result, "separate", "x"))[:20], rtol=ALGEBRAIC
    )


def test_a_formula_is_fitted():
    data = bg.datasets.load("Dyestuff")
    with pytest.warns(bg.errors.QualityWarning):
        result = pooling("Yield ~ 1 + (1 | Batch)", data, draws=100, tune=200, chains=2, seed=1, progress=False)
    np.testing.assert_allclose(column(result, "separate"), data.groupby("Batch", observed=True)["Yield"].mean(), rtol=ALGEBRAIC)
    far = np.abs(column(result, "separate") - 1527.5) > 30  # where the way to the middle is long enough for its share to mean something
    assert far.sum() >= 2
    assert np.all((column(result, "shrinkage")[far] > 0) & (column(result, "shrinkage")[far] < 1))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda f: pooling(f, table()), "neither a table"),
        (lambda f: pooling(f, draws=10), "neither a table"),
        (lambda f: pooling(f, factor="x"), "no grouping factor of the model"),
        (lambda f: pooling(3), "a fit or a formula"),
        (lambda f: pooling(make_fit("y ~ x", table())), "has no grouping factor"),
    ],
)
def test_refusals(call, match):
    with pytest.raises(ArgumentError, match=match):
        call(make_fit("y ~ x + (1 | g)", table()))


def test_what_is_held_for_separate_estimates_is_told():
    fit = crossed_fit()
    assert any("random effects of h at their posterior means" in note for note in pooling(fit, factor="g").notes)
    assert not any("posterior means" in note for note in pooling(make_fit("y ~ x + (x | g)", table())).notes)


def nested_table() -> pd.DataFrame:
    """Three batches of four casks, of unequal sizes."""
    data = table().assign(batch=np.repeat(["A", "B", "C"], 40), cask=np.repeat([f"{b}{k}" for b in "ABC" for k in range(4)], 10))
    return data.drop(index=[0, 1, 2, 3, 4, 5, 50, 51, 119]).reset_index(drop=True)


class TestNestedFactors:
    """Effects of nested levels are integrated out."""

    formula = "y ~ x + (1 | batch) + (x | cask)"

    def test_of_a_gaussian_response_are_generalized_least_squares(self):
        data = nested_table()
        given = {"batch": 0.5, "cask": [0.9, 0.4]}
        fit = make_fit(
            self.formula, data, beta=[0.3, 1.0], sd=given, corr={"cask": [[1.0, 0.5], [0.5, 1.0]]}, aux={"sigma": 0.8}, spread=0.0
        )
        result = pooling(fit, factor="batch")
        D = np.array([[0.81, 0.18], [0.18, 0.16]])
        for k, level in enumerate("ABC"):
            own = data[data["batch"] == level]
            z = np.column_stack([np.ones(len(own)), own["x"]])
            V = 0.64 * np.eye(len(own)) + (z @ D @ z.T) * (own["cask"].to_numpy()[:, None] == own["cask"].to_numpy())
            w = np.linalg.solve(V, np.ones(len(own)))
            assert column(result, "separate")[k] == pytest.approx(w @ (own["y"] - own["x"]) / w.sum(), rel=1e-9)
            assert column(result, "separate_se")[k] == pytest.approx(w.sum() ** -0.5, rel=1e-9)
        assert any("integrated over the random effects of cask" in n for n in result.notes)
        assert not any("separate: with the random effects" in n for n in result.notes)

    def test_do_not_depend_on_the_draws_of_the_children(self):
        """The mean of a balanced batch's rows is its own estimate, wherever the effects of its casks are."""
        data = nested_table()
        fits = [make_fit("y ~ 1 + (1 | batch) + (1 | cask)", data, beta=[0.3], b={"cask": np.full((12, 1), v)}) for v in (0.0, 5.0)]
        first, second = (column(pooling(fit, factor="batch"), "separate") for fit in fits)
        np.testing.assert_allclose(first, second, rtol=ALGEBRAIC)
        own = data[data["batch"] == "C"].groupby("cask")["y"].agg(["mean", "size"])
        weight = 1.0 / (1.0 + 1.0 / own["size"])
        assert first[2] == pytest.approx(np.average(own["mean"], weights=weight), abs=1e-2)  # SDs near one

    def test_known_errors_and_weights_are_those_of_the_rows(self):
        data = nested_table()
        fit = make_fit("y | se(s) ~ 1 + (1 | batch) + (1 | cask)", data, sd={"cask": 0.0}, spread=0.0)
        own = data[data["batch"] == "B"]
        assert column(pooling(fit), "separate")[1] == pytest.approx(np.average(own["y"], weights=1 / own["s"] ** 2), rel=1e-9)

    @pytest.mark.parametrize(("family", "response"), [("bernoulli", "zero_one"), ("poisson", "count")])
    def test_of_other_responses_maximize_the_integral(self, family, response):
        data = nested_table()
        fit = make_fit(f"{response} ~ 1 + offset(x) + (1 | batch) + (1 | cask)", data, family=family, sd={"cask": 1.2}, spread=0.0)
        result = pooling(fit)
        own = data[data["batch"] == "B"]
        nodes = np.linspace(-8.0, 8.0, 1601)
        weights = 0.01 * np.exp(-0.5 * nodes**2) / np.sqrt(2.0 * np.pi)

        def cost(beta):
            eta = own["x"].to_numpy() + beta + 1.2 * nodes[:, None]
            p = fit.family.log_prob(own[response].to_numpy(dtype=float), eta, fit.link)
            return -sum(np.log(weights @ np.exp(p[:, (own["cask"] == c).to_numpy()].sum(axis=1))) for c in own["cask"].unique())

        best = optimize.minimize_scalar(cost, bounds=(-4.0, 4.0), method="bounded", options={"xatol": 1e-9})
        assert column(result, "separate")[1] == pytest.approx(best.x, abs=1e-6)  # the minimizer
        h = 1e-3
        curvature = (cost(best.x + h) - 2 * cost(best.x) + cost(best.x - h)) / h**2
        assert column(result, "separate_se")[1] == pytest.approx(curvature**-0.5, rel=1e-4)  # a second difference

    def test_separated_batches_have_no_estimate(self):
        data = nested_table().assign(zero_one=lambda d: np.where(d["batch"] == "A", 1, d["zero_one"]))
        result = pooling(make_fit("zero_one ~ 1 + (1 | batch/cask)", data, family="bernoulli"), factor="batch")
        assert np.isnan(column(result, "separate")).tolist() == [True, False, False]
        assert any("1 of 3 levels (A)" in n and "alike" in n for n in result.notes)

    def test_children_keep_their_parent_held(self):
        fit = make_fit("y ~ 1 + (1 | batch) + (1 | cask)", nested_table())
        notes = pooling(fit, factor="cask").notes
        assert any("random effects of batch at their posterior means" in n for n in notes)
        assert not any("integrated" in n for n in notes)

    def test_several_effects_are_refused_with_what_to_do(self):
        fit = make_fit("zero_one ~ x + (1 | batch) + (x | cask)", nested_table(), family="bernoulli")
        with pytest.raises(ArgumentError, match=r"cask lie within those of batch.*use factor='cask'; random_effects"):
            pooling(fit, factor="batch")
