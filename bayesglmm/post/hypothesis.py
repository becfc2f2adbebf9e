r"""Hypotheses about parameters: posterior probabilities, evidence ratios, shares inside a region of practical equivalence."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd

from bayesglmm.errors import ArgumentError
from bayesglmm.fit.draws import flatten, parameter_draws
from bayesglmm.fit.fit import Fit
from bayesglmm.numerics.point_density import FEWEST_BEYOND
from bayesglmm.post.claims import Claim, Relation, read_claim
from bayesglmm.post.door import takes_fit
from bayesglmm.post.intervals import make_interval, summarise
from bayesglmm.post.result import Result, draws_dataset, run_notes
from bayesglmm.post.savage_dickey import PointEvidence, point_evidence
from bayesglmm.types import BoolArray, FloatArray

DIFFERENCE: Final = "difference"
EQUAL: Final = "="

_HOLDS: Final[Mapping[Relation, Callable[[FloatArray], BoolArray]]] = MappingProxyType(
    {">": lambda d: d > 0.0, ">=": lambda d: d >= 0.0, "<": lambda d: d < 0.0, "<=": lambda d: d <= 0.0}
)


@takes_fit
def hypothesis(
    fit: Fit, hypotheses: str | Sequence[str], *, rope: tuple[float, float] | None = None, ci_prob: float = 0.95, ci_kind: str = "eti"
) -> Result:
    r"""Posterior probabilities and evidence ratios of hypotheses about parameters.

    .. math:: P = P(l - r > 0 \mid y), \quad P / (1 - P) \qquad \text{and for a point} \qquad BF_{01} = p(l - r = 0 \mid y) / p(l - r = 0)

    for ``l > r`` (``>= < <=`` alike) and ``l = r``.

    Parameters
    ----------
    fit
        A fit.
    hypotheses
        One or several, as ``"drug[ddI] > 0"``, ``"x + drug[ddI] > 0.5"``, ``"abs(x) < 0.1"``, ``"1|patient_sigma > sigma"``, ``"x = 0"``.
        Names are those that ``summary`` prints, those with blanks in back-quotes; numbers, ``+ - * /``, parentheses, ``abs``, ``exp`` and
        ``log`` may join them.
    rope
        Ends of a region of practical equivalence: the table gets the share of draws of left minus right that lie in it, ends included.
    ci_prob, ci_kind
        Level and kind (``eti``, ``hdi``) of the intervals.

    Returns
    -------
    Result
        ``table``, one row per hypothesis (its index): ``mean``, ``sd``, ``median``, ``ci_lower``, ``ci_upper`` of left minus right;
        ``posterior_prob``; ``evidence_ratio``, infinite where no draw contradicts; with ``rope`` also ``rope_share``. For a point the
        evidence ratio is the Bayes factor for it, and ``posterior_prob`` that of the point when both were equally likely before.
        ``draws``: variable ``difference`` with dims (chain, draw, hypothesis).

    Raises
    ------
    ArgumentError
        If there is no hypothesis, or ``rope`` is no interval.
    FormulaError
        If a hypothesis is outside the grammar, or names what is no parameter; points at the place.
    PriorError
        If a point has no prior density in closed form; gives the reason.

    Notes
    -----
    The posterior density at a point is a normal density corrected by a kernel (Hjort and Glad 1995, *Annals of Statistics* 23, 882-904).
    A Bayes factor for a point depends on the prior at the point: with a prior twice as wide it is nearly twice as large.

    References
    ----------
    Dickey, J. M. (1971). *Annals of Mathematical Statistics* 42, 204-223. Kruschke, J. K. (2018). Rejecting or accepting parameter values
    in Bayesian estimation. *Advances in Methods and Practices in Psychological Science* 1, 270-280.
    """
    choice = make_interval(ci_prob, ci_kind)
    region = None if rope is None else _region(rope)
    found = parameter_draws(fit.posterior, fit.design, fit.family.auxiliary)
    values = flatten(found.values)
    parameters = {label: values[:, k] for k, label in enumerate(found.labels)}
    claims = [read_claim(text, parameters) for text in _texts(hypotheses)]
    draws = np.stack([c.difference.draws for c in claims], axis=1)
    points = {i: point_evidence(fit, c, parameters) for i, c in enumerate(claims) if c.relation == EQUAL}
    prob, ratio = _evidence(claims, points)
    columns = {**summarise(draws, choice), "posterior_prob": prob, "evidence_ratio": ratio}
    if region is not None:
        columns["rope_share"] = np.mean((draws >= region[0]) & (draws <= region[1]), axis=0)
    names = np.array([c.text for c in claims], dtype=object)
    table = pd.DataFrame(columns, index=pd.Index(names, name="hypothesis"))
    sizes = fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]
    dataset = draws_dataset({DIFFERENCE: draws}, sizes, "hypothesis", {"hypothesis": names})
    notes = (*_notes(claims, table, len(draws)), *_point_notes(claims, points), *run_notes(fit))
    return Result("Hypotheses: left side minus right side", _target(fit), table, dataset, notes, choice)


def _texts(hypotheses: Any) -> list[str]:
    """One or several hypotheses as a list."""
    if isinstance(hypotheses, str):
        return [hypotheses]
    if not isinstance(hypotheses, Sequence) or isinstance(hypotheses, bytes) or not hypotheses:
        raise ArgumentError(f"hypotheses={hypotheses!r} is no hypothesis", fix="give a text such as 'x > 0', or a list of them")
    return list(hypotheses)


def _region(rope: Any) -> tuple[float, float]:
    """Two finite numbers in order."""
    try:
        low, high = (float(end) for end in rope)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"rope={rope!r} is no interval", fix="give its two ends, rope=(-0.1, 0.1)") from error
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ArgumentError(f"rope={rope!r} is no interval", fix="give a lower and a larger upper end, rope=(-0.1, 0.1)")
    return low, high


def _evidence(claims: Sequence[Claim], points: Mapping[int, PointEvidence]) -> tuple[FloatArray, FloatArray]:
    """Posterior probabilities and evidence ratios."""
    prob, ratio = np.empty(len(claims)), np.empty(len(claims))
    for i, claim in enumerate(claims):
        if i in points:
            ratio[i] = points[i].ratio
            prob[i] = ratio[i] / (1.0 + ratio[i])
            continue
        holds = _HOLDS[claim.relation](claim.difference.draws)
        prob[i], against = holds.mean(), np.count_nonzero(~holds)
        ratio[i] = np.count_nonzero(holds) / against if against else np.inf
    return prob, ratio


def _target(fit: Fit) -> str:
    """Say what the parameters are."""
    factors = ", ".join(dict.fromkeys(g.name for g in fit.design.groups))
    if not factors:
        return "parameters: coefficients of the linear predictor; there is no grouping factor"
    return f"average_subject: fixed effects are subject-specific, coefficients of the linear predictor at given random effects of {factors}"


def _notes(claims: Sequence[Claim], table: pd.DataFrame, n_draws: int) -> tuple[str, ...]:
    """Say what the probabilities and ratios are."""
    directed = [(c.text, r) for c, r in zip(claims, table["evidence_ratio"], strict=True) if c.relation != EQUAL]
    if not directed:
        return ()
    notes = ["Of an inequality: posterior_prob P is the share of draws in which it holds, evidence_ratio is P / (1 - P)."]
    endless = [text for text, ratio in directed if np.isinf(ratio)]
    if endless:
        notes.append(f"No draw of {n_draws} contradicts {', '.join(repr(t) for t in endless)}: evidence ratio > {n_draws - 1}.")
    return tuple(notes)


def _point_notes(claims: Sequence[Claim], points: Mapping[int, PointEvidence]) -> tuple[str, ...]:
    """Say how the evidence for points was computed, and how well."""
    if not points:
        return ()
    notes = [
        "Of an equality: evidence_ratio is the posterior density at the point over the prior density (Savage-Dickey), "
        "the posterior density being a normal one corrected by a kernel (Hjort and Glad 1995); "
        "posterior_prob takes both as equally likely before the data."
    ]
    for i, evidence in points.items():
        if np.isnan(evidence.ratio):
            beyond = f"fewer than {FEWEST_BEYOND} draws lie on one side of the point, so that the density there cannot be estimated"
            notes.append(f"{claims[i].text!r}: {beyond}.")
        elif np.isfinite(evidence.error):
            notes.append(f"{claims[i].text!r}: Monte Carlo error of the evidence ratio about {100.0 * evidence.error:.2g} %.")
    return tuple(notes)
