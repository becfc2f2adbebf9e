r"""Poisson responses: counts with mean :math:`\mu = h(\eta)`; exposures enter as an offset."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.errors import FamilyError
from bayesglmm.families.base import Family, interior_mean, is_count, refuse_rows, take_parameters
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray, IntArray

_NORMAL_FROM = 1e15  # above it doubles hardly hold single counts, and the skewness is below 1e-7
_LARGEST_SPREAD = 1e300  # keeps an infinite mean infinite


@dataclass(frozen=True, slots=True)
class Poisson(Family):
    r"""Counts without an upper limit.

    .. math:: \log p(y \mid \eta) = y \log \mu - \mu - \log y!

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., chapter 6.
    """

    name: str = "poisson"
    links: tuple[str, ...] = ("log",)
    auxiliary: tuple[str, ...] = ()
    needs_trials: bool = False
    discrete: bool = True
    pymc_name: str = "Poisson"

    def check_response(self, y: FloatArray, trials: FloatArray | None = None, *, numbers: IntArray | None = None) -> None:
        """Refuse anything but whole numbers that are not negative."""
        refuse_rows(
            ~is_count(np.asarray(y, dtype=np.float64)),
            "a count must be a whole number that is not negative, and is not",
            "pass counts, and exposures as offset(log(exposure)), not rates",
            numbers=numbers,
        )

    def variance(self, mu: FloatArray, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Variance :math:`\mu`."""
        take_parameters(self, trials, aux)
        return np.array(mu, dtype=np.float64)

    def log_prob(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Log probability of the count."""
        take_parameters(self, trials, aux)
        if link.log_inverse is None:
            raise FamilyError(f"the {link.name} link has no logarithm of the mean")
        y, eta = np.asarray(y, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        possible = is_count(y)
        k = np.where(possible, y, 0.0)
        return np.where(possible, k * link.log_inverse(eta) - link.inverse(eta) - special.gammaln(k + 1.0), -np.inf)

    def cdf(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Distribution function of the count: the incomplete gamma function :math:`Q(k + 1, \mu)` of whole k."""
        take_parameters(self, trials, aux)
        y = np.asarray(y, dtype=np.float64)
        k = np.where(y >= 0.0, np.floor(y), 0.0)
        below = special.gammaincc(k + 1.0, self.mean(eta, link))
        return np.where(np.isnan(y), np.nan, np.where(y >= 0.0, below, 0.0))

    def sample(
        self, rng: np.random.Generator, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray
    ) -> FloatArray:
        """Draw counts; where the mean is above 1e15, rounded normal draws, infinite where the mean is."""
        take_parameters(self, trials, aux)
        mu = np.asarray(self.mean(eta, link))
        counts = np.asarray(rng.poisson(np.minimum(mu, _NORMAL_FROM)), dtype=np.float64)
        large = mu > _NORMAL_FROM
        if not large.any():
            return counts
        spread = np.sqrt(np.minimum(mu, _LARGEST_SPREAD))
        return np.where(large, np.rint(mu + spread * rng.standard_normal(mu.shape)), counts)

    def response_center(self, y: FloatArray, link: Link, *, trials: FloatArray | None = None, weights: FloatArray | None = None) -> float:
        """Link of the mean count; of 1/2 over (n + 1) when all are zero."""
        y = np.asarray(y, dtype=np.float64)
        return float(link.link(np.asarray(interior_mean(y, np.ones_like(y), weights, np.inf))))
