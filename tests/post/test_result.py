"""The record: what it prints, what it escapes, what it hands to JSON."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesglmm as bg
from bayesglmm.errors import ArgumentError
from bayesglmm.post.intervals import IntervalChoice, interval_ends, make_interval, summarise
from bayesglmm.post.render import format_table
from bayesglmm.post.result import Result, join_columns, target_sentence
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table

SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"z{SCRIPT}"  # sorted behind the reference level, so that it is the label of a column


def a_result(frame: pd.DataFrame, **changes: object) -> Result:
    given = {"title": "T", "target": "population: E h", "table": frame, "draws": xr.Dataset(), "interval": IntervalChoice(0.95, "eti")}
    return Result(**{**given, **changes})


def test_print_names_target_interval_and_notes():
    text = str(a_result(pd.DataFrame({"mean": [1.0], "ci_lower": [0.5], "ci_upper": [1.5]}), notes=("held",)))
    assert "Target: population: E h" in text
    assert "95 % equal-tailed interval" in text
    assert "2.5 %" in text
    assert "97.5 %" in text
    assert "Note: held" in text


def test_headers_carry_level_and_kind():
    assert IntervalChoice(0.89, "eti").headers == ("5.5 %", "94.5 %")
    assert IntervalChoice(0.95, "hdi").headers == ("hdi 95 % low", "hdi 95 % high")
    assert IntervalChoice(0.999, "eti").headers == ("0.05 %", "99.95 %")


@pytest.mark.parametrize(
    ("mean", "sd", "mcse", "shown"),
    [(5.71134, 0.8, 0.013, "5.7"), (5.71134, 0.8, 0.0004, "5.711"), (251.4123, 7.4, 0.2, "251"), (1526.4, 22.9, 12.0, "1500")],
)
def test_digits_stop_above_the_simulation_error(mean, sd, mcse, shown):
    frame = pd.DataFrame({"mean": [mean], "sd": [sd], "mcse_mean": [mcse]})
    assert format_table(frame, n_draws=4000, headers={}).cells[0][0] == shown


def test_digits_without_an_mcse_come_from_the_number_of_draws():
    frame = pd.DataFrame({"mean": [0.71234], "sd": [0.2]})
    assert format_table(frame, n_draws=400, headers={}).cells[0][0] == "0.71"  # 0.2 / 20 = 0.01
    assert format_table(frame, n_draws=40000, headers={}).cells[0][0] == "0.712"


def test_missing_numbers_and_negative_zero():
    frame = pd.DataFrame({"mean": [-0.0001, np.nan], "sd": [0.5, np.nan], "r_hat": [np.nan, 1.0012]})
    cells = format_table(frame, n_draws=100, headers={}).cells
    assert cells == (("0.0", "0.5", "-"), ("-", "-", "1.001"))


def test_html_escapes_labels_of_users():
    data = table().assign(drug=np.resize(["b", HOSTILE], 120), g=np.repeat([f"{SCRIPT}{i}" for i in range(20)], 6))
    fit = make_fit("y ~ drug + (1 | g)", data)
    results = [
        bg.summary(fit),
        bg.random_effects(fit),
        bg.means(fit, {"drug": "all"}, target="population"),
        bg.means(fit, {"drug": HOSTILE, "g": f"{SCRIPT}3"}, target="group"),
        bg.marginal_coefficients(fit),
        bg.heterogeneity(fit, {"drug": "all"}),
        bg.prior_summary(fit),
    ]
    for result in results:
        html = result._repr_html_()
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_html_escapes_title_target_and_notes():
    html = a_result(pd.DataFrame({SCRIPT: [SCRIPT]}), title=SCRIPT, target=SCRIPT, notes=(SCRIPT,))._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 5


def test_dictionary_is_json_without_nan():
    frame = pd.DataFrame({"mean": [np.nan, np.inf], "n": np.array([1, 2]), "level": ["a", None]}, index=pd.Index(["r", "s"], name="row"))
    document = a_result(frame).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["table"] == [{"row": "r", "mean": None, "n": 1, "level": "a"}, {"row": "s", "mean": None, "n": 2, "level": None}]
    assert document["interval"] == {"prob": 0.95, "kind": "eti"}


def test_every_result_of_a_fit_is_json():
    fit = crossed_fit(n_chains=1, n_draws=2)  # too few draws for diagnostics: they are missing, not an error
    for result in (bg.summary(fit), bg.random_effects(fit), bg.means(fit, target="population"), bg.marginal_coefficients(fit)):
        json.dumps(result.to_dict(), allow_nan=False)


def test_a_column_called_mean_keeps_its_place():
    joined = join_columns(pd.DataFrame({"mean": [1.0], "draw": [2.0], "mean_": [3.0]}), {"mean": np.array([9.0])})
    assert list(joined.columns) == ["mean_", "draw_", "mean__", "mean"]
    assert joined.iloc[0].tolist() == [1.0, 2.0, 3.0, 9.0]


def test_means_of_a_model_with_columns_called_mean_and_row():
    data = table().rename(columns={"x": "mean", "age": "row"})
    fit = make_fit("y ~ mean + row + (1 | g)", data, beta=[0.0, 2.0, 0.5], spread=0.0)
    result = bg.means(fit, {"mean": [1.0], "row": [4.0]}, target="average_subject")
    assert list(result.table.columns)[:3] == ["mean_", "row_", "mean"]
    assert result.table["mean"].tolist() == [4.0]


def test_means_of_a_model_with_a_column_called_like_its_draws():
    fit = make_fit("y ~ mean_response + (1 | g)", table().rename(columns={"x": "mean_response"}), beta=[0.0, 2.0], spread=0.0)
    result = bg.means(fit, {"mean_response": [1.0, 2.0]}, target="population")
    assert result.table["mean_response_"].tolist() == [1.0, 2.0]
    assert result.draws["mean_response"].sizes["row"] == 2


def test_heterogeneity_of_a_model_with_a_column_called_scale():
    fit = make_fit("y ~ scale + (1 | g)", table().rename(columns={"x": "scale"}), beta=[0.0, 2.0], spread=0.0)
    result = bg.heterogeneity(fit, {"scale": [1.0, 2.0]}).table
    assert result["scale_"].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert result["scale"].tolist() == ["link", "response"] * 2


def test_target_sentences_name_the_factors():
    assert "distribution of patient" in target_sentence("population", ["patient"])
    assert "combinations of levels of plate and sample" in target_sentence("observed_groups", ["plate", "sample"])
    assert "no grouping factor" in target_sentence("group", [])


@pytest.mark.parametrize(("prob", "kind"), [(95, "eti"), (0.0, "eti"), (1.0, "hdi"), (True, "eti"), ("0.9", "eti"), (0.9, "HDI")])
def test_interval_arguments_are_checked(prob, kind):
    with pytest.raises(ArgumentError):
        make_interval(prob, kind)


def test_summary_numbers_are_those_of_the_draws():
    draws = np.random.default_rng(1).normal(size=(501, 3))
    found = summarise(draws, IntervalChoice(0.8, "eti"))
    np.testing.assert_array_equal(found["mean"], draws.mean(axis=0))
    np.testing.assert_array_equal(found["sd"], draws.std(axis=0, ddof=1))
    np.testing.assert_array_equal(found["median"], np.median(draws, axis=0))
    np.testing.assert_array_equal(found["ci_lower"], np.quantile(draws, 0.1, axis=0))


def test_summary_in_column_blocks_is_the_summary(monkeypatch):
    draws = np.random.default_rng(1).normal(size=(30, 7))
    whole = interval_ends(draws, IntervalChoice(0.8, "hdi"))
    monkeypatch.setattr("bayesglmm.post.intervals._ELEMENTS_PER_BLOCK", 60)
    np.testing.assert_array_equal(interval_ends(draws, IntervalChoice(0.8, "hdi")), whole)


def test_one_draw_has_no_spread():
    found = summarise(np.ones((1, 2)), IntervalChoice(0.95, "eti"))
    np.testing.assert_array_equal(found["sd"], 0.0)
    np.testing.assert_array_equal(found["ci_upper"], 1.0)


def test_an_index_stays_where_it_is_asked_for_without_a_name_that_a_column_has():
    labels = pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", "b"], name="who"))
    numbers = {"mean": np.zeros(2)}
    assert join_columns(labels, numbers).index.tolist() == [0, 1]
    kept = join_columns(labels, numbers, keep_index=True)
    assert (kept.index.tolist(), kept.index.name, list(kept.columns)) == (["a", "b"], "who", ["x", "mean"])
    assert join_columns(labels.rename_axis("mean"), numbers, keep_index=True).index.name is None
