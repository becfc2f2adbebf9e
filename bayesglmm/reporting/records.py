"""What a report is made of: sections of checks, tables, pictures and words. Nothing here knows of HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from bayesglmm.fit.quality import Check
from bayesglmm.post.result import Result
from bayesglmm.types import Verdict

ORDER: tuple[Verdict, ...] = ("ok", "not run", "attention", "do not use")
"""From the best to the worst."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report: a check, and where its rule comes from.

    Attributes
    ----------
    check
        Identifier, value, threshold, verdict, detail, meaning, remedy.
    source
        The reference of the threshold; ``rule of thumb`` where it is ours.
    required
        Whether a check that was not run counts as attention.
    """

    check: Check
    source: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Words:
    """Plain paragraphs.

    Attributes
    ----------
    paragraphs
        Text without markup.
    """

    paragraphs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Names and values, two columns.

    Attributes
    ----------
    caption
        One line.
    rows
        Pairs of text.
    """

    caption: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Formulas:
    """Mathematics, one formula per line.

    Attributes
    ----------
    mathml
        Elements ``<math>...</math>``, made by :mod:`bayesglmm.reporting.mathematics` alone, which escapes all names.
    words
        The same in words, for readers that do not draw MathML; one text per formula.
    """

    mathml: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A result record, shown as its table with title, target, interval and notes.

    Attributes
    ----------
    result
        What a function of the package returned.
    limit
        Rows that are shown on the page; ``report.json`` has all.
    """

    result: Result
    limit: int = 40


@dataclass(frozen=True, slots=True)
class Image:
    """A picture.

    Attributes
    ----------
    png
        The file's bytes.
    alt
        What the picture shows, for readers who do not see it.
    caption
        One or two sentences below it.
    """

    png: bytes
    alt: str
    caption: str


type Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A small table of facts; numbers stay numbers.

    Attributes
    ----------
    caption
        One line.
    columns
        Headers.
    rows
        Cells, as many per row as there are headers; None where there is nothing.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


type Block = Words | Pairs | Grid | Formulas | Numbers | Image


@dataclass(frozen=True, slots=True)
class Section:
    """One section.

    Attributes
    ----------
    id
        Stable, an anchor of the page: ``computation``.
    title
        Heading.
    intro
        One or two sentences: what this section asks.
    entries
        Its checks.
    blocks
        Tables, pictures and words, in order.
    """

    id: str
    title: str
    intro: str
    entries: tuple[Entry, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of its checks; ``ok`` without any."""
        return worst(self.entries)


def worst(entries: Sequence[Entry]) -> Verdict:
    """Return the worst verdict: a required check that was not run counts as attention, an optional one as nothing."""
    found: Verdict = "ok"
    for entry in entries:
        verdict = entry.check.verdict
        counted: Verdict = ("attention" if entry.required else "ok") if verdict == "not run" else verdict
        found = max(found, counted, key=ORDER.index)
    return found


def not_run(check_id: str, threshold: str, reason: str, *, required: bool = True) -> Entry:
    """Return the entry of a check that could not be, or was not, computed; says why."""
    return Entry(
        Check(check_id, None, threshold, "not run", reason, "This was not computed, so it says nothing either way.", ""), required=required
    )
