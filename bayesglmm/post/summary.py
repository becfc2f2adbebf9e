"""The parameters of a model: fixed effects, standard deviations, correlations, residual standard deviation."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd

from bayesglmm.fit import diagnostics
from bayesglmm.fit.draws import flatten, parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.types import FloatArray

MIN_DRAWS = 4
"""Draws per chain below which the diagnostics are not defined (each chain is split in two)."""

_DIAGNOSTICS: Final[Mapping[str, Callable[[FloatArray], FloatArray]]] = MappingProxyType(
    {
        "mcse_mean": diagnostics.mcse_mean,
        "ess_bulk": diagnostics.ess_bulk,
        "ess_tail": diagnostics.ess_tail,
        "r_hat": diagnostics.rhat,
    }
)


@takes_fit
def summary(fit: Fit, *, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    """Posterior summary of every parameter, with its simulation error and diagnostics.

    Parameters
    ----------
    fit
        A fit.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per parameter (its index): ``kind`` (``fixed``, ``sd``, ``cor``, ``aux``), ``mean``, ``sd``, ``median``,
        ``ci_lower``, ``ci_upper``, ``mcse_mean``, ``ess_bulk``, ``ess_tail``, ``r_hat``. ``draws``: variable ``value`` with dims (chain,
        draw, parameter). The notes hold the verdict on the run.

    Raises
    ------
    ArgumentError
        If ``ci_prob`` or ``ci_kind`` is not allowed.

    References
    ----------
    Vehtari, A., Gelman, A., Simpson, D., Carpenter, B. and Bürkner, P.-C. (2021). Rank-normalization, folding, and localization: an
    improved R-hat. *Bayesian Analysis* 16, 667-718.
    """
    choice = make_interval(ci_prob, ci_kind)
    parameters = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    draws = flatten(parameters.values)
    columns = {**summarise(draws, choice), **_diagnose(parameters.values)}
    table = pd.DataFrame({"kind": list(parameters.kinds), **columns}, index=pd.Index(parameters.labels, name="parameter"))
    sizes = parameters.values.shape[0], parameters.values.shape[1]
    dataset = draws_dataset({"value": draws}, sizes, "parameter", {"parameter": np.array(parameters.labels, dtype=object)})
    return Result(
        f"{fit.spec.formula}, {fit.spec.family} ({fit.spec.link} link)", _target(fit), table, dataset, run_notes(fit, always=True), choice
    )


def _diagnose(values: FloatArray) -> dict[str, FloatArray]:
    """Diagnostics of draws (chain, draw, k); not a number when there are too few draws."""
    if values.shape[1] < MIN_DRAWS:
        return {name: np.full(values.shape[-1], np.nan) for name in _DIAGNOSTICS}
    return {name: statistic(values) for name, statistic in _DIAGNOSTICS.items()}


def _target(fit: Fit) -> str:
    """Say what the fixed effects are coefficients of."""
    factors = ", ".join(dict.fromkeys(g.name for g in fit.design.groups))
    if not factors:
        return "fixed effects: coefficients of the linear predictor; there is no grouping factor"
    return f"average_subject: fixed effects are subject-specific, coefficients of the linear predictor at given random effects of {factors}"
