"""Section 11: prior sensitivity. What this version does not compute is named, with the rule that it will be held to."""

from typing import Final

from bayesglmm.fit.quality import LKJ_SHIFT, POWER_SCALING, SD_REFIT_SHIFT
from bayesglmm.reporting.accuracy import LATER
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Section, Words, not_run

RULES: Final = (
    ("sens.power", f"<= {POWER_SCALING:g} when prior and likelihood are scaled by a power"),
    ("sens.sd_refit", f"headline estimates move by <= {SD_REFIT_SHIFT:g} posterior SD when the scale of the SDs' prior is doubled"),
    ("sens.lkj", f"headline estimates move by <= {LKJ_SHIFT:g} posterior SD between LKJ(1), LKJ(2) and LKJ(4)"),
)
BY_HAND: Final = (
    "To see it by hand: bg.update(fit, priors=...) with a wider prior refits the model, and the two summaries stand side by side. "
    "The section on the posterior shows how far each posterior has moved from its prior."
)


def section(context: Context) -> Section:
    """Name what is not computed, and how to do it by hand.

    Parameters
    ----------
    context
        Not used: the rows are the same for every fit.
    """
    entries = tuple(not_run(check_id, threshold, LATER, required=False) for check_id, threshold in RULES)
    return Section("sensitivity", "Prior sensitivity", "Would another reasonable prior tell another story?", entries, (Words((BY_HAND,)),))
