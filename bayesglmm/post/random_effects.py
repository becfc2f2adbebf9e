r"""Random effects of each level, how they rank, and how far they are shrunk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm import naming
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import effect_draws, flatten, sd_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, interval_ends, make_interval, summarise
from bayesglmm.post.linear_predictor import fit_parameters
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.post.words import link_words
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT
from bayesglmm.types import FloatArray

EFFECT, COEFFICIENT = "random_effect", "coefficient"


@dataclass(frozen=True, slots=True)
class _Effect:
    """One effect of one group term: its draws (S, L), the fixed draws (S,) added to them or None, and its table of L rows."""

    table: pd.DataFrame
    draws: FloatArray
    name: str
    matched: bool


@takes_fit
def random_effects(
    fit: Fit, *, factor: str | None = None, coefficients: bool = False, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Random effects, or coefficients, of every level of the grouping factors.

    .. math:: \text{rank}_j = \#\{k : b_k \le b_j\}, \qquad \text{shrinkage}_j = \frac{\operatorname{Var}(b_j \mid y)}{E(\tau^2 \mid y)},
              \qquad \text{reliability}_j = 1 - \text{shrinkage}_j

    with tau the effect's standard deviation between groups; ranks are computed per draw, 1 the smallest.

    Parameters
    ----------
    fit
        A fit.
    factor
        Name of one grouping factor, ``g`` or ``g:h``; all when None.
    coefficients
        Add the fixed effect of the same name and coding, beta + b_j (the constant goes with the intercept). An effect without one stays as
        it is, and the notes say so: ``f[b]`` is a level in ``(0 + f | g)`` and a difference from the reference in ``y ~ f``. Shrinkage
        and reliability are left out: they speak of b_j.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals, those of the ranks included.

    Returns
    -------
    Result
        ``table``, one row per factor, effect and level: ``factor``, ``level``, ``effect``, ``mean``, ``sd``, ``median``, ``ci_lower``,
        ``ci_upper``, ``rank`` (its posterior mean), ``rank_lower``, ``rank_upper``, ``reliability``, ``shrinkage``. ``draws``: variable
        ``random_effect`` or ``coefficient`` with dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If there is no such grouping factor, or none at all.

    Notes
    -----
    Reliability is the share of the between-group variance that the data of a group resolve (Snijders and Bosker 2012, *Multilevel
    Analysis*, 2nd ed., chapter 4, on posterior means; here with posterior moments). The posterior variance of b_j also holds what is not
    known of the fixed effects and of tau, so reliability can fall below zero; it is shown as it is, and the notes count such rows.
    """
    choice = make_interval(ci_prob, ci_kind)
    groups = _chosen(fit, factor)
    effects = [e for g in groups for e in _effects(fit, g, choice, coefficients)]
    table = pd.concat([e.table for e in effects], ignore_index=True)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    variable = COEFFICIENT if coefficients else EFFECT
    coords = {c: table[c].to_numpy(dtype=object) for c in ("factor", "level", "effect")}
    dataset = draws_dataset({variable: np.concatenate([e.draws for e in effects], axis=1)}, sizes, "row", coords)
    dataset = dataset.assign_attrs(units=link_words(fit))
    title = "Coefficients by group, beta + b_j" if coefficients else "Random effects by group, b_j"
    notes = (*_notes(effects, table, coefficients), *run_notes(fit))
    return Result(title, _target(groups, coefficients), table, dataset, notes, choice)


def _target(groups: tuple[GroupDesign, ...], coefficients: bool) -> str:
    factors = ", ".join(dict.fromkeys(g.name for g in groups))
    return f"group: {'beta + b_j' if coefficients else 'b_j'} of each observed level of {factors}, on the scale of the linear predictor"


def _chosen(fit: Fit, factor: str | None) -> tuple[GroupDesign, ...]:
    """Group terms of one factor, or all."""
    known = list(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError("the model has no grouping factor", where=fit.spec.formula, fix="add one, such as (1 | subject)")
    if factor is not None and factor not in known:
        raise ArgumentError(f"factor={factor!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(known)}")
    return tuple(g for g in fit.design.groups if factor is None or g.name == factor)


def _effects(fit: Fit, group: GroupDesign, choice: IntervalChoice, coefficients: bool) -> list[_Effect]:
    """Every effect of one group term."""
    b, sd = flatten(effect_draws(fit.posterior, group)), flatten(sd_draws(fit.posterior, group))
    beta = fit_parameters(fit, effects=False).beta
    found = []
    for k, (label, twin) in enumerate(zip(group.labels, fixed_twins(fit, group), strict=True)):
        fixed = beta[:, [twin]] if coefficients and twin is not None else None
        draws = b[:, :, k] if fixed is None else b[:, :, k] + fixed
        columns = {**summarise(draws, choice), **_ranks(draws, choice)}
        if not coefficients:
            columns |= _shrinkage(draws, sd[:, k])
        labels = {"factor": group.name, "level": list(group.levels), "effect": label}
        found.append(_Effect(pd.DataFrame({**labels, **columns}), draws, f"{label} of {group.name}", fixed is not None))
    return found


def fixed_twins(fit: Fit, group: GroupDesign) -> list[int | None]:
    """For each effect the fixed column of the same term coded by the same columns; None where there is none.

    Equal columns may mean different things: ``f[b]`` is a level in ``(0 + f | g)``, and in ``y ~ f`` a difference from the reference.
    """
    fixed = {(t.name, t.levels): t.start for t in fit.design.fixed}
    found: list[int | None] = []
    for term in group.effects:
        start = fixed.get((naming.INTERCEPT if term.name == CONSTANT_EFFECT else term.name, term.levels))
        found += [None if start is None else start + k for k in range(term.stop - term.start)]
    return found


def _ranks(draws: FloatArray, choice: IntervalChoice) -> dict[str, FloatArray]:
    """Posterior mean and interval of the rank of each level, from draws (S, L); 1 is the smallest."""
    order = np.argsort(draws, axis=1)
    ranks = np.empty(draws.shape)
    np.put_along_axis(ranks, order, np.arange(1.0, draws.shape[1] + 1.0)[None], axis=1)
    lower, upper = interval_ends(ranks, choice)
    return {"rank": ranks.mean(axis=0), "rank_lower": lower, "rank_upper": upper}


def _shrinkage(b: FloatArray, sd: FloatArray) -> dict[str, FloatArray]:
    """Reliability and shrinkage of each level, from draws of b (S, L) and of the SD (S,)."""
    shrinkage = b.var(axis=0) / np.mean(np.square(sd))
    return {"reliability": 1.0 - shrinkage, "shrinkage": shrinkage}


def _notes(effects: list[_Effect], table: pd.DataFrame, coefficients: bool) -> tuple[str, ...]:
    if coefficients:
        alone = [e.name for e in effects if not e.matched]
        others = "the random effects of other factors and effects are at zero"
        left = (f"No fixed effect of that name and coding: {', '.join(alone)}; shown as b_j alone.",) if alone else ()
        return (f"Fixed effect plus random effect; {others}.", *left)
    negative = int((table["reliability"] < 0.0).sum())
    return (
        (f"{negative} rows have a posterior variance of b_j above the variance between groups: reliability below zero.",)
        if negative
        else ()
    )
