"""From a design and its priors to the arrays of the compiled density, and from its flat draws back to named parameters.

Internally the columns of X are centered (when there is an intercept) and made orthogonal; what is reported is on the user's scale. A prior
on the user's coefficients is a prior on a linear map of the internal ones, up to a constant.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bayesglmm import naming
from bayesglmm.design.design import Design
from bayesglmm.design.groups import GroupDesign
from bayesglmm.families.base import Family
from bayesglmm.kernel import codes as d
from bayesglmm.kernel.cells import Cells, make_cells
from bayesglmm.kernel.codes import BINOMIAL, GAUSSIAN, GAUSSIAN_LOG, POISSON, Z_START
from bayesglmm.kernel.effects import SHARES
from bayesglmm.kernel.links import TAILS
from bayesglmm.kernel.priors import EXP, IDENTITY, INTERVAL, encode_prior
from bayesglmm.kernel.pulls import Pulls, no_pulls
from bayesglmm.spec.priors import Prior, ResolvedPriors, Uniform
from bayesglmm.types import FloatArray, IntArray, Parameterization

FAMILIES = {("Normal", "identity"): GAUSSIAN, ("Normal", "log"): GAUSSIAN_LOG, ("Poisson", "log"): POISSON}
UNIT_FAMILIES = ("Bernoulli", "Binomial")
EXACT = 1e-9
"""Largest relative residual of an effect column that counts as a combination of the columns of X."""


@dataclass(frozen=True, slots=True)
class Internal:
    """Internal columns: ``X = (design.X - means) basis``, so that the user's centered coefficients are ``basis theta``.

    Attributes
    ----------
    X
        Shape (n, p).
    means
        Shape (p,); zero for the intercept, and for all columns where a bounded prior fixes the coordinates.
    basis
        Shape (p, p); makes the columns orthogonal with mean square one. The identity where a bounded prior fixes the coordinates.
    intercept
        Position of the intercept, or -1.
    """

    X: FloatArray
    means: FloatArray
    basis: FloatArray
    intercept: int


@dataclass(frozen=True, slots=True)
class Centering:
    """How the effects of one block are sampled; see :mod:`bayesglmm.kernel.effects`.

    Attributes
    ----------
    share
        Shape (J, q): 0 is non-centered, 1 centered.
    unit
        Shape (q,): a rough SD of each effect, the constant s.
    """

    share: FloatArray
    unit: FloatArray


type Form = Parameterization | Centering


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each parameter is in the flat vector.

    Attributes
    ----------
    size
        Length of the flat vector.
    internal
        Centering and scaling of X.
    blocks
        Shape (t, 9), as :mod:`bayesglmm.kernel.density` reads it.
    kinds, numbers
        Transforms and priors of the scalars.
    shares
        Shape (sum of J q,): shares of centering, in steps.
    units
        Shape (sum of q,): the constants that go with them.
    n_cells
        Number of distinct rows.
    auxiliary
        Names of the auxiliary parameters that are sampled, in order; they follow the SDs.
    """

    size: int
    internal: Internal
    blocks: IntArray
    kinds: IntArray
    numbers: FloatArray
    shares: IntArray
    units: FloatArray
    n_cells: int
    auxiliary: tuple[str, ...]

    @property
    def n_parameters(self) -> int:
        """Length of the flat vector without the effects."""
        return self.size - len(self.shares)


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of one compiled density; see :func:`bayesglmm.kernel.density.log_density`."""

    header: IntArray
    kinds: IntArray
    numbers: FloatArray
    prior_map: FloatArray
    blocks: IntArray
    etas: FloatArray
    shear: FloatArray
    shares: np.ndarray
    units: FloatArray
    starts: IntArray
    sources: np.ndarray
    weights: FloatArray
    X: FloatArray
    response: FloatArray
    size: FloatArray
    offset: FloatArray
    totals: FloatArray
    index: np.ndarray
    Z: FloatArray


def unsupported(family: Family, link: str) -> str | None:
    """Return what the compiled density lacks for a family and link, or None."""
    if family.pymc_name in UNIT_FAMILIES and link in TAILS:
        return None
    return None if (family.pymc_name, link) in FAMILIES else f"the {family.name} family with the {link} link"


def make_arrays(
    design: Design,
    priors: ResolvedPriors,
    *,
    family: Family,
    link: str,
    center: bool,
    parameterization: Mapping[str, Form],
    pulls: Pulls | None = None,
) -> tuple[Arrays, Layout]:
    """Lay out one model.

    Parameters
    ----------
    design
        Arrays of n rows.
    priors
        Resolved priors.
    family, link
        Response family and link; they must be supported (:func:`unsupported`).
    center
        Whether the intercept's prior refers to the centered design.
    parameterization
        ``centered``, ``noncentered`` or a :class:`Centering` for each covariance block.
    pulls
        Effects that give way to others, see :mod:`bayesglmm.kernel.pulls`; None for none.
    """
    internal = internal_columns(design, priors, center=center)
    kinds, numbers = scalar_table(priors, internal)
    blocks, size = _blocks(design.groups, len(internal.means), len(kinds))
    sigma = len(kinds) - 1 if priors.aux else d.NONE
    code = BINOMIAL if family.pymc_name in UNIT_FAMILIES else FAMILIES[family.pymc_name, link]
    cells = make_cells(design, normal=code in (GAUSSIAN, GAUSSIAN_LOG))
    link_code = TAILS[link][0] if link in TAILS else 0
    shares, units = _centering(design.groups, parameterization)
    pulls = pulls or no_pulls(len(shares))
    index, Z = _effect_columns(design.groups, blocks, cells)
    arrays = Arrays(
        header=np.array([code, link_code, len(internal.means), sigma, internal.intercept, cells.sorted_by], dtype=np.int64),
        kinds=kinds,
        numbers=numbers,
        prior_map=map_of_priors(internal, center=center),
        blocks=blocks,
        etas=np.array([0.0 if prior is None else prior.eta for prior in priors.cor], dtype=np.float64),
        shear=_shear(design.groups, internal, kinds),
        shares=shares,
        units=units,
        starts=pulls.start,
        sources=pulls.source,
        weights=pulls.weight,
        X=np.ascontiguousarray(internal.X[cells.first].T),
        response=cells.response,
        size=cells.size,
        offset=cells.offset,
        totals=cells.totals,
        index=index,
        Z=Z,
    )
    auxiliary = tuple(name for name, _ in priors.aux)
    return arrays, Layout(size, internal, blocks, kinds, numbers, shares, units, len(cells.first), auxiliary)


def internal_columns(design: Design, priors: ResolvedPriors, *, center: bool) -> Internal:
    """Center and orthogonalize; coefficients with bounded priors keep their own coordinates."""
    X = np.asarray(design.X, dtype=np.float64)
    n, p = X.shape
    intercept = design.labels.index(naming.INTERCEPT) if naming.INTERCEPT in design.labels else d.NONE
    bounded = any(isinstance(prior, Uniform) for prior in (priors.intercept, *priors.b))
    slopes = np.arange(p) != intercept
    uncentered = intercept == d.NONE or (isinstance(priors.intercept, Uniform) and not center)
    means = np.zeros(p) if uncentered else X.mean(axis=0) * slopes
    basis = np.eye(p)
    if not bounded and slopes.any():
        R = np.linalg.qr((X - means)[:, slopes] / np.sqrt(n), mode="r")
        R *= np.sign(np.diag(R))[:, None]  # the factor with a positive diagonal does not depend on the order of the rows
        basis[np.ix_(slopes, slopes)] = np.linalg.inv(R)
    return Internal(np.ascontiguousarray((X - means) @ basis), means, basis, intercept)


def map_of_priors(internal: Internal, *, center: bool) -> FloatArray:
    """Return the map from internal coefficients to those that the priors are on: the user's, the intercept at the means or at zero."""
    prior_map = internal.basis.copy()
    if internal.intercept != d.NONE and not center:
        prior_map[internal.intercept] -= internal.means @ internal.basis
    return prior_map


def scalar_table(priors: ResolvedPriors, internal: Internal) -> tuple[IntArray, FloatArray]:
    """Transform and prior of every scalar: coefficients, SDs block by block, auxiliary parameters."""
    slopes = iter(priors.b)
    coefficients = [priors.intercept if k == internal.intercept else next(slopes) for k in range(len(internal.means))]
    positive = [p for group in priors.sd for p in group] + [p for _, p in priors.aux]
    rows = [_scalar(p, IDENTITY) for p in coefficients if p is not None] + [_scalar(p, EXP) for p in positive]
    kinds = np.array([kind for kind, _ in rows], dtype=np.int64).reshape(-1, 2)
    return kinds, np.array([values for _, values in rows], dtype=np.float64).reshape(-1, 5)


def _scalar(prior: Prior, otherwise: int) -> tuple[tuple[int, int], tuple[float, ...]]:
    code, numbers = encode_prior(prior)
    if isinstance(prior, Uniform):
        return (INTERVAL, code), (prior.lower, prior.upper, *numbers)
    return (otherwise, code), (0.0, 0.0, *numbers)


def _blocks(groups: tuple[GroupDesign, ...], n_coefficients: int, n_scalars: int) -> tuple[IntArray, int]:
    """Return the table of blocks and the length of the flat vector."""
    table = np.full((len(groups), 9), d.NONE, dtype=np.int64)
    table[:, d.ORDER] = np.argsort([len(g.levels) for g in groups], kind="stable")
    sd, correlation, scratch, z, column = n_coefficients, n_scalars, 0, 0, 0
    for t, group in enumerate(groups):
        q = len(group.labels)
        table[t, [d.SD_START, d.WIDTH, d.LEVELS, d.SCRATCH, d.COLUMN]] = sd, q, len(group.levels), scratch, column
        if group.term.covariance == "us" and q > 1:
            table[t, d.COR_START] = correlation
            correlation += q * (q - 1) // 2
        if q > 1 or not np.all(np.asarray(group.Z) == 1.0):
            table[t, Z_START] = z
            z += q
        sd, column, scratch = sd + q, column + q, scratch + q * len(group.levels)
    table[:, d.EFFECT_START] = table[:, d.SCRATCH] + correlation
    return table, correlation + scratch


def _centering(groups: tuple[GroupDesign, ...], parameterization: Mapping[str, Form]) -> tuple[np.ndarray, FloatArray]:
    """Return shares of centering in steps, the first row of each block non-centered, and the constants that go with them."""
    shares, units = [np.empty(0, dtype=np.int32)], [np.empty(0)]
    for group in groups:
        form, (J, q) = parameterization[naming.block(group.name, group.position)], (len(group.levels), len(group.labels))
        if not isinstance(form, Centering):
            form = Centering(np.full((J, q), float(form == "centered")), np.ones(q))
        steps = np.rint(SHARES * form.share).astype(np.int32)
        steps[0] = 0
        shares.append(steps.reshape(-1))
        units.append(form.unit)
    return np.concatenate(shares), np.concatenate(units)


def _effect_columns(groups: tuple[GroupDesign, ...], blocks: IntArray, cells: Cells) -> tuple[np.ndarray, FloatArray]:
    """Return the level of each cell in each block, and the effect columns of the blocks that are not plain intercepts."""
    n = len(cells.first)
    levels = [group.index[cells.first].astype(np.uint32) for group in groups]
    wide = [np.asarray(g.Z)[cells.first].T for g, b in zip(groups, blocks, strict=True) if b[Z_START] != d.NONE]
    index = np.stack(levels) if levels else np.empty((0, n), dtype=np.uint32)
    return np.ascontiguousarray(index), np.ascontiguousarray(np.concatenate(wide)) if wide else np.empty((0, n))


def _shear(groups: tuple[GroupDesign, ...], internal: Internal, kinds: IntArray) -> FloatArray:
    """Return each effect column as an exact combination of internal columns; zero where it is none or would touch a bounded coefficient."""
    p = internal.X.shape[1]
    columns = [np.asarray(g.Z)[:, k] for g in groups for k in range(len(g.labels))]
    if not columns or p == 0:
        return np.zeros((len(columns), p))
    Z = np.column_stack(columns)
    found = np.linalg.lstsq(internal.X, Z, rcond=None)[0].T
    residual = np.sqrt(np.mean((Z - internal.X @ found.T) ** 2, axis=0))
    exact = residual <= EXACT * np.sqrt(np.mean(Z**2, axis=0))
    bounded = kinds[:p, d.TRANSFORM] == INTERVAL
    touched = np.any(np.abs(found[:, bounded]) > EXACT, axis=1)
    return np.ascontiguousarray(np.where((exact & ~touched)[:, None], found, 0.0))
