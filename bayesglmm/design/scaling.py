r"""Priors resolved to numbers: weakly informative defaults from the scales of the data, overridden by address.

With :math:`s_y` the family's response scale (sd(y) under the identity link, 1 for counts and zero-one responses), :math:`\bar y` the
mean response and sd the sample standard deviation (n - 1) of a column as coded:

============================  =================================================
intercept, centered design    StudentT(3, g(mean y) - mean offset, 5 s_y)
slope of x_k                  Normal(0, 2.5 s_y / sd(x_k))
SD of the effect of z_k       HalfStudentT(3, 2.5 s_y / sd(z_k)), sd = 1 for the constant
correlation                   LKJ(2)
sigma                         Exponential(1 / sd(y))
============================  =================================================

Gelman, Jakulin, Pittau & Su (2008), *Annals of Applied Statistics* 2, 1360-1383, for priors in units of the data. Sigma is a standard
deviation of the response itself, so its scale is that of y under every link.
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.errors import PriorError
from bayesglmm.families.base import Family
from bayesglmm.naming import INTERCEPT
from bayesglmm.numerics.links import Link
from bayesglmm.spec.addresses import Address, factors_key, parse_address
from bayesglmm.spec.model_spec import ModelSpec
from bayesglmm.spec.priors import LKJ, Exponential, HalfStudentT, Normal, Prior, ResolvedPriors, StudentT
from bayesglmm.types import FloatArray

DEGREES = 3.0
INTERCEPT_SCALES = 5.0
EFFECT_SCALES = 2.5
LKJ_ETA = 2.0
ADDITIVE_LINK = "identity"


@dataclass(frozen=True, slots=True)
class _Slot:
    """One parameter: what it may be addressed by, and its default."""

    address: Address
    default: Prior


def resolve_priors(spec: ModelSpec, design: Design, family: Family, link: Link) -> ResolvedPriors:
    """Give every parameter a prior with all numbers known.

    Parameters
    ----------
    spec
        Its priors override the defaults; the most specific address wins: one column, then a term, then a whole class.
    design
        The arrays whose scales the defaults are multiples of.
    family, link
        Of the response.

    Returns
    -------
    ResolvedPriors
        ``intercept`` refers to the centered design, or to covariates at zero with ``center=False``; the default is the same.

    Raises
    ------
    PriorError
        If a prior is addressed to something that is not in the model; lists what is.
    """
    scale = family.response_scale(design.y, link.name)
    slots = _Slots(
        _intercept(design, family, link, scale),
        _slopes(design, scale),
        tuple(_deviations(g, scale) for g in design.groups),
        tuple(_correlation(g) for g in design.groups),
        _auxiliary(design, family),
    )
    given = [(parse_address(text, functions=spec.functions), prior) for text, prior in spec.priors]
    _check_addresses(given, slots.all)
    return ResolvedPriors(
        intercept=None if slots.intercept is None else _chosen(slots.intercept, given),
        b=tuple(_chosen(s, given) for s in slots.b),
        sd=tuple(tuple(_chosen(s, given) for s in group) for group in slots.sd),
        cor=tuple(None if s is None else _chosen_lkj(s, given) for s in slots.cor),
        aux=tuple((s.address.kind, _chosen(s, given)) for s in slots.aux),
    )


@dataclass(frozen=True, slots=True)
class _Slots:
    """Every parameter of one model, arranged as in ``ResolvedPriors``."""

    intercept: _Slot | None
    b: tuple[_Slot, ...]
    sd: tuple[tuple[_Slot, ...], ...]
    cor: tuple[_Slot | None, ...]
    aux: tuple[_Slot, ...]

    @property
    def all(self) -> tuple[_Slot, ...]:
        """Every parameter in one row."""
        optional = (self.intercept, *self.b, *(s for group in self.sd for s in group), *self.cor, *self.aux)
        return tuple(s for s in optional if s is not None)


def column_scale(x: FloatArray) -> float:
    """Sample standard deviation (n - 1) of a column; of a constant column its absolute value, so that the constant 1 has scale 1."""
    spread = float(np.std(x, ddof=1)) if len(x) > 1 else 0.0
    largest = float(np.max(np.abs(x)))
    return spread if spread > np.finfo(float).eps * largest else largest


def _intercept(design: Design, family: Family, link: Link, scale: float) -> _Slot | None:
    if INTERCEPT not in design.labels:
        return None
    center = family.response_center(design.y, link, trials=design.trials, weights=design.weights)
    at_zero_offset = center - float(np.mean(design.offset))
    return _Slot(Address("intercept"), StudentT(nu=DEGREES, mu=at_zero_offset, sigma=INTERCEPT_SCALES * scale))


def _slopes(design: Design, scale: float) -> tuple[_Slot, ...]:
    slots = []
    for term in design.fixed:
        if term.name == INTERCEPT:
            continue
        for k in range(term.start, term.stop):
            level = None if term.levels is None else term.levels[k - term.start]
            spread = EFFECT_SCALES * scale / column_scale(design.X[:, k])
            slots.append(_Slot(Address("b", None, term.name, level), Normal(mu=0.0, sigma=spread)))
    return tuple(slots)


def _deviations(group: GroupDesign, scale: float) -> tuple[_Slot, ...]:
    slots = []
    for term in group.effects:
        for k in range(term.start, term.stop):
            level = None if term.levels is None else term.levels[k - term.start]
            spread = EFFECT_SCALES * scale / column_scale(group.Z[:, k])
            slots.append(_Slot(Address("sd", group.name, term.name, level), HalfStudentT(nu=DEGREES, sigma=spread)))
    return tuple(slots)


def _correlation(group: GroupDesign) -> _Slot | None:
    if group.term.covariance != "us" or group.Z.shape[1] < 2:
        return None
    return _Slot(Address("cor", group.name), LKJ(eta=LKJ_ETA))


def _auxiliary(design: Design, family: Family) -> tuple[_Slot, ...]:
    """Residual standard deviation, when the family has one and it is not known."""
    if "sigma" not in family.auxiliary or design.se is not None:
        return ()
    return (_Slot(Address("sigma"), Exponential(rate=1.0 / family.response_scale(design.y, ADDITIVE_LINK))),)


def _chosen(slot: _Slot, given: list[tuple[Address, Prior]]) -> Prior:
    """Prior of the most specific address that covers a parameter, else its default."""
    covering = [(address, prior) for address, prior in given if _covers(address, slot.address)]
    return max(covering, key=lambda pair: _specificity(pair[0]))[1] if covering else slot.default


def _chosen_lkj(slot: _Slot, given: list[tuple[Address, Prior]]) -> LKJ:
    prior = _chosen(slot, given)
    if not isinstance(prior, LKJ):
        raise PriorError(f"{prior.text} is no prior of a correlation matrix", where=slot.address.text, fix="for example LKJ(2)")
    return prior


def _specificity(address: Address) -> int:
    return sum(part is not None for part in (address.factor, address.effect, address.level))


def _covers(address: Address, parameter: Address) -> bool:
    """Whether an address speaks of a parameter: every part that it names is the parameter's; ``x:z`` is ``z:x``."""
    return (
        address.kind == parameter.kind
        and (address.factor is None or factors_key(address.factor) == factors_key(parameter.factor))
        and (address.effect is None or factors_key(address.effect) == factors_key(parameter.effect))
        and (address.level is None or address.level == parameter.level)
    )


def _check_addresses(given: list[tuple[Address, Prior]], slots: tuple[_Slot, ...]) -> None:
    """Refuse an address that covers no parameter."""
    for address, _ in given:
        if not any(_covers(address, s.address) for s in slots):
            listed = ", ".join(dict.fromkeys(a for s in slots for a in _addresses(s.address)))
            raise PriorError(
                "a prior is addressed to something that is not in the model", where=address.text, fix=f"the addresses are: {listed}"
            )


def _addresses(parameter: Address) -> tuple[str, ...]:
    """List a parameter's address by class, by factor or term, and in full."""
    kind, factor, effect = parameter.kind, parameter.factor, parameter.effect
    steps = (Address(kind), Address(kind, factor), Address(kind, factor, effect), parameter)
    return tuple(dict.fromkeys(a.text for a in steps))
