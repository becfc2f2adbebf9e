r"""Lines of a table that are made of averages at several versions of the same rows: contrasts of them, slopes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.fit.draws import CHAIN, DRAW
from bayesglmm.fit.fit import Fit
from bayesglmm.post.new_groups import listed
from bayesglmm.post.result import draws_dataset, unkept_draws
from bayesglmm.post.rows import Rows
from bayesglmm.post.scenarios import Averages, Scene, average_versions
from bayesglmm.types import FloatArray, Target

AT_ONCE: Final = 2**20
"""Numbers in draws x rows x versions that one array holds where draws are not kept: 8 MiB."""

type Summary = Callable[[Averages, int], tuple[dict[str, FloatArray], FloatArray]]
"""From averages, and the number of averages before them, to columns of a table and the draws behind them, shape (S, lines)."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a table, summarised.

    Attributes
    ----------
    frame
        k rows: what tells the averages apart that the lines are made of.
    columns
        Columns of numbers; the lines of one average stand beside each other.
    draws
        Shape (S, lines); None when they are not kept.
    single, notes, bound
        As of :class:`bayesglmm.post.scenarios.Averages`.
    """

    frame: pd.DataFrame
    columns: dict[str, FloatArray]
    draws: FloatArray | None
    single: bool
    notes: tuple[str, ...]
    bound: float


def summarise_versions(fit: Fit, scene: Scene, versions: Sequence[Rows], target: Target, summary: Summary, *, keep_draws: bool) -> Lines:
    """Summarise what is made of averages at several versions of the same rows.

    Where draws are not kept and every row is a line, rows are taken a few at a time, so that memory does not grow with draws x rows.

    Parameters
    ----------
    fit, scene, versions, target
        As for :func:`bayesglmm.post.scenarios.average_versions`.
    summary
        What is made of the averages.
    keep_draws
        Whether the draws are returned.
    """
    n_rows, width = versions[0].n_rows, fit.posterior.sizes[CHAIN] * fit.posterior.sizes[DRAW] * len(versions)
    if keep_draws or scene.by is not None or n_rows * width <= AT_ONCE:
        found = average_versions(fit, scene, versions, target)
        columns, draws = summary(found, 0)
        return Lines(found.frame, columns, draws if keep_draws else None, found.single, found.notes, found.bound)
    parts: list[dict[str, FloatArray]] = []
    said: list[tuple[float, tuple[str, ...]]] = []
    step = max(1, AT_ONCE // width)
    for first in range(0, n_rows, step):
        some = np.arange(first, min(first + step, n_rows), dtype=np.int64)
        found = average_versions(fit, scene, [replace(v.take(some), notes=v.notes) for v in versions], target)
        parts.append(summary(found, first)[0])
        said.append((found.bound, found.notes))
    bound, notes = max(said)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Lines(versions[0].frame.reset_index(drop=True), columns, None, True, notes, bound)


def line_draws(fit: Fit, name: str, draws: FloatArray | None, labels: pd.DataFrame) -> xr.Dataset:
    """Draws (S, lines) with what tells the lines apart as coordinates; no variable when they were not kept."""
    sizes = fit.posterior.sizes[CHAIN], fit.posterior.sizes[DRAW]
    if draws is None:
        return unkept_draws(sizes)
    return draws_dataset({name: draws}, sizes, "row", {str(c): labels[c].to_numpy() for c in labels.columns})


def lines_beyond(draws: FloatArray, first: int) -> str:
    """Name the lines that are not finite in some draw, the first column being line ``first`` of the table; empty when there are none."""
    lines = [str(k + first) for k in np.flatnonzero(~np.isfinite(draws).all(axis=0))]
    return f"{'line' if len(lines) == 1 else 'lines'} {listed(lines)} (counted from 0)" if lines else ""
