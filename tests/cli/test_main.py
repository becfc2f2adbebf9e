import importlib
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import bayesglmm
from bayesglmm.cli.main import COMMANDS, main
from bayesglmm.errors import ColumnError, DesignWarning, QualityWarning

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "pandas",
    "scipy",
    "xarray",
    "narwhals",
    "formulaic",
    "pymc",
    "nutpie",
    "arviz",
    "arviz_stats",
    "numba",
    "netCDF4",
    "matplotlib",
)
SAMPLERS = ("pymc", "pytensor", "nutpie", "bambi", "arviz", "matplotlib")
PROGRAM = """
import sys
from bayesglmm.cli.main import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write("LOADED " + " ".join(m for m in {modules!r} if m in sys.modules))
"""


def loaded(modules, *arguments):
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(modules=modules), *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr.rpartition("LOADED")[2].split(), ran.stdout


@pytest.mark.parametrize("argument", ["--help", "-h", "--version"])
def test_help_and_version_load_nothing_heavy(argument):
    modules, text = loaded(HEAVY, argument)
    assert modules == []
    assert bayesglmm.__version__ in text or all(name in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_nothing_heavy(name):
    modules, text = loaded(HEAVY, name, "--help")
    assert modules == []
    assert text.startswith("Usage:")


def test_looking_at_a_stored_fit_loads_no_sampler(stored):
    modules, text = loaded(SAMPLERS, "means", stored, "--target", "population", "--json")
    assert modules == []
    assert json.loads(text)["command"] == "means"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_and_json(name, run):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout
    command = importlib.import_module(COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    assert command.name == name


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_the_help_stay_on_their_lines(name, run):
    text = run(name, "--help").stdout
    assert f"\n  bayesglmm {name}" in text
    assert "\\b" not in text


def test_every_file_is_a_command_that_the_help_lists():
    helpers = {"__init__", "main", "options", "output", "terminal"}
    files = {p.stem for p in (ROOT / "bayesglmm" / "cli").glob("*.py")} - helpers
    assert files == {name.replace("-", "_") for name in COMMANDS}


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["--nothing"], ["means", "fit.nc"], ["summary"], ["means", "fit.nc", "--target", "all"], ["fit", "--draws", "many"]],
    ids=str,
)
def test_wrong_usage_is_bad_input(arguments, run):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr
    assert result.stdout == ""


def failing(monkeypatch, error):
    """The command ``families`` raises."""

    @click.command("families")
    def command():
        raise error

    monkeypatch.setattr("bayesglmm.cli.families.command", command)


def test_our_errors_are_bad_input(run, monkeypatch):
    failing(monkeypatch, ColumnError("no such column", where="column '\x1b[31mx'", fix="rename it"))
    result = run("families")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: no such column. Where: column '[31mx'. What to do: rename it.\n"


def test_anything_else_is_a_failure_in_one_line(run, monkeypatch):
    failing(monkeypatch, RuntimeError("broken\x1b]0;title\x07"))
    result = run("families")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: RuntimeError: broken]0;title (bayesglmm --debug COMMAND ... shows where)\n"


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("broken"), 1), (ColumnError("broken"), 2)])
def test_the_traceback_is_shown_on_request(run, monkeypatch, error, code):
    failing(monkeypatch, error)
    result = run("--debug", "families")
    assert result.exit_code == code
    assert "Traceback" in result.stderr
    assert "test_main.py" in result.stderr


def test_an_interrupt_is_no_success(run, monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    assert run("families").exit_code == 1


def test_warnings_about_the_design_are_lines_on_stderr(monkeypatch):
    @click.command("families")
    def command():
        import warnings

        warnings.warn("nested\x1b[2J", DesignWarning, stacklevel=1)
        warnings.warn("the verdict says it", QualityWarning, stacklevel=1)

    monkeypatch.setattr("bayesglmm.cli.families.command", command)
    result = CliRunner().invoke(main, ["families"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Warning: nested[2J\n")
