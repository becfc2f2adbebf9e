"""Fresh processes with a time limit: what they print, and when it came."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.models import ROOT
from tests.benchmarks.report import OK, OVER, parse_line

STDERR_SHOWN = 150


@dataclass(frozen=True)
class Outcome:
    """What one process did.

    Attributes
    ----------
    status
        ``ok``, ``over the limit (900 s)``, or ``failed:`` with the end of what it wrote to stderr.
    records
        Every record it printed, each with ``after_s``: seconds from the start of the process to the record's arrival.
    seconds
        Wall time of the process.
    """

    status: str
    records: tuple[dict[str, Any], ...]
    seconds: float


def worker(module: str, job: Path) -> list[str]:
    """Return the command of a Python worker of this package."""
    return [sys.executable, "-m", f"tests.benchmarks.{module}", str(job)]


def cached_in(folder: Path) -> dict[str, str]:
    """Return variables that keep what numba and PyTensor compile in ``folder`` and nowhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    return {"NUMBA_CACHE_DIR": str(folder / "numba"), "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}"}


def run(command: Sequence[str], *, limit: float, variables: Mapping[str, str] | None = None) -> Outcome:
    """Run a command in the root of the repository; it and its children are stopped at the limit (seconds)."""
    arrived: list[tuple[float, str]] = []
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**os.environ, **(variables or {})},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        reader = threading.Thread(target=_collect, args=(process, begin, arrived), daemon=True)
        reader.start()
        status = OK
        try:
            process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            status = f"{OVER} ({limit:.0f} s)"
        seconds = time.perf_counter() - begin
        _finish(reader, process)
        if status == OK and process.returncode != 0:
            errors.seek(0)
            status = f"failed: {' '.join(errors.read().split())[-STDERR_SHOWN:]}"
    found = [(after, parse_line(line)) for after, line in arrived]
    return Outcome(status, tuple({**record, "after_s": after} for after, record in found if record is not None), seconds)


def _finish(reader: threading.Thread, process: subprocess.Popen[str]) -> None:
    """Wait for the last lines; a pipe that a grandchild still holds is left to it."""
    reader.join(timeout=5.0)
    if process.stdout is not None and not reader.is_alive():
        process.stdout.close()


def _collect(process: subprocess.Popen[str], begin: float, arrived: list[tuple[float, str]]) -> None:
    for line in process.stdout or ():
        arrived.append((time.perf_counter() - begin, line))
