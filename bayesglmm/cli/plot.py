"""``bayesglmm plot NAME FIT.nc -o out.png``."""

from __future__ import annotations

from typing import Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, at_option, fit_file, parse_at
from bayesglmm.cli.output import fit_document
from bayesglmm.cli.terminal import show, show_json
from bayesglmm.io.atomic import check_target

NAMES = (
    "caterpillar", "covariance", "effects", "estimators", "fan", "heterogeneity", "lattice", "marginal_vs_conditional", "modes_scatter",
    "pit", "ppc", "prior_posterior", "qq", "rank", "shrinkage", "spaghetti", "structure", "trace",
)  # fmt: skip
"""Names of the pictures of a fit, known without loading matplotlib; a test keeps them those of the gallery."""


@click.command("plot")
@click.argument("name", metavar="NAME", type=click.Choice(NAMES))
@fit_file
@click.option("-o", "--out", type=click.Path(), help="png, svg or pdf. Default: NAME.png.")
@click.option("--variable", help="The covariate along the axis, where the picture has one.")
@click.option("--factor", help="The grouping factor, where the picture shows one.")
@at_option
@click.option("--force", is_flag=True, help="Replace an existing file.")
@as_json
def command(  # noqa: PLR0913 (a command's options are its arguments)
    name: str, fit_file: str, out: str | None, variable: str | None, factor: str | None, at: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Draw a picture of a stored fit.

    NAME is one of: caterpillar, covariance, effects, estimators, fan, heterogeneity, lattice, marginal_vs_conditional, modes_scatter,
    pit, ppc, prior_posterior, qq, rank, shrinkage, spaghetti, structure, trace.

    \b
    bayesglmm plot spaghetti fit.nc --variable year --at drug=placebo
    bayesglmm plot caterpillar fit.nc --factor patient -o patients.svg
    """  # noqa: D301 (click reads the escape)
    from bayesglmm.plots.gallery import check_format, picture, write_picture

    check_format(out or f"{name}.png")
    target = check_target(out or f"{name}.png", force=force, example=f"{name}.png")
    fit = bg.load(fit_file)
    asked: dict[str, Any] = {"variable": variable, "factor": factor, "at": parse_at(at, fit.frame)}
    write_picture(picture(name, fit, {k: v for k, v in asked.items() if v is not None}), target)
    if as_json:
        show_json({"command": "plot", "fit": fit_document(fit), "name": name, "file": str(target)})
    else:
        show(f"Written to {target}")
