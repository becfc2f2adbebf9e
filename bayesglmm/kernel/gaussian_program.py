"""Gaussian models with all effects integrated out: what can be, the arrays, and the way back to all parameters."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.kernel import gaussian as g
from bayesglmm.kernel import gaussian_tree as t
from bayesglmm.kernel.codes import COR_START, FIRST, LEVELS, NONE, SD_START, SECOND, WIDTH
from bayesglmm.kernel.derive import BlockDraws, Derived, correlations, on_users_scale
from bayesglmm.kernel.gaussian_draws import Place, draw_chains
from bayesglmm.kernel.gaussian_pointer import gaussian_pointer
from bayesglmm.kernel.layout import Internal, internal_columns, map_of_priors, scalar_table
from bayesglmm.kernel.pointers import GO_ON, evaluate
from bayesglmm.spec.priors import Normal, ResolvedPriors
from bayesglmm.types import FloatArray, IntArray

WIDEST_ROOT = 256
"""Crossed effects and integrated coefficients together; a gradient costs the cube of their number."""
FUNCTION = 20.0
"""Multiply-adds that an exponential or logarithm costs."""
NODE = 50.0
"""Multiply-adds that a node costs besides its own: short loops, square roots, divisions."""


@dataclass(frozen=True, slots=True)
class GaussianArrays:
    """The arrays of :func:`bayesglmm.kernel.gaussian.log_density`, in its order."""

    header: IntArray
    constants: FloatArray
    kinds: IntArray
    numbers: FloatArray
    prior_map: FloatArray
    blocks: IntArray
    etas: FloatArray
    shift: FloatArray
    levels: IntArray
    nodes: IntArray
    crossed: IntArray
    up: IntArray
    gram: FloatArray
    cross: FloatArray
    root: FloatArray
    sampled: FloatArray
    prior: FloatArray

    @property
    def values(self) -> tuple[Any, ...]:
        """All of them."""
        return tuple(getattr(self, f.name) for f in fields(self))


@dataclass(frozen=True, slots=True)
class GaussianProgram:
    """A compiled density of SDs, sigma, correlations and the coefficients whose priors are not normal, with its data.

    Attributes
    ----------
    arrays
        The data; kept here so that the addresses in ``record`` stay valid.
    internal
        Centering and basis of X.
    sampled
        Positions of the internal coefficients that are sampled; the others are integrated out too.
    fit
        Shape (p,): internal coefficients of the fit that is off the response.
    places
        Where each block's effects are among all.
    auxiliary
        Names of the auxiliary parameters, in order.
    described
        What was integrated and how, as one clause.
    record
        Sizes, addresses and ``GO_ON``, uint64.
    """

    arrays: GaussianArrays
    internal: Internal
    sampled: IntArray
    fit: FloatArray
    places: tuple[Place, ...]
    auxiliary: tuple[str, ...]
    described: str
    record: IntArray

    @property
    def kinds(self) -> IntArray:
        """Shape (s, 2): transform and prior of every scalar that is sampled."""
        return self.arrays.kinds

    @property
    def numbers(self) -> FloatArray:
        """Shape (s, 5): their bounds and the numbers of their priors."""
        return self.arrays.numbers

    @property
    def size(self) -> int:
        """Length of the flat vector."""
        q = self.arrays.blocks[self.arrays.blocks[:, COR_START] != NONE, WIDTH]
        return len(self.arrays.kinds) + int((q * (q - 1) // 2).sum())

    @property
    def cost(self) -> float:
        """Multiply-adds of one gradient; an exponential counts 20."""
        a = self.arrays
        level, m = a.nodes[:, t.LEVEL], a.nodes[:, t.REST].astype(np.float64)
        q, r, root = a.levels[level, t.WIDTH].astype(np.float64), float(len(a.shift)), float(len(a.root))
        width = q + m
        nodes = NODE + q * width * (q + 3.0 + 2.0 * r) + 1.5 * q * m * m + q * q * m + (level > 0) * 3.0 * width * width
        crossed = 4.0 * root * float((a.crossed[:, t.CROSSED_LEVELS] * a.crossed[:, t.CROSSED_WIDTH] ** 2).sum())
        return float(nodes.sum() + 0.5 * root**3 + crossed + (4.0 + r) * root * root + FUNCTION * (self.size + root + 2.0))

    def pointer(self) -> Any:
        """Return the compiled function that the sampler calls; compiled at the first use, and kept on disk."""
        return gaussian_pointer()

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""
        return evaluate(self.pointer(), self.record, x, self.size)

    def derive(self, flat: FloatArray, seed: int, *, effects: type | None) -> Derived:
        """Turn draws into parameters on the user's scale; effects and integrated coefficients are drawn from their exact conditional.

        Parameters
        ----------
        flat
            Shape (chain, draw, d).
        seed
            Seed of the random numbers behind what is drawn.
        effects
            ``np.float64``, ``np.float32``, or None to leave the random effects out.
        """
        shape, r = flat.shape[:2], len(self.sampled)
        points = np.ascontiguousarray(flat, dtype=np.float64)
        kept = None if effects is None else [np.empty((*shape, p.n_levels, p.q), dtype=effects) for p in self.places]
        theta, drawn = draw_chains(points, seed, self.arrays.values, self.places, kept)
        coefficients = np.empty((*shape, len(self.fit)))
        others = np.delete(np.arange(len(self.fit)), self.sampled)
        coefficients[..., self.sampled], coefficients[..., others] = theta[..., :r], self.fit[others] + drawn
        table = self.arrays.blocks
        blocks = tuple(_block(points, theta, row, None if kept is None else kept[b]) for b, row in enumerate(table))
        n_sd = sum(p.q for p in self.places)
        return Derived(on_users_scale(coefficients, self.internal), blocks, theta[..., r + n_sd :])


def _block(flat: FloatArray, theta: FloatArray, block: IntArray, effects: FloatArray | None) -> BlockDraws:
    q, at = int(block[WIDTH]), block[COR_START]
    correlation = np.broadcast_to(np.eye(q), (*flat.shape[:-1], q, q))
    if at != NONE:
        correlation = correlations(flat[..., at : at + q * (q - 1) // 2], q)
    return BlockDraws(theta[..., block[SD_START] : block[SD_START] + q], correlation, effects)


def not_integrable(design: Design, family: Family, link: str) -> str | None:
    """Return what stands against integrating the effects out in closed form, or None."""
    if (family.pymc_name, link) != ("Normal", "identity"):
        return f"the {family.name} family with the {link} link has no closed form"
    crossed = _crossed_width(t.find_factors(design.groups))
    if crossed > WIDEST_ROOT:
        return f"{crossed} crossed effects are too many to integrate out, the limit is {WIDEST_ROOT}"
    return None


def _crossed_width(factors: list[t.Factor]) -> int:
    return sum(factors[i].n_levels * factors[i].Z.shape[1] for i in t.split_factors(factors)[1])


def make_gaussian(design: Design, priors: ResolvedPriors, *, family: Family, link: str, center: bool) -> GaussianProgram:
    """Sum the cross-products and take the addresses.

    Parameters
    ----------
    design, priors
        Arrays of n rows and resolved priors.
    family, link
        Response family and link; :func:`not_integrable` must be None.
    center
        Whether the intercept's prior refers to the centered design.

    Raises
    ------
    ValueError
        If the effects cannot be integrated out.
    """
    against = not_integrable(design, family, link)
    if against is not None:
        raise ValueError(against)
    internal, factors = internal_columns(design, priors, center=center), t.find_factors(design.groups)
    prior_map, (kinds, numbers) = map_of_priors(internal, center=center), scalar_table(priors, internal)
    p = len(internal.means)
    integrated = integrated_coefficients(priors, internal, prior_map, WIDEST_ROOT - _crossed_width(factors))
    sampled = np.delete(np.arange(p), integrated)
    fit, columns = _columns(design, internal, integrated, sampled)
    tree = t.make_tree(factors, columns)
    kept = np.concatenate([sampled, np.arange(p, len(kinds))])
    blocks, places = _blocks(design, factors, tree, len(sampled), len(kept))
    has_sigma = len(priors.aux) > 0
    weight = 0.0 if not has_sigma else float(columns.weight.sum())
    arrays = GaussianArrays(
        header=_header(tree, blocks, factors, len(kept) - 1 if has_sigma else NONE),
        constants=np.array([weight, sum(f.n_levels * f.Z.shape[1] for f in factors) + len(integrated)], dtype=np.float64),
        kinds=np.ascontiguousarray(kinds[kept]),
        numbers=np.ascontiguousarray(numbers[kept]),
        prior_map=np.ascontiguousarray(prior_map[np.ix_(sampled, sampled)]),
        blocks=blocks,
        etas=np.array([0.0 if prior is None else prior.eta for prior in priors.cor], dtype=np.float64),
        shift=fit[sampled],
        **{f.name: getattr(tree, f.name) for f in fields(tree)},
        prior=_normal_prior(prior_map[np.ix_(integrated, integrated)], numbers[integrated], fit[integrated]),
    )
    described = _describe(factors, len(integrated), p)
    return GaussianProgram(arrays, internal, sampled, fit, places, tuple(n for n, _ in priors.aux), described, _record(arrays))


def integrated_coefficients(priors: ResolvedPriors, internal: Internal, prior_map: FloatArray, room: int) -> IntArray:
    """Return positions of the coefficients to integrate out: all with normal priors, if every slope has one and no other prior sees them.

    Parameters
    ----------
    priors, internal, prior_map
        Priors, and the coordinates that they are on.
    room
        How many columns the root can still take.
    """
    p, nothing = len(internal.means), np.zeros(0, dtype=np.int64)
    slopes = [k for k in range(p) if k != internal.intercept]
    if not all(isinstance(prior, Normal) for prior in priors.b):
        return nothing
    chosen = sorted([*slopes, *([internal.intercept] if isinstance(priors.intercept, Normal) else [])])
    found = np.array(chosen, dtype=np.int64)
    others = np.delete(np.arange(p), found)
    mixed = np.any(prior_map[np.ix_(others, found)] != 0.0) or np.any(prior_map[np.ix_(found, others)] != 0.0)
    return nothing if mixed or len(found) > room else found


def _columns(design: Design, internal: Internal, integrated: IntArray, sampled: IntArray) -> tuple[FloatArray, t.Columns]:
    """Take the least-squares fit of the fixed effects off the response, so that sums of squares lose no digits to its mean."""
    weight = np.ones(len(design.y)) if design.weights is None else np.asarray(design.weights, dtype=np.float64)
    if design.se is not None:
        weight = weight / design.se**2
    y = np.asarray(design.y - design.offset, dtype=np.float64)
    fit = np.linalg.lstsq(internal.X, y, rcond=None)[0]
    return fit, t.Columns(weight, y - internal.X @ fit, internal.X[:, integrated], internal.X[:, sampled])


def _normal_prior(prior_map: FloatArray, numbers: FloatArray, fit: FloatArray) -> FloatArray:
    """Prior of the coefficients less the fit's as a quadratic form of (-1, coefficients), shape (1 + s, 1 + s)."""
    scaled = np.column_stack([numbers[:, FIRST] - prior_map @ fit, prior_map]) / numbers[:, SECOND, None]
    return np.ascontiguousarray(scaled.T @ scaled)


def _blocks(
    design: Design, factors: list[t.Factor], tree: t.Tree, first_sd: int, first_correlation: int
) -> tuple[IntArray, tuple[Place, ...]]:
    """Return the table of blocks and where their effects are."""
    table, starts = np.full((len(design.groups), 7), NONE, dtype=np.int64), np.cumsum([0, *(f.n_levels * f.Z.shape[1] for f in factors)])
    matrices = np.cumsum([0, *(f.Z.shape[1] ** 2 for f in factors)])
    places: list[Place] = []
    used = [0] * len(factors)
    for b, group in enumerate(design.groups):
        q, f = len(group.labels), next(i for i, factor in enumerate(factors) if b in factor.terms)
        width, J = factors[f].Z.shape[1], factors[f].n_levels
        table[b, [SD_START, WIDTH, LEVELS, g.FACTOR, g.FIRST_ROW, g.FACTOR_WIDTH]] = first_sd, q, J, matrices[f], used[f], width
        if group.term.covariance == "us" and q > 1:
            table[b, COR_START] = first_correlation
            first_correlation += q * (q - 1) // 2
        places.append(Place(int(starts[f]), J, width, used[f], q))
        first_sd, used[f] = first_sd + q, used[f] + q
    return table, tuple(places)


def _header(tree: t.Tree, blocks: IntArray, factors: list[t.Factor], sigma: int) -> IntArray:
    q = tree.levels[tree.nodes[:, t.LEVEL], t.WIDTH]
    scratch = int((q * (q + tree.nodes[:, t.REST])).max(initial=0))
    header = np.zeros(6, dtype=np.int64)
    header[g.SIGMA], header[g.SCRATCH], header[g.WIDEST] = sigma, scratch, max([1, *blocks[:, WIDTH]])
    header[g.CROSSED] = (tree.crossed[:, t.CROSSED_LEVELS] * tree.crossed[:, t.CROSSED_WIDTH]).sum()
    header[g.MATRICES] = sum(f.Z.shape[1] ** 2 for f in factors)
    header[g.FRONTS] = tree.levels[-1, t.FRONT] + len(tree.root) ** 2
    return header


def _describe(factors: list[t.Factor], n_integrated: int, p: int) -> str:
    parts = [f"the effects of {' and '.join(f.name for f in factors)}"] if factors else []
    if n_integrated:
        parts.append(f"{n_integrated} of {p} coefficients")
    return f"{' and '.join(parts) or 'nothing'} integrated out in closed form"


def _record(arrays: GaussianArrays) -> IntArray:
    """Sizes and addresses as :mod:`bayesglmm.kernel.gaussian_pointer` reads them."""
    of = (arrays.kinds, arrays.shift, arrays.blocks, arrays.levels, arrays.nodes, arrays.crossed, arrays.up, arrays.gram, arrays.cross)
    sizes = [len(array) for array in (*of, arrays.root, arrays.prior)]
    return np.array([*sizes, *(array.ctypes.data for array in arrays.values), GO_ON], dtype=np.uint64)
