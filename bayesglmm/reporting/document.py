"""The twin of the page: every number, threshold and verdict as JSON holds it."""

import math
from collections.abc import Mapping
from typing import Any, Final

from bayesglmm.post.render import plain_value
from bayesglmm.reporting.records import Block, Cell, Entry, Formulas, Grid, Image, Numbers, Pairs, Section, Words
from bayesglmm.reporting.verdict import Summary, kind_of

FORMAT: Final = "bayesglmm report"
SCHEMA: Final = 1


def document(title: str, goal: str | None, fit: Mapping[str, Any], summary: Summary, sections: tuple[Section, ...]) -> dict[str, Any]:
    """Return everything on the page but the pixels.

    Parameters
    ----------
    title, goal
        As on the page.
    fit
        What was fitted, ready for JSON.
    summary
        The verdict box.
    sections
        In order.

    Returns
    -------
    dict
        Numbers, text, lists and dicts only; a number that is not finite is None.
    """
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "title": title,
        "goal": goal,
        "verdict": summary.verdict,
        "meaning": summary.meaning,
        "counts": dict(summary.counts),
        "actions": [{"id": row.entry.check.id, "action": row.action} for row in summary.actions],
        "failed": [row.entry.check.id for row in summary.failed],
        "fit": dict(fit),
        "sections": [_section(part) for part in sections],
    }


def entry_document(entry: Entry) -> dict[str, Any]:
    """One check; ``verdict`` is ``shown`` where there is no rule, as on the page and in the counts.

    Parameters
    ----------
    entry
        With its source and whether it is required.
    """
    check = entry.check
    return {
        "id": check.id,
        "value": None if check.value is None or not math.isfinite(check.value) else float(check.value),
        "threshold": check.threshold,
        "verdict": kind_of(entry),
        "required": entry.required,
        "detail": check.detail,
        "meaning": check.meaning,
        "remedy": check.remedy,
        "source": entry.source,
    }


def _section(part: Section) -> dict[str, Any]:
    return {
        "id": part.id,
        "title": part.title,
        "intro": part.intro,
        "verdict": part.verdict,
        "checks": [entry_document(entry) for entry in part.entries],
        "blocks": [_block(block) for block in part.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Words():
            return {"kind": "words", "paragraphs": list(block.paragraphs)}
        case Pairs():
            return {"kind": "pairs", "caption": block.caption, "rows": [list(row) for row in block.rows]}
        case Grid():
            rows = [[_cell(cell) for cell in row] for row in block.rows]
            return {"kind": "grid", "caption": block.caption, "columns": list(block.columns), "rows": rows}
        case Formulas():
            return {"kind": "formulas", "formulas": list(block.words)}
        case Numbers():
            return {"kind": "numbers", **block.result.to_dict()}
        case Image():
            return {"kind": "image", "alt": block.alt, "caption": block.caption}


def _cell(cell: Cell) -> object:
    return plain_value(cell)
