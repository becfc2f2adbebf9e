r"""Binomial responses: :math:`y \in \{0, \dots, n\}` successes in n trials, each with probability :math:`h(\eta)`."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.families.base import Family, interior_mean, is_count, log_tails, refuse_rows, take_parameters
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Binomial(Family):
    r"""Successes in a known number of trials.

    .. math:: \log p(y \mid \eta) = \log \tbinom{n}{y} + y \log h(\eta) + (n - y) \log(1 - h(\eta))

    The response and its variance are counts; the mean parameter is the probability of one success.

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., chapter 4.
    """

    name: str = "binomial"
    links: tuple[str, ...] = ("logit", "probit", "cloglog", "loglog", "cauchit")
    auxiliary: tuple[str, ...] = ()
    needs_trials: bool = True
    discrete: bool = True
    pymc_name: str = "Binomial"

    def check_response(self, y: FloatArray, trials: FloatArray | None = None, *, numbers: IntArray | None = None) -> None:
        """Refuse trials or successes that are no whole numbers, and more successes than trials."""
        (n,) = take_parameters(self, trials, {})
        y = np.asarray(y, dtype=np.float64)
        refuse_rows(
            ~is_count(n),
            "a number of trials must be a whole number that is not negative, and is not",
            "check the column of trials",
            numbers=numbers,
        )
        refuse_rows(
            ~is_count(y),
            "a number of successes must be a whole number that is not negative, and is not",
            "pass counts, not shares",
            numbers=numbers,
        )
        refuse_rows(
            y > n, "there are more successes than trials", "check that the response is k | trials(n), with k at most n", numbers=numbers
        )

    def variance(self, mu: FloatArray, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Variance of the count, :math:`n \mu (1 - \mu)`."""
        (n,) = take_parameters(self, trials, aux)
        mu = np.asarray(mu, dtype=np.float64)
        return n * mu * (1.0 - mu)

    def log_prob(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Log probability of the count, from the link's logarithms of the two tails."""
        (n,) = take_parameters(self, trials, aux)
        log_mean, log_rest = log_tails(link)
        y, eta = np.asarray(y, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        possible = is_count(y) & (y <= n)
        k = np.where(possible, y, 0.0)
        choose = special.gammaln(n + 1.0) - special.gammaln(k + 1.0) - special.gammaln(n - k + 1.0)
        with np.errstate(over="ignore"):
            return np.where(possible, choose + k * log_mean(eta) + (n - k) * log_rest(eta), -np.inf)

    def cdf(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Distribution function of the count: the incomplete beta function :math:`I_{1 - \mu}(n - k, k + 1)` of whole k below n."""
        (n,) = take_parameters(self, trials, aux)
        log_rest = log_tails(link)[1]
        y, eta = np.asarray(y, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        inside = (y >= 0.0) & (y < n)
        k = np.where(inside, np.floor(y), 0.0)
        below = special.betainc(np.where(inside, n - k, 1.0), k + 1.0, np.exp(log_rest(eta)))
        return np.where(np.isnan(y), np.nan, np.where(inside, below, np.where(y < 0.0, 0.0, 1.0)))

    def sample(
        self, rng: np.random.Generator, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray
    ) -> FloatArray:
        """Draw numbers of successes."""
        (n,) = take_parameters(self, trials, aux)
        return np.asarray(rng.binomial(n.astype(np.int64), self.mean(eta, link)), dtype=np.float64)

    def response_center(self, y: FloatArray, link: Link, *, trials: FloatArray | None = None, weights: FloatArray | None = None) -> float:
        """Link of successes over trials, all rows together; of (k + 1/2) / (n + 1) when all or none succeed."""
        (n,) = take_parameters(self, trials, {})
        return float(link.link(np.asarray(interior_mean(np.asarray(y, dtype=np.float64), n, weights, 1.0))))
