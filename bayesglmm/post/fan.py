r"""The fan: where the mean of a new subject may be along a covariate, over what is not known and over subjects."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.heterogeneity import predictive_interval
from bayesglmm.post.axis import axis_rows, chosen_factor
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import check_probability
from bayesglmm.post.linear_predictor import draw_blocks, fit_parameters, fixed_eta, group_variance
from bayesglmm.post.result import Result, join_columns, run_notes
from bayesglmm.post.rows import Rows
from bayesglmm.post.targets import check_monotone
from bayesglmm.post.words import mean_words
from bayesglmm.types import FloatArray

QUANTILES: Final = tuple(k / 20 for k in range(1, 20))
"""0.05, 0.10, ..., 0.95."""
QUANTILE, LINK, RESPONSE = "quantile", "link", "response"
EDGE: Final = 1e-6
"""Quantiles nearer to 0 or 1 are refused: the draws say nothing about them."""
DIGITS: Final = 15
"""Of a tail: 1 - 0.95 is 0.05 up to rounding."""
_NO_WIDTH = float(np.finfo(np.float64).tiny)
"""Level of an interval whose two ends are the median: half of one less this is one half exactly."""


@takes_fit
def fan(
    fit: Fit,
    variable: str,
    at: Mapping[str, Any] | None = None,
    *,
    values: Sequence[Any] | None = None,
    quantiles: Sequence[float] = QUANTILES,
) -> Result:
    r"""Quantiles of the mean of a new subject along one covariate.

    .. math:: F(t) = S^{-1} \sum_s \Phi\{(t - m_s) / \sqrt{v_s}\}, \qquad m = o + x'\beta, \quad v = \textstyle\sum_t z_t' D_t z_t

    is the distribution of the new subject's predictor over posterior draws and over its random effects, b ~ N(0, D). Its quantiles are
    roots of F, not simulated; the inverse link takes them to the mean.

    Parameters
    ----------
    fit
        A fit with a grouping factor.
    variable
        The covariate along the axis.
    at
        Values of the other covariates, one each; what is not named is held at its mean or reference level (the notes say at what).
    values
        Values of ``variable``; None takes 50 equally spaced ones over its range, or all that occur when it is a factor.
    quantiles
        Probabilities, each once; sorted in the table.

    Returns
    -------
    Result
        ``table``, one row per value and quantile: the covariate under its name, ``quantile``, ``link`` (of the predictor) and ``response``
        (of the mean). ``draws`` are empty: the draws are averaged over within F.

    Raises
    ------
    ArgumentError, ColumnError, LevelError
        If the model has no grouping factor or an argument is not what it must be.
    FamilyError
        If the link's inverse cannot take every predictor (inverse, sqrt).

    References
    ----------
    Higgins, J. P. T., Thompson, S. G. and Spiegelhalter, D. J. (2009). *Journal of the Royal Statistical Society A* 172, 137-159 (the
    predictive distribution of a new group). Roots as in :func:`bayesglmm.numerics.heterogeneity.predictive_interval`.
    """
    chosen_factor(fit, None)
    check_monotone(fit.link)
    wanted = _checked(quantiles)
    rows = axis_rows(fit, variable, dict(at or {}), values)
    on_link = _quantiles(fit, rows, wanted)
    labels = rows.frame[[variable]].loc[rows.frame.index.repeat(len(wanted))]
    numbers = {QUANTILE: np.tile(wanted, rows.n_rows), LINK: on_link.ravel(), RESPONSE: fit.link.inverse(on_link).ravel()}
    table = join_columns(labels, numbers)
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    target = f"group: a new level of {' and of '.join(factors)}, h(x'beta + z'b), b ~ N(0, D), over posterior draws and random effects"
    notes = (*rows.notes, "Quantiles are roots of the mixture over draws; nothing is simulated.", *run_notes(fit))
    dataset = xr.Dataset(attrs={"mean": mean_words(fit)})
    return Result(f"Where the mean of a new subject is, along {variable}", target, table, dataset, notes)


def _checked(quantiles: object) -> FloatArray:
    """Sorted probabilities, each once."""
    if isinstance(quantiles, str | bytes) or not isinstance(quantiles, Iterable):
        raise ArgumentError(f"quantiles={quantiles!r} is no list of probabilities", fix="give a list, quantiles=[0.05, 0.5, 0.95]")
    given = sorted(check_probability("quantiles", q) for q in quantiles)
    if not given or len(set(given)) < len(given):
        raise ArgumentError("quantiles need at least one probability, each once", where=f"quantiles={given!r}")
    if given[0] < EDGE or given[-1] > 1.0 - EDGE:
        raise ArgumentError(f"quantiles lie between {EDGE:g} and 1 - {EDGE:g}", where=f"quantiles={given!r}", fix="leave out the others")
    return np.array(given)


def _quantiles(fit: Fit, rows: Rows, wanted: FloatArray) -> FloatArray:
    """Quantiles (n, k) of the predictor of a new subject, a few rows at a time."""
    parameters, tails = fit_parameters(fit, effects=False), _tails(wanted)
    found = np.empty((rows.n_rows, len(wanted)))
    for block in draw_blocks(rows.n_rows, parameters.n_draws):
        part = rows.take(np.arange(block.start, block.stop))
        m, v = fixed_eta(parameters, part), group_variance(parameters, part)
        for tail, columns in tails.items():
            ends = predictive_interval(m, v, max(1.0 - 2.0 * tail, _NO_WIDTH))
            for column in columns:
                found[block, column] = ends.lower if wanted[column] <= 0.5 else ends.upper
    return found


def _tails(wanted: FloatArray) -> dict[float, list[int]]:
    """Columns of the quantiles that cut off the same tail: the two ends of one interval."""
    found: dict[float, list[int]] = {}
    for column, q in enumerate(wanted.tolist()):
        found.setdefault(round(min(q, 1.0 - q), DIGITS), []).append(column)
    return found
