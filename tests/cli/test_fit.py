import json

import pytest

from bayesglmm.io.fits import load
from bayesglmm.spec.priors import LKJ, Normal

MODEL = """
schema = 1
name = "mine"
formula = "y ~ year * drug + (1 | id)"
family = "bernoulli"
link = "logit"
[sampler]
draws = 60
tune = 40
target_accept = 0.9
"""
FORMULA = ("fit", "--formula", "y ~ year * drug + (1 | id)", "--family", "bernoulli")


def test_a_formula_and_a_table(run, csv, sampler):
    result = run(*FORMULA, "--data", csv, "--draws", 50, "--tune", 30, "--chains", 4, "--seed", 3, "--cores", 1, "--target-accept", 0.95)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Verdict: " in result.stdout
    assert "Written to fit.nc" in result.stdout
    fit, settings = load("fit.nc"), sampler.calls[0]
    assert fit.spec.formula == "y ~ 1 + year + drug + year:drug + (1 | id)"
    assert (settings.draws, settings.tune, settings.chains, settings.seed, settings.cores) == (50, 30, 4, 3, 1)
    assert (settings.target_accept, settings.max_treedepth) == (0.95, 10)
    assert sampler.progress == [False]


def test_a_model_file_and_a_table(run, csv, sampler, tmp_path):
    (tmp_path / "mine.toml").write_text(MODEL)
    result = run("fit", "mine.toml", "--data", csv, "--out", "a.nc", "--tune", 7)
    assert result.exit_code == 0
    settings = sampler.calls[0]
    assert (settings.draws, settings.tune, settings.target_accept) == (60, 7, 0.9)
    assert load("a.nc").spec.family == "bernoulli"


def test_a_bundled_model(run, sampler):
    result = run("fit", "cbpp", "--draws", 50, "--seed", 1)
    assert result.exit_code == 0
    assert load("fit.nc").spec.formula == "incidence | trials(size) ~ 1 + period + (1 | herd)"


def test_priors_and_link(run, csv, sampler):
    formula = ("fit", "--formula", "y ~ year + (year | id)", "--family", "bernoulli", "--link", "probit", "--data", csv, "--draws", 50)
    assert run(*formula, "--prior", "b[year]=normal(0, 0.5)", "--prior", "cor=lkj(4)").exit_code == 0
    fit = load("fit.nc")
    assert (fit.spec.link, fit.priors.b, fit.priors.cor) == ("probit", (Normal(0, 0.5),), (LKJ(4),))


def test_json(run, csv, sampler):
    result = run(*FORMULA, "--data", csv, "--draws", 200, "--json")
    document = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, document["file"]) == (0, "", "fit.nc")
    assert document["fit"]["verdict"] == load("fit.nc").quality.verdict
    assert {c["id"] for c in document["checks"]} >= {"mcmc.rhat", "mcmc.divergences"}
    assert len(document["result"]["table"]) == 5


def test_missing_values(run, table, sampler, tmp_path):
    table.assign(year=table["year"].where(table.index > 4)).to_csv(tmp_path / "holes.csv", index=False)
    refused = run(*FORMULA, "--data", "holes.csv")
    assert refused.exit_code == 2
    assert "year (5)" in refused.stderr
    assert sampler.calls == []
    result = run(*FORMULA, "--data", "holes.csv", "--missing", "drop", "--draws", 50)
    assert result.exit_code == 0
    assert "5 of 80 rows left out: missing year 5" in result.stdout


def test_chains_that_disagree_are_exit_code_3(run, csv, sampler):
    sampler.wrong = True
    result = run(*FORMULA, "--data", csv, "--draws", 50)
    assert result.exit_code == 3, result.stderr
    assert "Verdict: do not use" in result.stdout
    assert load("fit.nc").quality.verdict == "do not use"
    document = json.loads(run(*FORMULA, "--data", csv, "--draws", 50, "--json", "--force").stdout)
    assert document["fit"]["verdict"] == "do not use"


def test_an_interrupted_run_is_stored_and_said_to_be_partial(run, csv, sampler):
    sampler.fewer = 20
    result = run(*FORMULA, "--data", csv, "--draws", 70)
    assert "interrupted" in result.stdout
    assert load("fit.nc").provenance.partial


def test_an_existing_file_is_refused_before_sampling(run, csv, sampler, tmp_path):
    (tmp_path / "fit.nc").write_text("mine")
    result = run(*FORMULA, "--data", csv)
    assert (result.exit_code, sampler.calls) == (2, [])
    assert "--force" in result.stderr
    assert (tmp_path / "fit.nc").read_text() == "mine"
    assert run(*FORMULA, "--data", csv, "--draws", 50, "--force").exit_code == 0
    assert load("fit.nc").spec.family == "bernoulli"


def test_an_unwritable_place_is_refused_before_sampling(run, csv, sampler):
    result = run(*FORMULA, "--data", csv, "--out", "no/fit.nc")
    assert (result.exit_code, sampler.calls) == (2, [])
    assert "cannot be written" in result.stderr


def test_results_are_shown_even_when_the_disk_is_full(run, csv, sampler, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bayesglmm.io.atomic.os.fsync", full)
    (tmp_path / "fit.nc").write_text("mine")
    result = run(*FORMULA, "--data", csv, "--draws", 50, "--force")
    assert result.exit_code == 2
    assert (tmp_path / "fit.nc").read_text() == "mine"
    assert "No space left" in result.stderr
    assert "1|id_sigma" in result.stdout
    assert "Written to" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit",), "MODEL"),
        (("fit", "cbpp", "--formula", "y ~ x"), "model file says formula"),
        (("fit", "cbpp", "--prior", "b=normal(0, 1)"), "model file says formula"),
        (("fit", "--formula", "y ~ year"), "--family"),
        (("fit", "--formula", "y ~ year", "--family", "bernoulli"), "--data"),
        (("fit", "cbbp"), "did you mean 'cbpp'"),
        (("fit", "none.toml"), "none.toml"),
        (("fit", "mine.toml"), "data"),
        ((*FORMULA, "--data", "none.csv"), "no such data file"),
        ((*FORMULA, "--data", "table.csv", "--link", "log"), "log"),
        ((*FORMULA, "--data", "table.csv", "--draws", "0"), "draws=0"),
        ((*FORMULA, "--data", "table.csv", "--seed", "-1"), "seed"),
        ((*FORMULA, "--data", "table.csv", "--prior", "b[dose]=normal(0, 1)"), "dose"),
        ((*FORMULA, "--data", "table.csv", "--prior", "b=normal"), "--prior"),
        (("fit", "--formula", "y ~ yaer", "--family", "bernoulli", "--data", "table.csv"), "year"),
        (("fit", "--formula", "y ~ year +", "--family", "bernoulli", "--data", "table.csv"), "y ~ year +"),
        (("fit", "--formula", "year ~ y", "--family", "bernoulli", "--data", "table.csv"), "rows"),
        (("fit", "--formula", "y ~ year", "--family", "benoulli", "--data", "table.csv"), "bernoulli"),
    ],
)
def test_bad_input_samples_nothing(run, csv, sampler, tmp_path, arguments, message):
    (tmp_path / "mine.toml").write_text(MODEL)
    before = sorted(p.name for p in tmp_path.iterdir())
    result = run(*arguments)
    assert (result.exit_code, result.stdout, sampler.calls) == (2, "", [])
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == before
