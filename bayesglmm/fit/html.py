"""A fit as notebooks show it: what was fitted, how, and the verdict."""

from collections.abc import Sequence
from html import escape

from bayesglmm.fit.quality import Check, Quality

MARKS = {"ok": "&#10003;", "attention": "!", "do not use": "&#10007;", "not run": "?"}
"""One sign per verdict, beside its word: no reader needs colours."""
CELL = "text-align:left;vertical-align:top;padding:0.15em 0.8em 0.15em 0"


def fit_html(rows: Sequence[tuple[str, str]], quality: Quality) -> str:
    """Return a table of facts, then the checks that are not ok; every text is escaped.

    Parameters
    ----------
    rows
        Names and values.
    quality
        The verdict and its checks.
    """
    verdict = ("Verdict", f"{MARKS[quality.verdict]} <strong>{escape(quality.verdict)}</strong>")
    facts = [*((escape(name), escape(value)) for name, value in rows), verdict]
    lines = "".join(f'<tr><th style="{CELL}">{name}</th><td style="{CELL}">{value}</td></tr>' for name, value in facts)
    failed = "".join(f"<li>{_check(c)}</li>" for c in quality.failed)
    listed = f"<ul>{failed}</ul>" if failed else ""
    return f"<div><table>{lines}</table>{listed}</div>"


def _check(check: Check) -> str:
    value = "" if check.value is None else f" = {check.value_text}"
    words = " ".join(text for text in (check.detail, check.meaning, check.remedy) if text)
    return escape(f"{check.verdict}: {check.id}{value} ({check.threshold}). {words}")
