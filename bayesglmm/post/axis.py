"""What a picture along a covariate needs: the covariate, its values, the rows that they stand for, and which levels are shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from bayesglmm import naming
from bayesglmm.design.encoding import part_columns
from bayesglmm.design.expressions import unknown_column
from bayesglmm.design.records import label
from bayesglmm.errors import ArgumentError, LevelError
from bayesglmm.fit.fit import Fit
from bayesglmm.post.linear_predictor import Parameters
from bayesglmm.post.rows import ALL, Rows, build_rows, occurring, predictor_columns
from bayesglmm.post.values import is_factor
from bayesglmm.types import FloatArray, Target

POINTS: Final = 50
"""Values along a numeric covariate."""
MOST_TIMES: Final = 6
"""Times of a covariance matrix that nobody asked for."""


def default_covariate(fit: Fit) -> str:
    """Choose a column to draw along: a number with a random slope, else a number, else the first factor.

    Raises
    ------
    ArgumentError
        If the model has no covariate.
    """
    encoding = fit.design.encoding
    slopes = [c for g in encoding.groups for c in part_columns(g.effects.part)]
    known = list(dict.fromkeys([*part_columns(encoding.fixed.part), *slopes]))
    if not known:
        raise _no_covariate(fit)
    numbers = [c for c in known if not is_factor(fit, c)]
    return next(iter([c for c in numbers if c in slopes] or numbers or known))


def check_covariate(fit: Fit, variable: str) -> None:
    """Refuse a column to draw along that the formula does not read beside its grouping factors.

    Raises
    ------
    ArgumentError
        If it reads none.
    ColumnError
        If it is not among them; names the nearest.
    """
    known = predictor_columns(fit, levels=False)
    if not known:
        raise _no_covariate(fit)
    if variable not in known:
        raise unknown_column(variable, list(known))


def _no_covariate(fit: Fit) -> ArgumentError:
    fix = "add a covariate; random_effects(fit) and variance_partition(fit) show what this model has"
    return ArgumentError("the model has no covariate to draw along", where=fit.spec.formula, fix=fix)


def chosen_factor(fit: Fit, factor: str | None) -> str:
    """Name one grouping factor, the first when None.

    Raises
    ------
    ArgumentError
        If there is no such grouping factor, or none at all.
    """
    known = list(dict.fromkeys(g.name for g in fit.design.groups))
    if not known:
        raise ArgumentError("the model has no grouping factor", where=fit.spec.formula, fix="add one, such as (1 | subject)")
    if factor is not None and factor not in known:
        raise ArgumentError(f"factor={factor!r} is no grouping factor of the model", fix=f"the factors are: {', '.join(known)}")
    return known[0] if factor is None else factor


def chosen_levels(fit: Fit, parameters: Parameters, factor: str, groups: int | Sequence[Any]) -> list[int]:
    """Positions of the levels that are shown, in the order of the posterior mean of their first effect.

    Parameters
    ----------
    fit
        A fit.
    parameters
        With the random effects of the factor.
    factor
        Name of a grouping factor.
    groups
        How many levels, evenly spaced by rank; or the levels themselves, which keep their own order.

    Raises
    ------
    ArgumentError
        If it is no number from 0 and no list of levels, or an empty one.
    LevelError
        If a level has not been seen.
    """
    at = next(k for k, g in enumerate(fit.design.groups) if g.name == factor)
    if isinstance(groups, bool | str) or not isinstance(groups, int | np.integer | Iterable):
        raise ArgumentError(f"groups={groups!r} is neither a number of levels nor a list of them", fix=f"give a list, [{groups!r}]")
    if not isinstance(groups, int | np.integer):
        return _named(factor, fit.design.groups[at].levels, list(groups))
    if groups < 0:
        raise ArgumentError(f"groups={groups} is no number of groups", fix="give a number from 0, or a list of levels")
    order = np.argsort(_first_effects(parameters, at), kind="stable")
    chosen = np.unique(np.linspace(0, len(order) - 1, min(int(groups), len(order))).round().astype(int))
    return [int(j) for j in order[chosen]] if groups else []


def by_intercept(parameters: Parameters, fit: Fit, factor: str, levels: Iterable[int]) -> list[int]:
    """Sort positions of levels by the posterior mean of their first effect, the smallest first."""
    at = next(k for k, g in enumerate(fit.design.groups) if g.name == factor)
    means = _first_effects(parameters, at)
    return sorted(levels, key=lambda j: float(means[j]))


def axis_rows(fit: Fit, variable: str, at: Mapping[str, Any], values: Sequence[Any] | None) -> Rows:
    """Make one row per value of a covariate, everything else held.

    Parameters
    ----------
    fit
        A fit.
    variable
        A column of the formula.
    at
        Values of other columns, one each.
    values
        Values of the covariate; :func:`axis_values` when None.

    Raises
    ------
    ColumnError
        If the column is not in the formula; names the nearest.
    ArgumentError
        If the formula has no covariate, or ``at`` names the one along the axis, or gives several values of a column.
    """
    check_covariate(fit, variable)
    if variable in at:
        raise ArgumentError(f"{variable!r} is the covariate along the axis", where="at", fix="give its values with values=")
    several = [n for n, v in at.items() if np.iterable(v) and not (isinstance(v, str) and v != ALL)]
    if several:
        raise ArgumentError("a curve has one value of every other covariate", where=f"at, {several[0]!r}", fix="call once per value")
    return build_rows(fit, {**at, variable: axis_values(fit, variable) if values is None else list(values)}, target="population")


def axis_values(fit: Fit, variable: str, points: int = POINTS) -> list[Any]:
    """Equally spaced values over the range of a number; all that occur of a factor."""
    column = fit.frame[variable]
    if is_factor(fit, variable):
        return occurring(column)
    return [float(v) for v in np.linspace(float(column.min()), float(column.max()), points)]


def _first_effects(parameters: Parameters, term: int) -> FloatArray:
    """Posterior means (L,) of the first effect of a group term."""
    b = parameters.groups[term].b
    if b is None:
        raise ArgumentError("these parameters were taken without random effects", fix="take them with effects=True")
    return np.asarray(b[:, :, 0].mean(axis=0))


def _named(factor: str, levels: Sequence[str], groups: Sequence[Any]) -> list[int]:
    """Positions of levels by name."""
    if not groups:
        fix = "name observed levels; in curves groups=0 shows the average subject and the population alone"
        raise ArgumentError("groups names no level", where=f"groups={groups!r}", fix=fix)
    names = [label(level) for level in levels]
    unknown = [label(g) for g in groups if label(g) not in names]
    if unknown:
        raise LevelError("the fit has not seen these levels", where=f"{factor}: {', '.join(unknown)}", fix="name observed levels")
    return [names.index(label(g)) for g in groups]


def targets_of(fit: Fit) -> tuple[Target, ...]:
    """Name the targets that a fit has averages for.

    One without groups; not the population where the link has no population mean; not the observed groups where the fit kept no effects.
    """
    groups, posterior = fit.design.groups, fit.posterior
    if not groups:
        return ("average_subject",)
    kept = all(naming.effect(term.name, group.name) in posterior for group in groups for term in group.effects)
    population: tuple[Target, ...] = ("population",) if fit.link.has_population_mean else ()
    observed: tuple[Target, ...] = ("observed_groups",) if kept else ()
    return ("average_subject", *population, *observed)


def effect_cells(fit: Fit) -> list[dict[str, list[Any]]]:
    """Grids that show the fixed effects: the levels of each factor, or without factors the quartiles of the first number."""
    fixed = list(dict.fromkeys(part_columns(fit.design.encoding.fixed.part)))
    factors = [c for c in fixed if is_factor(fit, c)]
    if factors:
        return [{c: occurring(fit.frame[c])} for c in factors]
    if not fixed:
        return [{}]
    quartiles = np.unique(np.quantile(fit.frame[fixed[0]].to_numpy(dtype=np.float64), (0.25, 0.5, 0.75)))
    return [{fixed[0]: [float(v) for v in quartiles]}]


def spaced_times(fit: Fit) -> tuple[Any, str | None]:
    """Values of the one column that has a random slope, up to six that occur, and the factor that has it; ``all`` and None without."""
    pairs = [(c, g.name) for g, e in zip(fit.design.groups, fit.design.encoding.groups, strict=True) for c in part_columns(e.effects.part)]
    if len({c for c, _ in pairs}) != 1:
        return ALL, None
    column, factor = pairs[0]
    known = occurring(fit.frame[column])
    chosen = np.unique(np.linspace(0, len(known) - 1, min(MOST_TIMES, len(known))).round().astype(int))
    return [known[k] for k in chosen], factor


def default_grid(fit: Fit) -> dict[str, list[Any]]:
    """Values of :func:`default_covariate` as a grid of one column; without a covariate one row."""
    encoding = fit.design.encoding
    parts = (encoding.fixed.part, *(g.effects.part for g in encoding.groups))
    if not any(part_columns(part) for part in parts):
        return {}
    name = default_covariate(fit)
    return {name: axis_values(fit, name)}
