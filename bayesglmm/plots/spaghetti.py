"""The signature picture: single groups, the average subject and the population, as curves along one covariate."""

from typing import Any

from bayesglmm.plots.style import COLOURS, GREY, new_figure, nothing_to_draw, plain
from bayesglmm.post.result import Result

STYLES = {"average_subject": (COLOURS[0], "--", 4), "population": (COLOURS[1], "-", 3)}
"""Colour, line and height: the dashed one lies on top, so that both are seen where they are the same."""
LABELS = {"average_subject": "average subject: random effects zero", "population": "population: averaged over random effects"}


def plot_spaghetti(curves: Result, *, ylabel: str | None = None, title: str | None = None) -> Any:
    """Draw the lines of :func:`bayesglmm.post.curves.curves`, one panel.

    Parameters
    ----------
    curves
        What ``curves`` returned: groups grey, the two means with their intervals as bands.
    ylabel, title
        Instead of ``mean response`` and the result's own title.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``curves``.
    """
    if not isinstance(curves, Result) or "curve" not in curves.draws or curves.table.empty:
        raise nothing_to_draw("curves", curves)
    table = curves.table
    x = str(table.columns[0])
    figure, axes = new_figure()
    for _, line in table[table["target"] == "group"].groupby("level", sort=False):
        axes.plot(line[x], line["median"], color=GREY, linewidth=0.8, zorder=1)
    for target, (colour, style, height) in STYLES.items():
        line = table[table["target"] == target]
        axes.fill_between(line[x], line["ci_lower"], line["ci_upper"], color=colour, alpha=0.2, linewidth=0.0, zorder=2)
        axes.plot(line[x], line["median"], style, color=colour, linewidth=2.2, label=LABELS[target], zorder=height)
    if (table["target"] == "group").any():
        axes.plot([], [], color=GREY, linewidth=0.8, label="single groups")
    axes.set_xlabel(plain(x))
    axes.set_ylabel(plain(ylabel or "mean response"))
    axes.set_title(plain(title or curves.title))
    figure.legend(loc="outside lower center", ncols=1)
    return figure
