"""Formulas that are attacks, given to the command line in every way there is: exit code 2, nothing sampled, nothing run."""

from importlib import import_module
from pathlib import Path

import pytest
import tomli_w

from tests.io.test_hostile_fits import forged
from tests.spec.attacks import CANARY, EXPRESSIONS, watch

RAN = ("exec", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "marshal.loads", "socket.connect")
NUMBERS = range(len(EXPRESSIONS))


def refuse(run, sampler, *arguments):
    """The command is refused, and an attack neither ran nor reached Python's compiler; imports of our own modules are not attacks."""
    run(arguments[0], "--help")
    import_module("bayesglmm.io.tables")  # commands import it when they read data, which compiles it where no bytecode is kept
    with watch() as seen:
        result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert (result.stdout, sampler.calls) == ("", [])
    assert "Traceback" not in result.stderr
    assert not [event for event in seen if event[0] in RAN and not str(event[1]).startswith("<code object <module>")]
    assert not [source for kind, source in seen if kind == "compile" and ("import" in source or "system" in source or CANARY in source)]
    assert not Path(CANARY).exists()


@pytest.mark.parametrize("attack", EXPRESSIONS, ids=NUMBERS)
def test_as_a_formula(attack, run, csv, sampler):
    refuse(run, sampler, "fit", "--formula", f"y ~ {attack}", "--data", csv, "--family", "bernoulli")


@pytest.mark.parametrize("attack", EXPRESSIONS, ids=NUMBERS)
def test_in_a_model_file(attack, run, csv, sampler, tmp_path):
    model = {"schema": 1, "formula": f"y ~ {attack}", "family": "bernoulli", "link": "logit"}
    (tmp_path / "m.toml").write_text(tomli_w.dumps(model))
    refuse(run, sampler, "fit", "m.toml", "--data", csv)


@pytest.mark.parametrize("attack", EXPRESSIONS[:8], ids=range(8))
@pytest.mark.parametrize("place", ["derive", "prior", "family", "link", "contrasts", "key"])
def test_elsewhere_in_a_model_file(attack, place, run, csv, sampler, tmp_path):
    model = {"schema": 1, "formula": "y ~ year + (1 | id)", "family": "bernoulli", "link": "logit"}
    extra = {
        "derive": {"data": {"derive": {"z": attack}}},
        "prior": {"priors": {f"b[{attack}]": {"dist": "normal"}}},
        "family": {"family": attack},
        "link": {"link": attack},
        "contrasts": {"contrasts": {"drug": attack}},
        "key": {attack: 1},
    }
    (tmp_path / "m.toml").write_text(tomli_w.dumps(model | extra[place]))
    refuse(run, sampler, "fit", "m.toml", "--data", csv)


@pytest.mark.parametrize("attack", EXPRESSIONS[:8], ids=range(8))
def test_as_a_prior(attack, run, csv, sampler):
    formula = ("fit", "--formula", "y ~ year", "--data", csv, "--family", "bernoulli")
    refuse(run, sampler, *formula, "--prior", f"b[{attack}]=normal(0, 1)")
    refuse(run, sampler, *formula, "--prior", f"b={attack}")


@pytest.mark.parametrize("attack", EXPRESSIONS[:8], ids=range(8))
@pytest.mark.parametrize("command", [("summary",), ("means", "--target", "population")], ids=lambda c: c[0])
def test_in_a_stored_fit(attack, command, run, sampler, stored, tmp_path):
    def attacked(groups, record):
        record["spec"]["formula"] = f"y ~ year * drug + {attack} + (1 | id)"

    path = forged(stored, tmp_path / "fit.nc", attacked)
    name, *rest = command
    refuse(run, sampler, name, path, *rest)


def test_a_column_that_is_named_like_an_attack_is_only_a_column(run, csv, sampler, table, tmp_path):
    table.rename(columns={"year": "os.system('x')"}).to_csv(tmp_path / "odd.csv", index=False)
    formula = ("fit", "--formula", "y ~ `os.system('x')` + (1 | id)", "--data", "odd.csv", "--family", "bernoulli", "--draws", 50)
    result = run(*formula)
    assert result.exit_code == 0, result.stderr
