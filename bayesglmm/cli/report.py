"""``bayesglmm report FIT.nc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, fit_file
from bayesglmm.cli.output import NOT_TO_BE_USED, fit_document
from bayesglmm.cli.terminal import show, show_json

if TYPE_CHECKING:
    from bayesglmm.reporting.report import Report


@click.command("report")
@fit_file
@click.option("--out", type=click.Path(), default="report.html", show_default=True, help="The page, .html; its JSON twin beside it.")
@click.option("--goal", help="The question that the fit answers.")
@click.option("--time", "time", help="The column that is time: residuals are then looked at along it.")
@click.option("--title", help="Heading. Default: the formula.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--gate", is_flag=True, help="Exit with 3 when the verdict is 'do not use'; both files are written all the same.")
@as_json
@click.pass_context
def command(  # noqa: PLR0913 (a command's options are its arguments)
    ctx: click.Context,
    /,
    fit_file: str,
    out: str,
    goal: str | None,
    time: str | None,
    title: str | None,
    force: bool,
    gate: bool,
    as_json: bool,
) -> None:
    """Write one page with every check, number and picture of a stored fit, and its verdict; beside it the same numbers as JSON.

    \b
    bayesglmm report fit.nc --goal "Does the drug slow the decline?"
    bayesglmm report fit.nc --out pages/fit.html --force --gate
    """  # noqa: D301 (click reads the escape)
    from bayesglmm.reporting.context import Context
    from bayesglmm.reporting.report import write_report

    fit = bg.load(fit_file)
    report = write_report(Context(fit, goal=goal, time=time, file=Path(fit_file).name), out, title=title, force=force)
    if as_json:
        show_json({"command": "report", "fit": fit_document(fit), "report": _document(report)})
    else:
        show(str(report))
    if gate and report.verdict == "do not use":
        ctx.exit(NOT_TO_BE_USED)


def _document(report: Report) -> dict[str, Any]:
    """Return verdict and checks; the tables are in the file."""
    whole = report.to_dict()
    checks = [check for section in whole["sections"] for check in section["checks"]]
    kept = {name: whole[name] for name in ("title", "goal", "verdict", "meaning", "counts", "actions", "failed")}
    return {"html": str(report.html), "json": str(report.json), **kept, "checks": checks}
