"""``bayesglmm report``."""

import json
from pathlib import Path

import pytest

from bayesglmm.io.fits import save
from bayesglmm.reporting import report as module
from bayesglmm.reporting.computation import section as computation
from bayesglmm.reporting.provenance import section as provenance
from tests.io.hand import hand_made_fit


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two sections instead of twelve."""
    monkeypatch.setattr(module, "SECTIONS", (("provenance", provenance), ("computation", computation)))


@pytest.fixture(scope="session")
def bad(table, tmp_path_factory):
    """A stored fit whose verdict is ``do not use``."""
    return save(hand_made_fit("y ~ year + (1 | id)", table, size=(4, 10)), tmp_path_factory.mktemp("bad") / "bad.nc")


def test_a_page_and_its_twin(run, stored, tmp_path):
    result = run("report", stored, "--goal", "Does the drug help?", "--title", "My page")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Verdict of the report" in result.stdout
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for part in ("Does the drug help?", "<title>My page</title>", "fit.nc"):
        assert part in page
    assert json.loads((tmp_path / "report.json").read_text())["title"] == "My page"


def test_json(run, stored, tmp_path):
    document = json.loads(run("report", stored, "--out", "r.html", "--json").stdout)
    assert document["command"] == "report"
    assert document["report"]["html"] == "r.html"
    assert {c["id"] for c in document["report"]["checks"]} >= {"prov.data", "mcmc.rhat"}
    assert document["report"]["verdict"] in ("ok", "attention")


def test_every_failed_check_is_named(run, bad):
    text = run("report", bad).stdout
    failed = json.loads(Path("report.json").read_text())["failed"]
    assert len(failed) > 3
    assert all(f"{check_id} (" in text for check_id in failed)


def test_a_time_that_the_fit_does_not_keep_writes_nothing(run, stored, tmp_path):
    result = run("report", stored, "--time", "yaer")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "did you mean 'year'" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_files_that_exist_stay(run, stored, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    result = run("report", stored)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "exists" in result.stderr
    assert (tmp_path / "report.html").read_text() == "mine"
    assert run("report", stored, "--force").exit_code == 0


def test_the_gate_closes_only_on_what_may_not_be_used(run, stored, bad, tmp_path):
    assert run("report", stored, "--gate", "--out", "a.html").exit_code == 0
    assert run("report", bad, "--out", "b.html").exit_code == 0
    result = run("report", bad, "--gate", "--out", "c.html")
    assert result.exit_code == 3
    assert "do not use" in result.stdout
    assert (tmp_path / "c.html").exists()
    assert (tmp_path / "c.json").exists()


@pytest.mark.parametrize("out", ["missing/r.html", "r.json", "r.txt", "."])
def test_paths_that_cannot_be(run, stored, out):
    result = run("report", stored, "--out", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "What to do" in result.stderr
