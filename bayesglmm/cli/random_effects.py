"""``bayesglmm random-effects FIT.nc``."""

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, ci_kind, ci_prob, fit_file
from bayesglmm.cli.output import show_result
from bayesglmm.types import IntervalKind


@click.command("random-effects")
@fit_file
@click.option("--factor", help="Only this grouping factor.")
@click.option("--coefficients", is_flag=True, help="beta + b_j in place of b_j.")
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, factor: str | None, coefficients: bool, ci_prob: float, ci_kind: IntervalKind, as_json: bool) -> None:
    """Show random effects of a stored fit, one line per group and effect: mean, SD, interval, rank, shrinkage.

    \b
    bayesglmm random-effects fit.nc --factor patient
    bayesglmm random-effects fit.nc --coefficients --ci-kind hdi
    """  # noqa: D301 (click reads the escape)
    fit = bg.load(fit_file)
    result = bg.random_effects(fit, factor=factor, coefficients=coefficients, ci_prob=ci_prob, ci_kind=ci_kind)
    show_result("random-effects", fit, result, as_json=as_json)
