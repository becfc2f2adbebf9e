"""The README as data: its example, the output shown below it, its tables. ``python -m tests.readme`` runs it and writes the numbers.

What is shown is the example's output without its notes; the last column of the table of targets comes from the same fit.
"""

import contextlib
import io
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayesglmm.errors import QualityWarning
from bayesglmm.post.means import means
from bayesglmm.post.result import Result

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
NOTE = "Note: "
CELL: dict[str, Any] = {"year": 5, "drug": "placebo"}
PATIENT = {"id": "5"}
TARGETS = ("average_subject", "population", "observed_groups", "group")


@dataclass(frozen=True)
class Run:
    """What the example left behind: its names, and what it printed."""

    names: dict[str, Any]
    output: str


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of one language, ``""`` for those without."""
    return [body for found, body in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL) if found == language]


def rows(text: str, header: str) -> list[list[str]]:
    """Cells of the Markdown table whose first column has this header."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {header} |"))
    length = next(i for i, line in enumerate([*lines[start:], ""]) if not line.startswith("|"))
    return [[c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[start + 2 : start + length]]


def example(text: str) -> str:
    """Return the one Python block."""
    (code,) = blocks(text, "python")
    return code


def shown(text: str) -> str:
    """Return the output below the example."""
    (output,) = blocks(text, "text")
    return output


def run_example(text: str, folder: Path) -> Run:
    """Execute the example in a folder; the verdict on the run is for the tests of the sampler, not for this one."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore", QualityWarning)
        exec(compile(example(text), "README.md", "exec"), names)  # noqa: S102 (the README's own example)
    return Run(names, printed.getvalue())


def without_notes(output: str) -> str:
    """Leave the notes out, and the blank lines that they leave behind."""
    kept = "\n".join(line.rstrip() for line in output.splitlines() if not line.startswith(NOTE))
    return re.sub(r"\n{3,}", "\n\n", kept).strip() + "\n"


def cell_of(fit: Any, target: str) -> Result:
    """Compute the mean that the table of targets shows for one target."""
    return means(fit, CELL | PATIENT if target == "group" else CELL, target=target)


def cell_text(result: Result) -> str:
    """``0.81 (0.75 to 0.86)``."""
    row = result.table.iloc[0]
    return f"{row['mean']:.2f} ({row['ci_lower']:.2f} to {row['ci_upper']:.2f})"


def refreshed(text: str, run: Run) -> str:
    """The README with the numbers of a run."""
    new = text.replace(f"```text\n{shown(text)}```", f"```text\n{without_notes(run.output)}```")
    for target in TARGETS:
        cell = cell_text(cell_of(run.names["fit"], target))
        new = re.sub(rf'^(\| `"{target}"` .*\|)[^|]*\|$', lambda m, cell=cell: f"{m[1]} {cell} |", new, flags=re.MULTILINE)
    return new


def main() -> None:
    """Run the example and write its numbers into the README."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        new = refreshed(text, run_example(text, Path(folder)))
    README.write_text(new, encoding="utf-8")
    sys.stdout.write("README.md has the numbers of a new run\n" if new != text else "README.md is as it was\n")


if __name__ == "__main__":
    main()
