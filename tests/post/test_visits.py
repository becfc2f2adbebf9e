"""Who was observed when, counted by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayesglmm.design.table import DroppedRows
from bayesglmm.errors import ArgumentError, ColumnError
from bayesglmm.post.visits import MOST_TIMES, NO_COVARIATE, NO_RESPONSE, NO_ROW, SEEN, STATES, visits
from tests.fits import make_fit
from tests.post.makers import VISITS, aids_visits

FORMULA = "y ~ month + age + (1 | id)"


def small():
    """Five subjects: complete, left, gap, later, and one whose response is never there."""
    rows = [
        ("full", 0, 1.0, 30.0), ("full", 6, 1.5, 30.0), ("full", 12, 1.1, 30.0),
        ("left", 0, 2.0, 40.0), ("left", 6, 2.5, 40.0),
        ("gap", 0, 0.5, 50.0), ("gap", 6, np.nan, 50.0), ("gap", 12, 0.7, 50.0),
        ("late", 6, 0.1, np.nan), ("late", 12, 0.2, 60.0),
        ("never", 0, np.nan, 70.0),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["id", "month", "y", "age"])


def states(result):
    return result.draws["state"].to_pandas()


def test_every_level_and_time_has_its_state():
    found = states(visits(FORMULA, small()))
    assert found.columns.tolist() == ["0", "6", "12"]
    expected = {
        "full": [SEEN, SEEN, SEEN],
        "left": [SEEN, SEEN, NO_ROW],
        "gap": [SEEN, NO_RESPONSE, SEEN],
        "late": [NO_ROW, NO_COVARIATE, SEEN],
        "never": [NO_RESPONSE, NO_ROW, NO_ROW],
    }
    assert {name: list(row) for name, row in zip(found.index, found.to_numpy(), strict=True)} == expected


def test_those_seen_longest_stand_first():
    assert states(visits(FORMULA, small())).index.tolist() == ["full", "gap", "late", "left", "never"]


def test_counts_at_each_time():
    shown = visits(FORMULA, small()).table
    assert shown["time"].tolist() == ["0", "6", "12"]
    assert shown["observed"].tolist() == [3, 2, 3]
    np.testing.assert_allclose(shown["share"], [0.6, 0.4, 0.6])
    assert shown["covariate_missing"].tolist() == [0, 1, 0]
    assert shown["response_missing"].tolist() == [1, 1, 0]
    assert shown["no_row"].tolist() == [1, 1, 2]
    assert (shown[[s.replace(" ", "_") for s in STATES]].sum(axis=1) == 5).all()


def test_patterns_are_counted_in_words():
    (note,) = visits(FORMULA, small()).notes
    assert note.startswith("1 of 5 levels were observed at every time, 1 from the first time on until they left for good, 2 with gaps")
    assert note.endswith("1 never.")


def test_the_visits_of_the_trial():
    frame = aids_visits()
    result = visits("low ~ obstime * drug + (1 | patient)", frame, family="bernoulli")
    expected = {time: sum(n for arm in VISITS.values() for pattern, n in arm.items() if time in pattern) for time in (0, 2, 6, 12, 18)}
    assert dict(zip(result.table["time"].astype(int), result.table["observed"], strict=True)) == expected
    assert result.table["time"].tolist() == ["0", "2", "6", "12", "18"]


def test_missing_values_are_not_hidden_by_a_fit():
    frame = small()
    complete = frame.dropna()
    fit = make_fit("y ~ month + (1 | id)", complete, n_draws=4)
    assert states(visits(fit)).loc["gap"].tolist() == [SEEN, NO_ROW, SEEN]
    assert visits(fit).notes[-1].startswith("These are the rows of the fit")


def test_a_fit_that_left_rows_out_cannot_show_them():
    fit = make_fit("y ~ month + (1 | id)", small().dropna(), n_draws=4)
    fit = replace(fit, design=replace(fit.design, dropped=DroppedRows(11, 8, (("y", 2), ("age", 1)))))
    with pytest.raises(ArgumentError, match="3 of 11 rows were left out"):
        visits(fit)


def test_repeated_and_homeless_rows_are_counted():
    frame = pd.concat([small(), pd.DataFrame({"id": ["never", None], "month": [0, 0], "y": [1.0, 2.0], "age": [70.0, 1.0]})])
    result = visits(FORMULA, frame)
    assert states(result).loc["never"].tolist() == [SEEN, NO_ROW, NO_ROW]
    assert any(note.startswith("1 rows repeat a level and a time") for note in result.notes)
    assert any(note.startswith("1 rows have no level or no time") for note in result.notes)


def test_times_and_factors_can_be_named():
    frame = small().assign(visit=lambda f: f["month"] // 6)
    result = visits("y ~ age", frame, factor="id", time="visit")
    assert result.table["time"].tolist() == ["0", "1", "2"]
    assert result.draws.attrs["factor"] == "id"


def test_what_cannot_be_is_refused():
    frame = pd.DataFrame({"y": np.zeros(200), "t": np.arange(200.0), "id": np.resize(["a", "b"], 200)})
    with pytest.raises(ArgumentError, match=f"200 values, at most {MOST_TIMES}"):
        visits("y ~ t + (1 | id)", frame)
    with pytest.raises(ArgumentError, match="no grouping factor"):
        visits("y ~ t", frame)
    with pytest.raises(ArgumentError, match="time="):
        visits("y ~ 1 + (1 | id)", frame)
    with pytest.raises(ColumnError, match="visit"):
        visits("y ~ t + (1 | id)", frame, time="visit")
