"""Pictures of a report: as bytes, along which covariate, and why one is missing."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

import numpy as np

from bayesglmm.design.encoding import part_columns
from bayesglmm.errors import ArgumentError, BayesglmmError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.rows import occurring
from bayesglmm.post.values import is_factor
from bayesglmm.reporting.parts import Part
from bayesglmm.reporting.records import Image, not_run

DPI: Final = 110
"""Pixels per inch: a picture of 7 by 4.5 inches has some 40 kB."""
MOST_PIXELS: Final = 1600
"""Along either side: a longer picture is drawn with fewer pixels per inch."""
MOST_FACTORS: Final = 4
"""Grouping factors that are drawn one by one: a report stays small."""
FEW: Final = 2
"""A number with so many values is a factor in all but name: a covariate with more is preferred for a curve."""
SHARES: Final = (0.1, 0.5, 0.9)
"""Quantiles of a covariate at which a table of means has a row."""
MOST_LEVELS: Final = 6
"""Levels of a factor that a table of means has rows for."""


def image(figure: Any, alt: str, caption: str) -> Image:
    """Return a figure as PNG.

    Parameters
    ----------
    figure
        A matplotlib figure that belongs to no pyplot state, so that nothing is left open.
    alt
        What it shows, for readers who do not see it.
    caption
        One or two sentences below it.
    """
    longest = max(figure.get_size_inches())
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=min(DPI, MOST_PIXELS / longest))
    return Image(buffer.getvalue(), alt, caption)


def picture(row: str, draw: Callable[[], Any], alt: str, caption: str) -> Part:
    """Return a picture; where it cannot be drawn, a row that says why.

    Parameters
    ----------
    row
        Identifier of that row, ``ppc.pit.picture``: the check that the picture goes with has its own, and the missing picture counts as
        nothing.
    draw
        Makes the figure.
    alt, caption
        As for :func:`image`.
    """
    try:
        return Part(blocks=(image(draw(), alt, caption),))
    except BayesglmmError as error:
        return Part((not_run(row, "a picture", str(error), required=False),))


def limited(fit: Fit, factor: str, draw: Callable[[], Any]) -> Callable[[], Any]:
    """Return the maker of a picture of one grouping factor, which refuses where a report would have too many of them.

    Parameters
    ----------
    fit
        Its grouping factors are drawn in the order of the formula.
    factor
        Whose picture it is.
    draw
        Makes the figure.

    Returns
    -------
    Callable
        Raises ArgumentError for a factor beyond the first ``MOST_FACTORS``.
    """
    names = tuple(dict.fromkeys(g.name for g in fit.design.groups))

    def checked() -> Any:
        if factor not in names[:MOST_FACTORS]:
            raise ArgumentError(f"a report draws {MOST_FACTORS} grouping factors", where=factor, fix="the plots draw each of them")
        return draw()

    return checked


def first_number(fit: Fit) -> str | None:
    """Name the number that curves go along: the first of the fixed effects, then of the random ones, with more than two values.

    Where all have two values at most, the first that varies; None without one.
    """
    numbers = [name for name in _covariates(fit) if not is_factor(fit, name)]
    counts = {name: int(fit.frame[name].nunique()) for name in numbers}
    wide = [name for name in numbers if counts[name] > FEW]
    return next(iter([*wide, *(name for name in numbers if counts[name] == FEW)]), None)


def first_factor(fit: Fit) -> str | None:
    """Name the first factor among the covariates that has no more levels than a table has rows for; None without one."""
    factors = (name for name in _covariates(fit) if is_factor(fit, name))
    return next((name for name in factors if 1 < len(occurring(fit.frame[name])) <= MOST_LEVELS), None)


def grid(fit: Fit) -> Mapping[str, Any]:
    """Rows for tables of means: three values of the first number, as they occur in the data, and all levels of the first factor.

    Returns
    -------
    Mapping
        For ``at=`` of :func:`bayesglmm.post.means.means`; empty for a model without covariates.
    """
    number, factor = first_number(fit), first_factor(fit)
    found: dict[str, Any] = {}
    if number is not None:
        values = np.quantile(fit.frame[number].to_numpy(dtype=np.float64), SHARES, method="nearest")
        found[number] = np.unique(values).tolist()
    if factor is not None:
        found[factor] = occurring(fit.frame[factor])
    return found


def _covariates(fit: Fit) -> tuple[str, ...]:
    """Columns that the fixed effects read, then those of the random effects alone; offsets and grouping factors left out."""
    encoding = fit.design.encoding
    parts = (encoding.fixed.part, *(g.effects.part for g in encoding.groups))
    return tuple(dict.fromkeys(name for part in parts for name in part_columns(part)))
