"""What all plots share: colours that colour-blind readers tell apart, empty figures, text taken literally."""

from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.post.result import Result

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Blue, vermilion, green, purple, orange, sky blue (Okabe and Ito 2008, *Color Universal Design*)."""
MARKERS = ("o", "s", "D", "^", "v", "P")
"""One per colour, so that no reader needs the colours."""
GREY = "#9a9a9a"
PIXELS_PER_INCH = 110.0
CONSTANT = "1"
"""How formulas and tables name the effect of an intercept."""
INK = "#222222"

_SETTINGS: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
}


class Picture(Figure):
    """A figure that notebooks show as what a cell returns, without pyplot."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=PIXELS_PER_INCH)
        return buffer.getvalue()


def new_figure(width: float = 7.0, height: float = 4.5) -> tuple[Figure, Axes]:
    """Make a figure with one empty panel, outside pyplot: nothing is shown, saved or kept alive elsewhere.

    Parameters
    ----------
    width, height
        Inches.
    """
    figure, panels = new_panels(1, 1, width=width, height=height)
    return figure, panels[0]


def new_panels(rows: int, columns: int, *, width: float = 7.0, height: float = 4.5) -> tuple[Figure, tuple[Axes, ...]]:
    """Make a figure with panels in rows, left to right and top to bottom.

    Parameters
    ----------
    rows, columns
        How many.
    width, height
        Inches of the whole figure.
    """
    with rc_context(_SETTINGS):
        figure = Picture(figsize=(width, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
    return figure, tuple(panels.ravel())


def plain(text: object) -> str:
    """Text that is drawn as it stands: a dollar sign of a user's label starts no formula."""
    return str(text).replace("$", r"\$")


def effect_name(label: object) -> str:
    """Name of an effect on an axis: the constant is an intercept."""
    return "intercept" if str(label) == CONSTANT else plain(label)


def nothing_to_draw(maker: str, given: object) -> ArgumentError:
    """Error for a plot that was given what it cannot draw.

    Parameters
    ----------
    maker
        The function whose result the plot takes.
    given
        What it got.
    """
    what = f"the result {given.title!r}" if isinstance(given, Result) else f"an object of type {type(given).__name__}"
    return ArgumentError(f"this plot takes what {maker}(...) returns", where=what, fix=f"call {maker} first and pass its result")
