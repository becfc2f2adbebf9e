"""Means of new rows: each for the group that it names, which may be one that the fit has not seen."""

from typing import Any

from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.links import Link
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.means import MEAN
from bayesglmm.post.new_groups import (
    GroupRows,
    Source,
    check_seed,
    group_predictor,
    make_source,
    new_group_notes,
    read_group_rows,
)
from bayesglmm.post.ranges import overflow_notes
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, target_sentence, unkept_draws
from bayesglmm.post.row_blocks import RowSummary, summarise_rows
from bayesglmm.types import Scale, UnseenLevels, check_choice


@takes_fit
def predict(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    newdata: Any = None,
    *,
    new_groups: UnseenLevels = "error",
    scale: Scale = "response",
    seed: int | None = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Mean of the response in each row, for the groups that the row names: target ``group``.

    .. math:: h(o + x'\beta + \textstyle\sum_t z_t' b_{t, j_t})

    on the response scale; on the link scale without h.

    Parameters
    ----------
    fit
        A fit.
    newdata
        None for the rows of the data; else any table, or a dict of arrays, with the columns of predictors and grouping factors. A new group
        needs a name that no observed one has.
    new_groups
        What a level means that the fit has not seen. ``error``: it is refused. ``population``: its effects are drawn from N(0, D), once per
        posterior draw. ``observed``: per posterior draw they are those of a randomly chosen observed level. Rows of one new level share its
        draw, and distinct levels have distinct ones; a new child of a known parent keeps the parent's draws.
    scale
        ``response``, or ``link`` for the linear predictor.
    seed
        Integer; the same seed gives the same draws of a new level, whatever the other rows are. A fresh one, which the notes name, when
        None. Without new levels nothing is random.
    keep_draws
        False leaves the draws out of the result, so that memory does not grow with draws x rows.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the mean.

    Returns
    -------
    Result
        ``table``, one row per row of ``newdata``: all its columns, in its order and with its index, then ``mean``, ``sd``, ``median``,
        ``ci_lower``, ``ci_upper``. ``draws``: variable ``mean_response`` with dims (chain, draw, row).

    Raises
    ------
    LevelError
        If a level is new and ``new_groups`` is ``error``, or a factor among the predictors has a new level; if a level of a nested factor
        stands with one that it does not belong to, or a new one with two.
    ArgumentError, ColumnError, MissingValueError, DesignError
        If an argument or a row is not what it must be.

    Notes
    -----
    This is the mean of responses, not a response: :func:`bayesglmm.post.simulate.simulate` draws those. The interval of a row with a new
    level is that of one level. Where the levels of all factors are new, with ``new_groups="population"`` and on the response scale, the
    mean over draws is that of the ``population`` target, up to the randomness of the draws.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_choice("new_groups", new_groups, UnseenLevels)
    check_choice("scale", scale, Scale)
    rows = read_group_rows(fit, newdata, new_groups=new_groups)
    source = make_source(fit, rows, new_groups=new_groups, seed=check_seed(seed))
    sizes = fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]
    found = predicted_rows(source, rows, fit.link, scale, choice, keep_draws=keep_draws)
    notes = (*new_group_notes(source, new_groups), *run_notes(fit))
    return mean_result(fit, scale, rows, found, sizes, (notes, choice))


def predicted_rows(
    source: Source, rows: GroupRows, link: Link, scale: Scale, choice: IntervalChoice, *, keep_draws: bool = True
) -> RowSummary:
    """Summaries of the means of some rows, and their draws."""

    def values(block: slice) -> Any:
        eta = group_predictor(source, rows.rows, block)
        return eta if scale == "link" else link.inverse(eta)

    return summarise_rows(values, rows.rows.n_rows, len(source.which), choice, keep_draws=keep_draws)


def mean_result(
    fit: Fit, scale: Scale, rows: GroupRows, found: RowSummary, sizes: tuple[int, int], words: tuple[tuple[str, ...], IntervalChoice]
) -> Result:
    """Put means of rows into the record of results; ``words`` are its notes, after those on the rows and their means, and its interval."""
    labels = join_columns(rows.rows.frame, found.columns, reserved=(MEAN,), keep_index=True)
    coords = {str(c): labels[c].to_numpy() for c in labels.columns[: rows.rows.frame.shape[1]]}
    draws = unkept_draws(sizes) if found.draws is None else draws_dataset({MEAN: found.draws}, sizes, "row", coords)
    notes = (*rows.rows.notes, *overflow_notes(found.columns["mean"]), *words[0])
    return Result(predict_title(fit.link, scale), _target(fit, scale), labels, draws, notes, words[1])


def _target(fit: Fit, scale: Scale) -> str:
    """Write the target; its formula, which stands last, has no h on the link scale."""
    sentence = target_sentence("group", list(dict.fromkeys(g.name for g in fit.design.groups)))
    if scale == "response":
        return sentence
    words, formula = sentence.rsplit("h(", 1)
    return f"{words}{formula.removesuffix(')')}"


def predict_title(link: Link, scale: Scale) -> str:
    """Say what is predicted, and on which scale."""
    if scale == "link":
        return f"Predicted linear predictors, link scale ({link.name})"
    return f"Predicted {'probabilities' if link.onto_unit_interval else 'means'}, response scale"
