"""What random effects look like as matrices: the design matrix Z, and the covariance of the rows of some levels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import INK, effect_name, headline, new_panels, nothing_to_draw, short, wrapped
from bayesglmm.post.result import Result
from bayesglmm.post.structure import ROW_COVARIANCE, STRUCTURE, row_covariance, structure
from bayesglmm.types import FloatArray

SIGNED, POSITIVE = "RdBu_r", "Reds"
"""Colour maps that are palest at zero: red above it and blue below, and red alone where nothing is below."""
HEIGHT = 5.2
LETTERS = 16
"""Most of a name below a matrix."""
MARKED = 12
"""Most rows of a covariance matrix whose numbers are written."""


def plot_structure(
    given: Any,
    data: Any = None,
    *,
    factor: str | None = None,
    levels: int | Sequence[Any] | None = None,
    family: str = "gaussian",
    title: str | None = None,
) -> Figure:
    """Draw Z as an image; of a fit also the covariance of the rows of two levels.

    Parameters
    ----------
    given
        A fit, a formula or a spec; or what :func:`bayesglmm.post.structure.structure` or ``row_covariance`` returned.
    data
        A table, for a formula or a spec.
    factor, levels
        Of a fit: the levels whose rows have the covariance drawn; as for ``row_covariance``.
    family
        For a formula.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure
        Neither shown nor saved. Columns of Z are grouped by effect; entries are divided by the largest of their effect, so that effects
        with different units can be seen beside each other. The covariance is its posterior mean.

    Raises
    ------
    ArgumentError
        If there is nothing to draw, or a formula is given with levels, which only a fit can tell the covariance of.
    BayesglmmError
        If anything about the formula or the data is wrong.
    """
    results = _results(given, data, factor, levels, family)
    figure, panels = new_panels(1, len(results), width=6.5 if len(results) == 1 else 11.0, height=HEIGHT)
    for axes, result in zip(panels, results, strict=True):
        (_draw_z if result.draws.attrs["kind"] == STRUCTURE else _draw_covariance)(figure, axes, result)
    headline(figure, results[0], title)
    return figure


def _results(given: Any, data: Any, factor: str | None, levels: int | Sequence[Any] | None, family: str) -> list[Result]:
    """Return the matrices that are drawn."""
    if isinstance(given, Result):
        if given.draws.attrs.get("kind") not in (STRUCTURE, ROW_COVARIANCE):
            raise nothing_to_draw("structure or row_covariance", given)
        return [given]
    first = structure(given, data, family=family)
    if isinstance(given, Fit):
        return [first, row_covariance(given, factor=factor, levels=2 if levels is None else levels)]
    if factor is not None or levels is not None:
        raise ArgumentError("a covariance needs a fit", where="factor=, levels=", fix="leave them out, or pass a fit")
    return [first]


def _draw_z(figure: Figure, axes: Axes, result: Result) -> None:
    """Draw Z: rows of the data down, a column per effect and level across."""
    z = result.draws["Z"].to_numpy()
    blocks = _runs(list(zip(*(result.draws[c].to_numpy() for c in ("factor", "effect")), strict=True)))
    scaled = np.array(z)
    for _, start, stop in blocks:
        largest = np.abs(z[:, start:stop]).max(initial=0.0)
        scaled[:, start:stop] /= largest if largest > 0.0 else 1.0
    image = axes.imshow(scaled, aspect="auto", interpolation="nearest", **_shades(scaled))
    figure.colorbar(image, ax=axes, label="entry / largest of its effect", shrink=0.8)
    for _, start, _ in blocks[1:]:
        axes.axvline(start - 0.5, color=INK, linewidth=0.8)
    names = [f"{effect_name(effect, LETTERS)} |\n{short(factor, LETTERS)}" for (factor, effect), _, _ in blocks]
    axes.set_xticks([0.5 * (start + stop - 1) for _, start, stop in blocks], names)
    axes.set_xlabel("effects, a column per level")
    axes.set_ylabel(f"rows ({len(z)} of {result.draws.attrs['rows']}, sorted by level)")
    axes.grid(visible=False)


def _draw_covariance(figure: Figure, axes: Axes, result: Result) -> None:
    """Draw the posterior mean of the covariance of the rows of some levels."""
    V, names = _mean_matrix(result), [str(v) for v in result.draws["level"].to_numpy()]
    image = axes.imshow(V, interpolation="nearest", **_shades(V))
    figure.colorbar(image, ax=axes, label="covariance, posterior mean", shrink=0.8)
    blocks = _runs(names)
    for _, start, _ in blocks[1:]:
        axes.axvline(start - 0.5, color=INK, linewidth=0.8)
        axes.axhline(start - 0.5, color=INK, linewidth=0.8)
    centres = [0.5 * (start + stop - 1) for _, start, stop in blocks]
    axes.set_xticks(centres, [short(name, LETTERS) for name, _, _ in blocks])
    axes.set_yticks(centres, [short(name, LETTERS) for name, _, _ in blocks], rotation=90, va="center")
    if len(V) <= MARKED:
        for i, j in np.ndindex(*V.shape):
            dark = abs(V[i, j]) > 0.6 * np.abs(V).max()
            axes.text(j, i, f"{V[i, j]:.3g}", ha="center", va="center", fontsize=7, color="white" if dark else INK)
    rows = result.draws.attrs.get("rows")
    counted = "" if rows is None else f" ({len(V)} of {rows})"
    axes.set_xlabel(wrapped(f"rows of levels of {result.draws.attrs['factor']}{counted}", 50))
    axes.set_title(f"covariance of {result.draws.attrs['of']}", loc="left", color=INK)
    axes.grid(visible=False)


def _mean_matrix(result: Result) -> FloatArray:
    """Posterior means of all pairs of rows, from the table that has each pair once."""
    place = {int(row): at for at, row in enumerate(result.draws["row"].to_numpy())}
    i, j = ([place[int(row)] for row in result.table[c]] for c in ("row", "other_row"))
    V = np.zeros((len(place), len(place)))
    V[i, j] = V[j, i] = result.table["mean"]
    return V


def _shades(values: FloatArray) -> dict[str, Any]:
    """Choose the colour map and its ends so that zero is palest."""
    largest, signed = float(np.abs(values).max()) or 1.0, bool((values < 0.0).any())
    return {"cmap": SIGNED if signed else POSITIVE, "vmin": -largest if signed else 0.0, "vmax": largest}


def _runs(names: Sequence[Any]) -> list[tuple[Any, int, int]]:
    """Names that follow each other without a change: name, first position, position after the last."""
    starts = [at for at, name in enumerate(names) if at == 0 or names[at - 1] != name]
    return [(names[start], start, stop) for start, stop in zip(starts, [*starts[1:], len(names)], strict=True)]
