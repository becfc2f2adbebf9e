"""A model whose random intercepts are integrated out: when that pays, its arrays, and the way back to all its parameters."""

from dataclasses import dataclass, fields

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.kernel.derive import BlockDraws, Derived, on_users_scale
from bayesglmm.kernel.integrated import LOGIT, POISSON, REACH, draw_effects, log_density, widest_step
from bayesglmm.kernel.layout import Internal, internal_columns, map_of_priors, scalar_table
from bayesglmm.kernel.patterns import Patterns, find_patterns
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.types import FloatArray, IntArray

KINDS = {("Bernoulli", "logit"): LOGIT, ("Binomial", "logit"): LOGIT, ("Poisson", "log"): POISSON}
TOLERANCE = 1e-7
"""Bound on the error of the log likelihood, summed over all groups."""
WORTH = 10.0
"""Integration is chosen when its operations are at most this many times the rows of the design: an evaluation then costs no more than one
of the density with all effects, needs a quarter of the evaluations a draw, and each draw is worth several of the other's."""
CHEAP = 8.0
"""Multiply-adds of a pattern that cost as much as one inverse link."""
WIDER = 3.0
"""The cost is reckoned at this many times the sketched SD, which falls short on sparse binary data."""


@dataclass(frozen=True, slots=True)
class IntegratedArrays:
    """The arrays of :func:`bayesglmm.kernel.integrated.log_density`."""

    header: IntArray
    limits: FloatArray
    kinds: IntArray
    numbers: FloatArray
    prior_map: FloatArray
    X: FloatArray
    rows: FloatArray
    start: IntArray
    row_of: IntArray
    y: FloatArray
    count: FloatArray


@dataclass(frozen=True, slots=True)
class IntegratedProgram:
    """A compiled density of coefficients and one log SD, with its data.

    Attributes
    ----------
    arrays
        The data; kept here so that the addresses in ``record`` stay valid.
    internal
        Centering and basis of X.
    patterns
        The collapsed groups.
    record
        Sizes and addresses, uint64.
    """

    arrays: IntegratedArrays
    internal: Internal
    patterns: Patterns
    record: IntArray

    @property
    def size(self) -> int:
        """Length of the flat vector: coefficients and the log SD."""
        return len(self.arrays.kinds)

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""
        grad = np.empty(self.size)
        return log_density(
            np.ascontiguousarray(x, dtype=np.float64), grad, *[getattr(self.arrays, f.name) for f in fields(self.arrays)]
        ), grad

    @property
    def n_rows(self) -> int:
        """Number of distinct rows."""
        return len(self.arrays.X)

    @property
    def n_patterns(self) -> int:
        """Number of distinct groups."""
        return len(self.arrays.count)


def not_integrable(design: Design, family: Family, link: str) -> str | None:
    """Return what stands against integrating the random effects out, or None."""
    if len(design.groups) != 1:
        return f"the model has {len(design.groups)} group terms, integration takes one"
    group = design.groups[0]
    if group.Z.shape[1] != 1 or not np.all(np.asarray(group.Z) == 1.0):
        return f"({group.term.effects.text} | {group.name}) is more than a random intercept"
    if (family.pymc_name, link) not in KINDS:
        return f"the {family.name} family with the {link} link has no integrated form"
    return None


def make_integrated(design: Design, priors: ResolvedPriors, *, family: Family, link: str, center: bool) -> IntegratedProgram:
    """Collapse the data and take the addresses.

    Parameters
    ----------
    design, priors
        Arrays of n rows and resolved priors.
    family, link
        Response family and link; :func:`not_integrable` must be None.
    center
        Whether the intercept's prior refers to the centered design.
    """
    internal, group = internal_columns(design, priors, center=center), design.groups[0]
    one = np.ones(len(design.y))
    trials = one if design.trials is None else design.trials
    weight = one if design.weights is None else design.weights
    per_row = np.stack([design.offset, trials, weight], axis=1)
    patterns = find_patterns(np.concatenate([design.X, per_row], axis=1), design.y, group.index, len(group.levels))
    kind = KINDS[family.pymc_name, link]
    totals = np.bincount(group.index, weight * (trials if kind == LOGIT else design.y), minlength=len(group.levels))
    kinds, numbers = scalar_table(priors, internal)
    arrays = IntegratedArrays(
        header=np.array([kind], dtype=np.int64),
        limits=np.array([totals.max(), np.log(TOLERANCE / len(group.levels))]),
        kinds=kinds,
        numbers=numbers,
        prior_map=map_of_priors(internal, center=center),
        X=np.ascontiguousarray(internal.X[patterns.first]),
        rows=np.ascontiguousarray(per_row[patterns.first]),
        start=patterns.start,
        row_of=patterns.row_of,
        y=patterns.y,
        count=patterns.count,
    )
    sizes = (*arrays.X.shape, len(arrays.row_of), len(arrays.count))
    addresses = [getattr(arrays, f.name).ctypes.data for f in fields(arrays)]
    return IntegratedProgram(arrays, internal, patterns, np.array([*sizes, *addresses], dtype=np.uint64))


def pays(program: IntegratedProgram, n_rows: int, sd: float) -> bool:
    """Whether integrating costs less than it gains, by a count of operations; the same for the same data on every machine.

    Parameters
    ----------
    program
        The integrated form.
    n_rows
        Rows of the design, which the density with all effects goes through once.
    sd
        Rough SD of the random intercepts.
    """
    step = widest_step(program.arrays.header[0], program.arrays.limits[0], WIDER * sd, program.arrays.limits[1])
    nodes = 2.0 * REACH / step
    return bool(nodes * (program.n_rows + len(program.arrays.row_of) / CHEAP) <= WORTH * n_rows)


def derive_integrated(flat: FloatArray, program: IntegratedProgram, seed: int) -> Derived:
    """Turn draws of (coefficients, log SD) into parameters, the random intercepts drawn from their exact conditional distribution.

    Parameters
    ----------
    flat
        Shape (chain, draw, p + 1).
    program
        The integrated form.
    seed
        Seed of the random numbers behind the random intercepts, below 2^32.
    """
    arrays, chains, n_draws = program.arrays, *flat.shape[:2]
    theta = np.ascontiguousarray(flat.reshape(-1, flat.shape[-1]), dtype=np.float64).copy()
    theta[:, -1] = np.exp(theta[:, -1])
    b = np.empty((len(theta), len(program.patterns.pattern_of)))
    patterns = (arrays.start, arrays.row_of, arrays.y, program.patterns.pattern_of)
    draw_effects(theta, arrays.header, arrays.limits, arrays.X, arrays.rows, *patterns, seed, b)
    sd = theta[:, -1:].reshape(chains, n_draws, 1)
    block = BlockDraws(sd, np.ones((chains, n_draws, 1, 1)), b.reshape(chains, n_draws, -1, 1))
    beta = on_users_scale(theta[:, :-1].reshape(chains, n_draws, -1), program.internal)
    return Derived(beta, (block,), np.empty((chains, n_draws, 0)))
