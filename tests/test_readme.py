"""The README tells the truth: its example runs and prints what is shown, its tables are those of the registries, its commands exist."""

import inspect
import json
import math
import re
import shlex

import pytest
from click.testing import CliRunner

import bayesglmm as bg
from bayesglmm.cli.main import COMMANDS, main
from bayesglmm.families.registry import FAMILIES
from bayesglmm.fit.diagnostics import mcse_mean
from bayesglmm.spec.addresses import parse_address
from bayesglmm.spec.distributions import PRIORS
from bayesglmm.spec.vocabulary import NOT_BUILT_TRANSFORMS, OUT_OF_SCOPE, TRANSFORMS
from tests.readme import README, ROOT, TARGETS, blocks, cell_of, cell_text, refreshed, rows, run_example, shown, without_notes
from tests.tolerances import MCSE_MULTIPLE

TEXT = README.read_text(encoding="utf-8")
DEMO = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e . && .venv/bin/bayesglmm demo"
TEST = "python3 -m venv .venv && .venv/bin/pip install -q -c constraints.txt -e '.[test]' && .venv/bin/pytest"
NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def run(folder):
    """The example, executed once: real data, real sampling."""
    return run_example(TEXT, folder)


@pytest.fixture(scope="module")
def fit(run):
    return run.names["fit"]


def section(title):
    """Text below one heading."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def quoted(text):
    """What stands in back-quotes outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL))


def pattern(output):
    """Lines of an output with every number replaced: what does not depend on draws, versions and the width of a column."""
    return [" ".join(NUMBER.sub("#", line).split()) for line in output.splitlines()]


def tables(output):
    """Tables of an output: cells of the header and of each line; columns are two blanks apart."""
    found = [[re.split(r" {2,}", line.strip()) for line in part.splitlines()] for part in output.split("\n\n")]
    return [t for t in found if len(t[0]) > 3]


def assert_agrees(text, draws):
    """A number as shown is within five combined Monte Carlo errors, and half a unit of its last digit, of the mean of draws.

    The run that wrote the README had as many draws, so its error is taken to be that of this run.
    """
    error = math.sqrt(2.0) * float(mcse_mean(draws.transpose("chain", "draw", ...).to_numpy()[..., None])[0])
    half_a_unit = 0.5 * 10.0 ** -len(text.partition(".")[2])
    assert abs(float(text) - float(draws.mean())) < MCSE_MULTIPLE * error + half_a_unit


def test_the_two_set_up_commands_stand_word_for_word():
    commands = [line for block in blocks(TEXT, "") for line in block.splitlines()]
    assert commands.count(DEMO) == commands.count(TEST) == 1


def test_continuous_integration_runs_the_second():
    assert TEST in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_slow_tests_have_their_command():
    assert ".venv/bin/pytest -m slow" in [line for block in blocks(TEXT, "") for line in block.splitlines()]


def test_the_example_prints_what_is_shown(run):
    assert pattern(without_notes(run.output)) == pattern(shown(TEXT))


def test_notes_are_printed_too(run):
    assert "integration error" in run.output
    assert "Verdict on the run" in run.output


def test_the_example_is_the_demo(fit, folder):
    model = bg.load_spec(ROOT / "models" / "pbc_high_chol.toml")
    assert fit.spec == model.spec
    assert fit.provenance.settings.seed == 1
    assert (folder / "pbc.nc").is_file()
    assert (len(fit.design.y), len(fit.design.groups[0].levels)) == (1124, 304)
    assert "of 304 patients" in TEXT
    assert "measured 1124 times" in TEXT


def test_numbers_shown_are_those_of_the_example(run, fit):
    parameters, coefficients, *means = tables(shown(TEXT))[:4]
    results = [bg.summary(fit), bg.marginal_coefficients(fit), run.names["subject"], run.names["population"]]
    names = [("value", "mean"), ("marginal", "marginal"), ("mean_response", "mean"), ("mean_response", "mean")]
    for table, result, (variable, column) in zip([parameters, coefficients, *means], results, names, strict=True):
        at = table[0].index(column)
        assert len(table) - 1 == len(result.table)
        for k, line in enumerate(table[1:]):
            assert_agrees(line[at], result.draws[variable].isel({result.draws[variable].dims[-1]: k}))


def test_each_target_has_its_row_and_its_number(fit):
    table = {row[0].strip('`"'): row for row in rows(TEXT, "`target=`")}
    assert tuple(table) == TARGETS
    for target, row in table.items():
        number = NUMBER.match(row[-1])
        assert number is not None, target
        assert_agrees(number[0], cell_of(fit, target).draws["mean_response"].isel(row=0))


@pytest.mark.parametrize("target", TARGETS)
def test_the_command_of_each_target_prints_its_number(target, fit, folder, monkeypatch):
    monkeypatch.chdir(folder)
    lines = [line for block in blocks(TEXT, "") for line in block.splitlines()]
    (command,) = [shlex.split(line) for line in lines if line.startswith("bayesglmm means") and f"--target {target} " in line]
    result = CliRunner().invoke(main, [*command[1:], "--json"])
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["result"]["table"]
    assert row["mean"] == cell_of(fit, target).table["mean"].iloc[0]


def test_a_refresh_changes_numbers_only(run):
    assert pattern(refreshed(TEXT, run)) == pattern(TEXT)
    assert cell_text(cell_of(run.names["fit"], "population")) in refreshed(TEXT, run)


def test_the_table_of_families_is_the_registry():
    listed = {row[0].strip("`"): (tuple(quoted(row[1])), tuple(quoted(row[3]))) for row in rows(TEXT, "family")}
    assert listed == {name: (family.links, family.auxiliary) for name, family in FAMILIES.items()}
    assert list(listed) == list(FAMILIES)


def test_listed_functions_are_those_that_are_computed():
    (functions,) = [row[1] for row in rows(TEXT, "part") if row[0] == "functions"]
    assert quoted(functions.partition(";")[0]) == [name for name in TRANSFORMS if name not in NOT_BUILT_TRANSFORMS]


def test_what_is_refused_is_named():
    named = set(quoted(section("What is refused, by name")))
    assert {f"{name}()" for name in (*NOT_BUILT_TRANSFORMS, *OUT_OF_SCOPE)} <= named


@pytest.mark.parametrize("formula", ["(x | id | g)", "(1 | g, by=arm)", "cs(x | g)", "ar1(0 + x | g)", "lag(x) + (1 | g)"])
def test_what_is_said_not_to_be_computed_yet_is_refused(formula):
    data = {"y": [1.0, 2.0, 3.0, 4.0], "x": [1.0, 2.0, 0.0, 5.0], "g": ["a", "a", "b", "b"], "arm": ["u", "u", "v", "v"]}
    with pytest.raises(bg.errors.NotBuiltError, match="not computed yet"):
        bg.prior_summary(f"y ~ x + {formula}", data)


def test_every_prior_is_named():
    assert {kind.__name__ for kind in PRIORS.values()} <= set(quoted(section("What is in this version")))


def test_addresses_of_priors_are_addresses():
    addresses = [address for row in rows(TEXT, "parameter") for address in quoted(row[1])]
    assert {parse_address(a).kind for a in addresses} == {"intercept", "b", "sd", "cor", "sigma"}


def test_every_command_is_named():
    named = {name.removeprefix("bayesglmm ") for name in quoted(section("What is in this version"))}
    assert set(COMMANDS) <= named


def test_every_public_function_is_named():
    functions = {n for n in bg.__all__ if inspect.isfunction(getattr(bg, n))}
    assert functions <= set(re.findall(r"\w+", TEXT))


def test_files_named_exist():
    paths = {q for q in quoted(TEXT) if re.fullmatch(r"[\w./-]+/[\w.-]*", q) and "NAME" not in q and not q.startswith(".venv")}
    assert len(paths) > 10
    for path in paths:
        assert (ROOT / path).exists() or (ROOT / "bayesglmm" / path).exists(), path


def documented(function):
    """Names in the section of parameters of a docstring."""
    text = inspect.getdoc(function) or ""
    body = re.split(r"\n\n\w+\n-+\n", text.split("Parameters\n----------\n")[1])[0]
    return {name.lstrip("*") for line in body.splitlines() if line and not line.startswith(" ") for name in line.split(", ")}


@pytest.mark.parametrize("name", bg.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(bg, name)
    text = inspect.getdoc(thing) or ""
    assert text
    if inspect.isfunction(thing):
        assert documented(thing) == set(inspect.signature(thing).parameters)
        assert "\nReturns\n-------\n" in text
    elif inspect.isclass(thing):
        assert re.search(r"\n(Parameters|Attributes)\n-{10}\n", text)


def test_dir_lists_the_public_names():
    assert dir(bg) == sorted(bg.__all__)
    assert len(set(bg.__all__)) == len(bg.__all__)
