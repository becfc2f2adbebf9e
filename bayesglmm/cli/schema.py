"""``bayesglmm schema``: what ``--json`` prints, as JSON Schema."""

import json
from importlib.resources import files

import click

from bayesglmm.cli.options import as_json
from bayesglmm.cli.terminal import show_json

FILE = "output.schema.json"


def read_schema() -> dict[str, object]:
    """Return the schema of every document that ``--json`` prints (JSON Schema, draft 2020-12)."""
    found: dict[str, object] = json.loads(files("bayesglmm.cli").joinpath(FILE).read_text(encoding="utf-8"))
    return found


@click.command("schema")
@as_json
def command(as_json: bool) -> None:
    """Print the JSON Schema of what the commands print with --json; with --json, as such a document itself.

    \b
    bayesglmm schema > bayesglmm.schema.json
    """  # noqa: D301 (click reads the escape)
    show_json({"command": "schema", "schema": read_schema()} if as_json else read_schema())
