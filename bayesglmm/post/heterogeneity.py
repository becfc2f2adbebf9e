r"""Heterogeneity intervals: where subjects are, in their levels, their slopes and their changes. Three intervals, three names."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.heterogeneity import heterogeneity_interval, predictive_interval
from bayesglmm.numerics.links import LINKS, Link
from bayesglmm.numerics.spread import RATIO_NAMES
from bayesglmm.numerics.within_subject import difference_intervals, subject_pair
from bayesglmm.post.changes import RowPair, pair_rows, slope_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, check_probability, make_interval
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta
from bayesglmm.post.ranges import LARGEST, ends_of_means, infinite_end_notes
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, unkept_draws
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.subjects import Subjects, check_same_parents, held_eta, make_subjects, subject_mean, subject_variance, subject_words
from bayesglmm.post.targets import check_monotone
from bayesglmm.post.words import mean_words
from bayesglmm.types import FloatArray, IntArray, check_choice

type Of = Literal["level", "slope", "contrast"]
type _Found = tuple[dict[str, _Ends], float]

ENDS: Final = ("lower", "upper")
VARIABLES: Final = (*ENDS, *(f"response_{end}" for end in ENDS))
"""Names of the draws of the ends: on the link scale, and on the response scale where they do not follow from these."""
NUMBERS: Final = (
    "average_subject",
    "plug_in_lower",
    "plug_in_upper",
    "lower_ci_lower",
    "lower_ci_upper",
    "upper_ci_lower",
    "upper_ci_upper",
    "predictive_lower",
    "predictive_upper",
)
"""Columns of numbers, in the order of the table."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """On one scale.

    Attributes
    ----------
    center
        Shape (n,): posterior median of the average subject.
    lower, upper
        Shape (S, n): draws of the ends.
    plug_in_lower, plug_in_upper
        Shape (n,): posterior median of each end.
    predictive_lower, predictive_upper
        Shape (n,).
    """

    center: FloatArray
    lower: FloatArray
    upper: FloatArray
    plug_in_lower: FloatArray
    plug_in_upper: FloatArray
    predictive_lower: FloatArray
    predictive_upper: FloatArray

    def mapped(self, transform: Callable[[FloatArray], FloatArray]) -> "_Ends":
        """On another scale, by an increasing map: it takes medians and quantiles along."""
        return _Ends(*(transform(getattr(self, f.name)) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class _Question:
    """What differs between subjects, and how the ends of its intervals are found.

    Attributes
    ----------
    rows
        n rows; their frame names them.
    ends
        From positions of some rows to their ends by scale, and how far a finer rule moves one.
    subject, formula
        The words for it.
    notes
        What a reader must know.
    integrated
        Whether an integral gives the ends on the response scale.
    """

    rows: Rows
    ends: Callable[[IntArray], _Found]
    subject: str
    formula: str
    notes: tuple[str, ...] = ()
    integrated: bool = False

    @property
    def kept(self) -> dict[str, str]:
        """Scales whose draws are kept, and what the names of their draws begin with."""
        return {"link": "", "response": "response_"} if self.integrated else {"link": ""}


@dataclass(frozen=True, slots=True, eq=False)
class _Summary:
    """The table, draws of the ends, and how far a finer rule moves an end."""

    table: pd.DataFrame
    draws: xr.Dataset
    error: float


@takes_fit
def heterogeneity(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    at: Any = None,
    *,
    of: Of = "level",
    variable: str | None = None,
    versus: Any = None,
    level: float = 0.95,
    over: Collection[str] | str | None = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Where the subjects of a population are, on the link and on the response scale.

    .. math:: (m - c \sqrt v,\; m + c \sqrt v), \qquad c = \Phi^{-1}((1 + level) / 2)

    with m and v the mean and the variance, over subjects, of one of three things: the **level** of a subject,
    :math:`m = o + x'\beta`, :math:`v = \sum_t z_t' D_t z_t`; its **slope** in a variable, with dx and dz, the derivatives of x and z, in
    their place; the **contrast** of two rows of one subject, with dx and dz their difference.

    Three intervals: the **plug-in** interval, the posterior median of each end; the posterior of **each end**, as a credible interval of
    it; the **predictive** interval for a new subject, quantiles over draws and random effects, which is wider because it knows that the
    parameters are uncertain.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    at
        As for :func:`bayesglmm.post.means.means`, one line per row; None is one row, numbers at their mean and factors at their reference
        level.
    of
        ``level``, ``slope`` (of ``variable``) or ``contrast`` (of ``at`` minus ``versus``).
    variable
        The number whose slope is meant.
    versus
        Rows to subtract, as ``at``; without them ``at`` has two rows, and the contrast is the second minus the first.
    level
        Share of subjects inside.
    over
        Names of the grouping factors whose levels are the subjects; all when None. Of the others ``at`` may name a level, whose effects
        then count as part of the mean, as in :func:`bayesglmm.post.means.means`; those that it does not name have effects of zero. The
        target says which.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws times lines.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the credible interval of each end.

    Returns
    -------
    Result
        ``table``, a row for each ``scale`` per row of ``at``: ``average_subject`` (posterior median), ``plug_in_lower``,
        ``plug_in_upper``, ``lower_ci_lower``, ``lower_ci_upper``, ``upper_ci_lower``, ``upper_ci_upper``, ``predictive_lower``,
        ``predictive_upper``. Scales are ``link`` and ``response``; for a slope in place of ``response`` the ratio per unit that the
        exponential is: ``odds ratio`` (logit), ``ratio of means`` (log), ``hazard ratio`` (cloglog). In a contrast the columns of
        ``versus`` begin with ``versus_``. ``draws``: variables ``lower`` and ``upper``, the ends on the link scale, for a contrast also
        ``response_lower`` and ``response_upper``, dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, arguments do not go together, a level is named of a factor in ``over`` or of one nested in it,
        a contrast names two levels of a factor that one in ``over`` is nested in, or ``level`` is not a probability.
    FamilyError
        If the link's inverse cannot take every predictor (inverse, sqrt), for levels and contrasts.
    DesignError
        If the slope is asked for where the formula's columns jump or bend.
    ColumnError, LevelError, MissingValueError
        If ``at``, ``versus`` or ``variable`` is not what it must be.

    Notes
    -----
    A level and a slope go to the other scale by a monotone map of the ends. A contrast does not: the difference of two means of one
    subject, :math:`h(\eta_2) - h(\eta_1)`, depends on where the subject is. Its law is integrated, not simulated
    (:mod:`bayesglmm.numerics.within_subject`).

    References
    ----------
    Bolger, N., Zee, K. S., Rossignac-Milon, M. and Hassin, R. R. (2019). Causal processes in psychology are heterogeneous. *Journal of
    Experimental Psychology: General* 148, 601-618 (heterogeneity intervals).

    Higgins, J. P. T., Thompson, S. G. and Spiegelhalter, D. J. (2009). *Journal of the Royal Statistical Society A* 172, 137-159 (the
    predictive interval of a new group).
    """
    choice = make_interval(ci_prob, ci_kind)
    check_probability("level", level)
    check_choice("of", of, Of)
    _check_arguments(of, variable, versus)
    subjects = make_subjects(fit, over, at)
    if of == "slope":
        asked = _slopes(fit, str(variable), at, subjects, level)
    else:
        check_monotone(fit.link)
        pairs = None if of == "level" else pair_rows(fit, at, versus, given=subjects.given)
        asked = _levels(fit, at, subjects, level) if pairs is None else _contrasts(fit, pairs, subjects, level)
    found = _summarised(fit, asked, choice, keep_draws=keep_draws)
    title = f"Heterogeneity intervals: where {100 * level:g} % of the {asked.subject}{subject_words(subjects.over)} are"
    who = subject_words(subjects.over, single=True)
    target = f"each single {who}, old or new: the distribution of {asked.formula}, b ~ N(0, D){subjects.others}"
    infinite = infinite_end_notes(found.table.iloc[:, -len(NUMBERS) :].to_numpy(dtype=np.float64))
    notes = (*asked.rows.notes, *_notes(choice), *asked.notes, *infinite, *_method(asked, found.error), *run_notes(fit))
    draws = found.draws.assign_attrs(mean=mean_words(fit)) if of == "level" else found.draws
    return Result(title, target, found.table, draws, notes, choice)


def _check_arguments(of: Of, variable: str | None, versus: Any) -> None:
    """Refuse arguments that belong to another question."""
    if (variable is not None) != (of == "slope"):
        fix = "name it, variable='...'" if of == "slope" else "leave it out, or ask for of='slope'"
        raise ArgumentError(f"variable={variable!r} with of={of!r}", where="a slope is the slope in one variable", fix=fix)
    if versus is not None and of != "contrast":
        raise ArgumentError(f"versus is given with of={of!r}", fix="leave it out, or ask for of='contrast'")


def _levels(fit: Fit, at: Any, subjects: Subjects, level: float) -> _Question:
    """Levels: eta at each row."""
    rows = build_rows(fit, {} if at is None else at, target="population", given=subjects.given)
    parameters = fit_parameters(fit, effects=subjects.given)

    def ends(which: IntArray) -> _Found:
        on_link = _ends(*_law(parameters, rows.take(which), subjects), level)
        return {"link": on_link, "response": on_link.mapped(fit.link.inverse)}, 0.0

    return _Question(rows, ends, "", "x'beta + z'b")


def _slopes(fit: Fit, variable: str, at: Any, subjects: Subjects, level: float) -> _Question:
    """Slopes: the derivative of eta with respect to a variable at each row."""
    rows, notes = slope_rows(fit, variable, at, given=subjects.given), []
    parameters, name = fit_parameters(fit, effects=subjects.given), RATIO_NAMES.get(fit.link.name)

    def ends(which: IntArray) -> _Found:
        on_link = _ends(*_law(parameters, rows.take(which), subjects), level)
        if fit.link is LINKS["identity"]:
            return {"link": on_link, "response": on_link}, 0.0
        return {"link": on_link} | ({name.singular: on_link.mapped(LINKS["log"].inverse)} if name else {}), 0.0

    if name is not None:
        notes.append(f"{name.singular}: exp of the slope, for one unit more of {variable}.")
    elif fit.link is not LINKS["identity"]:
        reason = "what a slope does to a mean depends on where the subject is, and its exponential is no ratio"
        notes.append(f"No response scale under the {fit.link.name} link: {reason}; of='contrast' compares two values.")
    if not any(rows.Z[k].any() for k in subjects.varying):
        notes.append(f"No random effect of {', '.join(subjects.over)} goes with {variable}: all slopes are equal.")
    return _Question(rows, ends, f"slopes in {variable} of the ", f"d eta / d {variable} = dx'beta + dz'b", tuple(notes))


def _contrasts(fit: Fit, rows: RowPair, subjects: Subjects, level: float) -> _Question:
    """Contrasts: eta at one row minus eta at another, and the same for the means."""
    check_same_parents(fit, rows.first, rows.second, subjects)
    parameters, same = fit_parameters(fit, effects=subjects.given), fit.link is LINKS["identity"]

    def ends(which: IntArray) -> _Found:
        first, second, change = (part.take(which) for part in (rows.first, rows.second, rows.change))
        m, v = _law(parameters, first, subjects)
        w, v2 = (subject_variance(parameters, part, subjects) for part in (change, second))
        moved = held_eta(parameters, second, subjects) - held_eta(parameters, first, subjects)
        d = fixed_eta(parameters, change) + moved
        on_link = _ends(d, w, level)
        response, error = (on_link, 0.0) if same else _response_contrasts(fit.link, (m, v, d, w, v2), level)
        return {"link": on_link, "response": response}, error

    words = "differences between the two rows within the ", "(x2 - x1)'beta + (z2 - z1)'b, and of h(eta2) - h(eta1)"
    notes = ("Each contrast is within one subject: its random effects are the same on both sides.",)
    return _Question(rows.change, ends, *words, notes, integrated=not same)


def _response_contrasts(link: Link, law: tuple[FloatArray, ...], level: float) -> tuple[_Ends, float]:
    """Find the ends of the differences of means, and how well they are settled, one row at a time."""
    m, _, d, _, _ = law
    parts = [difference_intervals(link, subject_pair(*(x[:, i] for x in law)), level) for i in range(m.shape[1])]
    lower, upper = np.stack([p.lower for p in parts], axis=1), np.stack([p.upper for p in parts], axis=1)
    center = np.median(link.inverse(m + d) - link.inverse(m), axis=0)
    predictive = (np.array([getattr(p, f"predictive_{end}") for p in parts]) for end in ("lower", "upper"))
    ends = _Ends(center, lower, upper, np.median(lower, axis=0), np.median(upper, axis=0), *predictive)
    return ends, max(p.error for p in parts)


def _law(parameters: Parameters, rows: Rows, subjects: Subjects) -> tuple[FloatArray, FloatArray]:
    """Mean and variance over subjects, (S, n) each."""
    return subject_mean(parameters, rows, subjects), subject_variance(parameters, rows, subjects)


def _ends(m: FloatArray, v: FloatArray, level: float) -> _Ends:
    """Find the ends of intervals of normal quantities with mean and variance (S, n)."""
    ends, predictive = heterogeneity_interval(m, v, level), predictive_interval(m, v, level)
    middle = [np.median(x, axis=0) for x in (m, ends.lower, ends.upper)]
    return _Ends(middle[0], ends.lower, ends.upper, middle[1], middle[2], predictive.lower, predictive.upper)


def _summarised(fit: Fit, asked: _Question, choice: IntervalChoice, *, keep_draws: bool) -> _Summary:
    """Make the lines of the table a few rows at a time, and keep the draws of the ends or not."""
    sizes, names = (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]), asked.kept if keep_draws else {}
    n_draws, n_rows = sizes[0] * sizes[1], asked.rows.n_rows
    kept = {f"{name}{end}": np.empty((n_draws, n_rows)) for name in names.values() for end in ENDS}
    parts: dict[str, list[dict[str, FloatArray]]] = {}
    error = 0.0
    for block in draw_blocks(n_rows, n_draws):
        scales, here = asked.ends(np.arange(block.start, block.stop))
        error = max(error, here)
        for scale, ends in scales.items():
            parts.setdefault(scale, []).append(_columns(ends, choice))
        for scale, name in names.items():
            for end in ENDS:
                kept[f"{name}{end}"][:, block] = getattr(scales[scale], end)
    tables = [_lines(asked.rows.frame, scale, found) for scale, found in parts.items()]
    table = pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)
    coords = {str(c): tables[0][c].to_numpy() for c in tables[0].columns[: asked.rows.frame.shape[1]]}
    draws = draws_dataset(kept, sizes, "row", coords) if keep_draws else unkept_draws(sizes)
    return _Summary(table, draws, error)


def _lines(frame: pd.DataFrame, scale: str, found: Sequence[Mapping[str, FloatArray]]) -> pd.DataFrame:
    """One line per row on one scale, from the columns of one block of rows after another."""
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    return join_columns(frame, {"scale": np.full(len(frame), scale), **columns}, reserved=VARIABLES)


def _columns(ends: _Ends, choice: IntervalChoice) -> dict[str, FloatArray]:
    """Make the three intervals on one scale; the credible intervals of the ends are made anew on each."""
    (low_low, low_high), (high_low, high_high) = (ends_of_means(end, choice) for end in (ends.lower, ends.upper))
    numbers = (
        ends.center,
        ends.plug_in_lower,
        ends.plug_in_upper,
        low_low,
        low_high,
        high_low,
        high_high,
        ends.predictive_lower,
        ends.predictive_upper,
    )
    return {name: np.where(values > LARGEST, np.inf, values) for name, values in zip(NUMBERS, numbers, strict=True)}


def _notes(choice: IntervalChoice) -> tuple[str, ...]:
    return (
        "These intervals say where subjects are, not how sure we are of a mean.",
        f"plug_in: posterior median of each end; lower_ci, upper_ci: {choice.text} of each end; predictive: a new level, over draws and b.",
    )


def _method(asked: _Question, error: float) -> tuple[str, ...]:
    """Say how the response scale of a contrast was found."""
    if not asked.integrated:
        return ()
    how = "no quadrature needed" if error == 0.0 else f"by quadrature over subjects; a finer rule moves no end by more than {error:.0e}"
    return (f"response: differences of the two means of one subject, {how}.",)
