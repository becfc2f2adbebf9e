r"""Subject-specific and population numbers side by side, on the same draws: how much smaller the second are."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.contrast import Compare
from bayesglmm.post.contrasts import COMPARES, CONTRAST, contrasts
from bayesglmm.post.intervals import IntervalChoice, make_interval, summarise
from bayesglmm.post.marginal import MARGINAL, SUBJECT, marginal_coefficients
from bayesglmm.post.means import MEAN, means
from bayesglmm.post.result import Result, draws_dataset, join_columns, target_sentence
from bayesglmm.types import FloatArray, Scale, Target, check_choice

RATIO: Final = "ratio"
VALUE: Final = "value"
QUANTITY: Final = "quantity"


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
    notes = [*_ratio_notes(names, subject, ratio), *notes]
    return Result("Attenuation of coefficients: marginal over subject-specific", _target(fit), table, draws, tuple(notes), choice)


def _target(fit: Fit) -> str:
    """Say that the summaries are of a ratio, and what its two coefficients are."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    own = f"coefficients at given random effects of {', '.join(factors)}" if factors else "the same coefficients"
    marginal = f"marginal: {target_sentence('population', factors)}"
    return f"mean to ci_upper: marginal over subject_specific, per draw. {marginal}. subject_specific: {own}"


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
    weights: Any = None,
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
        As for contrasts or :func:`bayesglmm.post.means.means`; ``compare`` is for contrasts only.
    targets
        Two or more targets; each later one is compared with the first.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``: columns of the contrast or mean, ``quantity``, ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``. Per contrast or
        mean: a row of each target, then the difference and the ratio of each later target and the first. ``draws``: variable ``value``
        with dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If there are not two different targets, or ``values`` or ``compare`` are given without a variable.
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
    common: dict[str, Any] = {"scale": scale, "by": by, "weights": weights, "ci_prob": ci_prob, "ci_kind": ci_kind}
    if variable is None:
        found = [means(fit, at, target=t, **common) for t in chosen]
    else:
        found = [contrasts(fit, variable, values, at, target=t, compare=compare, **common) for t in chosen]
    names, draws = _quantities(chosen, [_joined(r, MEAN if variable is None else CONTRAST) for r in found])
    labels = _labels(found[0].table, len(names), () if variable is None else (COMPARES,))
    quantities = np.tile(np.array(names, dtype=object), len(found[0].table))
    table = join_columns(labels, {QUANTITY: quantities, **_summarised(draws, choice)}, reserved=(VALUE,))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    coords = {str(c): table[c].to_numpy() for c in table.columns[: labels.shape[1] + 1]}
    what = "Means" if variable is None else f"Contrasts of {variable}"
    notes = dict.fromkeys(n for r in found for n in r.notes)
    first = _joined(found[0], MEAN if variable is None else CONTRAST)
    caution = _ratio_notes([f"line {i}" for i in range(first.shape[1])], first, draws)
    title = f"{what} for {' and '.join(chosen)}, {scale} scale" + ("" if compare == "difference" else f", {compare}")
    target = "; ".join(r.target for r in found)
    return Result(title, target, table, draws_dataset({VALUE: draws}, sizes, "row", coords), (*caution, *notes), choice)


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
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(above / below)


def _quantities(targets: Sequence[Target], draws: Sequence[FloatArray]) -> tuple[list[str], FloatArray]:
    """Names of the quantities of one line, and draws (S, lines x quantities)."""
    first = targets[0]
    names: list[str] = [*targets]
    parts = [*draws]
    for target, values in zip(targets[1:], draws[1:], strict=True):
        names += [f"{target} minus {first}", f"{target} over {first}"]
        parts += [values - draws[0], _ratio(values, draws[0])]
    stacked = np.stack(parts, axis=2)
    return names, stacked.reshape(len(stacked), -1)


def _labels(table: pd.DataFrame, times: int, without: Sequence[str]) -> pd.DataFrame:
    """Columns that tell lines apart, each line repeated; a sentence that names one target only is left out."""
    names = [str(c) for c in table.columns]
    kept = [n for n in names[: names.index("mean")] if n not in without]
    return table.loc[table.index.repeat(times), kept]


def _summarised(draws: FloatArray, choice: IntervalChoice) -> dict[str, FloatArray]:
    """Summaries of the columns that are finite in all draws; missing for the others."""
    finite = np.isfinite(draws).all(axis=0)
    found = summarise(np.where(finite, draws, 0.0), choice)
    return {name: np.where(finite, values, np.nan) for name, values in found.items()}


def _ratio_notes(names: Sequence[str], below: FloatArray, ratio: FloatArray) -> tuple[str, ...]:
    """Say where a ratio has no value, and where its mean may not exist."""
    notes = []
    if not np.isfinite(ratio).all():
        notes.append("A ratio is missing where its denominator is zero in some draw.")
    both = [name for name, low, high in zip(names, below.min(axis=0), below.max(axis=0), strict=True) if low < 0.0 < high]
    if both:
        listed = ", ".join(both[:5]) + (", ..." if len(both) > 5 else "")
        notes.append(f"The denominator of the ratio has both signs in the draws ({listed}): read its median and interval, not mean and sd.")
    return tuple(notes)
