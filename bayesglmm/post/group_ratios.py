r"""Ratios between two random groups: median and interval odds ratios, and the share of pairs that go against the coefficient."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.covariance import linear_predictor_variance
from bayesglmm.numerics.heterogeneity import opposite_sign_share
from bayesglmm.numerics.spread import interval_ratio, median_ratio
from bayesglmm.post.changes import pair_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, check_probability, make_interval, summarise
from bayesglmm.post.linear_predictor import Parameters, fit_parameters, fixed_eta
from bayesglmm.post.odds_ratios import ratio_name, slope_notes, slopes_of
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.rows import build_rows, predictor_columns
from bayesglmm.post.subjects import chosen_factors
from bayesglmm.spec.gate import names_in
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT
from bayesglmm.spec.terms import Part
from bayesglmm.types import FloatArray

RATIO: Final = "median_ratio"
QUANTITIES: Final = ("lower", "upper", "opposed")


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of levels of one factor after another.

    Attributes
    ----------
    frame
        k rows: what tells the comparisons apart.
    change
        Shape (S, k): the fixed part of the difference.
    variance
        For each factor (S, k): variance of the difference.
    notes
        What was held fixed, and what was left out.
    """

    frame: pd.DataFrame
    change: FloatArray
    variance: tuple[FloatArray, ...]
    notes: tuple[str, ...]


@takes_fit
def median_odds_ratio(
    fit: Fit, at: Any = None, *, over: Collection[str] | str | None = None, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Median odds ratio of each grouping factor: how different two of its levels are, everything else equal.

    .. math:: \mathrm{MOR} = \exp(\sqrt w\,\Phi^{-1}(3/4)), \qquad w = 2 v, \quad v = \textstyle\sum_t z_t' D_t z_t

    the median, over pairs of random levels of the factor, of the ratio of the higher to the lower odds; the effects of the other
    factors are equal and cancel. Under the log link the median ratio of means, under cloglog the median hazard ratio.

    Parameters
    ----------
    fit
        A fit with a grouping factor, under the logit, log or cloglog link.
    at
        Rows at which the levels are compared, as for :func:`bayesglmm.post.heterogeneity.heterogeneity`. None compares them by their
        random intercepts alone, where the columns with random slopes are zero.
    over
        Names of the factors that are asked for; all when None. Effects of the others are equal in both groups and cancel, so that no level
        of them is named (in :func:`bayesglmm.post.means.means` they are given, and count).
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per row of ``at`` and factor: ``factor``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``:
        variable ``median_ratio`` with dims (chain, draw, row).

    Raises
    ------
    FamilyError
        If the exponential of a predictor is no ratio under the link; gives the reason.
    ArgumentError
        If the model has no grouping factor, or without ``at`` none that was asked for has a random intercept.
    ColumnError, LevelError, MissingValueError
        If ``at`` is not what it must be.

    References
    ----------
    Larsen, K. and Merlo, J. (2005). *American Journal of Epidemiology* 161, 81-88.
    """
    choice = make_interval(ci_prob, ci_kind)
    name, factors = ratio_name(fit), chosen_factors(fit, over)
    _refuse_levels(fit, at, "at")
    parameters = fit_parameters(fit, effects=False)
    rows = None if at is None else build_rows(fit, at, target="population")
    if rows is None:
        factors, notes = _with_intercept(fit, factors)
        frame, Z = pd.DataFrame(index=range(1)), _intercept_columns(fit)
    else:
        frame, Z, notes = rows.frame, rows.Z, rows.notes
    variances = np.stack([_factor_variance(fit, parameters, factor, Z) for factor in factors], axis=2)
    draws = median_ratio(2.0 * variances.reshape(len(variances), -1))
    numbers = {"factor": np.array(list(factors) * len(frame), dtype=object), **summarise(draws, choice)}
    table = join_columns(_repeated(frame, len(factors)), numbers, reserved=(RATIO,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    target = f"two random levels of a factor, old or new, at equal covariates{_cancelled(fit)}: exp|z'(b1 - b2)|"
    note = f"Median, over pairs of levels, of the {name.singular} of the higher to the lower one; 1 when all are equal."
    return Result(
        f"Median {name.singular} of two levels",
        target,
        table,
        draws_dataset({RATIO: draws}, sizes, "row", _coords(table, frame.shape[1] + 1)),
        (note, *notes, *run_notes(fit)),
        choice,
    )


@takes_fit
def interval_odds_ratio(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    at: Any = None,
    *,
    versus: Any = None,
    level: float = 0.8,
    over: Collection[str] | str | None = None,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Interval odds ratios: a change of covariates and a change of group at once.

    .. math:: \exp(dx'\beta \pm \sqrt w\,\Phi^{-1}((1 + level) / 2)), \qquad \text{opposed: } \Phi(-|dx'\beta| / \sqrt w),
              \qquad w = z_1' D z_1 + z_2' D z_2

    One random level of a factor at (x1, z1) is compared with another one at (x2, z2), the effects of the other factors being equal.
    Over such pairs the interval holds the share ``level`` of the odds ratios (0.8: IOR-80); ``opposed`` is the share of them on the other
    side of one than :math:`\exp(dx'\beta)`. Wide intervals that hold one say that the groups differ more than the covariate moves them.

    Parameters
    ----------
    fit
        A fit with a grouping factor, under the logit, log or cloglog link.
    at, versus
        The two rows, as for a contrast of :func:`bayesglmm.post.heterogeneity.heterogeneity`; ``versus`` is the first. Without both, one
        unit more of each coefficient's column, from where the columns with random slopes are zero; the random slope of the same column
        counts in the second group. Coefficients are left out whose columns random effects read in another term (products, powers).
    level
        Share of the pairs inside the interval.
    over
        Names of the factors that are asked for; all when None. Effects of the others are equal in both groups and cancel, so that no level
        of them is named (in :func:`bayesglmm.post.means.means` they are given, and count).
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the credible intervals.

    Returns
    -------
    Result
        ``table``, three rows per comparison and factor: ``coefficient`` (or the columns of the two rows), ``factor``, ``quantity``
        (``lower``, ``upper``, ``opposed``), ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. ``draws``: variables of these names
        with dims (chain, draw, row), one row per comparison and factor.

    Raises
    ------
    FamilyError
        If the exponential of a predictor is no ratio under the link; gives the reason.
    ArgumentError
        If the model has no grouping factor, the rows do not pair, or without rows no factor that was asked for has a random intercept.
    DesignError
        If no coefficient compares anything (:func:`bayesglmm.post.odds_ratios.odds_ratios`), and no rows are given.
    ColumnError, LevelError, MissingValueError
        If a row is not what it must be.

    Notes
    -----
    A covariate that varies within groups also has odds ratios within one group, :math:`\exp(\beta)`, which are more to the point; these
    intervals were made for covariates of the groups themselves.

    References
    ----------
    Larsen, K. and Merlo, J. (2005). *American Journal of Epidemiology* 161, 81-88.
    """
    choice = make_interval(ci_prob, ci_kind)
    check_probability("level", level)
    name, factors = ratio_name(fit), chosen_factors(fit, over)
    _refuse_levels(fit, at, "at")
    _refuse_levels(fit, versus, "versus")
    parameters = fit_parameters(fit, effects=False)
    if at is None and versus is None:
        factors, notes = _with_intercept(fit, factors)
        pairs = _unit_changes(fit, parameters, factors, notes)
    else:
        pairs = _row_changes(fit, parameters, factors, at, versus)
    draws = _ratio_draws(pairs, level)
    table = _interval_table(pairs, factors, draws, choice)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    return Result(
        f"Interval {name.plural} (IOR-{100 * level:g}), and the share of opposed ones",
        f"two random levels of a factor, old or new, the second one changed{_cancelled(fit)}: exp(dx'beta + z2'b2 - z1'b1)",
        table,
        draws_dataset(dict(zip(QUANTITIES, draws, strict=True)), sizes, "row", _coords(table.iloc[::3], pairs.frame.shape[1] + 1)),
        (
            f"lower, upper: hold {100 * level:g} % of the {name.plural}; opposed: share on the other side of 1.",
            *pairs.notes,
            *run_notes(fit),
        ),
        choice,
    )


def _refuse_levels(fit: Fit, rows: Any, argument: str) -> None:
    """Refuse a grid that names a level."""
    read = predictor_columns(fit, levels=False)
    named = [c for g in fit.design.encoding.groups for c in g.columns if isinstance(rows, Mapping) and c in rows and c not in read]
    if named:
        raise ArgumentError(
            f"a grouping factor is named in {argument}: levels of the factors in over are random ones, effects of the others cancel",
            where=f"column {named[0]!r}",
            fix=f"leave it out of {argument}; contrasts(fit, {named[0]!r}, target='group') compares named levels",
        )


def _cancelled(fit: Fit) -> str:
    """Say what the factors that are not compared do."""
    several = len({g.name for g in fit.design.groups}) > 1
    return "; effects of the other factors are equal in both and cancel" if several else ""


def _repeated(frame: pd.DataFrame, times: int) -> pd.DataFrame:
    """Repeat each row so many times."""
    return frame.iloc[np.repeat(np.arange(len(frame)), times)].reset_index(drop=True)


def _interval_table(pairs: _Pairs, factors: Sequence[str], draws: Sequence[FloatArray], choice: IntervalChoice) -> pd.DataFrame:
    """Three lines per comparison and factor, one for each quantity."""
    n = len(pairs.frame)
    summary = summarise(np.stack(draws, axis=2).reshape(len(draws[0]), -1), choice)
    named = {"factor": np.array(np.repeat(factors, 3).tolist() * n, dtype=object), "quantity": np.tile(QUANTITIES, n * len(factors))}
    return join_columns(_repeated(pairs.frame, 3 * len(factors)), {**named, **summary}, reserved=QUANTITIES)


def _coords(table: pd.DataFrame, n: int) -> dict[str, NDArray[Any]]:
    """Take the first n columns of a table, which tell its lines apart, as coordinates of the draws."""
    return {str(name): table[name].to_numpy() for name in table.columns[:n]}


def _ratio_draws(pairs: _Pairs, level: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Find ends and opposed shares, (S, comparisons x factors) each, factors changing fastest."""
    variance = np.stack(pairs.variance, axis=2)
    change = np.broadcast_to(pairs.change[:, :, None], variance.shape)
    ends = interval_ratio(change, variance, level)
    values = (ends.lower, ends.upper, opposite_sign_share(change, np.sqrt(variance)))
    lower, upper, opposed = (v.reshape(len(variance), -1) for v in values)
    return lower, upper, opposed


def _row_changes(fit: Fit, parameters: Parameters, factors: Sequence[str], at: Any, versus: Any) -> _Pairs:
    """Comparisons of the rows of ``at`` with those of ``versus``."""
    rows = pair_rows(fit, at, versus)
    one, two = ([_factor_variance(fit, parameters, f, part.Z) for f in factors] for part in (rows.first, rows.second))
    variance = tuple(a + b for a, b in zip(one, two, strict=True))
    return _Pairs(rows.change.frame, fixed_eta(parameters, rows.change), variance, rows.change.notes)


def _unit_changes(fit: Fit, parameters: Parameters, factors: Sequence[str], notes: Sequence[str]) -> _Pairs:
    """Comparisons of one unit more of each coefficient's column, with the random slope of that column in the second group."""
    slopes, unclear = slopes_of(fit), _unclear(fit, factors)
    kept = [int(k) for k in slopes.kept if int(k) not in unclear]
    left = [fit.design.labels[k] for k in slopes.kept if int(k) in unclear]
    if not kept:
        raise ArgumentError(
            "random effects read the columns of every coefficient in another term",
            where=", ".join(left),
            fix="give the rows, at and versus",
        )
    base, second = _intercept_columns(fit), _second_columns(fit, kept)
    variance = [_factor_variance(fit, parameters, f, base) + _factor_variance(fit, parameters, f, second) for f in factors]
    more = (f"Left out, because random effects read their columns in another term: {', '.join(left)}; give at and versus.",) if left else ()
    frame = pd.DataFrame({"coefficient": [fit.design.labels[k] for k in kept]})
    return _Pairs(frame, parameters.beta[:, kept], tuple(variance), (*notes, *slope_notes(fit, slopes, kept), *more))


def _factor_variance(fit: Fit, parameters: Parameters, factor: str, Z: Sequence[FloatArray]) -> FloatArray:
    """Variance (S, n) that one factor's random effects give to the predictor, all its terms together."""
    terms = zip(fit.design.groups, parameters.groups, Z, strict=True)
    return np.asarray(sum(linear_predictor_variance(z, p.sd, p.corr) for g, p, z in terms if g.name == factor))


def _intercept_columns(fit: Fit) -> tuple[FloatArray, ...]:
    """Effect columns (1, q) of each group term with one at the constant and zero elsewhere."""
    return tuple(np.array([[float(label == CONSTANT_EFFECT) for label in g.labels]]) for g in fit.design.groups)


def _second_columns(fit: Fit, kept: Sequence[int]) -> tuple[FloatArray, ...]:
    """Effect columns (k, q) of each group term, one unit of each coefficient's column added to the constant."""
    columns = [np.repeat(z, len(kept), axis=0) for z in _intercept_columns(fit)]
    for z, group in zip(columns, fit.design.groups, strict=True):
        for position, twin in enumerate(_twins(fit, group)):
            if twin in kept:
                z[kept.index(twin), position] += 1.0
    return tuple(columns)


def _with_intercept(fit: Fit, factors: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the factors with a random intercept, and say which have none and what the random slopes stand at."""
    groups = [g for g in fit.design.groups if g.name in factors]
    kept = tuple(f for f in factors if any(CONSTANT_EFFECT in g.labels for g in groups if g.name == f))
    if not kept:
        raise ArgumentError(f"{', '.join(factors)} has no random intercept", where=fit.spec.formula, fix="say at which rows, at=...")
    left = [f for f in factors if f not in kept]
    slopes = dict.fromkeys(label for g in groups if g.name in kept for label in g.labels if label != CONSTANT_EFFECT)
    at_zero = (f"By random intercepts, that is at {', '.join(f'{s} = 0' for s in slopes)}; at=... for other values.",) if slopes else ()
    return kept, (*at_zero, *((f"Left out, without a random intercept: {', '.join(left)}; say at which rows, at=....",) if left else ()))


def _twins(fit: Fit, group: GroupDesign) -> list[int | None]:
    """For each effect the coefficient of the same term in the same coding; None for the constant, and where there is none."""
    fixed = {(t.name, t.levels): t.start for t in fit.design.fixed if t.name != naming.INTERCEPT}
    found: list[int | None] = []
    for term in group.effects:
        start = fixed.get((term.name, term.levels))
        found += [None if start is None else start + k for k in range(term.stop - term.start)]
    return found


def _unclear(fit: Fit, factors: Sequence[str]) -> set[int]:
    """Coefficients whose columns of the table a random effect reads in another term: one unit more is not that of a pair of rows.

    With ``x * time + (time | g)`` the product rises by one at many values of time, at each with another variance; with
    ``time + I(time^2) + (time | g)`` the square cannot rise while time stays.
    """
    fixed = fit.design.encoding.fixed.part
    effects = [
        (effect, _columns_of(encoding.effects.part, effect.name))
        for group, encoding in zip(fit.design.groups, fit.design.encoding.groups, strict=True)
        for effect in group.effects
        if group.name in factors and effect.name != CONSTANT_EFFECT
    ]
    return {
        k
        for term in fit.design.fixed
        for effect, read in effects
        if not _same(term, effect) and read & _columns_of(fixed, term.name)
        for k in range(term.start, term.stop)
    }


def _same(one: TermColumns, other: TermColumns) -> bool:
    """Whether two terms have the same columns."""
    return (one.name, one.levels) == (other.name, other.levels)


def _columns_of(part: Part, name: str) -> set[str]:
    """Columns of the table that a term of a part reads."""
    return {column for term in part.terms if term.name == name for factor in term.factors for column in names_in(factor)}
