"""A model whose effects are integrated out by the trapezoid rule: what stands against it, its arrays, the way back to all parameters."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.kernel.derive import BlockDraws, Derived, correlation_factors, on_users_scale, scalars
from bayesglmm.kernel.layout import Internal, internal_columns, map_of_priors, scalar_table
from bayesglmm.kernel.links import TAILS
from bayesglmm.kernel.patterns import Patterns, find_patterns
from bayesglmm.kernel.pointers import GO_ON
from bayesglmm.kernel.quadrature import log_density
from bayesglmm.kernel.quadrature_bounds import RATE
from bayesglmm.kernel.quadrature_cost import operations, shared_operations
from bayesglmm.kernel.quadrature_draws import draw_effects
from bayesglmm.kernel.quadrature_pointer import quadrature_pointer
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.types import FloatArray, IntArray

UNIT_FAMILIES = ("Bernoulli", "Binomial")
MOST_EFFECTS = 2
TOLERANCE = 1e-6
"""Bound on the error of the log likelihood, summed over all groups."""
PARTS = (1.0, 2.0, 3.0)
"""A group's share of it is the sum of the errors along each axis and of what is left out, all alike; by the number of effects."""
LEFT_OUT = (0.0, 0.0, 4.0)
"""How much further below the top than their part of the error nodes are left out, by the number of effects: up to r = 53,
(1 + r) e^-r is less than e^(4 - r); see :mod:`bayesglmm.kernel.quadrature_group`."""
STRETCH = 1 << 20
"""Effects that are drawn before they are put away."""
WIDER = 3.0
"""The cost is reckoned at this many times the sketched SDs, which fall short on sparse binary data."""


@dataclass(frozen=True, slots=True)
class QuadratureArrays:
    """The arrays of :func:`bayesglmm.kernel.quadrature.log_density`."""

    header: IntArray
    limits: FloatArray
    kinds: IntArray
    numbers: FloatArray
    prior_map: FloatArray
    X: FloatArray
    Z: FloatArray
    offset: FloatArray
    start: IntArray
    row_of: IntArray
    y: FloatArray
    size: FloatArray
    count: FloatArray


@dataclass(frozen=True, slots=True)
class QuadratureProgram:
    """A compiled density of coefficients, SDs and correlation, with its data.

    Attributes
    ----------
    arrays
        The data; kept here so that the addresses in ``record`` stay valid.
    internal
        Centering and basis of X.
    patterns
        The collapsed groups.
    widths
        Number of effects of each covariance block.
    record
        Sizes, addresses and ``GO_ON``, uint64.
    cost
        Multiply-adds of one gradient.
    """

    arrays: QuadratureArrays
    internal: Internal
    patterns: Patterns
    widths: tuple[int, ...]
    record: IntArray
    cost: float

    @property
    def kinds(self) -> IntArray:
        """Shape (s, 2): transform and prior of every scalar that is sampled."""
        return self.arrays.kinds

    @property
    def numbers(self) -> FloatArray:
        """Shape (s, 5): their bounds and the numbers of their priors."""
        return self.arrays.numbers

    @property
    def sampled(self) -> IntArray:
        """Positions of the internal coefficients that are sampled: all."""
        return np.arange(len(self.internal.means))

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the auxiliary parameters: none."""
        return ()

    @property
    def size(self) -> int:
        """Length of the flat vector: coefficients, log SDs, and the correlation's coordinate where there is one."""
        return len(self.arrays.kinds) + int(self.arrays.header[1])

    @property
    def n_rows(self) -> int:
        """Number of distinct rows."""
        return len(self.arrays.X)

    @property
    def n_patterns(self) -> int:
        """Number of distinct groups."""
        return len(self.arrays.count)

    @property
    def described(self) -> str:
        """What was integrated and how, as one clause."""
        effects = "one effect" if self.arrays.Z.shape[1] == 1 else "two effects"
        groups = f"{self.n_patterns} distinct groups over {self.n_rows} distinct rows"
        return f"{effects} per group integrated out by quadrature ({groups}, error below {TOLERANCE:g})"

    def pointer(self) -> Any:
        """Return the compiled function that the sampler calls; compiled at the first use, and kept on disk."""
        return quadrature_pointer()

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""
        grad = np.empty(self.size)
        arrays = [getattr(self.arrays, f.name) for f in fields(self.arrays)]
        return log_density(np.ascontiguousarray(x, dtype=np.float64), grad, *arrays), grad

    def derive(self, flat: FloatArray, seed: int, *, effects: type | None) -> Derived:
        """Turn draws into parameters on the user's scale, the effects drawn from their exact conditional distribution.

        Parameters
        ----------
        flat
            Shape (chain, draw, d).
        seed
            Seed of the random numbers behind the effects.
        effects
            ``np.float64``, ``np.float32``, or None to leave the random effects out.
        """
        theta, A, correlation = self._natural(flat)
        p = len(self.internal.means)
        drawn = None if effects is None else self._draw(theta, A, seed, np.dtype(effects))
        blocks, at = [], 0
        for width in self.widths:
            here = slice(at, at + width)
            own = None if drawn is None else drawn[..., here]
            blocks.append(BlockDraws(theta[..., p + at : p + at + width], correlation[..., here, here], own))
            at += width
        return Derived(on_users_scale(theta[..., :p], self.internal), tuple(blocks), np.empty((*flat.shape[:-1], 0)))

    def _natural(self, flat: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return scalars (..., s), factors A = diag(sd) L (..., q, q), and correlations (..., q, q)."""
        s, q = len(self.kinds), self.arrays.Z.shape[1]
        theta = scalars(flat[..., :s], self.kinds, self.numbers)
        L = np.broadcast_to(np.eye(q), (*flat.shape[:-1], q, q))
        if self.arrays.header[1] == 1:
            L = correlation_factors(flat[..., s:], q)
        correlation = L @ np.swapaxes(L, -1, -2)
        correlation[..., np.arange(q), np.arange(q)] = 1.0  # exactly, not to rounding
        return theta, theta[..., -q:, None] * L, correlation

    def _draw(self, theta: FloatArray, A: FloatArray, seed: int, dtype: np.dtype[Any]) -> FloatArray:
        """Draw the effects, shape (chain, draw, J, q); chains in threads of their own, each with its own stream."""
        a, p = self.arrays, len(self.internal.means)
        b = np.empty((*theta.shape[:2], len(self.patterns.pattern_of), A.shape[-1]), dtype=dtype)
        streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(theta))]
        data = (a.header, a.limits, a.X, a.Z, a.offset, a.start, a.row_of, a.y, a.size, *_members(self.patterns))
        one = partial(_draw_chain, np.ascontiguousarray(theta[..., :p]), np.ascontiguousarray(A), data, streams, b)
        with ThreadPoolExecutor() as pool:
            list(pool.map(one, range(len(theta))))
        return b


def _draw_chain(
    beta: FloatArray, A: FloatArray, data: tuple[Any, ...], streams: list[np.random.Generator], b: FloatArray, chain: int
) -> None:
    """Fill one chain's effects, a stretch of draws at a time: compiled code works in double precision whatever is kept."""
    draws, *shape = b.shape[1:]
    stretch = max(1, STRETCH // (shape[0] * shape[1]))
    for first in range(0, draws, stretch):
        part = slice(first, min(first + stretch, draws))
        scratch = np.empty((part.stop - part.start, *shape))
        draw_effects(beta[chain, part], A[chain, part], *data, streams[chain], scratch)
        b[chain, part] = scratch


def _members(patterns: Patterns) -> tuple[IntArray, IntArray]:
    """Return the groups pattern by pattern, and where each pattern's begin."""
    order = np.argsort(patterns.pattern_of, kind="stable")
    return order, np.cumsum(np.r_[0, patterns.count]).astype(np.int64)


def not_integrable(design: Design, family: Family, link: str) -> str | None:
    """Return what stands against integrating the effects out by quadrature, or None."""
    if not design.groups:
        return "the model has 0 group terms"
    names = sorted({group.name for group in design.groups})
    if len(names) > 1:
        return f"the model has {len(names)} grouping factors ({', '.join(names)}), quadrature takes one"
    width = sum(group.Z.shape[1] for group in design.groups)
    if width > MOST_EFFECTS:
        return f"{names[0]} has {width} effects per group, quadrature takes {MOST_EFFECTS}"
    if not (family.pymc_name in UNIT_FAMILIES and link in TAILS) and (family.pymc_name, link) != ("Poisson", "log"):
        return f"quadrature has no error bound for the {family.name} family with the {link} link"
    if link == "cauchit" and width > 1:
        return "its integrand is not log-concave, and quadrature takes one effect then"
    return None


def make_quadrature(
    design: Design, priors: ResolvedPriors, *, family: Family, link: str, center: bool, sd: FloatArray
) -> QuadratureProgram:
    """Collapse the data and take the addresses.

    Parameters
    ----------
    design, priors
        Arrays of n rows and resolved priors.
    family, link
        Response family and link; :func:`not_integrable` must be None.
    center
        Whether the intercept's prior refers to the centered design.
    sd
        Shape (q,): rough SDs of the effects, for the cost alone.
    """
    internal, n_groups = internal_columns(design, priors, center=center), len(design.groups[0].levels)
    Z = np.concatenate([np.asarray(g.Z, dtype=np.float64) for g in design.groups], axis=1)
    patterns = _collapse(design, Z)
    kind = TAILS[link][0] if link in TAILS else RATE
    correlated = any(g.term.covariance == "us" and len(g.labels) > 1 for g in design.groups)
    constant = bool(np.array_equal(Z[_first_of(design.groups[0].index, n_groups)][design.groups[0].index], Z))
    kinds, numbers = scalar_table(priors, internal)
    log_tolerance = np.log(TOLERANCE / n_groups / PARTS[Z.shape[1]])
    eta = next((prior.eta for prior in priors.cor if prior is not None), 1.0)
    y, size = (np.ascontiguousarray(column) for column in patterns.sums.T)
    limits = np.array([log_tolerance, LEFT_OUT[Z.shape[1]] - log_tolerance, eta])
    distinct, wider = np.ascontiguousarray(Z[patterns.first]), WIDER * np.asarray(sd, dtype=np.float64).reshape(-1)
    lists = (patterns.start, patterns.row_of)
    alone = operations(kind, wider, limits, distinct, *lists, y, size, int(kind == RATE and constant))
    shared = shared_operations(kind, wider[0], limits, distinct, *lists, size)
    arrays = QuadratureArrays(
        header=np.array([kind, correlated, constant, shared < alone], dtype=np.int64),
        limits=limits,
        kinds=kinds,
        numbers=numbers,
        prior_map=map_of_priors(internal, center=center),
        X=np.ascontiguousarray(internal.X[patterns.first]),
        Z=distinct,
        offset=np.ascontiguousarray(design.offset[patterns.first], dtype=np.float64),
        start=patterns.start,
        row_of=patterns.row_of,
        y=y,
        size=size,
        count=patterns.count,
    )
    cost = float(min(alone, shared) + 2.0 * arrays.X.size)
    widths = tuple(g.Z.shape[1] for g in design.groups)
    return QuadratureProgram(arrays, internal, patterns, widths, _record(arrays), cost)


def _record(arrays: QuadratureArrays) -> IntArray:
    """Return sizes and addresses."""
    sizes = (len(arrays.kinds), *arrays.X.shape, arrays.Z.shape[1], len(arrays.y), len(arrays.count))
    return np.array([*sizes, *[getattr(arrays, f.name).ctypes.data for f in fields(arrays)], GO_ON], dtype=np.uint64)


def _collapse(design: Design, Z: FloatArray) -> Patterns:
    """Collapse rows and groups; a group's equal rows are one, with their weighted successes and trials added up."""
    one = np.ones(len(design.y))
    weight = one if design.weights is None else design.weights
    trials = one if design.trials is None else design.trials
    sums = np.stack([weight * design.y, weight * trials], axis=1)
    rows = np.column_stack([design.X, Z, design.offset]).astype(np.float64)
    return find_patterns(rows, sums, design.groups[0].index, len(design.groups[0].levels))


def _first_of(index: IntArray, n_groups: int) -> IntArray:
    """Return a row of each group."""
    first = np.empty(n_groups, dtype=np.int64)
    first[index[::-1]] = np.arange(len(index) - 1, -1, -1)
    return first
