"""Random effects of every level with their intervals, in order of size."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import ndtri

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import COLOURS, CONSTANT, INK, NAMED, headline, new_panels, nothing_to_draw, result_of, short, wrapped
from bayesglmm.post.axis import chosen_factor
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.result import Result
from bayesglmm.post.words import link_words

PANEL_WIDTH = 4.0
NAMES_WIDTH = 1.6
"""Inches of the names of levels."""
ROW_HEIGHT, TALL = 0.2, 6.0
"""Inches of a level with its name, and of all levels where they have none."""
SCALES = ("rank", "normal")


def plot_caterpillar(effects: Result | Fit, *, scale: str = "rank", title: str | None = None) -> Figure:
    """Draw the levels of one grouping factor, a panel per effect, ordered by the first effect.

    Parameters
    ----------
    effects
        What :func:`bayesglmm.post.random_effects.random_effects` returned for one factor. Of a fit, those of its first factor.
    scale
        ``rank`` for levels one below the other; ``normal`` for heights at normal quantiles, on which normal effects lie along a line.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If the result is no result of ``random_effects``, speaks of several factors, or the scale is unknown; if the model has no factor.
    """
    result = result_of(effects, "random_effects", lambda fit: random_effects(fit, factor=chosen_factor(fit, None)))
    if not {"factor", "level", "effect", "rank"} <= set(map(str, result.table.columns)):
        raise nothing_to_draw("random_effects", result)
    table = result.table
    factors = list(dict.fromkeys(table["factor"]))
    if len(factors) != 1:
        raise ArgumentError(f"a caterpillar shows one factor, not {', '.join(factors)}", fix="random_effects(fit, factor=...)")
    if scale not in SCALES:
        raise ArgumentError(f"scale={scale!r} is not known", fix=f"one of {', '.join(SCALES)}")
    names = list(dict.fromkeys(table["effect"]))
    panels_of = {name: table[table["effect"] == name].set_index("level") for name in names}
    order = panels_of[names[0]].sort_values("mean", kind="stable").index
    units = link_words(effects) if isinstance(effects, Fit) else result.draws.attrs.get("units", "link scale")
    height = max(3.0, 1.2 + ROW_HEIGHT * len(order)) if len(order) <= NAMED else TALL
    width = max(5.0, PANEL_WIDTH * len(names)) + (NAMES_WIDTH if scale == "rank" and len(order) <= NAMED else 0.0)
    figure, panels = new_panels(1, len(names), width=width, height=height)
    for panel, name in zip(panels, names, strict=True):
        _draw(panel, panels_of[name].loc[order] if scale == "rank" else panels_of[name].sort_values("mean"), scale)
        if panel is not panels[0] and scale == "rank":  # the same levels in the same order
            panel.tick_params(labelleft=False)
        if "random_effect" in result.draws:  # of coefficients, zero is nothing special
            panel.axvline(0.0, color=INK, linewidth=0.8, zorder=0)
        panel.set_xlabel(wrapped(f"{'intercept' if name == CONSTANT else name} of {factors[0]} ({units})", 44))
    panels[0].set_ylabel("normal quantile" if scale == "normal" else short(factors[0]))
    headline(figure, result, title)
    return figure


def _draw(panel: Any, levels: pd.DataFrame, scale: str) -> None:
    """Fill one panel from the lowest level to the highest."""
    n = len(levels)
    heights = ndtri((np.arange(n) + 0.5) / n) if scale == "normal" else np.arange(n)
    few = n <= NAMED
    panel.hlines(heights, levels["ci_lower"], levels["ci_upper"], color=COLOURS[0], linewidth=1.2 if few else 0.6)
    panel.plot(levels["mean"], heights, "o", color=COLOURS[1], markersize=3.5 if few else 2.0)
    if scale == "rank":
        panel.set_yticks(heights if few else [], [short(level) for level in levels.index] if few else [])
        panel.set_ylim(-1.0, n)
