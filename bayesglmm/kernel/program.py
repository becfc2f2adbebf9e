"""A model's arrays behind one function pointer: what the sampler evaluates, with no Python in the loop.

The record holds addresses. Whoever holds a :class:`Program` holds the arrays too; a dropped array would be read after it is freed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.kernel.codes import BINOMIAL, FAMILY, GAUSSIAN, GAUSSIAN_LOG, LEVELS, POISSON
from bayesglmm.kernel.layout import Arrays, Form, Layout, make_arrays
from bayesglmm.kernel.natural import to_natural
from bayesglmm.kernel.pointers import GO_ON, evaluate
from bayesglmm.kernel.program_pointer import density_pointer
from bayesglmm.kernel.pulls import Pulls
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.types import FloatArray, IntArray

LINK_COST = {GAUSSIAN: 5, GAUSSIAN_LOG: 25, POISSON: 25, BINOMIAL: 50}
"""Multiply-adds of a row's family: one exponential, or an exponential and a logarithm."""
EFFECT_COST = 10


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled density with its data.

    Attributes
    ----------
    arrays
        The data; kept here so that the addresses in ``record`` stay valid.
    layout
        Where each parameter is in the flat vector.
    record
        Sizes, addresses and ``GO_ON``, uint64.
    options
        What :func:`make_program` was given beside design and priors.
    """

    arrays: Arrays
    layout: Layout
    record: IntArray
    options: Mapping[str, Any]

    def with_data(self, design: Design, priors: ResolvedPriors) -> "Program":
        """Return the same model with other data; nothing is compiled.

        Parameters
        ----------
        design, priors
            Of the same formula and the same numbers of levels, such as another response or other covariates for the same groups.

        Raises
        ------
        ValueError
            If the numbers of levels differ: shares of centering belong to groups.
        """
        if [len(g.levels) for g in design.groups] != [int(levels) for levels in self.layout.blocks[:, LEVELS]]:
            raise ValueError("the data have other numbers of levels: make a new program")
        return make_program(design, priors, **self.options)

    def pointer(self) -> Any:
        """Return the compiled function that the sampler calls; compiled at the first use, and kept on disk."""
        return density_pointer()

    @property
    def cost(self) -> float:
        """Multiply-adds of one gradient; an exponential counts 20."""
        cells, p = len(self.arrays.response), len(self.arrays.X)
        links = LINK_COST[int(self.arrays.header[FAMILY])]
        return float(cells * (2 * p + 2 * len(self.arrays.units) + links) + EFFECT_COST * len(self.arrays.shares))

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""
        return evaluate(self.pointer(), self.record, x, self.layout.size)

    def natural(self, x: FloatArray) -> FloatArray:
        """Return the parameters at points x, shape (..., d): on the user's scale, effects instead of their coordinates.

        The order is that of x: coefficients, SDs, auxiliary parameters, correlations as they are in x, effects.
        """
        points = np.array(x, dtype=np.float64).reshape(-1, self.layout.size)
        to_natural(points, self.arrays, self.layout)
        return points.reshape(x.shape)


def make_program(
    design: Design,
    priors: ResolvedPriors,
    *,
    family: Family,
    link: str,
    center: bool,
    parameterization: Mapping[str, Form],
    pulls: Pulls | None = None,
) -> Program:
    """Lay a model out and take the addresses; nothing is compiled for it that is not compiled for all.

    Parameters
    ----------
    design, priors, family, link, center, parameterization, pulls
        As for :func:`bayesglmm.kernel.layout.make_arrays`.
    """
    arrays, layout = make_arrays(design, priors, family=family, link=link, center=center, parameterization=parameterization, pulls=pulls)
    widths = (len(arrays.kinds), len(arrays.blocks), *arrays.shear.shape, len(arrays.response), len(arrays.Z), len(arrays.shares))
    lengths = (len(arrays.size), len(arrays.offset), len(arrays.weights))
    sizes = np.array([*widths, *lengths], dtype=np.uint64)
    addresses = np.array([*[getattr(arrays, f.name).ctypes.data for f in fields(arrays)], GO_ON], dtype=np.uint64)
    options = {"family": family, "link": link, "center": center, "parameterization": parameterization, "pulls": pulls}
    return Program(arrays, layout, np.concatenate([sizes, addresses]), options)
