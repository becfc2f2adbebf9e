"""Reference integrals for population means, independent of the rule that is tested."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import integrate, special

from bayesglmm.numerics.links import Link


class Reference(NamedTuple):
    """A number and a bound on its error, as estimated by the adaptive routine, plus rounding of its parts."""

    value: float
    error: float


def mean_over_effects(link: Link, m: float, s: float) -> Reference:
    """Integrate h(m + s e) phi(e) over e in (-13, 13), with break points around the step of h at e = -m / s."""
    step = -m / s + np.array([-30.0, -10.0, -3.0, -1.0, 0.0, 1.0, 3.0, 10.0, 30.0]) / s
    breaks = np.concatenate([[-13.0, -6.0, -2.0, 0.0, 2.0, 6.0, 13.0], step[np.abs(step) < 13.0]])
    return _pieces(lambda e: float(link.inverse(np.asarray(m + s * e))) * np.exp(-0.5 * e * e) / np.sqrt(2.0 * np.pi), breaks, 1e-15)


def mean_over_thresholds(link: Link, m: float, s: float) -> Reference:
    """Integrate P(h(eta) > u) = Phi((m - g(u)) / s) over u in (0, 1): the same mean, another integrand.

    The upper half runs over 1 - u, so that the link is evaluated without cancellation at both ends.
    """
    reached = m + s * np.array([-6.0, -3.0, -1.5, 0.0, 1.5, 3.0, 6.0])
    fixed = np.array([0.0, 1e-12, 1e-6, 1e-3, 0.1, 0.5])
    lower = np.concatenate([fixed, np.minimum(link.inverse(reached), 0.5)])
    upper = np.concatenate([fixed, np.minimum(link.complement(reached), 0.5)])
    below = _pieces(lambda u: float(special.ndtr((m - link.link_of_tails(np.asarray(u), np.asarray(1.0 - u))) / s)), lower, 1e-13)
    above = _pieces(lambda w: float(special.ndtr((m - link.link_of_tails(np.asarray(1.0 - w), np.asarray(w))) / s)), upper, 1e-13)
    return Reference(below.value + above.value, below.error + above.error)


def _pieces(function: Callable[[float], float], breaks: np.ndarray, asked: float) -> Reference:
    """Integrate between neighbouring break points, each piece to the error asked for (quad returns what it reached)."""
    parts = [integrate.quad(function, a, b, epsabs=asked, epsrel=1e-12, limit=400) for a, b in pairwise(np.unique(breaks)) if b - a > 1e-15]
    return Reference(sum(value for value, _ in parts), sum(error for _, error in parts) + 1e-15 * len(parts))
