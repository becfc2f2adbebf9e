"""One process of this package: import, fit, statistics, and more fits. ``python -m tests.benchmarks.worker_ours job.json``."""

import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

LIBRARIES = ("bayesglmm.api", "nutpie.compile_pymc", "bayesglmm.kernel.program")
"""What a fit loads when it first needs it; loaded with the imports here, so that the fit call is the fit alone."""


def load_libraries() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)


def main(job: dict[str, Any]) -> None:
    begin = time.perf_counter()
    import bayesglmm as bg

    load_libraries()
    imported = time.perf_counter() - begin
    warnings.simplefilter("ignore", bg.errors.QualityWarning)
    for number in range(1 + job.get("refits", 0)):
        _one_fit(bg, job, number, imported)


def _one_fit(bg: Any, job: dict[str, Any], number: int, imported: float) -> None:
    model = bg.load_spec(job["file"])
    settings = {k: job[k] for k in ("draws", "tune", "chains") if k in job}
    begin = time.perf_counter()
    fit = bg.fit_spec(model, seed=job["seed"] + number, progress=False, **settings)
    seconds = time.perf_counter() - begin
    if job.get("summary") and number == 0:
        sys.stdout.write(f"{bg.summary(fit)}\n")
    _report(fit, seconds, imported, "refit" if number else "fit")


def _report(fit: Any, seconds: float, imported: float, stage: str) -> None:
    from bayesglmm.fit.draws import parameter_draws
    from tests.benchmarks.effective import emit, peak_mb, summary_of

    memory = peak_mb()
    draws = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    emit(
        stage=stage,
        import_s=imported,
        fit_s=seconds,
        peak_mb=memory,
        divergences=int(fit.idata["sample_stats"]["diverging"].sum()),
        engine=f"{fit.engine}; {dict(fit.provenance.parameterization)}",
        verdict=fit.quality.verdict,
        **summary_of(draws.values, draws.labels),
    )


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
