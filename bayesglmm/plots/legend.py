"""One legend for all panels of a figure."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INCHES, LETTERS_PER_INCH = 0.55, 13.0
"""Of a mark with the space around it, and letters of its label."""


def common_legend(figure: Figure, panels: Sequence[Axes], columns: int, *, title: str | None = None) -> None:
    """Write below the panels what is drawn in any of them, each label once.

    Parameters
    ----------
    figure
        With the panels.
    panels
        What they have drawn carries labels.
    columns
        Most labels beside each other; fewer where the figure is too narrow for them.
    title
        Over the labels.
    """
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    if found:
        width = figure.get_figwidth()
        words = None if title is None else fill(title, int(LETTERS_PER_INCH * width))
        count = _fitting(list(found), columns, width)
        figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=count, title=words)


def _fitting(labels: list[str], columns: int, width: float) -> int:
    """Count the columns that fit into a width; labels go down the first column, then down the next."""
    for count in range(min(columns, len(labels)), 1, -1):
        longest = [max(map(len, part)) for part in np.array_split(np.array(labels, dtype=object), count)]
        if sum(INCHES + letters / LETTERS_PER_INCH for letters in longest) <= width:
            return count
    return 1
