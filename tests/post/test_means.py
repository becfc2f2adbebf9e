"""Means for the four targets, against the formula written out per draw."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import get_link
from bayesglmm.post import linear_predictor
from bayesglmm.post import means as means_module
from bayesglmm.types import Target, choices
from tests.fits import make_fit
from tests.post.makers import crossed_fit, draws_of, parameters, table
from tests.tolerances import ALGEBRAIC

TARGETS = choices(Target)


def eta_of(fit: Fit, i: int, levels: tuple[int, int]) -> np.ndarray:
    """Predictor of row i of the data with the levels of (g, h) given, per draw, from the definition."""
    design, draws = fit.design, parameters(fit)
    eta = design.offset[i] + draws.beta @ design.X[i]
    for group, values, level in zip(design.groups, draws.groups, levels, strict=True):
        eta = eta + values.b[:, level] @ group.Z[i]
    return eta


def test_average_subject_is_the_inverse_link_of_the_fixed_part():
    fit = crossed_fit()
    found = draws_of(bg.means(fit, fit.frame, target="average_subject"))
    np.testing.assert_allclose(found, special.expit(parameters(fit).beta @ fit.design.X.T), rtol=ALGEBRAIC)


def test_group_is_the_conditional_mean_of_each_row():
    fit = crossed_fit()
    found = draws_of(bg.means(fit, fit.frame, target="group"))
    for i in (0, 17, 119):
        levels = tuple(int(g.index[i]) for g in fit.design.groups)
        np.testing.assert_allclose(found[:, i], special.expit(eta_of(fit, i, levels)), rtol=ALGEBRAIC)


def test_observed_groups_average_over_the_combinations_in_the_data():
    fit = crossed_fit()
    found = draws_of(bg.means(fit, fit.frame, target="observed_groups"))
    combinations = set(zip(*(g.index.tolist() for g in fit.design.groups), strict=True))
    assert len(combinations) < len(fit.design.y), "the test needs a combination that occurs twice, to be counted once"
    for i in (0, 50):
        expected = np.mean([special.expit(eta_of(fit, i, levels)) for levels in combinations], axis=0)
        np.testing.assert_allclose(found[:, i], expected, rtol=ALGEBRAIC)


def test_observed_groups_does_not_depend_on_the_block_size(monkeypatch):
    fit = crossed_fit()
    whole = {t: draws_of(bg.means(fit, target=t, by="drug")) for t in TARGETS}
    monkeypatch.setattr(linear_predictor, "BLOCK_ELEMENTS", 300)
    for target, values in whole.items():
        # blocks differ in the quadrature rule, whose error is at most 1e-10
        np.testing.assert_allclose(draws_of(bg.means(fit, target=target, by="drug")), values, rtol=0, atol=2e-10)


def test_without_grouping_factor_the_targets_are_one():
    fit = make_fit("zero_one ~ x + drug", table(), family="bernoulli", beta=[0.3, 1.0, -1.0, 0.5])
    for target in TARGETS:
        result = bg.means(fit, {"x": [-1, 2]}, target=target)
        np.testing.assert_array_equal(draws_of(result), draws_of(bg.means(fit, {"x": [-1, 2]}, target="average_subject")))
        assert "no grouping factor" in result.target


def test_random_effects_without_spread_make_the_targets_one():
    fit = crossed_fit(sd={"g": [0.0, 0.0], "h": [0.0]})
    wanted = draws_of(bg.means(fit, target="average_subject", by="drug"))
    for target in TARGETS:
        np.testing.assert_allclose(draws_of(bg.means(fit, target=target, by="drug")), wanted, rtol=ALGEBRAIC)


def test_rows_are_averaged_per_draw_before_draws_are_summarised():
    """Pinned: for anti-correlated rows the interval of the average is far inside the average of the intervals."""
    data = table().assign(x=np.resize([-1.0, 1.0], 120))
    fit = make_fit("y ~ x + (1 | g)", data, beta=[2.0, 3.0], spread=0.5, n_draws=400)
    rows = bg.means(fit, data, target="average_subject").table
    average = bg.means(fit, target="average_subject").table
    ends = rows[["ci_lower", "ci_upper"]].mean()
    per_draw = parameters(fit).beta @ fit.design.X.mean(axis=0)
    np.testing.assert_allclose(average[["ci_lower", "ci_upper"]].iloc[0], np.quantile(per_draw, [0.025, 0.975]), rtol=ALGEBRAIC)
    assert (average["ci_upper"] - average["ci_lower"]).item() < 0.8 * (ends["ci_upper"] - ends["ci_lower"])


def test_by_averages_within_levels_in_their_order():
    fit = crossed_fit()
    result = bg.means(fit, target="average_subject", by=["drug", "h"])
    rows = draws_of(bg.means(fit, fit.frame, target="average_subject"))
    assert list(result.table["drug"].unique()) == ["a", "b", "c"]
    for k, (drug, h) in enumerate(result.table[["drug", "h"]].itertuples(index=False)):
        mask = ((fit.frame["drug"] == drug) & (fit.frame["h"] == h)).to_numpy()
        np.testing.assert_allclose(draws_of(result)[:, k], rows[:, mask].mean(axis=1), rtol=ALGEBRAIC)


def test_overall_average_says_how_many_rows():
    result = bg.means(crossed_fit(), target="average_subject")
    assert len(result.table) == 1
    assert any("120 rows averaged into one number" in note for note in result.notes)


def test_integer_weights_count_rows_repeatedly():
    fit, times = crossed_fit(), np.resize([0, 1, 3], 120)
    weighted = bg.means(fit, target="population", by="h", weights=times)
    repeated = bg.means(fit, fit.frame.iloc[np.repeat(np.arange(120), times)], target="population", by="h")
    np.testing.assert_allclose(draws_of(weighted), draws_of(repeated), rtol=ALGEBRAIC)


def test_weights_by_name_are_weights_by_value():
    fit = make_fit("y | weights(w) ~ x + (1 | g)", table())
    named = bg.means(fit, target="average_subject", weights="w")
    np.testing.assert_array_equal(draws_of(named), draws_of(bg.means(fit, target="average_subject", weights=table()["w"])))
    assert not np.allclose(draws_of(named), draws_of(bg.means(fit, target="average_subject")))


def test_binomial_means_are_probabilities_and_offsets_count():
    fit = make_fit("k | trials(n) ~ x + offset(s) + (1 | g)", table(), family="binomial", beta=[0.2, 0.5], spread=0.0)
    result = bg.means(fit, {"x": [1.0], "s": [0.7]}, target="average_subject")
    np.testing.assert_allclose(result.table["mean"], special.expit(0.2 + 0.5 + 0.7), rtol=ALGEBRAIC)
    assert result.title.startswith("Probabilities")


@pytest.mark.parametrize("target", TARGETS)
def test_link_scale_is_the_link_of_the_response_scale(target):
    fit = crossed_fit()
    at = fit.frame.iloc[:5] if target == "group" else {"x": [-1, 0, 1]}
    response, link = bg.means(fit, at, target=target), bg.means(fit, at, target=target, scale="link")
    np.testing.assert_allclose(draws_of(link), special.logit(draws_of(response)), rtol=1e-9)  # logit loses digits of 1 - p
    averaged = bg.means(fit, target=target, by="drug", scale="link"), bg.means(fit, target=target, by="drug")
    np.testing.assert_allclose(draws_of(averaged[0]), special.logit(draws_of(averaged[1])), rtol=1e-9)


def test_link_scale_of_the_population_is_named():
    result = bg.means(crossed_fit(), {"x": 0}, target="population", scale="link")
    assert "g(E h)" in result.title


@pytest.mark.parametrize("target", TARGETS)
def test_link_scale_keeps_means_that_round_to_one(target):
    fit = crossed_fit(beta={"Intercept": 60.0}, sd={"g": [0.5, 0.5], "h": [0.5]}, spread=0.0)
    found = draws_of(bg.means(fit, target=target, by="drug", scale="link"))
    assert np.all(found > 55.0)
    assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(draws_of(bg.means(fit, target=target, by="drug")), 1.0)


def test_draws_carry_the_rows():
    result = bg.means(crossed_fit(n_chains=3, n_draws=7), {"x": [0, 1], "drug": ["b", "c"]}, target="population")
    assert dict(result.draws.sizes) == {"chain": 3, "draw": 7, "row": 4}
    assert result.draws["drug"].values.tolist() == ["b", "c", "b", "c"]
    np.testing.assert_allclose(result.draws["mean_response"].mean(("chain", "draw")), result.table["mean"], rtol=ALGEBRAIC)


def test_interval_kind_and_level():
    fit = crossed_fit(n_draws=200)
    narrow = bg.means(fit, target="population", ci_prob=0.5, ci_kind="hdi")
    wide = bg.means(fit, target="population")
    assert narrow.interval is not None
    assert narrow.interval.headers[0] == "hdi 50 % low"
    assert (narrow.table["ci_upper"] - narrow.table["ci_lower"]).item() < (wide.table["ci_upper"] - wide.table["ci_lower"]).item()


def test_the_target_has_no_default():
    with pytest.raises(ArgumentError, match="target"):
        bg.means(crossed_fit())


def test_options_are_checked():
    fit = crossed_fit()
    with pytest.raises(ArgumentError, match="did you mean 'population'"):
        bg.means(fit, target="populaton")
    with pytest.raises(ArgumentError, match="scale"):
        bg.means(fit, target="population", scale="odds")
    with pytest.raises(ArgumentError, match="weights are given"):
        bg.means(fit, {"x": [0, 1]}, target="population", weights=[1, 1])
    with pytest.raises(ArgumentError, match="finite and not negative"):
        bg.means(fit, target="population", weights=np.full(120, -1.0))
    with pytest.raises(ArgumentError, match="shape"):
        bg.means(fit, target="population", weights=[1.0, 2.0])
    for weights in (["a"] * 120, np.full(120, "1,5"), "drug"):
        with pytest.raises(ArgumentError, match="weights must be numbers"):
            bg.means(fit, target="population", weights=weights)
    with pytest.raises(ArgumentError, match=r"finite and not negative. Where: row 7"):
        bg.means(fit, target="population", weights=np.where(np.arange(120) == 7, np.inf, 1.0))
    with pytest.raises(ColumnError, match="did you mean 'drug'"):
        bg.means(fit, target="population", by="drugs")
    with pytest.raises(ColumnError, match=r"no column 'level' to average within.*at=table"):
        bg.means(fit, target="population", by="level")
    with pytest.raises(ArgumentError, match="by=3 names no columns"):
        bg.means(fit, target="population", by=3)
    with pytest.raises(ColumnError, match="no column 3"):
        bg.means(fit, {3: 1}, target="population")
    with pytest.raises(ArgumentError, match="zero"):
        bg.means(fit, target="population", by="h", weights=(table()["h"] != "p").astype(float))


def test_a_column_named_twice_in_by_counts_once():
    fit = crossed_fit()
    pd.testing.assert_frame_equal(
        bg.means(fit, target="population", by=["drug", "drug"]).table, bg.means(fit, target="population", by="drug").table
    )


def test_a_model_without_fixed_effects_has_means():
    data = table()
    fit = make_fit("zero_one ~ 0 + (1 | g)", data, family="bernoulli", sd=2.0, spread=0.0)
    assert bg.means(fit, {}, target="average_subject").table["mean"].tolist() == [0.5]
    assert bg.means(fit, {}, target="population").table["mean"].iloc[0] == pytest.approx(0.5, rel=ALGEBRAIC)
    assert len(bg.random_effects(fit, coefficients=True).table) == data["g"].nunique()
    assert bg.heterogeneity(fit).table["average_subject"].tolist() == [0.0, 0.5]


def test_verdict_is_noted_when_it_is_not_ok():
    fit = crossed_fit()
    assert not any("Verdict" in n for n in bg.means(fit, target="population").notes)
    bad = Fit(fit.spec, fit.design, fit.frame, fit.priors, fit.idata, type(fit.quality)(()), fit.provenance)
    assert any("Verdict on the run: attention" in n for n in bg.means(bad, target="population").notes)


def test_known_standard_errors_do_not_change_means():
    fit = make_fit("y | se(s) ~ x + (1 | g)", table(), beta=[1.0, 2.0], spread=0.0)
    assert "sigma" not in fit.posterior
    assert bg.means(fit, {"x": 2.0}, target="population").table["mean"].item() == pytest.approx(5.0, rel=ALGEBRAIC)


def test_polars_and_pandas_rows_are_alike():
    polars = pytest.importorskip("polars")
    fit = crossed_fit()
    rows = fit.frame.iloc[:4].astype({"drug": str, "g": str, "h": str})
    new = bg.means(fit, polars.DataFrame(rows.to_dict("list")), target="group")
    np.testing.assert_array_equal(draws_of(new), draws_of(bg.means(fit, rows, target="group")))
    assert isinstance(new.table, pd.DataFrame)


@pytest.mark.parametrize("name", ["inverse", "sqrt"])
def test_links_without_a_population_mean_are_refused(name):
    from bayesglmm.errors import FamilyError
    from bayesglmm.post.rows import build_rows
    from bayesglmm.post.targets import Setting, check_monotone, population

    fit = make_fit("y ~ x + (1 | g)", table())
    setting = Setting(build_rows(fit, None, target="population"), get_link(name), ())
    with pytest.raises(FamilyError, match="no population mean"):
        population(parameters(fit), setting)
    with pytest.raises(FamilyError, match=r"cannot be put on the response scale.*What to do"):
        check_monotone(get_link(name))


@pytest.mark.parametrize("target", ["population", "group"])
def test_without_draws_the_table_is_the_same(target, monkeypatch):
    """Rows a few at a time: equal up to the rounding of matrix products of another shape, and to the bound of a table of another range."""
    fit = crossed_fit()
    whole = bg.means(fit, fit.frame, target=target)
    monkeypatch.setattr(means_module, "AT_ONCE", 40 * 7)
    parts = bg.means(fit, fit.frame, target=target, keep_draws=False)
    assert list(parts.table.columns) == list(whole.table.columns)
    for column in ("mean", "sd", "median", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(parts.table[column], whole.table[column], rtol=1e-8, atol=ALGEBRAIC)
    assert not parts.draws.data_vars
    assert parts.n_draws == whole.n_draws == 40


def test_an_average_without_draws_is_the_same_number():
    fit = crossed_fit()
    without, kept = (bg.means(fit, target="population", by="drug", keep_draws=keep) for keep in (False, True))
    np.testing.assert_array_equal(without.table["mean"], kept.table["mean"])
    assert without.n_draws == kept.n_draws > 0
    assert kept.n_draws == 40


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("scale", ["response", "link"])
def test_averages_without_draws_are_made_a_few_cells_at_a_time(target, scale, monkeypatch):
    """Cells of several rows: equal up to rounding, and to the bound of a quadrature rule for other rows."""
    fit, options = crossed_fit(), {"by": "g", "weights": np.resize([1.0, 2.0, 0.5], 120), "scale": scale, "target": target}
    whole, widths = bg.means(fit, **options).table, []
    summarise = means_module.summarise_means
    monkeypatch.setattr(means_module, "summarise_means", lambda draws, choice: widths.append(draws.shape[1]) or summarise(draws, choice))
    monkeypatch.setattr(means_module, "AT_ONCE", 40 * 7)
    parts = bg.means(fit, **options, keep_draws=False)
    assert widths == [7, 7, 6], "the array of all draws was made"
    assert parts.table["g"].tolist() == whole["g"].tolist()
    for column in ("mean", "sd", "median", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(parts.table[column], whole[column], rtol=1e-8, atol=ALGEBRAIC)


def test_without_draws_rows_that_are_alike_are_computed_once(monkeypatch):
    fit, computed, taken = crossed_fit(), [], []
    again = pd.concat([fit.frame] * 5, ignore_index=True).sample(frac=1.0, random_state=1)
    whole = bg.means(fit, again, target="population").table
    original, parameters_of = means_module.TARGETS["population"], means_module.fit_parameters

    def counted(draws, setting):
        computed.append(draws.n_draws * setting.rows.n_rows)
        return original(draws, setting)

    monkeypatch.setattr(means_module, "TARGETS", {"population": counted})
    monkeypatch.setattr(means_module, "fit_parameters", lambda *given, **named: taken.append(1) or parameters_of(*given, **named))
    monkeypatch.setattr(means_module, "AT_ONCE", 40 * 7)
    parts = bg.means(fit, again, target="population", keep_draws=False).table
    distinct = len(fit.frame[["x", "drug"]].drop_duplicates())
    assert sum(computed) == 40 * distinct
    assert len(taken) == 1, "the draws were taken anew for every part"
    for column in ("mean", "sd", "median", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(parts[column], whole[column], rtol=1e-8, atol=ALGEBRAIC)
