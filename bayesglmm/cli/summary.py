"""``bayesglmm summary FIT.nc``."""

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, ci_kind, ci_prob, fit_file
from bayesglmm.cli.output import show_result, verdict_text
from bayesglmm.cli.terminal import show
from bayesglmm.types import IntervalKind


@click.command("summary")
@fit_file
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, ci_prob: float, ci_kind: IntervalKind, as_json: bool) -> None:
    """Show fixed effects, SDs, correlations and other parameters of a stored fit, with MCSE, ESS and R-hat.

    \b
    bayesglmm summary fit.nc
    bayesglmm summary fit.nc --ci-prob 0.89 --json
    """  # noqa: D301 (click reads the escape)
    fit = bg.load(fit_file)
    show_result("summary", fit, bg.summary(fit, ci_prob=ci_prob, ci_kind=ci_kind), as_json=as_json)
    if not as_json:
        show("\n" + verdict_text(fit))
