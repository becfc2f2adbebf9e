"""A check with its words, and what it brings to a section: an answer, or the reason why there is none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Final

from bayesglmm.errors import BayesglmmError, FamilyError
from bayesglmm.fit.quality import Check
from bayesglmm.reporting.records import Block, Entry, not_run
from bayesglmm.types import Verdict

OWN: Final = "rule of thumb"
"""Source of the thresholds that no paper gives."""
SHOWN: Final = "shown; no threshold"
"""Threshold of a row of the outline that is a table, a picture or a sentence."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one check brings to its section.

    Attributes
    ----------
    entries
        Rows of the table of checks.
    blocks
        Tables, pictures and words.
    """

    entries: tuple[Entry, ...] = ()
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """The words of a check, known before anything is computed.

    Attributes
    ----------
    id
        Stable identifier, ``ppc.pit``.
    meaning
        One sentence: what the statistic tells.
    remedy
        One sentence: what to do.
    threshold
        The rule in words, with its number.
    source
        The reference of the threshold.
    percent
        Whether the value is a share that the threshold gives as a percentage.
    """

    id: str
    meaning: str
    remedy: str
    threshold: str = SHOWN
    source: str = OWN
    percent: bool = False

    def entry(self, value: float | None, detail: str, verdict: Verdict = "ok") -> Entry:
        """Return the row of the check.

        Parameters
        ----------
        value
            The number that was checked; None where there is none. One that is not finite passes nothing: the check was not run.
        detail
            What it is the number of.
        verdict
            What the rule says.
        """
        if value is not None and not isfinite(value):
            return not_run(self.id, self.threshold, f"The number is not finite. {detail}")
        check = Check(self.id, value, self.threshold, verdict, detail, self.meaning, self.remedy, percent=self.percent)
        return Entry(check, self._source)

    def judged(self, value: float, detail: str, *, bad: bool) -> Entry:
        """Return the row of the check: ``attention`` where the value is bad."""
        return self.entry(value, detail, "attention" if bad else "ok")

    def not_for(self, reason: str) -> Part:
        """Say why the check has no place in this model; that counts as nothing."""
        return Part((not_run(self.id, self.threshold, reason, required=False),))

    def attempt(self, make: Callable[[], Part]) -> Part:
        """Make the part; where a function refuses, its reason stands in the row.

        A family or link without such a quantity (:class:`bayesglmm.errors.FamilyError`) counts as nothing, another refusal as attention.
        """
        try:
            return make()
        except FamilyError as error:
            return self.not_for(str(error))
        except BayesglmmError as error:
            return Part((not_run(self.id, self.threshold, str(error)),))

    @property
    def _source(self) -> str:
        return "" if self.threshold == SHOWN and self.source == OWN else self.source


def joined(parts: Iterable[Part]) -> Part:
    """Put parts one after the other."""
    found = tuple(parts)
    return Part(tuple(e for p in found for e in p.entries), tuple(b for p in found for b in p.blocks))
