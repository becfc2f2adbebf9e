"""Population means of many rows and draws without simulation: ``python -m tests.benchmarks.population``.

Every case runs in a process of its own, on a fit made from given draws. Seconds are those of the call; the peak is that of the whole
process, libraries and fit included.
"""

import argparse
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

import bayesglmm as bg
from tests.benchmarks.effective import emit, peak_mb
from tests.benchmarks.processes import run
from tests.benchmarks.report import OK, figure, markdown
from tests.fits import make_fit

ROWS, GROUPS, CHAINS, DRAWS = 10_000, 100, 4, 1_000
LIMIT = 1800.0
HEADER = ("case", "rows", "draws", "seconds", "CPU seconds", "peak MB", "largest bound")


@dataclass(frozen=True)
class Case:
    """A model of the logit of a response, and what is asked of it.

    Attributes
    ----------
    words
        What the table calls it.
    effects
        The random part.
    sd, corr
        Standard deviations and correlation matrix of its effects.
    each
        A mean for every row, or their average.
    keep
        Whether the result keeps its draws.
    link
        The link function.
    """

    words: str
    effects: str
    sd: tuple[float, ...]
    corr: tuple[tuple[float, ...], ...]
    each: bool
    link: str = "logit"
    keep: bool = True


INTERCEPTS: Mapping[str, Any] = MappingProxyType({"effects": "(1 | g)", "sd": (3.0,), "corr": ((1.0,),)})
SLOPES: Mapping[str, Any] = MappingProxyType({"effects": "(x | g)", "sd": (3.0, 1.5), "corr": ((1.0, 0.3), (0.3, 1.0))})
CASES: Mapping[str, Case] = MappingProxyType(
    {
        "average": Case("random intercepts, average of all rows", each=False, **INTERCEPTS),
        "rows": Case("random intercepts, every row", each=True, **INTERCEPTS),
        "table": Case("random intercepts, every row, draws not kept", each=True, keep=False, **INTERCEPTS),
        "slopes-average": Case("random slopes, average of all rows", each=False, **SLOPES),
        "slopes-rows": Case("random slopes, every row", each=True, **SLOPES),
        "slopes-table": Case("random slopes, every row, draws not kept", each=True, keep=False, **SLOPES),
        "cloglog-average": Case("random intercepts, cloglog, average of all rows", each=False, link="cloglog", **INTERCEPTS),
    }
)


def measure(name: str, rows: int, draws: int) -> None:
    """Run one case and print its record."""
    case, rng = CASES[name], np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.integers(0, 2, rows), "x": rng.normal(size=rows), "g": np.resize(np.arange(GROUPS), rows)})
    formula, options = f"y ~ x + {case.effects}", {"family": "bernoulli", "link": case.link, "n_chains": CHAINS, "n_draws": draws}
    fit = make_fit(formula, data, beta=[-0.5, 1.0], sd=case.sd, corr=case.corr, **options)
    begin, cpu = time.perf_counter(), cpu_seconds()
    result = bg.means(fit, data if case.each else None, target="population", keep_draws=case.keep)
    seconds, cpu = time.perf_counter() - begin, cpu_seconds() - cpu
    bound = next(note.split("<= ")[1].split(";")[0] for note in result.notes if "integration error" in note)
    emit(rows=rows, draws=CHAINS * draws, seconds=seconds, cpu=cpu, peak_mb=peak_mb(), bound=bound)


def cpu_seconds() -> float:
    """Seconds of processor time that this process has used, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def row_of(name: str, rows: int, draws: int) -> list[str]:
    """Run one case in a fresh process and return its row of the table."""
    command = [sys.executable, "-m", "tests.benchmarks.population", "--case", name, "--rows", str(rows), "--draws", str(draws)]
    outcome = run(command, limit=LIMIT)
    if outcome.status != OK or not outcome.records:
        return [CASES[name].words, outcome.status, *[""] * (len(HEADER) - 2)]
    found = outcome.records[0]
    numbers = [f"{found['rows']:,}", f"{found['draws']:,}", figure(found["seconds"]), figure(found["cpu"]), figure(found["peak_mb"])]
    return [CASES[name].words, *numbers, found["bound"]]


def main() -> None:
    """Read the command line: one case in this process, or all cases, each in its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=tuple(CASES), help="run this case here and print its record")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--draws", type=int, default=DRAWS, help="per chain")
    options = parser.parse_args()
    if options.case:
        measure(options.case, options.rows, options.draws)
        return
    table = [row_of(name, options.rows, options.draws) for name in CASES]
    sys.stdout.write(markdown(HEADER, table) + "\n")


if __name__ == "__main__":
    main()
