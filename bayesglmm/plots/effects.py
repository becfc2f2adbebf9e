"""Means, or contrasts of them, by cell: a dot and an interval for each target."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import (
    GREY,
    TARGETS,
    cell_names,
    headline,
    mean_label,
    new_panels,
    nothing_to_draw,
    say_held,
    share_limits,
    short,
)
from bayesglmm.post.attenuation import QUANTITY, VALUE, compare_targets
from bayesglmm.post.axis import effect_cells, targets_of
from bayesglmm.post.contrasts import COMPARES, CONTRAST
from bayesglmm.post.means import MEAN, means
from bayesglmm.post.result import Result
from bayesglmm.post.slopes import SLOPE

MAKERS = "compare_targets"
NEEDED = {"mean", "median", "ci_lower", "ci_upper"}
DRAWN = {CONTRAST, MEAN, SLOPE}
"""Draws of the results that are drawn here, but for those that compare targets."""
ENDS = ("from", "to")
"""Columns of a contrast."""
MOST = 60
"""Most cells of one panel."""
WIDTH = 7.0
SPREAD = 0.22
"""Between the targets of one cell; cells are one apart."""


def plot_effects(given: Result | Fit, *, title: str | None = None) -> Figure:
    """Draw means or contrasts by cell, each target with its own colour and marker.

    Parameters
    ----------
    given
        What :func:`bayesglmm.post.attenuation.compare_targets` returned (the rows of its targets), or ``means``, ``contrasts``,
        ``pairwise`` or ``slopes``. Of a fit, a panel for each factor among the fixed effects with the means at its levels, without factors
        one for the quartiles of the first number; other covariates are at their mean or reference level, which is written over the panel.
        Of the targets those that the fit has.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Dots are posterior medians.

    Raises
    ------
    ArgumentError
        If the result has no such rows, or more than 60 cells.
    """
    results = _of_fit(given) if isinstance(given, Fit) else (given,)
    for result in results:
        _check(result)
    parts = [_lines(result) for result in results]
    targets = list(dict.fromkeys(t for part in parts for t in part["target"]))
    heights = [0.62 + (0.2 + 0.13 * len(targets)) * part["cell"].nunique() for part in parts]
    figure, panels = new_panels(len(parts), 1, width=WIDTH, height=0.8 + 0.22 * len(targets) + sum(heights), heights=heights)
    for axes, part, result in zip(panels, parts, results, strict=True):
        _panel(axes, part, targets)
        axes.set_ylabel(_label(result))
        say_held(axes, result, width=WIDTH)
    share_limits(panels, "x")
    panels[-1].set_xlabel(mean_label(given) if isinstance(given, Fit) else _axis(results[0]))
    headline(figure, results[0], title)
    figure.legend(*_marks(targets), loc="outside lower center", ncols=1, frameon=False)
    return figure


def _of_fit(fit: Fit) -> tuple[Result, ...]:
    """Means at the levels of each factor, for the targets that the fit has."""
    targets = targets_of(fit)
    if len(targets) == 1:
        return tuple(means(fit, at, target=targets[0]) for at in effect_cells(fit))
    return tuple(compare_targets(fit, at=at, targets=targets) for at in effect_cells(fit))


def _check(result: Any) -> None:
    """Refuse what has no rows of means or contrasts."""
    if not isinstance(result, Result):
        raise nothing_to_draw(MAKERS, result)
    columns, drawn = set(map(str, result.table.columns)), set(map(str, result.draws))
    compares = VALUE in drawn and QUANTITY in columns and bool(result.table[QUANTITY].isin(list(TARGETS)).any())
    known = compares or (bool(drawn & DRAWN) if drawn else "observed" not in columns)
    if not known or not columns >= NEEDED or result.table.empty or _target(result) not in TARGETS:
        raise nothing_to_draw(MAKERS, result)


def _target(result: Result) -> str:
    """Name the target that the words of a result begin with."""
    return result.target.split(":")[0]


def _labels(result: Result) -> list[str]:
    """Columns that tell cells apart."""
    names = [str(c) for c in result.table.columns]
    names = names[: names.index("mean")]
    words = {QUANTITY} if VALUE in result.draws else {COMPARES} if set(ENDS) <= set(names) else set()
    return [n for n in names if n not in words]


def _cells(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """Name the cell of each row; a contrast is an arrow from one value to the other."""
    arrow = [n for n in ENDS if n in names]
    if len(arrow) < 2:
        return cell_names(table[list(names)])
    ends = [cell_names(table[[n]]) for n in arrow]
    arrows = [f"{first} \N{RIGHTWARDS ARROW} {second}" for first, second in zip(*ends, strict=True)]
    others = cell_names(table[[n for n in names if n not in arrow]], named=True)
    return [f"{other}: {this}" if other else this for other, this in zip(others, arrows, strict=True)]


def _lines(result: Result) -> pd.DataFrame:
    """One row per cell and target, with the name of the cell."""
    table, several = result.table, VALUE in result.draws
    rows = table[table[QUANTITY].isin(list(TARGETS))] if several else table
    cells = _cells(rows, _labels(result))
    order = {name: place for place, name in enumerate(dict.fromkeys(cells))}
    if len(order) > MOST:
        raise ArgumentError(
            f"{len(order)} cells are too many to read, at most {MOST}", fix="choose fewer values in at, or average with by="
        )
    columns = {"target": rows[QUANTITY] if several else _target(result), "cell": [order[c] for c in cells], "name": cells}
    return rows[["median", "ci_lower", "ci_upper"]].assign(**columns)


def _label(result: Result) -> str:
    """Name the column of the cells, where it is one."""
    names = _labels(result)
    return short(names[0]) if len(names) == 1 else ""


def _axis(result: Result) -> str:
    """Say on the axis what the dots are."""
    if SLOPE in result.draws:
        return "slope"
    return "contrast" if set(ENDS) <= set(_labels(result)) else mean_label(result)


def _panel(axes: Axes, part: pd.DataFrame, targets: Sequence[str]) -> None:
    """Draw one panel, the first cell on top, the first target above the others."""
    middle = 0.5 * (len(targets) - 1)
    for place, target in enumerate(targets):
        rows, (colour, marker, _) = part[part["target"] == target], TARGETS[target]
        heights = rows["cell"].to_numpy() + SPREAD * (place - middle)
        axes.hlines(heights, rows["ci_lower"], rows["ci_upper"], color=colour, linewidth=2.0)
        axes.plot(rows["median"], heights, marker, color=colour, markersize=6.5, markeredgecolor="white", markeredgewidth=0.8)
    names = part.drop_duplicates("cell").sort_values("cell")["name"].tolist()
    low, high = float(np.min(part["ci_lower"])), float(np.max(part["ci_upper"]))
    if low < 0.0 < high:
        axes.axvline(0.0, color=GREY, linewidth=0.9, zorder=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _marks(targets: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Make the legend."""
    handles = [Line2D([], [], color=TARGETS[t][0], marker=TARGETS[t][1], linewidth=2.0, markeredgecolor="white") for t in targets]
    return handles, [TARGETS[t][2] for t in targets]
