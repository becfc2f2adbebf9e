"""Section 5: what the priors say about the response before any are seen."""

from typing import Final

from bayesglmm.fit.quality import IMPLIED_FOLD, IMPOSSIBLE_SHARE, SATURATED_SHARE
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.prior_checks import SATURATED as ENDS
from bayesglmm.post.prior_checks import PriorChecks, prior_checks
from bayesglmm.post.prior_predictive import prior_draws
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.parts import Part, Rule, joined
from bayesglmm.reporting.records import Numbers, Section

DRAWS: Final = 1000

SATURATED = Rule(
    "prior.saturated",
    "The share of the prior in which a subject is all but certain to respond, or not to; a wide prior on the link scale often says that.",
    "Give the intercept and the random-effect SDs priors with a smaller scale.",
    f"<= {SATURATED_SHARE:.0%} of the prior mass below {ENDS[0]:g} or above {ENDS[1]:g}",
    "Gabry et al. 2019; Depaoli and van de Schoot 2017; share: rule of thumb",
)
IMPOSSIBLE = Rule(
    "prior.impossible",
    "The share of responses drawn from the prior that nobody would believe.",
    "Tighten the priors; check the link, the offset and the units of the predictors.",
    f"<= {IMPOSSIBLE_SHARE:.0%} of the prior draws outside the plausible range",
    "Gabry et al. 2019; share and range: rule of thumb",
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
        return _saturated(found[0])

    first = SATURATED.attempt(saturated)
    if found:
        judged = [first, _impossible(found[0]), _implied(found[0])]
    else:
        judged = [first, *(rule.not_for("The priors could not be drawn from; see the row before.") for rule in (IMPOSSIBLE, IMPLIED))]
    whole = joined([*judged, TABLE.attempt(lambda: _table(context))])
    intro = "What the model expected before it saw the response, on the scale of the response."
    return Section("prior", "Prior predictive", intro, whole.entries, whole.blocks)


def _saturated(checks: PriorChecks) -> Part:
    """Judge the mass of the prior at the ends of the unit interval."""
    if checks.saturated is None:
        return SATURATED.not_for("The mean of the response is no probability.")
    detail = f"{checks.saturated:.1%} of the prior of a subject's probability, {checks.draws} draws."
    return Part((SATURATED.judged(checks.saturated, detail, bad=checks.saturated > SATURATED_SHARE),))


def _impossible(checks: PriorChecks) -> Part:
    """Judge the share of implausible responses."""
    detail = f"{checks.impossible:.2%} of the new responses. Plausible: {checks.plausible}."
    return Part((IMPOSSIBLE.judged(checks.impossible, detail, bad=checks.impossible > IMPOSSIBLE_SHARE),))


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
