"""Section 10: predictive accuracy and influence. What this version does not compute is named, with the rule that it will be held to."""

from typing import Final

from bayesglmm.fit.quality import PARETO_K_GOOD, PARETO_K_UNUSABLE
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Section, not_run

LATER: Final = "Not part of this version."
"""The reason of every check that no fit of this version can have: such a check counts as nothing, else no report could ever be ok."""
RULES: Final = (
    ("loo.elpd", "effective number of parameters below their count"),
    ("loo.k", f"Pareto k below min(1 - 1/log10(S), {PARETO_K_GOOD:g}) good, > {PARETO_K_UNUSABLE:g} unusable"),
    ("loo.unit", "what is left out is what is to be predicted: a row, or a whole group"),
    ("loo.group", f"Pareto k of every group <= {PARETO_K_GOOD:g}"),
)


def section(context: Context) -> Section:
    """Name what is not computed.

    Parameters
    ----------
    context
        Not used: the rows are the same for every fit.
    """
    entries = tuple(not_run(check_id, threshold, LATER, required=False) for check_id, threshold in RULES)
    return Section("accuracy", "Predictive accuracy and influence", "How well are new rows and new groups predicted?", entries)
