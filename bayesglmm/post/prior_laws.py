"""Each prior record as its distribution: density, quantiles, draws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Protocol, cast

import numpy as np
from scipy import stats

from bayesglmm.errors import PriorError
from bayesglmm.spec import priors as spec_priors
from bayesglmm.spec.priors import LKJ, Prior
from bayesglmm.types import FloatArray

LARGEST: Final = 1e100
"""Draws from priors with very heavy tails are cut here, so that sums of their squares stay within double precision."""


class Law(Protocol):
    """What is asked of a distribution; scipy's frozen ones have it."""

    def ppf(self, q: Any, /) -> Any:
        """Quantile."""
        ...

    def pdf(self, x: Any, /) -> Any:
        """Density."""
        ...

    def logpdf(self, x: Any, /) -> Any:
        """Logarithm of the density."""
        ...

    def support(self) -> Any:
        """Return the ends of the values that are possible."""
        ...


@dataclass(frozen=True, slots=True)
class _HalfT:
    """Student's t folded to the positive half-line, which scipy does not have."""

    nu: float
    sigma: float

    def ppf(self, q: Any) -> Any:
        return self._whole().ppf(0.5 * (1.0 + np.asarray(q)))

    def pdf(self, x: Any) -> Any:
        return np.where(np.asarray(x) >= 0.0, 2.0 * self._whole().pdf(x), 0.0)

    def logpdf(self, x: Any) -> Any:
        return np.where(np.asarray(x) >= 0.0, np.log(2.0) + self._whole().logpdf(x), -np.inf)

    def rvs(self, size: int, random_state: np.random.Generator) -> Any:
        return np.abs(self._whole().rvs(size, random_state=random_state))

    def support(self) -> Any:
        return 0.0, np.inf

    def _whole(self) -> Any:
        return stats.t(self.nu, 0.0, self.sigma)


_LAWS: Final[Mapping[type[Prior], Callable[[Any], Any]]] = MappingProxyType(
    {
        spec_priors.Normal: lambda p: stats.norm(p.mu, p.sigma),
        spec_priors.StudentT: lambda p: stats.t(p.nu, p.mu, p.sigma),
        spec_priors.Cauchy: lambda p: stats.cauchy(p.mu, p.sigma),
        spec_priors.Laplace: lambda p: stats.laplace(p.mu, p.b),
        spec_priors.HalfNormal: lambda p: stats.halfnorm(0.0, p.sigma),
        spec_priors.HalfStudentT: lambda p: _HalfT(p.nu, p.sigma),
        spec_priors.HalfCauchy: lambda p: stats.halfcauchy(0.0, p.sigma),
        spec_priors.Exponential: lambda p: stats.expon(0.0, 1.0 / p.rate),
        spec_priors.Gamma: lambda p: stats.gamma(p.alpha, 0.0, 1.0 / p.beta),
        spec_priors.InverseGamma: lambda p: stats.invgamma(p.alpha, 0.0, p.beta),
        spec_priors.Uniform: lambda p: stats.uniform(p.lower, p.upper - p.lower),
    }
)


def prior_law(prior: Prior) -> Law:
    """Return the distribution of a prior on one number.

    Parameters
    ----------
    prior
        Any prior but LKJ.

    Raises
    ------
    PriorError
        If it is a prior of a matrix.
    """
    return cast(Law, _law(prior))


def correlation_law(prior: LKJ, size: int) -> Law:
    r"""Return the distribution of each correlation of a q x q matrix under LKJ(eta).

    .. math:: (\rho + 1) / 2 \sim Beta(a, a), \qquad a = \eta - 1 + q / 2

    Parameters
    ----------
    prior
        The prior of the matrix.
    size
        q, at least 2.

    References
    ----------
    Lewandowski, D., Kurowicka, D. and Joe, H. (2009). *Journal of Multivariate Analysis* 100, 1989-2001.
    """
    shape = prior.eta - 1.0 + 0.5 * size
    return cast(Law, stats.beta(shape, shape, -1.0, 2.0))


def density_at(law: Law, x: FloatArray) -> FloatArray:
    """Density at points (n,), infinite at an end of the support where it has no bound."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        values = np.asarray(law.pdf(x), dtype=np.float64)
    return np.where(np.isnan(values), 0.0, values)  # the inverse gamma at zero, where scipy has infinity less infinity


def sample_prior(prior: Prior, rng: np.random.Generator, size: int) -> FloatArray:
    """Draws from a prior on one number.

    Parameters
    ----------
    prior
        Any prior but LKJ.
    rng
        Source of randomness.
    size
        Number of draws S.

    Returns
    -------
    ndarray, shape (S,)
        Cut at plus and minus 1e100.

    Raises
    ------
    PriorError
        If it is a prior of a matrix.
    """
    with np.errstate(divide="ignore", over="ignore"):
        draws = np.asarray(_law(prior).rvs(size, random_state=rng), dtype=np.float64)
    return np.clip(draws, -LARGEST, LARGEST)


def _law(prior: Prior) -> Any:
    if type(prior) not in _LAWS:
        raise PriorError(f"{prior.text} is no distribution of one number")
    return _LAWS[type(prior)](prior)
