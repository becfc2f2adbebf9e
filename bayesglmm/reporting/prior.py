"""Section 5: what the priors say about the response before any are seen."""

from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import IMPLIED_FOLD, IMPOSSIBLE_SHARE, PRIOR_OVERLAP, SATURATED_SHARE
from bayesglmm.naming import CENTERED_INTERCEPT, INTERCEPT
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.prior_checks import SATURATED as ENDS
from bayesglmm.post.prior_checks import PriorChecks, prior_checks
from bayesglmm.post.prior_parameters import AUXILIARY, SD
from bayesglmm.post.prior_posterior import prior_posterior
from bayesglmm.post.prior_predictive import prior_draws
from bayesglmm.post.render import flat_index
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.parts import Part, Rule, joined
from bayesglmm.reporting.records import Numbers, Section

DRAWS: Final = 1000
LIMIT_OF_OVERLAP: Final = (
    f"; more only where the data outweigh the priors: intercept, SDs and auxiliary parameters overlap theirs by <= {PRIOR_OVERLAP:g}"
)
"""What a wide prior is judged by beside its share.

Weakly informative priors of the intercept and the SDs are wide on purpose, and under a link that bends, their predictive distribution has
mass where no data will ever be: nearly every model with default priors is beyond the limits. That mass reaches the posterior only through
a parameter that the data leave where its prior put it. So it asks for attention where the two densities of such a parameter are
nearly one (the limit of the overlap is that of the SDs in the section on the posterior), and is shown otherwise. Slopes are not asked: one
whose posterior is its prior says what its row of the table says, and shifts no level. Without intercept, SD and auxiliary parameter, the
slopes are all there is, and are asked.
"""

SATURATED = Rule(
    "prior.saturated",
    "The share of the prior in which a subject is all but certain to respond, or not to; a wide prior on the link scale often says that.",
    "Give the intercept and the random-effect SDs priors with a smaller scale.",
    f"<= {SATURATED_SHARE:.0%} of the prior mass below {ENDS[0]:g} or above {ENDS[1]:g}{LIMIT_OF_OVERLAP}",
    "Gabry et al. 2019; Depaoli and van de Schoot 2017; share: rule of thumb",
    percent=True,
)
IMPOSSIBLE = Rule(
    "prior.impossible",
    "The share of responses drawn from the prior that nobody would believe.",
    "Tighten the priors; check the link, the offset and the units of the predictors.",
    f"<= {IMPOSSIBLE_SHARE:.0%} of the prior draws outside the plausible range{LIMIT_OF_OVERLAP}",
    "Gabry et al. 2019; share and range: rule of thumb",
    percent=True,
)
IMPLIED = Rule(
    "prior.implied_sd",
    "How many times the odds (mean, hazard) of two random subjects differ, at the prior median.",
    "Set the prior of the SDs on the scale of odds or rates: an SD of log(2) makes one SD a factor of two.",
    f"<= {IMPLIED_FOLD:g}-fold",
)
TABLE = Rule(
    "prior.table", "Draws from the priors, taken through the model to the response.", "Compare them with what you know of the field."
)


def section(context: Context) -> Section:
    """Draw from the priors and look at the response that they imply.

    Parameters
    ----------
    context
        The fit, and the seed of the draws.

    Returns
    -------
    Section
        The data are used for their rows and levels, and the observed range for what is plausible.
    """
    fit = context.fit
    found: list[PriorChecks] = []

    def saturated() -> Part:
        found.append(prior_checks(fit, draws=DRAWS, seed=context.seed))
        return _saturated(fit, found[0])

    first = SATURATED.attempt(saturated)
    if found:
        judged = [first, IMPOSSIBLE.attempt(lambda: _impossible(fit, found[0])), _implied(found[0])]
    else:
        judged = [first, *(rule.not_for("The priors could not be drawn from; see the row before.") for rule in (IMPOSSIBLE, IMPLIED))]
    whole = joined([*judged, TABLE.attempt(lambda: _table(context))])
    intro = "What the model expected before it saw the response, on the scale of the response."
    return Section("prior", "Prior predictive", intro, whole.entries, whole.blocks)


def _saturated(fit: Fit, checks: PriorChecks) -> Part:
    """Judge the mass of the prior at the ends of the unit interval."""
    if checks.saturated is None:
        return SATURATED.not_for("The mean of the response is no probability.")
    detail = f"{checks.saturated:.1%} of the prior of a subject's probability, {checks.draws} draws."
    return _wide(SATURATED, fit, (checks.saturated, SATURATED_SHARE), detail)


def _impossible(fit: Fit, checks: PriorChecks) -> Part:
    """Judge the share of implausible responses."""
    detail = f"{checks.impossible:.2%} of the new responses. Plausible: {checks.plausible}."
    return _wide(IMPOSSIBLE, fit, (checks.impossible, IMPOSSIBLE_SHARE), detail)


def _wide(rule: Rule, fit: Fit, found: tuple[float, float], detail: str) -> Part:
    """Judge a share of the prior and its limit: beyond it, by whether the data outweigh the priors."""
    share, limit = found
    if share <= limit:
        return Part((rule.entry(share, detail),))
    overlaps = _overlaps(fit)
    known = overlaps[overlaps["overlap"].notna()]
    beyond = f"{detail} That is above {limit:.0%}"
    if known.empty:
        return Part((rule.entry(share, f"{beyond}, and no overlap of a posterior with its prior is known.", "attention"),))
    largest = known.iloc[int(known["overlap"].to_numpy(dtype=np.float64).argmax())]
    bad = bool(largest["overlap"] > PRIOR_OVERLAP)
    outcome = "the data hardly moved it" if bad else "the data outweigh the priors"
    which = f"{largest['parameter']}, {largest['overlap']:.2f}"
    said = f"{beyond}; the largest overlap of a posterior with its prior is that of {which}: {outcome}."
    return Part((rule.judged(share, said, bad=bad),))


def _overlaps(fit: Fit) -> pd.DataFrame:
    """Overlaps of the intercept, the SDs and the auxiliary parameters with their priors; of all parameters where there is none of these."""
    table = flat_index(prior_posterior(fit).table)
    watched = table["kind"].isin([SD, AUXILIARY]) | table["parameter"].isin([INTERCEPT, CENTERED_INTERCEPT])
    return table[watched] if watched.any() else table


def _implied(checks: PriorChecks) -> Part:
    """Judge how different the prior takes subjects to be."""
    if checks.implied_fold is None:
        return IMPLIED.not_for("Without random effects, and under links whose differences are no ratios, there is no fold; see the table.")
    detail = f"{checks.implied_fold:.3g}-fold, {checks.fold_of} of two random subjects at the prior median."
    return Part((IMPLIED.judged(checks.implied_fold, detail, bad=checks.implied_fold > IMPLIED_FOLD),))


def _table(context: Context) -> Part:
    """Return the prior predictive distribution."""
    fit = context.fit
    result = prior_draws(fit.spec, fit.design, fit.priors, draws=DRAWS, seed=context.seed, choice=make_interval(0.95, "eti"))
    return Part((TABLE.entry(None, f"{DRAWS} draws from the priors."),), (Numbers(result),))
