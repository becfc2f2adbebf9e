r"""Bernoulli responses: :math:`y \in \{0, 1\}`, :math:`P(y = 1) = h(\eta)`."""

from dataclasses import dataclass

import numpy as np

from bayesglmm.families.base import Family, interior_mean, log_tails, refuse_rows, take_parameters
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Bernoulli(Family):
    r"""Zero-one responses.

    .. math:: \log p(y \mid \eta) = y \log h(\eta) + (1 - y) \log(1 - h(\eta))

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., chapter 4.
    """

    name: str = "bernoulli"
    links: tuple[str, ...] = ("logit", "probit", "cloglog", "loglog", "cauchit")
    auxiliary: tuple[str, ...] = ()
    needs_trials: bool = False
    discrete: bool = True
    pymc_name: str = "Bernoulli"

    def check_response(self, y: FloatArray, trials: FloatArray | None = None, *, numbers: IntArray | None = None) -> None:
        """Refuse anything but 0 and 1."""
        y = np.asarray(y, dtype=np.float64)
        refuse_rows(
            (y != 0.0) & (y != 1.0),
            "a Bernoulli response must be 0 or 1, and is not",
            "code the response as 0 and 1, or write k | trials(n) with the binomial family for counts",
            numbers=numbers,
        )

    def variance(self, mu: FloatArray, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Variance :math:`\mu (1 - \mu)`."""
        take_parameters(self, trials, aux)
        mu = np.asarray(mu, dtype=np.float64)
        return mu * (1.0 - mu)

    def log_prob(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Log probability, from the link's logarithms of the two tails; minus infinity off {0, 1}."""
        take_parameters(self, trials, aux)
        log_mean, log_rest = log_tails(link)
        y, eta = np.asarray(y, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        return np.where(y == 1.0, log_mean(eta), np.where(y == 0.0, log_rest(eta), -np.inf))

    def cdf(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Distribution function: 0 below zero, :math:`1 - h(\eta)` from zero, 1 from one on."""
        take_parameters(self, trials, aux)
        log_rest = log_tails(link)[1]
        y, eta = np.asarray(y, dtype=np.float64), np.asarray(eta, dtype=np.float64)
        steps = np.where(y < 0.0, 0.0, np.where(y < 1.0, np.exp(log_rest(eta)), 1.0))
        return np.where(np.isnan(y), np.nan, steps)

    def sample(
        self, rng: np.random.Generator, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray
    ) -> FloatArray:
        """Draw zeros and ones."""
        take_parameters(self, trials, aux)
        mu = np.asarray(self.mean(eta, link))
        return np.asarray(rng.random(mu.shape) < mu, dtype=np.float64)

    def response_center(self, y: FloatArray, link: Link, *, trials: FloatArray | None = None, weights: FloatArray | None = None) -> float:
        """Link of the share of ones; of (k + 1/2) / (n + 1) when all are equal."""
        y = np.asarray(y, dtype=np.float64)
        return float(link.link(np.asarray(interior_mean(y, np.ones_like(y), weights, 1.0))))
