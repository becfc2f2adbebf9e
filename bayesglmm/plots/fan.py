"""The fan: where the mean of a new subject is along a covariate, darker nearer to its median."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import COLOURS, INK, headline, mean_label, new_figure, nothing_to_draw, positions, result_of, say_held, short
from bayesglmm.post.axis import default_covariate
from bayesglmm.post.fan import fan
from bayesglmm.post.result import Result
from bayesglmm.types import FloatArray

NEEDED = {"quantile", "link", "response"}
SCALES = ("response", "link")
WIDTH = 7.0
HALF = 0.3
"""Half the width of the bar of a factor's level."""
LIGHTEST, DARKEST = 0.12, 0.85
"""Share of the colour in the outermost band, and next to the median."""
MEDIAN = 0.5
SEAM = 0.4
"""Width of the edges of a band, in its colour: without them white shows between neighbours."""


def plot_fan(given: Result | Fit, *, scale: str = "response", title: str | None = None) -> Figure:
    """Draw the quantiles of :func:`bayesglmm.post.fan.fan` as bands between neighbouring ones.

    Parameters
    ----------
    given
        What ``fan`` returned. Of a fit, that along a number with a random slope, else along a number, else along a factor.
    scale
        ``response``, or ``link``.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``fan`` or has one quantile only, or the scale is unknown; if the model has no grouping factor or no
        covariate.
    FamilyError
        If the link's inverse cannot take every predictor.
    """
    result = result_of(given, "fan", lambda fit: fan(fit, default_covariate(fit)))
    if not set(map(str, result.table.columns)) >= NEEDED:
        raise nothing_to_draw("fan", result)
    if scale not in SCALES:
        raise ArgumentError(f"scale={scale!r} is not known", fix=f"one of {', '.join(SCALES)}")
    table = result.table
    quantiles = table["quantile"].drop_duplicates().to_numpy(dtype=np.float64)
    if len(quantiles) < 2:
        raise ArgumentError("a fan needs two quantiles or more", where=f"quantiles={quantiles.tolist()}", fix="fan(fit, variable)")
    at, names = positions(table.iloc[:: len(quantiles), 0])
    values = table[scale].to_numpy(dtype=np.float64).reshape(-1, len(quantiles))
    figure, axes = new_figure(width=WIDTH, height=4.8)
    if names is None:
        _bands(axes, at, values, quantiles)
    else:
        _bars(axes, values, quantiles)
        axes.set_xticks(range(len(names)), names)
    axes.margins(x=0.02 if names is None else 0.1)
    axes.set_xlabel(short(table.columns[0], 48))
    axes.set_ylabel(mean_label(result) if scale == "response" else "linear predictor of a new subject")
    say_held(axes, result, width=WIDTH)
    headline(figure, result, title, intervals=False)
    words = f"new subjects: quantiles {quantiles[0]:g} to {quantiles[-1]:g}, darker nearer to the median"
    handles: list[Any] = [Patch(facecolor=shade(0.25), label=words)]
    figure.legend(handles=[*handles, *axes.get_legend_handles_labels()[0]], loc="outside lower center", ncols=1, frameon=False)
    return figure


def shade(quantile: float) -> tuple[float, float, float]:
    """Mix blue with white: the nearer to the median, the more of it.

    Parameters
    ----------
    quantile
        Middle of a band.
    """
    share = LIGHTEST + (DARKEST - LIGHTEST) * (1.0 - abs(2.0 * quantile - 1.0))
    red, green, blue = (1.0 - share * (1.0 - part) for part in to_rgb(COLOURS[0]))
    return red, green, blue


def _bands(axes: Axes, at: NDArray[Any], values: FloatArray, quantiles: FloatArray) -> None:
    """Fill between neighbouring quantiles (n, k) along a number."""
    for k in range(len(quantiles) - 1):
        colour = shade(float(quantiles[k] + quantiles[k + 1]) / 2.0)
        axes.fill_between(at, values[:, k], values[:, k + 1], facecolor=colour, edgecolor=colour, linewidth=SEAM, zorder=2)
    if MEDIAN in quantiles:
        axes.plot(at, values[:, int(np.flatnonzero(quantiles == MEDIAN)[0])], color=INK, linewidth=2.0, label="median", zorder=3)


def _bars(axes: Axes, values: FloatArray, quantiles: FloatArray) -> None:
    """Stack the bands of each level of a factor."""
    at = np.arange(len(values))
    for k in range(len(quantiles) - 1):
        colour = shade(float(quantiles[k] + quantiles[k + 1]) / 2.0)
        axes.bar(
            at, values[:, k + 1] - values[:, k], 2.0 * HALF, bottom=values[:, k], color=colour, edgecolor=colour, linewidth=SEAM, zorder=2
        )
    if MEDIAN in quantiles:
        middle = values[:, int(np.flatnonzero(quantiles == MEDIAN)[0])]
        axes.hlines(middle, at - HALF, at + HALF, color=INK, linewidth=2.0, label="median", zorder=3)
    axes.grid(axis="x", visible=False)
    axes.use_sticky_edges = False
