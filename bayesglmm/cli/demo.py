"""``bayesglmm demo``: the main job on bundled data, from a formula to what it means for one patient and for the population."""

from __future__ import annotations

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


@click.command("demo")
@click.option("--out", type=click.Path(file_okay=False), default=".", help="Folder for fit.nc; made when it is not there. Default: here.")
@click.option("--force", is_flag=True, help="Replace an existing fit.nc; without it a free name is taken.")
@sampling_options
@as_json
@click.pass_context
def command(ctx: click.Context, /, out: str, force: bool, as_json: bool, **sampling: Any) -> None:
    """Fit high cholesterol of the PBC patients, high_chol ~ year * drug + (1 | id), and show what the fit says."""
    target = _target(Path(out), force=force)
    model = load_spec(model_path(MODEL))
    if not as_json:
        show(f"{model.title}: {' '.join(model.description.split())}\nSampling {model.spec.formula} ...")
    sampling["seed"] = SEED if sampling["seed"] is None else sampling["seed"]
    fit = bg.fit_spec(model, progress=show_progress(as_json=as_json), **sampling)
    bg.save(fit, target, force=force)
    results = _results(fit)
    if as_json:
        document = {"command": "demo", "fit": fit_document(fit), "checks": quality_document(fit.quality), "file": str(target)}
        show_json({**document, "results": {name: r.to_dict() for name, r in results.items()}})
    else:
        show("\n\n".join([fit_text(fit), *map(str, results.values()), verdict_text(fit), _next_steps(target)]))
    if fit.quality.verdict == "do not use":
        ctx.exit(NOT_TO_BE_USED)


def _results(fit: Fit) -> dict[str, Result]:
    return {
        "summary": bg.summary(fit),
        "marginal": bg.marginal_coefficients(fit),
        "average_subject": bg.means(fit, GRID, target="average_subject"),
        "population": bg.means(fit, GRID, target="population"),
        "heterogeneity": bg.heterogeneity(fit, GRID),
    }


def _target(folder: Path, *, force: bool) -> Path:
    """Where the fit goes: ``fit.nc``, or the first free ``fit-2.nc``, ``fit-3.nc``, ... so that a demo replaces nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentError(f"the folder cannot be made: {error.strerror}", where=f"--out {folder}", fix="choose another folder") from error
    target, k = folder / FILE, 1
    while target.exists() and not force:
        k += 1
        target = folder / f"{Path(FILE).stem}-{k}{Path(FILE).suffix}"
    return check_target(target, force=force)


def _next_steps(target: Path) -> str:
    return "\n".join(
        [
            f"Written to {target}. To go on:",
            f"  bayesglmm summary {target}",
            f"  bayesglmm means {target} --target population --by drug",
            f"  bayesglmm random-effects {target}",
        ]
    )
