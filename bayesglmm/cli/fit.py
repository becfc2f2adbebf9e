"""``bayesglmm fit MODEL.toml``, or ``--formula F --data FILE --family NAME``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import MISSING, as_json, parse_priors, sampling_options
from bayesglmm.cli.output import NOT_TO_BE_USED, fit_document, fit_text, quality_document, show_progress, verdict_text
from bayesglmm.cli.terminal import show, show_json
from bayesglmm.io.atomic import check_target
from bayesglmm.io.library import SUFFIX, model_path
from bayesglmm.spec.model_spec import ModelSpec, make_spec
from bayesglmm.spec.schema import ModelFile, load_spec
from bayesglmm.types import Missing

if TYPE_CHECKING:
    from bayesglmm.fit.fit import Fit
    from bayesglmm.reporting.report import Report


@click.command("fit")
@click.argument("model", required=False)
@click.option("--formula", help="A formula in place of a model file.")
@click.option("--data", type=click.Path(), help="A table: csv, csv.gz or parquet. A model file may name its own data set.")
@click.option("--family", help="Response family; 'bayesglmm families' lists them.")
@click.option("--link", help="Link function; the family's default when left out.")
@click.option("--prior", multiple=True, metavar="ADDRESS=DIST", help='A prior, "b[drug]=normal(0, 2.5)"; may be repeated.')
@click.option("--missing", type=click.Choice(MISSING), help="What happens to rows with missing values.")
@sampling_options
@click.option("--out", type=click.Path(), default="fit.nc", show_default=True, help="Where the fit is written.")
@click.option("--report", "report_file", type=click.Path(), help="Write a report to this file (html) as well.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@as_json
@click.pass_context
def command(  # noqa: PLR0913 (a command's options are its arguments)
    ctx: click.Context, /, model: str | None, formula: str | None, data: str | None, family: str | None, link: str | None,
    prior: tuple[str, ...], missing: Missing | None, out: str, report_file: str | None, force: bool, as_json: bool, **sampling: Any,
) -> None:  # fmt: skip
    """Fit a model and write it to a file.

    MODEL is a model file, or the name of a bundled model ('bayesglmm models' lists them).

    \b
    bayesglmm fit cbpp --out cbpp.nc
    bayesglmm fit my_model.toml --data my_table.parquet
    bayesglmm fit --formula "y ~ x + (1 | g)" --data table.csv --family poisson
    bayesglmm fit --formula "y ~ x + (1 | g)" --data table.csv --family bernoulli --report report.html
    """  # noqa: D301 (click reads the escape)
    spec = _model_file(model, formula, family, link, prior) if model else _spec(formula, family, link, prior)
    if not model and data is None:
        raise click.UsageError("--formula needs --data, the table to fit it to.")
    from bayesglmm.io.tables import read_data

    target, page = check_target(out, force=force), _check_page(report_file, force=force)
    table = None if data is None else read_data(data)
    fit = bg.fit_spec(spec, table, missing=missing, progress=show_progress(as_json=as_json), **sampling)
    written: Path | None = None
    report: Report | None = None
    try:
        written = bg.save(fit, target, force=force)
        if page is not None:
            report = bg.report(fit, page, force=force)
    finally:
        _show(fit, written, report, as_json=as_json)
    if fit.quality.verdict == "do not use":
        ctx.exit(NOT_TO_BE_USED)


def _check_page(report_file: str | None, *, force: bool) -> Path | None:
    """Refuse, before anything is sampled, a report that could not be written."""
    if report_file is None:
        return None
    from bayesglmm.reporting.report import report_targets

    return report_targets(report_file, force=force)[0]


def _model_file(model: str, formula: str | None, family: str | None, link: str | None, prior: tuple[str, ...]) -> ModelFile:
    """Read the model file; what it says cannot be said twice."""
    if formula or family or link or prior:
        raise click.UsageError("a model file says formula, family, link and priors itself: edit it, or give --formula and no MODEL.")
    is_file = model.endswith(SUFFIX) or os.path.isfile(model)
    return load_spec(model if is_file else model_path(model))


def _spec(formula: str | None, family: str | None, link: str | None, prior: tuple[str, ...]) -> ModelSpec:
    if formula is None or family is None:
        raise click.UsageError("give a MODEL, or --formula with --data and --family.")
    from bayesglmm.design.prepare import family_and_link

    chosen = family_and_link(family, link)
    return make_spec(formula, family=chosen[0].name, link=chosen[1].name, priors=parse_priors(prior))


def _show(fit: Fit, written: Path | None, report: Report | None, *, as_json: bool) -> None:
    """Print the fit, also when it could not be written: nothing that was sampled is lost unseen."""
    result = bg.summary(fit)
    if as_json:
        document = {"command": "fit", "fit": fit_document(fit), "checks": quality_document(fit.quality), "result": result.to_dict()}
        page = (
            {"report": None, "report_verdict": None} if report is None else {"report": str(report.html), "report_verdict": report.verdict}
        )
        show_json({**document, "file": None if written is None else str(written), **page})
        return
    show("\n\n".join([fit_text(fit), str(result), verdict_text(fit)]))
    if written is not None:
        show(f"\nWritten to {written}")
    if report is not None:
        show(f"\n{report}")
