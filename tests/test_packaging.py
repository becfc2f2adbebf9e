"""What is installed: model files, tables, licences and the type marker; and that the pinned versions are those that are allowed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import bayesglmm as bg

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "bayesglmm"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = [*PROJECT["project"]["dependencies"], *(r for extra in PROJECT["project"]["optional-dependencies"].values() for r in extra)]
PINS = dict(
    (canonicalize_name(name), version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
)


def test_the_version_is_that_of_the_project():
    assert bg.__version__ == PROJECT["project"]["version"]
    assert f"## {bg.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_package_is_typed():
    assert (PACKAGE / "py.typed").read_bytes() == b""


def test_licence_files_exist():
    for pattern in PROJECT["project"]["license-files"]:
        assert list(ROOT.glob(pattern)), pattern


def test_the_command_is_installed():
    (command,) = [e for e in entry_points(group="console_scripts") if e.name == "bayesglmm"]
    assert callable(command.load())


@pytest.mark.parametrize("text", NEEDED)
def test_the_pinned_version_is_allowed(text):
    requirement = Requirement(text)
    pinned = PINS.get(canonicalize_name(requirement.name))
    assert pinned is not None, "no pin in constraints.txt"
    assert requirement.specifier.contains(pinned)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as the wheel lays it out, away from the checkout."""
    site = tmp_path_factory.mktemp("site")
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, site / "bayesglmm", ignore=skip)
    for source, target in PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"].items():
        shutil.copytree(ROOT / source, site / target)
    return site


@pytest.mark.parametrize(("command", "key", "count"), [("models", "models", 40), ("datasets", "datasets", 25)])
def test_an_installed_package_finds_its_files(installed, tmp_path, command, key, count):
    code = "import bayesglmm, sys; sys.stderr.write(bayesglmm.__file__); from bayesglmm.cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    result = subprocess.run(
        [sys.executable, "-c", code, command, "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(result.stderr).is_relative_to(installed)
    assert len(json.loads(result.stdout)[key]) >= count
