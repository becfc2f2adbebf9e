"""Commands that write files: pictures, reports, predictions, completion."""

import json

import pandas as pd
import pytest

from bayesglmm.cli.main import COMMANDS
from bayesglmm.cli.plot import NAMES
from bayesglmm.io.fits import load
from bayesglmm.plots.gallery import GALLERY
from bayesglmm.post.predict import predict

PNG = b"\x89PNG"
FEW = ("--draws", "120", "--tune", "10")


def test_the_names_are_those_of_the_gallery(run):
    assert tuple(GALLERY) == NAMES
    text = " ".join(run("plot", "--help").stdout.split())
    assert ", ".join(NAMES) in text


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_a_picture_is_written(run, stored, tmp_path, suffix):
    result = run("plot", "caterpillar", stored, "--factor", "id", "-o", f"c.{suffix}")
    assert (result.exit_code, result.stdout) == (0, f"Written to c.{suffix}\n")
    assert {"png": PNG, "svg": b"<?xml", "pdf": b"%PDF"}[suffix] == (tmp_path / f"c.{suffix}").read_bytes()[: len(PNG) + (suffix == "svg")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plot", "caterpilar"), "caterpillar"),
        (("plot", "caterpillar", "-o", "c.gif"), ".png"),
        (("plot", "caterpillar", "-o", "none/c.png"), "none"),
        (("plot", "caterpillar", "-o", "there.png"), "exists"),
        (("plot", "trace", "--variable", "year"), "variable"),
        (("plot", "spaghetti", "--at", "drug=active"), "variable"),
        (("plot", "spaghetti", "--variable", "yaer"), "year"),
        (("check", "--of", "calibration", "--factor", "id"), "--factor"),
        (("check", "--of", "groups", "--factor", "clinic"), "clinic"),
        (("check", "--of", "effects", "--seed", "2"), "--seed"),
        (("check", "--of", "autocorrelation"), "--time"),
        (("predict", "--observations", "--scale", "link"), "--observations"),
        (("predict", "--newdata", "none.csv"), "none.csv"),
        (("predict", "--out", "there.csv"), "exists"),
        (("partition", "--at", "yaer=1"), "year"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(run, stored, tmp_path, arguments, message):
    for name in ("there.png", "there.csv"):
        (tmp_path / name).write_text("mine")
    name, *rest = arguments
    place = [rest.pop(0), stored] if name == "plot" else [stored]
    result = run(name, *place, *rest)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"there.png": "mine", "there.csv": "mine"}


def test_predictions_go_to_a_file(run, stored, tmp_path):
    rows = pd.DataFrame({"year": [1.0, 2.0], "drug": ["active", "placebo"], "id": [3, 77]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    asked = ("--newdata", "rows.csv", "--new-groups", "population", "--seed", "5")
    result = run("predict", stored, *asked, "--out", "p.csv")
    assert result.exit_code == 0, result.stderr
    expected = predict(load(stored), rows, new_groups="population", seed=5).table
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "p.csv"), expected, check_dtype=False)
    assert run("predict", stored, "--newdata", "rows.csv").exit_code == 2  # level 77 is new


def test_fit_with_report_in_one_go(run, sampler, csv, tmp_path):
    asked = ("--formula", "y ~ year + (1 | id)", "--data", csv, "--family", "bernoulli", *FEW)
    result = run("fit", *asked, "--report", "r.html")
    assert result.exit_code == 0
    assert "Verdict of the report: " in result.stdout
    assert "Written to r.html and r.json" in result.stdout
    assert (tmp_path / "r.html").read_text().lower().startswith("<!doctype html>")
    assert json.loads((tmp_path / "r.json").read_text())["verdict"] in ("ok", "attention", "do not use")
    sampler.calls.clear()
    refused = run("fit", *asked, "--out", "other.nc", "--report", "r.html")
    assert (refused.exit_code, sampler.calls) == (2, [])
    refused = run("fit", *asked, "--out", "other.nc", "--report", "r.txt")
    assert (refused.exit_code, sampler.calls) == (2, [])
    assert "r.html" in refused.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(run, shell):
    text = run("completion", shell).stdout
    assert "_BAYESGLMM_COMPLETE" in text
    assert f"{shell}_complete" in text


def test_completion_completes(monkeypatch, run):
    from click.shell_completion import BashComplete

    from bayesglmm.cli.main import main

    complete = BashComplete(main, {}, "bayesglmm", "_BAYESGLMM_COMPLETE")
    assert {c.value for c in complete.get_completions([], "")} >= set(COMMANDS)
    assert {c.value for c in complete.get_completions(["plot"], "sp")} == {"spaghetti"}
    assert "--target" in {c.value for c in complete.get_completions(["means", "fit.nc"], "--t")}
