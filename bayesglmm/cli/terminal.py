"""Text and JSON on the terminal: names and labels come from users' files, so nothing that is printed may steer the terminal."""

import json
import unicodedata
from typing import Any

import click

_KEPT = "\n\t"
_DIRECTION = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: str) -> str:
    """Return the text without control characters (line feed and tab stay) and without marks that turn the writing direction."""
    return "".join(c for c in text if c in _KEPT or not (unicodedata.category(c) == "Cc" or c in _DIRECTION))


def show(text: str, *, err: bool = False) -> None:
    """Print cleaned text."""
    click.echo(clean(text), err=err)


def show_json(document: Any) -> None:
    """Print one JSON document, ASCII only: escapes in labels stay escapes."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False))
