r"""Working correlations of generalized estimating equations: solving with them, and estimating them from residuals.

For standardized residuals r with mean square one: exchangeable :math:`\rho = \overline{r_s r_t}` over all pairs of all groups;
autoregressive, the rho that minimizes :math:`\sum (r_s r_t - \rho^{|t_s - t_t|})^2` over all pairs.

References
----------
Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. *Biometrika* 73, 13-22. Halekoh, U.,
Hojsgaard, S. and Yan, J. (2006). The R package geepack for generalized estimating equations. *Journal of Statistical Software* 15(2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from scipy import optimize

from bayesglmm.types import FloatArray, IntArray

_GRID = 2001


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Rows sorted by group, and within a group by time.

    Attributes
    ----------
    code
        Shape (n,): the group of each row, from 0.
    time
        Shape (n,): whole numbers that rise within a group.
    start
        Shape (J + 1,): where each group begins, and n.
    """

    code: IntArray
    time: IntArray
    start: IntArray

    @property
    def sizes(self) -> IntArray:
        """Rows of each group, (J,)."""
        return np.diff(self.start)

    @property
    def largest(self) -> int:
        """Rows of the largest group."""
        return int(self.sizes.max())


@dataclass(frozen=True, slots=True)
class Form:
    """One working structure.

    Attributes
    ----------
    solve
        :math:`R^{-1} x` for one group, from x (k, c), rho and the gaps (k - 1,) between its times.
    estimate
        rho from residuals (n,) with mean square one.
    least
        rho must be above it, and below 1, for R to be a correlation matrix of every group.
    """

    solve: Callable[[FloatArray, float, IntArray], FloatArray]
    estimate: Callable[[FloatArray, Clusters], float]
    least: Callable[[Clusters], float]


def solve_exchangeable(x: FloatArray, rho: float, gaps: IntArray) -> FloatArray:
    """Solve with ones on the diagonal and rho elsewhere."""
    total = x.sum(axis=0) * (rho / (1.0 + len(gaps) * rho))
    return np.asarray((x - total) / (1.0 - rho))


def solve_ar1(x: FloatArray, rho: float, gaps: IntArray) -> FloatArray:
    """Solve with powers of rho: each row less what the row before tells of it, over the variance that leaves."""
    phi = (rho**gaps)[:, None]
    innovation = (x[1:] - phi * x[:-1]) / (1.0 - phi**2)
    solved = np.concatenate([x[:1], innovation])
    solved[:-1] -= phi * innovation
    return solved


def estimate_exchangeable(residuals: FloatArray, clusters: Clusters) -> float:
    """Mean product over pairs, from sums within groups."""
    sums = np.bincount(clusters.code, weights=residuals)
    n_pairs = np.sum(clusters.sizes * (clusters.sizes - 1))
    return float((np.sum(sums**2) - np.sum(residuals**2)) / n_pairs)


def estimate_ar1(residuals: FloatArray, clusters: Clusters) -> float:
    """Least squares of products on powers of rho; only sums over the pairs of one lag are needed."""
    lag, count, total = _sums_by_lag(residuals, clusters)
    # where all lags are even the sign is not known, and where no neighbours are seen it hardly is
    grid = np.linspace(-1.0 if lag[0] == 1 else 0.0, 1.0, _GRID)
    powers = grid[:, None] ** lag
    best = int(np.argmin(powers**2 @ count - 2.0 * powers @ total))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)])

    def slope(rho: float) -> float:
        return float(np.sum(lag * rho ** (lag - 1.0) * (count * rho**lag - total)))

    inside = slope(low) < 0.0 < slope(high)
    return float(optimize.brentq(slope, low, high, xtol=1e-13)) if inside else float(grid[best])


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "independence": Form(lambda x, rho, gaps: x, lambda residuals, clusters: 0.0, lambda clusters: -1.0),
        "exchangeable": Form(solve_exchangeable, estimate_exchangeable, lambda clusters: -1.0 / max(clusters.largest - 1, 1)),
        "ar1": Form(solve_ar1, estimate_ar1, lambda clusters: -1.0),
    }
)
"""Every structure by name."""


def _sums_by_lag(residuals: FloatArray, clusters: Clusters) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distinct lags, numbers of pairs and sums of products; rows are compared with a shifted copy, so memory grows with the rows only."""
    parts: dict[int, tuple[float, float]] = {}
    for step in range(1, clusters.largest):
        same = clusters.code[step:] == clusters.code[:-step]
        products = (residuals[step:] * residuals[:-step])[same]
        lags, which = np.unique((clusters.time[step:] - clusters.time[:-step])[same], return_inverse=True)
        counts, totals = np.bincount(which), np.bincount(which, weights=products)
        for lag, count, total in zip(lags.tolist(), counts.tolist(), totals.tolist(), strict=True):
            before = parts.get(lag, (0.0, 0.0))
            parts[lag] = (before[0] + count, before[1] + total)
    lag = np.array(sorted(parts), dtype=np.float64)
    count, total = np.array([parts[int(k)] for k in lag]).T
    return lag, count, total
