r"""The law of one standard normal effect given some responses, for many problems at once, by a rule that sees both peak and tails.

For one problem the predictor of n rows is :math:`\eta = \eta_0 + A e` with :math:`e \sim N(0, 1)`, and
:math:`p(e \mid y) \propto \prod_i p(y_i \mid \eta_i)\,e^{-e^2 / 2}`. Problems S come first, rows n last.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from bayesglmm.numerics.conditional import RowDensity, laplace
from bayesglmm.types import FloatArray

_PLACES, _POINTS = 17, 5
NODES = (2 * _PLACES - 1) * _POINTS
"""Nodes of the rule."""
_REACH = 8.0
"""The rule goes as far as this many prior standard deviations beyond the modes."""


@dataclass(frozen=True, slots=True, eq=False)
class LineLaw:
    """A discrete law.

    Attributes
    ----------
    nodes
        Shape (Q, S): values of the effect, increasing.
    log_mass
        Shape (Q, S): logarithms of their probabilities, which sum to one over Q.
    """

    nodes: FloatArray
    log_mass: FloatArray


def line_law(density: RowDensity, full_density: RowDensity, eta0: FloatArray, A: FloatArray) -> LineLaw:
    r"""Gauss-Legendre rule on panels that are narrow around two peaks and wide far from them.

    One peak is that of the law, the other that of the law given further responses, which are to be averaged over it: both have to be seen
    by one rule. Around a mode :math:`\hat e` of width :math:`\kappa` panels end at :math:`\hat e + \kappa \sinh s`, s equally spaced. They
    reach eight prior standard deviations beyond the modes, however narrow a peak is: under a steep likelihood the law is a normal tail that
    begins at a corner, much wider than the curvature there says.

    Parameters
    ----------
    density
        Log densities of the rows at predictors (..., S, n), zero for rows that do not count.
    full_density
        The same with the further responses.
    eta0, A
        Shape (S, n).

    Returns
    -------
    LineLaw
        With ``NODES`` nodes.
    """
    peaks = [laplace(given, eta0, A[..., None]) for given in (density, full_density)]
    modes = np.stack([peak.location[:, 0] for peak in peaks])
    widths = np.stack([1.0 / np.sqrt(peak.precision[:, 0, 0]) for peak in peaks])
    nodes, log_weights = _panel_rule(modes, widths)
    log_density = np.stack([np.sum(density(eta0 + A * e[:, None]), axis=-1) for e in nodes]) - 0.5 * np.square(nodes)
    log_mass = np.nan_to_num(log_density, nan=-np.inf, neginf=-np.inf) + log_weights
    return LineLaw(nodes, log_mass - special.logsumexp(log_mass, axis=0))


def _panel_rule(modes: FloatArray, widths: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and logarithms of their weights, (NODES, S), for modes and widths (2, S) of the peaks."""
    reach = _REACH + np.max(np.abs(modes), axis=0)
    s = np.linspace(0.0, 1.0, _PLACES)[:, None, None]
    low, high = np.arcsinh((-reach - modes) / widths), np.arcsinh((reach - modes) / widths)
    edges = np.sort((modes + widths * np.sinh(low + s * (high - low))).reshape(-1, modes.shape[1]), axis=0)
    places, weights = np.polynomial.legendre.leggauss(_POINTS)
    half = 0.5 * np.diff(edges, axis=0)[:, None]
    nodes = edges[:-1, None] + half * (1.0 + places[:, None])
    with np.errstate(divide="ignore"):  # panels that two equal edges make weigh nothing
        log_weights = np.log(half * weights[:, None])
    return nodes.reshape(NODES, -1), log_weights.reshape(NODES, -1)
