"""The covariance and the correlation that random effects imply for the responses of one subject: two heat maps with numbers."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import COLOURS, INK, headline, new_panels, nothing_to_draw, plain, result_of
from bayesglmm.post.axis import spaced_times
from bayesglmm.post.implied_covariance import CORRELATION, COVARIANCE, implied_covariance
from bayesglmm.post.result import Result
from bayesglmm.post.values import shown
from bayesglmm.types import FloatArray

NEEDED = {"quantity", "row", "column", "mean"}
NUMBERED = 12
"""With more times than this the numbers would be illegible, and are left out."""
SMALL, LARGE = 0.01, 1e5
"""Of numbers that are written without an exponent."""
DARK = 0.62
"""Of the largest number; beyond it the text in a cell is white."""
MAP = LinearSegmentedColormap.from_list("sign", [COLOURS[0], "#ffffff", COLOURS[1]])
"""Blue below zero, white at zero, vermilion above."""


def plot_covariance(given: Result | Fit, *, title: str | None = None) -> Figure:
    """Draw the two matrices of :func:`bayesglmm.post.implied_covariance.implied_covariance`.

    Parameters
    ----------
    given
        What ``implied_covariance`` returned. Of a fit, that at up to six of the values of the column that has a random slope, spaced
        equally among those that occur.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Posterior means; blue below zero, vermilion above.

    Raises
    ------
    ArgumentError
        If the result is no result of ``implied_covariance``. Of a fit, if no column or several have a random slope, or there are several
        grouping factors and none of them has it.
    FamilyError
        If the response is not Gaussian with identity link.
    """
    result = result_of(given, "implied_covariance", _of_fit)
    table = result.table
    if not set(map(str, table.columns)) >= NEEDED or not {COVARIANCE, CORRELATION} <= set(table["quantity"]):
        raise nothing_to_draw("implied_covariance", result)
    times, V = _matrix(table, COVARIANCE)
    _, R = _matrix(table, CORRELATION)
    size = 1.6 + max(1.6, 0.44 * min(len(times), NUMBERED))
    figure, panels = new_panels(1, 2, width=2.0 * size, height=size + 0.5)
    for axes, matrix, words, largest in zip(panels, (V, R), ("covariance", "correlation"), (float(np.abs(V).max()), 1.0), strict=True):
        _panel(axes, matrix, times, largest)
        axes.set_title(words, loc="left", color=INK)
        axes.set_xlabel(_axis(result))
    panels[0].set_ylabel(_axis(result))
    headline(figure, result, title, intervals=False)
    return figure


def _of_fit(fit: Fit) -> Result:
    """Make the matrices at a few times of the column with a random slope; its own error where there is no such column."""
    times, factor = spaced_times(fit)
    return implied_covariance(fit, times, factor=factor)


def _matrix(table: pd.DataFrame, quantity: str) -> tuple[list[Any], FloatArray]:
    """List the times, and make a symmetric matrix (T, T) of posterior means."""
    part = table[table["quantity"] == quantity]
    times = list(dict.fromkeys(part["row"]))
    place = {time: k for k, time in enumerate(times)}
    rows, columns = ([place[t] for t in part[c]] for c in ("row", "column"))
    matrix = np.full((len(times), len(times)), np.nan)
    matrix[rows, columns] = matrix[columns, rows] = part["mean"].to_numpy(dtype=np.float64)
    return times, matrix


def _axis(result: Result) -> str:
    """Name the column of the times, with which the target's sentence ends."""
    return plain(result.target.rpartition(" at ")[2])


def _panel(axes: Axes, matrix: FloatArray, times: list[Any], largest: float) -> None:
    """Draw one matrix, its first row on top, with its numbers."""
    limit = largest if largest > 0.0 else 1.0
    axes.imshow(matrix, cmap=MAP, norm=Normalize(-limit, limit), interpolation="nearest")
    ticks = range(len(times)) if len(times) <= NUMBERED else range(0, len(times), -(-len(times) // NUMBERED))
    axes.set_xticks(ticks, [plain(shown(times[k])) for k in ticks])
    axes.set_yticks(ticks, [plain(shown(times[k])) for k in ticks])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(times) > NUMBERED:
        return
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if abs(value) > DARK * limit else INK
        axes.text(j, i, _number(float(value), limit), ha="center", va="center", fontsize=9, color=colour)


def _number(value: float, largest: float) -> str:
    """Write a number to three digits of the largest one; very large and very small ones with an exponent."""
    if not SMALL <= largest < LARGE:
        return f"{value:.1e}"
    return f"{value:.{max(0, 2 - int(np.floor(np.log10(largest))))}f}"
