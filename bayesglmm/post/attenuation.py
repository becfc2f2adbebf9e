r"""Subject-specific and population numbers side by side, on the same draws: how much smaller the second are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import Compare
from bayesglmm.post.contrasts import COMPARES
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, make_interval
from bayesglmm.post.lines import AT_ONCE
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.ranges import overflow_notes, summarise_means
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes, target_sentence, unkept_draws
from bayesglmm.post.target_lines import Part, Question, TargetLines, same_rows, target_lines
from bayesglmm.post.targets import AVERAGES, averaging
from bayesglmm.post.words import mean_words
from bayesglmm.types import BoolArray, FloatArray, Scale, Target, check_choice

RATIO: Final = "ratio"
VALUE: Final = "value"
QUANTITY: Final = "quantity"


@takes_fit
def attenuation(fit: Fit, *, weights: Any = None, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Ratio of marginal to subject-specific coefficients, with its posterior.

    .. math:: \beta_M / \beta

    per draw. :func:`bayesglmm.post.marginal.marginal_coefficients` has the two coefficients with their intervals; here is the interval of
    their ratio.

    Parameters
    ----------
    fit
        A fit.
    weights
        As for marginal_coefficients.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per coefficient (its index): ``subject_specific`` and ``marginal`` (posterior means), then ``mean``, ``sd``,
        ``median``, ``ci_lower``, ``ci_upper`` of the ratio; missing where a coefficient is zero in some draw. ``draws``: variables
        ``subject_specific``, ``marginal`` and ``ratio`` with dims (chain, draw, coefficient).

    Raises
    ------
    DesignError, FamilyError, ColumnError, ArgumentError
        As marginal_coefficients does.
    """
    choice = make_interval(ci_prob, ci_kind)
    source = marginal_coefficients(fit, weights=weights, ci_prob=ci_prob, ci_kind=ci_kind)
    subject, marginal = (_joined(source, name) for name in (SUBJECT, MARGINAL))
    ratio = _ratio(marginal, subject)
    names = [str(n) for n in source.table.index]
    columns = {SUBJECT: subject.mean(axis=0), MARGINAL: marginal.mean(axis=0), **_summarised(ratio, choice)}
    table = pd.DataFrame(columns, index=source.table.index)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {"coefficient": np.array(names, dtype=object)}
    draws = draws_dataset({SUBJECT: subject, MARGINAL: marginal, RATIO: ratio}, sizes, "coefficient", coords)
    notes = [n for n in source.notes if not n.startswith(("ratio is", "logit_approximation"))]
    notes = [*_ratio_notes(names, _range(subject, ratio)), *notes]
    return Result("Attenuation of coefficients: marginal over subject-specific", _target(fit), table, draws, tuple(notes), choice)


def _target(fit: Fit) -> str:
    """Say that the summaries are of a ratio, and what its two coefficients are."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    own = f"coefficients at given random effects of {', '.join(factors)}" if factors else "the same coefficients"
    marginal = f"marginal: {target_sentence('population', factors)}"
    return f"mean to ci_upper: marginal over subject_specific, per draw. {marginal}. subject_specific: {own}"


@takes_fit
def compare_targets(  # noqa: PLR0913 (one public call; all but four are keywords)
    fit: Fit,
    variable: str | None = None,
    values: Any = None,
    at: Any = None,
    *,
    targets: Sequence[Target] = ("average_subject", "population"),
    compare: Compare = "difference",
    scale: Scale = "response",
    by: str | Sequence[str] | None = None,
    over: str | Sequence[str] | None = None,
    weights: Any = None,
    keep_draws: bool = True,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Contrasts, or means, for several targets on the same draws, with the difference and the ratio of the targets.

    Parameters
    ----------
    fit
        A fit.
    variable, values
        As for :func:`bayesglmm.post.contrasts.contrasts`; without a variable the means themselves.
    at, compare, scale, by, weights
        As for contrasts or :func:`bayesglmm.post.means.means`; ``compare`` is for contrasts only. ``at`` may name levels that one target
        reads (``group`` does, and every target of a factor that ``over`` leaves out): the numbers of the others are the same at all
        of them.
    targets
        Two or more targets; each later one is compared with the first.
    over
        As for means: for the targets among them that average over groups.
    keep_draws
        Whether the result keeps its draws; without them, memory does not grow with draws x lines, for contrasts where every row is a line.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns of the contrast or mean, ``quantity``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. Per contrast or
        mean: a row of each target, then the difference and the ratio of each later target and the first. ``draws``: variable ``value``
        with dims (chain, draw, row); empty where they are not kept.

    Raises
    ------
    ArgumentError
        If there are not two different targets, ``values`` or ``compare`` are given without a variable, or ``over`` without a target that
        averages.
    ColumnError, LevelError, MissingValueError, FamilyError
        As contrasts and means do.

    Notes
    -----
    Under a logit link a difference on the link scale is a log odds ratio, so that the ratio of the targets is the attenuation of the log
    odds ratio from one subject to the population.
    """
    choice = make_interval(ci_prob, ci_kind)
    chosen = _targets(targets)
    if variable is None and (values is not None or compare != "difference"):
        raise ArgumentError(
            "values and compare belong to contrasts", where="variable=None", fix="name the variable whose values are compared"
        )
    check_choice("scale", scale, Scale)
    if AVERAGES.isdisjoint(chosen):
        averaging(fit, over, chosen[0])
    asked, named, held = same_rows(Question(fit, variable, values, at, compare, by, over, weights, scale), chosen)
    lines = [target_lines(asked, target) for target in chosen]
    found = _beside(fit, lines, chosen, choice, keep_draws=keep_draws)
    labels = found.frame if named is None or by is not None else _named_labels(named, found.frame, variable)
    names = _names(chosen)
    quantities = np.tile(np.array(names, dtype=object), len(labels))
    table = join_columns(labels.loc[labels.index.repeat(len(names))], {QUANTITY: quantities, **found.columns}, reserved=(VALUE,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {str(c): table[c].to_numpy() for c in table.columns[: labels.shape[1] + 1]}
    draws = unkept_draws(sizes) if found.draws is None else draws_dataset({VALUE: found.draws}, sizes, "row", coords)
    draws = draws.assign_attrs(mean=mean_words(fit)) if scale == "response" and variable is None else draws
    what = "Means" if variable is None else f"Contrasts of {variable}"
    title = f"{what} for {' and '.join(chosen)}, {scale} scale" + ("" if compare == "difference" else f", {compare}")
    return Result(title, "; ".join(x.sentence for x in lines), table, draws, (*found.caution, *held, *found.notes, *run_notes(fit)), choice)


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    """Lines of several targets, summarised: labels (a row per line), columns and draws (lines x quantities), and notes."""

    frame: pd.DataFrame
    columns: dict[str, FloatArray]
    draws: FloatArray | None
    caution: tuple[str, ...]
    notes: tuple[str, ...]


def _beside(fit: Fit, lines: Sequence[TargetLines], targets: Sequence[Target], choice: IntervalChoice, *, keep_draws: bool) -> _Beside:
    """Compute the lines of all targets, all at once where draws are kept, else a few at a time."""
    n_draws = fit.posterior.sizes["chain"] * fit.posterior.sizes["draw"]
    step = lines[0].size if keep_draws else max(1, AT_ONCE // (n_draws * lines[0].width * len(_names(targets))))
    frames, columns, below, parts = list[pd.DataFrame](), list[dict[str, FloatArray]](), list[_Range](), list[list[Part]]()
    draws: FloatArray | None = None
    for first in range(0, lines[0].size, step):
        here = [line.part(slice(first, min(first + step, line.size))) for line in lines]
        draws = _quantities([part.draws for part in here])
        columns.append(_summarised(draws, choice, _of_targets(draws, targets)))
        below.append(_range(here[0].draws, draws, len(targets)))
        frames.append(max((part.frame for part in here), key=lambda frame: frame.shape[1]))
        parts.append([replace(part, draws=part.draws[:0]) for part in here])
    worst = [max(own, key=lambda part: part.bound) for own in zip(*parts, strict=True)]
    frame = pd.concat(frames).reset_index(drop=True)
    caution = _ratio_notes([f"line {i}" for i in range(len(frame))], _joined_range(below))
    joined = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
    notes = (*dict.fromkeys(note for part in worst for note in part.notes), *overflow_notes(joined["mean"]))
    return _Beside(frame, joined, draws if keep_draws else None, caution, notes)


def _named_labels(named: pd.DataFrame, found: pd.DataFrame, variable: str | None) -> pd.DataFrame:
    """Label lines by the columns of a grid that not all targets read, each row of it repeated for its contrasts."""
    labels = named.loc[named.index.repeat(len(found) // len(named))]
    if variable is None:
        return labels.reset_index(drop=True)
    return join_columns(labels, {name: found[name].to_numpy() for name in ("from", "to")}, reserved=(COMPARES,))


def _targets(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Two or more different targets."""
    chosen: tuple[Target, ...] = () if isinstance(targets, str) else tuple(targets)
    for target in chosen:
        check_choice("targets", target, Target)
    if len(set(chosen)) < max(2, len(chosen)):
        fix = "for example targets=('average_subject', 'population')"
        raise ArgumentError(f"targets={targets!r} are not two or more different targets", fix=fix)
    return chosen


def _joined(result: Result, name: str) -> FloatArray:
    """Draws of a result, chains joined: (S, k)."""
    values = result.draws[name].to_numpy()
    return np.asarray(values.reshape(-1, values.shape[-1]))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Ratio; not a number where nothing is divided by nothing."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.asarray(above / below)


def _names(targets: Sequence[Target]) -> list[str]:
    """Names of the quantities of one line."""
    first = targets[0]
    return [*targets, *(f"{target} {how} {first}" for target in targets[1:] for how in ("minus", "over"))]


def _quantities(draws: Sequence[FloatArray]) -> FloatArray:
    """Draws (S, lines x quantities) of the quantities, from those (S, lines) of each target."""
    parts = [*draws]
    for values in draws[1:]:
        with np.errstate(over="ignore", invalid="ignore"):
            parts += [values - draws[0], _ratio(values, draws[0])]
    stacked = np.stack(parts, axis=2)
    return np.asarray(stacked.reshape(len(stacked), -1))


def _of_targets(draws: FloatArray, targets: Sequence[Target]) -> BoolArray:
    """Whether each column of :func:`_quantities` is a target itself."""
    each = len(_names(targets))
    return np.asarray(np.arange(draws.shape[1]) % each < len(targets))


def _summarised(draws: FloatArray, choice: IntervalChoice, means: BoolArray | None = None) -> dict[str, FloatArray]:
    """Summaries of the columns that are finite in all draws; missing for the others, unless they are means, which may be infinite."""
    held = np.isfinite(draws).all(axis=0) | (False if means is None else means)
    found = summarise_means(np.where(held, draws, 0.0), choice)
    return {name: np.where(held, values, np.nan) for name, values in found.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Range:
    """What is said of ratios and differences.

    Attributes
    ----------
    low, high
        Shape (k,): smallest and largest draw of what ratios are divided by.
    finite
        Whether all are finite that are made of finite numbers.
    infinite
        Whether a target is infinite in some draw.
    """

    low: FloatArray
    high: FloatArray
    finite: bool
    infinite: bool


def _range(below: FloatArray, quantities: FloatArray, n_targets: int = 0) -> _Range:
    """Look at the quantities (S, k x each), of which the first ``n_targets`` of each line are targets, over denominators (S, k)."""
    each = quantities.reshape(*below.shape, -1)
    infinite = np.isinf(each[..., :n_targets]).any(axis=-1)
    finite = infinite | np.isfinite(each).all(axis=-1)
    return _Range(below.min(axis=0), below.max(axis=0), bool(finite.all()), bool(infinite.any()))


def _joined_range(parts: Sequence[_Range]) -> _Range:
    low, high = np.concatenate([p.low for p in parts]), np.concatenate([p.high for p in parts])
    return _Range(low, high, all(p.finite for p in parts), any(p.infinite for p in parts))


def _ratio_notes(names: Sequence[str], below: _Range) -> tuple[str, ...]:
    """Say where a ratio has no value, and where its mean may not exist."""
    notes = []
    if not below.finite:
        notes.append("A ratio is missing where its denominator is zero in some draw.")
    if below.infinite:
        notes.append("A difference or a ratio is missing where a mean is infinite in some draw.")
    both = [name for name, low, high in zip(names, below.low, below.high, strict=True) if low < 0.0 < high]
    if both:
        listed = ", ".join(both[:5]) + (", ..." if len(both) > 5 else "")
        notes.append(f"The denominator of the ratio has both signs in the draws ({listed}): read its median and interval, not mean and sd.")
    return tuple(notes)
