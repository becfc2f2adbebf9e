"""Memory and threads over a hundred fits in one process: ``python -m tests.benchmarks.loop``."""

import argparse
import gc
import os
import sys
import threading
import warnings
from pathlib import Path

import bayesglmm as bg
from tests.benchmarks.report import figure, markdown

FORMULA = "Reaction ~ Days + (Days | Subject)"
LOOK_AFTER = 10


def resident_mb() -> float:
    """Resident size of this process now, in MB; Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def threads() -> int:
    """Return threads of this process, those of compiled libraries as well; Linux."""
    return len(list(Path("/proc/self/task").iterdir()))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.loop", description=__doc__)
    parser.add_argument("--fits", type=int, default=100)
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args(arguments)
    data, rows = bg.datasets.load("sleepstudy"), []
    warnings.simplefilter("ignore", bg.errors.QualityWarning)
    for number in range(1, options.fits + 1):
        bg.glmm(FORMULA, data, seed=number, draws=options.draws, tune=options.draws, progress=False)
        if number in {LOOK_AFTER, options.fits}:
            gc.collect()
            rows.append([str(number), figure(resident_mb()), str(threads()), str(threading.active_count())])
    sys.stdout.write(markdown(("fits", "resident MB", "threads", "of them Python's"), rows) + "\n")


if __name__ == "__main__":
    main()
