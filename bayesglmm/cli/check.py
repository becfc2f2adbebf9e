"""``bayesglmm check FIT.nc``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json, ci_kind, ci_prob, fit_file
from bayesglmm.cli.output import show_result
from bayesglmm.errors import ArgumentError
from bayesglmm.types import IntervalKind

KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "statistics": ("check", ("seed",)),
    "groups": ("check_groups", ("factor", "statistic", "new_groups", "seed")),
    "distribution": ("check_distribution", ("seed",)),
    "calibration": ("check_calibration", ("seed",)),
    "pit": ("check_pit", ("factor", "level", "seed")),
    "effects": ("check_effects", ("factor",)),
    "autocorrelation": ("check_autocorrelation", ("time", "factor", "seed")),
}
"""What can be checked: the function, and which of the options it takes."""
STATISTICS = ("mean", "sd", "zeros")


@click.command("check")
@fit_file
@click.option(
    "--of", type=click.Choice(tuple(KINDS)), default="statistics", show_default=True, help="What is compared with replicated data."
)
@click.option("--factor", help="A grouping factor, for groups, pit, effects and autocorrelation.")
@click.option("--level", help="For pit: one level of the factor.")
@click.option("--time", help="For autocorrelation: the column that is time.")
@click.option("--statistic", type=click.Choice(STATISTICS), help="For groups. Default: mean.")
@click.option("--new-groups", is_flag=True, default=None, help="For groups: replicate each level as a new one.")
@click.option("--draws", type=int, default=400, show_default=True, help="Posterior draws that data are replicated from.")
@click.option("--seed", type=int, help="Of the replicated data. Default: 1.")
@ci_prob
@ci_kind
@as_json
def command(fit_file: str, of: str, draws: int, ci_prob: float, ci_kind: IntervalKind, as_json: bool, **options: Any) -> None:
    """Check a fit against its own data: whether the model would produce such responses.

    \b
    bayesglmm check fit.nc
    bayesglmm check fit.nc --of groups --factor patient --new-groups
    bayesglmm check fit.nc --of calibration
    bayesglmm check fit.nc --of autocorrelation --time year
    """  # noqa: D301 (click reads the escape)
    name, takes = KINDS[of]
    given = {k: v for k, v in options.items() if v is not None}
    useless = [k for k in given if k not in takes]
    if useless:
        option = f"--{useless[0].replace('_', '-')}"
        raise ArgumentError(f"--of {of} takes no {option}", fix=f"leave out {option}, or choose another --of")
    if of == "autocorrelation" and "time" not in given:
        raise ArgumentError("--of autocorrelation needs the column that is time", fix="name it with --time")
    fit = bg.load(fit_file)
    function: Callable[..., Any] = getattr(bg, name)
    result = function(fit, **given, draws=draws, ci_prob=ci_prob, ci_kind=ci_kind)
    show_result("check", fit, result, as_json=as_json)
