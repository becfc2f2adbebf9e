"""Whole reports: complete, equal to their twins, written both or not at all."""

import json
import math
from dataclasses import replace
from importlib import import_module

import pytest

import bayesglmm as bg
from bayesglmm.errors import ArgumentError, BayesglmmError, ColumnError, FamilyError
from bayesglmm.fit.quality import Check
from bayesglmm.reporting import outline
from bayesglmm.reporting import report as module
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Entry, Image, Numbers, Section, not_run
from bayesglmm.reporting.report import report, write_report
from tests.fits import make_fit
from tests.post.makers import crossed_fit, table
from tests.reporting.conftest import FACTOR, GROUP, LEVEL, NUMBER
from tests.reporting.test_render import read

MOST_BYTES = 3_000_000
ORDER = [
    "provenance", "model", "data", "prior", "computation", "posterior", "marginal", "predictive", "accuracy", "sensitivity", "calibration",
    "glossary",
]  # fmt: skip


def quick(verdict="ok"):
    """A section in no time."""
    return lambda context: Section("data", "Data", "intro", (Entry(Check("data.a", math.nan, "r", verdict, "f", "m", "do")),))


@pytest.fixture
def sections(monkeypatch):
    """Reports of one section only, which a test chooses."""
    return lambda make: monkeypatch.setattr(module, "SECTIONS", (("data", make),))


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [n for v in value for n in numbers_in(v)]
    return [value] if isinstance(value, float) else []


def test_sections_stand_in_the_order_of_the_outline(hostile):
    _, made = hostile
    assert [s.id for s in made.sections] == [name for name, _ in outline.SECTIONS] == ORDER


def test_the_page_is_self_contained_and_small(hostile):
    _, made = hostile
    html = made.html.read_text(encoding="utf-8")
    assert made.html.stat().st_size < MOST_BYTES
    parsed = read(html)
    assert sum(t == "img" for t, _ in parsed.tags) == sum(isinstance(b, Image) for s in made.sections for b in s.blocks) > 0
    for tag, attributes in parsed.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert tag not in ("svg", "b", "iframe", "link")


def test_names_are_there_as_text(hostile):
    _, made = hostile
    text = "".join(read(made.html.read_text(encoding="utf-8")).text)
    for name in (LEVEL, NUMBER, FACTOR, GROUP):
        assert name in text


def test_the_twin_holds_every_check_and_every_row(hostile):
    _, made = hostile
    twin = json.loads(made.json.read_text(encoding="ascii"))
    assert twin == json.loads(json.dumps(made.to_dict()))
    assert twin["verdict"] == made.verdict
    assert [c["id"] for s in twin["sections"] for c in s["checks"]] == [e.check.id for e in made.checks]
    assert sum(twin["counts"].values()) == len(made.checks)
    shown = [b.result for s in made.sections for b in s.blocks if isinstance(b, Numbers)]
    stored = [b for s in twin["sections"] for b in s["blocks"] if b["kind"] == "numbers"]
    assert [len(b["table"]) for b in stored] == [len(r.table) for r in shown]
    assert all(math.isfinite(n) for n in numbers_in(twin))


def test_every_table_names_its_target_and_its_interval(hostile):
    _, made = hostile
    for part in made.sections:
        for block in part.blocks:
            if isinstance(block, Numbers):
                assert block.result.target
                assert block.result.interval is not None or not {"ci_lower", "ci_upper"} & set(block.result.table.columns)


def test_every_check_says_rule_meaning_and_remedy(hostile):
    _, made = hostile
    for entry in made.checks:
        check = entry.check
        assert check.threshold
        assert check.meaning
        assert check.verdict == "ok" or check.remedy or check.detail


def test_a_section_that_refuses_is_there_with_its_reason(sections, tmp_path):
    def refuse(context):
        raise FamilyError("this family has no such thing", fix="use another")

    sections(refuse)
    made = report(crossed_fit(), tmp_path / "r.html")
    (entry,) = made.checks
    assert (entry.check.verdict, entry.required, made.verdict) == ("not run", True, "attention")
    assert "this family has no such thing" in made.html.read_text()


def test_a_number_that_is_none_is_null(sections, tmp_path):
    sections(quick())
    twin = json.loads(report(crossed_fit(), tmp_path / "r.html").json.read_text())
    assert twin["sections"][0]["checks"][0]["value"] is None


def test_data_are_compared(tmp_path, monkeypatch):
    fit = crossed_fit()
    monkeypatch.setattr(module, "SECTIONS", tuple(s for s in module.SECTIONS if s[0] == "provenance"))

    def found(data, name):
        return {e.check.id: e.check for e in report(fit, tmp_path / name, data=data).checks}["prov.data"]

    shuffled = fit.frame.assign(extra=1).sample(frac=1.0, random_state=1)
    assert found(shuffled.sort_index(), "a.html").verdict == "ok"
    check = found(shuffled, "order.html")
    assert (check.verdict, "only their order differs" in check.detail) == ("attention", True)
    check = found(shuffled.assign(x=shuffled["x"] + 1.0), "b.html")
    assert (check.verdict, "not as fitted" in check.detail) == ("attention", True)
    # every column alone has the values that were fitted, the rows have not
    check = found(fit.frame.assign(x=fit.frame["x"].to_numpy()[::-1]), "d.html")
    assert "not as fitted" in check.detail
    with pytest.raises(BayesglmmError, match="drug"):
        report(fit, tmp_path / "c.html", data=fit.frame.drop(columns="drug"))
    assert not (tmp_path / "c.html").exists()


def test_existing_files_stay_unless_forced(sections, tmp_path):
    sections(quick())
    report(crossed_fit(), tmp_path / "r.html")
    (tmp_path / "only.json").write_text("mine")
    for name in ("r.html", "only.html"):
        with pytest.raises(ArgumentError, match="exists"):
            report(crossed_fit(), tmp_path / name)
    assert (tmp_path / "only.json").read_text() == "mine"
    assert not (tmp_path / "only.html").exists()
    sections(quick("attention"))
    assert report(crossed_fit(), tmp_path / "r.html", force=True).verdict == "attention"
    assert '"attention"' in (tmp_path / "r.json").read_text()


@pytest.mark.parametrize(
    ("name", "fix"),
    [("missing/r.html", "choose a folder"), ("r.json", "r.html"), ("r.nc", "r.html"), ("r", "r.html"), (".", "such as report.html")],
)
def test_paths_that_cannot_be(sections, tmp_path, name, fix):
    sections(quick())
    with pytest.raises(ArgumentError, match=f"What to do: .*{fix}"):
        report(crossed_fit(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["r.htm", "R.HTML", "a.b.html"])
def test_endings_of_a_page(sections, tmp_path, name):
    sections(quick())
    assert report(crossed_fit(), tmp_path / name).html.exists()


@pytest.mark.parametrize("formula", ["zero_one ~ x + (1 | g)", "zero_one ~ x"])
def test_a_time_that_the_fit_does_not_keep_is_refused(sections, tmp_path, formula):
    sections(quick())
    fit = make_fit(formula, table(), family="bernoulli")
    with pytest.raises(ColumnError, match="did you mean 'x'"):
        report(fit, tmp_path / "r.html", time="X")
    assert list(tmp_path.iterdir()) == []
    assert report(fit, tmp_path / "r.html", time="`x`").html.exists()


@pytest.mark.parametrize("fails", ["r.html", "r.json"])
@pytest.mark.parametrize("before", [None, "old"])
def test_both_files_or_none(sections, tmp_path, monkeypatch, fails, before):
    """Moving one of the files fails, after everything has been checked and written."""
    import bayesglmm.io.atomic as atomic

    sections(quick())
    for name in ("r.html", "r.json"):
        if before:
            (tmp_path / name).write_text(before)
    move = atomic.os.replace

    def replace_or_fail(source, target):
        if target.name == fails:
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(atomic.os, "replace", replace_or_fail)
    with pytest.raises(ArgumentError, match="No space left"):
        report(crossed_fit(), tmp_path / "r.html", force=True)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == ({"r.html": before, "r.json": before} if before else {})


@pytest.mark.parametrize("arguments", [{"goal": 1}, {"title": b"x"}])
def test_arguments_that_cannot_be(tmp_path, arguments):
    with pytest.raises(ArgumentError, match=next(iter(arguments))):
        report(crossed_fit(), tmp_path / "r.html", **arguments)
    with pytest.raises(ArgumentError, match="fit"):
        report("fit.nc", tmp_path / "r.html")


def test_text_says_verdict_actions_and_files(sections, tmp_path):
    sections(lambda context: Section("data", "D", "i", (*quick("attention")(context).entries, not_run("loo.a", "r", "w", required=False))))
    made = write_report(Context(crossed_fit(), file="fit.nc"), tmp_path / "r.html")
    assert "attention" in str(made)
    assert "data.a. do" in str(made)
    assert "Checks that are not ok: data.a (attention)." in str(made)
    assert str(made.html) in str(made)
    assert made.paths == (tmp_path / "r.html", tmp_path / "r.json")


def test_the_same_fit_gives_the_same_checks(monkeypatch, tmp_path):
    fit = crossed_fit()
    chosen = tuple(s for s in module.SECTIONS if s[0] in ("data", "computation"))
    monkeypatch.setattr(module, "SECTIONS", chosen)
    first, second = (report(fit, tmp_path / f"{k}.html").to_dict()["sections"] for k in "ab")
    assert first == second


def test_the_public_name_is_the_function_whatever_was_imported():
    assert bg.report is report
    import_module(module.__name__)
    assert bg.report is report
    assert callable(bg.report)


def test_a_fit_that_may_not_be_used_spoils_the_report(monkeypatch, tmp_path):
    fit = crossed_fit()
    bad = tuple(replace(c, verdict="do not use") if c.id == "mcmc.rhat" else c for c in fit.quality.checks)
    monkeypatch.setattr(module, "SECTIONS", tuple(s for s in module.SECTIONS if s[0] == "computation"))
    made = report(replace(fit, quality=replace(fit.quality, checks=bad)), tmp_path / "r.html")
    assert made.verdict == "do not use"
    assert made.summary.actions[0].entry.check.id == "mcmc.rhat"
