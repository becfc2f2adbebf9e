"""Every JSON document keeps to the schema that the package ships."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from bayesglmm.cli.main import COMMANDS
from bayesglmm.cli.schema import read_schema

FEW = ("--draws", "120", "--tune", "10")
DOCUMENTS = {
    "summary": [()],
    "random-effects": [(), ("--coefficients",)],
    "means": [("--target", "population", "--by", "drug"), ("--target", "group", "--at", "id=3", "--at", "year=0")],
    "marginal": [()],
    "heterogeneity": [("--at", "year=0,5")],
    "partition": [(), ("--scale", "both")],
    "predict": [(), ("--observations", "--seed", "1")],
    "check": [
        (),
        ("--of", "groups"),
        ("--of", "calibration"),
        ("--of", "pit"),
        ("--of", "effects"),
        ("--of", "distribution"),
        ("--of", "autocorrelation", "--time", "year"),
    ],
    "plot": [("--force",)],
    "report": [("--force",)],
}
FREE = {
    "models": [(), ("cbpp",)],
    "datasets": [(), ("sleepstudy",)],
    "families": [()],
    "completion": [("bash",), ("zsh",), ("fish",)],
}


def validate(text):
    document = json.loads(text)
    jsonschema.Draft202012Validator(read_schema()).validate(document)
    return document


def test_the_schema_is_one(run):
    jsonschema.Draft202012Validator.check_schema(read_schema())
    assert json.loads(run("schema").stdout) == read_schema()
    assert validate(run("schema", "--json").stdout) == {"command": "schema", "schema": read_schema()}


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, cases in DOCUMENTS.items() for o in cases], ids=str)
def test_documents_of_a_stored_fit(run, stored, name, options):
    arguments = ("spaghetti", stored) if name == "plot" else (stored,)
    result = run(name, *arguments, *options, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert validate(result.stdout)["command"] == name


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, cases in FREE.items() for o in cases], ids=str)
def test_documents_without_a_fit(run, name, options):
    assert validate(run(name, *options, "--json").stdout)["command"] == name


def test_the_document_of_a_fit(run, sampler, csv):
    result = run("fit", "--formula", "y ~ year + (1 | id)", "--data", csv, "--family", "bernoulli", *FEW, "--report", "r.html", "--json")
    document = validate(result.stdout)
    assert (document["report"], document["report_verdict"]) == ("r.html", json.loads(Path("r.json").read_text())["verdict"])
    result = run("fit", "--formula", "y ~ year + (1 | id)", "--data", csv, "--family", "bernoulli", *FEW, "--out", "a.nc", "--json")
    assert validate(result.stdout)["report_verdict"] is None


def test_every_command_is_covered():
    assert {*DOCUMENTS, *FREE, "fit", "demo", "schema"} == set(COMMANDS)


@pytest.mark.parametrize("change", [{"command": "nothing"}, {"result": None}, {"more": 1}])
def test_other_documents_are_refused(run, stored, change):
    document = {**json.loads(run("marginal", stored, "--json").stdout), **change}
    assert list(jsonschema.Draft202012Validator(read_schema()).iter_errors(document))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example(run, name):
    assert re.search(rf"\n  bayesglmm {name}\b", run(name, "--help").stdout)
