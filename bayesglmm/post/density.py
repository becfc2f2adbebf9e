"""Log likelihood of the data at each draw, by the families' numpy densities: no graph, no sampler."""

from collections.abc import Sequence

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import auxiliary_draws, flatten
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.linear_predictor import Parameters, draw_blocks, fit_parameters, fixed_eta, group_eta
from bayesglmm.post.rows import Rows, build_rows
from bayesglmm.types import FloatArray, IntArray


@takes_fit
def log_likelihood(fit: Fit, rows: Sequence[int] | IntArray | None = None) -> FloatArray:
    r"""Pointwise log likelihood :math:`w_i \log p(y_i \mid \eta_i)`, random effects included (conditional on the groups).

    Parameters
    ----------
    fit
        A fit.
    rows
        Row numbers of the design, from 0; all when None.

    Returns
    -------
    ndarray, shape (S, rows)
        Chains joined. Likelihood weights, where the model has them, multiply each row, as they do in the density that was sampled.

    Raises
    ------
    ArgumentError
        If ``rows`` are no row numbers of the design.
    """
    n_rows = len(fit.design.y)
    chosen = np.arange(n_rows) if rows is None else _row_numbers(rows, n_rows)
    return _log_likelihood(fit, fit_parameters(fit, effects=True), _sampled(fit), chosen)


def probe_log_likelihood(fit: Fit, rows: Sequence[int] | IntArray, draw: int = 0) -> float:
    """Sum of the log likelihood of a few rows at one draw: the number by which a stored fit proves itself.

    A fit that keeps no random effects is taken at effects of zero.

    Parameters
    ----------
    fit
        A fit.
    rows
        Row numbers of the design, from 0.
    draw
        Which draw, chains joined.
    """
    one = slice(draw, draw + 1)
    auxiliary = {name: values[one] for name, values in _sampled(fit).items()}
    kept = fit.provenance.settings.effects != "none"
    parameters = fit_parameters(fit, effects=kept).take(one)
    return float(_log_likelihood(fit, parameters, auxiliary, np.asarray(rows, dtype=np.int64)).sum())


def _row_numbers(rows: Sequence[int] | IntArray, n_rows: int) -> IntArray:
    """Whole numbers from 0 to n - 1, as an array."""
    numbers = np.asarray(rows)
    whole = numbers.ndim == 1 and (numbers.dtype.kind in "iu" or numbers.size == 0)
    if not whole or np.any(numbers < 0) or np.any(numbers >= n_rows):
        raise ArgumentError("these are no rows of the data", where=f"rows={rows!r}", fix=f"give whole numbers from 0 to {n_rows - 1}")
    return numbers.astype(np.int64)


def _sampled(fit: Fit) -> dict[str, FloatArray]:
    """Draws of the auxiliary parameters, each (S,)."""
    return {name: flatten(values) for name, values in auxiliary_draws(fit.posterior, fit.family.auxiliary).items()}


def _log_likelihood(fit: Fit, parameters: Parameters, auxiliary: dict[str, FloatArray], chosen: IntArray) -> FloatArray:
    """Weighted log density, in blocks of draws; shape (S, rows)."""
    design, rows = fit.design, _take(build_rows(fit, None, target="group"), chosen)
    y, trials = design.y[chosen], None if design.trials is None else design.trials[chosen]
    weights = 1.0 if design.weights is None else design.weights[chosen]
    known = {} if design.se is None else dict.fromkeys(fit.family.auxiliary, design.se[chosen])
    result = np.empty((parameters.n_draws, len(chosen)))
    for block in draw_blocks(parameters.n_draws, len(chosen)):
        part = parameters.take(block)
        eta = fixed_eta(part, rows)
        if all(group.b is not None for group in part.groups):
            eta += group_eta(part, rows, rows.index)
        sampled = {name: values[block, None] for name, values in auxiliary.items()}
        result[block] = weights * fit.family.log_prob(y, eta, fit.link, trials=trials, **{**sampled, **known})
    return result


def _take(rows: Rows, chosen: IntArray) -> Rows:
    index = tuple(i[chosen] for i in rows.index)
    return Rows(rows.frame.iloc[chosen], rows.X[chosen], rows.offset[chosen], tuple(z[chosen] for z in rows.Z), index)
