"""Serial correlation of the residuals of a group's rows in the order of time."""

from typing import Any

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, ColumnError, MissingValueError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.lagged import Series, lagged_correlations, make_series
from bayesglmm.post.check_replicates import Block, Replicates, chosen_factors, is_outside, make_replicates, replicate_notes
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.types import FloatArray, IntArray

STREAM = "check_autocorrelation"


@takes_fit
def check_autocorrelation(  # noqa: PLR0913 (one public call; all but two are keywords)
    fit: Fit,
    time: Any,
    *,
    factor: str | None = None,
    lags: int = 5,
    draws: int = 400,
    seed: int = 1,
    ci_prob: float = 0.95,
    ci_kind: str = "eti",
) -> Result:
    r"""Compare the correlation of a group's consecutive residuals with that in replicated data.

    .. math:: \hat\rho_l = \frac{m_l^{-1} \sum_{(i, k) \in P_l} r_i r_k}{n^{-1} \sum_i r_i^2}, \qquad
              r_i = (y_i - \mu_{i, s}) / \operatorname{sd}(y_i \mid \theta_s, b_s)

    :math:`P_l` are the :math:`m_l` pairs of rows of one level of which the second comes l rows after the first in the order of time; the
    denominator is over all n rows. Residuals are not centred: under the model their mean is zero. So the ratio is not bounded by one.

    Residuals are taken from the mean of each posterior draw, the draw's random effects included, for the observed data and for the data
    replicated from the same draw. Residuals from one fitted mean would be correlated even under a correct model, because the mean has
    followed the observed data and not the replicated ones.

    Parameters
    ----------
    fit
        A fit.
    time
        Name of a column that the model uses, or one number or date per row of the data: the order of the rows of a group.
    factor
        Grouping factor whose levels are the series; when None the one with most levels.
    lags
        Largest number of rows apart. Rows are counted, not units of time.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    seed
        Integer; the same seed gives the same replicated data.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the replicated correlations.

    Returns
    -------
    Result
        ``table``, one row per ``lag``: ``pairs`` of rows, ``observed`` (mean over draws of the correlation of the observed residuals),
        ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the replicated data, ``outside``. ``draws``: ``observed`` and
        ``replicated`` with dims (chain, draw, row), one chain, and the coordinate ``lag``.

    Raises
    ------
    ArgumentError
        If there is no such grouping factor or none at all, no level has two rows, the fit has fewer than 20 draws or keeps no random
        effects, or an argument is not what it must be.
    ColumnError, MissingValueError
        If the fit keeps no such column, or it has no order, or values are missing.

    References
    ----------
    Gelman, A., Meng, X.-L. and Stern, H. (1996). Posterior predictive assessment of model fitness via realized discrepancies. *Statistica
    Sinica* 6, 733-807.
    """
    choice = make_interval(ci_prob, ci_kind)
    name, asked = _series_factor(fit, factor), _asked_lags(lags)
    group = next(g for g in fit.design.groups if g.name == name)
    rank = _time_ranks(fit, time)
    series = make_series(group.index, rank)
    pairs = np.array([len(series.pairs(lag)) for lag in asked.tolist()], dtype=np.int64)
    if not pairs.any():
        raise ArgumentError("no level has two rows, so there are no consecutive ones", where=name, fix="name another factor")
    kept = asked[pairs > 0]
    source = make_replicates(fit, draws, seed, stream=STREAM)
    observed, replicated = _correlations(source, series, kept)
    columns = summarise(replicated, choice)
    value = observed.mean(axis=0)
    numbers = {"lag": kept, "pairs": pairs[pairs > 0], "observed": value, **columns}
    table = pd.DataFrame({**numbers, "outside": is_outside(value, columns["ci_lower"], columns["ci_upper"])})
    dataset = draws_dataset({"observed": observed, "replicated": replicated}, (1, source.n_draws), "row", {"lag": kept})
    title = f"Correlation of consecutive residuals of {fit.design.response} within the levels of {name}"
    target = f"residuals of observed and replicated observations of the observed levels of {name}, from the mean of each draw"
    notes = (*_notes(fit, name, asked, kept, _tied(group.index, rank)), *replicate_notes(fit, source.n_draws, source.seed))
    return Result(title, target, table, dataset, (*notes, *run_notes(fit)), choice)


def _series_factor(fit: Fit, factor: str | None) -> str:
    """Return the factor named, or the one with most levels."""
    factors = chosen_factors(fit, factor)
    return max(factors, key=lambda name: next(len(g.levels) for g in fit.design.groups if g.name == name))


def _asked_lags(lags: int) -> IntArray:
    if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 1:
        raise ArgumentError(f"lags={lags!r} is not a number of rows apart", fix="give a whole number from 1")
    return np.arange(1, int(lags) + 1, dtype=np.int64)


def _time_ranks(fit: Fit, time: Any) -> IntArray:
    """Read times as codes in their order, shape (n,)."""
    n = len(fit.design.y)
    if isinstance(time, str) and time not in fit.frame:
        kept = ", ".join(str(c) for c in fit.frame.columns)
        raise ColumnError(f"the fit keeps no column {time!r}", fix=f"pass its values, one per row. The fit keeps: {kept}")
    values = fit.frame[time] if isinstance(time, str) else pd.Series(np.asarray(time).reshape(-1))
    where = f"column {time!r}" if isinstance(time, str) else "time"
    if len(values) != n:
        raise ArgumentError(f"time has {len(values)} values, the data have {n} rows", where=where, fix="give one value per row of the fit")
    kinds = pd.api.types
    if not (kinds.is_numeric_dtype(values) or kinds.is_datetime64_any_dtype(values) or kinds.is_timedelta64_dtype(values)):
        raise ColumnError("times must be numbers or dates, to have an order", where=where, fix="make it a column of numbers first")
    if values.isna().any():
        rows = np.flatnonzero(values.isna())
        raise MissingValueError(
            f"{len(rows)} times are missing", where=f"{where}, first in row {rows[0]} (counted from 0)", fix="fill them in"
        )
    return np.unique(values.to_numpy(), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _correlations(source: Replicates, series: Series, lags: IntArray) -> tuple[FloatArray, FloatArray]:
    """Correlations of observed and of replicated residuals, each of shape (draws, lags)."""
    observed = np.empty((source.n_draws, len(lags)))
    replicated = np.empty_like(observed)
    for block in source.blocks():
        observed[block.draws] = lagged_correlations(_residuals(source.fit, source.fit.design.y, block), series, lags)
        replicated[block.draws] = lagged_correlations(_residuals(source.fit, block.y, block), series, lags)
    return observed, replicated


def _residuals(fit: Fit, y: FloatArray, block: Block) -> FloatArray:
    """Residuals in standard deviations, shape (d, n); zero where the response is certain."""
    trials, mu = fit.design.trials, fit.family.mean(block.eta, fit.link)
    spread = np.sqrt(fit.family.variance(mu, trials, **block.auxiliary))
    center = mu if trials is None else trials * mu
    return np.where(spread > 0.0, (y - center) / np.where(spread > 0.0, spread, 1.0), 0.0)


def _tied(group: IntArray, rank: IntArray) -> int:
    """Count rows beyond the first of one level at one time."""
    return len(group) - int(np.unique(np.stack([group, rank]), axis=1).shape[1])


def _notes(fit: Fit, name: str, asked: IntArray, kept: IntArray, tied: int) -> tuple[str, ...]:
    """Say what a lag is, and what was left out."""
    notes = [f"Lags count rows within a level of {name}, whatever the time between them; observed is averaged over posterior draws."]
    if len(kept) < len(asked):
        notes.append(f"No level of {name} has rows more than {int(kept.max())} apart: longer lags are left out.")
    if tied:
        notes.append(f"{tied} rows share level and time with another one; these keep the order of the data.")
    return tuple(notes)
