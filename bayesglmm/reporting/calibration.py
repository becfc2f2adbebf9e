"""Section 12: calibration by simulation, which is never part of a single fit."""

from bayesglmm.reporting.accuracy import LATER
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.records import Section, not_run


def section(context: Context) -> Section:
    """Name what is not computed.

    Parameters
    ----------
    context
        Not used: the row is the same for every fit.
    """
    entry = not_run("calibration.sbc", "ranks of simulated truths are uniform, inside their envelope", LATER, required=False)
    intro = "Does this very model, fitted to data simulated from it, find the truth as often as it says?"
    return Section("calibration", "Calibration", intro, (entry,))
