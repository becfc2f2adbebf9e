"""``bayesglmm models [NAME]``."""

from typing import Any

import click

from bayesglmm.cli.options import as_json
from bayesglmm.cli.terminal import show, show_json
from bayesglmm.io.library import list_models, model_path
from bayesglmm.spec.schema import ModelFile, file_to_dict, load_spec


@click.command("models")
@click.argument("name", required=False)
@as_json
def command(name: str | None, as_json: bool) -> None:
    """List the bundled models, or show the file of one: 'bayesglmm fit NAME' fits it.

    \b
    bayesglmm models
    bayesglmm models cbpp
    """  # noqa: D301 (click reads the escape)
    if name is not None:
        path = model_path(name)
        model = load_spec(path)
        if as_json:
            show_json({"command": "models", "file": str(path), "model": file_to_dict(model)})
        else:
            show(f"# {path}\n{path.read_text(encoding='utf-8').rstrip()}")
        return
    rows = [_row(n, load_spec(model_path(n))) for n in list_models()]
    if as_json:
        show_json({"command": "models", "models": rows})
        return
    width = max((len(r["name"]) for r in rows), default=0)
    for row in rows:
        show(f"{row['name']:<{width}}  {row['family']}({row['link']})  {row['formula']}\n{'':<{width}}  {row['title']}")


def _row(name: str, model: ModelFile) -> dict[str, Any]:
    spec = model.spec
    return {
        "name": name,
        "title": model.title,
        "formula": spec.formula,
        "family": spec.family,
        "link": spec.link,
        "dataset": model.data.dataset,
    }
