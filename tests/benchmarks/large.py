"""Large data: ``python -m tests.benchmarks.large insteval``, ``grades`` or ``aids-million``."""

import argparse
import inspect
import json
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import bayesglmm as bg
from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import parameter_draws
from tests.benchmarks import made_up
from tests.benchmarks.effective import peak_mb
from tests.benchmarks.models import categorical, r_formula, write_job, write_table
from tests.benchmarks.processes import run
from tests.benchmarks.report import OK, figure, markdown, times
from tests.benchmarks.worker_ours import load_libraries

INSTEVAL = "y ~ 1 + service + (1 | s) + (1 | d) + (1 | dept)"
SCRIPT = Path(__file__).with_name("worker_r.R")
SMALL_AIDS = 467


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of a fit; ``effects`` only where this version has it."""
    asked = {name: getattr(options, name) for name in ("draws", "tune", "chains", "seed")}
    if options.effects and "effects" in inspect.signature(bg.glmm).parameters:
        asked["effects"] = options.effects
    return {**asked, "progress": False}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return seconds and result of a call."""
    begin = time.perf_counter()
    result = call()
    return time.perf_counter() - begin, result


def parameter_rows(fit: Any, truth: dict[str, float] | None = None) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: mean, SD, ESS and R-hat of every fixed effect, SD, correlation and sigma, and the distance to the truth."""
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    mean, sd = found.values.mean(axis=(0, 1)), found.values.std(axis=(0, 1))
    ess, rhat = diagnostics.ess_bulk(found.values), diagnostics.rhat(found.values)
    header = ["parameter", "mean", "sd", "bulk ESS", "R-hat", *(["truth", "posterior sds from it"] if truth else [])]
    rows = []
    for k, name in enumerate(found.labels):
        row = [name, f"{mean[k]:.4f}", f"{sd[k]:.4f}", figure(ess[k]), f"{rhat[k]:.3f}"]
        if truth:
            row += [f"{truth[name]}", f"{(mean[k] - truth[name]) / sd[k]:+.2f}"] if name in truth else ["-", "-"]
        rows.append(row)
    return header, rows


def insteval(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """73,421 ratings, three crossed factors, beside lme4's maximum likelihood fit of the same table."""
    data = bg.datasets.load("InstEval")
    seconds, fit = timed(lambda: bg.glmm(INSTEVAL, data, **settings_of(options)))
    memory = peak_mb()
    peer = lme4(fit.frame, {"s", "d", "dept"}, options.limit)
    header, rows = parameter_rows(fit)
    again, _ = timed(lambda: bg.glmm(INSTEVAL, data, **settings_of(options))) if options.again else (None, None)
    ratio = seconds / peer["fit_s"] if isinstance(peer.get("fit_s"), float) else None
    facts = {
        "fit, s": figure(seconds),
        "the same again, s": figure(again),
        "lme4 ML, s": figure(peer.get("fit_s")) if peer["status"] == OK else peer["status"],
        "ours over lme4": times(ratio),
        "peak memory, MB": figure(memory),
        "peak memory of lme4, MB": figure(peer.get("peak_mb")),
        **facts_of(fit),
    }
    return {**facts, "seconds": seconds, "ratio": ratio, "parameters": [header, *rows]}, page(facts, header, rows)


def lme4(frame: pd.DataFrame, factors: set[str], limit: float) -> dict[str, Any]:
    """Fit the same table by maximum likelihood in R; return its record, with ``status``."""
    program = shutil.which("Rscript")
    if program is None:
        return {"status": "no Rscript on the path"}
    with tempfile.TemporaryDirectory() as name:
        written = write_table(categorical(frame, factors), Path(name) / "data")
        entries = {"tool": "lme4", "sheet": written["sheet"], "levels": written["levels"], "formula": r_formula(INSTEVAL)}
        job = write_job(Path(name) / "job.json", **entries, family="gaussian")
        outcome = run([program, str(SCRIPT), str(job)], limit=limit)
    return {**(outcome.records[0] if outcome.records else {}), "status": outcome.status}


def grades(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Simulated grades: 1.7 million rows, 62,728 crossed effects."""
    shape = made_up.GradesShape() if options.share == 1.0 else made_up.GradesShape().scaled(options.share)
    data = made_up.grades(shape)
    before = peak_mb()
    seconds, fit = timed(lambda: bg.glmm(made_up.FORMULA_GRADES, data, **settings_of(options)))
    truth = {
        "Intercept": shape.intercept,
        "1|student_sigma": shape.sd_student,
        "1|instructor_sigma": shape.sd_instructor,
        "1|department_sigma": shape.sd_department,
        "sigma": shape.sigma,
    }
    header, rows = parameter_rows(fit, truth)
    facts = {
        "rows": f"{shape.rows:,}",
        "effects": f"{shape.students + shape.instructors + shape.departments:,}",
        "fit, s": figure(seconds),
        "peak memory, MB": figure(peak_mb()),
        "of which the simulated table took, MB": figure(before),
        **facts_of(fit),
    }
    return {**facts, "seconds": seconds, "parameters": [header, *rows]}, page(facts, header, rows)


def aids_million(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Visits as in the AIDS trial of 467 subjects, and of a million."""
    parts, found = [], {}
    counts = (SMALL_AIDS, round(options.share * 1_000_000))
    made_up_fit(SMALL_AIDS, argparse.Namespace(**{**vars(options), "draws": 20, "tune": 20}))  # loads what is compiled
    for count in counts:
        found[count] = made_up_fit(count, options)
    small, large = (found[c] for c in counts)
    header = ["", *(f"{c:,} subjects" for c in counts), "ratio"]
    for name in small["figures"]:
        a, b = small["figures"][name], large["figures"][name]
        parts.append([name, figure(a), figure(b), times(b / a if a and b is not None else None)])
    notes = [f"- {c:,} subjects: {found[c]['engine']}; verdict: {found[c]['verdict']}" for c in counts]
    return {str(c): found[c] for c in counts}, "\n".join([markdown(header, parts), "", *notes])


def made_up_fit(n_subjects: int, options: argparse.Namespace) -> dict[str, Any]:
    """Fit one simulated trial, its parts timed apart."""
    from tests.benchmarks import gradients

    formula, data = made_up.aids_like(n_subjects)
    prepare_s, ready = timed(lambda: gradients.ready_for(formula, data, "bernoulli"))
    integrate_s, evaluation = timed(lambda: gradients.integrated(ready))
    per_gradient = gradients.microseconds(evaluation)
    n_patterns = distinct_groups(ready)
    with sampling_timed() as sampling:
        fit_s, fit = timed(lambda: bg.glmm(formula, data, family="bernoulli", **settings_of(options)))
    draws = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    figures = {
        "rows": len(data),
        "distinct subjects": n_patterns,
        "prepare the design, s": prepare_s,
        "collapse subjects, s": integrate_s,
        "microseconds per gradient": per_gradient,
        "gradients per draw": float(fit.idata["sample_stats"]["n_steps"].mean()),
        "sampling, s": sum(sampling),
        "fit call, all of it, s": fit_s,
        "min ESS": float(diagnostics.ess_bulk(draws.values).min()),
        "max R-hat": float(diagnostics.rhat(draws.values).max()),
        "peak memory, MB": peak_mb(),
    }
    return {"figures": figures, "engine": fit.engine, "verdict": fit.quality.verdict}


@contextmanager
def sampling_timed() -> Iterator[list[float]]:
    """Time the sampler alone: the list yielded gets the seconds of every run."""
    from bayesglmm.sampler import nutpie

    seconds, run_sampler = [], nutpie._run

    def timed_run(*given: Any, **named: Any) -> Any:
        took, result = timed(lambda: run_sampler(*given, **named))
        seconds.append(took)
        return result

    nutpie._run = timed_run
    try:
        yield seconds
    finally:
        nutpie._run = run_sampler


def distinct_groups(ready: Any) -> int:
    """Return the number of groups that differ in rows or responses."""
    from bayesglmm.kernel.patterns import find_patterns

    group = ready.design.groups[0]
    return len(find_patterns(np.asarray(ready.design.X), ready.design.y, group.index, len(group.levels)).count)


def facts_of(fit: Any) -> dict[str, str]:
    """Return what every page says of a fit: engine, divergences, gradients of a draw, verdict."""
    statistics = fit.idata["sample_stats"]
    return {
        "engine": fit.engine,
        "divergences": str(int(statistics["diverging"].sum())),
        "gradients per draw": figure(float(statistics["n_steps"].mean())),
        "verdict": str(fit.quality.verdict),
    }


def page(facts: dict[str, str], header: list[str], rows: list[list[str]]) -> str:
    """Return facts and parameters as two tables."""
    return markdown(("", ""), [[k, v] for k, v in facts.items()]) + "\n\n" + markdown(header, rows)


TASKS: dict[str, tuple[Callable[[argparse.Namespace], tuple[dict[str, Any], str]], str]] = {
    "insteval": (insteval, "float32"),
    "grades": (grades, "float32"),
    "aids-million": (aids_million, "none"),
}
"""Programs and what they ask of ``effects``."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.large", description=__doc__)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--effects", help="what is kept of the random effects, where the package offers the choice")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows or subjects, to try the program")
    parser.add_argument("--again", action="store_true", help="insteval: a second fit, with everything loaded and compiled")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds that lme4 may take")
    parser.add_argument("--json", type=Path, help="file for all measurements")
    options = parser.parse_args(arguments)
    options.effects = options.effects or TASKS[options.task][1]
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    warnings.simplefilter("ignore", bg.errors.QualityWarning)  # the page has the verdict
    load_libraries()
    results, text = TASKS[options.task][0](options)
    sys.stdout.write(text + "\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
