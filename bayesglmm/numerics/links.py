r"""Link functions :math:`g`, their inverses :math:`h = g^{-1}`, and how to average :math:`h` over normal effects.

One record per link, all in :data:`LINKS`. A link averages over a normal predictor in one of three ways, and its record says
which: by a closed form (``marginal_predictor``), by the trapezoid rule (``strip``, from which the rule's error bound comes),
or not at all (``refusal``, the reason).

References
----------
McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., sections 2.2.4 and 4.3.1.

Zeger, S. L., Liang, K.-Y. and Albert, P. S. (1988). Models for longitudinal data: a generalized estimating equation
approach. *Biometrics* 44, 1049-1060 (closed forms for identity, log and probit).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from bayesglmm.numerics import elementwise as ew
from bayesglmm.numerics import strips
from bayesglmm.numerics.lookup import lookup
from bayesglmm.types import FloatArray

type Elementwise = Callable[[FloatArray], FloatArray]
type Elementwise2 = Callable[[FloatArray, FloatArray], FloatArray]

REAL: Final = (-np.inf, np.inf)
POSITIVE: Final = (0.0, np.inf)
UNIT: Final = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    r"""A link function and everything that is asked of it.

    All functions are elementwise on float arrays of one shape.

    Attributes
    ----------
    name
        Its name in the registry.
    link
        :math:`\eta = g(\mu)`; infinite at the ends of ``mean_interval``.
    inverse
        :math:`\mu = h(\eta)`.
    derivative
        :math:`d\mu / d\eta = h'(\eta)`.
    mean_interval
        Open interval of mu.
    eta_interval
        Open interval of eta on which h is one-to-one onto ``mean_interval``.
    log_inverse
        :math:`\log h(\eta)` without cancellation; links onto the unit interval and the log link, else None.
    complement, log_complement
        :math:`1 - h(\eta)` and its logarithm without cancellation; links onto the unit interval only, else None.
    link_of_tails
        :math:`g(\mu)` from the pair :math:`(\mu, 1 - \mu)`, accurate when either is tiny; unit interval only, else None.
    strip
        Bound on h off the real axis for the trapezoid rule; None where h is unbounded.
    marginal_predictor
        :math:`(m, v) \mapsto g(E\,h(\eta))` for :math:`\eta \sim N(m, v)`, where there is a closed form; else None.
    refusal
        Why there is no population mean; None if there is one.
    """

    name: str
    link: Elementwise
    inverse: Elementwise
    derivative: Elementwise
    mean_interval: tuple[float, float]
    eta_interval: tuple[float, float] = REAL
    log_inverse: Elementwise | None = None
    complement: Elementwise | None = None
    log_complement: Elementwise | None = None
    link_of_tails: Elementwise2 | None = None
    strip: strips.Strip | None = None
    marginal_predictor: Elementwise2 | None = None
    refusal: str | None = None

    @property
    def has_population_mean(self) -> bool:
        """Whether the mean over normal effects exists and is one number with one predictor."""
        return self.refusal is None

    @property
    def onto_unit_interval(self) -> bool:
        """Whether the mean is a probability."""
        return self.mean_interval == UNIT


def get_link(name: str) -> Link:
    """Return the link called ``name``.

    Raises
    ------
    FamilyError
        If there is no such link; lists all and the nearest.
    """
    return lookup(LINKS, name, "link")


def _mean_of_predictor(m: FloatArray, v: FloatArray) -> FloatArray:
    """g(E h) = m for the identity."""
    return m + 0.0 * v


def _mean_of_exponential(m: FloatArray, v: FloatArray) -> FloatArray:
    """g(E h) = m + v/2 for the log link: the mean of a log-normal."""
    return m + 0.5 * v


def _mean_of_normal_cdf(m: FloatArray, v: FloatArray) -> FloatArray:
    """g(E h) = m / sqrt(1 + v) for the probit link: P(u < m + sqrt(v) e) with u, e independent standard normals."""
    return m / np.sqrt(1.0 + v)


_IDENTITY = Link(
    name="identity",
    link=ew.same,
    inverse=ew.same,
    derivative=ew.one,
    mean_interval=REAL,
    marginal_predictor=_mean_of_predictor,
)

_LOG = Link(
    name="log",
    link=ew.log,
    inverse=ew.exp,
    derivative=ew.exp,
    mean_interval=POSITIVE,
    log_inverse=ew.same,
    marginal_predictor=_mean_of_exponential,
)

_LOGIT = Link(
    name="logit",
    link=ew.logit,
    inverse=ew.expit,
    derivative=ew.expit_derivative,
    mean_interval=UNIT,
    log_inverse=ew.log_expit,
    complement=ew.expit_complement,
    log_complement=ew.log_expit_complement,
    link_of_tails=ew.logit_of_tails,
    strip=strips.LOGIT_STRIP,
)

_PROBIT = Link(
    name="probit",
    link=ew.probit,
    inverse=ew.normal_cdf,
    derivative=ew.normal_density,
    mean_interval=UNIT,
    log_inverse=ew.log_normal_cdf,
    complement=ew.normal_survival,
    log_complement=ew.log_normal_survival,
    link_of_tails=ew.probit_of_tails,
    strip=strips.PROBIT_STRIP,
    marginal_predictor=_mean_of_normal_cdf,
)

_CLOGLOG = Link(
    name="cloglog",
    link=ew.cloglog,
    inverse=ew.cloglog_inverse,
    derivative=ew.cloglog_derivative,
    mean_interval=UNIT,
    log_inverse=ew.log_cloglog_inverse,
    complement=ew.cloglog_complement,
    log_complement=ew.log_cloglog_complement,
    link_of_tails=ew.cloglog_of_tails,
    strip=strips.CLOGLOG_STRIP,
)

_LOGLOG = Link(
    name="loglog",
    link=ew.loglog,
    inverse=ew.loglog_inverse,
    derivative=ew.loglog_derivative,
    mean_interval=UNIT,
    log_inverse=ew.log_loglog_inverse,
    complement=ew.loglog_complement,
    log_complement=ew.log_loglog_complement,
    link_of_tails=ew.loglog_of_tails,
    strip=strips.LOGLOG_STRIP,
)

_CAUCHIT = Link(
    name="cauchit",
    link=ew.cauchit,
    inverse=ew.cauchit_inverse,
    derivative=ew.cauchit_derivative,
    mean_interval=UNIT,
    log_inverse=ew.log_cauchit_inverse,
    complement=ew.cauchit_complement,
    log_complement=ew.log_cauchit_complement,
    link_of_tails=ew.cauchit_of_tails,
    strip=strips.CAUCHIT_STRIP,
)

_INVERSE = Link(
    name="inverse",
    link=ew.reciprocal,
    inverse=ew.reciprocal,
    derivative=ew.reciprocal_derivative,
    mean_interval=POSITIVE,
    eta_interval=POSITIVE,
    refusal="1 / eta has no mean when eta is normal: its pole at 0 is not integrable",
)

_SQRT = Link(
    name="sqrt",
    link=ew.root,
    inverse=ew.square,
    derivative=ew.square_derivative,
    mean_interval=POSITIVE,
    eta_interval=POSITIVE,
    refusal="eta squared is not monotone: a normal eta takes both signs, and eta and -eta would be the same subject",
)

LINKS: Final[Mapping[str, Link]] = MappingProxyType(
    {link.name: link for link in (_IDENTITY, _LOG, _LOGIT, _PROBIT, _CLOGLOG, _LOGLOG, _CAUCHIT, _INVERSE, _SQRT)}
)
"""Every link by name."""
