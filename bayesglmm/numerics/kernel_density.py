r"""Density of draws along a line, also on a half-line or an interval: a normal kernel that is reflected at the bounds.

.. math:: \hat f(x) = S^{-1} \sum_s \left[K_w(x - x_s) + K_w(x - 2a + x_s) + K_w(x - 2c + x_s)\right], \qquad a \le x \le c

What a kernel would put beyond a bound a or c comes back, so that the estimate integrates to one over the support and is not pulled down at
its ends, where the posterior of a standard deviation or a correlation may well have its mode.

References
----------
Silverman, B. W. (1986). *Density Estimation for Statistics and Data Analysis*, section 2.10 for reflection, equation (3.31) for the width.

Wand, M. P. (1994). Fast computation of multivariate kernel estimators. *Journal of Computational and Graphical Statistics* 3, 433-445
(linear binning).
"""

from dataclasses import dataclass

import numpy as np

from bayesglmm.errors import ArgumentError
from bayesglmm.types import FloatArray

STEPS_PER_WIDTH = 8
"""Binning at this step widens the kernel's variance by 1 / (6 * 8^2), a quarter of a percent."""
MOST_POINTS = 2**15
"""Tails beyond so many steps around the median are left out; draws with lighter tails than Cauchy's do not reach as far."""

_NORMAL_QUARTILES = 1.349  # distance between the quartiles of a standard normal
_REACH = 8  # widths after which the kernel is zero in double precision, for all that matters
_BEYOND = 4  # widths that the estimate goes on beyond the outermost draws
_ROUNDING = 1e-9  # of the range of the draws: how far beyond a bound rounding may have put one


@dataclass(frozen=True, slots=True)
class DensityEstimate:
    """A density at equally spaced points.

    Attributes
    ----------
    point
        Shape (n,), ascending; within the bounds.
    density
        Shape (n,).
    width
        Standard deviation of the kernel.
    """

    point: FloatArray
    density: FloatArray
    width: float

    def at(self, x: FloatArray) -> FloatArray:
        """Density at other points, by linear interpolation; zero beyond the outermost."""
        return np.interp(x, self.point, self.density, left=0.0, right=0.0)


def varies(draws: FloatArray) -> bool:
    """Whether draws have a density: not when half of them or more are one number."""
    lower, upper = np.quantile(draws, [0.25, 0.75])
    return bool(lower < upper)


def kernel_density(draws: FloatArray, *, lower: float = -np.inf, upper: float = np.inf) -> DensityEstimate:
    """Density of draws whose quantity cannot lie beyond the bounds.

    Parameters
    ----------
    draws
        Shape (S,), finite.
    lower, upper
        Ends of the support.

    Returns
    -------
    DensityEstimate
        Integrates to one over its points by the trapezoid rule, but for tails that ``MOST_POINTS`` leaves out. A draw beyond a bound by
        rounding counts as one on it.

    Raises
    ------
    ArgumentError
        If draws are not finite, do not vary, or lie beyond the bounds.

    Notes
    -----
    Draws are shared out to the two nearest points, which are then smoothed: the work does not grow with draws x points.
    """
    x = _checked(draws, lower, upper)
    width = _width(x)
    point = _points(x, width, lower, upper)
    step = float(point[1] - point[0])
    margin = int(np.ceil(_REACH * width / step))
    reach = 2 * _REACH * width
    near = [x, 2.0 * lower - x[x < lower + reach], 2.0 * upper - x[x > upper - reach]]
    counts = _shared_out(np.concatenate(near), float(point[0]) - margin * step, step, len(point) + 2 * margin)
    offsets = np.arange(-margin, margin + 1) * step / width
    kernel = np.exp(-0.5 * np.square(offsets)) / (width * np.sqrt(2.0 * np.pi))
    return DensityEstimate(point, np.convolve(counts, kernel, mode="valid") / len(x), width)


def overlap(point: FloatArray, first: FloatArray, second: FloatArray) -> float:
    r"""Area under both of two densities, :math:`\int \min(f, g)`, by the trapezoid rule.

    Parameters
    ----------
    point
        Shape (n,), ascending; one of the densities is nearly zero beyond them.
    first, second
        Densities at the points, shape (n,); one of the two may be infinite where the other is not.

    Returns
    -------
    float
        In [0, 1]: one for equal densities.

    References
    ----------
    Weitzman, M. S. (1970). *Measures of Overlap of Income Distributions of White and Negro Families in the United States*. U.S. Bureau of
    the Census, Technical Paper 22.
    """
    return float(np.clip(np.trapezoid(np.minimum(first, second), point), 0.0, 1.0))


def _checked(draws: FloatArray, lower: float, upper: float) -> FloatArray:
    """Draws that have a density, on or between the bounds."""
    x = np.asarray(draws, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise ArgumentError("a density needs at least two draws, all of them finite", where=f"draws of shape {x.shape}")
    if not varies(x):
        raise ArgumentError("the draws do not vary, so they have no density")
    slack = _ROUNDING * float(np.ptp(x))
    if x.min() < lower - slack or x.max() > upper + slack:
        raise ArgumentError(f"draws lie beyond the bounds {lower:g} and {upper:g}", where=f"{x.min():g} to {x.max():g}")
    return np.clip(x, lower, upper)


def _width(x: FloatArray) -> float:
    """Silverman's rule, with the smaller of two measures of spread."""
    lower, upper = np.quantile(x, [0.25, 0.75])
    return float(0.9 * min(float(x.std()), float(upper - lower) / _NORMAL_QUARTILES) * len(x) ** -0.2)


def _points(x: FloatArray, width: float, lower: float, upper: float) -> FloatArray:
    """Equally spaced points over the draws and somewhat beyond, bounds included where they are near."""
    center, half = float(np.median(x)), 0.5 * MOST_POINTS * width / STEPS_PER_WIDTH
    start = max(float(x.min()) - _BEYOND * width, lower, center - half)
    stop = min(float(x.max()) + _BEYOND * width, upper, center + half)
    return np.linspace(start, stop, int(np.ceil((stop - start) * STEPS_PER_WIDTH / width)) + 1)


def _shared_out(x: FloatArray, start: float, step: float, n: int) -> FloatArray:
    """Count draws at n points, a draw between two of them shared by nearness; those beyond the points are left out."""
    place = (x - start) / step
    place = place[(place >= 0.0) & (place < n - 1)]
    left = place.astype(np.int64)
    share = place - left
    return np.bincount(left, 1.0 - share, minlength=n) + np.bincount(left + 1, share, minlength=n)
