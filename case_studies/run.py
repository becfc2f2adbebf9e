"""Run a case study: ``python -m case_studies.run 01_aids``.

Without options the study is run and its numbers are compared with ``expected.json`` (exit 1 if one differs by more than five combined
Monte Carlo standard errors). ``--quick`` runs it with few draws and compares nothing. ``--write`` stores the numbers of a full run.
``--notebook`` makes an executed notebook and an HTML page in ``build/`` (install the package with its ``docs`` extra).
"""

import argparse
import json
import os
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
MULTIPLE = 5.0
"""Combined Monte Carlo standard errors that two runs may differ by."""


def studies() -> list[str]:
    """Return the names of all studies."""
    return sorted(path.parent.name for path in FOLDER.glob("*/study.py"))


def run_study(name: str, *, quick: bool) -> dict[str, Any]:
    """Run a study as a script and return its ``numbers``: draws with dims (chain, draw, ...) by what they are."""
    before = os.environ.get("BAYESGLMM_QUICK")
    os.environ["BAYESGLMM_QUICK"] = "1" if quick else "0"
    try:
        return dict(runpy.run_path(str(FOLDER / name / "study.py"))["numbers"])
    finally:
        if before is None:
            del os.environ["BAYESGLMM_QUICK"]
        else:
            os.environ["BAYESGLMM_QUICK"] = before


def summarised(numbers: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return mean, Monte Carlo standard error and posterior SD of each number."""
    from bayesglmm.fit.diagnostics import mcse_mean

    found = {}
    for name, draws in numbers.items():
        values = draws.transpose("chain", "draw", ...).to_numpy()
        values = values.reshape(*values.shape[:2], -1)
        if values.shape[-1] != 1:
            raise ValueError(f"{name!r} is {values.shape[-1]} numbers, not one")
        found[name] = {
            "mean": float(values.mean()),
            "mcse": float(mcse_mean(values)[0]),
            "sd": float(values.std(ddof=1)),
        }
    return found


def differences(found: dict[str, dict[str, float]], expected: dict[str, dict[str, float]]) -> list[str]:
    """Say which numbers differ from the stored ones by more than ``MULTIPLE`` combined standard errors, or are not there."""
    said = [f"{name}: only on one side" for name in sorted(set(found) ^ set(expected))]
    for name in sorted(set(found) & set(expected)):
        one, other = found[name], expected[name]
        limit = MULTIPLE * np.hypot(one["mcse"], other["mcse"])
        if not abs(one["mean"] - other["mean"]) <= limit:
            said.append(f"{name}: {one['mean']:.6g}, stored {other['mean']:.6g}, may differ by {limit:.2g}")
    return said


def stored(name: str) -> dict[str, Any]:
    """Read a study's ``expected.json``."""
    return dict(json.loads((FOLDER / name / "expected.json").read_text()))


def write_expected(name: str, found: dict[str, dict[str, float]]) -> None:
    """Store the numbers of a full run."""
    record = {"command": f"python -m case_studies.run {name} --write", "date": datetime.now(UTC).date().isoformat(), "numbers": found}
    (FOLDER / name / "expected.json").write_text(json.dumps(record, indent=1) + "\n")


def make_notebook(name: str) -> Path:
    """Execute the study as a notebook; write it and an HTML page to ``build/``."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    build = FOLDER / name / "build"
    build.mkdir(exist_ok=True)
    notebook = jupytext.read(FOLDER / name / "study.py")
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(FOLDER / name)}}).execute()
    nbformat.write(notebook, build / "study.ipynb")
    page, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    (build / "study.html").write_text(page)
    return build / "study.html"


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m case_studies.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("study", choices=studies())
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--quick", action="store_true", help="few draws, nothing compared")
    what.add_argument("--write", action="store_true", help="store the numbers as expected.json")
    what.add_argument("--notebook", action="store_true", help="an executed notebook and an HTML page")
    options = parser.parse_args(arguments)
    if options.notebook:
        sys.stdout.write(f"{make_notebook(options.study)}\n")
        return 0
    numbers = run_study(options.study, quick=options.quick)
    if options.quick:
        return 0
    found = summarised(numbers)
    if options.write:
        write_expected(options.study, found)
        return 0
    wrong = differences(found, stored(options.study)["numbers"])
    sys.stdout.write("\n".join(wrong or [f"{len(found)} numbers agree with expected.json"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
