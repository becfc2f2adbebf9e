"""Priors as records of plain numbers, and the addresses they are set at.

A prior is a name from a registry and numbers: a file can choose among these, it cannot bring code. Parameters are those of
the PyMC distributions of the same name, except that scales are always called ``sigma``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import ClassVar, Literal

from bayesglmm.errors import PriorError
from bayesglmm.spec.vocabulary import nearest

type Support = Literal["real", "positive", "interval", "correlation"]


@dataclass(frozen=True, slots=True)
class Prior:
    """Base of all priors: checks its numbers when made, compares and hashes by them."""

    name: ClassVar[str]
    support: ClassVar[Support]
    positive: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that are no numbers, and scales that are not positive.

        Raises
        ------
        PriorError
            Naming the prior and the parameter.
        """
        for key, value in self.values:
            if not isinstance(value, Real) or isinstance(value, bool) or not _is_finite(value):
                raise PriorError(f"{key}={value!r} is not a finite number", where=type(self).__name__, fix="give a plain number")
            if key in self.positive and not value > 0:
                raise PriorError(f"{key}={value!r} must be positive", where=type(self).__name__, fix=f"choose {key} > 0")
        problem = self.problem()
        if problem:
            raise PriorError(problem, where=type(self).__name__, fix="change its numbers")

    def problem(self) -> str | None:
        """Return what is wrong with the numbers together; None if nothing is."""
        return None

    @property
    def values(self) -> tuple[tuple[str, float], ...]:
        """Parameter names and numbers, in the order of the signature."""
        return tuple((f.name, getattr(self, f.name)) for f in fields(self))

    @property
    def text(self) -> str:
        """The prior as one writes it, numbers to six digits: ``Normal(0, 5)``."""
        return f"{type(self).__name__}({', '.join(f'{value:.6g}' for _, value in self.values)})"


def _is_finite(value: Real) -> bool:
    """Whether a number is finite as a double; whole numbers may be too large for one."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass(frozen=True, slots=True)
class Normal(Prior):
    """Normal distribution.

    Parameters
    ----------
    mu
        Mean.
    sigma
        Standard deviation, positive.
    """

    mu: float = 0
    sigma: float = 1
    name: ClassVar[str] = "normal"
    support: ClassVar[Support] = "real"
    positive: ClassVar[tuple[str, ...]] = ("sigma",)


@dataclass(frozen=True, slots=True)
class StudentT(Prior):
    """Student's t distribution.

    Parameters
    ----------
    nu
        Degrees of freedom, positive.
    mu
        Location.
    sigma
        Scale, positive; not the standard deviation.
    """

    nu: float
    mu: float = 0
    sigma: float = 1
    name: ClassVar[str] = "student_t"
    support: ClassVar[Support] = "real"
    positive: ClassVar[tuple[str, ...]] = ("nu", "sigma")


@dataclass(frozen=True, slots=True)
class Cauchy(Prior):
    """Cauchy distribution.

    Parameters
    ----------
    mu
        Location.
    sigma
        Scale, positive.
    """

    mu: float = 0
    sigma: float = 1
    name: ClassVar[str] = "cauchy"
    support: ClassVar[Support] = "real"
    positive: ClassVar[tuple[str, ...]] = ("sigma",)


@dataclass(frozen=True, slots=True)
class Laplace(Prior):
    """Laplace distribution.

    Parameters
    ----------
    mu
        Location.
    b
        Scale, positive; the standard deviation is ``sqrt(2) b``.
    """

    mu: float = 0
    b: float = 1
    name: ClassVar[str] = "laplace"
    support: ClassVar[Support] = "real"
    positive: ClassVar[tuple[str, ...]] = ("b",)


@dataclass(frozen=True, slots=True)
class HalfNormal(Prior):
    """Normal distribution with mean 0, folded to the positive half-line.

    Parameters
    ----------
    sigma
        Standard deviation before folding, positive.
    """

    sigma: float = 1
    name: ClassVar[str] = "half_normal"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("sigma",)


@dataclass(frozen=True, slots=True)
class HalfStudentT(Prior):
    """Student's t with location 0, folded to the positive half-line.

    Parameters
    ----------
    nu
        Degrees of freedom, positive.
    sigma
        Scale before folding, positive.
    """

    nu: float
    sigma: float = 1
    name: ClassVar[str] = "half_student_t"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("nu", "sigma")


@dataclass(frozen=True, slots=True)
class HalfCauchy(Prior):
    """Cauchy distribution with location 0, folded to the positive half-line.

    Parameters
    ----------
    sigma
        Scale before folding, positive.
    """

    sigma: float = 1
    name: ClassVar[str] = "half_cauchy"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("sigma",)


@dataclass(frozen=True, slots=True)
class Exponential(Prior):
    """Exponential distribution.

    Parameters
    ----------
    rate
        One over the mean, positive.
    """

    rate: float
    name: ClassVar[str] = "exponential"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("rate",)


@dataclass(frozen=True, slots=True)
class Gamma(Prior):
    """Gamma distribution with mean ``alpha / beta``.

    Parameters
    ----------
    alpha
        Shape, positive.
    beta
        Rate, positive.
    """

    alpha: float
    beta: float
    name: ClassVar[str] = "gamma"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("alpha", "beta")


@dataclass(frozen=True, slots=True)
class InverseGamma(Prior):
    """Inverse-gamma distribution: one over a gamma variable with shape ``alpha`` and rate ``beta``.

    Parameters
    ----------
    alpha
        Shape, positive.
    beta
        Scale, positive.
    """

    alpha: float
    beta: float
    name: ClassVar[str] = "inverse_gamma"
    support: ClassVar[Support] = "positive"
    positive: ClassVar[tuple[str, ...]] = ("alpha", "beta")


@dataclass(frozen=True, slots=True)
class Uniform(Prior):
    """Uniform distribution on an interval.

    Parameters
    ----------
    lower, upper
        Ends, in this order.
    """

    lower: float
    upper: float
    name: ClassVar[str] = "uniform"
    support: ClassVar[Support] = "interval"

    def problem(self) -> str | None:
        """Say when the bounds are not in order."""
        return None if self.lower < self.upper else f"lower={self.lower!r} is not below upper={self.upper!r}"


@dataclass(frozen=True, slots=True)
class LKJ(Prior):
    r"""Correlation matrices with density proportional to :math:`\det(R)^{\eta - 1}`.

    Parameters
    ----------
    eta
        Positive; 1 is uniform over correlation matrices, larger values pull correlations towards zero.

    References
    ----------
    Lewandowski, D., Kurowicka, D., Joe, H. (2009). Generating random correlation matrices based on vines and extended onion
    method. Journal of Multivariate Analysis 100, 1989-2001.
    """

    eta: float
    name: ClassVar[str] = "lkj"
    support: ClassVar[Support] = "correlation"
    positive: ClassVar[tuple[str, ...]] = ("eta",)


_ALL: tuple[type[Prior], ...] = (
    Normal,
    StudentT,
    Cauchy,
    Laplace,
    HalfNormal,
    HalfStudentT,
    HalfCauchy,
    Exponential,
    Gamma,
    InverseGamma,
    Uniform,
    LKJ,
)
PRIORS: dict[str, type[Prior]] = {p.name: p for p in _ALL}
"""Every prior by its name in files."""


@dataclass(frozen=True, slots=True)
class ResolvedPriors:
    """One prior for every parameter of one model, all numbers known.

    Attributes
    ----------
    intercept
        Of the intercept (of the centered design if the spec centers); None without an intercept.
    b
        One per column of the fixed-effects matrix other than the intercept.
    sd
        For each group term, one per effect column.
    cor
        For each group term, of its correlation matrix; None when there is none.
    aux
        Auxiliary parameters of the family, such as ``sigma``, with their priors.
    """

    intercept: Prior | None
    b: tuple[Prior, ...]
    sd: tuple[tuple[Prior, ...], ...]
    cor: tuple[LKJ | None, ...]
    aux: tuple[tuple[str, Prior], ...]


def prior_to_dict(prior: Prior) -> dict[str, str | int | float]:
    """Name and numbers of a prior, as a file holds them."""
    numbers = {key: int(value) if isinstance(value, Integral) else float(value) for key, value in prior.values}
    return {"dist": prior.name, **numbers}


def prior_from_dict(entry: Mapping[str, object], *, where: str | None = None) -> Prior:
    """Prior from its name and numbers.

    Parameters
    ----------
    entry
        For example ``{"dist": "normal", "mu": 0, "sigma": 5}``.
    where
        What the prior is for, for messages.

    Raises
    ------
    PriorError
        Unknown distribution or parameter, missing parameter, impossible number.
    """
    if not isinstance(entry, Mapping):
        raise PriorError(f"a prior is a table, not {entry!r}", where=where, fix='for example {dist = "normal", mu = 0, sigma = 5}')
    dist = entry.get("dist")
    kind = {_squash(name): p for name, p in PRIORS.items()}.get(_squash(dist)) if isinstance(dist, str) else None
    if kind is None:
        hint = nearest(dist, list(PRIORS)) if isinstance(dist, str) else ""
        raise PriorError(f"dist={dist!r} is no known distribution", where=where, fix=f"{hint}Known: {', '.join(PRIORS)}")
    known = [f.name for f in fields(kind)]
    numbers = {key: value for key, value in entry.items() if key != "dist"}
    for key in numbers:
        if key not in known:
            raise PriorError(
                f"{kind.name} has no parameter {key!r}", where=where, fix=f"{nearest(str(key), known)}Parameters: {', '.join(known)}"
            )
    try:
        return kind(**numbers)
    except TypeError:
        raise PriorError(f"{kind.name} lacks a parameter", where=where, fix=f"give {', '.join(known)}") from None


def _squash(name: str) -> str:
    """Spelling without case and underscores, so that ``HalfNormal`` is ``half_normal``."""
    return name.lower().replace("_", "")
