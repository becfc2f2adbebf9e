"""Where subjects are, beside where their mean is: the heterogeneity interval along a covariate, or by cells."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import TARGETS, cell_names, headline, mean_label, new_figure, nothing_to_draw, plain, result_of, say_held
from bayesglmm.post.axis import default_grid
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.means import means
from bayesglmm.post.result import Result

NEEDED = {"scale", "average_subject", "plug_in_lower", "plug_in_upper", "predictive_lower", "predictive_upper"}
MEANS = {"median", "ci_lower", "ci_upper"}
MOST = 60
"""Most cells of a figure."""
WIDTH = 7.0
NEW = "predictive: a new subject, parameters uncertain too"


@dataclass(frozen=True, slots=True)
class _Lines:
    """What is drawn.

    Attributes
    ----------
    labels
        Columns that tell the rows apart.
    rows
        Rows of the result on one scale.
    mean
        Rows of the mean, in the same order; None for no mean.
    share
        What the band is, in words.
    """

    labels: pd.DataFrame
    rows: pd.DataFrame
    mean: pd.DataFrame | None
    share: str


def plot_heterogeneity(given: Result | Fit, *, mean: Result | None = None, scale: str | None = None, title: str | None = None) -> Figure:
    """Draw the intervals of :func:`bayesglmm.post.heterogeneity.heterogeneity`: along a number where only that varies, else by cells.

    Parameters
    ----------
    given
        What ``heterogeneity`` returned. Of a fit, that along a number with a random slope, else along a number, else a factor, with the
        mean of the population.
    mean
        What ``means`` returned for the same rows on the same scale: drawn with its interval, which says how sure we are of the mean, not
        where subjects are. None for no mean, of a fit for that of the population.
    scale
        One of those in the table; None takes ``response``, or the ratio that stands in its place.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``heterogeneity``, the scale is not in it, the mean is of other rows, or there are more than 60 cells;
        if the model has no grouping factor.
    FamilyError
        If the link's inverse cannot take every predictor.
    """
    result = result_of(given, "heterogeneity", lambda fit: heterogeneity(fit, default_grid(fit), keep_draws=False))
    if not set(map(str, result.table.columns)) >= NEEDED:
        raise nothing_to_draw("heterogeneity", result)
    chosen = _scale(result.table, scale)
    if mean is None and isinstance(given, Fit) and chosen in ("response", "link"):
        mean = means(given, default_grid(given), target="population", scale="link" if chosen == "link" else "response", keep_draws=False)
    lines = _lines(result, chosen, mean)
    along = _number(lines.labels)
    height = 5.0 if along else 2.2 + 0.42 * len(lines.rows)
    figure, axes = new_figure(width=WIDTH, height=height)
    words = {"response": mean_label(given if isinstance(given, Fit) else result), "link": "linear predictor"}.get(chosen, chosen)
    if along:
        _along(axes, lines, along)
        axes.set_xlabel(plain(along))
        axes.set_ylabel(words)
    else:
        _cells(axes, lines)
        axes.set_xlabel(words)
    say_held(axes, result, width=WIDTH)
    headline(figure, result, title, intervals=False)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    return figure


def _scale(table: pd.DataFrame, scale: str | None) -> str:
    """Choose one of the scales of the table."""
    known = [str(s) for s in dict.fromkeys(table["scale"])]
    if scale is None:
        return "response" if "response" in known else known[-1]
    if scale not in known:
        raise ArgumentError(f"scale={scale!r} is not in the result", fix=f"one of {', '.join(known)}")
    return scale


def _lines(result: Result, scale: str, mean: Result | None) -> _Lines:
    """Take the rows of one scale, and those of the mean beside them."""
    table = result.table
    rows = table[table["scale"] == scale].reset_index(drop=True)
    names = [str(c) for c in table.columns]
    beside = None if mean is None else mean.table.reset_index(drop=True)
    if beside is not None and (not set(map(str, beside.columns)) >= MEANS or len(beside) != len(rows)):
        raise ArgumentError(
            "the mean is not of the same rows",
            where=f"{len(beside)} rows beside {len(rows)}",
            fix="means(fit, at, target='population') with the same at",
        )
    return _Lines(rows[names[: names.index("scale")]], rows, beside, plain(result.title.partition(": ")[2]))


def _number(labels: pd.DataFrame) -> str | None:
    """Name the one column that varies, where it is a number."""
    varying = [str(c) for c in labels.columns if labels[c].nunique() > 1]
    if len(varying) != 1 or len(labels) < 3 or labels[varying[0]].nunique() < len(labels):
        return None
    column = labels[varying[0]]
    return varying[0] if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) else None


def _along(axes: Axes, lines: _Lines, column: str) -> None:
    """Draw bands and lines along a number."""
    order = np.argsort(lines.labels[column].to_numpy(dtype=np.float64), kind="stable")
    x, rows = lines.labels[column].to_numpy(dtype=np.float64)[order], lines.rows.iloc[order]
    blue, _, words = TARGETS["average_subject"]
    axes.fill_between(x, rows["plug_in_lower"], rows["plug_in_upper"], color=blue, alpha=0.16, linewidth=0.0, label=lines.share, zorder=1)
    for k, end in enumerate(("predictive_lower", "predictive_upper")):
        axes.plot(x, rows[end], ":", color=blue, linewidth=1.5, label=NEW if k == 0 else None, zorder=2)
    axes.plot(x, rows["average_subject"], "--", color=blue, linewidth=2.4, label=words, zorder=4)
    if lines.mean is not None:
        mean, (colour, _, words) = lines.mean.iloc[order], TARGETS["population"]
        axes.fill_between(x, mean["ci_lower"], mean["ci_upper"], color=colour, alpha=0.25, linewidth=0.0, zorder=3)
        axes.plot(x, mean["median"], "-", color=colour, linewidth=2.4, label=f"{words}, with interval", zorder=3)
    axes.margins(x=0.02)


def _cells(axes: Axes, lines: _Lines) -> None:
    """Draw a bar per cell, the first on top."""
    rows, at = lines.rows, np.arange(len(lines.rows))
    if len(rows) > MOST:
        raise ArgumentError(f"{len(rows)} cells are too many to read, at most {MOST}", fix="choose fewer values in at")
    blue, marker, words = TARGETS["average_subject"]
    axes.barh(
        at, rows["plug_in_upper"] - rows["plug_in_lower"], 0.5, left=rows["plug_in_lower"], color=blue, alpha=0.2, linewidth=0.0,
        label=lines.share, zorder=1,
    )  # fmt: skip
    axes.hlines(at, rows["predictive_lower"], rows["predictive_upper"], color=blue, linewidth=1.5, linestyle=":", label=NEW, zorder=2)
    axes.plot(rows["average_subject"], at, marker, color=blue, markersize=7.0, markeredgecolor="white", label=words, zorder=4)
    if lines.mean is not None:
        colour, marker, words = TARGETS["population"]
        axes.hlines(at, lines.mean["ci_lower"], lines.mean["ci_upper"], color=colour, linewidth=2.4, zorder=3)
        label = f"{words}, with interval"
        axes.plot(lines.mean["median"], at, marker, color=colour, markersize=7.0, markeredgecolor="white", label=label, zorder=5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(at, cell_names(lines.labels))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
