"""Marginal models: R's geepack, the equations themselves by dense algebra, invariances, and refusals."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesglmm import datasets
from bayesglmm.errors import ArgumentError, ColumnError, DatasetError, DesignError, FamilyError, MissingValueError, NotBuiltError
from bayesglmm.numerics.links import LINKS
from bayesglmm.post import gee as gee_module
from bayesglmm.post.gee import gee
from tests.fits import make_fit
from tests.numerics.test_working import dense
from tests.tolerances import ALGEBRAIC, REFERENCE

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("gee_*.json"))
STOPPED = 1e-3
"""In standard errors: geepack ends its iterations at a relative change of 1e-4; without a correlation it needs no more of them."""

PREPARE = {
    "aids": lambda d: d.assign(low=(d["CD4"] < np.sqrt(150)).astype(int)),
    "pbc2": lambda d: d.dropna(subset=["serChol"]).assign(serCholD=lambda x: (x["serChol"] > 210).astype(int)),
    "dietox": lambda d: d.sort_values(["Pig", "Time"]),
}


def reference_call(record: dict) -> tuple[str, pd.DataFrame, dict]:
    """Formula, table and keywords of a stored fit."""
    formula, groups, structure = (part.strip() for part in record["formula"].split(";"))
    family, _, link = record["family"].rstrip(")").partition("(")
    options = {
        "family": {"binomial": "bernoulli"}.get(family, family),
        "link": link,
        "groups": groups.removeprefix("id = "),
        "structure": structure.removeprefix("corstr = "),
    }
    try:
        table = datasets.load(record["data"])
    except DatasetError as error:
        pytest.skip(f"the table is not bundled and was not found: {error}")
    return formula, PREPARE.get(record["data"], lambda d: d)(table), options


def assert_close(result, record, of_se):
    fixed = result.table[result.table["kind"] == "fixed"]
    estimate, se = (np.array([term[k] for term in record["fixed"]]) for k in ("est", "se"))
    assert np.all(np.abs(fixed["estimate"].to_numpy() - estimate) < of_se * se)
    np.testing.assert_allclose(fixed["se"], se, rtol=of_se)
    np.testing.assert_allclose(result.table.loc["dispersion", "estimate"], record["scale"]["est"], rtol=of_se)


@pytest.mark.parametrize("path", GOLDEN, ids=lambda p: p.stem)
def test_against_geepack(path):
    record = json.loads(path.read_text())
    formula, table, options = reference_call(record)
    result = gee(formula, table, **options)
    assert_close(result, record, REFERENCE if record["alpha"] is None else STOPPED)
    if record["alpha"] is not None:
        assert abs(result.table.loc["correlation", "estimate"] - record["alpha"]["est"]) < STOPPED * record["alpha"]["se"]
        assert_close(gee(formula, table, correlation=record["alpha"]["est"], **options), record, STOPPED)


def made_up(n_groups: int = 60, seed: int = 1) -> pd.DataFrame:
    """Groups of 1 to 5 visits, rows in no order, responses of every kind that go together within a group."""
    rng = np.random.default_rng(seed)
    visits = [sorted(rng.choice(8, size=rng.integers(1, 6), replace=False)) for _ in range(n_groups)]
    rows = pd.DataFrame({"g": np.repeat(np.arange(n_groups), [len(v) for v in visits]), "t": np.concatenate(visits)})
    b = rng.normal(size=n_groups)[rows["g"]]
    x, drug = rng.normal(size=len(rows)), np.array(["a", "b", "c"])[rows["g"] % 3]
    eta = 0.3 + 0.5 * x - 0.4 * (drug == "b") + b
    n = rng.integers(1, 6, len(rows))
    p = 1 / (1 + np.exp(-eta))
    rows = rows.assign(
        x=x, drug=drug, y=eta + rng.normal(size=len(rows)), zero_one=rng.binomial(1, p), n=n, k=rng.binomial(n, p),
        count=rng.poisson(np.exp(0.5 * eta)), w=rng.uniform(0.5, 2.0, len(rows)), exposure=rng.uniform(0.5, 2.0, len(rows)),
    )  # fmt: skip
    return rows.sample(frac=1.0, random_state=seed).reset_index(drop=True)


CASES = {
    "gaussian": ("y ~ x + drug", "gaussian", "identity"),
    "gaussian weights": ("y | weights(w) ~ x + drug", "gaussian", "identity"),
    "logit": ("zero_one ~ x + drug", "bernoulli", "logit"),
    "probit": ("zero_one ~ x", "bernoulli", "probit"),
    "cloglog": ("zero_one ~ x", "bernoulli", "cloglog"),
    "loglog": ("zero_one ~ x", "bernoulli", "loglog"),
    "cauchit": ("zero_one ~ x", "bernoulli", "cauchit"),
    "binomial": ("k | trials(n) ~ x + drug + offset(exposure)", "binomial", "logit"),
    "binomial weights": ("k | trials(n) + weights(w) ~ x", "binomial", "logit"),
    "poisson": ("count ~ x + drug + offset(log(exposure))", "poisson", "log"),
}


def dense_equations(result, formula, family, link, structure):
    """Score (p,), sandwich and naive covariances (p, p) at the estimates, with a dense working covariance for every group."""
    table = made_up()
    design = make_fit(f"{formula} + (1 | g)", table, family=family, link=link, n_chains=1, n_draws=1).design
    beta = result.table.loc[list(design.labels), "estimate"].to_numpy()
    rho = result.table["estimate"].get("correlation", 0.0)
    trials = np.ones(len(table)) if design.trials is None else design.trials
    eta = design.offset + design.X @ beta
    mu, slope = LINKS[link].inverse(eta), LINKS[link].derivative(eta)
    variance = {"gaussian": np.ones_like(mu), "poisson": mu}.get(family, mu * (1 - mu))
    variance = variance / (trials * (1.0 if design.weights is None else design.weights))
    score, bread, meat = np.zeros(len(beta)), 0.0, 0.0
    for group in range(60):
        rows = np.flatnonzero(table["g"] == group)
        sd = np.sqrt(variance[rows])
        V = dense(structure, rho, table["t"].to_numpy()[rows]) * np.outer(sd, sd)
        D = design.X[rows] * slope[rows, None]
        part = D.T @ np.linalg.solve(V, (design.y / trials - mu)[rows])
        score, bread, meat = score + part, bread + D.T @ np.linalg.solve(V, D), meat + np.outer(part, part)
    inverse = np.linalg.inv(bread)
    dispersion = np.mean((design.y / trials - mu) ** 2 / variance)
    return score, inverse @ meat @ inverse, dispersion * inverse


@pytest.mark.parametrize("structure", ["independence", "exchangeable", "ar1"])
@pytest.mark.parametrize("case", CASES)
def test_the_equations_hold_by_dense_algebra(case, structure):
    formula, family, link = CASES[case]
    result = gee(formula, made_up(), family=family, link=link, groups="g", structure=structure, time="t" if structure == "ar1" else None)
    score, robust, naive = dense_equations(result, formula, family, link, structure)
    fixed = result.table[result.table["kind"] == "fixed"]
    step = naive @ score / result.table.loc["dispersion", "estimate"]
    assert np.all(np.abs(step) < 1e-6 * fixed["se"]), "the next step would move an estimate"  # the search ends at 1e-7 of the score's SD
    np.testing.assert_allclose(fixed["se"], np.sqrt(np.diag(robust)), rtol=1e-6)
    np.testing.assert_allclose(fixed["se_naive"], np.sqrt(np.diag(naive)), rtol=1e-6)


@pytest.mark.parametrize("structure", ["independence", "exchangeable", "ar1"])
def test_rows_groups_and_units_do_not_matter(structure):
    table, options = made_up(), {"groups": "g", "structure": structure, "time": "t" if structure == "ar1" else None}
    result = gee("y ~ x + drug", table, **options).table
    changed = table.sort_values("x").assign(
        g=lambda d: "p" + (1000 - d["g"]).astype(str), y=lambda d: d["y"] * 1e-9, x=lambda d: d["x"] * 1e6
    )
    units = np.array([1e-9, 1e-15, 1e-9, 1e-9])
    found = gee("y ~ x + drug", changed, **options).table
    for column in ("estimate", "se", "se_naive", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(found[column].iloc[:4], result[column].iloc[:4] * units, rtol=1e-6)
    if structure != "independence":
        assert found.loc["correlation", "estimate"] == pytest.approx(result.loc["correlation", "estimate"], rel=1e-6)


def test_trials_are_bernoulli_rows_and_weights_are_repeated_rows():
    table = made_up()
    successes = [np.repeat([1, 0], [k, n - k]) for k, n in zip(table["k"], table["n"], strict=True)]
    long = table.loc[np.repeat(table.index, table["n"])].assign(one=np.concatenate(successes))
    binomial = gee("k | trials(n) ~ x + drug", table, family="binomial", groups="g").table.iloc[:4]
    bernoulli = gee("one ~ x + drug", long, family="bernoulli", groups="g").table.iloc[:4]
    np.testing.assert_allclose(binomial[["estimate", "se"]], bernoulli[["estimate", "se"]], rtol=1e-6)
    weighted = gee("y ~ x + drug", table, weights="n", groups="g").table.iloc[:4]
    repeated = gee("y ~ x + drug", table.loc[np.repeat(table.index, table["n"])], groups="g").table.iloc[:4]
    np.testing.assert_allclose(weighted[["estimate", "se"]], repeated[["estimate", "se"]], rtol=1e-6)


def test_times_count_and_the_order_of_rows_without_them():
    table = made_up()
    by_time = gee("y ~ x", table, groups="g", structure="ar1", time="t").table["estimate"]
    by_order = gee("y ~ x", table.sort_values(["g", "t"]), groups="g", structure="ar1").table["estimate"]
    numbered = table.assign(visit=table.groupby("g")["t"].rank().astype(int))
    by_number = gee("y ~ x", numbered, groups="g", structure="ar1", time="visit").table["estimate"]
    np.testing.assert_allclose(by_order, by_number, rtol=ALGEBRAIC)
    assert not np.allclose(by_time, by_order, rtol=1e-3)


def test_negative_correlation_is_found():
    rng = np.random.default_rng(5)
    y = rng.normal(size=(200, 3)) @ np.linalg.cholesky(dense("ar1", -0.5, np.arange(3))).T
    table = pd.DataFrame({"y": y.ravel(), "g": np.repeat(np.arange(200), 3)})
    found = gee("y ~ 1", table, groups="g", structure="ar1").table.loc["correlation", "estimate"]
    assert abs(found + 0.5) < 5 * np.sqrt((1 - 0.25) / 400)  # the standard error of a correlation of 400 neighbours


def test_columns_are_coded_and_labelled_as_in_the_mixed_model():
    table, formula = made_up(), "y ~ scale(x) * drug + (x | g)"
    fit = make_fit(formula, table, contrasts={"drug": "sum"}, n_chains=1, n_draws=1)
    result = gee(formula, table, contrasts={"drug": "sum"})
    fixed = result.table[result.table["kind"] == "fixed"]
    assert tuple(fixed.index) == fit.design.labels
    np.testing.assert_allclose(fixed["estimate"], np.linalg.lstsq(fit.design.X, fit.design.y, rcond=None)[0], rtol=1e-6)
    assert result.target.startswith("population")
    assert not result.draws.data_vars
    assert any("(1 + x | g)" in n for n in result.notes)


def test_groups_come_from_the_first_group_term_or_are_named():
    table = made_up().assign(h=lambda d: d["g"] // 2)
    first = gee("y ~ x + (1 | h) + (1 | g)", table)
    assert "30 groups of h" in first.notes[0]
    named = gee("y ~ x + (1 | h) + (1 | g)", table, groups="g")
    assert "60 groups of g" in named.notes[0]
    crossed = gee("y ~ x", table, groups="h:g").table
    pd.testing.assert_frame_equal(crossed, named.table)
    assert not np.allclose(first.table["se"].iloc[:2], named.table["se"].iloc[:2], rtol=1e-3)


def test_factors_that_join_groups_are_told():
    table = made_up().assign(clinic=lambda d: d["g"] // 20, rater=lambda d: d["t"] % 3)
    told = lambda formula, groups: [n for n in gee(formula, table, groups=groups).notes if "share levels" in n]  # noqa: E731
    assert "levels of rater," in told("y ~ x + (1 | g) + (1 | rater)", "g")[0]
    assert "levels of clinic," in told("y ~ x + (1 | clinic/g)", "clinic:g")[0]
    assert told("y ~ x + (1 | g) + (0 + x | g)", "g") == []


def test_rows_are_dropped_as_in_the_mixed_model():
    table = made_up().assign(z=lambda d: d["x"].where(d.index > 9))
    with pytest.raises(MissingValueError):
        gee("y ~ x + (z | g)", table)
    found = gee("y ~ x + (z | g)", table, missing="drop").table
    pd.testing.assert_frame_equal(found, gee("y ~ x", table.loc[10:], groups="g").table)


def test_rows_left_out_are_told():
    table = made_up().assign(z=lambda d: d["x"].where(d.index > 9))
    notes = gee("y ~ x + (z | g)", table, missing="drop").notes
    assert f"10 of {len(table)} rows left out: missing z (10)." in notes
    assert not any("left out" in n for n in gee("y ~ x", table, groups="g", missing="drop").notes)


def test_a_gap_in_successive_visits_is_refused():
    table = made_up().sort_values(["g", "t"]).assign(x=lambda d: d["x"].where(d["t"] != 3))
    lost = int((table["t"] == 3).sum())
    with pytest.raises(MissingValueError, match=rf"need not be neighbours.*{lost} of {len(table)} rows.*time='visit'"):
        gee("y ~ x", table, groups="g", structure="ar1", missing="drop")
    found = gee("y ~ x", table, groups="g", structure="ar1", time="t", missing="drop").table
    pd.testing.assert_frame_equal(found, gee("y ~ x", table[table["t"] != 3], groups="g", structure="ar1", time="t").table)
    assert len(gee("y ~ x", table, groups="g", structure="exchangeable", missing="drop").table) == 4


def test_contrasts_of_the_random_part_are_checked_and_have_no_effect():
    table = made_up()
    wanted = gee("y ~ x", table, groups="g").table
    pd.testing.assert_frame_equal(gee("y ~ x + (0 + drug | g)", table, contrasts={"drug": "sum"}).table, wanted)
    both = gee("y ~ x + drug + (0 + drug | g)", table, contrasts={"drug": "sum"}).table
    pd.testing.assert_frame_equal(both, gee("y ~ x + drug", table, groups="g", contrasts={"drug": "sum"}).table)
    as_number = table.assign(dose=lambda d: d["g"] % 3)
    found = gee("y ~ dose + (0 + C(dose) | g)", as_number, contrasts={"dose": "sum"}).table
    pd.testing.assert_frame_equal(found, gee("y ~ dose", as_number, groups="g").table)
    with pytest.raises(ArgumentError, match=r"no factors of the model.*Where: x"):
        gee("y ~ x + (0 + drug | g)", table, contrasts={"drug": "sum", "x": "sum"})


def test_a_response_without_counterpart_is_not_built(monkeypatch):
    monkeypatch.setattr(gee_module, "_LINKS", {"identity": None})
    with pytest.raises(NotBuiltError, match=r"bernoulli family, probit link.*a link among identity"):
        gee("zero_one ~ x", made_up(), family="bernoulli", link="probit", groups="g")


def test_dot_does_not_take_the_groups_in():
    table = made_up()[["y", "x", "g"]]
    assert list(gee("y ~ .", table, groups="g").table.index) == ["Intercept", "x", "dispersion"]


def test_interval_is_normal_and_told():
    result = gee("y ~ x", made_up(), groups="g", ci_prob=0.9)
    row = result.table.loc["x"]
    assert row["ci_upper"] - row["estimate"] == pytest.approx(1.6448536269514722 * row["se"], rel=ALGEBRAIC)
    assert "Interval: 90 % Wald confidence interval" in str(result)
    assert "equal-tailed" not in str(result)
    assert result.to_dict()["interval"] == {"prob": 0.9, "kind": "wald"}
    assert "95 %" in str(result)
    assert "sandwich" in str(result)


def test_few_groups_are_noted():
    assert any("too small" in n for n in gee("y ~ x", made_up(20), groups="g").notes)
    assert not any("too small" in n for n in gee("y ~ x", made_up(60), groups="g").notes)


def test_the_user_s_warning_filters_see_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gee("zero_one ~ x", made_up(), family="bernoulli", groups="g", structure="ar1", time="t")


@pytest.mark.parametrize(
    ("change", "options", "error", "match"),
    [
        ({}, {"groups": None}, ArgumentError, "which rows belong together"),
        ({}, {"groups": 3}, ArgumentError, "name of a column"),
        ({}, {"groups": "nowhere"}, ColumnError, "nowhere"),
        ({}, {"structure": "unstructured"}, ArgumentError, "exchangeable"),
        ({}, {"structure": "exchangeable", "time": "t"}, ArgumentError, "no meaning"),
        ({}, {"structure": "ar1", "time": "x"}, ColumnError, "whole numbers"),
        ({"t": 1}, {"structure": "ar1", "time": "t"}, ColumnError, "same time"),
        ({}, {"correlation": 0.5}, ArgumentError, "no correlation to hold"),
        ({}, {"structure": "ar1", "correlation": 1.0}, ArgumentError, "between -1 and 1.*What to do"),
        ({}, {"structure": "ar1", "correlation": "0.5"}, ArgumentError, "between -1 and 1.*What to do"),
        ({}, {"structure": "exchangeable", "correlation": -0.5}, DesignError, "impossible for groups of this size"),
        ({"g": np.arange(len(made_up()))}, {"structure": "exchangeable"}, DesignError, "no group has two rows"),
        ({"g": lambda d: d["t"] % 2}, {}, DesignError, "more groups than coefficients"),
        ({"g": 1}, {}, DesignError, "more groups than coefficients"),
        ({}, {"ci_prob": 95}, ArgumentError, "probability"),
        ({}, {"family": "gamma"}, FamilyError, "gamma"),
    ],
)
def test_refusals(change, options, error, match):
    with pytest.raises(error, match=match):
        gee("y ~ x", made_up().assign(**change), **{"groups": "g", **options})


def test_known_standard_errors_have_no_place():
    with pytest.raises(NotBuiltError, match="known standard errors"):
        gee("y | se(w) ~ x", made_up(), groups="g")


@pytest.mark.parametrize("structure", ["independence", "exchangeable"])
def test_separated_responses_give_no_number(structure):
    table = made_up().assign(sick=lambda d: (d["drug"] == "b").astype(int) * d["zero_one"])
    with pytest.raises(DesignError, match=r"separate|no solution"):
        gee("sick ~ x + drug", table, family="bernoulli", groups="g", structure=structure)


def test_a_level_without_counts_gives_no_number():
    table = made_up().assign(count=lambda d: np.where(d["drug"] == "b", 0, d["count"]))
    with pytest.raises(DesignError, match=r"separate|no solution"):
        gee("count ~ drug", table, family="poisson", groups="g")


def test_a_correlation_that_no_matrix_has_is_refused():
    y = np.tile([1.0, -1.0, 0.0], 50) + 1e-3 * np.random.default_rng(6).normal(size=150)
    table = pd.DataFrame({"y": y - np.repeat(y.reshape(-1, 3).mean(axis=1), 3), "g": np.repeat(np.arange(50), 3)})
    with pytest.raises(DesignError, match="impossible for groups of this size"):
        gee("y ~ 1", table, groups="g", structure="exchangeable")


def test_times_in_either_spelling():
    data = made_up().assign(**{"the time": lambda d: d.groupby("g").cumcount()})
    one, other = (gee("y ~ x", data, groups="g", structure="ar1", time=name).table for name in ("the time", "`the time`"))
    pd.testing.assert_frame_equal(one, other)
