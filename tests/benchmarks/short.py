"""The table of the README from stored measurements: ``python -m tests.benchmarks.short FILE.json ...``.

The files are what ``python -m tests.benchmarks.table --json FILE.json`` wrote; models may be spread over several.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.report import OK, OURS, figure, markdown, times

HEADER = (
    "model",
    "fit call, s",
    "min ESS",
    "ESS/s",
    "max R-hat",
    "divergences",
    "Bambi's best: s",
    "min ESS",
    "ESS/s",
    "ratio of ESS/s",
    "rstanarm: ESS/s",
    "lme4: s",
)


def short_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each model: ours, Bambi's better sampler, rstanarm and lme4 where they were run."""
    models = dict.fromkeys(row["model"] for row in rows)
    return markdown(HEADER, [line(model, [row for row in rows if row["model"] == model]) for model in models])


def line(model: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the cells of one model."""
    tools = {row["tool"]: row for row in rows}
    ours, finished = tools[OURS], [row for name, row in tools.items() if name.startswith("bambi") and row["status"] == OK]
    best: Mapping[str, Any] = max(finished, key=lambda row: row["ess_per_s"] or 0.0, default={})
    return [
        model,
        figure(ours["fit_s"]),
        figure(ours["min_ess"]),
        figure(ours["ess_per_s"]),
        f"{ours['max_rhat']:.3f}",
        str(ours["divergences"]),
        figure(best.get("fit_s")),
        figure(best.get("min_ess")),
        figure(best.get("ess_per_s")),
        times(ours["ess_per_s"] / best["ess_per_s"]) if best.get("ess_per_s") else "-",
        figure(tools.get("rstanarm", {}).get("ess_per_s")),
        figure(tools.get("lme4", {}).get("fit_s")),
    ]


def main(paths: Sequence[str]) -> None:
    """Print the table of all files' models."""
    rows = [row for path in paths for row in json.loads(Path(path).read_text())["rows"]]
    sys.stdout.write(short_table(rows) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
