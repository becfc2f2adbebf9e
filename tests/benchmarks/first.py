"""Times of whole processes: import, help, the first fit on a machine, a fit in a new process, a fit again. ``table --first`` runs it."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.models import Case, bambi_formula, load_case, write_job
from tests.benchmarks.processes import Outcome, cached_in, run, worker
from tests.benchmarks.report import OK, figure, markdown, middle, times

PROGRAM = Path(sys.executable).with_name("bayesglmm")
REFITS = 5
NOTE = """
Medians of new processes, sleepstudy, 4 chains of 1000 + 1000. cold: no compiled code on disk yet. A fit in a running interpreter is the
fit call after the first, libraries loaded and code compiled."""


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return median seconds by what was measured; a process that failed or ran over the limit says so instead."""
    case, repeats = load_case("sleepstudy", folder / "data"), options.repeats
    warm, rows = cached_in(folder / "ours"), {}
    plain = {"import bayesglmm": [sys.executable, "-c", "import bayesglmm"], "bayesglmm --help": [str(PROGRAM), "--help"]}
    for name, command in plain.items():
        run(command, limit=options.limit)  # the first one reads the files from disk
        rows[name] = _median([run(command, limit=options.limit) for _ in range(repeats)])
    fit = worker("worker_ours", _job(case, "worker_ours", folder, 0))
    cold = [run(fit, limit=options.limit, variables=cached_in(folder / f"cold{i}")) for i in range(repeats)]
    rows["data to printed summary, cold"] = _median(cold)
    run(fit, limit=options.limit, variables=warm)
    rows["data to printed summary, warm"] = _median([run(fit, limit=options.limit, variables=warm) for _ in range(repeats)])
    again = worker("worker_ours", _job(case, "worker_ours", folder, REFITS))
    rows["fit in a running interpreter"] = _refits(run(again, limit=options.limit, variables=warm))
    return {"ours": rows, "bambi + nutpie": _bambi(case, folder, options)}


def _bambi(case: Case, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    warm = cached_in(folder / "bambi")
    fit = worker("worker_bambi", _job(case, "worker_bambi", folder, 0))
    rows = {"data to printed summary, cold": _median([run(fit, limit=options.limit, variables=warm)])}
    rows["data to printed summary, warm"] = _median([run(fit, limit=options.limit, variables=warm) for _ in range(options.repeats)])
    again = worker("worker_bambi", _job(case, "worker_bambi", folder, REFITS))
    return {**rows, "fit in a running interpreter": _refits(run(again, limit=options.limit, variables=warm))}


def _job(case: Case, module: str, folder: Path, refits: int) -> Path:
    entries: dict[str, Any] = {"seed": 1, "refits": refits, "summary": refits == 0}
    if module == "worker_ours":
        entries |= {"file": case.file}
    else:
        entries |= {"table": case.table, "formula": bambi_formula(case.formula), "family": case.family, "method": "nutpie"}
    return write_job(folder / f"{module}{refits}.json", **entries)


def _median(outcomes: list[Outcome]) -> float | str:
    failed = [o.status for o in outcomes if o.status != OK]
    return failed[0] if failed else middle(o.seconds for o in outcomes) or 0.0


def _refits(outcome: Outcome) -> float | str:
    """Return the median of a process's later fits, with the building of the model where a tool has that apart."""
    if outcome.status != OK:
        return outcome.status
    return middle(r["fit_s"] + r.get("model_s", 0.0) for r in outcome.records if r.get("stage") == "refit") or 0.0


def render(results: dict[str, Any]) -> str:
    """Return the table in Markdown."""
    ours, bambi = results["ours"], results["bambi + nutpie"]
    rows = [[name, _text(ours[name]), _text(bambi.get(name)), _share(ours[name], bambi.get(name))] for name in ours]
    return markdown(("what", "bayesglmm, s", "Bambi + nutpie, s", "Bambi over ours"), rows) + "\n" + NOTE


def _text(value: float | str | None) -> str:
    return value if isinstance(value, str) else figure(value)


def _share(ours: float | str, peer: float | str | None) -> str:
    return times(peer / ours) if isinstance(ours, float) and isinstance(peer, float) and ours > 0 else times(None)
