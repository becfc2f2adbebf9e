import json

import pandas as pd
import pytest

from bayesglmm.io.fits import load, save
from bayesglmm.post.means import means
from tests.cli.conftest import ESCAPE
from tests.io.hand import hand_made_fit

COMMANDS = {
    "summary": (),
    "random-effects": ("--factor", "id", "--coefficients"),
    "means": ("--target", "population", "--by", "drug"),
    "marginal": (),
    "heterogeneity": ("--at", "year=0,5", "--at", "drug=all"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_text_names_target_and_interval(name, run, stored):
    result = run(name, stored, *COMMANDS[name])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Target: " in result.stdout
    assert "95 % equal-tailed interval" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_all_there_is_on_stdout(name, run, stored):
    result = run(name, stored, *COMMANDS[name], "--json", "--ci-prob", "0.9", "--ci-kind", "hdi")
    document = json.loads(result.stdout)
    assert (result.exit_code, document["command"]) == (0, name)
    assert document["result"]["interval"] == {"prob": 0.9, "kind": "hdi"}
    assert document["result"]["table"]
    assert document["fit"]["formula"] == "y ~ 1 + year + drug + year:drug + (1 | id)"
    assert document["fit"]["verdict"] in ("ok", "attention")


@pytest.mark.parametrize("target", ["average_subject", "population", "observed_groups"])
def test_means_are_those_of_the_package(run, stored, target):
    result = run("means", stored, "--target", target, "--at", "year=0,2.5", "--at", "drug=active,placebo", "--json")
    expected = means(load(stored), {"year": [0, 2.5], "drug": ["active", "placebo"]}, target=target)
    assert json.loads(result.stdout)["result"] == json.loads(json.dumps(expected.to_dict()))


def test_means_of_a_named_group(run, stored):
    result = run("means", stored, "--target", "group", "--at", "id=3", "--at", "year=0", "--scale", "link", "--json")
    assert result.exit_code == 0
    assert len(json.loads(result.stdout)["result"]["table"]) == 1


def test_means_on_rows_from_a_file(run, stored, tmp_path):
    pd.DataFrame({"year": [1.0, 2.0, 3.0], "drug": ["active"] * 3}).to_csv(tmp_path / "rows.csv", index=False)
    result = run("means", stored, "--target", "population", "--newdata", "rows.csv", "--json")
    assert len(json.loads(result.stdout)["result"]["table"]) == 3
    assert run("means", stored, "--target", "population", "--newdata", "rows.csv", "--at", "year=1").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("means", "--target", "population", "--at", "yaer=1"), "year"),
        (("means", "--target", "population", "--at", "year=soon"), "no number"),
        (("means", "--target", "population", "--at", "drug=other"), "other"),
        (("means", "--target", "group", "--at", "id=99"), "99"),
        (("means", "--target", "population", "--by", "nothing"), "nothing"),
        (("random-effects", "--factor", "clinic"), "clinic"),
        (("summary", "--ci-prob", "95"), "ci_prob"),
        (("heterogeneity", "--level", "0"), "level"),
    ],
)
def test_bad_input_is_named(run, stored, arguments, message):
    name, *rest = arguments
    result = run(name, stored, *rest)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_fit_is_bad_input(run, stored, name, tmp_path):
    (tmp_path / "cut.nc").write_bytes(stored.read_bytes()[:5000])
    (tmp_path / "other.nc").write_bytes(b"PK\x03\x04")
    for file in ("cut.nc", "other.nc", "none.nc", "."):
        result = run(name, file, *COMMANDS[name], "--json")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "What to do" in result.stderr


def test_labels_cannot_steer_the_terminal(run, table, tmp_path):
    hostile = table.assign(id=[f"{i}{ESCAPE}" for i in table["id"]])
    path = save(hand_made_fit("y ~ year + (1 | id)", hostile), tmp_path / "fit.nc")
    result = run("random-effects", path)
    assert "[31mred" in result.stdout
    assert not set(result.stdout + result.stderr) & set(ESCAPE[0] + ESCAPE[-2:])
    document = run("random-effects", path, "--json").stdout
    assert document.isascii()
    assert "\x1b" not in document
    assert (
        ESCAPE in json.dumps(json.loads(document), ensure_ascii=False).encode().decode("unicode_escape", "ignore") or "\\u001b" in document
    )


def test_a_fit_that_may_not_be_used_says_so_each_time(run, table, tmp_path):
    path = save(hand_made_fit("y ~ year + (1 | id)", table, size=(4, 10)), tmp_path / "fit.nc")
    assert load(path).quality.verdict == "do not use"
    result = run("marginal", path)
    assert result.exit_code == 0
    assert "do not use" in result.stderr
    assert "none of the numbers above may be used" in run("summary", path).stdout
