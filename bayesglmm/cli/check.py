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
    "statistics": ("check", ()),
    "groups": ("check_groups", ("factor", "statistic", "new_groups")),
    "distribution": ("check_distribution", ()),
    "calibration": ("check_calibration", ()),
    "pit": ("check_pit", ("factor",)),
    "effects": ("check_effects", ("factor",)),
}
"""What can be checked: the function, and which of the options it takes."""
STATISTICS = ("mean", "sd", "zeros")


@click.command("check")
@fit_file
@click.option(
    "--of", type=click.Choice(tuple(KINDS)), default="statistics", show_default=True, help="What is compared with replicated data."
)
@click.option("--factor", help="A grouping factor, for groups, pit and effects.")
@click.option("--statistic", type=click.Choice(STATISTICS), help="For groups. Default: mean.")
@click.option("--new-groups", is_flag=True, default=None, help="For groups: replicate each level as a new one.")
@click.option("--draws", type=int, default=400, show_default=True, help="Posterior draws that data are replicated from.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the replicated data.")
@ci_prob
@ci_kind
@as_json
def command(  # noqa: PLR0913 (a command's options are its arguments)
    fit_file: str, of: str, factor: str | None, statistic: str | None, new_groups: bool | None, draws: int, seed: int, ci_prob: float,
    ci_kind: IntervalKind, as_json: bool,
) -> None:  # fmt: skip
    """Check a fit against its own data: whether the model would produce such responses.

    \b
    bayesglmm check fit.nc
    bayesglmm check fit.nc --of groups --factor patient --new-groups
    bayesglmm check fit.nc --of calibration
    """  # noqa: D301 (click reads the escape)
    name, takes = KINDS[of]
    given = {k: v for k, v in {"factor": factor, "statistic": statistic, "new_groups": new_groups}.items() if v is not None}
    useless = [k for k in given if k not in takes]
    if useless:
        option = f"--{useless[0].replace('_', '-')}"
        raise ArgumentError(f"--of {of} takes no {option}", fix=f"leave out {option}, or choose another --of")
    fit = bg.load(fit_file)
    function: Callable[..., Any] = getattr(bg, name)
    result = function(fit, **given, draws=draws, seed=seed, ci_prob=ci_prob, ci_kind=ci_kind)
    show_result("check", fit, result, as_json=as_json)
