r"""Means and probabilities for a named target, on the data, on new rows or on a grid.

Per draw: the mean of each row for the target, then the average over rows, then (on the link scale) the link of it. Only then
are draws summarised: the average of interval ends is not an interval of the average.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import Link
from bayesglmm.post.cells import Cells, make_cells, row_weights, weighted_by
from bayesglmm.post.door import takes_fit
from bayesglmm.post.hierarchy import Combinations, make_pools, observed_combinations, terms_of
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.linear_predictor import Parameters, fit_parameters, map_blocks
from bayesglmm.post.ranges import overflow_notes, summarise_means
from bayesglmm.post.result import Result, draws_dataset, join_columns, own_level_notes, run_notes, unkept_draws
from bayesglmm.post.rows import Rows, build_rows, distinct_rows
from bayesglmm.post.targets import NEEDS_EFFECTS, TARGETS, Setting, averaging, averaging_sentence, mean_predictor
from bayesglmm.post.words import mean_words
from bayesglmm.types import FloatArray, Scale, Target, check_choice

MEAN = "mean_response"
AT_ONCE = 2**22
"""Numbers in draws x rows that are held where draws are not kept: 32 MiB."""


@takes_fit
def means(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    at: Any = None,
    *,
    target: Target,
    by: str | Sequence[str] | None = None,
    over: str | Sequence[str] | None = None,
    scale: Scale = "response",
    weights: Any = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Means, for Bernoulli and binomial responses probabilities.

    .. math:: h(x'\beta), \quad E_b\,h(x'\beta + z'b), \quad C^{-1} \textstyle\sum_c h(x'\beta + z'b_c), \quad h(x'\beta + z'b_j)

    for the targets ``average_subject``, ``population``, ``observed_groups`` and ``group``.

    Parameters
    ----------
    fit
        A fit.
    at
        None for the rows of the data; a mapping for a grid, ``{"year": [0, 5, 10], "drug": "all"}``, with the other columns held at their
        mean or reference level (the notes say at what); any table for new rows.
    target
        Which mean; there is no default. ``observed_groups`` averages over the combinations of levels that occur in the data, each
        counted once. ``group`` takes levels from ``at``; a level of a nested factor brings that of the factor that it is nested in along.
    by
        Column or columns: rows are averaged within its levels. Without it every row of ``at`` is a row of the table, and the rows of
        the data are averaged into one.
    over
        Names of the grouping factors averaged over, ``["patient"]``, for ``population`` and ``observed_groups``; None for all. The others
        are given: ``at`` names a level of each (without ``at`` the rows of the data do), and its effects are added to the predictor.
        ``observed_groups`` then averages over the distinct combinations of levels of the named factors alone, of factors that are nested in
        a given one over the levels that belong to it.
    scale
        ``response``, or ``link``: the link of the number on the response scale, for the population :math:`g(E\,h)`.
    weights
        Name of a column, or one number per row: weights of the average over rows.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with the number of lines times draws.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns of the row or cell, then ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``: variable
        ``mean_response`` with dims (chain, draw, row); empty where they are not kept.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError
        If an argument or a row of ``at`` is not what it must be.
    FamilyError
        If the link has no population mean (inverse, sqrt); gives the reason.

    Notes
    -----
    Population means are one-dimensional integrals per draw and distinct row, because z'b is normal: closed for identity, log and
    probit, otherwise by the trapezoid rule with its error bound in the notes (Trefethen and Weideman 2014, SIAM Review 56, 385), and for
    many rows and draws by a table of it, whose own error is part of that bound (:mod:`bayesglmm.numerics.tabulate`).
    """
    choice = make_interval(ci_prob, ci_kind)
    lines = mean_lines(fit, at, target=target, by=by, over=over, scale=scale, weights=weights)
    summary, draws, bound = _summarised(lines, choice, keep_draws=keep_draws)
    labels = join_columns(lines.cells.frame, summary, reserved=(MEAN,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {str(c): labels[c].to_numpy() for c in labels.columns[: lines.cells.frame.shape[1]]}
    dataset = unkept_draws(sizes) if draws is None else draws_dataset({MEAN: draws}, sizes, "row", coords)
    dataset = dataset.assign_attrs(mean=mean_words(fit)) if scale == "response" else dataset
    notes = (*lines.notes(bound), *overflow_notes(summary["mean"]), *run_notes(fit))
    return Result(_title(fit.link, target, scale), lines.sentence, labels, dataset, notes, choice)


@dataclass(frozen=True, slots=True)
class _Source:
    """What the means of any rows are computed from; made once for all of them."""

    fit: Fit
    parameters: Parameters
    combinations: Combinations | None
    given: tuple[int, ...]
    target: Target
    scale: Scale


@dataclass(frozen=True, slots=True, eq=False)
class MeanLines:
    """Means that have been asked for and are yet to be computed.

    Attributes
    ----------
    source
        Their draws.
    rows
        Distinct rows.
    cells
        k averages over them: the lines of a table.
    sentence
        The target in words.
    said
        Notes on the rows.
    """

    source: _Source
    rows: Rows
    cells: Cells
    sentence: str
    said: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of lines k."""
        return len(self.cells.start)

    def draws(self, part: slice) -> tuple[FloatArray, float]:
        """Draws (S, lines) of neighbouring lines, and the bound on their integration error."""
        return _averages(self.source, *_some_cells(self.rows, self.cells, part))

    def notes(self, bound: float) -> tuple[str, ...]:
        """Return what a reader must know, given the bound on the integration error."""
        if self.source.target != "population" or not self.rows.Z:
            return self.said
        how = f"integration error <= {bound:.0e}" if bound > 0.0 else "closed form"
        return (*self.said, f"Population means: {how}; random effects are assumed normal.")


def mean_lines(  # noqa: PLR0913 (the arguments of means)
    fit: Fit,
    at: Any,
    *,
    target: Target,
    by: str | Sequence[str] | None = None,
    over: str | Sequence[str] | None = None,
    scale: Scale = "response",
    weights: Any = None,
) -> MeanLines:
    """Check what means are asked for, and make their rows.

    Parameters
    ----------
    fit, at, target, by, over, scale, weights
        As for :func:`means`.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError
        As :func:`means` does.
    """
    check_choice("target", target, Target)
    check_choice("scale", scale, Scale)
    factors = averaging(fit, over, target)
    columns = averaging_columns(by, at)
    if columns is None and weights is not None:
        raise ArgumentError(
            "weights are given, but no rows are averaged", where="weights", fix="name the columns to average within, by=..."
        )
    extra = [*(columns or ()), *([weights] if isinstance(weights, str) else ())]
    rows = build_rows(fit, at, target=target, extra=extra, given=factors.given)
    unique, which = distinct_rows(rows, levels=target == "group" or bool(factors.given))
    cells = make_cells(rows, which, by=columns, weights=row_weights(rows, weights))
    said = (*rows.notes, *_notes(rows, columns, weights), *own_level_notes(fit, columns, target, factors.given))
    return MeanLines(_source(fit, target, scale, factors.given), unique, cells, averaging_sentence(target, factors), said)


def _summarised(lines: MeanLines, choice: IntervalChoice, *, keep_draws: bool) -> tuple[dict[str, FloatArray], FloatArray | None, float]:
    """Return summaries of the lines, their draws where they are kept, and the integration bound.

    Where draws are not kept, a few lines are taken at a time; where every line is a row, rows that several lines share are summarised once.
    """
    source, cells = lines.source, lines.cells
    step = max(1, AT_ONCE // source.parameters.n_draws)
    if keep_draws or lines.size <= step:
        draws, bound = _averages(source, lines.rows, cells)
        return summarise_means(draws, choice), draws if keep_draws else None, bound
    once = replace(lines, cells=_one_cell_each(lines.rows)) if cells.single else lines
    parts, bound = [], 0.0
    for first in range(0, once.size, step):
        draws, error = once.draws(slice(first, first + step))
        parts.append(summarise_means(draws, choice))
        bound = max(bound, error)
    columns = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return {name: column[cells.row] for name, column in columns.items()} if cells.single else columns, None, bound


def _one_cell_each(rows: Rows) -> Cells:
    """Every distinct row a cell of its own."""
    own = np.arange(rows.n_rows, dtype=np.int64)
    return Cells(rows.frame, own, np.ones(rows.n_rows), own)


def _some_cells(rows: Rows, cells: Cells, part: slice) -> tuple[Rows, Cells]:
    """Take neighbouring cells, and the distinct rows that they average."""
    ends = np.append(cells.start, len(cells.row))[part.start : part.stop + 1]
    pairs = slice(int(ends[0]), int(ends[-1]))
    used, row = np.unique(cells.row[pairs], return_inverse=True)
    return rows.take(used), Cells(cells.frame.iloc[part], row.reshape(-1).astype(np.int64), cells.weight[pairs], ends[:-1] - ends[0])


def cell_means(fit: Fit, rows: Rows, cells: Cells, *, target: Target, scale: Scale, given: Sequence[str] = ()) -> tuple[FloatArray, float]:
    """Draws of averages over rows, and the bound on their integration error.

    Draws are taken in blocks, so that beside the result (S, k) the memory in use does not depend on S; a few blocks at a time are
    worked on by threads.

    Parameters
    ----------
    fit
        A fit.
    rows
        Distinct rows.
    cells
        k averages over them.
    target, scale
        As for :func:`means`.
    given
        Names of the grouping factors that are conditioned on; ``rows`` hold their levels.

    Returns
    -------
    tuple
        Draws of shape (S, k), and the bound.
    """
    return _averages(_source(fit, target, scale, given), rows, cells)


def _source(fit: Fit, target: Target, scale: Scale, given: Sequence[str]) -> _Source:
    """Take the draws that the target reads, and the combinations of levels that it averages over."""
    parameters = fit_parameters(fit, effects=target in NEEDS_EFFECTS or tuple(given))
    positions = terms_of(fit, given)
    averaged = [k for k in range(len(fit.design.groups)) if k not in positions]
    combinations = observed_combinations(fit, averaged, given=positions) if target == "observed_groups" else None
    return _Source(fit, parameters, combinations, positions, target, scale)


def _averages(source: _Source, rows: Rows, cells: Cells) -> tuple[FloatArray, float]:
    """Draws (S, k) of averages over distinct rows, and the bound on their integration error."""
    link, combinations = source.fit.link, source.combinations
    pools = () if combinations is None else make_pools(source.fit, combinations, rows.index, rows.n_rows)
    setting = Setting(rows, link, pools, source.given)
    values = np.empty((source.parameters.n_draws, len(cells.start)))

    def fill(block: slice) -> float:
        predictors = TARGETS[source.target](source.parameters.take(block), setting)
        values[block] = _reduce(link, predictors.value, cells, source.scale)
        return predictors.bound

    return values, max(map_blocks(source.parameters.n_draws, max(rows.n_rows, len(cells.row)), fill), default=0.0)


def averaging_columns(by: str | Sequence[str] | None, at: Any) -> tuple[str, ...] | None:
    """Columns to average within, each once; none for one average of all rows of the data; None for a line per row.

    Raises
    ------
    ArgumentError
        If ``by`` names no columns.
    """
    if by is None:
        return () if at is None else None
    names = [by] if isinstance(by, str) else list(by) if isinstance(by, Sequence) else [by]
    if not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"by={by!r} names no columns", fix="give the name of a column, or a list of names")
    return tuple(dict.fromkeys(names))


def _reduce(link: Link, eta: FloatArray, cells: Cells, scale: Scale) -> FloatArray:
    """From predictors of rows (S, n) to averages of cells (S, k) on the scale asked for."""
    if scale == "response":
        # the weights of a cell sum to one up to rounding only, which must not push a probability above one
        return np.clip(cells.average(link.inverse(eta)), *link.mean_interval)
    return cells.average(eta) if cells.single else mean_predictor(link, eta, cells.average)


def _title(link: Link, target: Target, scale: Scale) -> str:
    noun = "Probabilities" if link.onto_unit_interval else "Means"
    if scale == "response":
        return f"{noun}, response scale"
    what = "g(E h), the link of the population mean" if target == "population" else "the link of the mean"
    return f"{noun}, link scale ({link.name}): {what}"


def _notes(rows: Rows, columns: Sequence[str] | None, weights: Any) -> tuple[str, ...]:
    if columns is None:
        return ()
    within = f"within {', '.join(columns)}" if columns else "into one number"
    return (f"{rows.n_rows} rows averaged {within}{weighted_by(weights)}, per draw.",)
