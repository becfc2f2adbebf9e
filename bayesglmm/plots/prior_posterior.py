"""What the data added: a panel per parameter with its prior as a line and its posterior filled."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.plots.style import COLOURS, new_panels, nothing_to_draw, plain, result_of, wrapped
from bayesglmm.post.prior_posterior import prior_posterior
from bayesglmm.post.result import Result

MOST_PANELS = 24
"""Panels of one figure when no parameters are named."""
COLUMNS = 3
WIDTH, HEIGHT = 3.0, 2.2
KINDS = {"fixed": "coefficient", "sd": "standard deviation", "cor": "correlation", "aux": "auxiliary parameter"}
"""What is on the horizontal axis, by kind; standard deviations and correlations come first where not all are drawn."""

_NEEDED = {"value", "prior_density", "posterior_density"}
_CHOSEN_FIRST = ("sd", "cor", "aux", "fixed")
_LETTERS = 30  # of a panel's title in one line


def plot_prior_posterior(given: Result | Fit, *, parameters: Sequence[str] | None = None, title: str | None = None) -> Figure:
    """Draw prior and posterior of each parameter, with their overlap in the panel's title.

    Parameters
    ----------
    given
        What :func:`bayesglmm.post.prior_posterior.prior_posterior` returned, or a fit.
    parameters
        Names of parameters, as in the result's table; all when None, but at most 24, standard deviations and correlations first.
    title
        Instead of the result's own.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If it is given anything else, or a parameter is not there.
    """
    result = result_of(given, "prior_posterior", prior_posterior)
    if not set(result.draws.data_vars) >= _NEEDED or "overlap" not in result.table:
        raise nothing_to_draw("prior_posterior", result)
    table = result.table.set_index("parameter")
    chosen = _chosen(table, parameters)
    columns = min(COLUMNS, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, panels = new_panels(rows, columns, width=max(5.0, WIDTH * columns), height=1.2 + HEIGHT * rows)
    for axes, name in zip(panels, chosen, strict=False):
        _draw(axes, result.draws.sel(parameter=name), table.loc[name], name)
    for axes in panels[len(chosen) :]:
        axes.set_axis_off()
    figure.suptitle(plain(title or _title(result, len(chosen))))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _chosen(table: pd.DataFrame, parameters: Sequence[str] | None) -> list[str]:
    """Names of the parameters to draw, in the order of the table, or in that asked for."""
    known = [str(name) for name in table.index]
    if parameters is not None:
        asked = [parameters] if isinstance(parameters, str) else list(parameters)
        missing = [str(name) for name in asked if name not in known]
        if missing or not asked:
            raise ArgumentError(f"no parameters called {', '.join(missing)}" if missing else "no parameters", fix=", ".join(known))
        return asked
    ranked = sorted(known, key=lambda name: _CHOSEN_FIRST.index(str(table.loc[name, "kind"])))
    kept = set(ranked[:MOST_PANELS])
    return [name for name in known if name in kept]


def _draw(axes: Axes, densities: Any, row: Any, name: str) -> None:
    """Fill one panel from the densities and the table's row of one parameter."""
    x = densities["value"].to_numpy()
    prior, posterior = densities["prior_density"].to_numpy(), densities["posterior_density"].to_numpy()
    bounded = np.isfinite(prior)  # some priors are infinite at a bound
    axes.fill_between(x, posterior, color=COLOURS[0], alpha=0.35, linewidth=0.0)
    axes.plot(x, posterior, "-", color=COLOURS[0], linewidth=1.6, label="posterior")
    axes.plot(x[bounded], prior[bounded], "--", color=COLOURS[1], linewidth=1.6, label="prior")
    axes.set_ylim(bottom=0.0)
    axes.locator_params(axis="x", nbins=5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(KINDS[str(row["kind"])])
    mode = ", mode at zero" if row["mode_at_zero"] is True else ""
    share = "no density" if np.isnan(row["overlap"]) else f"overlap {row['overlap']:.2f}{mode}"
    axes.set_title(f"{wrapped(name, _LETTERS)}\n{share}", fontsize=10.0)


def _title(result: Result, drawn: int) -> str:
    """Say what is left out, if anything."""
    total = len(result.table)
    return result.title if drawn == total else f"{result.title}\n{drawn} of {total} parameters"
