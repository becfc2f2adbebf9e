"""Calibration of predicted probabilities: what shares come true among rows with nearly the same prediction."""

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError, FamilyError
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.isotonic import Ladder, increasing_shares, make_ladder
from bayesglmm.post.check_replicates import LEAST_DRAWS, chance_note, chance_of, is_outside, spaced_draws
from bayesglmm.post.check_rows import RowPredictions, loo_notes, predict_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import interval_ends, make_interval
from bayesglmm.post.new_groups import check_seed, level_generator
from bayesglmm.post.pit import pit_target
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray, IntArray

STREAM = "check_calibration"
PLACES = 100
"""Predictions at which the curve is shown, when there are more."""
_CERTAIN = 1e-12
"""Share of the largest possible variance of a probability below which it is taken as known."""


@takes_fit
def check_calibration(
    fit: Fit, *, loo: bool = True, draws: int = 400, seed: int = 1, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Compare predicted probabilities with the shares that came true, for Bernoulli and binomial responses.

    The shares are an isotonic regression of the responses on their predictions: the increasing function that is closest to the data, with
    no bins to choose. The band is where that function lies when the predictions are right: responses are drawn from the predictive
    distribution of each row, independently, and regressed in the same way.

    Parameters
    ----------
    fit
        A fit with a Bernoulli or binomial response.
    loo
        Leave each row out of its own prediction, as in :func:`bayesglmm.post.pit.pit_residuals`. With False, rows of small groups pull
        their predictions along, and the curve of a correct model is too steep.
    draws
        How many posterior draws are used, equally spaced (all when there are fewer), and how many replicated data sets make the band.
    seed
        Integer; the same seed gives the same band.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the band, at each prediction alone.

    Returns
    -------
    Result
        ``table``, at most 100 rows from the smallest prediction to the largest: ``predicted`` (probability), ``observed`` (share by
        isotonic regression), ``ci_lower``, ``ci_upper`` (consistency band), ``outside``. ``draws`` is empty.

    Raises
    ------
    FamilyError
        If the response is not Bernoulli or binomial.
    ArgumentError
        If an argument is not what it must be, or the fit keeps no random effects.

    Notes
    -----
    The probability of a binomial row varies over posterior draws; in the band it follows the beta distribution of the same mean and
    variance. For a Bernoulli response only the mean matters.

    References
    ----------
    Dimitriadis, T., Gneiting, T. and Jordan, A. I. (2021). Stable reliability diagrams for probabilistic classifiers. *Proceedings of the
    National Academy of Sciences* 118, e2016191118.
    """
    choice = make_interval(ci_prob, ci_kind)
    _check_family(fit)
    n_draws = len(spaced_draws(fit, draws))
    if draws < LEAST_DRAWS:
        raise ArgumentError(f"a band needs at least {LEAST_DRAWS} replicated data sets", where=f"draws={draws}", fix="ask for more")
    found = predict_rows(fit, draws, loo=loo)
    trials = np.ones(len(fit.design.y)) if fit.design.trials is None else fit.design.trials
    used = np.flatnonzero(trials > 0.0)
    ladder = make_ladder(np.clip(found.mean, 0.0, 1.0)[used], trials[used])
    places = _places(len(ladder.values))
    observed = increasing_shares(ladder, fit.design.y[used])[places]
    curves = _band(found, ladder, trials, (draws, check_seed(seed)), places)
    lower, upper = interval_ends(curves, choice)
    columns = {"predicted": ladder.values[places], "observed": observed, "ci_lower": lower, "ci_upper": upper}
    table = pd.DataFrame({**columns, "outside": is_outside(observed, lower, upper)})
    title = f"Calibration of the predicted probabilities of {fit.design.response}"
    chance = chance_of(table, curves)
    notes = (chance_note(table, chance), *_notes(fit, draws, seed), *loo_notes(found, n_draws, loo=loo), *run_notes(fit))
    return Result(title, f"probability of one trial: mean of the {pit_target(fit, loo=loo)}", table, chance, notes, choice)


def _check_family(fit: Fit) -> None:
    """Refuse responses without a probability."""
    if not (fit.family.discrete and fit.link.onto_unit_interval):
        raise FamilyError(
            f"a {fit.family.name} response has no predicted probability to be checked",
            where=fit.spec.formula,
            fix="use check_pit() or check_distribution(); calibration is for Bernoulli and binomial responses",
        )


def _places(size: int) -> IntArray:
    """Positions of at most ``PLACES`` predictions, both ends included."""
    return np.unique(np.rint(np.linspace(0.0, size - 1.0, min(size, PLACES)))).astype(np.int64)


def _band(found: RowPredictions, ladder: Ladder, trials: FloatArray, random: tuple[int, int], places: IntArray) -> FloatArray:
    """Isotonic regressions of replicated data, shape (data sets, places)."""
    size, seed = random
    rng = level_generator(seed, STREAM)
    used = np.flatnonzero(trials > 0.0)
    number = trials[used].astype(np.int64)
    mean, square = np.clip(found.mean[used], 0.0, 1.0), found.square[used]
    possible, variance = mean * (1.0 - mean), square - np.square(mean)
    varies = (variance > _CERTAIN * possible) & (number > 1) & (possible > 0.0)
    precision = possible[varies] / variance[varies] - 1.0
    mu, curves = mean.copy(), np.empty((size, len(places)))
    for s in range(size):
        mu[varies] = rng.beta(mean[varies] * precision, (1.0 - mean[varies]) * precision)
        curves[s] = increasing_shares(ladder, rng.binomial(number, mu).astype(np.float64))[places]
    return curves


def _notes(fit: Fit, size: int, seed: int) -> tuple[str, ...]:
    """Say what the columns are."""
    notes = [
        "observed: share of successes by isotonic regression; ci_lower, ci_upper: where it lies when the predictions are right, from "
        f"{size} replicated data sets, seed {seed}.",
    ]
    if fit.design.weights is not None:
        notes.append("Likelihood weights: every row counts once here, observed and replicated.")
    return tuple(notes)
