"""The pure part: records of workers to medians, ratios, growth exponents and Markdown. Imports nothing heavy."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

MARK = "@record "
"""Stands before every record a worker prints, so that what libraries print does no harm."""
OK, OVER = "ok", "over the limit"
OURS = "bayesglmm"
MEDIANS = ("process_s", "import_s", "fit_s", "min_ess", "ess_per_s", "peak_mb")
HEADER = (
    "model",
    "tool",
    "runs",
    "process, cold s",
    "process s",
    "fit call s",
    "repeated fit s",
    "min ESS",
    "of",
    "ESS/s",
    "ESS/s, repeated fit",
    "max R-hat",
    "divergences",
    "peak MB",
    "ESS/s over Bambi's best",
    "the same, repeated fit",
)
NOTHING = "-"


def format_record(record: Mapping[str, Any]) -> str:
    """Return the line that a worker prints."""
    return MARK + json.dumps(dict(record))


def parse_line(line: str) -> dict[str, Any] | None:
    """Return the record on a line of a worker's output, or None when there is none."""
    if not line.startswith(MARK):
        return None
    try:
        record = json.loads(line[len(MARK) :])
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def rate(record: Mapping[str, Any]) -> float | None:
    """Effective draws per second of the fit call, None without a posterior."""
    ess, seconds = record.get("min_ess"), record.get("fit_s")
    return None if ess is None or not seconds else ess / seconds


def middle(values: Iterable[float | None]) -> float | None:
    """Median of what is there, None when nothing is."""
    present = [v for v in values if v is not None]
    return median(present) if present else None


def worst(values: Iterable[float | None]) -> float | None:
    """Return the largest of what is there, None when nothing is."""
    present = [v for v in values if v is not None]
    return max(present) if present else None


def flatten(status: str, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what one process printed: its first fit, the fits after it, and how it ended.

    A process that made its first fit and was stopped in a later one keeps what it has.
    """
    fits = [dict(r) for r in records if r.get("stage") == "fit"]
    if not fits:
        return {"status": status if status != OK else "failed: no record", "refits": []}
    first = fits[0]
    refits = [dict(r) for r in records if r.get("stage") == "refit"]
    return {**first, "process_s": first.get("after_s"), "status": OK, "ended": status, "refits": refits}


def summarize(model: str, tool: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Medians of the warm runs of one tool on one model, its worst R-hat, its divergences in all, and its cold run.

    Parameters
    ----------
    model, tool
        Names.
    runs
        From :func:`flatten`, each with ``cold``.
    """
    warm = [r for r in runs if not r.get("cold")]
    good = [r for r in warm if r["status"] == OK]
    rated = [{**r, "ess_per_s": rate(r)} for r in good]
    refits = [f for r in good for f in r["refits"]]
    sampled = [*good, *refits]
    cold = [r for r in runs if r.get("cold")]
    lowest = min((f for f in sampled if f.get("min_ess") is not None), key=lambda f: f["min_ess"], default={})
    return {
        "model": model,
        "tool": tool,
        "status": OK if len(good) == len(warm) and good else next((r["status"] for r in warm if r["status"] != OK), "not run"),
        "runs": len(good),
        "cold_s": cold[0].get("process_s") if cold else None,
        "cold_status": cold[0]["status"] if cold else "not run",
        **{name: middle(r.get(name) for r in rated) for name in MEDIANS},
        "refit_s": middle(f.get("fit_s") for f in refits),
        "refit_ess_per_s": middle(rate(f) for f in refits),
        "seeds": len(sampled),
        "lowest_at": lowest.get("lowest_at"),
        "max_rhat": worst(f.get("max_rhat") for f in sampled),
        "divergences": sum(f["divergences"] for f in sampled if f.get("divergences") is not None)
        if any(f.get("divergences") is not None for f in sampled)
        else None,
        "engine": next((r["engine"] for r in good if r.get("engine")), None),
    }


def with_ratios(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add to our rows how many times Bambi's better sampler's ESS per second they reach; None where no sampler finished."""
    return [
        {
            **row,
            "ratio": _ratio(row, rows, "ess_per_s"),
            "refit_ratio": _ratio(row, rows, "refit_ess_per_s"),
        }
        for row in rows
    ]


def _ratio(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    if row["tool"] != OURS or row.get(name) is None:
        return None
    peers = [r[name] for r in rows if r["model"] == row["model"] and r["tool"].startswith("bambi") and r.get(name)]
    return row[name] / max(peers) if peers else None


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def cells(row: Mapping[str, Any]) -> list[str]:
    """Return one row of the table as text; a tool that did not finish says so in place of its times."""
    if row["runs"] == 0:
        return [row["model"], row["tool"], "0", _cold(row), row["status"], *[NOTHING] * (len(HEADER) - 5)]
    shown = [figure(row[n]) for n in ("process_s", "fit_s", "refit_s", "min_ess")]
    rates = [figure(row[n]) for n in ("ess_per_s", "refit_ess_per_s")]
    rhat = NOTHING if row["max_rhat"] is None else f"{row['max_rhat']:.3f}"
    count = NOTHING if row["divergences"] is None else str(row["divergences"])
    runs = f"{row['runs']} ({row['seeds']} seeds)" if row["seeds"] > row["runs"] else str(row["runs"])
    runs += "" if row["status"] == OK else f", then {row['status']}"
    tail = [rhat, count, figure(row["peak_mb"]), times(row.get("ratio")), times(row.get("refit_ratio"))]
    return [row["model"], row["tool"], runs, _cold(row), *shown, row["lowest_at"] or NOTHING, *rates, *tail]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the whole table in Markdown."""
    return markdown(HEADER, [cells(r) for r in rows])


def _cold(row: Mapping[str, Any]) -> str:
    if row.get("cold_s") is not None:
        return figure(row["cold_s"])
    return NOTHING if row["cold_status"] == "not run" else row["cold_status"].split(":")[0]


def figure(value: float | None) -> str:
    """Three significant digits, whole numbers from 100 on."""
    if value is None:
        return NOTHING
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def times(value: float | None) -> str:
    """Return a ratio as ``12 x``."""
    return NOTHING if value is None else f"{figure(value)} x"


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log time on log size by least squares over the upper half of the sizes' logarithmic range.

    Raises
    ------
    ValueError
        If fewer than two different sizes are in the upper half.
    """
    border = math.sqrt(min(sizes) * max(sizes))
    upper = [(math.log(s), math.log(t)) for s, t in zip(sizes, seconds, strict=True) if s >= border]
    if len({x for x, _ in upper}) < 2:
        raise ValueError("the upper half of the range holds fewer than two sizes")
    mean_x, mean_y = (sum(v) / len(upper) for v in zip(*upper, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in upper) / sum((x - mean_x) ** 2 for x, _ in upper)
