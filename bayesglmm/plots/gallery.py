"""Every picture of a fit by its name, with the options that each takes, and pictures as files."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.io.atomic import moved_when_whole, unwritable
from bayesglmm.plots.caterpillar import plot_caterpillar
from bayesglmm.plots.covariance import plot_covariance
from bayesglmm.plots.effects import plot_effects
from bayesglmm.plots.estimators import plot_estimators
from bayesglmm.plots.fan import plot_fan
from bayesglmm.plots.heterogeneity import plot_heterogeneity
from bayesglmm.plots.lattice import plot_lattice
from bayesglmm.plots.marginal_vs_conditional import plot_marginal_vs_conditional
from bayesglmm.plots.modes_scatter import plot_modes_scatter
from bayesglmm.plots.pit import plot_pit
from bayesglmm.plots.ppc import plot_ppc
from bayesglmm.plots.prior_posterior import plot_prior_posterior
from bayesglmm.plots.qq import plot_qq
from bayesglmm.plots.shrinkage import plot_shrinkage
from bayesglmm.plots.spaghetti import plot_spaghetti
from bayesglmm.plots.structure import plot_structure
from bayesglmm.plots.style import PIXELS_PER_INCH
from bayesglmm.plots.trace import plot_rank, plot_trace
from bayesglmm.post.check_effects import check_effects
from bayesglmm.post.curves import curves
from bayesglmm.post.fan import fan
from bayesglmm.post.heterogeneity import heterogeneity
from bayesglmm.post.lattice import lattice
from bayesglmm.post.random_effects import random_effects
from bayesglmm.post.result import Result
from bayesglmm.post.structure import row_covariance
from bayesglmm.workflows.pooling import pooling

FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a picture is drawn.

    Attributes
    ----------
    draw
        Takes a fit or a result.
    make
        Makes the result where the picture has options of its own; None for a picture without.
    """

    draw: Callable[..., Figure]
    make: Callable[..., Result] | None = None


GALLERY: Mapping[str, Recipe] = MappingProxyType(
    {
        "caterpillar": Recipe(plot_caterpillar, random_effects),
        "covariance": Recipe(plot_covariance),
        "effects": Recipe(plot_effects),
        "estimators": Recipe(plot_estimators),
        "fan": Recipe(plot_fan, fan),
        "heterogeneity": Recipe(plot_heterogeneity, heterogeneity),
        "lattice": Recipe(plot_lattice, lattice),
        "marginal_vs_conditional": Recipe(plot_marginal_vs_conditional),
        "modes_scatter": Recipe(plot_modes_scatter, random_effects),
        "pit": Recipe(plot_pit),
        "ppc": Recipe(plot_ppc),
        "prior_posterior": Recipe(plot_prior_posterior),
        "qq": Recipe(plot_qq, check_effects),
        "rank": Recipe(plot_rank),
        "shrinkage": Recipe(plot_shrinkage, pooling),
        "spaghetti": Recipe(plot_spaghetti, curves),
        "structure": Recipe(plot_structure, row_covariance),
        "trace": Recipe(plot_trace),
    }
)
"""By the name that follows ``plot_``."""


def picture(name: str, fit: Fit, options: Mapping[str, Any] | None = None) -> Figure:
    """Draw a picture of a fit.

    Parameters
    ----------
    name
        One of :data:`GALLERY`.
    fit
        A fit.
    options
        Of the function that makes the numbers: ``variable``, ``factor``, ``at``; the defaults when None or empty.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ArgumentError
        If there is no such picture, or it takes no such option.
    BayesglmmError
        If the model has no such picture; says why.
    """
    if name not in GALLERY:
        raise ArgumentError(f"there is no picture {name!r}", fix=f"one of {', '.join(GALLERY)}")
    recipe = GALLERY[name]
    if not options:
        return recipe.draw(fit)
    known = {} if recipe.make is None else dict(list(inspect.signature(recipe.make).parameters.items())[1:])
    useless = [option for option in options if option not in known]
    if useless or recipe.make is None:
        raise ArgumentError(f"the picture {name!r} takes no {useless[0]}", fix=f"leave {useless[0]} out")
    needed = [n for n, p in known.items() if p.default is inspect.Parameter.empty and n not in options]
    if needed:
        raise ArgumentError(f"with {next(iter(options))} the picture {name!r} also needs {needed[0]}", fix=f"name {needed[0]}")
    return recipe.draw(recipe.make(fit, **options))


def check_format(path: str | Path) -> str:
    """Return the format that a file's name asks for.

    Raises
    ------
    ArgumentError
        If it is none of :data:`FORMATS`.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ArgumentError("a picture of this kind cannot be written", where=str(path), fix=f"end the name in .{', .'.join(FORMATS)}")
    return kind


def write_picture(figure: Figure, target: Path) -> Path:
    """Write a figure, whole or not at all.

    Parameters
    ----------
    figure
        Any figure.
    target
        Ends in one of :data:`FORMATS`.

    Raises
    ------
    ArgumentError
        If the format is unknown, or the file cannot be written.
    """
    kind = check_format(target)
    try:
        with moved_when_whole(target) as temporary:
            figure.savefig(temporary, format=kind, dpi=PIXELS_PER_INCH)
    except OSError as error:
        raise unwritable(target, error, ArgumentError) from error
    return target
