"""Section 3: the model in mathematics, its priors, its covariance structures, its coding, and what its numbers are."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from scipy import special

from bayesglmm import naming
from bayesglmm.design.factors import FactorEncoding
from bayesglmm.design.groups import GroupDesign
from bayesglmm.design.scaling import resolve_priors
from bayesglmm.fit.fit import Fit
from bayesglmm.fit.quality import LKJ_ETA_FLAT
from bayesglmm.post.prior_summary import prior_table
from bayesglmm.post.render import flat_index
from bayesglmm.post.result import target_sentence
from bayesglmm.reporting.context import Context
from bayesglmm.reporting.mathematics import formulas
from bayesglmm.reporting.parts import SHOWN, Part, Rule, joined
from bayesglmm.reporting.records import Cell, Grid, Numbers, Pairs, Section, Words, not_run
from bayesglmm.spec.priors import LKJ
from bayesglmm.types import Target, choices

EXTREME: Final = 0.9
"""Correlations beyond this, either sign, hardly ever are what one expects."""
STRUCTURES: Final = {"us": "unstructured", "diag": "diagonal", "cs": "compound symmetry", "ar1": "first-order autoregressive"}

MATHS = Rule(
    "model.maths",
    "The likelihood, the link, the linear predictor and the law of the random effects.",
    "Check it against what you meant.",
    SHOWN,
    "Kruschke 2021, step 1",
)
PRIORS = Rule(
    "model.priors",
    "What is assumed before the data are seen, and what it implies on the scale of the response.",
    "Justify or set each prior that the result rests on.",
    "no prior left at its default",
    "Kruschke 2021, step 1; Depaoli and van de Schoot 2017",
)
COVARIANCE = Rule(
    "model.covariance",
    "A flat prior on one correlation puts much mass on nearly perfect correlations.",
    "Use LKJ(2) or more.",
    f"with 2 effects, LKJ eta > {LKJ_ETA_FLAT:g}",
)
CODING = Rule("model.coding", "How columns became numbers; coefficients mean nothing without it.", "Check the reference levels.")
ESTIMAND = Rule(
    "model.estimand",
    "A coefficient of one subject and an average over subjects are two numbers, and often far apart.",
    "Quote each number with its target.",
)
AGGREGATION = Rule(
    "model.aggregation",
    "Rows that were rounded to fall together are other data.",
    "Report the rounding; predictive accuracy is then per cell.",
    "no rounding",
)


def section(context: Context) -> Section:
    """Tell what was assumed.

    Parameters
    ----------
    context
        The fit.
    """
    fit = context.fit
    parts = (
        Part((MATHS.entry(None, "Below, in hierarchical (centered) form, whatever form was sampled."),), (formulas(fit),)),
        PRIORS.attempt(lambda: _priors(fit)),
        _covariance(fit),
        Part((CODING.entry(None, "Below."),), (Pairs("Coding", tuple(_coding(fit))),)),
        Part((ESTIMAND.entry(None, "Every table names its target."),), (_estimands(fit),)),
        Part((AGGREGATION.entry(0.0, "Nothing was rounded; identical rows may be computed once, which changes no number."),)),
    )
    whole = joined(parts)
    return Section("model", "Model", "What was assumed, and which question each kind of number answers.", whole.entries, whole.blocks)


def _priors(fit: Fit) -> Part:
    """Show every prior, and how many are the defaults.

    Whether the result rests on a default is what prior sensitivity asks, which this version does not compute; so defaults are named, and
    count as nothing: else no fit with default priors could be ok.
    """
    table = prior_table(fit.spec, fit.design, fit.priors)
    default = prior_table(fit.spec, fit.design, resolve_priors(replace(fit.spec, priors=()), fit.design, fit.family, fit.link))
    same = flat_index(table.table)["prior"].to_numpy() == flat_index(default.table)["prior"].to_numpy()
    names = [str(name) for name, left in zip(table.table.index, same, strict=True) if left]
    if names:
        detail = (
            f"{len(names)} of {len(same)} priors are the defaults: {', '.join(names)}. Whether the result rests on them was not examined."
        )
        return Part((not_run(PRIORS.id, PRIORS.threshold, detail, required=False),), (Numbers(table),))
    return Part((PRIORS.entry(0.0, f"All {len(same)} priors were given."),), (Numbers(table),))


def _covariance(fit: Fit) -> Part:
    """Structure and number of parameters per grouping factor."""
    blocks = list(zip(fit.design.groups, fit.priors.cor, strict=True))
    if not blocks:
        return COVARIANCE.not_for("The model has no grouping factor.")
    columns = (
        "block",
        "effects",
        "structure",
        "SDs",
        "correlations",
        "prior of the correlations",
        f"prior mass beyond |rho| = {EXTREME:g}",
    )
    shown = Grid("Covariance of the random effects", columns, tuple(_structure(group, prior) for group, prior in blocks))
    flat = [_block(g) for g, prior in blocks if prior is not None and len(g.labels) == 2 and prior.eta <= LKJ_ETA_FLAT]
    etas = [float(prior.eta) for g, prior in blocks if prior is not None and len(g.labels) == 2]
    if not etas:
        return Part((COVARIANCE.entry(None, "No block has one correlation alone."),), (shown,))
    detail = f"Flat: {', '.join(flat)}." if flat else "Smallest eta of the blocks with 2 effects."
    return Part((COVARIANCE.judged(min(etas), detail, bad=bool(flat)),), (shown,))


def _structure(group: GroupDesign, prior: LKJ | None) -> tuple[Cell, ...]:
    q, structure = len(group.labels), STRUCTURES[group.term.covariance]
    pairs = q * (q - 1) // 2 if prior is not None else 0
    words = "one SD" if q == 1 else structure
    mass = None if prior is None else extreme_mass(prior.eta, q)
    return _block(group), ", ".join(group.labels), words, q, pairs, "-" if prior is None else prior.text, mass


def extreme_mass(eta: float, q: int) -> float:
    r"""Prior probability that one correlation of an LKJ(eta) matrix is beyond 0.9 in size.

    .. math:: (\rho + 1) / 2 \sim Beta(a, a), \qquad a = \eta - 1 + q / 2

    Parameters
    ----------
    eta
        Of the prior.
    q
        Effects in the block.
    """
    a = eta - 1.0 + 0.5 * q
    return float(2.0 * special.betainc(a, a, 0.5 * (1.0 - EXTREME)))


def _block(group: GroupDesign) -> str:
    return naming.block(group.name, group.position)


def _coding(fit: Fit) -> Iterator[tuple[str, str]]:
    """How the columns of the table became those of the model."""
    design, response = fit.design, fit.spec.response
    yield "response", response.text
    yield "weights", f"{response.weights}: each multiplies its row's log likelihood" if response.weights else "none"
    yield "offset", " + ".join(fit.spec.offsets) or "none"
    where = "with every column at its mean" if fit.spec.center else "with every column at zero"
    yield (
        "intercept",
        f"reported with every column at zero; its prior refers to it {where}" if naming.INTERCEPT in design.labels else "none",
    )
    yield "fixed effects", ", ".join(design.labels) or "none"
    encodings = (design.encoding.fixed, *(g.effects for g in design.encoding.groups))
    factors = {f.text: f for e in encodings for f in e.factors if f.is_categorical}
    for text, factor in factors.items():
        yield text, _contrast(factor)


def _contrast(factor: FactorEncoding) -> str:
    levels = factor.levels or ()
    reference = f", reference {factor.reference or levels[0]}" if factor.contrast == "treatment" and levels else ""
    return f"{factor.contrast} coding{reference}; levels {', '.join(levels)}"


def _estimands(fit: Fit) -> Words:
    """Say the four targets in words, for this model's grouping factors."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    if not factors:
        return Words((target_sentence("average_subject", ()),))
    targets: tuple[Target, ...] = choices(Target)  # type: ignore[assignment]
    first = "Coefficients in the parameter table are subject-specific (average_subject). The four targets of this model:"
    return Words((first, *(target_sentence(target, factors) for target in targets)))
