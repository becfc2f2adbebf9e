r"""Shares of subjects: above a threshold, and with a slope of the other sign."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.heterogeneity import opposite_sign_share
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.spread import share_above
from bayesglmm.post.changes import chosen_factors, only, others_at_zero, slope_rows
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, group_variance, term_eta
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.targets import check_monotone
from bayesglmm.types import FloatArray, IntArray

SHARE: Final = "share"


def shares(
    fit: Fit,
    at: Any = None,
    *,
    threshold: float | Sequence[float],
    over: Sequence[str] | str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Share of the subjects whose mean (for Bernoulli and binomial responses: probability) is above a threshold.

    .. math:: P(h(\eta) > t) = 1 - \Phi\!\left((g(t) - m) / \sqrt v\right), \quad m = o + x'\beta, \quad v = \sum_t z_t' D_t z_t

    per draw. It speaks of the subjects' own means, not of single responses.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    at
        As for :func:`bayesglmm.post.heterogeneity.heterogeneity`.
    threshold
        On the response scale; one number or several.
    over
        Names of the grouping factors whose levels are the subjects; random effects of the others are at zero. All when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per row of ``at`` and threshold: ``threshold``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the
        share. ``draws``: variable ``share`` with dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, or a threshold is outside the range of the means.
    FamilyError
        If the link's inverse cannot take every predictor (inverse, sqrt).
    ColumnError, LevelError, MissingValueError
        If ``at`` is not what it must be.
    """
    choice = make_interval(ci_prob, ci_kind)
    factors = chosen_factors(fit, over)
    check_monotone(fit.link)
    cutoffs = _thresholds(fit.link, threshold)
    rows = build_rows(fit, {} if at is None else at, target="population")
    parameters, counted = fit_parameters(fit, effects=False), only(fit, rows, factors)
    m, v = fixed_eta(parameters, counted), group_variance(parameters, counted)
    draws = np.concatenate([share_above(fit.link.link(cutoffs), m[:, [i]], v[:, [i]]) for i in range(rows.n_rows)], axis=1)
    labels = _repeated(rows.frame, len(cutoffs)).assign(threshold=np.tile(cutoffs, rows.n_rows))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    noun = "probability" if fit.link.onto_unit_interval else "mean"
    named = ", ".join(factors)
    target = f"levels of {named}, old and new: share with h(x'beta + z'b) > threshold, b ~ N(0, D){others_at_zero(fit, factors)}"
    note = "The posterior mean of a share is also the probability that a new subject is above the threshold."
    return Result(
        f"Share of the levels of {named} whose {noun} is above a threshold",
        target,
        join_columns(labels, summarise(draws, choice), reserved=(SHARE,)),
        draws_dataset({SHARE: draws}, sizes, "row", {"threshold": labels["threshold"].to_numpy()}),
        (*rows.notes, note, *run_notes(fit)),
        choice,
    )


def opposite_slopes(
    fit: Fit,
    variable: str,
    at: Any = None,
    *,
    over: Sequence[str] | str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Share of the groups whose slope has the other sign than that of the average subject. Two numbers, two names.

    .. math:: \text{population: } \Phi(-|d| / \sqrt w), \qquad
              \text{observed\_groups: } C^{-1} \#\{c : (d + \textstyle\sum_t dz_t' b_{t, j_t(c)})\,d < 0\}

    per draw, with :math:`d = dx'\beta` the slope of the average subject, :math:`w = \sum_t dz_t' D_t dz_t` the variance of the slopes and
    c the combinations of levels in the data, of those factors whose slopes differ.

    Parameters
    ----------
    fit
        A fit with random slopes in the variable, and with draws of its random effects.
    variable
        The number whose slope is meant.
    at
        Rows at which the slope is taken, as for :func:`bayesglmm.post.heterogeneity.heterogeneity`; they matter where it is not the same
        everywhere (interactions, curves).
    over
        Names of the grouping factors whose levels are the subjects; random effects of the others are at zero. All when None.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, two rows per row of ``at``: ``among`` (``population``, ``observed_groups``), ``mean``, ``sd``, ``median``,
        ``ci_lower``, ``ci_upper`` of the share. ``draws``: variable ``share`` with dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If no grouping factor has random slopes in the variable.
    ColumnError, LevelError, MissingValueError
        If ``variable`` or ``at`` is not what it must be.
    """
    choice = make_interval(ci_prob, ci_kind)
    factors = chosen_factors(fit, over)
    rows = only(fit, slope_rows(fit, variable, at), factors)
    if not any(z.any() for z in rows.Z):
        raise ArgumentError(
            f"the slopes in {variable} of the levels of {', '.join(factors)} are equal",
            where=fit.spec.formula,
            fix=f"add random slopes, such as ({variable} | {factors[0]})",
        )
    parameters = fit_parameters(fit, effects=True)
    population = opposite_sign_share(fixed_eta(parameters, rows), np.sqrt(group_variance(parameters, rows)))
    observed, n_groups = _observed_share(fit, parameters, rows)
    draws = np.stack([population, observed], axis=2).reshape(len(population), -1)
    labels = _repeated(rows.frame, 2).assign(among=np.tile(["population", "observed_groups"], rows.n_rows))
    sizes, named = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]), ", ".join(factors)
    zero = others_at_zero(fit, factors)
    target = f"population and observed_groups: levels of {named} with sign(dx'beta + dz'b) other than sign(dx'beta){zero}"
    note = f"population: the slopes' normal distribution; observed_groups: the {n_groups} combinations of levels in the data, by their b."
    return Result(
        f"Share of the levels of {named} whose slope in {variable} has the other sign than that of the average subject",
        target,
        join_columns(labels, summarise(draws, choice), reserved=(SHARE,)),
        draws_dataset({SHARE: draws}, sizes, "row", {"among": labels["among"].to_numpy(dtype=object)}),
        (*rows.notes, note, *run_notes(fit)),
        choice,
    )


def _thresholds(link: Link, threshold: float | Sequence[float]) -> FloatArray:
    """Thresholds as numbers (k,), inside the range of the means."""
    try:
        values = np.atleast_1d(np.asarray(threshold, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"threshold={threshold!r} is not a number", fix="give one number on the response scale, or several") from error
    low, high = link.mean_interval
    wrong = [f"{t:g}" for t in values.ravel() if not low < t < high or not np.isfinite(t)]
    if wrong or values.ndim != 1 or not values.size:
        what = f"threshold={threshold!r} is not inside the range of the means, {low:g} to {high:g}"
        raise ArgumentError(what, fix="give one number on the response scale, or several")
    return values


def _repeated(frame: pd.DataFrame, times: int) -> pd.DataFrame:
    """Repeat each row so many times."""
    return frame.iloc[np.repeat(np.arange(len(frame)), times)].reset_index(drop=True)


def _observed_share(fit: Fit, parameters: Parameters, rows: Rows) -> tuple[FloatArray, int]:
    """Count the share (S, n) of the observed combinations of levels with a slope of the other sign, and how many combinations there are."""
    differing = [k for k, z in enumerate(rows.Z) if z.any()]
    levels = np.unique(np.stack([fit.design.groups[k].index for k in differing], axis=1), axis=0)
    average = fixed_eta(parameters, rows)
    share = np.empty(average.shape)
    for block in draw_blocks(parameters.n_draws, len(levels)):
        part = parameters.take(block)
        for i in range(rows.n_rows):
            own = average[block, i, None] + _group_slopes(part, rows, i, dict(zip(differing, levels.T, strict=True)))
            share[block, i] = np.mean(own * average[block, i, None] < 0.0, axis=1)
    return share, len(levels)


def _group_slopes(parameters: Parameters, rows: Rows, i: int, levels: dict[int, IntArray]) -> FloatArray:
    """Add up the random part (S, C) of the slope at row i of the levels (C,) of some group terms."""
    return np.asarray(sum(term_eta(parameters.groups[k], rows.Z[k][i : i + 1], chosen) for k, chosen in levels.items()))
