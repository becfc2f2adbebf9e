"""What drop-out does to each estimator: every repeat as a dot, the mean with its Monte Carlo error, and the truth."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.plots.style import COLOURS, INK, MARKERS, new_panels, nothing_to_draw, plain
from bayesglmm.post.result import Result

NEEDED = {"repeat", "estimator", "coefficient"}
WORDS = {
    "gee_complete": "GEE, nobody left",
    "gee_independence": "GEE, independence",
    "gee_exchangeable": "GEE, exchangeable",
    "mixed_model": "mixed model",
}
OWN_TITLE = "Visits missing at random: estimates of the population's coefficients"
LEGEND = "dots: single trials; marker: their mean ± 2 Monte Carlo SE; line: truth"
DOTS = 400
"""Most dots of one line."""
_STEP = 0.6180339887498949
"""Golden ratio less one: its multiples, less whole numbers, spread dots evenly however many there are."""


def plot_dropout(result: Result, *, title: str | None = None) -> Figure:
    """Draw the repeats of :func:`bayesglmm.workflows.dropout.dropout`, a panel for each coefficient.

    Parameters
    ----------
    result
        What ``dropout`` returned.
    title
        Instead of the plot's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Dots are estimates of single trials (the first 400), the marker is their mean with two Monte Carlo standard
        errors on each side, the vertical line is the truth.

    Raises
    ------
    ArgumentError
        If the result is no result of ``dropout``.
    """
    if not isinstance(result, Result) or not set(result.draws.sizes) >= NEEDED:
        raise nothing_to_draw("dropout", result)
    draws = result.draws
    names, coefficients = ([str(v) for v in draws[c].to_numpy()] for c in ("estimator", "coefficient"))
    columns = 2
    rows = -(-len(coefficients) // columns)
    figure, panels = new_panels(rows, columns, width=9.0, height=0.9 + (0.8 + 0.5 * len(names)) * rows)
    for at, (axes, coefficient) in enumerate(zip(panels, coefficients, strict=False)):
        labels = [WORDS.get(n, n) for n in names] if at % columns == 0 else [""] * len(names)
        _panel(axes, draws["estimate"].sel(coefficient=coefficient).to_numpy(), float(draws["truth"].sel(coefficient=coefficient)), labels)
        axes.set_title(plain(coefficient), loc="left", color=INK)
    for axes in panels[len(coefficients) :]:
        axes.set_axis_off()
    figure.suptitle(plain(title or f"{OWN_TITLE}\n{LEGEND}"), x=0.01, ha="left", fontsize=11)
    return figure


def _panel(axes: Axes, estimates: np.ndarray, truth: float, labels: list[str]) -> None:
    """Draw estimates (repeat, estimator) of one coefficient, the first estimator on top."""
    axes.axvline(truth, color=INK, linewidth=1.2, zorder=1)
    for at in range(estimates.shape[1]):
        values = estimates[np.isfinite(estimates[:, at]), at]
        colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
        spread = 0.18 + 0.24 * ((np.arange(len(values[:DOTS])) * _STEP) % 1.0)
        axes.scatter(values[:DOTS], at + spread, s=7.0, color=colour, alpha=0.55, linewidths=0.0, zorder=2)
        if len(values) < 2:
            continue
        error = 2.0 * float(values.std(ddof=1)) / np.sqrt(len(values))
        axes.errorbar(
            float(values.mean()), at - 0.05, xerr=error, fmt=marker, color=colour, markersize=7.0, markeredgecolor="white",
            elinewidth=2.2, capsize=4.0, capthick=1.6, zorder=3,
        )  # fmt: skip
    axes.set_ylim(estimates.shape[1] - 0.35, -0.45)
    axes.set_yticks(range(estimates.shape[1]), labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)
