"""One legend for all panels of a figure."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def common_legend(figure: Figure, panels: Sequence[Axes], columns: int) -> None:
    """Write below the panels what is drawn in any of them, each label once.

    Parameters
    ----------
    figure
        With the panels.
    panels
        What they have drawn carries labels.
    columns
        Labels beside each other.
    """
    found: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(str(label), handle)
    if found:
        figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns)
