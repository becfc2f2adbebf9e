"""``bayesglmm marginal FIT.nc``."""

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, ci_kind, ci_prob, fit_file
from bayesglmm.cli.output import show_result
from bayesglmm.types import IntervalKind


@click.command("marginal")
@fit_file
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, ci_prob: float, ci_kind: IntervalKind, as_json: bool) -> None:
    """Show marginal coefficients of a stored fit beside the subject-specific ones, and their ratio.

    \b
    bayesglmm marginal fit.nc
    bayesglmm marginal fit.nc --json
    """  # noqa: D301 (click reads the escape)
    fit = bg.load(fit_file)
    show_result("marginal", fit, bg.marginal_coefficients(fit, ci_prob=ci_prob, ci_kind=ci_kind), as_json=as_json)
