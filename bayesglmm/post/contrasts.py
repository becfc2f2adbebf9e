r"""Contrasts: the mean of a named target at one value of a column against that at another, per draw, summarised last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import COMPARISONS, NULL, Compare
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.scenarios import Averages, Scene, average_versions, base_rows, check_variable, make_scene, rows_at, scene_sentence
from bayesglmm.post.values import Pair, shown, value_pairs
from bayesglmm.types import FloatArray, Scale, Target, check_choice

CONTRAST: Final = "contrast"

_WHOSE: Final[Mapping[Target, str]] = {
    "average_subject": "average subject",
    "population": "population",
    "observed_groups": "observed groups",
    "group": "named group",
}
_TITLES: Final[Mapping[Compare, str]] = {
    "difference": "difference of means",
    "ratio": "ratio of means",
    "odds_ratio": "odds ratio of means",
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and how.

    Attributes
    ----------
    target
        Whose mean.
    compare
        Difference, ratio or odds ratio.
    scale
        Of a difference.
    """

    target: Target
    compare: Compare
    scale: Scale


def contrasts(  # noqa: PLR0913 (one public call; all but four are keywords)
    fit: Fit,
    variable: str,
    values: Any = None,
    at: Any = None,
    *,
    target: Target,
    compare: Compare = "difference",
    scale: Scale = "response",
    by: str | Sequence[str] | None = None,
    over: str | Sequence[str] | None = None,
    weights: Any = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Means at one value of a column against means at another, for a named target.

    .. math:: \mu_2 - \mu_1, \qquad \mu_2 / \mu_1, \qquad \frac{\mu_2 / (1 - \mu_2)}{\mu_1 / (1 - \mu_1)}, \qquad g(\mu_2) - g(\mu_1)

    with :math:`\mu_1, \mu_2` the target's mean at the two values, each averaged over rows first where rows are averaged.

    Parameters
    ----------
    fit
        A fit.
    variable
        The column whose values are compared; also a grouping factor whose levels are named (``group``, ``over``). Interactions and
        transforms of it in the formula follow it; other columns of the table, though made from it, do not.
    values
        A list of values, each later one compared with the first; a list of pairs (from, to); None for all levels of a factor against its
        reference, and for a number one unit up from its mean.
    at
        The other columns. None for the rows of the data, with the variable set to each value in turn (standardization); a mapping for a
        grid, ``{}`` for one row with the other columns at their mean or reference level; any table for new rows, its column of the
        variable not being used.
    target
        Whose mean; there is no default. ``group`` takes levels from ``at``; from None, each row of the data keeps its own.
    compare
        ``difference``; ``ratio``, of positive means; ``odds_ratio``, of means between 0 and 1.
    scale
        Of a difference: ``response``, or ``link`` for the difference of the links of the means.
    by, over, weights
        As for :func:`bayesglmm.post.means.means`.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns of the row or cell, ``from``, ``to``, ``compares`` (the contrast in words), ``mean``, ``sd``, ``median``,
        ``ci_lower``, ``ci_upper``. ``draws``: variable ``contrast`` with dims (chain, draw, row).

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError
        If an argument, a value or a row is not what it must be; if a ratio meets a mean that is not positive.
    FamilyError
        If odds are asked of a mean that is no probability, or the link has no population mean.

    Notes
    -----
    Under a logit link the odds ratio of the average subject is ``exp(beta)`` on one row (``at={}``). On average over different rows it is
    not, and for the population it is not either, even on one row: odds ratios do not average (Gail, Wieand and Piantadosi 1984,
    *Biometrika* 71, 431-444). Ratios are taken from logarithms of the means, so that they keep their digits in the tails.
    """
    choice = make_interval(ci_prob, ci_kind)
    how = make_comparison(fit, target, compare, scale)
    scene = make_scene(variable, at, by=by, over=over, weights=weights)
    check_variable(fit, scene, target)
    return compare_pairs(fit, scene, value_pairs(fit, variable, values), how, choice)


def make_comparison(fit: Fit, target: Target, compare: Compare, scale: Scale) -> Comparison:
    """Check what is compared.

    Raises
    ------
    ArgumentError
        If an option is unknown, or a ratio is asked for on the link scale.
    FamilyError
        If odds are asked of a mean that is no probability.
    """
    check_choice("target", target, Target)
    check_choice("compare", compare, Compare)
    check_choice("scale", scale, Scale)
    if (compare, scale) not in COMPARISONS:
        fix = "use scale='response', or compare='difference'"
        raise ArgumentError(f"compare={compare!r} has no meaning on the link scale", where=f"scale={scale!r}", fix=fix)
    if compare == "odds_ratio":
        COMPARISONS[compare, scale](fit.link, np.zeros(0), np.zeros(0))
    return Comparison(target, compare, scale)


def compare_pairs(
    fit: Fit, scene: Scene, pairs: Sequence[Pair], how: Comparison, choice: IntervalChoice, *, positive: bool = False
) -> Result:
    """Contrasts of pairs of values.

    Parameters
    ----------
    fit
        A fit.
    scene
        The rows; a grid must not name the variable.
    pairs
        From and to.
    how
        What is compared.
    choice
        Level and kind of the intervals.
    positive
        Whether the table gets ``prob_positive``.

    Returns
    -------
    Result
        As for :func:`contrasts`.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError, FamilyError
        As for :func:`contrasts`.
    """
    grid = isinstance(scene.at, Mapping)
    if grid and scene.variable in scene.at:
        fix = "take it out of at, and name its values as values=[...]"
        raise ArgumentError("at names the column whose values are compared", where=f"column {scene.variable!r}", fix=fix)
    values = list({repr(v): v for pair in pairs for v in pair}.values())
    base = None if grid else base_rows(fit, scene, how.target)
    found = average_versions(fit, scene, [rows_at(fit, scene, base, v, how.target) for v in values], how.target)
    draws = _contrast_draws(fit, found, _positions(values, pairs), how)
    numbers: dict[str, Any] = {"from": _column(p[0] for p in pairs), "to": _column(p[1] for p in pairs)}
    numbers["compares"] = np.array([_words(fit, scene, found, how, pair) for pair in pairs], dtype=object)
    size = len(found.frame)
    columns = {name: np.tile(column, size) for name, column in numbers.items()}
    columns |= summarise(draws, choice) | ({"prob_positive": np.mean(draws > NULL[how.compare], axis=0)} if positive else {})
    labels = found.frame.loc[found.frame.index.repeat(len(pairs))]
    table = join_columns(labels, columns, reserved=(CONTRAST,))
    coords = {str(c): table[c].to_numpy() for c in table.columns[: found.frame.shape[1] + len(numbers)]}
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    dataset = draws_dataset({CONTRAST: draws}, sizes, "row", coords)
    title = f"Contrasts of {scene.variable}: {_TITLES[how.compare]}, {how.scale} scale{_link_name(fit, how)}"
    return Result(
        title, scene_sentence(fit, scene, how.target), table, dataset, (*found.notes, *_notes(found, how), *run_notes(fit)), choice
    )


def _positions(values: Sequence[Any], pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Where the two values of each pair are among all of them."""
    at = {repr(v): i for i, v in enumerate(values)}
    return [(at[repr(first)], at[repr(second)]) for first, second in pairs]


def _contrast_draws(fit: Fit, found: Averages, positions: Sequence[tuple[int, int]], how: Comparison) -> FloatArray:
    """Contrasts (S, k x pairs), the pairs of one cell beside each other."""
    before, after = found.eta[:, :, [p[0] for p in positions]], found.eta[:, :, [p[1] for p in positions]]
    draws = COMPARISONS[how.compare, how.scale](fit.link, before, after).reshape(len(found.eta), -1)
    if not np.isfinite(draws).all():
        lines = sorted(set(np.flatnonzero(~np.isfinite(draws).all(axis=0)).tolist()))
        where = f"{how.compare} on the {how.scale} scale, lines {', '.join(map(str, lines[:5]))} (counted from 0)"
        fix = "compare closer values, or compare='difference' on the response scale"
        raise ArgumentError("a contrast is beyond the range of double precision", where=where, fix=fix)
    return draws


def _column(values: Any) -> Any:
    """Values as one column: numbers where all are numbers, else as they are."""
    listed = list(values)
    numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in listed)
    return np.array(listed) if numbers else np.array(listed, dtype=object)


def _words(fit: Fit, scene: Scene, found: Averages, how: Comparison, pair: Pair) -> str:
    """One contrast in words."""
    whose = _WHOSE[how.target] if fit.design.groups else "model"
    first, second = (f"{scene.variable} = {shown(v)}" for v in pair)
    if how.compare == "difference":
        of_link = f"{fit.link.name} of the " if how.scale == "link" and fit.link.name != "identity" else ""
        return f"{of_link}{whose} mean at {second} minus that at {first}"
    what = "odds" if how.compare == "odds_ratio" else "mean"
    return f"{what} of the {whose}, {second} to {first}{_within(fit, found, how)}"


def _within(fit: Fit, found: Averages, how: Comparison) -> str:
    """Say whether a ratio is one that a single subject would see."""
    if not fit.design.groups:
        return ""
    if how.target in ("population", "observed_groups"):
        return "; not within one subject"
    return f"; within the {_WHOSE[how.target]}" if found.single else "; of averages over rows"


def _link_name(fit: Fit, how: Comparison) -> str:
    return f" ({fit.link.name})" if how.scale == "link" else ""


def _notes(found: Averages, how: Comparison) -> tuple[str, ...]:
    if found.single or (how.compare == "difference" and how.scale == "response"):
        return ()
    return ("Means are averaged over rows before they are compared: the comparison of averages, not the average of comparisons.",)
