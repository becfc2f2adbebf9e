"""What commands print about a fit and its results: one text and one JSON document of the same content."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bayesglmm.cli.terminal import show, show_json
from bayesglmm.types import Verdict

if TYPE_CHECKING:
    from bayesglmm.fit.fit import Fit
    from bayesglmm.fit.quality import Check, Quality
    from bayesglmm.post.result import Result

NOT_TO_BE_USED = 3
"""Exit code of a command that sampled, when the verdict is ``do not use``."""

MEANING: dict[Verdict, str] = {
    "ok": "the chains agree and there are enough draws: the numbers above can be used.",
    "attention": "the numbers can be looked at; read what is listed before they are reported.",
    "do not use": "the chains did not find the posterior: none of the numbers above may be used.",
}


def show_progress(*, as_json: bool) -> bool:
    """Whether the sampler shows its bar: on a terminal, when people read along."""
    return not as_json and sys.stderr.isatty()


def verdict_text(fit: Fit) -> str:
    """Return the verdict, what it means, and every check that is not ok."""
    first, *rest = str(fit.quality).splitlines()
    partial = ["The run was interrupted: fewer draws than asked for."] if fit.provenance.partial else []
    return "\n".join([f"{first}: {MEANING[fit.quality.verdict]}", *rest, *partial])


def fit_text(fit: Fit) -> str:
    """Say what was fitted to what, and how it was sampled."""
    run, dropped = fit.provenance, fit.design.dropped
    lost = f" ({dropped.dropped} of {dropped.total} rows left out: missing {_missing(fit)})" if dropped.dropped else ""
    lines = [
        f"Model: {fit.spec.formula}, {fit.spec.family} with {fit.spec.link} link",
        f"Data: {len(fit.design.y)} rows{lost}{_groups(fit)}",
        f"Draws: {run.chains_obtained} chains of {run.draws_obtained} after {run.settings.tune} of warm-up, seed {run.settings.seed}",
        f"Engine: {fit.engine}",
    ]
    return "\n".join(lines)


def fit_document(fit: Fit) -> dict[str, Any]:
    """Say the same as JSON holds it."""
    settings, dropped = fit.provenance.settings, fit.design.dropped
    return {
        "formula": fit.spec.formula,
        "family": fit.spec.family,
        "link": fit.spec.link,
        "rows": len(fit.design.y),
        "dropped_rows": dropped.dropped,
        "groups": {g.name: len(g.levels) for g in fit.design.groups},
        "chains": fit.provenance.chains_obtained,
        "draws": fit.provenance.draws_obtained,
        "tune": settings.tune,
        "seed": settings.seed,
        "engine": fit.engine,
        "partial": fit.provenance.partial,
        "verdict": fit.quality.verdict,
    }


def quality_document(quality: Quality) -> list[dict[str, Any]]:
    """Every check as JSON holds it."""
    return [_check_document(c) for c in quality.checks]


def show_result(command: str, fit: Fit, result: Result, *, as_json: bool) -> None:
    """Print a result; a fit that is not to be used is said to be so each time."""
    if as_json:
        show_json({"command": command, "fit": fit_document(fit), "result": result.to_dict()})
    else:
        show(str(result))
    _warn(fit)


def show_results(command: str, fit: Fit, results: Mapping[str, Result], *, as_json: bool) -> None:
    """Print several results, each with its name in JSON."""
    if as_json:
        show_json({"command": command, "fit": fit_document(fit), "results": {name: r.to_dict() for name, r in results.items()}})
    else:
        show("\n\n".join(map(str, results.values())))
    _warn(fit)


def _warn(fit: Fit) -> None:
    if fit.quality.verdict == "do not use":
        show("Warning: the verdict on this fit is 'do not use'; 'bayesglmm summary' says why.", err=True)


def _groups(fit: Fit) -> str:
    sizes = {g.name: len(g.levels) for g in fit.design.groups}
    return "".join(f", {n} levels of {name}" for name, n in sizes.items())


def _missing(fit: Fit) -> str:
    return ", ".join(f"{name} {count}" for name, count in fit.design.dropped.by_column)


def _check_document(check: Check) -> dict[str, Any]:
    value = None if check.value is None or not math.isfinite(check.value) else check.value
    return {
        "id": check.id,
        "value": value,
        "threshold": check.threshold,
        "verdict": check.verdict,
        "detail": check.detail,
        "meaning": check.meaning,
        "remedy": check.remedy,
    }
