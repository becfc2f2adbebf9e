import json

import pytest

from bayesglmm import datasets
from bayesglmm.families.registry import FAMILIES
from bayesglmm.io.library import list_models
from bayesglmm.spec.schema import file_from_dict, load_spec


def test_families(run):
    text, document = run("families").stdout, json.loads(run("families", "--json").stdout)
    assert [f["name"] for f in document["families"]] == list(FAMILIES)
    for family in FAMILIES.values():
        assert f"{family.name}: links {', '.join(family.links)} (default {family.links[0]})" in text


def test_models(run):
    text, document = run("models").stdout, json.loads(run("models", "--json").stdout)
    assert tuple(m["name"] for m in document["models"]) == list_models()
    assert all(name in text for name in list_models())


def test_one_model(run, tmp_path):
    text = run("models", "cbpp").stdout
    (tmp_path / "copy.toml").write_text(text)
    document = json.loads(run("models", "cbpp", "--json").stdout)
    assert load_spec(tmp_path / "copy.toml") == load_spec(document["file"]) == file_from_dict(document["model"])


def test_datasets(run):
    text, document = run("datasets").stdout, json.loads(run("datasets", "--json").stdout)
    assert [d["name"] for d in document["datasets"]] == list(datasets.list()["name"])
    assert all(name in text for name in datasets.list()["name"])


def test_one_dataset(run):
    assert run("datasets", "sleepstudy").stdout.strip() == str(datasets.card("sleepstudy")).strip()
    assert json.loads(run("datasets", "sleepstudy", "--json").stdout)["card"]["rows"] == 180


@pytest.mark.parametrize("command", ["models", "datasets"])
def test_an_unknown_name_is_bad_input(run, command):
    result = run(command, "nothing_of_this_name")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nothing_of_this_name" in result.stderr
