import json
import re

import pytest

from bayesglmm.io.fits import load

FEW = ("--draws", "120", "--tune", "10")


def test_the_demo_tells_the_whole_story(run, sampler):
    result = run("demo", *FEW)
    assert (result.exit_code, result.stderr) == (0, "")
    for part in (
        "high_chol ~ 1 + year + drug + year:drug + (1 | id)",
        "821 of 1945 rows left out",
        "1|id_sigma",
        "logit_approximation",
        "Target: average_subject",
        "Target: population",
        "Heterogeneity intervals",
        "Verdict: ",
        "Written to fit.nc",
    ):
        assert part in result.stdout
    for year in (0, 5, 10):
        assert re.search(rf"^ *{year} +placebo ", result.stdout, re.MULTILINE)
    assert load("fit.nc").spec.formula == "high_chol ~ 1 + year + drug + year:drug + (1 | id)"
    assert (sampler.calls[0].chains, sampler.calls[0].seed) == (4, 1)


def test_the_demo_asks_for_four_chains_of_a_thousand(run, sampler):
    assert run("demo", "--json").exit_code == 0
    settings = sampler.calls[0]
    assert (settings.chains, settings.tune, settings.draws) == (4, 1000, 1000)


def test_json(run, sampler):
    document = json.loads(run("demo", "--out", "made/here", *FEW, "--json").stdout)
    assert set(document["results"]) == {"summary", "marginal", "average_subject", "population", "heterogeneity"}
    assert len(document["results"]["population"]["table"]) == 6
    assert document["results"]["population"]["target"].startswith("population")
    assert load(document["file"]).quality.verdict == document["fit"]["verdict"]


def test_a_second_demo_replaces_nothing(run, sampler, tmp_path):
    (tmp_path / "fit.nc").write_text("mine")
    assert "Written to fit-2.nc" in run("demo", *FEW).stdout
    assert "Written to fit-3.nc" in run("demo", *FEW).stdout
    assert (tmp_path / "fit.nc").read_text() == "mine"
    assert "Written to fit.nc" in run("demo", *FEW, "--force").stdout
    assert load("fit.nc")


def test_a_demo_that_went_wrong_is_exit_code_3(run, sampler):
    sampler.wrong = True
    result = run("demo", *FEW)
    assert result.exit_code == 3, result.stderr
    assert "none of the numbers above may be used" in result.stdout


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_refused_before_sampling(run, sampler, tmp_path, out):
    (tmp_path / "file").write_text("x")
    result = run("demo", "--out", out)
    assert (result.exit_code, sampler.calls) == (2, [])
