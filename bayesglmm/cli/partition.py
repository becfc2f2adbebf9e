"""``bayesglmm partition FIT.nc``."""

from typing import Literal

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, at_option, ci_kind, ci_prob, fit_file, parse_at
from bayesglmm.cli.output import show_results
from bayesglmm.types import IntervalKind

SCALES = ("latent", "response", "both")
type PartitionScales = Literal["latent", "response", "both"]


@click.command("partition")
@fit_file
@at_option
@click.option(
    "--scale", type=click.Choice(SCALES), default="latent", show_default=True, help="Of the linear predictor, or of the response."
)
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, at: tuple[str, ...], scale: PartitionScales, ci_prob: float, ci_kind: IntervalKind, as_json: bool) -> None:
    """Show which share of the variance lies between the levels of each grouping factor (VPC, ICC), and marginal and conditional R2.

    \b
    bayesglmm partition fit.nc
    bayesglmm partition fit.nc --scale both --at year=0,5
    """  # noqa: D301 (click reads the escape)
    fit = bg.load(fit_file)
    shares = bg.variance_partition(fit, parse_at(at, fit.frame), scale=scale, ci_prob=ci_prob, ci_kind=ci_kind)
    show_results("partition", fit, {"partition": shares, "r_squared": bg.r_squared(fit, ci_prob=ci_prob, ci_kind=ci_kind)}, as_json=as_json)
