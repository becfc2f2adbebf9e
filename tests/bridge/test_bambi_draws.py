"""A Bambi model's draws give, under our names, Bambi's own linear predictor."""

import warnings

import numpy as np
import pytest
import xarray as xr

from bayesglmm import naming
from bayesglmm.bridge.bambi import from_bambi
from bayesglmm.errors import ArgumentError, PriorError, QualityWarning
from bayesglmm.fit.provenance import hash_frame
from bayesglmm.io.fits import load, save
from bayesglmm.io.verify import check_posterior
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.marginal import marginal_coefficients
from bayesglmm.post.means import means
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.summary import summary
from tests.bridge.made_up import bambi_means, bambi_model, made_up_idata, predictor, table
from tests.tolerances import ALGEBRAIC

CASES = {
    "intercept only": ("y ~ 1", {}, "y ~ 1"),
    "factors, a category in its own order, truth values": (
        "y ~ x * drug + arm + flag + (x | g)",
        {},
        "y ~ 1 + x + drug + arm + flag + x:drug + (1 + x || g)",
    ),
    "ordered category": ("y ~ stage + (1 | h)", {}, "y ~ 1 + stage + (1 | h)"),
    "cell means": ("y ~ 0 + drug + x + (0 + drug | g)", {}, "y ~ 0 + drug + x + (0 + drug || g)"),
    "factor slopes": ("y ~ drug + (drug | g)", {}, "y ~ 1 + drug + (1 + drug || g)"),
    "interactions": ("y ~ drug:arm + x:z", {}, "y ~ 1 + arm + drug:arm + x:z"),
    "crossed and nested": ("y ~ x + (1 | g / h)", {}, "y ~ 1 + x + (1 | g) + (1 | g:h)"),
    "two terms of one factor": ("y ~ x + (1 | g) + (0 + x | g)", {}, "y ~ 1 + x + (1 + x || g)"),
    "transforms": (
        "np.log(w) ~ np.exp(x) + I((x + z) ** 2) + {x * 2 - z} + center(z) + np.sqrt(`time of day`)",
        {},
        "log(w) ~ 1 + exp(x) + I((x + z) ** 2) + I(x * 2 - z) + center(z) + sqrt(`time of day`)",
    ),
    "numbers as factor": ("y ~ C(k) + (1 | h)", {}, "y ~ 1 + C(k) + (1 | h)"),
    "declared categorical": ("y ~ k + (1 | h)", {"categorical": ["k"]}, "y ~ 1 + k + (1 | h)"),
    "bernoulli": ("zero_one ~ x + (x | g) + (1 | h)", {"family": "bernoulli"}, "zero_one ~ 1 + x + (1 + x || g) + (1 | h)"),
    "a named level": ("answer['no'] ~ x + (1 | g)", {"family": "bernoulli"}, "answer ~ 1 + x + (1 | g)"),
    "the first level": ("arm ~ x + (1 | g)", {"family": "bernoulli", "link": "probit"}, "arm ~ 1 + x + (1 | g)"),
    "cloglog": ("flag ~ x + (1 | g)", {"family": "bernoulli", "link": "cloglog"}, "flag ~ 1 + x + (1 | g)"),
    "binomial": ("p(k, n) ~ x + (1 | g)", {"family": "binomial"}, "k | trials(n) ~ 1 + x + (1 | g)"),
    "one number of trials": ("proportion(k, 9) ~ x", {"family": "binomial"}, "k | trials(9) ~ 1 + x"),
    "poisson with an offset": (
        "count ~ x + offset(np.log(w)) + (1 | g)",
        {"family": "poisson"},
        "count ~ 1 + x + (1 | g) + offset(log(w))",
    ),
    "weights": ("weighted(y, w) ~ x + (1 | g)", {}, "y | weights(w) ~ 1 + x + (1 | g)"),
    "not centered": ("y ~ x + (1 | g)", {"center_predictors": False, "noncentered": False}, "y ~ 1 + x + (1 | g)"),
}
"""Name: Bambi's formula, its options, our formula."""


def mapped(model, idata=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QualityWarning)
        return from_bambi(model, made_up_idata(model) if idata is None else idata, **options)


@pytest.mark.parametrize("name", CASES)
def test_the_means_are_those_of_bambi(name):
    formula, options, ours = CASES[name]
    model = bambi_model(formula, **options)
    idata = made_up_idata(model)
    fit = mapped(model, idata)
    assert fit.spec.formula == ours
    straight = made_up_idata(model, shuffle=False)  # Bambi's own prediction goes by position, so it gets the labels in its order
    for variable in straight["posterior"].data_vars:
        aligned = idata["posterior"][variable].reindex_like(straight["posterior"][variable])
        straight["posterior"][variable] = aligned
    np.testing.assert_allclose(fit.link.inverse(predictor(fit)), bambi_means(model, straight), rtol=ALGEBRAIC, atol=ALGEBRAIC)
    check_posterior(fit.posterior, fit.design, fit.family.auxiliary, fit.provenance)


def test_every_result_works_and_the_fit_is_stored(tmp_path):
    fit = mapped(bambi_model("zero_one ~ x + arm + (x | g)", family="bernoulli"))
    for result in (summary(fit), random_effects(fit), marginal_coefficients(fit), heterogeneity(fit), means(fit, target="population")):
        assert len(result.table)
    again = load(save(fit, tmp_path / "fit.nc"))
    xr.testing.assert_equal(again.posterior, fit.posterior)
    assert again.priors == fit.priors
    assert again.spec == fit.spec
    assert again.provenance == fit.provenance
    assert again.quality.verdict == fit.quality.verdict


def test_random_effects_follow_their_labels():
    model = bambi_model("y ~ x + (1 | g)")
    idata = made_up_idata(model)
    fit = mapped(model, idata)
    ours, theirs = fit.posterior["1|g"], idata["posterior"]["1|g"]
    assert list(ours[naming.factor_dim("g")].to_numpy()) == ["1", "2", "4", "7", "10", "30"]
    assert list(theirs["g__factor_dim"].to_numpy()) != ["1", "2", "4", "7", "10", "30"]
    for level in ("1", "2", "10", "30"):
        np.testing.assert_array_equal(ours.sel(g__factor_dim=level), theirs.sel(g__factor_dim=level))


def test_standard_deviations_and_sigma_are_taken_over():
    model = bambi_model("y ~ drug + (drug | g)")
    idata = made_up_idata(model)
    fit = mapped(model, idata)
    theirs = idata["posterior"].to_dataset()
    np.testing.assert_array_equal(fit.posterior["sigma"], theirs["sigma"])
    np.testing.assert_array_equal(fit.posterior["1|g_sigma"], theirs["1|g_sigma"])
    ours = fit.posterior["drug|g_sigma"]
    for level in ours["drug__expr_dim"].to_numpy():
        np.testing.assert_array_equal(ours.sel(drug__expr_dim=level), theirs["drug|g_sigma"].sel(drug__expr_dim=level))


def test_aliases_are_followed():
    model = bambi_model("y ~ x + drug + (1 | g)")
    model.set_alias({"drug": "treatment", "1|g": "site", "sigma": "noise", "Intercept": "constant"})
    idata = made_up_idata(model)
    assert {"treatment", "site", "site_noise", "noise", "constant"} <= set(idata["posterior"].data_vars)
    fit = mapped(model, idata)
    np.testing.assert_array_equal(fit.posterior["Intercept"], idata["posterior"]["constant"])
    np.testing.assert_array_equal(fit.posterior["1|g_sigma"], idata["posterior"]["site_noise"])
    np.testing.assert_array_equal(fit.posterior["drug"].sel(drug_dim="c"), idata["posterior"]["treatment"].sel(treatment_dim="c"))


def test_the_record_says_where_the_fit_comes_from():
    model = bambi_model("answer['yes'] ~ x + (x | g)", family="bernoulli", noncentered={"p": False})
    fit = mapped(model, target_accept=0.95)
    assert fit.provenance.engine == "bambi"
    assert "fitted with Bambi" in fit.engine
    assert "answer is 1 where it was 'yes'" in fit.engine
    assert fit.provenance.parameterization == (("g", "centered"),)
    assert fit.provenance.settings.target_accept == 0.95
    assert not fit.provenance.seed_given
    assert fit.provenance.data_hash == hash_frame(fit.frame)
    assert "bambi" in dict(fit.provenance.versions)
    np.testing.assert_array_equal(fit.frame["answer"], (table()["answer"] == "yes").astype(float))


def test_the_users_table_is_not_changed():
    data = table()
    before = data.copy(deep=True)
    mapped(bambi_model("answer['yes'] ~ arm + flag + (1 | g)", data, family="bernoulli"))
    assert data.equals(before)
    assert list(data["arm"].cat.categories) == ["placebo", "active"]


def test_rows_with_missing_values_are_dropped_as_bambi_does():
    data = table()
    data.loc[[3, 17], "x"] = np.nan
    data.loc[5, "arm"] = None
    model = bambi_model("y ~ x + arm + (1 | g)", data, dropna=True)
    fit = mapped(model)
    assert len(fit.design.y) == len(data) - 3
    np.testing.assert_array_equal(fit.design.y, model.response_term.data)


def test_groups_without_rows_are_left_out():
    """Bambi draws effects for every pair of two factors, also for pairs that do not occur."""
    data = table()
    data = data[~((data["g"] == 2) & (data["h"] == "p"))].reset_index(drop=True)
    model = bambi_model("y ~ x + (1 | g:h)", data)
    idata = made_up_idata(model)
    fit = mapped(model, idata)
    assert "2:p" in idata["posterior"]["g:h__factor_dim"].to_numpy()
    assert "2:p" not in fit.design.groups[0].levels
    np.testing.assert_array_equal(
        fit.posterior["1|g:h"].sel({"g:h__factor_dim": "10:q"}), idata["posterior"]["1|g:h"].sel({"g:h__factor_dim": "10:q"})
    )


def spoilt(idata, change):
    return xr.DataTree.from_dict({"posterior": change(idata["posterior"].to_dataset()), "sample_stats": idata["sample_stats"].to_dataset()})


def nan_sigma(posterior):
    return posterior.assign(sigma=posterior["sigma"] * np.nan)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.drop_vars("1|g"), r"lacks a variable.*1\|g\."),
        (lambda p: p.drop_vars("x"), "lacks a variable.*x"),
        (lambda p: p.drop_vars("1|g_sigma"), "lacks a variable.*_sigma"),
        (lambda p: p.drop_vars("sigma"), "no draws of sigma"),
        (lambda p: p.drop_vars("drug_dim"), "no labels.*drug_dim"),
        (lambda p: p.assign_coords(drug_dim=["b", "d"]), "labels of the draws.*drug_dim: c"),
        (lambda p: p.assign_coords(drug_dim=["b", "b"]), "labels of the draws"),
        (lambda p: p.isel(g__factor_dim=slice(1, None)), "labels of the draws"),
        (lambda p: p.isel(drug_dim=0), "dims of a variable"),
        (nan_sigma, "no finite numbers.*sigma"),
        (lambda p: p.assign_attrs(modeling_interface="else"), "not signed by Bambi"),
    ],
)
def test_draws_that_are_not_the_models_are_refused(change, words):
    model = bambi_model("y ~ x + drug + (1 | g)")
    with pytest.raises(ArgumentError, match=words):
        mapped(model, spoilt(made_up_idata(model), change))


def test_draws_of_other_data_are_refused():
    model = bambi_model("y ~ x + (1 | g)")
    idata = made_up_idata(model)
    good = xr.Dataset({"y": ("__obs__", table()["y"].to_numpy())})
    assert mapped(model, xr.DataTree.from_dict({**{n: idata[n].to_dataset() for n in idata.children}, "observed_data": good}))
    bad = good.assign(y=good["y"] + 1.0)
    with pytest.raises(ArgumentError, match="response that is stored"):
        mapped(model, xr.DataTree.from_dict({**{n: idata[n].to_dataset() for n in idata.children}, "observed_data": bad}))


def test_idata_without_draws_is_refused():
    model = bambi_model("y ~ x")
    for idata in (None, {}, xr.DataTree()):
        with pytest.raises(ArgumentError, match="no group 'posterior'"):
            from_bambi(model, idata)


def test_without_statistics_the_verdict_says_so():
    model = bambi_model("y ~ x + (1 | g)")
    fit = mapped(model, {"posterior": made_up_idata(model)["posterior"].to_dataset()})
    assert fit.quality["mcmc.divergences"].verdict == "not run"
    assert fit.quality.verdict != "ok"


def test_statistics_that_no_file_can_hold_are_left_out():
    fit = mapped(bambi_model("y ~ x + (1 | g)"))
    assert set(fit.idata["sample_stats"].data_vars) == {"diverging", "acceptance_rate"}


def test_bad_draws_get_a_warning():
    model = bambi_model("y ~ x + (1 | g)")
    with pytest.warns(QualityWarning, match="Verdict"):
        from_bambi(model, made_up_idata(model))


def test_priors_without_a_counterpart_are_named_or_recorded_as_stand_ins():
    import bambi

    model = bambi_model("y ~ x + (1 | g)", priors={"x": bambi.Prior("Flat")})
    with pytest.raises(PriorError, match=r"Flat\(\) of b\[x\]"):
        mapped(model)
    fit = mapped(model, unknown_priors="default")
    assert "stands in for Flat() of b[x]" in fit.engine
    assert "b[x]" not in dict(fit.spec.priors)
    with pytest.raises(ArgumentError, match="unknown_priors"):
        mapped(model, unknown_priors="guess")
