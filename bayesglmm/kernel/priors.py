"""Scalar priors and transforms: unnormalized log densities with derivatives, chosen by code."""

import math

import numba as nb

from bayesglmm.spec import priors as records
from bayesglmm.spec.priors import Prior

compiled = nb.njit(cache=True, nogil=True, error_model="numpy")

FLAT, NORMAL, STUDENT_T, LAPLACE, EXPONENTIAL, GAMMA, INVERSE_GAMMA = range(7)
IDENTITY, EXP, INTERVAL = range(3)

type Numbers = tuple[float, float, float]


def encode_prior(prior: Prior) -> tuple[int, Numbers]:
    """Return code and three numbers of a prior; a half distribution is its whole one on positive values, which differs by a constant.

    Raises
    ------
    TypeError
        If the prior is not one for a scalar.
    """
    match prior:
        case records.Normal(mu, sigma):
            return NORMAL, (mu, sigma, 0.0)
        case records.HalfNormal(sigma):
            return NORMAL, (0.0, sigma, 0.0)
        case records.StudentT(nu, mu, sigma):
            return STUDENT_T, (mu, sigma, nu)
        case records.HalfStudentT(nu, sigma):
            return STUDENT_T, (0.0, sigma, nu)
        case records.Cauchy(mu, sigma):
            return STUDENT_T, (mu, sigma, 1.0)
        case records.HalfCauchy(sigma):
            return STUDENT_T, (0.0, sigma, 1.0)
        case records.Laplace(mu, b):
            return LAPLACE, (mu, b, 0.0)
        case _:
            return _encode_more(prior)


def _encode_more(prior: Prior) -> tuple[int, Numbers]:
    match prior:
        case records.Exponential(rate):
            return EXPONENTIAL, (rate, 0.0, 0.0)
        case records.Gamma(alpha, beta):
            return GAMMA, (alpha, beta, 0.0)
        case records.InverseGamma(alpha, beta):
            return INVERSE_GAMMA, (alpha, beta, 0.0)
        case records.Uniform():
            return FLAT, (0.0, 0.0, 0.0)
    raise TypeError(f"{type(prior).__name__} is no prior of a scalar")


@compiled
def log_prior(code: int, value: float, a: float, b: float, c: float) -> tuple[float, float]:
    """Return the unnormalized log density at ``value`` and its derivative."""
    if code == NORMAL:
        r = (value - a) / b
        return -0.5 * r * r, -r / b
    if code == STUDENT_T:
        r = (value - a) / b
        return -0.5 * (c + 1.0) * math.log1p(r * r / c), -(c + 1.0) * r / (b * (c + r * r))
    if code == LAPLACE:
        r = (value - a) / b
        return -abs(r), (-1.0 if r > 0 else 1.0) / b
    if code == EXPONENTIAL:
        return -a * value, -a
    if code == GAMMA:
        return (a - 1.0) * math.log(value) - b * value, (a - 1.0) / value - b
    if code == INVERSE_GAMMA:
        return -(a + 1.0) * math.log(value) - b / value, -(a + 1.0) / value + b / (value * value)
    return 0.0, 0.0


@compiled
def transform(code: int, x: float, lower: float, upper: float) -> tuple[float, float, float, float]:
    """Return the parameter at unconstrained ``x``, its derivative, the log Jacobian and the derivative of that."""
    if code == EXP:
        value = math.exp(x)
        return value, value, x, 1.0
    if code == INTERVAL:
        small = math.exp(-abs(x))
        share = 1.0 / (1.0 + small) if x > 0 else small / (1.0 + small)
        width = upper - lower
        slope = width * small / ((1.0 + small) * (1.0 + small))
        return lower + width * share, slope, -abs(x) - 2.0 * math.log1p(small) + math.log(width), 1.0 - 2.0 * share
    return x, 1.0, 0.0, 0.0
