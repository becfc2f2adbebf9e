"""All pairs of levels against each other."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import Compare
from bayesglmm.post.contrasts import compare_pairs, make_comparison
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval
from bayesglmm.post.result import Result
from bayesglmm.post.scenarios import check_variable, make_scene
from bayesglmm.post.values import distinct_values, known_values
from bayesglmm.types import Scale, Target

MAX_VALUES = 50
"""Fifty values are 1,225 pairs; more are refused, since their draws and their table help nobody."""


@takes_fit
def pairwise(  # noqa: PLR0913 (one public call; all but four are keywords)
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
    """Contrasts of all pairs of values of a column, with the posterior probability of each being positive.

    Parameters
    ----------
    fit
        A fit.
    variable
        The column whose values are compared; also a grouping factor whose levels are named (``group``, ``over``).
    values
        Two to fifty values; None for all levels of a factor, and for a number its mean and one unit more. Each value is compared with
        all that stand before it.
    at, target, compare, scale, by, over, weights, keep_draws, ci_prob, ci_kind
        As for :func:`bayesglmm.post.contrasts.contrasts`.

    Returns
    -------
    Result
        As for contrasts; ``table`` ends with ``prob_positive``, the posterior probability that the contrast is above 0, for ratios above 1.

    Raises
    ------
    ArgumentError, ColumnError, LevelError, MissingValueError, FamilyError
        As contrasts does; also if there are more than fifty values.

    Notes
    -----
    Intervals and probabilities belong to one pair each; nothing is adjusted for the number of pairs. In a mixed model the levels of a
    grouping factor are drawn together already (Gelman, Hill and Yajima 2012, *Journal of Research on Educational Effectiveness* 5,
    189-211); the levels of a fixed factor are not.
    """
    choice = make_interval(ci_prob, ci_kind)
    how = replace(make_comparison(fit, target, compare, scale), keep_draws=keep_draws, positive=True)
    scene = make_scene(variable, at, by=by, over=over, weights=weights)
    check_variable(fit, scene, target)
    found = known_values(fit, variable) if values is None else distinct_values(variable, values)
    if len(found) > MAX_VALUES:
        fix = "name the values to compare, values=[...]"
        raise ArgumentError(f"{len(found)} values make {len(found) * (len(found) - 1) // 2} pairs", where=f"column {variable!r}", fix=fix)
    return compare_pairs(fit, scene, list(combinations(found, 2)), how, choice)
