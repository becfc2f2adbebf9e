"""Covariance matrices that a hierarchical model implies: closed forms, simulated rows, and which levels rows share."""

import numpy as np
import pandas as pd
import pytest

from bayesglmm.errors import ArgumentError, ColumnError, FamilyError
from bayesglmm.post.hierarchy import shared_factors
from bayesglmm.post.implied_covariance import _grid, implied_covariance
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.post.test_variance_partition import golden, golden_fit
from tests.tolerances import ALGEBRAIC, MCSE_MULTIPLE

EXACT = {"spread": 0.0, "n_chains": 1, "n_draws": 1}


def matrix(result, name: str = "covariance") -> np.ndarray:
    """The first draw of V or of its correlation."""
    return result.draws[name].to_numpy()[0, 0]


def nested_table() -> pd.DataFrame:
    """Patients within clinics, several days each."""
    rng = np.random.default_rng(8)
    rows = [(f"c{p // 5}", f"p{p:02d}", float(day)) for p in range(20) for day in range(4)]
    return pd.DataFrame(rows, columns=["clinic", "patient", "day"]).assign(y=rng.normal(size=80), arm=rng.permutation(["a", "b"] * 40))


def test_sleep_study_by_hand():
    part, sigma = golden("sleepstudy_corr_reml")["random"][0], golden("sleepstudy_corr_reml")["sigma"]
    (s0, s1), rho = part["sd"], part["corr"][0][1]
    days = [0, 1, 4.5, 9]
    result = implied_covariance(golden_fit("sleepstudy_corr_reml"), days)
    wanted = [[s0**2 + (a + b) * rho * s0 * s1 + a * b * s1**2 + sigma**2 * (a == b) for b in days] for a in days]
    np.testing.assert_allclose(matrix(result), wanted, rtol=ALGEBRAIC)
    sd = np.sqrt(np.diag(wanted))
    np.testing.assert_allclose(matrix(result, "correlation"), wanted / sd[:, None] / sd, rtol=ALGEBRAIC)
    np.testing.assert_allclose(matrix(result, "sd"), sd, rtol=ALGEBRAIC)
    assert "Days" in result.target
    assert "icc" not in result.draws


def test_it_is_the_covariance_of_simulated_subjects():
    """New subjects with their residuals; the covariance of normal draws has the standard error sqrt((V_kk V_ll + V_kl^2) / n)."""
    fit = make_fit("y ~ x + (x | g)", table(), sd=[1.2, 0.6], corr=[[1.0, -0.4], [-0.4, 1.0]], aux={"sigma": 0.8}, **EXACT)
    times, n, rng = np.array([-1.0, 0.0, 2.0]), 200_000, np.random.default_rng(3)
    D = np.array([[1.44, -0.4 * 1.2 * 0.6], [-0.4 * 1.2 * 0.6, 0.36]])
    b = rng.multivariate_normal(np.zeros(2), D, n)
    y = b[:, [0]] + b[:, [1]] * times + 0.8 * rng.normal(size=(n, 3))
    V = matrix(implied_covariance(fit, times))
    error = np.sqrt((np.outer(np.diag(V), np.diag(V)) + V**2) / n)
    assert np.all(np.abs(np.cov(y.T) - V) < MCSE_MULTIPLE * error)


def test_random_intercepts_are_compound_symmetry():
    record = golden("dyestuff_reml")
    between, within = record["random"][0]["sd"][0] ** 2, record["sigma"] ** 2
    result = implied_covariance(golden_fit("dyestuff_reml"), [1, 2, 3], variable="sample")
    np.testing.assert_allclose(matrix(result), between + within * np.eye(3), rtol=ALGEBRAIC)
    icc = result.table.query("quantity == 'icc'")
    assert icc["mean"].item() == pytest.approx(between / (between + within), rel=ALGEBRAIC)
    note = next(n for n in result.notes if "compound symmetry" in n)
    assert "-1/(n - 1) = -0.25, n = 5 rows" in note
    assert "sample" in note


def test_table_has_every_pair_once():
    fit = make_fit("y ~ x + (x | g)", table(), sd=[1.0, 0.5], n_draws=30)
    result = implied_covariance(fit, [0.0, 1.0, 3.0])
    counts = result.table["quantity"].value_counts()
    assert counts.to_dict() == {"covariance": 6, "correlation": 6, "sd": 3}
    assert result.draws["covariance"].dims == ("chain", "draw", "row", "column")
    assert result.draws["row"].values.tolist() == [0.0, 1.0, 3.0]
    for quantity, row, column, mean in result.table[["quantity", "row", "column", "mean"]].itertuples(index=False):
        draws = result.draws[quantity].sel(row=row)
        draws = draws if quantity == "sd" else draws.sel(column=column)
        assert float(draws.mean()) == pytest.approx(mean, rel=ALGEBRAIC)
    assert "covariance" in str(result)
    assert result.to_dict()["table"][0]["row"] == 0.0


def test_all_times_are_those_of_the_data():
    fit = make_fit("y ~ day + (day | patient)", nested_table(), sd=[1.0, 0.3])
    assert implied_covariance(fit, "all").draws["row"].values.tolist() == [0.0, 1.0, 2.0, 3.0]


def test_all_times_of_random_intercepts_are_those_of_the_column_that_is_named():
    fit = make_fit("y ~ day + arm + (1 | patient)", nested_table(), sd=2.0, **EXACT)
    result = implied_covariance(fit, "all", variable="day")
    assert result.draws["row"].values.tolist() == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_allclose(matrix(result), 4.0 + np.eye(4), rtol=ALGEBRAIC)
    assert implied_covariance(fit, "all", variable="arm").draws["row"].values.tolist() == ["a", "b"]
    with pytest.raises(ArgumentError, match=r"times='all' needs a column.*variable=\.\.\."):
        implied_covariance(fit, "all")
    with pytest.raises(ColumnError, match=r"no column 'visit'.*list the times"):
        implied_covariance(fit, "all", variable="visit")


def test_rows_of_random_intercepts_have_one_line_per_time():
    fit = make_fit("y ~ day + offset(arm_offset) + (1 | patient)", nested_table().assign(arm_offset=0.5))
    rows = _grid(fit, [0, 1, 2], "day").rows
    assert {len(a) for a in (rows.frame, rows.X, rows.offset, *rows.Z)} == {3}


def test_so_many_times_that_memory_would_fill_are_refused():
    data = pd.DataFrame({"y": np.random.default_rng(1).normal(size=300), "t": np.arange(300.0), "g": np.resize(np.arange(20), 300)})
    for formula in ("y ~ t + (t | g)", "y ~ t + (1 | g)"):
        fit = make_fit(formula, data, n_chains=1, n_draws=2)
        for times, count in (("all", 300), (np.linspace(0, 1, 101), 101)):
            with pytest.raises(ArgumentError, match=rf"too many times.*{count} times, at most 100.*choose a grid"):
                implied_covariance(fit, times, variable="t")
        assert implied_covariance(fit, np.linspace(0, 1, 100), variable="t").draws.sizes["row"] == 100


def test_a_factor_can_be_the_time():
    data = nested_table().assign(visit=lambda d: "v" + d["day"].astype(int).astype(str))
    fit = make_fit("y ~ visit + (0 + visit | patient)", data, sd=[1.0, 2.0, 0.5, 0.7], **EXACT)
    result = implied_covariance(fit, ["v0", "v1"])
    np.testing.assert_allclose(matrix(result), np.diag([2.0, 5.0]), rtol=ALGEBRAIC)
    assert result.table["row"].tolist()[:3] == ["v0", "v0", "v1"]


def test_rows_share_what_their_factor_is_nested_in():
    fit = make_fit(
        "y ~ day + (1 | clinic) + (day | clinic:patient)", nested_table(), sd={"clinic": 2.0, "clinic:patient": [1.0, 0.5]}, **EXACT
    )
    assert shared_factors(fit, "clinic:patient") == ("clinic", "clinic:patient")
    assert shared_factors(fit, "clinic") == ("clinic",)
    patient = implied_covariance(fit, [0, 2], factor="clinic:patient")
    np.testing.assert_allclose(matrix(patient), [[4 + 1 + 1, 4 + 1], [4 + 1, 4 + 1 + 0.25 * 4 + 1]], rtol=ALGEBRAIC)
    assert any("share their level of clinic" in n for n in patient.notes)
    clinic = implied_covariance(fit, [0, 2], factor="clinic")
    np.testing.assert_allclose(matrix(clinic), [[4 + 1 + 1, 4], [4, 4 + 1 + 0.25 * 4 + 1]], rtol=ALGEBRAIC)
    assert any("differ in their level of clinic:patient" in n for n in clinic.notes)


def test_crossed_factors_are_on_the_diagonal_only():
    fit = make_fit("y ~ x + (1 | g) + (1 | h)", table(), sd={"g": 1.5, "h": 0.5}, **EXACT)
    result = implied_covariance(fit, [0, 1], factor="g")
    np.testing.assert_allclose(matrix(result), [[2.25 + 0.25 + 1, 2.25], [2.25, 2.25 + 0.25 + 1]], rtol=ALGEBRAIC)
    assert result.table.query("quantity == 'icc'")["mean"].item() == pytest.approx(2.25 / 3.5, rel=ALGEBRAIC)


def test_other_columns_of_random_slopes_are_held_and_named():
    data = nested_table()
    fit = make_fit("y ~ day + arm + (day + arm | patient)", data, sd=[1.0, 0.5, 3.0], **EXACT)
    result = implied_covariance(fit, [0, 1], variable="day")
    np.testing.assert_allclose(matrix(result), [[2.0, 1.0], [1.0, 2.25]], rtol=ALGEBRAIC)
    assert any("arm = a (reference level)" in n for n in result.notes)
    with pytest.raises(ArgumentError, match=r"several columns have a random slope.*day, arm"):
        implied_covariance(fit, [0, 1])


def test_columns_without_a_random_slope_are_not_in_the_notes():
    fit = make_fit("y ~ x + drug + (x | g)", table())
    assert not any("drug" in n for n in implied_covariance(fit, [0, 1]).notes)


def test_known_standard_errors_and_weights():
    fit = make_fit("y | se(e) ~ x + (1 | g)", table().assign(e=0.5), sd=1.5, **EXACT)
    np.testing.assert_allclose(matrix(implied_covariance(fit, [0, 1])), [[2.5, 2.25], [2.25, 2.5]], rtol=ALGEBRAIC)
    with pytest.raises(ArgumentError, match="no one residual variance"):
        implied_covariance(make_fit("y | se(s) ~ x + (1 | g)", table()), [0, 1])
    weighted = implied_covariance(make_fit("y | weights(w) ~ x + (1 | g)", table()), [0, 1])
    assert any("weight one" in n for n in weighted.notes)


def test_what_has_no_implied_covariance_is_refused():
    for fit in (crossed_fit(), make_fit("level ~ x + (1 | g)", table(), link="log")):
        with pytest.raises(FamilyError, match=r"variance_partition.*heterogeneity"):
            implied_covariance(fit, [0, 1], factor="g")
    with pytest.raises(ArgumentError, match="no grouping factor"):
        implied_covariance(make_fit("y ~ x", table()), [0, 1])


def test_arguments_are_checked():
    fit = make_fit("y ~ x + age + (x | g) + (1 | h)", table(), sd={"g": [1.0, 0.5], "h": 0.4})
    with pytest.raises(ArgumentError, match=r"several grouping factors.*g, h"):
        implied_covariance(fit, [0, 1])
    with pytest.raises(ArgumentError, match="no grouping factor of the model"):
        implied_covariance(fit, [0, 1], factor="k")
    with pytest.raises(ArgumentError, match="'age' has no random slope"):
        implied_covariance(fit, [0, 1], factor="g", variable="age")
    for times in (3, "late", []):
        with pytest.raises(ArgumentError, match="times"):
            implied_covariance(fit, times, factor="g")
    for times in ([0, np.nan], [[0, 1]], [None]):
        with pytest.raises(ArgumentError, match=r"each a finite number.*What to do"):
            implied_covariance(fit, times, factor="g")
    with pytest.raises(ArgumentError, match="stands twice"):
        implied_covariance(fit, [0, 0.0], factor="g")
    with pytest.raises(ColumnError, match="x"):
        implied_covariance(fit, ["a", "b"], factor="g")
