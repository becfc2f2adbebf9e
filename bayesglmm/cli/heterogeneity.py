"""``bayesglmm heterogeneity FIT.nc --at year=0,5``."""

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, at_option, ci_kind, ci_prob, fit_file, parse_at
from bayesglmm.cli.output import show_result
from bayesglmm.types import IntervalKind


@click.command("heterogeneity")
@fit_file
@at_option
@click.option("--level", type=float, default=0.95, show_default=True, help="Share of subjects inside the interval.")
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, at: tuple[str, ...], level: float, ci_prob: float, ci_kind: IntervalKind, as_json: bool) -> None:
    """Show where the subjects of a stored fit lie (not how sure the fit is), on link and response scale.

    \b
    bayesglmm heterogeneity fit.nc --at year=0,5,10 --at drug=all
    bayesglmm heterogeneity fit.nc --level 0.8
    """  # noqa: D301 (click reads the escape)
    fit = bg.load(fit_file)
    result = bg.heterogeneity(fit, parse_at(at, fit.frame), level=level, ci_prob=ci_prob, ci_kind=ci_kind)
    show_result("heterogeneity", fit, result, as_json=as_json)
