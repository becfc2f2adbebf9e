r"""Shares of subjects: above a threshold, and with a slope of the other sign."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.heterogeneity import opposite_sign_share
from bayesglmm.numerics.links import Link
from bayesglmm.numerics.spread import share_above
from bayesglmm.post.changes import slope_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.hierarchy import make_pools, observed_combinations
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, term_eta
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, unkept_draws
from bayesglmm.post.row_blocks import RowSummary
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.subjects import make_subjects, subject_mean, subject_variance, subject_words
from bayesglmm.post.targets import check_monotone
from bayesglmm.types import FloatArray, IntArray

SHARE: Final = "share"
AMONG: Final = ("population", "observed_groups")


@takes_fit
def shares(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    at: Any = None,
    *,
    threshold: float | Sequence[float],
    over: Collection[str] | str | None = None,
    keep_draws: bool = True,
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
        Names of the grouping factors whose levels are the subjects; all when None. The others are as for
        :func:`bayesglmm.post.heterogeneity.heterogeneity`: at the level that ``at`` names, or zero.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws times lines.
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
    subjects = make_subjects(fit, over, at)
    check_monotone(fit.link)
    cutoffs = _thresholds(fit.link, threshold)
    rows = build_rows(fit, {} if at is None else at, target="population", given=subjects.given)
    parameters, on_link = fit_parameters(fit, effects=subjects.given), fit.link.link(cutoffs)

    def values(part: Rows) -> FloatArray:
        m, v = subject_mean(parameters, part, subjects), subject_variance(parameters, part, subjects)
        return share_above(on_link, m[:, :, None], v[:, :, None])

    found = _summarised(values, rows, (parameters.n_draws, len(cutoffs)), choice, keep_draws=keep_draws)
    noun, who = "probability" if fit.link.onto_unit_interval else "mean", subject_words(subjects.over)
    target = f"{who}, old and new: share with h(x'beta + z'b) > threshold, b ~ N(0, D){subjects.others}"
    note = "The posterior mean of a share is also the probability that a new subject is above the threshold."
    table, draws = _table(fit, rows, {"threshold": cutoffs}, found)
    title = f"Share of the {who} whose {noun} is above a threshold"
    return Result(title, target, table, draws, (*rows.notes, note, *run_notes(fit)), choice)


@takes_fit
def opposite_slopes(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    variable: str,
    at: Any = None,
    *,
    over: Collection[str] | str | None = None,
    keep_draws: bool = True,
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
        Names of the grouping factors whose levels are the subjects; all when None. The others are as for
        :func:`bayesglmm.post.heterogeneity.heterogeneity`: at the level that ``at`` names, or zero.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws times lines.
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
    DesignError
        If the formula's columns jump or bend at a row.
    ColumnError, LevelError, MissingValueError
        If ``variable`` or ``at`` is not what it must be.
    """
    choice = make_interval(ci_prob, ci_kind)
    subjects = make_subjects(fit, over, at)
    rows = slope_rows(fit, variable, at, given=subjects.given)
    rows = replace(rows, frame=rows.frame.reset_index(drop=True))
    differing = tuple(k for k in subjects.varying if rows.Z[k].any())
    if not differing:
        raise ArgumentError(
            f"the slopes in {variable} of the {subject_words(subjects.over)} are equal",
            where=fit.spec.formula,
            fix=f"add random slopes, such as ({variable} | {subjects.over[0]})",
        )
    parameters = fit_parameters(fit, effects=True)
    combinations = observed_combinations(fit, differing, given=subjects.held)
    pools = make_pools(fit, combinations, rows.index, rows.n_rows)
    levels = {row: dict(zip(differing, pool.levels, strict=True)) for pool in pools for row in pool.rows.tolist()}

    def values(part: Rows) -> FloatArray:
        average = subject_mean(parameters, part, subjects)
        population = opposite_sign_share(average, np.sqrt(subject_variance(parameters, part, subjects)))
        return np.stack([population, _observed_share(parameters, part, average, [levels[i] for i in part.frame.index])], axis=2)

    found = _summarised(values, rows, (parameters.n_draws, len(AMONG)), choice, keep_draws=keep_draws)
    who = subject_words(tuple(dict.fromkeys(fit.design.groups[k].name for k in differing)))
    counted = "those that belong to the named levels" if combinations.parents else f"the {len(combinations.levels[0])} {who} in the data"
    target = f"population and observed_groups: {who} with sign(dx'beta + dz'b) other than sign(dx'beta){subjects.others}"
    note = f"population: the slopes' normal distribution; observed_groups: {counted}, by their b."
    table, draws = _table(fit, rows, {"among": np.array(AMONG, dtype=object)}, found)
    title = f"Share of the {who} whose slope in {variable} has the other sign than that of the average subject"
    return Result(title, target, table, draws, (*rows.notes, note, *run_notes(fit)), choice)


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


def _summarised(
    values: Callable[[Rows], FloatArray], rows: Rows, shape: tuple[int, int], choice: IntervalChoice, *, keep_draws: bool
) -> RowSummary:
    """Summarise K quantities of each row, a few rows at a time.

    Parameters
    ----------
    values
        From some rows to draws of their quantities, (S, rows, K).
    rows
        n rows.
    shape
        Draws S and quantities K.
    choice
        Level and kind of the intervals.
    keep_draws
        Whether all draws are returned, (S, n x K), the quantities changing fastest.
    """
    n_draws, each = shape
    kept = np.empty((n_draws, rows.n_rows * each)) if keep_draws else None
    parts = []
    for block in draw_blocks(rows.n_rows, n_draws * each):
        draws = values(rows.take(np.arange(block.start, block.stop))).reshape(n_draws, -1)
        parts.append(summarise(draws, choice))
        if kept is not None:
            kept[:, block.start * each : block.stop * each] = draws
    return RowSummary({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, kept)


def _table(fit: Fit, rows: Rows, named: dict[str, NDArray[Any]], found: RowSummary) -> tuple[pd.DataFrame, xr.Dataset]:
    """One line per row and value of the one named column, and the draws of these lines, where they are kept."""
    ((name, own),) = named.items()
    labels = rows.frame.iloc[np.repeat(np.arange(rows.n_rows), len(own))]
    table = join_columns(labels, {name: np.tile(own, rows.n_rows), **found.columns}, reserved=(SHARE,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    if found.draws is None:
        return table, unkept_draws(sizes)
    coords = {str(c): table[c].to_numpy() for c in table.columns[: labels.shape[1] + 1]}
    return table, draws_dataset({SHARE: found.draws}, sizes, "row", coords)


def _observed_share(parameters: Parameters, rows: Rows, average: FloatArray, levels: Sequence[dict[int, IntArray]]) -> FloatArray:
    """Count the share (S, n) of combinations of levels of some group terms, those of each row, with a slope of the other sign."""
    share = np.empty(average.shape)
    for block in draw_blocks(parameters.n_draws, max(len(own) for chosen in levels for own in chosen.values())):
        part = parameters.take(block)
        for i, chosen in enumerate(levels):
            own = average[block, i, None] + _group_slopes(part, rows, i, chosen)
            share[block, i] = np.mean(own * average[block, i, None] < 0.0, axis=1)
    return share


def _group_slopes(parameters: Parameters, rows: Rows, i: int, levels: dict[int, IntArray]) -> FloatArray:
    """Add up the random part (S, C) of the slope at row i of the levels (C,) of some group terms."""
    return np.asarray(sum(term_eta(parameters.groups[k], rows.Z[k][i : i + 1], chosen) for k, chosen in levels.items()))
