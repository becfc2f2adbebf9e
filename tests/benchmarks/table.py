"""This package beside its peers, in one run on one machine: ``python -m tests.benchmarks.table``.

Every measurement is a fresh process. For each model and tool the first process finds empty caches of compiled code (cold) and fills them;
the ones after it find them full (warm), each with another seed. All tools' draws go through the same code for ESS and R-hat, over fixed
effects, SDs, correlations and sigma.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import first
from tests.benchmarks.models import MODELS, Case, bambi_formula, load_case, r_formula, write_job
from tests.benchmarks.processes import cached_in, run, worker
from tests.benchmarks.report import OK, OURS, figure, flatten, summarize, table, with_ratios

PEERS = {"bambi-nutpie": "nutpie", "bambi-pymc": "pymc"}
"""Names in the table and Bambi's names of its samplers."""
R_TOOLS = ("lme4", "glmmTMB", "rstanarm")
SCRIPT = Path(__file__).with_name("worker_r.R")
NOTES = """
- process: a new process from its start to the printed statistics; cold: with empty caches of compiled code. fit call: libraries loaded,
  data in memory. repeated fit: another fit call in the same process (peers: once). Medians; runs counts the warm processes.
- min ESS: bulk, the smallest over fixed effects, SDs, correlations and sigma; R-hat: the largest of all fits; divergences: the sum of all.
- Bambi has no correlations between the effects of a group, so it fits a smaller model where we have one: {correlated}.
- lme4 and glmmTMB give point estimates (maximum likelihood), no posterior. rstanarm is run once. Each tool has its own default priors.
- peak MB: of the largest process of the tool; PyMC and rstan run their chains in processes of their own.
"""


@dataclass
class Progress:
    """What a run has found so far; its files are written after every tool, so that a run cut short leaves what it has."""

    cases: list[Case] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, model: str, tool: str, found: list[dict[str, Any]]) -> None:
        """Take in one tool's runs on one model, and say on stderr that it is done."""
        self.runs += [{"model": model, "tool": tool, **f} for f in found]
        self.rows.append(summarize(model, tool, found))
        row = self.rows[-1]
        sys.stderr.write(f"{model}, {tool}: {row['status']}, fit call {figure(row['fit_s'])} s, min ESS {figure(row['min_ess'])}\n")
        sys.stderr.flush()

    def text(self) -> str:
        """Return the table with its notes."""
        correlated = ", ".join(c.name for c in self.cases if c.correlated) or "none here"
        return "\n".join([table(with_ratios(self.rows)), NOTES.format(correlated=correlated), *self.skipped])

    def results(self) -> dict[str, Any]:
        """Return every measurement."""
        return {"rows": with_ratios(self.rows), "runs": self.runs, "skipped": self.skipped}


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as name:
        if options.first:
            results = first.measure(Path(name), options)
            text = first.render(results)
            save(results, text, options)
        else:
            text = compare(Path(name), options)
    sys.stdout.write(text + "\n")


def compare(folder: Path, options: argparse.Namespace) -> str:
    """Measure all models with all tools; return the table."""
    progress = Progress()
    for model in options.models:
        case = case_or_reason(model, folder)
        if isinstance(case, str):
            progress.skipped.append(f"- {model}: skipped, {case}")
            continue
        progress.cases.append(case)
        for tool, found in measure(case, folder, options):
            progress.add(model, tool, found)
            save(progress.results(), progress.text(), options)
    return progress.text()


def save(results: Any, text: str, options: argparse.Namespace) -> None:
    """Write the files asked for."""
    if options.markdown:
        options.markdown.write_text(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.table", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=comma(MODELS), default=list(MODELS), help=f"of {', '.join(MODELS)}")
    parser.add_argument("--peers", type=comma(PEERS), default=list(PEERS), help=f"of {', '.join(PEERS)}; an empty text for none")
    parser.add_argument("--r", action="store_true", help="lme4, glmmTMB and rstanarm as well (needs Rscript with them)")
    parser.add_argument("--first", action="store_true", help="the table of process times instead")
    parser.add_argument("--repeats", type=int, default=3, help="warm processes per tool")
    parser.add_argument("--seeds", type=int, default=4, help="at least so many seeds of ours for R-hat and divergences")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds a process may take")
    parser.add_argument("--draws", type=int, help="instead of 1000, to try the driver")
    parser.add_argument("--tune", type=int, help="instead of 1000, to try the driver")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args(arguments)


def comma(known: Any) -> Any:
    """Return the reader of a list of known names."""

    def read(text: str) -> list[str]:
        names = [n for n in text.split(",") if n]
        unknown = [n for n in names if n not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return names

    return read


def case_or_reason(model: str, folder: Path) -> Case | str:
    """Return the model with its data, or why there are none."""
    from bayesglmm.errors import DatasetError

    try:
        return load_case(model, folder / "data")
    except DatasetError:
        return "its table is not bundled; name a folder that holds it in BAYESGLMM_DATA"


def measure(case: Case, folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield every tool's runs on one model."""
    extra = max(1, -(-options.seeds // options.repeats) - 1)
    yield OURS, python_runs("worker_ours", {"file": case.file}, folder / case.name / OURS, options, [extra] * options.repeats)
    for tool in options.peers:
        job = {"table": case.table, "formula": bambi_formula(case.formula), "family": case.family, "method": PEERS[tool]}
        yield tool, python_runs("worker_bambi", job, folder / case.name / tool, options, [1, *[0] * (options.repeats - 1)])
    if options.r:
        for tool in R_TOOLS:
            yield tool, r_runs(case, tool, folder / case.name / tool, options)


def python_runs(module: str, job: dict[str, Any], folder: Path, options: argparse.Namespace, refits: list[int]) -> list[dict[str, Any]]:
    """One cold process, then a warm one for each entry of ``refits``, which says how many fits follow the first."""
    variables, found = cached_in(folder / "cache"), []
    short = {k: v for k, v in (("draws", options.draws), ("tune", options.tune)) if v}
    for number, more in enumerate([0, *refits]):
        path = write_job(folder / f"job{number}.json", **job, **short, seed=1 + 100 * number, refits=more)
        outcome = run(worker(module, path), limit=options.limit, variables=variables)
        found.append({**flatten(outcome.status, outcome.records), "seed": 1 + 100 * number, "cold": number == 0})
        if number > 0 and found[-1]["status"] != OK:
            break  # a second run over the limit would say the same
    return found


def r_runs(case: Case, tool: str, folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Warm runs of a tool in R, which compiles nothing at run time."""
    program = shutil.which("Rscript")
    if program is None:
        return [{"status": "failed: no Rscript on the path", "refits": [], "cold": False}]
    found = []
    for number in range(1 if tool == "rstanarm" else options.repeats):
        entries = {
            "tool": tool,
            "sheet": case.sheet,
            "levels": case.levels,
            "formula": r_formula(case.formula),
            "family": case.family,
            "seed": 1 + 100 * number,
            "chains": 4,
            "draws": options.draws or 1000,
            "tune": options.tune or 1000,
            "draws_file": str(folder / f"draws{number}.bin"),
        }
        outcome = run([program, str(SCRIPT), str(write_job(folder / f"job{number}.json", **entries))], limit=options.limit)
        found.append({**with_statistics(flatten(outcome.status, outcome.records), Path(entries["draws_file"])), "cold": False})
    return found


def with_statistics(record: dict[str, Any], path: Path) -> dict[str, Any]:
    """Add ESS and R-hat of the draws that R wrote, by the code that the other tools use."""
    if "shape" not in record:
        return record
    from tests.benchmarks.effective import summary_of

    values = np.fromfile(path).reshape(record["shape"], order="F")  # iterations x chains x parameters
    return {**record, **summary_of(np.ascontiguousarray(values.transpose(1, 0, 2)), record["labels"])}


if __name__ == "__main__":
    main()
