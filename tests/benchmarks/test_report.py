"""The pure parts of the drivers: what workers print, medians and ratios, tables, growth exponents; and the made-up tables."""

import sys

import numpy as np
import pytest

from tests.benchmarks import made_up, table
from tests.benchmarks.models import MODELS, ROOT, bambi_formula, load_case, r_formula
from tests.benchmarks.processes import run
from tests.benchmarks.report import (
    HEADER,
    OK,
    OURS,
    OVER,
    cells,
    exponent,
    figure,
    flatten,
    format_record,
    markdown,
    middle,
    parse_line,
    rate,
    summarize,
    with_ratios,
)
from tests.benchmarks.short import line, short_table
from tests.tolerances import ALGEBRAIC


def record(fit_s, ess, **more):
    statistics = {"min_ess": ess, "lowest_at": "sigma", "max_rhat": 1.004, "divergences": 0, "peak_mb": 300.0}
    return {"stage": "fit", "import_s": 1.0, "fit_s": fit_s, "after_s": fit_s + 2.0, **statistics, **more}


def run_of(*records, cold=False, status=OK):
    return {**flatten(status, records), "cold": cold}


def test_a_record_survives_the_line():
    written = {"stage": "fit", "min_ess": 12.5, "lowest_at": "1|g_sigma", "max_rhat": float("inf")}
    assert parse_line(format_record(written) + "\n") == written


@pytest.mark.parametrize("line", ["", "Sampling 4 chains\n", "@record not json\n", "@record 3\n", " @record {}\n"])
def test_other_lines_are_no_records(line):
    assert parse_line(line) is None


def test_medians_leave_out_the_cold_run_and_what_is_absent():
    runs = [run_of(record(50.0, 100.0), cold=True), *(run_of(record(s, 400.0 * s)) for s in (1.0, 4.0, 2.0))]
    row = summarize("m", "bayesglmm", runs)
    assert (row["runs"], row["fit_s"], row["process_s"], row["min_ess"], row["cold_s"]) == (3, 2.0, 4.0, 800.0, 52.0)
    assert middle([None, 3.0, 1.0]) == 2.0
    assert middle([None]) is None


def test_the_rate_is_the_median_of_rates_not_the_rate_of_medians():
    row = summarize("m", "bayesglmm", [run_of(record(1.0, 100.0)), run_of(record(2.0, 1000.0)), run_of(record(5.0, 300.0))])
    assert row["ess_per_s"] == 100.0
    assert rate({"fit_s": 2.0}) is None


def test_worst_rhat_and_all_divergences_count_later_fits_too():
    later = record(0.5, 350.0, stage="refit", max_rhat=1.03, divergences=2, lowest_at="slope")
    row = summarize("m", "bayesglmm", [run_of(record(1.0, 400.0), later), run_of(record(1.0, 500.0, divergences=1))])
    assert (row["max_rhat"], row["divergences"], row["seeds"], row["refit_s"], row["refit_ess_per_s"]) == (1.03, 3, 3, 0.5, 700.0)
    assert row["lowest_at"] == "slope"


def test_ratio_is_to_the_better_of_bambis_samplers():
    rows = [
        summarize("m", "bayesglmm", [run_of(record(1.0, 1000.0))]),
        summarize("m", "bambi-nutpie", [run_of(record(4.0, 400.0))]),
        summarize("m", "bambi-pymc", [run_of(record(10.0, 500.0))]),
        summarize("m", "rstanarm", [run_of(record(0.1, 500.0))]),
        summarize("other", "bambi-pymc", [run_of(record(0.1, 500.0))]),
    ]
    found = with_ratios(rows)
    assert found[0]["ratio"] == 10.0
    assert [r["ratio"] for r in found[1:]] == [None] * 4


def test_no_ratio_without_a_peer_that_finished():
    late = {"status": f"{OVER} (900 s)", "refits": [], "cold": False}
    rows = with_ratios([summarize("m", "bayesglmm", [run_of(record(1.0, 1000.0))]), summarize("m", "bambi-pymc", [late])])
    assert rows[0]["ratio"] is None
    assert rows[1]["status"] == "over the limit (900 s)"
    assert "over the limit (900 s)" in cells(rows[1])


def test_a_run_that_fails_after_its_first_fit_keeps_it():
    stopped = flatten(f"{OVER} (9 s)", [record(3.0, 400.0)])
    assert (stopped["status"], stopped["ended"], stopped["fit_s"]) == (OK, f"{OVER} (9 s)", 3.0)
    assert flatten(OK, [])["status"] == "failed: no record"


def test_maximum_likelihood_has_no_effective_size():
    row = summarize("m", "lme4", [run_of({"stage": "fit", "import_s": 1.0, "fit_s": 0.2, "after_s": 1.5, "peak_mb": 200.0})])
    assert (row["min_ess"], row["max_rhat"], row["divergences"], row["ess_per_s"]) == (None, None, None, None)
    assert cells(row)[HEADER.index("min ESS")] == "-"


def test_every_row_has_every_cell():
    rows = [summarize("m", "bayesglmm", [run_of(record(1.0, 1000.0))]), summarize("m", "bambi-pymc", [])]
    lines = table.table(with_ratios(rows)).splitlines()
    assert {line.count(" | ") for line in lines} == {len(HEADER) - 1}


def test_markdown_keeps_bars_of_names_out_of_the_grid():
    assert markdown(("a", "b"), [["1|g_sigma", "2"]]).splitlines() == ["| a | b |", "| --- | --- |", r"| 1\|g_sigma | 2 |"]


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (0.01234, "0.0123"), (12.345, "12.3"), (1234.5, "1,234"), (float("inf"), "inf")])
def test_figures(value, text):
    assert figure(value) == text


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_exponent_of_a_power(power):
    sizes = np.array([10.0, 100.0, 1000.0, 10_000.0])
    assert exponent(sizes, 3.0 * sizes**power) == pytest.approx(power, rel=ALGEBRAIC)


def test_exponent_looks_at_the_upper_half_of_the_range():
    sizes = np.array([1.0, 10.0, 100.0, 1000.0, 10_000.0])
    assert exponent(sizes, np.maximum(100.0, sizes)) == pytest.approx(1.0, rel=ALGEBRAIC)
    with pytest.raises(ValueError, match="fewer than two sizes"):
        exponent([1.0, 2.0], [1.0, 2.0])


def test_formulas_of_the_peers():
    ours = "k | trials(n) ~ 1 + I(x ** 2) + (1 + x || g)"
    assert bambi_formula(ours) == "p(k, n) ~ 1 + I(x ** 2) + (1 + x | g)"
    assert r_formula(ours) == "cbind(k, n - k) ~ 1 + I(x ^ 2) + (1 + x || g)"
    assert bambi_formula("y ~ x + (1 | g)") == r_formula("y ~ x + (1 | g)") == "y ~ x + (1 | g)"


def test_every_model_has_its_file():
    assert all((ROOT / "models" / f"{file}.toml").is_file() for file in MODELS.values())


def test_a_case_writes_its_table_for_the_peers(tmp_path):
    case = load_case("cbpp", tmp_path)
    lines = (tmp_path / "cbpp.csv").read_text().splitlines()
    assert case.formula == "incidence | trials(size) ~ 1 + period + (1 | herd)"
    assert not case.correlated
    assert set(case.levels) == {"period", "herd"}
    assert case.levels["period"] == ["1", "2", "3", "4"]
    assert len(lines) == 57
    assert all("." not in line for line in lines)  # counts are whole numbers


def test_unknown_models_are_refused(capsys):
    with pytest.raises(SystemExit):
        table.parse(["--models", "sleepstudy,nonsense"])
    assert "unknown: nonsense" in capsys.readouterr().err
    assert table.parse(["--peers", ""]).peers == []


def test_a_process_over_its_limit_is_stopped_and_says_so():
    code = f"import time; print({format_record({'stage': 'fit'})!r}, flush=True); time.sleep(600)"
    outcome = run([sys.executable, "-c", code], limit=2.0)
    assert outcome.status == f"{OVER} (2 s)"
    assert flatten(outcome.status, outcome.records)["ended"] == outcome.status


def test_a_process_that_fails_says_why():
    outcome = run([sys.executable, "-c", "raise SystemExit('no such table')"], limit=60.0)
    assert outcome.status == "failed: no such table"


def test_grades_have_the_shape_asked_for():
    shape = made_up.GradesShape().scaled(0.01)
    data = made_up.grades(shape)
    assert len(data) == shape.rows
    assert data["student"].nunique() == shape.students
    assert data["instructor"].nunique() == shape.instructors
    assert data["department"].nunique() == shape.departments
    assert data.groupby("instructor")["department"].nunique().max() == 1
    per_student = data.groupby("student")["department"].agg(lambda d: d.value_counts().iloc[0] / len(d))
    assert per_student.mean() > 0.3  # most courses lie in a few departments


def test_visits_drop_out_for_good():
    _, data = made_up.aids_like(2000)
    seen = data.groupby("obstime").size()
    assert list(seen.index) == list(made_up.VISITS)
    assert seen.is_monotonic_decreasing
    last = data.groupby("patient")["obstime"].agg(["max", "size"])
    assert (np.searchsorted(made_up.VISITS, last["max"]) + 1 == last["size"]).all()
    assert data["patient"].nunique() == 2000


def test_answers_count_their_distinct_groups():
    _, data, distinct = made_up.answers(300)
    groups = {tuple(map(tuple, g[["month", "arm", "yes"]].to_numpy())) for _, g in data.groupby("g")}
    assert len(groups) == distinct


def test_short_table_takes_the_better_of_bambis_samplers_and_shows_what_was_not_run():
    ours = {
        "model": "m",
        "tool": OURS,
        "status": "ok",
        "fit_s": 0.5,
        "min_ess": 1000.0,
        "ess_per_s": 2000.0,
        "max_rhat": 1.0021,
        "divergences": 0,
    }
    slow = {"model": "m", "tool": "bambi-pymc", "status": "ok", "fit_s": 10.0, "min_ess": 500.0, "ess_per_s": 50.0}
    fast = {"model": "m", "tool": "bambi-nutpie", "status": "ok", "fit_s": 4.0, "min_ess": 400.0, "ess_per_s": 100.0}
    over = {"model": "m", "tool": "bambi-nutpie", "status": "over the limit", "ess_per_s": None}
    assert line("m", [ours, slow, fast])[1:] == ["0.5", "1,000", "2,000", "1.002", "0", "4", "400", "100", "20 x", "-", "-"]
    assert line("m", [ours, slow, over])[9] == "40 x"
    assert line("m", [ours, over])[6:10] == ["-", "-", "-", "-"]
    assert short_table([ours, slow]).count("\n") == 2
