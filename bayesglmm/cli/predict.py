"""``bayesglmm predict FIT.nc --newdata rows.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import bayesglmm as bg
from bayesglmm.cli.options import NEW_GROUPS, SCALES, as_json, ci_kind, ci_prob, fit_file
from bayesglmm.cli.output import show_result
from bayesglmm.cli.terminal import show
from bayesglmm.errors import ArgumentError
from bayesglmm.types import IntervalKind, Scale, UnseenLevels


@click.command("predict")
@fit_file
@click.option("--newdata", type=click.Path(), help="A table of rows: csv, csv.gz or parquet. Default: the rows that were fitted.")
@click.option(
    "--new-groups", type=click.Choice(NEW_GROUPS), default="error", show_default=True, help="What a level means that the fit has not seen."
)
@click.option("--observations", is_flag=True, help="New observations in place of their means: prediction intervals.")
@click.option("--scale", type=click.Choice(SCALES), default="response", show_default=True, help="Scale of the means.")
@click.option("--seed", type=int, help="The same seed gives the same draws of new levels and observations.")
@click.option("--out", type=click.Path(), help="Write the whole table to this file (csv) as well.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@ci_prob
@ci_kind
@as_json
def command(  # noqa: PLR0913 (a command's options are its arguments)
    fit_file: str, newdata: str | None, new_groups: UnseenLevels, observations: bool, scale: Scale, seed: int | None, out: str | None,
    force: bool, ci_prob: float, ci_kind: IntervalKind, as_json: bool,
) -> None:  # fmt: skip
    """Predict the mean of each row for the group that it names, or new observations.

    \b
    bayesglmm predict fit.nc
    bayesglmm predict fit.nc --newdata visits.csv --new-groups population --seed 1
    bayesglmm predict fit.nc --newdata visits.csv --observations --seed 1 --out predicted.csv
    """  # noqa: D301 (click reads the escape)
    if observations and scale != "response":
        raise ArgumentError("observations are on the response scale", where=f"--scale {scale}", fix="leave out --scale or --observations")
    from bayesglmm.io.atomic import check_target
    from bayesglmm.io.tables import read_data, write_csv

    target = None if out is None else check_target(out, force=force, example="predicted.csv")
    fit = bg.load(fit_file)
    rows = None if newdata is None else read_data(newdata)
    options: dict[str, Any] = {"new_groups": new_groups, "seed": seed, "keep_draws": False, "ci_prob": ci_prob, "ci_kind": ci_kind}
    result = bg.simulate(fit, rows, **options) if observations else bg.predict(fit, rows, scale=scale, **options)
    written: Path | None = None if target is None else write_csv(result.table, target)
    show_result("predict", fit, result, as_json=as_json)
    if written is not None and not as_json:
        show(f"\nWritten to {written}")
