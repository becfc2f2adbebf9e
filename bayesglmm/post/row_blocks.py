"""Tables of many rows: a few rows at a time, all draws of each, so that memory does not grow with draws x rows unless draws are kept."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bayesglmm.post.intervals import IntervalChoice
from bayesglmm.post.linear_predictor import draw_blocks
from bayesglmm.post.ranges import summarise_means
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class RowSummary:
    """Summaries of each row, and the draws behind them.

    Attributes
    ----------
    columns
        ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``, each of shape (n,).
    draws
        Shape (S, n); None when they are not kept.
    """

    columns: dict[str, FloatArray]
    draws: FloatArray | None


def summarise_rows(
    values: Callable[[slice], FloatArray], n_rows: int, n_draws: int, choice: IntervalChoice, *, keep_draws: bool
) -> RowSummary:
    """Summarise draws that are made a block of rows at a time.

    Parameters
    ----------
    values
        From a slice of rows to its draws (S, rows), called once per block in the order of the rows.
    n_rows, n_draws
        Rows n, at least one, and draws S.
    choice
        Level and kind of the intervals.
    keep_draws
        Whether all draws are returned.
    """
    kept = np.empty((n_draws, n_rows)) if keep_draws else None
    parts = []
    for block in draw_blocks(n_rows, n_draws):
        draws = values(block)
        parts.append(summarise_means(draws, choice))
        if kept is not None:
            kept[:, block] = draws
    return RowSummary({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, kept)
