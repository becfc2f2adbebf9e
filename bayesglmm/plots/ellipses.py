"""Ellipses of a bivariate normal distribution, as many standard deviations out as wanted."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from bayesglmm.errors import ArgumentError
from bayesglmm.plots.style import COLOURS
from bayesglmm.types import FloatArray

WORDS = "1 and 2 SDs of the effects' distribution"
"""In a legend."""
RADII = (1.0, 2.0)
"""Of the ellipses, in SDs of the random effects."""


def draw_spread(axes: Axes, center: Sequence[float] | FloatArray, spread: FloatArray | None) -> None:
    """Draw the ellipses of the random effects' distribution, which hold 39 and 86 % of it; nothing without a covariance.

    Parameters
    ----------
    axes
        The panel.
    center
        Shape (2,).
    spread
        Shape (2, 2): covariance of the two effects; None for no ellipses.

    Raises
    ------
    ArgumentError
        If it is no covariance matrix.
    """
    if spread is None:
        return
    lengths, directions = np.linalg.eigh(_checked(spread))
    angle = float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1])))
    for radius in RADII:
        width, height = 2.0 * radius * np.sqrt(np.maximum(lengths[::-1], 0.0))
        ellipse = Ellipse((float(center[0]), float(center[1])), float(width), float(height), angle=angle)
        ellipse.set(fill=False, edgecolor=COLOURS[2], linewidth=1.4, linestyle="--")
        axes.add_patch(ellipse)
    axes.plot([], [], "--", color=COLOURS[2], linewidth=1.4, label=WORDS)
    axes.autoscale_view()


def _checked(spread: FloatArray) -> FloatArray:
    """Return a symmetric 2 x 2 matrix without a negative variance, up to rounding."""
    matrix = np.asarray(spread, dtype=np.float64)
    good = matrix.shape == (2, 2) and bool(np.isfinite(matrix).all()) and np.allclose(matrix, matrix.T)
    if not good or np.linalg.eigvalsh(matrix)[0] < -1e-8 * abs(np.trace(matrix)):
        raise ArgumentError(
            "spread is no covariance matrix of two effects",
            where=f"shape {matrix.shape}",
            fix="give a symmetric 2 x 2 matrix, variances on its diagonal, of the two effects in their order",
        )
    return matrix
