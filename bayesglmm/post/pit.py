"""Probability integral transforms: where in its predictive distribution each observed response lies."""

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from bayesglmm.fit.fit import Fit
from bayesglmm.post.check_replicates import spaced_draws
from bayesglmm.post.check_rows import RowPredictions, loo_notes, predict_rows
from bayesglmm.post.door import takes_fit
from bayesglmm.post.new_groups import check_seed, level_generator
from bayesglmm.post.result import Result, join_columns, run_notes
from bayesglmm.types import FloatArray, IntArray

STREAM = "pit"
_CLOSEST = 2.0**-53
"""Distance to 0 and 1 that residuals are made at: the spacing of doubles below 1 makes them at most 8.2."""


@takes_fit
def pit_residuals(fit: Fit, *, loo: bool = True, draws: int = 400, seed: int = 1) -> Result:
    r"""Value of the predictive distribution function at each observed response, and its normal quantile as a residual.

    .. math:: u_i = F_i(y_i^-) + v_i (F_i(y_i) - F_i(y_i^-)), \qquad F_i(y) = \sum_s w_{is} F(y \mid \theta_s, b_s), \qquad
              r_i = \Phi^{-1}(u_i)

    F is the family's distribution function at the predictor of draw s; for counts :math:`v_i` is a uniform random number, so that u is
    uniform under a correct model although the response jumps (for measurements the jump is zero). Nothing else is random.

    Parameters
    ----------
    fit
        A fit.
    loo
        Leave each row out of its own prediction: the weights are Pareto-smoothed :math:`1 / p(y_i \mid \theta_s, b_s)`. False weighs all
        draws alike; then effects of small groups follow their rows, and even a correct model has u too close to 1/2.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    seed
        Integer, of the uniform numbers of counts.

    Returns
    -------
    Result
        ``table``, one row per row of the data: the level of each grouping factor, ``fitted`` (posterior mean of the mean, per trial for
        binomial responses), ``pit`` (u), ``residual`` (r). ``draws`` is empty.

    Raises
    ------
    ArgumentError
        If an argument is not what it must be, or the fit keeps no random effects.

    References
    ----------
    Dunn, P. K. and Smyth, G. K. (1996). Randomized quantile residuals. *Journal of Computational and Graphical Statistics* 5, 236-244.

    Czado, C., Gneiting, T. and Held, L. (2009). Predictive model assessment for count data. *Biometrics* 65, 1254-1261.
    """
    found = predict_rows(fit, draws, loo=loo)
    pit = pit_values(fit, found, seed)
    factors = {g.name: np.array(g.levels, dtype=object)[g.index] for g in fit.design.groups}
    inside = np.clip(pit, _CLOSEST, 1.0 - _CLOSEST)
    table = join_columns(pd.DataFrame(factors), {"fitted": found.fitted, "pit": pit, "residual": special.ndtri(inside)})
    notes = (*pit_notes(fit, found, len(spaced_draws(fit, draws)), seed, loo=loo), *run_notes(fit))
    title = f"Residuals of {fit.design.response} by the probability integral transform"
    return Result(title, pit_target(fit, loo=loo), table, xr.Dataset(), notes)


def pit_values(fit: Fit, found: RowPredictions, seed: int, which_rows: IntArray | None = None) -> FloatArray:
    """Compute the transforms of m rows, shape (m,); the uniform number of a row depends on the seed and its place in the data only."""
    if not fit.family.discrete:
        return np.clip(found.upto, 0.0, 1.0)
    uniform = level_generator(check_seed(seed), STREAM).random(len(fit.design.y))
    v = uniform if which_rows is None else uniform[which_rows]
    return np.clip(found.below + v * (found.upto - found.below), 0.0, 1.0)


def pit_target(fit: Fit, *, loo: bool) -> str:
    """Say whose predictive distribution it is."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    of = f" of the observed levels of {' and '.join(factors)}" if factors else ""
    given = "all other rows" if loo else "all rows, itself included"
    return f"predictive distribution of one observation{of} (not of its mean), given {given}"


def pit_notes(fit: Fit, found: RowPredictions, n_draws: int, seed: int, *, loo: bool) -> tuple[str, ...]:
    """Say how the transforms were made."""
    notes = list(loo_notes(found, n_draws, loo=loo))
    if fit.family.discrete:
        notes.append(f"The response is a count: within its jump each value is spread at random, seed {seed}.")
    if fit.design.weights is not None:
        notes.append("Likelihood weights: every row counts once here, as one observation.")
    return tuple(notes)
