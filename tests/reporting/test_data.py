"""Checks of data and design: each on a table that is fine and on one that is not."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.fit.quality import CONDITION_NUMBER, FEW_LEVELS, MEAN_OVER_SD
from bayesglmm.reporting import data
from tests.fits import make_fit
from tests.post.makers import table
from tests.reporting.models import MODELS, check_of, context_of, keeps_the_rules

IDS = {
    f"data.{name}"
    for name in ["group_sizes", "few_levels", "separation", "zeros", "collinear", "scale", "nesting", "size", "response", "time_order"]
}


def section(*arguments, **options):
    return data.section(context_of(make_fit(*arguments, **{"n_draws": 20, **options})))


@pytest.mark.parametrize("name", MODELS)
def test_every_check_is_there_once(name):
    keeps_the_rules(data.section(context_of(MODELS[name]())), IDS)


def test_groups_of_one_row():
    single = table().assign(g=[f"g{max(i, 40)}" for i in range(120)])
    assert check_of(section("zero_one ~ x + (1 | g)", single, family="bernoulli"), "data.group_sizes").verdict == "attention"
    good = check_of(section("zero_one ~ x + (1 | g)", table(), family="bernoulli"), "data.group_sizes")
    assert (good.verdict, good.value) == ("ok", 0.0)


@pytest.mark.parametrize(("formula", "rows", "verdict"), [("x | g", 2, "attention"), ("x | g", 3, "ok"), ("1 | g", 2, "ok")])
def test_levels_with_no_more_rows_than_random_effects(formula, rows, verdict):
    few = table().assign(g=[f"g{i // rows}" for i in range(120)])
    check = check_of(section(f"y ~ x + ({formula})", few), "data.group_sizes")
    assert (check.verdict, check.value) == (verdict, float(verdict == "attention"))


def test_random_effects_of_all_terms_of_a_factor_are_counted():
    few = table().assign(g=[f"g{i // 3}" for i in range(120)])
    check = check_of(section("y ~ x + age + (1 | g) + (0 + x | g) + (0 + age | g)", few), "data.group_sizes")
    assert (check.verdict, check.detail) == ("attention", "Most in g: 40 of 40 levels, random effects per level: 3.")


def timed(times, formula="y ~ visit + (1 | g)"):
    fit = make_fit(formula, table().assign(visit=times), n_draws=20)
    return check_of(data.section(context_of(fit, time="visit")), "data.time_order")


def test_no_row_of_a_group_has_the_time_of_another_one():
    t = table()
    visit = t.groupby("g").cumcount().to_numpy(dtype=float)
    assert (timed(visit).verdict, timed(visit).value) == ("ok", 0.0)
    second = int(np.flatnonzero(t["g"] == t["g"].iloc[0])[1])
    visit[second] = visit[0]
    check = timed(visit)
    assert (check.verdict, check.value) == ("attention", 1.0)
    assert f"first: {t['g'].iloc[0]} at 0.0" in check.detail


def test_times_are_compared_within_the_factor_with_most_levels():
    visit = table().groupby("g").cumcount().to_numpy(dtype=float)
    check = timed(visit, "y ~ visit + (1 | h) + (1 | g)")
    assert check.verdict == "ok"
    assert "within the levels of g" in check.detail


def test_times_that_are_not_named_and_models_without_groups_have_no_order():
    assert "time=NAME" in check_of(section("y ~ x + (1 | g)", table()), "data.time_order").detail
    assert "no grouping factor" in timed(np.arange(120.0), "y ~ visit").detail


def test_few_levels_are_named():
    check = check_of(section("y ~ x + (1 | g) + (1 | h)", table(), family="gaussian"), "data.few_levels")
    assert (check.verdict, check.value) == ("attention", 4.0)
    assert FEW_LEVELS == 5
    assert "h" in check.detail


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.assign(zero_one=np.where(t["drug"] == "b", 0, t["zero_one"])), "drug = b: all zero"),
        (lambda t: t.assign(zero_one=np.where(t["drug"] == "a", 1, t["zero_one"])), "drug = a: all one"),
        (lambda t: t.assign(zero_one=(t["x"] > 0.2).astype(int)), "x splits the outcome"),
    ],
)
def test_separation_names_the_factor(change, named):
    check = check_of(section("zero_one ~ x + drug + (1 | g)", change(table()), family="bernoulli"), "data.separation")
    assert check.verdict == "attention"
    assert named in check.detail


def test_separation_in_a_cell_of_two_factors():
    t = table().assign(arm=np.resize(["p", "q"], 120))
    t["zero_one"] = np.where((t["drug"] == "c") & (t["arm"] == "q"), 0, t["zero_one"])
    check = check_of(section("zero_one ~ drug * arm + (1 | g)", t, family="bernoulli"), "data.separation")
    assert "splits the outcome" in check.detail


def test_separation_of_trials_and_counts():
    t = table()
    t["k"] = np.where(t["drug"] == "b", t["n"], t["k"])
    assert "drug = b: all one" in check_of(section("k | trials(n) ~ drug + (1 | g)", t, family="binomial"), "data.separation").detail
    t["count"] = np.where(t["drug"] == "b", 0, t["count"])
    assert "drug = b: all zero" in check_of(section("count ~ drug + (1 | g)", t, family="poisson"), "data.separation").detail


def test_nothing_is_separated_in_measurements_or_good_data():
    assert check_of(section("y ~ x + (1 | g)", table()), "data.separation").verdict == "not run"
    assert check_of(section("zero_one ~ x * drug + (1 | g)", table(), family="bernoulli"), "data.separation").verdict == "ok"


def test_zeros():
    many = table().assign(count=np.where(np.arange(120) % 2, 0, 12))
    fit = {"family": "poisson", "beta": {"Intercept": np.log(6.0)}, "sd": 0.05}
    assert check_of(section("count ~ 1 + (1 | g)", many, **fit), "data.zeros").verdict == "attention"
    plain = table().assign(count=np.random.default_rng(4).poisson(6.0, 120))
    assert check_of(section("count ~ 1 + (1 | g)", plain, **fit), "data.zeros").verdict == "ok"
    assert check_of(section("zero_one ~ 1 + (1 | g)", table(), family="bernoulli"), "data.zeros").verdict == "not run"


def test_columns_that_are_nearly_dependent_are_named():
    t = table().assign(z=lambda t: t["x"] + 1e-3 * np.random.default_rng(6).normal(size=120))
    check = check_of(section("y ~ x + z + age + (1 | g)", t), "data.collinear")
    assert check.verdict == "attention"
    assert check.value > CONDITION_NUMBER
    assert check.detail == "Nearly dependent: x, z."


def test_a_year_far_from_zero_is_a_matter_of_scale():
    t = table().assign(year=np.resize(np.arange(2000.0, 2010.0), 120))
    found = section("y ~ year + x + (1 | g)", t)
    assert check_of(found, "data.collinear").verdict == "ok"
    check = check_of(found, "data.scale")
    assert check.verdict == "attention"
    assert check.value > MEAN_OVER_SD
    assert check.detail.startswith("year (mean 2")


@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_spread_that_is_extreme(unit):
    assert check_of(section("y ~ x + (1 | g)", table().assign(x=lambda t: t["x"] * unit)), "data.scale").verdict == "attention"


def test_implicit_nesting():
    nested = pd.DataFrame(
        {
            "batch": np.repeat(list("PQRSTU"), 20),
            "cask": np.tile(np.repeat(list("abcde"), 4), 6),
            "y": np.random.default_rng(2).normal(size=120),
        }
    )
    check = check_of(section("y ~ 1 + (1 | batch) + (1 | cask)", nested), "data.nesting")
    assert check.verdict == "attention"
    assert "cask" in check.detail
    assert check_of(section("y ~ 1 + (1 | batch/cask)", nested), "data.nesting").verdict == "ok"


def test_many_covariance_parameters_for_few_groups():
    t = table()
    slopes = check_of(section("y ~ x + age + (x + age | g)", t), "data.size")
    assert (slopes.verdict, slopes.value) == ("attention", pytest.approx(20 / 6))
    diagonal = check_of(section("y ~ x + age + (x + age || g)", t), "data.size")
    assert (diagonal.verdict, diagonal.value) == ("ok", pytest.approx(20 / 3))


def test_draws_larger_than_memory(monkeypatch):
    monkeypatch.setattr(data, "_memory", lambda: 1000.0)
    assert check_of(section("y ~ x + (1 | g)", table()), "data.size").verdict == "attention"
    monkeypatch.setattr(data, "_memory", lambda: None)
    assert check_of(section("y ~ x + (1 | g)", table()), "data.size").verdict == "ok"


def test_the_group_table_holds_numbers():
    (grid,) = section("y ~ x + (1 | g) + (1 | h)", table()).blocks
    assert [row[:2] for row in grid.rows] == [("g", 20), ("h", 4)]
    assert grid.rows[0][2:5] == (6, 6.0, 6)
