"""The case studies run, their numbers are the stored ones, and a number that is not would be noticed."""

import pytest

import bayesglmm as bg
from bayesglmm.errors import DatasetError
from case_studies import run

TABLES = {"01_aids": "aids", "02_sleepstudy": "sleepstudy"}


@pytest.fixture(params=run.studies())
def study(request):
    try:
        bg.datasets.load(TABLES[request.param])
    except DatasetError:
        pytest.skip(f"the table {TABLES[request.param]} is not bundled; name a folder that holds it in BAYESGLMM_DATA")
    return request.param


def test_every_study_names_its_table():
    assert set(run.studies()) == set(TABLES)


@pytest.mark.filterwarnings("ignore::bayesglmm.errors.QualityWarning")  # short runs
def test_a_study_runs_quickly_and_gives_its_numbers(study):
    found = run.summarised(run.run_study(study, quick=True))
    assert set(found) == set(run.stored(study)["numbers"])


@pytest.mark.slow
def test_a_full_run_gives_the_stored_numbers(study):
    found = run.summarised(run.run_study(study, quick=False))
    assert run.differences(found, run.stored(study)["numbers"]) == []


def test_a_number_that_moved_or_went_missing_is_named():
    one = {"a": {"mean": 1.0, "mcse": 0.01, "sd": 0.1}, "b": {"mean": 2.0, "mcse": 0.01, "sd": 0.1}}
    moved = {**one, "b": {"mean": 2.1, "mcse": 0.01, "sd": 0.1}}
    assert run.differences(one, one) == []
    assert run.differences(one, moved) == ["b: 2, stored 2.1, may differ by 0.071"]
    assert run.differences({"a": one["a"]}, one) == ["b: only on one side"]
    assert run.differences({"a": {"mean": float("nan"), "mcse": 0.01, "sd": 0.1}}, {"a": one["a"]}) != []
