r"""Odds ratios, ratios of means and hazard ratios of the coefficients: within one subject, and between populations."""

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesglmm import naming
from bayesglmm.design.factors import TREATMENT, FactorEncoding
from bayesglmm.errors import DesignError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.elementwise import exp
from bayesglmm.numerics.spread import RATIO_NAMES, RatioName
from bayesglmm.post.cells import row_weights, weighted_by
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.marginal import marginal_draws
from bayesglmm.post.result import Result, draws_dataset, run_notes, target_sentence
from bayesglmm.post.rows import build_rows, distinct_rows
from bayesglmm.types import IntArray

QUANTITIES: Final = ("subject_specific", "marginal", "marginal_over_subject_specific")
SAME_SUBJECT = "the same subject"
ALIKE = "two subjects with equal random effects"
POPULATIONS = "two populations"
ONE_MORE, APART = "one unit more", "one unit apart"
CHANGE = "the second ratio, in units of the first"
RATIOS_ALIKE = "two ratios at equal random effects, one divided by the other"
RATIOS_OF_POPULATIONS = "two ratios of populations, one divided by the other"


@dataclass(frozen=True, slots=True)
class Slopes:
    """The coefficients whose exponentials are ratios.

    Attributes
    ----------
    kept
        Shape (k,): their positions.
    steps
        Shape (k,): how many numbers and contrasts of levels each column is a product of; with more than one the ratio is one of ratios.
    left
        Labels of the coefficients that compare a level, or a combination of levels, with no other; without the intercept.
    """

    kept: IntArray
    steps: IntArray
    left: tuple[str, ...] = ()


@takes_fit
def odds_ratios(fit: Fit, *, weights: Any = None, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Odds ratios of the coefficients: within one subject, and between populations.

    .. math:: \exp(\beta_k), \qquad \exp(\beta_{M,k}), \qquad \exp(\beta_{M,k} - \beta_k)

    per draw, with :math:`\beta_M` the marginal coefficients on the data (:func:`bayesglmm.post.marginal.marginal_coefficients`). Under the
    log link they are ratios of means (of rates, where there is an exposure), under cloglog hazard ratios.

    Parameters
    ----------
    fit
        A fit under the logit, log or cloglog link.
    weights
        Name of a column, or one number per row of the data, for the marginal coefficients; equal when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, three rows per coefficient, without those that compare a level with no other (the intercept, all levels of a factor):
        ``coefficient``, ``quantity`` (``subject_specific``, ``marginal``, ``marginal_over_subject_specific``), ``mean``, ``sd``,
        ``median``, ``ci_lower``, ``ci_upper``, and ``compares``, who is compared with whom. ``draws``: variables of these names with dims
        (chain, draw, coefficient).

    Raises
    ------
    FamilyError
        If the exponential of a coefficient is no ratio under the link; gives the reason.
    DesignError
        If no coefficient compares anything: there is none but the intercept, or those of all levels of a factor.
    ColumnError, ArgumentError
        If the weights are not what they must be.

    References
    ----------
    Hedeker, D., du Toit, S. H. C., Demirtas, H. and Gibbons, R. D. (2018). A note on marginalization of regression parameters from mixed
    models of binary outcomes. *Biometrics* 74, 354-361.
    """
    choice = make_interval(ci_prob, ci_kind)
    name, slopes = ratio_name(fit), slopes_of(fit)
    rows = build_rows(fit, None, target="population")
    weight = row_weights(rows, weights)
    unique, which = distinct_rows(rows, levels=False)
    parameters = fit_parameters(fit, effects=False)
    marginal, bound = marginal_draws(fit.link.name, parameters, unique, np.bincount(which, weights=weight).astype(np.float64))
    beta = parameters.beta[:, slopes.kept]
    logs = beta, marginal[:, slopes.kept], marginal[:, slopes.kept] - beta
    values = dict(zip(QUANTITIES, (exp(x) for x in logs), strict=True))
    coefficients = np.array(fit.design.labels, dtype=object)[slopes.kept]
    index = {"coefficient": np.repeat(coefficients, 3), "quantity": np.tile(QUANTITIES, len(slopes.kept))}
    summary = summarise(np.stack(list(values.values()), axis=2).reshape(parameters.n_draws, -1), choice)
    table = pd.DataFrame({**index, **summary, "compares": _compared(fit, slopes)})
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    how = f"integration error of the population means <= {bound:.0e}" if bound > 0.0 else "population means in closed form"
    return Result(
        f"{name.plural.capitalize()}, subject-specific and marginal",
        f"subject_specific: {name.singular} at equal random effects, exp(beta). marginal: {target_sentence('population', factors)}",
        table,
        draws_dataset(values, sizes, "coefficient", {"coefficient": coefficients}),
        (
            f"marginal: least-squares projection on the rows of the data{weighted_by(weights)}; {how}.",
            *slope_notes(fit, slopes, slopes.kept),
            *run_notes(fit),
        ),
        choice,
    )


def ratio_name(fit: Fit) -> RatioName:
    """Name the ratio that the exponential of a coefficient is.

    Raises
    ------
    FamilyError
        If it is none under the link.
    """
    name = RATIO_NAMES.get(fit.link.name)
    if name is None:
        raise FamilyError(
            f"the exponential of a coefficient is no ratio of odds, means or hazards under the {fit.link.name} link",
            fix="use marginal_coefficients, or means and heterogeneity on the response scale",
        )
    return name


def slopes_of(fit: Fit) -> Slopes:
    """Find the coefficients whose exponentials are ratios: those of columns that are a number, or a contrast of levels, or have one.

    Raises
    ------
    DesignError
        If there is none.
    """
    labels, steps = fit.design.labels, _steps(fit)
    kept = np.flatnonzero(steps > 0)
    left = tuple(label for label, n in zip(labels, steps, strict=True) if n == 0 and label != naming.INTERCEPT)
    if kept.size:
        return Slopes(kept.astype(np.int64), steps[kept], left)
    if left:
        compare = "ratio" if fit.link.name == "log" else "odds_ratio"
        raise DesignError(
            "every coefficient belongs to one level, which it compares with no other",
            where=f"{fit.spec.formula}: {', '.join(left)}",
            fix=f"write the formula with its intercept, or use contrasts(compare={compare!r})",
        )
    raise DesignError("the model has no coefficient but the intercept", where=fit.spec.formula, fix="add a predictor")


def slope_notes(fit: Fit, slopes: Slopes, shown: Collection[int]) -> tuple[str, ...]:
    """Name the coefficients that are ratios of ratios, among those that are shown, and those that are no ratio."""
    products = [fit.design.labels[k] for k, steps in zip(slopes.kept, slopes.steps, strict=True) if steps > 1 and k in shown]
    why = "each belongs to one level, which it compares with no other"
    fix = "write the formula with its intercept for ratios of levels"
    return (
        *((f"Ratios of ratios: {', '.join(products)}.",) if products else ()),
        *((f"Left out, because {why}: {', '.join(slopes.left)}; {fix}.",) if slopes.left else ()),
    )


def _steps(fit: Fit) -> IntArray:
    """Count the numbers and the contrasts of levels that each coefficient's column is a product of, shape (p,).

    There is none in the intercept, and none in a product of factors that are all coded with all their levels.
    """
    factors, counts = fit.design.encoding.fixed.factors, list[int]()
    for coding in fit.design.encoding.fixed.codings:
        for product in coding.products:
            coded = [(factors[position], reduced) for position, reduced in product]
            widths = [factor.width if factor.levels is None else len(factor.levels) - int(reduced) for factor, reduced in coded]
            counts += [sum(factor.levels is None or reduced for factor, reduced in coded)] * math.prod(widths)
    return np.array(counts, dtype=np.int64)


def _level_steps(fit: Fit) -> list[str]:
    """Say for each coefficient which level its column compares with which, p texts; empty for a unit of a number, and for products."""
    factors, found = fit.design.encoding.fixed.factors, list[str]()
    for coding in fit.design.encoding.fixed.codings:
        for product in coding.products:
            choices = [_steps_of(factors[position], reduced) for position, reduced in product]
            # the first factor of a product changes fastest
            texts = [[text for text in reversed(chosen) if text] for chosen in itertools.product(*reversed(choices))]
            found += [chosen[0] if len(chosen) == 1 else "" for chosen in texts]
    return found


def _steps_of(factor: FactorEncoding, reduced: bool) -> list[str]:
    """Say what each column of one factor compares; a number, and a level that is compared with no other, say nothing."""
    if factor.levels is None:
        return [""] * factor.width
    if not reduced:
        return [""] * len(factor.levels)
    if factor.contrast != TREATMENT:
        return [f"one unit of the {factor.contrast} contrast of {factor.column}"] * (len(factor.levels) - 1)
    reference = factor.levels[0] if factor.reference is None else factor.reference
    return [f"{factor.column} = {level} against the reference {reference}" for level in factor.levels if level != reference]


def _compared(fit: Fit, slopes: Slopes) -> NDArray[np.object_]:
    """Say who is compared with whom, three texts per coefficient; subjects are the combinations of levels of all factors."""
    X = pd.DataFrame(fit.design.X[:, slopes.kept])
    varies = np.ones(len(slopes.kept), dtype=bool)
    if fit.design.groups:
        index = np.stack([g.index for g in fit.design.groups], axis=1)
        subject = np.unique(index, axis=0, return_inverse=True)[1].reshape(-1)
        varies = (X.groupby(subject).nunique() > 1).any(axis=0).to_numpy()
    levels, found = _level_steps(fit), []
    for k, steps, own in zip(slopes.kept, slopes.steps, varies, strict=True):
        within = f"{SAME_SUBJECT if own else ALIKE}, {levels[k] or (ONE_MORE if own else APART)}"
        one = within, f"{POPULATIONS}, {levels[k] or APART}", CHANGE
        found.append(one if steps == 1 else (RATIOS_ALIKE, RATIOS_OF_POPULATIONS, CHANGE))
    return np.array(found, dtype=object).ravel()
