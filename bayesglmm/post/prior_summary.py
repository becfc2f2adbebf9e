r"""Every prior with its numbers, and what it says about the response before any data are seen."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from bayesglmm import naming
from bayesglmm.design.columns import TermColumns
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.numerics.links import LINKS, Link, get_link
from bayesglmm.post.intervals import IntervalChoice
from bayesglmm.post.prior_quantiles import correlation_quantile, prior_quantile
from bayesglmm.post.result import Result
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import LKJ, Address, Prior, ResolvedPriors
from bayesglmm.spec.terms import INTERCEPT as CONSTANT_EFFECT

LEVEL: Final = IntervalChoice(0.95, "eti")
LARGE: Final = 1e6

_LOW, _HIGH = 0.5 * (1.0 - LEVEL.prob), 0.5 * (1.0 + LEVEL.prob)
_MEDIAN_DIFFERENCE: Final = float(np.sqrt(2.0) * special.ndtri(0.75))
_MULTIPLIERS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"logit": ("odds ratio", "odds"), "log": ("ratio of means", "mean"), "cloglog": ("hazard ratio", "hazard")}
)


@dataclass(frozen=True, slots=True)
class _Line:
    """One parameter: where its prior is set, the prior, its quantiles, and what it implies."""

    address: str
    prior: Prior
    lower: float
    upper: float
    implies: str


def prior_table(spec: ModelSpec, design: Design, priors: ResolvedPriors) -> Result:
    r"""Priors of one model and what each implies.

    Ranges are the central 95 % of the prior. For a random-effect SD tau the typical difference between two random levels is given, the
    median of :math:`|b_1 - b_2|`, :math:`\sqrt 2\,\Phi^{-1}(3/4)\,\tau = 0.954\,\tau`, at the prior median of tau; under a logit link its
    exponential is the median odds ratio.

    Parameters
    ----------
    spec
        Link, and whether the intercept's prior refers to the centered design.
    design
        Names of columns and grouping factors.
    priors
        All numbers resolved.

    Returns
    -------
    Result
        ``table``, one row per parameter (its index is the address at which the prior is set): ``prior``, ``ci_lower``, ``ci_upper`` (on the
        parameter's own scale), ``implies`` (on the scale of the response). ``draws`` is empty.

    References
    ----------
    Larsen, K. and Merlo, J. (2005). Appropriate assessment of neighborhood effects on individual health. *American Journal of
    Epidemiology* 161, 81-88 (median odds ratio).
    """
    link = get_link(spec.link)
    lines = [*_fixed(spec, design, priors, link), *_groups(design, priors, link), *_auxiliary(priors)]
    columns = {
        "prior": [line.prior.text for line in lines],
        "ci_lower": [line.lower for line in lines],
        "ci_upper": [line.upper for line in lines],
        "implies": [line.implies for line in lines],
    }
    table = pd.DataFrame(columns, index=pd.Index([line.address for line in lines], name="parameter"))
    title = f"Priors of {spec.formula}, {spec.family} ({spec.link} link)"
    return Result(title, "prior: what is assumed before the data are seen", table, xr.Dataset(), (), LEVEL)


def _fixed(spec: ModelSpec, design: Design, priors: ResolvedPriors, link: Link) -> Iterator[_Line]:
    slopes = [address for term in design.fixed if term.name != naming.INTERCEPT for address in _addresses("b", None, term)]
    if priors.intercept is not None:
        where = "" if not slopes else " with every column at its mean" if spec.center else " with every column at zero"
        yield _line("intercept", priors.intercept, lambda low, high: f"{_mean_range(link, low, high)}{where}")
    for address, prior in zip(slopes, priors.b, strict=True):
        yield _line(address, prior, lambda low, high: _change(link, low, high))


def _groups(design: Design, priors: ResolvedPriors, link: Link) -> Iterator[_Line]:
    for group, sds, correlation in zip(design.groups, priors.sd, priors.cor, strict=True):
        addresses = [a for term in group.effects for a in _addresses("sd", group.name, term)]
        for address, label, prior in zip(addresses, group.labels, sds, strict=True):
            text = _difference(link, group, label, prior_quantile(prior, 0.5))
            yield _Line(address, prior, prior_quantile(prior, _LOW), prior_quantile(prior, _HIGH), text)
        if correlation is not None:
            yield _correlation(group, correlation)


def _auxiliary(priors: ResolvedPriors) -> Iterator[_Line]:
    for name, prior in priors.aux:
        yield _line(name, prior, lambda low, high: f"{_number(low)} to {_number(high)} in units of the response")


def _line(address: str, prior: Prior, implies: Callable[[float, float], str]) -> _Line:
    """One parameter whose implication follows from the ends of its prior interval."""
    low, high = prior_quantile(prior, _LOW), prior_quantile(prior, _HIGH)
    return _Line(address, prior, low, high, implies(low, high))


def _correlation(group: GroupDesign, prior: LKJ) -> _Line:
    size = len(group.labels)
    low, high = correlation_quantile(prior, size, _LOW), correlation_quantile(prior, size, _HIGH)
    return _Line(Address("cor", group.name).text, prior, low, high, f"each correlation between {_number(low)} and {_number(high)}")


def _addresses(kind: Literal["b", "sd"], factor: str | None, term: TermColumns) -> list[str]:
    """Write the full address of each column of a term."""
    return [Address(kind, factor, term.name, level).text for level in term.levels or (None,)]


def _mean_range(link: Link, low: float, high: float) -> str:
    noun = "probability" if link.onto_unit_interval else "mean"
    ends = link.inverse(np.array([low, high]))
    return f"{noun} {_number(ends[0])} to {_number(ends[1])}"


def _change(link: Link, low: float, high: float) -> str:
    if link.name in _MULTIPLIERS:
        return f"{_MULTIPLIERS[link.name][0]} {_number(_exponential(low))} to {_number(_exponential(high))} per unit"
    return f"change of {_number(low)} to {_number(high)} per unit{_scale(link)}"


def _difference(link: Link, group: GroupDesign, label: str, median: float) -> str:
    """Tell the typical difference between two random levels at the prior median of the SD."""
    unit = "" if label == CONSTANT_EFFECT else f" per unit of {label}"
    who, given = f"two random levels of {group.name} typically differ", f" (prior median SD {_number(median)})"
    size = _MEDIAN_DIFFERENCE * median
    if link.name in _MULTIPLIERS:
        return f"{who} {_number(_exponential(size))}-fold in {_MULTIPLIERS[link.name][1]}{unit}{given}"
    return f"{who} by {_number(size)}{unit}{_scale(link)}{given}"


def _scale(link: Link) -> str:
    return " in units of the response" if link is LINKS["identity"] else f" on the {link.name} scale"


def _exponential(x: float) -> float:
    return float(np.exp(np.clip(x, -700.0, 700.0)))


def _number(x: float) -> str:
    """Three digits; beyond a million only how large."""
    if abs(x) > LARGE:
        return "more than 1e6" if x > 0.0 else "less than -1e6"
    return "less than 1e-6" if 0.0 < x < 1.0 / LARGE else f"{x:.3g}"
