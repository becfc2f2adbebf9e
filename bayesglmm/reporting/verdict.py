"""The verdict on a whole report: the worst of its checks, how many there are of each kind, and what to do first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from bayesglmm.reporting.parts import SHOWN
from bayesglmm.reporting.records import ORDER, Entry, Section, worst
from bayesglmm.types import Verdict

ACTIONS: Final = 3
OPTIONAL: Final = "not run (optional)"
"""What was not run, and counts as nothing."""
CONTENT: Final = "shown"
"""What is shown without a rule that it could fail."""
MEANING: Final = MappingProxyType(
    {
        "ok": "No check that counts speaks against these numbers. That is no proof that the model is right.",
        "attention": "The numbers can be looked at; read what is listed before they are reported.",
        "do not use": "None of the numbers on this page may be used.",
    }
)
IMPORTANCE: Final = ("mcmc", "data", "ppc", "prov", "prior", "post", "marg", "model", "loo", "sens", "calibration")
"""Which of two equally bad checks is seen to first: draws that are not from the posterior make all else meaningless, then what the data
cannot tell, then what the model does not fit."""


def kind_of(entry: Entry) -> str:
    """Return the verdict of a check, or ``shown`` where it has no rule that it could fail."""
    check = entry.check
    return CONTENT if check.verdict == "ok" and check.threshold == SHOWN else check.verdict


@dataclass(frozen=True, slots=True)
class Row:
    """A check where it stands.

    Attributes
    ----------
    entry
        The check.
    anchor
        Its place on the page: identifiers may occur twice, anchors may not.
    """

    entry: Entry
    anchor: str

    @property
    def counted(self) -> Verdict:
        """What it contributes to the verdict: a check that was not run counts as attention where it is required, else as ``ok``."""
        return worst((self.entry,))

    @property
    def kind(self) -> str:
        """Verdict, or ``shown`` for a table or sentence without a rule: it is never counted as passed."""
        return kind_of(self.entry)

    @property
    def action(self) -> str:
        """What to do; for a check that was not run, why it was not."""
        return self.entry.check.remedy or self.entry.check.detail


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands in the verdict box.

    Attributes
    ----------
    verdict
        The worst of all checks.
    meaning
        The verdict in a sentence.
    counts
        Verdicts from the worst to the best, with the number of checks; what was not run and counts as nothing stands apart, and what is
        shown without a rule.
    failed
        Checks that are not ok and count, the most important first.
    actions
        The first few with distinct remedies.
    """

    verdict: Verdict
    meaning: str
    counts: tuple[tuple[str, int], ...]
    failed: tuple[Row, ...]
    actions: tuple[Row, ...]


def rows_of(sections: Sequence[Section]) -> tuple[tuple[Row, ...], ...]:
    """Give every check of all sections its place; one tuple per section."""
    found, k = [], 0
    for part in sections:
        found.append(tuple(Row(entry, f"check-{k + i}") for i, entry in enumerate(part.entries)))
        k += len(part.entries)
    return tuple(found)


def summarise(sections: Sequence[Section]) -> Summary:
    """Weigh all checks.

    Parameters
    ----------
    sections
        Of a report.
    """
    rows = [row for part in rows_of(sections) for row in part]
    verdict = worst([row.entry for row in rows])
    failed = tuple(sorted((row for row in rows if row.counted != "ok"), key=_importance))
    actions: dict[str, Row] = {}
    for row in failed:
        actions.setdefault(row.action, row)
    return Summary(verdict, MEANING[verdict], _counts(rows), failed, tuple(actions.values())[:ACTIONS])


def _importance(row: Row) -> tuple[int, int]:
    """Worst verdict first, then by what the check is about; checks that are equal in both stay in the order of the page."""
    topic = row.entry.check.id.partition(".")[0]
    return -ORDER.index(row.entry.check.verdict), IMPORTANCE.index(topic) if topic in IMPORTANCE else len(IMPORTANCE)


def _counts(rows: Sequence[Row]) -> tuple[tuple[str, int], ...]:
    kinds = Counter(OPTIONAL if row.kind == "not run" and not row.entry.required else row.kind for row in rows)
    return tuple((kind, kinds[kind]) for kind in (*reversed(ORDER), OPTIONAL, CONTENT))
