"""Posterior predictive check of the distribution of the response: how often each value occurs, or the distribution function."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.group_statistics import shares_up_to, value_counts
from bayesglmm.post.check import observed_words
from bayesglmm.post.check_replicates import Replicates, chance_note, chance_of, is_outside, make_replicates, replicate_notes
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.result import Result, run_notes
from bayesglmm.types import FloatArray

STREAM = "check_distribution"
MOST_VALUES = 100
"""Largest count up to which values are counted one by one."""
POINTS = 100
"""Points of the grid of distribution functions."""
_MARGIN = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Values (V,), numbers observed at them (V,), those of the replicated data (k, V), and what the numbers are."""

    value: FloatArray
    observed: FloatArray
    replicated: FloatArray
    notes: tuple[str, ...]


@takes_fit
def check_distribution(fit: Fit, *, draws: int = 400, seed: int = 1, ci_prob: float = 0.95, ci_kind: str = "eti") -> Result:
    r"""Compare the distribution of the observed responses with that of replicated data.

    Counts and zero-one responses: the number of rows with each value (the numbers of a rootogram). Measurements, and counts that reach more
    than 100: the empirical distribution function, :math:`\hat F(v) = n^{-1} \sum_i 1(y_i \le v)`.

    Parameters
    ----------
    fit
        A fit.
    draws
        How many posterior draws are used, equally spaced; all when there are fewer.
    seed
        Integer; the same seed gives the same replicated data.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals of the replicated numbers, at each value alone.

    Returns
    -------
    Result
        ``table``, one row per ``value`` (0, 1, 2, ...; or a grid of 100 points from a little below the smallest to a little above the
        largest response): ``observed``; ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of the replicated data; ``outside``.
        Numbers of rows for values, shares of rows for the grid; the title and the first note say which. ``draws`` is empty.

    Raises
    ------
    ArgumentError
        If an argument is not what it must be, the fit has fewer than 20 draws or keeps no random effects.

    References
    ----------
    Kleiber, C. and Zeileis, A. (2016). Visualizing count data regressions using rootograms. *The American Statistician* 70, 296-303.

    Säilynoja, T., Johnson, A. R., Martin, O. A. and Vehtari, A. (2025). Recommendations for visual predictive checks in Bayesian workflow.
    """
    choice = make_interval(ci_prob, ci_kind)
    source = make_replicates(fit, draws, seed, stream=STREAM)
    counted = fit.family.discrete and _largest(fit) <= MOST_VALUES
    found = _counts(source) if counted else _distribution(source)
    columns = summarise(found.replicated, choice)
    outside = is_outside(found.observed, columns["ci_lower"], columns["ci_upper"])
    table = pd.DataFrame({"value": found.value, "observed": found.observed, **columns, "outside": outside})
    if counted:
        seen = (table["observed"] > 0.0) | (table["ci_upper"] > 0.0) | (table["value"] <= _largest(fit))
        table = table[: int(np.flatnonzero(seen)[-1]) + 1]
    what = "number of rows with each value" if counted else "empirical distribution function"
    title = f"Posterior predictive check of {fit.design.response}: {what}"
    target = f"{what}, of {len(fit.design.y)} replicated observations{observed_words(fit)}, not of their means"
    chance = chance_of(table, found.replicated[:, : len(table)]).assign_attrs(response=fit.design.response)
    notes = (*found.notes, chance_note(table, chance), *replicate_notes(fit, source.n_draws, source.seed), *run_notes(fit))
    return Result(title, target, table, chance, notes, choice)


def _largest(fit: Fit) -> float:
    """Largest count that was, or for successes could be, observed."""
    design = fit.design
    return float(np.max(design.y if design.trials is None else design.trials))


def _counts(source: Replicates) -> _Compared:
    """Numbers of rows with each value, twice as far as data may reach; the caller cuts off the end where nothing is."""
    most = 2 * MOST_VALUES
    replicated = np.concatenate([value_counts(block.y, most) for block in source.blocks()])
    observed = value_counts(source.fit.design.y[None], most)[0]
    above = int(replicated[:, -1].sum())
    notes = ["observed, mean, median and the interval are numbers of rows."]
    if above:
        share = 100.0 * above / (source.n_draws * source.rows.n_rows)
        notes.append(f"{share:.3g} % of the replicated responses are above {most}, and not in the table.")
    values = np.arange(most + 1.0)
    return _Compared(values, observed[:-1].astype(np.float64), replicated[:, :-1].astype(np.float64), tuple(notes))


def _distribution(source: Replicates) -> _Compared:
    """Empirical distribution functions on a grid."""
    y = source.fit.design.y
    low, high = float(y.min()), float(y.max())
    margin = _MARGIN * (high - low) if high > low else 1.0
    grid = np.linspace(low - margin, high + margin, POINTS)
    replicated = np.concatenate([shares_up_to(block.y, grid) for block in source.blocks()])
    note = "observed, mean, median and the interval are shares of rows with a response up to the value."
    return _Compared(grid, shares_up_to(y[None], grid)[0], replicated, (note,))
