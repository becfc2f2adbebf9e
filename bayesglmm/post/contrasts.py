r"""Contrasts: the mean of a named target at one value of a column against that at another, per draw, summarised last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from bayesglmm.design.table import row_count
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import COMPARISONS, NULL, Compare
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.lines import Lines, line_draws, lines_beyond, summarise_versions
from bayesglmm.post.result import Result, join_columns, run_notes
from bayesglmm.post.rows import Rows
from bayesglmm.post.scenarios import Averages, Scene, base_rows, check_variable, make_scene, rows_at, scene_sentence
from bayesglmm.post.values import Pair, shown, value_pairs
from bayesglmm.types import FloatArray, Scale, Target, check_choice

CONTRAST: Final = "contrast"
COMPARES: Final = "compares"

FEW_VALUES: Final = 10
"""So many values of a factor are compared on any rows without being named."""

MAX_ROWS: Final = 2**20
"""Most rows times values where the values of a factor with more levels are not named."""

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
    keep_draws
        Whether the result keeps its draws.
    positive
        Whether the table gets ``prob_positive``.
    """

    target: Target
    compare: Compare
    scale: Scale
    keep_draws: bool = True
    positive: bool = False


@takes_fit
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
    keep_draws: bool = True,
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
        reference (refused for many levels on many rows), and for a number one unit up from its mean.
    at
        The other columns. None for the rows of the data, with the variable set to each value in turn (standardization); a mapping for a
        grid, ``{}`` for one row with the other columns at their mean or reference level; any table for new rows, its column of the
        variable not being used.
    target
        Whose mean; there is no default. ``group`` takes levels from ``at``; from None, each row of the data keeps its own. Where the
        variable is a factor that is nested in another one, the level of that other one follows it, unless a table or grid names it.
    compare
        ``difference``; ``ratio``, of positive means; ``odds_ratio``, of means between 0 and 1.
    scale
        Of a difference: ``response``, or ``link`` for the difference of the links of the means.
    by, over, weights
        As for :func:`bayesglmm.post.means.means`.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws x rows where every row is a line.
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
        If an argument, a value or a row is not what it must be; if a ratio meets a mean that is not positive; if a factor has too many
        levels for the rows and ``values`` does not choose among them.
    FamilyError
        If odds are asked of a mean that is no probability, or the link has no population mean.

    Notes
    -----
    Under a logit link the odds ratio of the average subject is ``exp(beta)`` on one row (``at={}``). On average over different rows it is
    not, and for the population it is not either, even on one row: odds ratios do not average (Gail, Wieand and Piantadosi 1984,
    *Biometrika* 71, 431-444). Ratios are taken from logarithms of the means, so that they keep their digits in the tails.
    """
    choice = make_interval(ci_prob, ci_kind)
    how = replace(make_comparison(fit, target, compare, scale), keep_draws=keep_draws)
    scene = make_scene(variable, at, by=by, over=over, weights=weights)
    return compare_pairs(fit, scene, scene_pairs(fit, scene, values, target), how, choice)


def scene_pairs(fit: Fit, scene: Scene, values: Any, target: Target) -> tuple[Pair, ...]:
    """Pairs of values to be compared, from what a caller says, checked with the rows.

    Raises
    ------
    ArgumentError, ColumnError
        If the target's mean does not depend on the variable, the values are no two different ones, or nobody named so many of them.
    """
    check_variable(fit, scene, target)
    pairs = value_pairs(fit, scene.variable, values)
    if values is None:
        _check_size(fit, scene, pairs, target)
    return pairs


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


def _check_size(fit: Fit, scene: Scene, pairs: Sequence[Pair], target: Target) -> None:
    """Refuse to compare many levels, which nobody named, on many rows."""
    n_values = len(pairs) + 1
    if n_values <= FEW_VALUES:
        return
    if scene.at is None:
        rows = len(fit.frame)
    else:
        rows = rows_at(fit, scene, None, pairs[0][0], target).n_rows if isinstance(scene.at, Mapping) else row_count(scene.at)
    if n_values * rows > MAX_ROWS:
        raise ArgumentError(
            f"{n_values:,} levels on {rows:,} rows each are more than the {MAX_ROWS:,} rows that are compared without being asked for",
            where=f"column {scene.variable!r}",
            fix="name the values to compare, values=[...], or give fewer rows, at=...",
        )


def compare_pairs(fit: Fit, scene: Scene, pairs: Sequence[Pair], how: Comparison, choice: IntervalChoice) -> Result:
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

    Returns
    -------
    Result
        As for :func:`contrasts`.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError, FamilyError
        As for :func:`contrasts`.
    """
    versions, work = prepare_pairs(fit, scene, pairs, how)

    def summary(found: Averages, first: int) -> tuple[dict[str, FloatArray], FloatArray]:
        draws = work.draws(found, first)
        columns = summarise(draws, choice)
        return columns | ({"prob_positive": np.mean(draws > NULL[how.compare], axis=0)} if how.positive else {}), draws

    found = summarise_versions(fit, scene, versions, how.target, summary, keep_draws=how.keep_draws)
    numbers: dict[str, Any] = {"from": _column(p[0] for p in pairs), "to": _column(p[1] for p in pairs)}
    numbers[COMPARES] = np.array([_words(fit, scene, found, how, pair) for pair in pairs], dtype=object)
    columns = {name: np.tile(column, len(found.frame)) for name, column in numbers.items()} | found.columns
    labels = found.frame.loc[found.frame.index.repeat(len(pairs))]
    table = join_columns(labels, columns, reserved=(CONTRAST,))
    title = f"Contrasts of {scene.variable}: {_TITLES[how.compare]}, {how.scale} scale{_link_name(fit, how)}"
    return Result(
        title,
        scene_sentence(fit, scene, how.target),
        table,
        line_draws(fit, CONTRAST, found.draws, table.iloc[:, : found.frame.shape[1] + len(numbers)]),
        (*found.notes, *contrast_notes(how, single=found.single), *run_notes(fit)),
        choice,
    )


@dataclass(frozen=True, slots=True)
class Work:
    """How averages become contrasts of pairs.

    Attributes
    ----------
    fit
        A fit.
    positions
        Where the two values of each pair are among all of them.
    how
        What is compared.
    """

    fit: Fit
    positions: Sequence[tuple[int, int]]
    how: Comparison

    def draws(self, found: Averages, first: int) -> FloatArray:
        """Draws (S, k x pairs), the pairs of one average beside each other; the first average is number ``first`` of all.

        Raises
        ------
        ArgumentError
            If one is beyond the range of double precision.
        """
        before, after = found.eta[:, :, [p[0] for p in self.positions]], found.eta[:, :, [p[1] for p in self.positions]]
        how = self.how
        with np.errstate(over="ignore", invalid="ignore"):
            draws = COMPARISONS[how.compare, how.scale](self.fit.link, before, after).reshape(len(found.eta), -1)
        lines = lines_beyond(draws, first * len(self.positions))
        if lines:
            raise ArgumentError(
                "a contrast is beyond the range of double precision",
                where=f"{how.compare} on the {how.scale} scale, {lines}",
                fix=f"compare closer values{_always_finite(self.fit, how)}",
            )
        return draws


def _always_finite(fit: Fit, how: Comparison) -> str:
    """Name a comparison that is finite where another one is not: a difference of bounded means, or of links."""
    if how.scale == "link":
        return ""
    bounded = fit.link.onto_unit_interval and how.compare != "difference"
    return ", or use compare='difference'" + ("" if bounded else " with scale='link'")


def prepare_pairs(fit: Fit, scene: Scene, pairs: Sequence[Pair], how: Comparison) -> tuple[list[Rows], Work]:
    """Rows with the variable at each of the values of the pairs, and how averages over them are compared.

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
    versions = [rows_at(fit, scene, base, v, how.target) for v in values]
    return versions, Work(fit, _positions(values, pairs), how)


def pair_columns(pairs: Sequence[Pair], times: int) -> dict[str, Any]:
    """Columns ``from`` and ``to`` of so many averages, the pairs of one average beside each other."""
    columns = {"from": _column(p[0] for p in pairs), "to": _column(p[1] for p in pairs)}
    return {name: np.tile(column, times) for name, column in columns.items()}


def _positions(values: Sequence[Any], pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Where the two values of each pair are among all of them."""
    at = {repr(v): i for i, v in enumerate(values)}
    return [(at[repr(first)], at[repr(second)]) for first, second in pairs]


def _column(values: Any) -> Any:
    """Values as one column: numbers where all are numbers, else as they are."""
    listed = list(values)
    numbers = all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in listed)
    return np.array(listed) if numbers else np.array(listed, dtype=object)


def _words(fit: Fit, scene: Scene, found: Lines, how: Comparison, pair: Pair) -> str:
    """One contrast in words."""
    whose = _WHOSE[how.target] if fit.design.groups else "model"
    first, second = (f"{scene.variable} = {shown(v)}" for v in pair)
    if how.compare == "difference":
        of_link = f"{fit.link.name} of the " if how.scale == "link" and fit.link.name != "identity" else ""
        return f"{of_link}{whose} mean at {second} minus that at {first}"
    what = "odds" if how.compare == "odds_ratio" else "mean"
    return f"{what} of the {whose}, {second} to {first}{_within(fit, found, how)}"


def _within(fit: Fit, found: Lines, how: Comparison) -> str:
    """Say whether a ratio is one that a single subject would see."""
    if not fit.design.groups:
        return ""
    if how.target in ("population", "observed_groups"):
        return "; not within one subject"
    return f"; within the {_WHOSE[how.target]}" if found.single else "; of averages over rows"


def _link_name(fit: Fit, how: Comparison) -> str:
    return f" ({fit.link.name})" if how.scale == "link" else ""


def contrast_notes(how: Comparison, *, single: bool) -> tuple[str, ...]:
    """Say what is averaged first, where it matters; ``single`` where every average is one row."""
    if single or (how.compare == "difference" and how.scale == "response"):
        return ()
    return ("Means are averaged over rows before they are compared: the comparison of averages, not the average of comparisons.",)
