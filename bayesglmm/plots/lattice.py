"""A panel per level: its data, its own line, and the lines of the average subject and of the population."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.legend import common_legend
from bayesglmm.plots.style import (
    INK,
    TARGETS,
    headline,
    mean_label,
    new_panels,
    nothing_to_draw,
    plain,
    positions,
    result_of,
    share_limits,
    short,
)
from bayesglmm.post.lattice import lattice
from bayesglmm.post.result import Result

NEEDED = {"level", "kind", "observed", "median", "ci_lower", "ci_upper"}
LINES = {"population": ("-", 2.0, 3), "average_subject": ("--", 1.8, 4), "group": ("-", 2.2, 5)}
"""Style, width and height."""
COLUMNS = (4, 5, 6, 3)
"""Numbers of panels beside each other, the first that leaves the fewest places empty."""
MOST = 48
"""Most panels of one figure."""
LETTERS = 18
"""Of a panel's title."""
POSITION = "_position"
"""Where a row stands along the axis."""


def plot_lattice(given: Result | Fit, *, ylabel: str | None = None, title: str | None = None) -> Figure:
    """Draw the levels of :func:`bayesglmm.post.lattice.lattice`, a panel each, on common axes, ordered by their intercepts.

    Parameters
    ----------
    given
        What ``lattice`` returned; made with its defaults of a fit.
    ylabel, title
        Instead of the response's name and the result's own title.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``lattice``, or has more than 48 levels; if the model has no grouping factor or no covariate.
    """
    result = result_of(given, "lattice", lattice)
    table = result.table
    if not set(map(str, table.columns)) >= NEEDED:
        raise nothing_to_draw("lattice", result)
    levels = list(dict.fromkeys(table["level"]))
    if len(levels) > MOST:
        raise ArgumentError(f"{len(levels)} panels are too many to read, at most {MOST}", fix="choose some levels, groups=12")
    at, names = positions(table.iloc[:, 0])
    table = table.assign(**{POSITION: at})
    columns = min(len(levels), min(COLUMNS, key=lambda count: -len(levels) % count))
    rows = -(-len(levels) // columns)
    figure, panels = new_panels(rows, columns, width=1.2 + 1.55 * columns, height=1.5 + 1.55 * rows)
    for axes, level in zip(panels, levels, strict=False):
        _panel(axes, table[table["level"] == level], str(level))
    _common(panels[: len(levels)], columns, names)
    for axes in panels[len(levels) :]:
        axes.set_axis_off()
    for axes in panels[columns * (rows - 1) : len(levels)]:
        axes.set_xlabel(short(table.columns[0], LETTERS))
    figure.supylabel(plain(ylabel) if ylabel else mean_label(given if isinstance(given, Fit) else result), fontsize=10)
    headline(figure, result, title)
    _legend(figure, [kind for kind in LINES if (table["kind"] == kind).any()], _shown(result, len(levels)))
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, level: str) -> None:
    """Draw one level."""
    data = rows[rows["kind"] == "data"]
    axes.plot(data[POSITION], data["observed"], "o", color=INK, markersize=3.6, alpha=0.75, markeredgewidth=0.0, zorder=6)
    for kind, (style, width, height) in LINES.items():
        line = rows[rows["kind"] == kind]
        colour = TARGETS[kind][0]
        if kind == "group":
            axes.fill_between(line[POSITION], line["ci_lower"], line["ci_upper"], color=colour, alpha=0.18, linewidth=0.0, zorder=2)
        axes.plot(line[POSITION], line["median"], style, color=colour, linewidth=width, zorder=height)
    axes.set_title(short(level, LETTERS), fontsize=10, color=INK, pad=3.0)


def _common(panels: tuple[Axes, ...], columns: int, names: tuple[str, ...] | None) -> None:
    """Give all panels one pair of axes, written at the edges only."""
    share_limits(panels, "x")
    share_limits(panels, "y")
    for place, axes in enumerate(panels):
        if names is not None:
            axes.set_xticks(range(len(names)), names)
        axes.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(panels))


def _shown(result: Result, drawn: int) -> str | None:
    """Say how many of the levels there are, and what is held in each panel."""
    known = result.draws.attrs
    if not {"levels", "factor"} <= set(known):
        return None
    held = "; each panel holds its level's own other covariates" if known.get("held") else ""
    return plain(f"{drawn} of {known['levels']} levels of {known['factor']}{held}")


def _legend(figure: Figure, kinds: list[str], title: str | None) -> None:
    """Name the marks under the panels."""
    axes = figure.axes[0]
    axes.plot([], [], "o", color=INK, markersize=4, label="data")
    for kind in ("group", "average_subject", "population"):
        if kind in kinds:
            style, width, _ = LINES[kind]
            words = "this level" if kind == "group" else TARGETS[kind][2].split(":")[0]
            axes.plot([], [], style, color=TARGETS[kind][0], linewidth=width, label=words)
    common_legend(figure, (axes,), 4, title=title)
