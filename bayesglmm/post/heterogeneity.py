r"""Heterogeneity intervals: where subjects are. Three intervals, three names."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.heterogeneity import heterogeneity_interval, predictive_interval
from bayesglmm.numerics.links import Link
from bayesglmm.post.intervals import IntervalChoice, check_probability, interval_ends, make_interval
from bayesglmm.post.linear_predictor import fit_parameters, fixed_eta, group_variance
from bayesglmm.post.result import Result, draws_dataset, join_columns, run_notes
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.post.targets import check_monotone
from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class _Law:
    """On the link scale: posterior median of the average subject (n,), draws of the ends (S, n), predictive interval (n,)."""

    center: FloatArray
    lower: FloatArray
    upper: FloatArray
    predictive_lower: FloatArray
    predictive_upper: FloatArray


def heterogeneity(fit: Fit, at: Any = None, *, level: float = 0.95, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Where the subjects of a population are, on the link and on the response scale.

    .. math:: (m - c \sqrt v,\; m + c \sqrt v), \qquad c = \Phi^{-1}((1 + level) / 2), \quad m = o + x'\beta, \quad v = \sum_t z_t' D_t z_t

    and the inverse link of the ends. Three intervals: the **plug-in** interval, the posterior median of each end; the posterior of **each
    end**, as a credible interval of it; the **predictive** interval for a new subject, quantiles over draws and random effects, which is
    wider because it knows that the parameters are uncertain.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    at
        As for :func:`bayesglmm.post.means.means`, one line per row; None is one row, numbers at their mean and factors at their reference
        level.
    level
        Share of subjects inside.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the credible interval of each end.

    Returns
    -------
    Result
        ``table``, two rows (``scale``: link, response) per row of ``at``: ``average_subject`` (posterior median), ``plug_in_lower``,
        ``plug_in_upper``, ``lower_ci_lower``, ``lower_ci_upper``, ``upper_ci_lower``, ``upper_ci_upper``, ``predictive_lower``,
        ``predictive_upper``. ``draws``: variables ``lower`` and ``upper``, the ends on the link scale, dims (chain, draw, row).

    Raises
    ------
    ArgumentError
        If the model has no grouping factor, or a level is not a probability.
    FamilyError
        If the link's inverse cannot take every predictor (inverse, sqrt).
    ColumnError, LevelError, MissingValueError
        If ``at`` is not what it must be.

    References
    ----------
    Bolger, N., Zee, K. S., Rossignac-Milon, M. and Hassin, R. R. (2019). Causal processes in psychology are heterogeneous. *Journal of
    Experimental Psychology: General* 148, 601-618 (heterogeneity intervals).

    Higgins, J. P. T., Thompson, S. G. and Spiegelhalter, D. J. (2009). *Journal of the Royal Statistical Society A* 172, 137-159 (the
    predictive interval of a new group).
    """
    choice = make_interval(ci_prob, ci_kind)
    check_probability("level", level)
    check_monotone(fit.link)
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    if not factors:
        raise ArgumentError(
            "the model has no grouping factor, so subjects do not differ", where=fit.spec.formula, fix="add one, such as (1 | subject)"
        )
    rows = build_rows(fit, {} if at is None else at, target="population")
    parameters = fit_parameters(fit, effects=False)
    m, v = fixed_eta(parameters, rows), group_variance(parameters, rows)
    ends, predictive = heterogeneity_interval(m, v, level), predictive_interval(m, v, level)
    law = _Law(np.median(m, axis=0), ends.lower, ends.upper, predictive.lower, predictive.upper)
    table = _two_scales(rows, law, fit.link, choice)
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    draws = draws_dataset({"lower": ends.lower, "upper": ends.upper}, sizes, "row", {})
    title = f"Heterogeneity intervals: where {100 * level:g} % of the levels of {', '.join(factors)} are"
    target = f"each single level of {', '.join(factors)}, old or new: the distribution of x'beta + z'b, b ~ N(0, D)"
    return Result(title, target, table, draws, (*rows.notes, *_notes(choice), *run_notes(fit)), choice)


def _two_scales(rows: Rows, law: _Law, link: Link, choice: IntervalChoice) -> pd.DataFrame:
    """Two lines per row: the link scale, and the response scale."""
    scales: dict[str, Callable[[FloatArray], FloatArray]] = {"link": np.asarray, "response": link.inverse}
    parts = [
        join_columns(rows.frame, {"scale": np.full(rows.n_rows, name), **_columns(law, transform, choice)})
        for name, transform in scales.items()
    ]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _columns(law: _Law, transform: Callable[[FloatArray], FloatArray], choice: IntervalChoice) -> dict[str, FloatArray]:
    """Make the three intervals on one scale: medians and quantiles are taken there by the monotone map, intervals of the ends anew."""
    (low_low, low_high), (high_low, high_high) = (interval_ends(transform(end), choice) for end in (law.lower, law.upper))
    return {
        "average_subject": transform(law.center),
        "plug_in_lower": transform(np.median(law.lower, axis=0)),
        "plug_in_upper": transform(np.median(law.upper, axis=0)),
        "lower_ci_lower": low_low,
        "lower_ci_upper": low_high,
        "upper_ci_lower": high_low,
        "upper_ci_upper": high_high,
        "predictive_lower": transform(law.predictive_lower),
        "predictive_upper": transform(law.predictive_upper),
    }


def _notes(choice: IntervalChoice) -> tuple[str, ...]:
    return (
        "These intervals say where subjects are, not how sure we are of a mean.",
        f"plug_in: posterior median of each end; lower_ci, upper_ci: {choice.text} of each end; predictive: a new level, over draws and b.",
    )
