"""``bayesglmm demo``: the main job on bundled data, from a formula to what it means for one patient and for the population."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, sampling_options
from bayesglmm.cli.output import NOT_TO_BE_USED, fit_document, fit_text, quality_document, show_progress, verdict_text
from bayesglmm.cli.terminal import show, show_json
from bayesglmm.errors import ArgumentError
from bayesglmm.io.atomic import check_target
from bayesglmm.io.library import model_path
from bayesglmm.spec.schema import load_spec

if TYPE_CHECKING:
    from bayesglmm.fit.fit import Fit
    from bayesglmm.post.result import Result

MODEL = "pbc_high_chol"
GRID: dict[str, Any] = {"year": [0, 5, 10], "drug": "all"}
SEED = 1
FILE = "fit.nc"
REPORT = "report.html"
PICTURES = ("spaghetti", "effects", "heterogeneity", "caterpillar", "marginal_vs_conditional", "lattice")


@click.command("demo")
@click.option(
    "--out", type=click.Path(file_okay=False), default=".", help="Folder for all files; made when it is not there. Default: here."
)
@click.option("--force", is_flag=True, help="Replace existing files; without it free names are taken: fit-2.nc, report-2.html, ...")
@sampling_options
@as_json
@click.pass_context
def command(ctx: click.Context, /, out: str, force: bool, as_json: bool, **sampling: Any) -> None:
    """Fit high cholesterol of the PBC patients, high_chol ~ year * drug + (1 | id), and show what the fit says.

    \b
    bayesglmm demo --out demo
    bayesglmm demo --out demo --force --seed 3
    """  # noqa: D301 (click reads the escape)
    targets = _targets(Path(out), force=force)
    model = load_spec(model_path(MODEL))
    if not as_json:
        show(f"{model.title}: {' '.join(model.description.split())}\nSampling {model.spec.formula} ...")
    sampling["seed"] = SEED if sampling["seed"] is None else sampling["seed"]
    fit = bg.fit_spec(model, progress=show_progress(as_json=as_json), **sampling)
    bg.save(fit, targets.fit, force=force)
    results = _results(fit)
    if not as_json:
        show("\n\n".join([fit_text(fit), *map(str, results.values()), verdict_text(fit)]))
        show("\nWriting the report and the pictures ...")
    report = _write_pages(fit, targets, force=force)
    if as_json:
        document = {"command": "demo", "fit": fit_document(fit), "checks": quality_document(fit.quality), **_files(targets)}
        show_json({**document, "report_verdict": report, "results": {name: r.to_dict() for name, r in results.items()}})
    else:
        show(_next_steps(targets, report))
    if fit.quality.verdict == "do not use":
        ctx.exit(NOT_TO_BE_USED)


@dataclass(frozen=True, slots=True)
class _Targets:
    """Where everything goes: the fit, the report, and a picture per name."""

    fit: Path
    report: Path
    pictures: dict[str, Path]

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, the report's twin included."""
        return (self.fit, self.report, self.report.with_suffix(".json"), *self.pictures.values())


def _write_pages(fit: Fit, targets: _Targets, *, force: bool) -> str:
    """Write the report and the pictures; return the report's verdict."""
    from bayesglmm.plots.gallery import picture, write_picture

    goal = "How does high cholesterol change over the years, for one patient and for all of them, and does the drug matter?"
    report = bg.report(fit, targets.report, goal=goal, force=force)
    for name, path in targets.pictures.items():
        write_picture(picture(name, fit), path)
    verdict: str = report.verdict
    return verdict


def _results(fit: Fit) -> dict[str, Result]:
    return {
        "summary": bg.summary(fit),
        "marginal": bg.marginal_coefficients(fit),
        "average_subject": bg.means(fit, GRID, target="average_subject"),
        "population": bg.means(fit, GRID, target="population"),
        "heterogeneity": bg.heterogeneity(fit, GRID),
    }


def _targets(folder: Path, *, force: bool) -> _Targets:
    """Where the files go: ``fit.nc``, ..., or the first free ``fit-2.nc``, ..., one number for all: a demo replaces nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"the folder cannot be made: {error.strerror}", where=f"--out {folder}", fix="choose another folder") from error
    k = 1
    while not force and any(path.exists() for path in _numbered(folder, k).all):
        k += 1
    targets = _numbered(folder, k)
    for path in targets.all:
        check_target(path, force=force)
    return targets


def _numbered(folder: Path, k: int) -> _Targets:
    """Return all names with the number k, which 1 leaves out."""
    end = "" if k == 1 else f"-{k}"
    fit, report = (folder / f"{Path(name).stem}{end}{Path(name).suffix}" for name in (FILE, REPORT))
    return _Targets(fit, report, {name: folder / f"{name}{end}.png" for name in PICTURES})


def _files(targets: _Targets) -> dict[str, Any]:
    return {"file": str(targets.fit), "report": str(targets.report), "pictures": {name: str(p) for name, p in targets.pictures.items()}}


def _next_steps(targets: _Targets, verdict: str) -> str:
    return "\n".join(
        [
            f"Written to {targets.fit}, with pictures ({', '.join(p.name for p in targets.pictures.values())})",
            f"and a report: {targets.report}, verdict {verdict!r}, beside it {targets.report.with_suffix('.json').name}. To go on:",
            f"  bayesglmm summary {targets.fit}",
            f"  bayesglmm means {targets.fit} --target population --by drug",
            f"  bayesglmm plot fan {targets.fit} --variable year",
        ]
    )
