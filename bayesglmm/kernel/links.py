r"""Scalar twins of the links: what one row of a likelihood needs, in plain Python that numba compiles.

Links onto probabilities give four numbers at once, :math:`\log h,\ \log(1 - h)` and their derivatives, stable in both tails; the log and
the identity need no function. A conformance test loops over the numeric registry and fails when a twin is missing or differs.
"""

import math
from collections.abc import Callable

import numba as nb

type Tails = tuple[float, float, float, float]

SQRT2 = math.sqrt(2.0)
LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
ERFC_LIMIT = -37.0
"""Below this, erfc is about to underflow and the asymptotic series of Mills' ratio has more digits than a float."""

compiled = nb.njit(cache=True, nogil=True, error_model="numpy", inline="never")


@compiled
def logit_tails(eta: float) -> Tails:
    """Return log h, log(1 - h) and their derivatives 1 - h and -h for h = expit."""
    small = math.exp(-abs(eta))
    soft = math.log1p(small)
    if eta > 0:
        return -soft, -eta - soft, small / (1.0 + small), -1.0 / (1.0 + small)
    return eta - soft, -soft, 1.0 / (1.0 + small), -small / (1.0 + small)


@compiled
def log_normal_cdf(x: float) -> float:
    """Return log Phi(x): erfc down to -37, then three terms of the asymptotic series (relative error below 1e-11 there)."""
    if x < ERFC_LIMIT:
        inverse = 1.0 / (x * x)
        series = -inverse * (1.0 - 3.0 * inverse * (1.0 - 5.0 * inverse * (1.0 - 7.0 * inverse)))
        return -0.5 * x * x - LOG_SQRT_2PI - math.log(-x) + math.log1p(series)
    if x < 0:
        return math.log(0.5 * math.erfc(-x / SQRT2))
    return math.log1p(-0.5 * math.erfc(x / SQRT2))


@compiled
def probit_tails(eta: float) -> Tails:
    """Return log Phi(eta), log Phi(-eta) and their derivatives, phi / Phi in logarithms."""
    lower, upper = log_normal_cdf(eta), log_normal_cdf(-eta)
    log_density = -0.5 * eta * eta - LOG_SQRT_2PI
    return lower, upper, math.exp(log_density - lower), -math.exp(log_density - upper)


@compiled
def _from_rate(rate: float) -> tuple[float, float]:
    """Return log(1 - exp(-rate)) and its derivative with respect to log rate, rate / (exp(rate) - 1)."""
    if rate > 700.0:
        return 0.0, 0.0
    if rate < 1e-300:
        return math.log(1e-300), 1.0
    log_value = math.log(-math.expm1(-rate)) if rate < math.log(2.0) else math.log1p(-math.exp(-rate))
    return log_value, rate / math.expm1(rate)


@compiled
def cloglog_tails(eta: float) -> Tails:
    """Return log h, log(1 - h) = -exp(eta) and their derivatives for h = 1 - exp(-exp(eta))."""
    rate = math.exp(min(eta, 700.0))
    log_value, slope = _from_rate(rate)
    return (eta if eta < -690.0 else log_value), -rate, slope, -rate


@compiled
def loglog_tails(eta: float) -> Tails:
    """Return log h = -exp(-eta), log(1 - h) and their derivatives for h = exp(-exp(-eta))."""
    log_rest, log_value, rest_slope, value_slope = cloglog_tails(-eta)
    return log_value, log_rest, -value_slope, -rest_slope


@compiled
def _log_cauchy_cdf(x: float) -> float:
    if x < -1.0:
        return math.log(math.atan(-1.0 / x) / math.pi)
    return math.log(0.5 + math.atan(x) / math.pi)


@compiled
def cauchit_tails(eta: float) -> Tails:
    """Return log h, log(1 - h) and their derivatives for the Cauchy distribution function."""
    lower, upper = _log_cauchy_cdf(eta), _log_cauchy_cdf(-eta)
    density = 1.0 / (math.pi * (1.0 + eta * eta))
    return lower, upper, density * math.exp(-lower), -density * math.exp(-upper)


LOGIT, PROBIT, CLOGLOG, LOGLOG, CAUCHIT = range(5)

TAILS: dict[str, tuple[int, Callable[[float], Tails]]] = {
    "logit": (LOGIT, logit_tails),
    "probit": (PROBIT, probit_tails),
    "cloglog": (CLOGLOG, cloglog_tails),
    "loglog": (LOGLOG, loglog_tails),
    "cauchit": (CAUCHIT, cauchit_tails),
}
"""Code and scalar twin of every link onto probabilities."""


@compiled
def tails(code: int, eta: float) -> Tails:
    """Return the four numbers of the link with this code."""
    if code == LOGIT:
        return logit_tails(eta)
    if code == PROBIT:
        return probit_tails(eta)
    if code == CLOGLOG:
        return cloglog_tails(eta)
    if code == LOGLOG:
        return loglog_tails(eta)
    return cauchit_tails(eta)
