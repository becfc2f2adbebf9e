r"""No pooling, complete pooling and partial pooling of groups, side by side.

Every group by itself is noisy, all groups as one are biased for each; the mixed model lies between, nearer to the middle the less a group
tells. All three are estimates of the same coefficients :math:`\beta + b_j`: what else is in the predictor is held for the separate fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.api import glmm
from bayesglmm.approx.pirls import Response
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import auxiliary_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import SIGMA
from bayesglmm.numerics.covariance import covariance_matrix
from bayesglmm.numerics.gls import RandomBlock, generalized_least_squares
from bayesglmm.numerics.links import LINKS
from bayesglmm.post.door import check_formula
from bayesglmm.post.hierarchy import children_of, terms_of
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import GroupParameters, Parameters, fit_parameters
from bayesglmm.post.random_effects import fixed_twins
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.spec.names import named
from bayesglmm.types import FloatArray, IntArray
from bayesglmm.workflows.own_rows import (
    TOO_FEW,
    Estimate,
    NestedEffect,
    estimate,
    integrated_estimate,
    lacks_rank,
    residual_sd,
    response_of,
    some_rows,
)

COEFFICIENT = "coefficient"
SHOWN = 5


def pooling(  # noqa: PLR0913 (one public call; all but two are keywords)
    model: Fit | str,
    data: Any = None,
    *,
    family: str = "gaussian",
    link: str | None = None,
    factor: str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
    **options: Any,
) -> Result:
    r"""Coefficients of every group by itself, of all groups as one, and partially pooled by the mixed model.

    .. math:: \hat\beta_j = \arg\max_b \sum_{i \in j} \log p(y_i \mid r_i + z_i'b), \qquad \hat\beta, \qquad \beta + b_j \mid y, \qquad
              \text{shrinkage}_j = 1 - \frac{E(\beta + b_j \mid y) - E(\beta \mid y)}{\hat\beta_j - E(\beta \mid y)}

    with z the effect columns of the factor and r the rest of the predictor (offset, other fixed effects, effects of other factors) at its
    posterior mean. Effects of factors that are nested in this one (casks within batches) are not held but integrated out, since at their
    posterior means they would hold part of what a group's own rows say:

    .. math:: \hat\beta_j = (Z_j'V_j^{-1}Z_j)^{-1} Z_j'V_j^{-1}(y_j - r_j), \qquad
              V_j = \textstyle\sum_{t\,\text{nested}} Z_t D_t Z_t' + \sigma^2 I

    with D and :math:`\sigma^2` at their posterior means, and under other links, for one nested effect, by quadrature.

    Parameters
    ----------
    model
        A fit, or a formula, which is then fitted.
    data, family, link, **options
        For a formula: as for :func:`glmm`.
    factor
        Name of one grouping factor; the first when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the partially pooled coefficients.

    Returns
    -------
    Result
        ``table``, one row per level and effect: ``factor``, ``level``, ``effect``, ``rows``; ``separate`` and ``separate_se`` (maximum
        likelihood on the group's rows, missing where it does not exist); ``pooled`` and ``pooled_se`` (the model without random effects,
        the same for all levels); ``center`` (posterior mean of the fixed effect, which groups are shrunk to; 0 for an
        effect without a fixed effect of its term and coding); ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of
        :math:`\beta + b_j`; ``shrinkage``, 0 where partial pooling equals no pooling, 1 where it equals the fixed effect. ``draws``:
        variable ``coefficient`` with dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If there is no such grouping factor, a table or options are given with a fit, or several effects of nested factors would have to
        be integrated out under a link other than the identity.
    BayesglmmError
        As :func:`glmm`.

    Notes
    -----
    With an estimated residual SD, standard errors of the separate fits use one residual SD of all of them; where nested effects are
    integrated out, that of the mixed model, and they hold the spread of the nested levels. Shrinkage can leave [0, 1] where
    effects are correlated, and means little where a group's own estimate is close to the fixed effect. Under a link other than the
    identity, pooled coefficients are those of a population mean, nearer to zero than the fixed effects that groups are shrunk to.

    References
    ----------
    Gelman, A. and Hill, J. (2007). *Data Analysis Using Regression and Multilevel/Hierarchical Models*, section 12.2.
    """
    choice = make_interval(ci_prob, ci_kind)
    fit = _fitted(model, data, {"family": family, "link": link, **options})
    part = _factor(fit, factor)
    draws = _coefficients(part)
    separate, separate_se, reasons = _separate(fit, part)
    pooled, pooled_se = _complete(fit, part)
    summary = {name: v.reshape(part.n_levels, -1) for name, v in summarise(draws.reshape(len(draws), -1), choice).items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = 1.0 - (summary["mean"] - part.center) / (separate - part.center)
    estimates = {"separate": separate, "separate_se": separate_se, "pooled": pooled, "pooled_se": pooled_se, "center": part.center}
    table = _table(part, {**estimates, **summary, "shrinkage": np.where(np.isfinite(shrinkage), shrinkage, np.nan)})
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {c: table[c].to_numpy(dtype=object) for c in ("factor", "level", "effect")}
    dataset = draws_dataset({COEFFICIENT: draws.reshape(len(draws), -1)}, sizes, "row", coords)
    target = f"group: beta + b_j of each observed level of {part.name}, on the scale of the linear predictor"
    others = sorted({g.name for g in fit.design.groups} - {part.name, *part.children})
    notes = (*_notes(part, reasons, table, others), *run_notes(fit))
    return Result(f"No, complete and partial pooling of {part.name}", target, table, dataset, notes, choice)


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """One grouping factor: all its terms together.

    Attributes
    ----------
    name, levels, labels
        Of the factor, its L levels and its q effects.
    Z, index
        Shapes (n, q) and (n,).
    twin
        For each effect the fixed column of the same term and coding, or None.
    beta, b
        Shapes (S, p) and (S, L, q): draws of the fixed effects and the random effects.
    rest
        Shape (n,): posterior mean of what the predictor has besides, without effects of nested factors.
    nested
        Effects of the terms of nested factors, with the posterior means of their covariances.
    sigma
        Root of the posterior mean of the residual variance; 1 without one. Read where factors are nested.
    children
        Names of the nested factors.
    """

    name: str
    levels: tuple[str, ...]
    labels: tuple[str, ...]
    Z: FloatArray
    index: IntArray
    twin: tuple[int | None, ...]
    beta: FloatArray
    b: FloatArray
    rest: FloatArray
    nested: tuple[RandomBlock, ...]
    sigma: float
    children: tuple[str, ...]

    @property
    def n_levels(self) -> int:
        """L."""
        return len(self.levels)

    @property
    def center(self) -> FloatArray:
        """Posterior mean of the fixed effect of each effect, (q,); 0 where there is none."""
        return np.array([0.0 if t is None else float(self.beta[:, t].mean()) for t in self.twin])


def _fitted(model: Fit | str, data: Any, options: dict[str, Any]) -> Fit:
    check_formula(model, "a fit or a formula")
    if isinstance(model, str):
        return glmm(model, data, **options)
    if not isinstance(model, Fit):
        raise ArgumentError(f"a fit or a formula is needed, not {type(model).__name__}", fix="pass a fit, or a formula and a table")
    given = [k for k, v in options.items() if v not in (None, "gaussian")]
    if data is not None or given:
        what = ", ".join((["data"] if data is not None else []) + given)
        raise ArgumentError("a fit needs neither a table nor options of a fit", where=what, fix="leave them out, or pass the formula")
    return model


def _factor(fit: Fit, name: str | None) -> _Factor:
    """Collect the terms of one factor, and what the predictor has besides."""
    design, known = fit.design, list(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError("the model has no grouping factor", where=fit.spec.formula, fix="add one, such as (1 | subject)")
    name = None if name is None else named(name, known)
    if name is not None and name not in known:
        raise ArgumentError(f"factor={name!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(known)}")
    chosen = known[0] if name is None else name
    children = children_of(fit, chosen)
    _check_nested(fit, chosen, children)
    parameters, inside = fit_parameters(fit, effects=True), terms_of(fit, children)
    own = terms_of(fit, (chosen,))
    first = design.groups[own[0]]
    Z = np.concatenate([design.groups[t].Z for t in own], axis=1)
    twin = tuple(place for t in own for place in fixed_twins(fit, design.groups[t]))
    return _Factor(
        chosen,
        first.levels,
        tuple(label for t in own for label in design.groups[t].labels),
        Z,
        first.index,
        twin,
        parameters.beta,
        np.concatenate([_effects(parameters, t) for t in own], axis=2),
        design.offset + _besides(design.X, parameters, twin) + _others(design.groups, parameters, (*own, *inside)),
        tuple(_nested_block(design.groups[t], parameters.groups[t]) for t in inside),
        _sigma(fit),
        children,
    )


def _check_nested(fit: Fit, name: str, children: Sequence[str]) -> None:
    """Refuse a factor with nested ones whose effects cannot be integrated out, by a formula or in one dimension each."""
    terms = terms_of(fit, children)
    one = len(terms) == 1 and fit.design.groups[terms[0]].Z.shape[1] == 1
    if not children or one or fit.link is LINKS["identity"]:
        return
    innermost = min(children, key=lambda child: len(children_of(fit, child)))
    raise ArgumentError(
        f"levels of {', '.join(children)} lie within those of {name}, and integrating over their effects takes several dimensions: an "
        f"estimate of a level of {name} by itself is made for one nested effect only, or with the identity link",
        where=f"factor={name!r}, {fit.spec.link} link",
        fix=f"use factor={innermost!r}; random_effects(fit, factor={name!r}, coefficients=True) has the partially pooled numbers alone",
    )


def _nested_block(group: GroupDesign, draws: GroupParameters) -> RandomBlock:
    return RandomBlock(group.index, group.Z, covariance_matrix(draws.sd, draws.corr).mean(axis=0))


def _sigma(fit: Fit) -> float:
    """Root of the posterior mean of the residual variance; 1 where there is none, or standard errors are known."""
    draws = auxiliary_draws(fit.posterior, fit.family.auxiliary).get(SIGMA)
    return 1.0 if draws is None else float(np.sqrt(np.mean(np.square(draws))))


def _effects(parameters: Parameters, term: int) -> FloatArray:
    b = parameters.groups[term].b
    if b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    return b


def _besides(X: FloatArray, parameters: Parameters, twin: Sequence[int | None]) -> FloatArray:
    """Posterior mean of the fixed part without the columns that vary between groups, (n,)."""
    mean = parameters.beta.mean(axis=0)
    mean[[t for t in twin if t is not None]] = 0.0
    return X @ mean


def _others(groups: Sequence[GroupDesign], parameters: Parameters, left: Sequence[int]) -> FloatArray:
    """Posterior mean of the effects of the terms that are not ``left`` out, (n,)."""
    total = np.zeros(len(groups[0].index))
    for t, group in enumerate(groups):
        if t not in left:
            total += np.sum(group.Z * _effects(parameters, t).mean(axis=0)[group.index], axis=1)
    return total


def _coefficients(part: _Factor) -> FloatArray:
    """Draws of beta + b_j, (S, L, q)."""
    draws = part.b.copy()
    for k, t in enumerate(part.twin):
        if t is not None:
            draws[:, :, k] += part.beta[:, t, None]
    return draws


def _separate(fit: Fit, part: _Factor) -> tuple[FloatArray, FloatArray, dict[str, list[str]]]:
    """Estimates and standard errors (L, q) of each group by itself, and the levels without, by reason."""
    whole = response_of(fit, part.rest)
    order = np.argsort(part.index, kind="stable")
    ends = np.cumsum(np.bincount(part.index, minlength=part.n_levels))
    q, squares, freedom = len(part.labels), 0.0, 0
    values, se = np.full((part.n_levels, q), np.nan), np.full((part.n_levels, q), np.nan)
    reasons: dict[str, list[str]] = {}
    for j, rows in enumerate(np.split(order, ends[:-1])):
        response = some_rows(whole, rows)
        found = _own_estimate(part, response, rows)
        if isinstance(found, str):
            reasons.setdefault(found, []).append(part.levels[j])
            continue
        values[j], se[j] = found.beta, np.sqrt(np.diag(found.covariance))
        squares += response.squares(response.offset + part.Z[rows] @ found.beta)
        freedom += len(rows) - q
    return values, se if part.nested else se * residual_sd(whole, squares, freedom), reasons


def _own_estimate(part: _Factor, response: Response, rows: IntArray) -> Estimate | str:
    """Estimate the coefficients of one level from its rows, the effects of nested levels integrated out."""
    Z = part.Z[rows]
    if not part.nested:
        return estimate(Z, response)
    blocks = [block.take(rows) for block in part.nested]
    if not response.additive:
        (only,) = blocks
        column = only.Z[:, 0] * float(np.sqrt(only.covariance[0, 0]))
        return integrated_estimate(Z, response, NestedEffect(only.index, column, part.sigma))
    if lacks_rank(Z):
        return TOO_FEW
    variance = part.sigma**2 if response.errors is None else np.square(response.errors)
    return Estimate(*generalized_least_squares(Z, response.y - response.offset, response.weights / variance, blocks))


def _complete(fit: Fit, part: _Factor) -> tuple[FloatArray, FloatArray]:
    """Estimates and standard errors (q,) of the model without random effects; missing for an effect that is not in it."""
    response, X = response_of(fit, fit.design.offset), fit.design.X
    missing = np.full(len(part.labels), np.nan)
    found = estimate(X, response) if X.shape[1] else "no fixed effect"
    if isinstance(found, str):
        return missing, missing
    sd = residual_sd(response, response.squares(response.offset + X @ found.beta), len(X) - X.shape[1])
    se = sd * np.sqrt(np.diag(found.covariance))
    return tuple(np.array([np.nan if t is None else float(v[t]) for t in part.twin]) for v in (found.beta, se))  # type: ignore[return-value]


def _table(part: _Factor, columns: dict[str, FloatArray]) -> pd.DataFrame:
    q = len(part.labels)
    labels = {
        "factor": part.name,
        "level": np.repeat(np.array(part.levels, dtype=object), q),
        "effect": np.tile(np.array(part.labels, dtype=object), part.n_levels),
        "rows": np.repeat(np.bincount(part.index, minlength=part.n_levels), q),
    }
    return pd.DataFrame({**labels, **{name: np.broadcast_to(v, (part.n_levels, q)).ravel() for name, v in columns.items()}})


def _notes(part: _Factor, reasons: dict[str, list[str]], table: pd.DataFrame, others: list[str]) -> tuple[str, ...]:
    notes = [f"mean, sd, median and interval: partially pooled, by the mixed model. rows: those of the level of {part.name}."]
    if others:
        notes.append(f"separate: with the random effects of {', '.join(others)} at their posterior means.")
    if part.children:
        nested = ", ".join(part.children)
        how = "with variances at their posterior means"
        notes.append(f"separate: integrated over the random effects of {nested}, whose levels lie within those of {part.name}, {how}.")
    for reason, levels in reasons.items():
        shown = ", ".join(levels[:SHOWN]) + (", ..." if len(levels) > SHOWN else "")
        notes.append(f"No separate estimate for {len(levels)} of {part.n_levels} levels ({shown}): {reason}.")
    alone = [label for label, t in zip(part.labels, part.twin, strict=True) if t is None]
    if alone:
        notes.append(f"Without a fixed effect of the same term and coding, so shrunk to zero and not pooled: {', '.join(alone)}.")
    typical = table.groupby("effect", sort=False)["shrinkage"].median().dropna()
    if len(typical):
        medians = ", ".join(f"{effect} {value:.2f}" for effect, value in typical.items())
        notes.append(f"shrinkage: share of the way from a level's own estimate to the fixed effect; median: {medians}.")
    return tuple(notes)
