r"""The elementwise functions that the link records are made of.

Each takes and returns float arrays of one shape. None raises a floating-point warning for arguments up to 1e150 in absolute
value: what leaves the range of a double becomes 0 or infinity. Both tails of a mean on (0, 1) keep their relative accuracy,
because the complement :math:`1 - h(\eta)` is computed on its own and never as a difference.
"""

import numpy as np
from scipy import special

from bayesglmm.types import FloatArray

_LARGEST_EXPONENT = 709.0  # exp of it is the last finite power of e
_SMALL_EXPONENT = -30.0  # below it log(1 - exp(-u)) is log(u) - u / 2 to the last digit
_LOG_2 = float(np.log(2.0))
_ROOT_2PI = float(np.sqrt(2.0 * np.pi))


def same(x: FloatArray) -> FloatArray:
    """Return x itself, as floats."""
    return np.asarray(x, dtype=np.float64)


def one(x: FloatArray) -> FloatArray:
    """Return 1 everywhere: the derivative of the identity."""
    return np.ones_like(x, dtype=np.float64)


def exp(x: FloatArray) -> FloatArray:
    """e^x, infinite beyond the range of a double."""
    with np.errstate(over="ignore"):
        return np.exp(x)


def log(x: FloatArray) -> FloatArray:
    """Natural logarithm, minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return np.log(x)


def reciprocal(x: FloatArray) -> FloatArray:
    """1 / x, infinite at 0."""
    with np.errstate(divide="ignore"):
        return 1.0 / np.asarray(x, dtype=np.float64)


def reciprocal_derivative(x: FloatArray) -> FloatArray:
    """-1 / x^2, minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return -1.0 / np.square(np.asarray(x, dtype=np.float64))


def root(x: FloatArray) -> FloatArray:
    """Square root."""
    return np.sqrt(x)


def square(x: FloatArray) -> FloatArray:
    """x^2."""
    return np.square(np.asarray(x, dtype=np.float64))


def square_derivative(x: FloatArray) -> FloatArray:
    """2 x."""
    return 2.0 * np.asarray(x, dtype=np.float64)


def logit(mu: FloatArray) -> FloatArray:
    """log(mu / (1 - mu))."""
    return special.logit(mu)


def expit(eta: FloatArray) -> FloatArray:
    """1 / (1 + exp(-eta))."""
    return special.expit(eta)


def expit_complement(eta: FloatArray) -> FloatArray:
    """1 / (1 + exp(eta))."""
    return special.expit(-eta)


def expit_derivative(eta: FloatArray) -> FloatArray:
    """Product h (1 - h), the derivative of h = expit."""
    return special.expit(eta) * special.expit(-eta)


def log_expit(eta: FloatArray) -> FloatArray:
    """Logarithm of expit(eta)."""
    return special.log_expit(eta)


def log_expit_complement(eta: FloatArray) -> FloatArray:
    """log(1 - expit(eta))."""
    return special.log_expit(-eta)


def logit_of_tails(mu: FloatArray, complement: FloatArray) -> FloatArray:
    """Logit from mu and 1 - mu."""
    return log(mu) - log(complement)


def probit(mu: FloatArray) -> FloatArray:
    """Quantile function of the standard normal."""
    return special.ndtri(mu)


def normal_cdf(eta: FloatArray) -> FloatArray:
    """Distribution function of the standard normal."""
    return special.ndtr(eta)


def normal_survival(eta: FloatArray) -> FloatArray:
    """1 - Phi(eta)."""
    return special.ndtr(-eta)


def normal_density(eta: FloatArray) -> FloatArray:
    """Density of the standard normal."""
    return np.exp(-0.5 * np.square(eta)) / _ROOT_2PI


def log_normal_cdf(eta: FloatArray) -> FloatArray:
    """Logarithm of Phi(eta)."""
    return special.log_ndtr(eta)


def log_normal_survival(eta: FloatArray) -> FloatArray:
    """log(1 - Phi(eta))."""
    return special.log_ndtr(-eta)


def probit_of_tails(mu: FloatArray, complement: FloatArray) -> FloatArray:
    """Probit from mu and 1 - mu, by the smaller of the two."""
    return np.where(mu <= 0.5, special.ndtri(mu), -special.ndtri(complement))


def cloglog(mu: FloatArray) -> FloatArray:
    """log(-log(1 - mu))."""
    with np.errstate(divide="ignore"):
        return np.log(-np.log1p(-mu))


def cloglog_inverse(eta: FloatArray) -> FloatArray:
    """1 - exp(-exp(eta))."""
    return -np.expm1(-_bounded_exp(eta))


def cloglog_complement(eta: FloatArray) -> FloatArray:
    """exp(-exp(eta))."""
    return np.exp(-_bounded_exp(eta))


def cloglog_derivative(eta: FloatArray) -> FloatArray:
    """exp(eta - exp(eta))."""
    return np.exp(eta - _bounded_exp(eta))


def log_cloglog_inverse(eta: FloatArray) -> FloatArray:
    """log(1 - exp(-u)) with u = exp(eta), by the form that keeps all digits on each side of u = log 2 (Maechler 2012)."""
    u = _bounded_exp(eta)
    small = np.log(-np.expm1(-np.clip(u, 1e-14, _LOG_2)))
    large = np.log1p(-np.exp(-np.maximum(u, _LOG_2)))
    return np.where(eta < _SMALL_EXPONENT, eta - 0.5 * u, np.where(u < _LOG_2, small, large))


def log_cloglog_complement(eta: FloatArray) -> FloatArray:
    """-exp(eta)."""
    return -_bounded_exp(eta)


def cloglog_of_tails(mu: FloatArray, complement: FloatArray) -> FloatArray:
    """Complementary log-log from mu and 1 - mu, by the smaller of the two."""
    return log(np.where(mu <= 0.5, -np.log1p(-np.minimum(mu, 0.5)), -log(complement)))


def loglog(mu: FloatArray) -> FloatArray:
    """-log(-log(mu))."""
    with np.errstate(divide="ignore"):
        return -np.log(-np.log(mu))


def loglog_inverse(eta: FloatArray) -> FloatArray:
    """exp(-exp(-eta))."""
    return cloglog_complement(-eta)


def loglog_complement(eta: FloatArray) -> FloatArray:
    """1 - exp(-exp(-eta))."""
    return cloglog_inverse(-eta)


def loglog_derivative(eta: FloatArray) -> FloatArray:
    """exp(-eta - exp(-eta))."""
    return cloglog_derivative(-eta)


def log_loglog_inverse(eta: FloatArray) -> FloatArray:
    """-exp(-eta)."""
    return log_cloglog_complement(-eta)


def log_loglog_complement(eta: FloatArray) -> FloatArray:
    """log(1 - exp(-exp(-eta)))."""
    return log_cloglog_inverse(-eta)


def loglog_of_tails(mu: FloatArray, complement: FloatArray) -> FloatArray:
    """Log-log from mu and 1 - mu, by the smaller of the two."""
    return -cloglog_of_tails(complement, mu)


def cauchit(mu: FloatArray) -> FloatArray:
    """tan(pi (mu - 1/2))."""
    return cauchit_of_tails(mu, 1.0 - mu)


def cauchit_inverse(eta: FloatArray) -> FloatArray:
    """1/2 + atan(eta) / pi, as the angle of (-eta, 1), which keeps the lower tail."""
    return np.arctan2(1.0, -eta) / np.pi


def cauchit_complement(eta: FloatArray) -> FloatArray:
    """1/2 - atan(eta) / pi, as the angle of (eta, 1), which keeps the upper tail."""
    return np.arctan2(1.0, eta) / np.pi


def cauchit_derivative(eta: FloatArray) -> FloatArray:
    """1 / (pi (1 + eta^2))."""
    return 1.0 / (np.pi * (1.0 + np.square(eta)))


def log_cauchit_inverse(eta: FloatArray) -> FloatArray:
    """log(1/2 + atan(eta) / pi)."""
    return np.log(cauchit_inverse(eta))


def log_cauchit_complement(eta: FloatArray) -> FloatArray:
    """log(1/2 - atan(eta) / pi)."""
    return np.log(cauchit_complement(eta))


def cauchit_of_tails(mu: FloatArray, complement: FloatArray) -> FloatArray:
    """Cauchit from mu and 1 - mu, by the smaller of the two: -cot(pi mu) or cot(pi (1 - mu))."""
    with np.errstate(divide="ignore"):
        lower = -1.0 / np.tan(np.pi * np.minimum(mu, 0.5))
        upper = 1.0 / np.tan(np.pi * np.minimum(complement, 0.5))
    return np.where(mu <= 0.5, lower, upper)


def _bounded_exp(x: FloatArray) -> FloatArray:
    """e^x, held at the largest double."""
    return np.exp(np.minimum(x, _LARGEST_EXPONENT))
