"""Posterior predictive check of the whole data: whether replicated data have their mean, spread, extremes and zeros."""

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.group_statistics import data_statistics
from bayesglmm.post.check_replicates import is_outside, make_replicates, replicate_notes
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.result import Result, draws_dataset, run_notes

STREAM = "check"
STATISTIC = "statistic"


@takes_fit
def check(fit: Fit, *, draws: int = 400, seed: int = 1, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Compare statistics of the observed data with those of replicated data.

    .. math:: T(y) \quad\text{with}\quad T(y^{rep}_s), \qquad y^{rep}_s \sim p(y \mid \theta_s, b_s)

    Parameters
    ----------
    fit
        A fit.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    seed
        Integer; the same seed gives the same replicated data.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the replicated statistics.

    Returns
    -------
    Result
        ``table``, one row per ``statistic`` (``mean``, ``sd``, ``min``, ``max``, ``zeros``: the share of rows that are zero): ``observed``;
        ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the replicated data; ``outside``: whether the observed one is outside
        the interval. ``draws``: ``replicated`` with dims (chain, draw, row), one chain, and the coordinate ``statistic``.

    Raises
    ------
    ArgumentError
        If an argument is not what it must be, the fit has fewer than 20 draws or keeps no random effects.

    References
    ----------
    Gelman, A., Meng, X.-L. and Stern, H. (1996). Posterior predictive assessment of model fitness via realized discrepancies. *Statistica
    Sinica* 6, 733-807.
    """
    choice = make_interval(ci_prob, ci_kind)
    source = make_replicates(fit, draws, seed, stream=STREAM)
    found = [data_statistics(block.y) for block in source.blocks()]
    names = list(found[0])
    replicated = np.stack([np.concatenate([part[name] for part in found]) for name in names], axis=1)
    observed = np.array([float(value[0]) for value in data_statistics(fit.design.y[None]).values()])
    columns = summarise(replicated, choice)
    outside = is_outside(observed, columns["ci_lower"], columns["ci_upper"])
    table = pd.DataFrame({STATISTIC: names, "observed": observed, **columns, "outside": outside})
    kept = draws_dataset({"replicated": replicated}, (1, source.n_draws), "row", {STATISTIC: np.array(names, dtype=object)})
    title = f"Posterior predictive check of {fit.design.response}: statistics of all rows"
    target = f"statistics of {len(fit.design.y)} replicated observations{observed_words(fit)}, not of their means"
    return Result(title, target, table, kept, (*replicate_notes(fit, source.n_draws, source.seed), *run_notes(fit)), choice)


def observed_words(fit: Fit) -> str:
    """Say whose observations are replicated."""
    factors = list(dict.fromkeys(g.name for g in fit.design.groups))
    return f" of the observed levels of {' and '.join(factors)}" if factors else ""
