"""``bayesglmm means FIT.nc --target population --at year=0,5,10``."""

import click

import bayesglmm as bg
from bayesglmm.cli.options import SCALES, TARGETS, as_json, at_option, ci_kind, ci_prob, fit_file, parse_at
from bayesglmm.cli.output import show_result
from bayesglmm.errors import ArgumentError
from bayesglmm.types import IntervalKind, Scale, Target


@click.command("means")
@fit_file
@click.option("--target", type=click.Choice(TARGETS), required=True, help="What the mean is of; there is no default.")
@at_option
@click.option("--newdata", type=click.Path(), help="A table of rows (csv, csv.gz, parquet) in place of --at.")
@click.option("--by", multiple=True, metavar="NAME", help="Average the rows within the levels of this column; may be repeated.")
@click.option("--scale", type=click.Choice(SCALES), default="response", show_default=True, help="Scale of the means.")
@ci_prob
@ci_kind
@as_json
def command(  # noqa: PLR0913 (a command's options are its arguments)
    fit_file: str, target: Target, at: tuple[str, ...], newdata: str | None, by: tuple[str, ...], scale: Scale,
    ci_prob: float, ci_kind: IntervalKind, as_json: bool,
) -> None:  # fmt: skip
    """Show means or probabilities of a stored fit on a grid, on new rows or on its own data, for one of the four targets.

    \b
    bayesglmm means fit.nc --target population --at year=0,5,10 --at drug=all
    bayesglmm means fit.nc --target average_subject --by drug
    """  # noqa: D301 (click reads the escape)
    if newdata and at:
        raise ArgumentError("--newdata and --at both say which rows", fix="give one of them")
    from bayesglmm.io.tables import read_data

    fit = bg.load(fit_file)
    rows = read_data(newdata) if newdata else parse_at(at, fit.frame)
    result = bg.means(fit, rows, target=target, by=list(by) or None, scale=scale, ci_prob=ci_prob, ci_kind=ci_kind)
    show_result("means", fit, result, as_json=as_json)
