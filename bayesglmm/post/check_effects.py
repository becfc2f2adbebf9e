"""Normality of the random effects: their standardised order statistics against those of normal numbers."""

import numpy as np
import pandas as pd
import xarray as xr

from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import effect_draws, flatten, sd_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.envelope import normal_positions, order_limits
from bayesglmm.post.check_replicates import chosen_factors, is_outside, spaced_draws
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import IntervalChoice, interval_ends, make_interval
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray, IntArray


@takes_fit
def check_effects(fit: Fit, *, factor: str | None = None, draws: int = 400, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Compare the random effects with the normal distribution that the model gives them: numbers of a quantile plot.

    .. math:: z_{(1), s} \le \dots \le z_{(L), s}, \qquad z_{j, s} = b_{j, s} / \tau_s

    Effects are divided by their standard deviation and sorted in each posterior draw; only then are draws summarised. Under a correct model
    the z of one draw are independent standard normal numbers, whatever the family and however few rows a level has. Posterior means of the
    effects are not: they shrink, each by its own amount.

    Parameters
    ----------
    fit
        A fit that keeps its random effects.
    factor
        Name of a grouping factor, ``g`` or ``g:h``; all of them when None.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the posterior intervals; the limits of each order statistic have the same level.

    Returns
    -------
    Result
        ``table``, for each ``factor`` and ``effect`` one row per level in increasing order: ``level`` (of this rank by its posterior
        mean of z), ``normal_quantile``; ``mean``, ``ci_lower``, ``ci_upper`` of the order statistic over draws; ``lower``, ``upper``:
        limits of this order statistic of as many normal numbers as there are levels; ``outside``: whether the mean is beyond these. All
        in standard deviations of the effect. ``draws`` is empty.

    Raises
    ------
    ArgumentError
        If there is no such grouping factor or none at all, the fit keeps no random effects, or an argument is not what it must be.

    Notes
    -----
    Where rows tell little of a level, its effect is drawn from the normal distribution itself, and a departure shows only in part: the
    notes tell how much of the variance the data resolve.

    References
    ----------
    Johnson, V. E. (2007). Bayesian model assessment using pivotal quantities. *Bayesian Analysis* 2, 719-734.

    Yuan, Y. and Johnson, V. E. (2012). Goodness-of-fit diagnostics for Bayesian hierarchical models. *Biometrics* 68, 156-164.
    """
    choice = make_interval(ci_prob, ci_kind)
    factors, which = chosen_factors(fit, factor), spaced_draws(fit, draws)
    parts, notes = [], []
    for group in (g for g in fit.design.groups if g.name in factors):
        for k, z in enumerate(_standardised(fit, group, which)):
            parts.append(_compare(group, group.labels[k], z, choice))
            notes.append(_resolved(f"{group.labels[k]} of {group.name}", z, int(parts[-1]["outside"].sum())))
    title = f"Random effects of {' and '.join(factors)} against normal quantiles"
    target = f"effects b_j of the observed levels of {' and '.join(factors)}, in standard deviations of their distribution"
    told = (f"{len(which)} posterior draws, sorted one by one; limits hold for each order statistic alone.", *notes)
    return Result(title, target, pd.concat(parts, ignore_index=True), xr.Dataset(), (*told, *run_notes(fit)), choice)


def _standardised(fit: Fit, group: GroupDesign, which: IntArray) -> list[FloatArray]:
    """Effects over their standard deviation, one array (draws, levels) per effect."""
    b, sd = flatten(effect_draws(fit.posterior, group))[which], flatten(sd_draws(fit.posterior, group))[which]
    if not (sd > 0.0).all():
        raise ArgumentError("a standard deviation of the effects is zero in some draw", where=group.name, fix="take the term out")
    return [b[:, :, k] / sd[:, k, None] for k in range(b.shape[2])]


def _compare(group: GroupDesign, effect: str, z: FloatArray, choice: IntervalChoice) -> pd.DataFrame:
    """One effect of one group term."""
    ordered, size = np.sort(z, axis=1), z.shape[1]
    lower, upper = order_limits(size, choice.prob)
    ci_lower, ci_upper = interval_ends(ordered, choice)
    mean = ordered.mean(axis=0)
    columns = {
        "level": np.array(group.levels, dtype=object)[np.argsort(z.mean(axis=0), kind="stable")],
        "normal_quantile": normal_positions(size),
        "mean": mean,
        "ci_lower": ci_lower,
        "ci_upper": ci_upper,
        "lower": lower,
        "upper": upper,
        "outside": is_outside(mean, lower, upper),
    }
    return pd.DataFrame({"factor": group.name, "effect": effect, **columns})


def _resolved(name: str, z: FloatArray, outside: int) -> str:
    """Tell how many order statistics are outside, and what share of the effects' variance the data resolve."""
    share = 1.0 - float(np.mean(z.var(axis=0)))
    return (
        f"{name}: {outside} of {z.shape[1]} order statistics outside their limits; the data resolve {100 * max(share, 0.0):.3g} % of the "
        "variance of the effects, and only in that share can a departure from normality show."
    )
