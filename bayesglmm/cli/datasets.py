"""``bayesglmm datasets [NAME]``."""

import dataclasses

import click

import bayesglmm as bg
from bayesglmm.cli.options import as_json
from bayesglmm.cli.terminal import show, show_json


@click.command("datasets")
@click.argument("name", required=False)
@as_json
def command(name: str | None, as_json: bool) -> None:
    """List the data sets, or show the card of one: columns, source, licence.

    \b
    bayesglmm datasets
    bayesglmm datasets sleepstudy
    """  # noqa: D301 (click reads the escape)
    if name is not None:
        card = bg.datasets.card(name)
        if as_json:
            show_json({"command": "datasets", "card": dataclasses.asdict(card)})
        else:
            show(str(card))
        return
    rows = bg.datasets.list().to_dict(orient="records")
    if as_json:
        show_json({"command": "datasets", "datasets": rows})
        return
    for row in rows:
        where = "" if row["bundled"] else " (not packaged: downloaded, or read from BAYESGLMM_DATA)"
        show(f"{row['name']}: {row['rows']} rows, {row['columns']} columns{where}. {row['description']}")
