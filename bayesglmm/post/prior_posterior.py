"""What the data added: the posterior of each parameter beside its prior."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import CHAIN, DRAW, flatten
from bayesglmm.fit.fit import Fit
from bayesglmm.naming import CENTERED_INTERCEPT
from bayesglmm.numerics.kernel_density import DensityEstimate, kernel_density, overlap, varies
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.prior_laws import density_at
from bayesglmm.post.prior_parameters import CORRELATION, SD, PriorParameter, prior_parameters, refers_to_means
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray

BARELY = 0.8
"""Overlap above which the data barely identify an SD or a correlation: a rule of thumb."""
SAME_HEIGHT = 0.8
"""Share of its largest value from which the density at zero counts as the mode; less is within the noise of a density from draws."""
POINTS = 300
"""Points of each picture."""

_CENTRAL = (0.005, 0.995)  # quantiles of the posterior that a picture shows with a quarter of their distance on both sides
_PRIOR_CENTRAL = (0.05, 0.95)  # quantiles of the prior that it reaches towards, by at most its own breadth
_PARAMETER, _POINT = "parameter", "point"


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    """Densities of one parameter at the points of its picture, (POINTS,), and what they say together."""

    point: FloatArray
    prior: FloatArray
    posterior: FloatArray
    overlap: float
    mode_at_zero: bool | None


@takes_fit
def prior_posterior(fit: Fit, *, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Posterior of every fixed effect, standard deviation, correlation and auxiliary parameter beside its prior.

    .. math:: \text{overlap} = \int \min(p(\theta), p(\theta \mid y))\,d\theta

    Parameters
    ----------
    fit
        A fit.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the posterior intervals.

    Returns
    -------
    Result
        ``table``, one row per parameter: ``parameter``, ``kind`` (``fixed``, ``sd``, ``cor``, ``aux``), ``prior``, ``prior_median``, then
        ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the posterior, ``overlap``, and for SDs ``mode_at_zero`` (the posterior
        density at zero is at least 80 % of its largest value). ``draws``: variables ``value``, ``prior_density`` and ``posterior_density``
        with dims (parameter, point), and ``posterior`` with dims (chain, draw, parameter).

    Raises
    ------
    ArgumentError
        If ``ci_prob`` or ``ci_kind`` is not allowed, or draws are not finite or lie where their prior has no density.

    Notes
    -----
    Prior densities are exact; under LKJ(eta) each correlation of q effects has a beta density on [-1, 1]. Posterior densities are kernel
    estimates, reflected at the bounds of the prior (:mod:`bayesglmm.numerics.kernel_density`), so that nothing lies below an SD of zero or
    beyond a correlation of one. Their noise costs overlap: 4,000 draws from the prior itself have about 0.98. Parameters of which half the
    draws or more are one number have no density: overlap and densities are missing.
    """
    choice = make_interval(ci_prob, ci_kind)
    parameters = prior_parameters(fit)
    draws = np.stack([flatten(p.draws) for p in parameters], axis=1)
    compared = [_compare(p, draws[:, k]) for k, p in enumerate(parameters)]
    table = pd.DataFrame(
        {
            "parameter": [p.label for p in parameters],
            "kind": [p.kind for p in parameters],
            "prior": [p.prior.text for p in parameters],
            "prior_median": [float(p.law.ppf(0.5)) for p in parameters],
            **summarise(draws, choice),
            "overlap": [c.overlap for c in compared],
            "mode_at_zero": pd.Series([c.mode_at_zero for c in compared], dtype=object),
        }
    )
    notes = (*_notes(fit, table), *run_notes(fit))
    return Result("Prior and posterior of every parameter", _target(fit), table, _dataset(parameters, compared), notes, choice)


def _compare(parameter: PriorParameter, draws: FloatArray) -> _Comparison:
    """Put the two densities beside each other."""
    if not varies(draws):
        missing = np.full(POINTS, np.nan)
        return _Comparison(missing, missing, missing, float("nan"), None)
    law = parameter.law
    lower, upper = (float(end) for end in law.support())
    try:
        estimate = kernel_density(draws, lower=lower, upper=upper)
    except ArgumentError as error:
        where = f"{parameter.label}, prior {parameter.prior.text}: {error.where}"
        raise ArgumentError(error.what, where=where, fix="check that these draws were made with this prior") from error
    point = _picture(parameter, draws, lower, upper)
    area = overlap(estimate.point, density_at(law, estimate.point), estimate.density)
    mode = _mode_at_zero(estimate) if parameter.kind == SD else None
    return _Comparison(point, density_at(law, point), estimate.at(point), area, mode)


def _picture(parameter: PriorParameter, draws: FloatArray, lower: float, upper: float) -> FloatArray:
    """Points from end to end of the posterior, and on towards the prior, within the support."""
    first, last = np.quantile(draws, _CENTRAL)
    start, stop = first - 0.25 * (last - first), last + 0.25 * (last - first)
    near, far = (float(parameter.law.ppf(q)) for q in _PRIOR_CENTRAL)
    breadth = stop - start
    start, stop = min(start, max(near, start - breadth)), max(stop, min(far, stop + breadth))
    return np.linspace(max(start, lower), min(stop, upper), POINTS)


def _mode_at_zero(estimate: DensityEstimate) -> bool:
    """Whether the density at zero is its largest, but for noise."""
    return bool(estimate.point[0] == 0.0 and estimate.density[0] >= SAME_HEIGHT * estimate.density.max())


def _dataset(parameters: Sequence[PriorParameter], compared: Sequence[_Comparison]) -> xr.Dataset:
    """Densities with dims (parameter, point), and the draws behind them."""
    dims = (_PARAMETER, _POINT)
    arrays = {
        "value": (dims, np.stack([c.point for c in compared])),
        "prior_density": (dims, np.stack([c.prior for c in compared])),
        "posterior_density": (dims, np.stack([c.posterior for c in compared])),
        "posterior": ((CHAIN, DRAW, _PARAMETER), np.stack([p.draws for p in parameters], axis=-1)),
    }
    sizes = parameters[0].draws.shape
    coords = {CHAIN: np.arange(sizes[0]), DRAW: np.arange(sizes[1])}
    return xr.Dataset(arrays, coords={**coords, _PARAMETER: np.array([p.label for p in parameters], dtype=object)})


def _target(fit: Fit) -> str:
    factors = ", ".join(dict.fromkeys(g.name for g in fit.design.groups))
    whose = f", subject-specific for the fixed effects (random effects of {factors} given)" if factors else ""
    return f"parameters on the scale of the linear predictor{whose}: what the data added to the prior"


def _notes(fit: Fit, table: pd.DataFrame) -> tuple[str, ...]:
    near = "near 1 the data changed nothing, near 0 they say much more than the prior did, or something else"
    notes = [f"Overlap is the area under both densities: {near}."]
    if refers_to_means(fit):
        notes.append(
            f"{CENTERED_INTERCEPT} is Intercept + mean(x)'b: the prior of the intercept refers to the columns at their means (center=True)."
        )
    constant = table["parameter"][table["overlap"].isna()].tolist()
    if constant:
        notes.append(f"The draws of {', '.join(constant)} do not vary, so they have no density.")
    unsure = table["kind"].isin([SD, CORRELATION]) & ((table["overlap"] > BARELY) | table["mode_at_zero"].eq(True))
    if unsure.any():
        names = ", ".join(table["parameter"][unsure].tolist())
        notes.append(f"The data barely identify {names}: overlap above {BARELY} or the mode at zero. Conclusions there follow the prior.")
    return tuple(notes)
