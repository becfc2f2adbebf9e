"""The signature picture: single groups, the average subject and the population, as curves along one covariate."""

from matplotlib.figure import Figure

from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import (
    GREY,
    TARGETS,
    headline,
    mean_label,
    new_figure,
    nothing_to_draw,
    plain,
    positions,
    result_of,
    say_held,
    short,
)
from bayesglmm.post.axis import chosen_factor, default_covariate
from bayesglmm.post.curves import curves as make_curves
from bayesglmm.post.result import Result

STYLES = {"average_subject": ("--", 5), "population": ("-", 4)}
"""Line and height: the dashed one lies on top, so that both are seen where they are the same."""
MANY = 40
"""Beyond so many groups their lines are thinner."""
WIDTH = 7.0


def plot_spaghetti(curves: Result | Fit, *, ylabel: str | None = None, title: str | None = None) -> Figure:
    """Draw the lines of :func:`bayesglmm.post.curves.curves`, one panel.

    Parameters
    ----------
    curves
        What ``curves`` returned: groups grey, the two means with their intervals as bands. Of a fit, the curves along a number with a
        random slope, else along a number, else along a factor.
    ylabel, title
        Instead of the mean's name and the result's own title.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``curves``, or the model has no covariate or no grouping factor.
    """
    result = result_of(curves, "curves", lambda fit: make_curves(fit, default_covariate(fit)))
    if "curve" not in result.draws or "target" not in result.draws.coords or result.table.empty:
        raise nothing_to_draw("curves", result)
    table = result.table
    at, names = positions(table.iloc[:, 0])
    figure, axes = new_figure(width=WIDTH, height=5.0)
    single = table["target"] == "group"
    width = 0.9 if table.loc[single, "level"].nunique() <= MANY else 0.5
    for _, line in table[single].groupby("level", sort=False):
        axes.plot(at[line.index], line["median"], color=GREY, linewidth=width, zorder=1)
    for target, (style, height) in STYLES.items():
        line, (colour, _, words) = table[table["target"] == target], TARGETS[target]
        x = at[line.index]
        axes.fill_between(x, line["ci_lower"], line["ci_upper"], color=colour, alpha=0.14, linewidth=0.0, zorder=2)
        axes.plot(x, line["median"], style, color=colour, linewidth=2.6, label=words, zorder=height)
    if single.any():
        words = _shown(curves, result, int(table.loc[single, "level"].nunique()))
        axes.plot([], [], color=GREY, linewidth=0.9, label=words)
    if names is not None:
        axes.set_xticks(range(len(names)), names)
    axes.margins(x=0.02 if names is None else 0.12)
    axes.set_xlabel(short(table.columns[0], 48))
    axes.set_ylabel(plain(ylabel) if ylabel else mean_label(curves))
    say_held(axes, result, width=WIDTH)
    headline(figure, result, title)
    figure.legend(loc="outside lower center", ncols=1, frameon=False)
    return figure


def _shown(given: Result | Fit, result: Result, drawn: int) -> str:
    """Say how many levels there are, where it is known."""
    known = result.draws.attrs
    if isinstance(given, Fit):
        factor = chosen_factor(given, None)
        known = {"factor": factor, "levels": next(len(g.levels) for g in given.design.groups if g.name == factor)}
    if not {"factor", "levels"} <= set(known):
        return f"{TARGETS['group'][2]}, {drawn} of them"
    return plain(f"{drawn} of {known['levels']} levels of {known['factor']}")
