r"""Gaussian responses: :math:`y \sim N(h(\eta), \sigma^2)`, :math:`\sigma` unknown, or known standard errors."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.errors import ArgumentError, ResponseError
from bayesglmm.families.base import Family, refuse_rows, take_parameters
from bayesglmm.numerics.links import Link
from bayesglmm.types import FloatArray, IntArray

_HALF_LOG_2PI = 0.5 * float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class Gaussian(Family):
    r"""Measurements with normal residuals of standard deviation sigma, which broadcasts with the predictor.

    .. math:: \log p(y \mid \eta) = -\tfrac12 ((y - \mu) / \sigma)^2 - \log \sigma - \tfrac12 \log 2 \pi

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). *Generalized Linear Models*, 2nd ed., chapter 3.
    """

    name: str = "gaussian"
    links: tuple[str, ...] = ("identity", "log")
    auxiliary: tuple[str, ...] = ("sigma",)
    needs_trials: bool = False
    discrete: bool = False
    pymc_name: str = "Normal"

    def check_response(self, y: FloatArray, trials: FloatArray | None = None, *, numbers: IntArray | None = None) -> None:
        """Refuse missing and infinite values."""
        refuse_rows(
            ~np.isfinite(np.asarray(y, dtype=np.float64)),
            "a Gaussian response must be finite, and is not",
            "drop or correct these rows",
            numbers=numbers,
        )

    def variance(self, mu: FloatArray, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Variance :math:`\sigma^2`, of the shape of mu and sigma broadcast."""
        (sigma,) = take_parameters(self, trials, aux)
        shape = np.broadcast_shapes(np.shape(mu), sigma.shape)
        return np.array(np.broadcast_to(np.square(sigma), shape))

    def log_prob(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        """Log density; sigma must be positive."""
        sigma = self._positive_sigma(trials, aux)
        with np.errstate(over="ignore"):
            residual = (np.asarray(y, dtype=np.float64) - self.mean(eta, link)) / sigma
            return np.asarray(-0.5 * np.square(residual) - np.log(sigma) - _HALF_LOG_2PI)

    def cdf(self, y: FloatArray, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray) -> FloatArray:
        r"""Distribution function :math:`\Phi((y - \mu) / \sigma)`; sigma must be positive."""
        sigma = self._positive_sigma(trials, aux)
        with np.errstate(over="ignore"):
            return np.asarray(special.ndtr((np.asarray(y, dtype=np.float64) - self.mean(eta, link)) / sigma))

    def sample(
        self, rng: np.random.Generator, eta: FloatArray, link: Link, *, trials: FloatArray | None = None, **aux: FloatArray
    ) -> FloatArray:
        """Draw from the normal distribution."""
        (sigma,) = take_parameters(self, trials, aux)
        return np.asarray(rng.normal(self.mean(eta, link), sigma))

    def response_scale(self, y: FloatArray, link_name: str) -> float:
        """Spread of y on the scale of the predictor: its standard deviation, with denominator n - 1.

        Identity: sd(y). Log, when all y are positive: sd(log y). Otherwise, and when y does not vary, 1. This is the scale
        of the predictor; under the log link it is not that of sigma.
        """
        y = np.asarray(y, dtype=np.float64)
        if link_name == "identity":
            return _spread_or_one(y)
        if link_name == "log" and (y > 0.0).all():
            return _spread_or_one(np.log(y))
        return 1.0

    def response_center(self, y: FloatArray, link: Link, *, trials: FloatArray | None = None, weights: FloatArray | None = None) -> float:
        """Link of the mean response.

        Raises
        ------
        ResponseError
            If the mean response lies outside the link's interval (a mean that is not positive, under the log link).
        """
        center = float(np.average(np.asarray(y, dtype=np.float64), weights=weights))
        if not link.mean_interval[0] < center < link.mean_interval[1]:
            raise ResponseError(f"the mean response {center:g} is impossible under the {link.name} link", fix="use the identity link")
        return float(link.link(np.asarray(center)))

    def _positive_sigma(self, trials: FloatArray | None, aux: Mapping[str, FloatArray]) -> FloatArray:
        (sigma,) = take_parameters(self, trials, aux)
        if not (sigma > 0.0).all():
            raise ArgumentError("sigma must be positive, and is not", where=f"smallest sigma {sigma.min():g}")
        return sigma


def _spread_or_one(values: FloatArray) -> float:
    """Give the standard deviation, or 1 where there is none."""
    sd = float(np.std(values, ddof=1)) if values.size > 1 else 0.0
    return sd if sd > 0.0 else 1.0
