"""``bayesglmm families``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bayesglmm.cli.options import as_json
from bayesglmm.cli.terminal import show, show_json

if TYPE_CHECKING:
    from bayesglmm.families.base import Family


@click.command("families")
@as_json
def command(as_json: bool) -> None:
    """List the response families, their links (the default first) and their parameters besides the mean.

    \b
    bayesglmm families --json
    """  # noqa: D301 (click reads the escape)
    from bayesglmm.families.registry import FAMILIES

    rows = [_row(family) for family in FAMILIES.values()]
    if as_json:
        show_json({"command": "families", "families": rows})
        return
    for row in rows:
        extra = f"; parameters: {', '.join(row['parameters'])}" if row["parameters"] else ""
        trials = "; response: k | trials(n)" if row["needs_trials"] else ""
        show(f"{row['name']}: links {', '.join(row['links'])} (default {row['links'][0]}){extra}{trials}")


def _row(family: Family) -> dict[str, Any]:
    return {"name": family.name, "links": list(family.links), "parameters": list(family.auxiliary), "needs_trials": family.needs_trials}
