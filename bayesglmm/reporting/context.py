"""What every section of a report is made from."""

from dataclasses import dataclass
from typing import Final

from bayesglmm.fit.fit import Fit

NO_TIME: Final = "No column was named as time: report(fit, ..., time=NAME), or --time NAME."
"""Why nothing that needs an order of the rows was looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """A fit and what the reader was told about it; nothing is computed here.

    Attributes
    ----------
    fit
        The fit that is reported.
    goal
        The question in the author's words; None when none was given.
    data_hash
        SHA-256 of the fit's columns in the table that the author gave for comparison (:func:`bayesglmm.fit.provenance.hash_frame`); None
        when none was given.
    file
        Name of the file that the fit was loaded from; None for a fit in memory.
    time
        The column that is time, for what needs an order of the rows of a group; None when none was named: a formula does not say.
    data_reordered
        Whether that table has the rows that were fitted, in another order.
    seed
        Seed of everything that is simulated for the report, so that the same fit gives the same report.
    """

    fit: Fit
    goal: str | None = None
    data_hash: str | None = None
    file: str | None = None
    seed: int = 1
    time: str | None = None
    data_reordered: bool = False

    @property
    def series(self) -> str | None:
        """Grouping factor whose levels are the series in time: the one with most levels, the first of several; None without any."""
        levels = {g.name: len(g.levels) for g in self.fit.design.groups}
        return max(levels, key=lambda name: levels[name]) if levels else None
