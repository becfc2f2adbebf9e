r"""The predictive law of the response in each row of the data: its distribution function and mean, averaged over posterior draws.

.. math:: p(y_i \mid y_{-i}) = \sum_s w_{is}\,p(y_i \mid \theta_s, b_s), \qquad w_{is} \propto 1 / p(y_i \mid \theta_s, b_s)

leaves the row itself out by importance weights (where these fail, see :mod:`bayesglmm.post.check_left_out`); with equal weights the row has
helped to make its own prediction. In small groups that matters: effects follow their rows, and residuals of a correct model are too small.

References
----------
Gelfand, A. E., Dey, D. K. and Chang, H. (1992). Model determination using predictive distributions with implementation via sampling-based
methods. *Bayesian Statistics* 4, 147-167.

Vehtari, A., Gelman, A. and Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out cross-validation and WAIC. *Statistics
and Computing* 27, 1413-1432.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace

import numpy as np

from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.pareto_smoothing import SmoothedWeights, largest_shape, smoothed_weights
from bayesglmm.post.check_left_out import LeftOut, leave_out
from bayesglmm.post.check_replicates import spaced_draws
from bayesglmm.post.linear_predictor import draw_blocks
from bayesglmm.post.new_groups import Source, group_predictor, make_source, read_group_rows
from bayesglmm.post.rows import Rows
from bayesglmm.post.simulate import observation_parameters
from bayesglmm.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class RowPredictions:
    """Predictions of m rows, each of shape (m,).

    Attributes
    ----------
    fitted
        Posterior mean of the mean, per trial for families with trials; every row counts in it.
    below, upto
        Predictive probabilities of a smaller response than the observed one, and of one up to it; equal for measurements.
    mean, square
        Predictive mean of the mean parameter, and of its square.
    shapes
        Shape of the tail of the importance weights; NaN without them, or with too few draws to tell.
    integrated
        Whether the effect that the row sees was integrated out, because importance weights of draws alone failed.
    """

    fitted: FloatArray
    below: FloatArray
    upto: FloatArray
    mean: FloatArray
    square: FloatArray
    shapes: FloatArray
    integrated: BoolArray

    def take(self, rows: IntArray) -> "RowPredictions":
        """Return the predictions of some rows, by their positions."""
        return RowPredictions(*(getattr(self, f.name)[rows] for f in fields(self)))


_REMEMBERED: ContextVar[tuple[Fit, dict[tuple[int, bool], RowPredictions]] | None] = ContextVar("remembered predictions", default=None)


@contextmanager
def remembered_predictions(fit: Fit) -> Iterator[None]:
    """Predict the rows of a fit once for all checks inside the block: they ask for the same rows, or for some of them."""
    token = _REMEMBERED.set((fit, {}))
    try:
        yield
    finally:
        _REMEMBERED.reset(token)


def predict_rows(fit: Fit, draws: int, *, loo: bool, which_rows: IntArray | None = None) -> RowPredictions:
    """Predictive law of each row at its observed response, rows taken a block after the other.

    Parameters
    ----------
    fit
        A fit.
    draws
        How many posterior draws, equally spaced; all when there are fewer.
    loo
        Whether each row is left out of its own prediction.
    which_rows
        Shape (m,): rows of the data; all when None.

    Raises
    ------
    ArgumentError
        If ``draws`` is no number of draws, or the fit keeps no random effects.
    """
    memory = _REMEMBERED.get()
    if memory is None or memory[0] is not fit:
        return _predict_rows(fit, draws, loo, which_rows)
    if (draws, loo) not in memory[1]:
        memory[1][draws, loo] = _predict_rows(fit, draws, loo, None)
    found = memory[1][draws, loo]
    return found if which_rows is None else found.take(which_rows)


def _predict_rows(fit: Fit, draws: int, loo: bool, which_rows: IntArray | None) -> RowPredictions:
    """Predict all rows or some, and better where importance weights fail."""
    data = read_group_rows(fit, None, new_groups="error")
    which = spaced_draws(fit, draws)
    source = make_source(fit, data, new_groups="error", seed=0, which=which)
    chosen = np.arange(data.rows.n_rows) if which_rows is None else which_rows
    blocks = draw_blocks(len(chosen), len(which))
    parts = [_predict(fit, source, data.rows, chosen[block].astype(np.int64), loo) for block in blocks]
    found = RowPredictions(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(RowPredictions)))
    failed = np.flatnonzero(found.shapes > largest_shape(len(which)))
    if not (loo and len(failed) and fit.design.groups):
        return found
    return _repaired(found, failed, leave_out(fit, source, data.rows, chosen[failed].astype(np.int64)))


def loo_notes(found: RowPredictions, n_draws: int, *, loo: bool) -> tuple[str, ...]:
    """Say whether rows are left out of their own prediction, and where that may have failed."""
    if not loo:
        return (
            "Every row has helped to make its own prediction: in small groups a correct model looks better than chance, with values of PIT "
            "too close to 1/2.",
        )
    told = f"Each row is predicted without itself, by Pareto-smoothed importance weights of {n_draws} posterior draws."
    integrated, limit = int(np.count_nonzero(found.integrated)), largest_shape(n_draws)
    if integrated:
        told += f" In {integrated} of {len(found.shapes)} rows these fail, and the effect that the row sees is integrated out."
    bad = int(np.count_nonzero(found.shapes > limit))
    if bad:
        told += f" In {bad} rows the tail of the weights stays heavier than they can be trusted with (shape above {limit:.2g})."
    return (told,)


def _repaired(found: RowPredictions, failed: IntArray, better: LeftOut) -> RowPredictions:
    """Put better predictions of some rows in their places."""
    columns = {f.name: getattr(found, f.name).copy() for f in fields(LeftOut)}
    for name, values in columns.items():
        values[failed] = getattr(better, name)
    integrated = np.zeros(len(found.fitted), dtype=np.bool_)
    integrated[failed] = True
    return replace(found, **columns, integrated=integrated)


def _predict(fit: Fit, source: Source, rows: Rows, which: IntArray, loo: bool) -> RowPredictions:
    """Predictive law of some rows."""
    design, family, link = fit.design, fit.family, fit.link
    eta = group_predictor(source, rows.take(which), slice(None))
    y, trials = design.y[which], None if design.trials is None else design.trials[which]
    auxiliary = observation_parameters(fit, None if design.se is None else design.se[which], source.which)
    log_prob = family.log_prob(y, eta, link, trials=trials, **auxiliary)
    if design.weights is not None:
        log_prob = design.weights[which] * log_prob
    weighted = _weights(log_prob) if loo else SmoothedWeights(np.full(eta.shape, 1.0 / len(eta)), np.full(len(which), np.nan))
    w, mu = weighted.weights, family.mean(eta, link)
    upto = np.sum(w * family.cdf(y, eta, link, trials=trials, **auxiliary), axis=0)
    below = np.sum(w * family.cdf(y - 1.0, eta, link, trials=trials, **auxiliary), axis=0) if family.discrete else upto
    mean, square = np.sum(w * mu, axis=0), np.sum(w * np.square(mu), axis=0)
    return RowPredictions(mu.mean(axis=0), below, upto, mean, square, weighted.shapes, np.zeros(len(which), dtype=np.bool_))


def _weights(log_prob: FloatArray) -> SmoothedWeights:
    """Make weights that leave each row out; a draw under which a response is impossible counts as the least probable of the others."""
    possible = np.isfinite(log_prob)
    smallest = np.min(np.where(possible, log_prob, np.inf), axis=0)
    filled = np.where(possible, log_prob, np.where(np.isfinite(smallest), smallest, 0.0))
    return smoothed_weights(-filled)
