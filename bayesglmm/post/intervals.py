r"""Posterior summaries of draws: averaged over draws last, never before.

The draws of a quantity are summarised once, after everything else has been done to them: the average of a probability over
rows is made per draw, then summarised. The average of interval ends is not an interval of the average.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.numerics.intervals import interval
from bayesglmm.types import FloatArray, IntervalKind, check_choice

_KIND_WORDS = {"eti": "equal-tailed", "hdi": "highest-density"}
_ELEMENTS_PER_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class IntervalChoice:
    """The level and kind of the intervals in a table.

    Attributes
    ----------
    prob
        Posterior probability inside, in (0, 1).
    kind
        ``eti`` equal-tailed, ``hdi`` highest density.
    """

    prob: float
    kind: IntervalKind

    @property
    def text(self) -> str:
        """``95 % equal-tailed interval``."""
        return f"{100 * self.prob:g} % {_KIND_WORDS[self.kind]} interval"

    @property
    def headers(self) -> tuple[str, str]:
        """Headers of the two ends in print: ``2.5 %`` and ``97.5 %``, or ``hdi 95 % low`` and ``hdi 95 % high``."""
        if self.kind == "hdi":
            return f"hdi {100 * self.prob:g} % low", f"hdi {100 * self.prob:g} % high"
        return f"{50 * (1 - self.prob):.4g} %", f"{50 * (1 + self.prob):.4g} %"


def make_interval(ci_prob: float, ci_kind: str) -> IntervalChoice:
    """Check the two interval arguments of a public function.

    Raises
    ------
    ArgumentError
        If ``ci_prob`` is outside (0, 1) or ``ci_kind`` is unknown.
    """
    return IntervalChoice(check_probability("ci_prob", ci_prob), cast(IntervalKind, check_choice("ci_kind", ci_kind, IntervalKind)))


def check_probability(name: str, value: float) -> float:
    """Return ``value`` as a float strictly between 0 and 1.

    Raises
    ------
    ArgumentError
        If it is not; 95 is told apart from 0.95.
    """
    valid = isinstance(value, int | float | np.number) and not isinstance(value, bool) and 0.0 < float(value) < 1.0
    if not valid:
        raise ArgumentError(f"{name}={value!r} is not a probability", fix=f"give a number between 0 and 1, such as {name}=0.95")
    return float(value)


def summarise(draws: FloatArray, choice: IntervalChoice) -> dict[str, FloatArray]:
    """Posterior mean, SD, median and interval of each quantity.

    Parameters
    ----------
    draws
        Shape (S, k): S draws of k quantities.
    choice
        Level and kind; :func:`make_interval`.

    Returns
    -------
    dict
        ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper``, each of shape (k,). The names of the interval's columns do
        not carry the level, so that code need not change with it: the level stands on the result and in the printed header.
        The SD is that of the draws (divisor S - 1), 0 for a single draw.
    """
    lower, upper = interval_ends(draws, choice)
    return {
        "mean": draws.mean(axis=0),
        "sd": _by_columns(draws, lambda part: part.std(axis=0, ddof=1)) if len(draws) > 1 else np.zeros(draws.shape[1]),
        "median": _by_columns(draws, lambda part: np.median(part, axis=0)),
        "ci_lower": lower,
        "ci_upper": upper,
    }


def interval_ends(draws: FloatArray, choice: IntervalChoice) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends (k,) of the interval of each of k quantities from draws (S, k)."""
    ends = _by_columns(draws, lambda part: np.stack(interval(part, choice.prob, choice.kind)))
    return ends[0], ends[1]


def _by_columns(draws: FloatArray, function: Any) -> FloatArray:
    """Apply a function that sorts (and so copies) its argument to a few columns at a time."""
    step = max(1, _ELEMENTS_PER_BLOCK // max(1, len(draws)))
    parts = [function(draws[:, at : at + step]) for at in range(0, draws.shape[1], step)]
    return np.concatenate(parts, axis=-1) if parts else np.empty((2, 0))
