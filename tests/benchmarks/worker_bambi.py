"""One process of Bambi: import, model, fit, statistics, and more fits. ``python -m tests.benchmarks.worker_bambi job.json``."""

import importlib
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    begin = time.perf_counter()
    import bambi as bmb
    import pandas as pd

    importlib.import_module("nutpie" if job["method"] == "nutpie" else "pymc")
    imported = time.perf_counter() - begin
    frame = pd.read_parquet(job["table"])
    for number in range(1 + job.get("refits", 0)):
        _one_fit(bmb, frame, job, number, imported)


def _one_fit(bmb: Any, frame: Any, job: dict[str, Any], number: int, imported: float) -> None:
    settings = {"draws": 1000, "tune": 1000, "chains": 4, **{k: job[k] for k in ("draws", "tune", "chains") if k in job}}
    begin = time.perf_counter()
    model = bmb.Model(job["formula"], frame, family=job["family"])
    built = time.perf_counter()
    tree = model.fit(inference_method=job["method"], random_seed=job["seed"] + number, progressbar=False, **settings)
    fitted = time.perf_counter()
    if job.get("summary") and number == 0:
        _print_summary(tree)
    _report(tree, {"model_s": built - begin, "fit_s": fitted - built, "import_s": imported}, "refit" if number else "fit")


def _print_summary(tree: Any) -> None:
    import arviz as az

    sys.stdout.write(f"{az.summary(tree, var_names=parameters(tree.posterior))}\n")


def parameters(posterior: Any) -> list[str]:
    """Return fixed effects, SDs and sigma: every variable that is no random effect."""
    return [str(n) for n in posterior.data_vars if "|" not in str(n) or str(n).endswith("_sigma")]


def _report(tree: Any, seconds: dict[str, float], stage: str) -> None:
    from tests.benchmarks.effective import emit, named_draws, peak_mb, summary_of

    memory = peak_mb()
    draws, labels = named_draws(tree.posterior, parameters(tree.posterior))
    divergences = int(tree.sample_stats["diverging"].sum())
    emit(stage=stage, **seconds, peak_mb=memory, divergences=divergences, engine="independent effects", **summary_of(draws, labels))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
