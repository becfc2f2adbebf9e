"""The report of the demo's fit: ``python -m tests.benchmarks.page``.

The fit is sampled in one process; the report is made in another, which loads it: seconds of the call, of the whole process, and its peak.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import bayesglmm as bg
from tests.benchmarks.effective import emit, peak_mb
from tests.benchmarks.processes import run
from tests.benchmarks.report import OK, figure, markdown

MODEL = Path(__file__).parents[2] / "models" / "pbc_high_chol.toml"
LIMIT = 600.0


def work(folder: Path) -> None:
    """Load the fit and write its report."""
    fit = bg.load(folder / "fit.nc")
    begin = time.perf_counter()
    report = bg.report(fit, folder / "report.html")
    seconds = time.perf_counter() - begin
    sizes = [path.stat().st_size / 2**20 for path in report.paths]
    emit(seconds=seconds, peak_mb=peak_mb(), html_mb=sizes[0], json_mb=sizes[1], checks=len(report.checks), verdict=report.verdict)


def main() -> None:
    """Sample once, then report as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder is not None:
        work(asked.folder)
        return
    header = ("report, s", "process, s", "peak MB", "html MB", "json MB", "checks", "verdict")
    lines = []
    for _ in range(asked.repeats):
        with tempfile.TemporaryDirectory() as name:
            bg.save(bg.fit_spec(bg.load_spec(MODEL), seed=1, progress=False), Path(name) / "fit.nc")
            outcome = run([sys.executable, "-m", "tests.benchmarks.page", "--folder", name], limit=LIMIT)
        if outcome.status != OK:
            sys.exit(outcome.status)
        found = outcome.records[-1]
        numbers = [found["seconds"], outcome.seconds, found["peak_mb"], found["html_mb"], found["json_mb"], found["checks"]]
        lines.append([*map(figure, numbers), found["verdict"]])
    sys.stdout.write(markdown(header, lines) + "\n")


if __name__ == "__main__":
    main()
