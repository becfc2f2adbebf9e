r"""How large an inverse link gets off the real axis: what the error of the trapezoid rule is bounded by.

For each inverse link :math:`h` a record says how wide a strip :math:`|\operatorname{Im} z| < A` it is analytic and bounded
in, and gives :math:`\log \sup |h(z)|` over :math:`|\operatorname{Im} z| \le y` (all real parts), for
:math:`0 \le y < A`, or a number that is not smaller. Derivations stand at the functions. All bounds are at least 1, so they
also bound the constant function.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from bayesglmm.types import FloatArray


@dataclass(frozen=True, slots=True)
class Strip:
    r"""A strip around the real axis, and how large the function gets in it.

    Attributes
    ----------
    half_width
        A: analytic and bounded for :math:`|\operatorname{Im} z| \le y` whenever y < A; infinite for entire functions that
        are bounded in every strip.
    log_supremum
        Maps y (k,) in [0, A) to an upper bound (k,) on :math:`\log \sup_{|\operatorname{Im} z| \le y} |h(z)|`; at least 0.
    """

    half_width: float
    log_supremum: Callable[[FloatArray], FloatArray]


def log_supremum_logit(y: FloatArray) -> FloatArray:
    r"""Bound for :math:`h(z) = 1 / (1 + e^{-z})`, y < pi: 1 up to pi/2, 1 / sin(y) beyond.

    With :math:`u = e^{-x}`, :math:`|1 + u e^{-iy}|^2 = 1 + 2 u \cos y + u^2`. For :math:`\cos y \ge 0` its infimum over
    u > 0 is 1; otherwise its minimum, at :math:`u = -\cos y`, is :math:`1 - \cos^2 y = \sin^2 y`. The poles are at
    :math:`\pm i \pi`.
    """
    return np.where(y <= 0.5 * np.pi, 0.0, -np.log(np.sin(np.maximum(y, 0.5 * np.pi))))


def log_supremum_cloglog(y: FloatArray) -> FloatArray:
    r"""Bound for :math:`h(z) = 1 - \exp(-e^z)`, y <= pi/2: 2, because :math:`|\exp(-e^z)| = \exp(-e^x \cos y) \le 1`.

    The function is entire, but grows without bound beyond pi/2, where :math:`\cos y` is negative.
    """
    return np.full_like(y, np.log(2.0))


def log_supremum_loglog(y: FloatArray) -> FloatArray:
    r"""Bound for :math:`h(z) = \exp(-e^{-z})`, y <= pi/2: 1, because :math:`|h| = \exp(-e^{-x} \cos y)`."""
    return np.zeros_like(y)


def log_supremum_cauchit(y: FloatArray) -> FloatArray:
    r"""Bound for :math:`h(z) = 1/2 + \arctan(z) / \pi`, y < 1: :math:`(1 + \operatorname{artanh}(y)^2 / \pi^2)^{1/2}`.

    In the strip the real part of the arctangent lies in (-pi/2, pi/2), so that of h lies in (0, 1). The imaginary part is
    :math:`\frac14 \log \frac{x^2 + (1 + y)^2}{x^2 + (1 - y)^2}`, largest at x = 0, where it is artanh(y), and growing in y.
    The branch points are at :math:`\pm i`.
    """
    return np.asarray(0.5 * np.log1p(np.square(np.arctanh(y) / np.pi)), dtype=np.float64)


def log_supremum_probit(y: FloatArray) -> FloatArray:
    r"""Bound for :math:`h = \Phi`, any y: :math:`1 + y e^{y^2/2} / \sqrt{2 \pi}`.

    :math:`\Phi(x + iy) = \Phi(x) + i \int_0^y \phi(x + it) dt` and :math:`|\phi(x + it)| = \phi(x) e^{t^2/2}`. (The population
    mean of the probit link has a closed form; the strip serves other averages, and the tests.)
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.logaddexp(0.0, np.log(y) + 0.5 * np.square(y) - 0.5 * np.log(2.0 * np.pi)), dtype=np.float64)


LOGIT_STRIP: Final = Strip(np.pi, log_supremum_logit)
CLOGLOG_STRIP: Final = Strip(0.5 * np.pi, log_supremum_cloglog)
LOGLOG_STRIP: Final = Strip(0.5 * np.pi, log_supremum_loglog)
CAUCHIT_STRIP: Final = Strip(1.0, log_supremum_cauchit)
PROBIT_STRIP: Final = Strip(np.inf, log_supremum_probit)
