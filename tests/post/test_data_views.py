"""Numbers behind the pictures of data: plain pandas gives the same."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayesglmm.errors import ArgumentError, BayesglmmError, ColumnError, MissingValueError, ResponseError
from bayesglmm.post.data_views import BINS, MOST_LINES, PANELS, data_view
from bayesglmm.post.observed import observe
from bayesglmm.spec.model_spec import make_spec
from tests.fits import make_fit
from tests.post.makers import table
from tests.tolerances import ALGEBRAIC, REFERENCE

FORMULAS = {
    "gaussian": "y ~ x + drug + (x | g)",
    "bernoulli": "zero_one ~ x + drug + (1 | g)",
    "poisson": "count ~ x + (1 | g)",
    "binomial": "k | trials(n) ~ x + (1 | g)",
}
SHOWN = {"gaussian": "y", "bernoulli": "zero_one", "poisson": "count", "binomial": "k"}


def values_of(family, frame):
    return frame[SHOWN[family]] / (frame["n"] if family == "binomial" else 1)


@pytest.mark.parametrize("family", FORMULAS)
def test_groups_are_ordered_by_their_means(family):
    frame = table()
    result = data_view(FORMULAS[family], frame, family=family)
    own = values_of(family, frame).groupby(frame["g"])
    shown = result.table.set_index("level")
    assert shown["mean"].is_monotonic_increasing
    assert set(shown.index) == set(frame["g"])
    for column, expected in (("mean", own.mean()), ("rows", own.size()), ("lowest", own.min()), ("highest", own.max())):
        np.testing.assert_allclose(shown[column], expected[shown.index], rtol=ALGEBRAIC)


@pytest.mark.parametrize("family", FORMULAS)
def test_dots_are_the_responses_of_their_level(family):
    frame = table()
    result = data_view(FORMULAS[family], frame, family=family)
    rank, response, rows = (result.draws[c].to_numpy() for c in ("rank", "response", "rows"))
    assert rows.sum() == len(frame)
    for at, level in enumerate(result.table["level"]):
        own = np.repeat(response[rank == at], rows[rank == at])
        np.testing.assert_allclose(np.sort(own), np.sort(values_of(family, frame)[frame["g"] == level]), rtol=ALGEBRAIC)


def test_the_mean_of_a_binomial_level_is_that_of_its_trials():
    frame = table().assign(n=lambda f: f["k"] + np.arange(len(f)) % 5)
    result = data_view("k | trials(n) ~ 1 + (1 | g)", frame, family="binomial")
    sums = frame.groupby("g")[["k", "n"]].sum()
    shown = result.table.set_index("level")["mean"]
    np.testing.assert_allclose(shown, (sums["k"] / sums["n"])[shown.index], rtol=ALGEBRAIC)
    empty = int((frame["n"] == 0).sum())
    assert empty > 0
    assert f"{empty} rows without a trial are left out." in result.notes
    assert result.table["rows"].sum() == len(frame) - empty


def test_a_fit_a_spec_and_a_formula_give_the_same():
    frame, formula = table(), FORMULAS["gaussian"]
    spec = make_spec(formula, family="gaussian", link="identity")
    first = data_view(formula, frame).table
    for given, data in ((spec, frame), (make_fit(formula, frame, n_draws=5), None)):
        pd.testing.assert_frame_equal(data_view(given, data).table, first)


def test_cells_of_two_columns_are_levels():
    frame = table()
    result = data_view("y ~ x + (1 | h) + (1 | g:h)", frame, factor="g:h")
    assert set(result.table["level"]) == set(frame["g"] + ":" + frame["h"])


def test_a_column_beside_the_formula_can_be_the_factor():
    frame = table()
    result = data_view("y ~ x", frame, factor="drug")
    assert set(result.table["level"]) == {"a", "b", "c"}


def test_subjects_are_spaced_by_the_rank_of_their_mean():
    frame = table(240)
    result = data_view(FORMULAS["gaussian"], frame, kind="subjects")
    means = frame.groupby("g")["y"].mean().sort_values()
    assert len(result.table) == PANELS
    ranks = result.table["rank"].to_numpy().astype(int)
    assert ranks[0] == 1
    assert ranks[-1] == len(means)
    assert np.ptp(np.diff(ranks)) <= 1
    assert result.table["level"].tolist() == means.index[ranks - 1].tolist()
    np.testing.assert_allclose(result.table["mean"], means.iloc[ranks - 1], rtol=ALGEBRAIC)


def test_subjects_have_their_rows_along_the_axis():
    frame = table()
    result = data_view(FORMULAS["poisson"], frame, kind="subjects", time="age", family="poisson")
    assert result.draws.attrs["along"] == "age"
    for level in result.table["level"]:
        own = result.draws["level"].to_numpy() == level
        expected = frame[frame["g"] == level].sort_values("age", kind="stable")
        np.testing.assert_array_equal(result.draws["along"].to_numpy()[own], expected["age"])
        assert sorted(result.draws["response"].to_numpy()[own]) == sorted(expected["count"])


def test_the_axis_is_the_first_number_that_changes_within_levels():
    frame = table().assign(constant=lambda f: f["g"].str[1:].astype(float))
    formula = "y ~ constant + drug + x + age + (1 | g)"
    assert data_view(formula, frame, kind="subjects").draws.attrs["along"] == "x"
    assert data_view(formula, frame, kind="smooth").draws.attrs["along"] == "constant"


def test_a_factor_can_be_the_axis():
    result = data_view(FORMULAS["gaussian"], table(), kind="subjects", time="drug")
    assert result.draws.attrs["ticks"] == ("a", "b", "c")
    assert set(result.draws["along"].to_numpy()) == {0.0, 1.0, 2.0}


@pytest.mark.parametrize("family", FORMULAS)
def test_running_means_are_means_of_their_rows(family):
    frame = table(600)
    result = data_view(FORMULAS[family], frame, kind="smooth", time="x", family=family)
    assert len(result.table) == BINS
    assert result.table["rows"].sum() == len(frame)
    ordered = values_of(family, frame).to_numpy()[np.argsort(frame["x"], kind="stable")]
    edges = np.cumsum([0, *result.table["rows"]])
    expected = [ordered[start:stop].mean() for start, stop in pairwise(edges)]
    np.testing.assert_allclose(result.table["mean"], expected, rtol=ALGEBRAIC)
    assert (result.table["ci_lower"] <= result.table["mean"]).all()
    assert (result.table["mean"] <= result.table["ci_upper"]).all()


def test_intervals_of_a_share_and_of_a_mean():
    frame = table(300)
    frame["visit"] = np.random.default_rng(5).permutation(np.resize([0, 2, 6], len(frame)))
    for family, response in (("bernoulli", "zero_one"), ("gaussian", "y")):
        result = data_view(f"{response} ~ visit + (1 | g)", frame, kind="smooth", family=family, ci_prob=0.8)
        assert result.table["value"].tolist() == [0.0, 2.0, 6.0]
        own = frame.loc[frame["visit"] == 2, response]
        if family == "bernoulli":
            expected = stats.beta(own.sum() + 0.5, len(own) - own.sum() + 0.5).ppf([0.1, 0.9])
        else:
            expected = stats.t.interval(0.8, len(own) - 1, own.mean(), stats.sem(own))
        np.testing.assert_allclose(result.table.loc[1, ["ci_lower", "ci_upper"]].astype(float), expected, rtol=REFERENCE)
        assert "too narrow" in result.notes[0]


def test_running_means_by_a_factor():
    frame = table(300)
    result = data_view(FORMULAS["bernoulli"], frame, kind="smooth", factor="drug", time="x", family="bernoulli")
    assert result.table["level"].unique().tolist() == ["a", "b", "c"]
    for level, part in result.table.groupby("level"):
        own = frame[frame["drug"] == level]
        assert part["rows"].sum() == len(own)
        assert np.average(part["mean"], weights=part["rows"]) == pytest.approx(own["zero_one"].mean(), rel=ALGEBRAIC)


def test_too_many_lines_are_refused():
    with pytest.raises(ArgumentError, match=f"20 levels, at most {MOST_LINES}"):
        data_view(FORMULAS["gaussian"], table(), kind="smooth", factor="g")


def test_rows_with_missing_values_are_counted():
    frame = table()
    frame.loc[[3, 7, 11], "y"] = np.nan
    frame.loc[[7], "age"] = np.nan
    result = data_view("y ~ x + (1 | g)", frame, kind="subjects", time="age")
    assert any(note.startswith("3 of 120 rows have a missing value and are left out: y (3), age (1)") for note in result.notes)
    assert observe("y ~ x + (1 | g)", frame).table.n_rows == 117


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"kind": "forest"}, ArgumentError, "'groups'"),
        ({"kind": "groups", "time": "x"}, ArgumentError, "takes no time"),
        ({"kind": "structure", "factor": "g"}, ArgumentError, "takes no factor"),
        ({"kind": "subjects", "time": "agee"}, ColumnError, "age"),
        ({"kind": "groups", "factor": "gg"}, ColumnError, "gg"),
        ({"kind": "smooth", "ci_prob": 95}, ArgumentError, "probability"),
        ({"family": "poisson"}, ResponseError, "count"),
    ],
)
def test_what_cannot_be_is_refused(options, error, match):
    with pytest.raises(error, match=match):
        data_view(FORMULAS["gaussian"], table(), **options)


def test_without_a_factor_or_a_covariate_one_is_asked_for():
    with pytest.raises(ArgumentError, match="no grouping factor"):
        data_view("y ~ x", table())
    with pytest.raises(ArgumentError, match="name a column of the table, time="):
        data_view("y ~ drug + (1 | g)", table(), kind="subjects")


def test_a_model_and_a_table_belong_together():
    fit = make_fit(FORMULAS["gaussian"], table(), n_draws=5)
    with pytest.raises(ArgumentError, match="brings its own data"):
        data_view(fit, table())
    with pytest.raises(ArgumentError, match="no data"):
        data_view(FORMULAS["gaussian"])
    with pytest.raises(ArgumentError, match="not DataFrame"):
        data_view(table(), FORMULAS["gaussian"])
    with pytest.raises(ColumnError, match="age"):
        data_view(fit, kind="subjects", time="age")


def test_infinite_values_are_refused():
    frame = table().assign(y=lambda f: f["y"].where(f.index != 5, np.inf))
    with pytest.raises(MissingValueError, match="infinite"):
        data_view(FORMULAS["gaussian"], frame)


def test_results_print_and_have_no_index():
    for kind in ("groups", "subjects", "smooth", "missing", "structure"):
        frame = table().assign(visit=np.resize(np.arange(6), 120))
        result = data_view("y ~ visit + (1 | g)", frame, kind=kind)
        assert "data as observed" in str(result)
        assert result.to_dict()["table"]


def test_errors_are_of_the_package():
    with pytest.raises(BayesglmmError):
        data_view("y ~ nothing + (1 | g)", table())
