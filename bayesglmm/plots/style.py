"""What all plots share: colours that colour-blind readers tell apart, empty figures, text taken literally."""

import re
from collections.abc import Callable, Sequence
from io import BytesIO
from textwrap import fill
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.fonts import let_fonts_take_over, letters_checked
from bayesglmm.post.result import Result
from bayesglmm.post.values import shown
from bayesglmm.post.words import mean_words

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Blue, vermilion, green, purple, orange, sky blue (Okabe and Ito 2008, *Color Universal Design*)."""
MARKERS = ("o", "s", "D", "^", "v", "P")
"""One per colour, so that no reader needs the colours."""
GREY = "#9a9a9a"
PIXELS_PER_INCH = 110.0
CONSTANT = "1"
"""How formulas and tables name the effect of an intercept."""
INK = "#222222"
SOFT = "#555555"
"""Small print."""
HELD = "Held fixed:"
"""How the note begins that says where other covariates are."""
CHARACTERS_PER_INCH = 12.0
"""Of a title."""
LETTERS, WIDEST = 24, 32
"""Most letters of a name beside an axis, and where a panel has the width of the page."""
MEAN_LETTERS = 44
"""Most letters of a line of the name of a mean."""
NAMED = 60
"""With more levels than this along an axis their names would overlap, and are left out."""
TARGETS = {
    "average_subject": (COLOURS[0], "o", "average subject: random effects zero"),
    "population": (COLOURS[1], "s", "population: averaged over random effects"),
    "observed_groups": (COLOURS[2], "D", "observed groups: averaged over the levels in the data"),
    "group": (COLOURS[3], "^", "single groups"),
}
"""Colour, marker and words of the four targets, the same in every picture."""

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
    """A figure that notebooks show as what a cell returns, without pyplot, and that finds fonts for letters of all scripts."""

    def savefig(self, fname: Any, *args: Any, **options: Any) -> None:
        """Write the figure, as every matplotlib figure does; letters that no font has are told once.

        Parameters
        ----------
        fname
            A file, by name or open.
        *args, **options
            Of ``matplotlib.figure.Figure.savefig``.
        """
        let_fonts_take_over(self)
        with letters_checked():
            super().savefig(fname, *args, **options)

    def _repr_png_(self) -> bytes:
        return png_bytes(self)


def png_bytes(figure: Figure, dpi: float = PIXELS_PER_INCH) -> bytes:
    """Return a figure as PNG.

    Parameters
    ----------
    figure
        Any figure.
    dpi
        Pixels per inch.
    """
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
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


def new_panels(
    rows: int, columns: int, *, width: float = 7.0, height: float = 4.5, heights: Sequence[float] | None = None
) -> tuple[Figure, tuple[Axes, ...]]:
    """Make a figure with panels in rows, left to right and top to bottom.

    Parameters
    ----------
    rows, columns
        How many.
    width, height
        Inches of the whole figure.
    heights
        Of the rows, relative to each other; equal when None.
    """
    with rc_context(_SETTINGS):
        figure = Picture(figsize=(width, height), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
    return figure, tuple(panels.ravel())


def plain(text: object) -> str:
    """Text that is drawn as it stands: a dollar sign of a user's label starts no formula, back-quotes of names in formulas are left out."""
    return _literal(_unquoted(text))


def short(text: object, width: int = LETTERS) -> str:
    """Text as :func:`plain` has it; of a longer one the beginning and the end, which tell names apart.

    Parameters
    ----------
    text
        Name of a level or a column.
    width
        Most letters.
    """
    return _literal(_cut(_unquoted(text), width))


def wrapped(text: object, width: int, *, lines: int = 2) -> str:
    """Text as :func:`plain` has it, broken into lines; of one with too many its beginning and its end.

    Parameters
    ----------
    text
        Title of a panel, or name along an axis.
    width
        Most letters of a line.
    lines
        Most of them.
    """
    bare, allowed = _unquoted(text), width * lines
    while fill(_cut(bare, allowed), width).count("\n") >= lines:
        allowed -= 1
    return _literal(fill(_cut(bare, allowed), width))


def _unquoted(text: object) -> str:
    """Leave out the back-quotes of names in formulas."""
    return re.sub("`([^`]*)`", r"\1", str(text))


def _literal(text: str) -> str:
    return text.replace("$", r"\$")


def _cut(text: str, width: int) -> str:
    """Leave out the middle of a text beyond a number of letters."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (width - 1 - head) :]}"


def effect_name(label: object, width: int = LETTERS) -> str:
    """Name of an effect on an axis: the constant is an intercept."""
    return "intercept" if str(label) == CONSTANT else short(label, width)


def result_of(given: object, maker: str, make: Callable[[Fit], Result]) -> Result:
    """Return what a plot draws: a result as it is, of a fit the default one.

    Parameters
    ----------
    given
        What the plot was called with.
    maker
        The function whose result the plot takes.
    make
        Makes it from a fit.

    Raises
    ------
    ArgumentError
        If it was given anything else.
    """
    if isinstance(given, Result):
        return given
    if isinstance(given, Fit):
        return make(given)
    raise nothing_to_draw(maker, given)


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


def headline(figure: Figure, result: Result, title: str | None, *, intervals: bool = True) -> None:
    """Write the title at the left edge: the given one, or the result's own with the level of its intervals.

    Parameters
    ----------
    figure
        With all its panels.
    result
        What is drawn.
    title
        Instead of the result's own.
    intervals
        Whether the intervals of the result are drawn.
    """
    own = result.title
    for target in TARGETS:
        own = own.replace(target, target.replace("_", " "))
    if intervals and result.interval is not None:
        own += f"; {100 * result.interval.prob:g} % intervals"
    text = (title or own).replace(" % ", "\N{NO-BREAK SPACE}%\N{NO-BREAK SPACE}")
    text = fill(text, int(CHARACTERS_PER_INCH * figure.get_figwidth())).replace("\N{NO-BREAK SPACE}", " ")
    figure.suptitle(plain(text), x=0.01, ha="left", fontsize=11, color=INK)


def say_held(axes: Axes, result: Result, *, width: float) -> None:
    """Write over a panel at what values other covariates are held, in small print.

    Parameters
    ----------
    axes
        The panel.
    result
        Its notes say what is held.
    width
        Of the panel, inches.
    """
    held = [note for note in result.notes if note.startswith(HELD)]
    if held:
        text = fill(held[0], int(1.2 * CHARACTERS_PER_INCH * width))
        axes.set_title(plain(text), loc="left", fontsize=9, color=SOFT)


def mean_label(given: Result | Fit) -> str:
    """Name the mean of the response on an axis: ``probability of low``; ``mean response`` where it is not known.

    Parameters
    ----------
    given
        A fit, or a result; the draws of some results carry the name.
    """
    return wrapped(mean_words(given) if isinstance(given, Fit) else given.draws.attrs.get("mean", "mean response"), MEAN_LETTERS)


def positions(values: "pd.Series[Any]") -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """Where values stand on an axis: numbers where they are, others one beside the other in the order in which they first occur.

    Parameters
    ----------
    values
        A column.

    Returns
    -------
    tuple
        Positions (n,), and the labels of 0, 1, ...; None for numbers.
    """
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=np.float64), None
    codes, known = pd.factorize(values)
    return np.asarray(codes, dtype=np.float64), tuple(short(v) for v in known)


def cell_names(labels: pd.DataFrame, *, named: bool = False) -> list[str]:
    """Name each row by the values of its columns.

    Parameters
    ----------
    labels
        Columns that tell rows apart.
    named
        Whether one column is named too; of several each is.
    """
    columns = [str(c) for c in labels.columns]
    if len(columns) == 1 and not named:
        return [short(shown(v), WIDEST) for v in labels.iloc[:, 0].tolist()]
    rows = zip(*(labels.iloc[:, k].tolist() for k in range(len(columns))), strict=True) if columns else [()] * len(labels)
    return [", ".join(f"{short(c)} = {short(shown(v))}" for c, v in zip(columns, row, strict=True)) for row in rows]


def share_limits(panels: Sequence[Axes], axis: Literal["x", "y"]) -> None:
    """Give drawn panels one range, that of them all.

    Parameters
    ----------
    panels
        At least one.
    axis
        Which of the two.
    """
    ends = [axes.get_xlim() if axis == "x" else axes.get_ylim() for axes in panels]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    for axes in panels:
        if axis == "x":
            axes.set_xlim(low, high)
        else:
            axes.set_ylim(low, high)
