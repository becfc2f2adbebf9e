"""A model's arrays behind one function pointer: what the sampler evaluates, with no Python in the loop.

The record holds addresses. Whoever holds a :class:`Program` holds the arrays too; a dropped array would be read after it is freed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numba as nb
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from bayesglmm.design.design import Design
from bayesglmm.families.base import Family
from bayesglmm.kernel.density import log_density
from bayesglmm.kernel.layout import Arrays, Layout, make_arrays
from bayesglmm.spec.priors import ResolvedPriors
from bayesglmm.types import FloatArray, IntArray, Parameterization

OK, BAD_GRADIENT, BAD_VALUE = 0, 3, 4
N_SIZES = 7

POINTER = types.CPointer(types.double)
DENSITY = types.int64(types.uint64, POINTER, POINTER, POINTER, types.CPointer(types.uint64))
EXPAND = types.int64(types.uint64, types.uint64, POINTER, POINTER, types.CPointer(types.uint64))


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
        Sizes and addresses, uint64.
    """

    arrays: Arrays
    layout: Layout
    record: IntArray

    def __call__(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Return the log density (up to one constant) and its gradient at x, shape (d,)."""
        grad = np.empty(self.layout.size)
        arrays = [getattr(self.arrays, f.name) for f in fields(self.arrays)]
        return log_density(np.ascontiguousarray(x, dtype=np.float64), grad, *arrays), grad


def make_program(
    design: Design, priors: ResolvedPriors, *, family: Family, link: str, center: bool, parameterization: Mapping[str, Parameterization]
) -> Program:
    """Lay a model out and take the addresses; nothing is compiled for it that is not compiled for all.

    Parameters
    ----------
    design, priors, family, link, center, parameterization
        As for :func:`bayesglmm.kernel.layout.make_arrays`.
    """
    arrays, layout = make_arrays(design, priors, family=family, link=link, center=center, parameterization=parameterization)
    sizes = (len(arrays.kinds), len(arrays.blocks), *arrays.shear.shape, len(arrays.data), arrays.Z.shape[1], layout.size)
    addresses = [getattr(arrays, f.name).ctypes.data for f in fields(arrays)]
    return Program(arrays, layout, np.array([*sizes, *addresses], dtype=np.uint64))


@intrinsic
def as_floats(typingctx: Any, address: Any) -> Any:
    """Address to pointer to float64."""
    pointer = types.CPointer(types.float64)
    return pointer(address), lambda ctx, builder, sig, args: builder.inttoptr(args[0], ctx.get_value_type(pointer))


@intrinsic
def as_longs(typingctx: Any, address: Any) -> Any:
    """Address to pointer to int64."""
    pointer = types.CPointer(types.int64)
    return pointer(address), lambda ctx, builder, sig, args: builder.inttoptr(args[0], ctx.get_value_type(pointer))


@intrinsic
def as_ints(typingctx: Any, address: Any) -> Any:
    """Address to pointer to int32."""
    pointer = types.CPointer(types.int32)
    return pointer(address), lambda ctx, builder, sig, args: builder.inttoptr(args[0], ctx.get_value_type(pointer))


@nb.njit(cache=True, nogil=True, error_model="numpy")
def status(total: Any, gradient: Any) -> int:
    """Return what the sampler is told about one evaluation: 0 fine, 3 gradient not finite, 4 value not finite."""
    if not np.isfinite(total):
        return BAD_VALUE
    for slope in gradient:
        if not np.isfinite(slope):
            return BAD_GRADIENT
    return OK


@nb.cfunc(DENSITY, cache=True, error_model="numpy")
def density_pointer(dim: Any, x: Any, grad: Any, value: Any, data: Any) -> int:
    """Evaluate the record's model for the sampler."""
    u = carray(data, (18,))
    s, t, columns, p, n, wide = u[0], u[1], u[2], u[3], u[4], u[5]
    gradient = carray(grad, (dim,))
    total = log_density(
        carray(x, (dim,)),
        gradient,
        carray(as_longs(u[7]), (4,)),
        carray(as_longs(u[8]), (s, 2)),
        carray(as_floats(u[9]), (s, 5)),
        carray(as_floats(u[10]), (p, p)),
        carray(as_longs(u[11]), (t, 9)),
        carray(as_floats(u[12]), (t,)),
        carray(as_floats(u[13]), (columns, p)),
        carray(as_floats(u[14]), (n, p)),
        carray(as_floats(u[15]), (n, 5)),
        carray(as_ints(u[16]), (n, t)),
        carray(as_floats(u[17]), (n, wide)),
    )
    value[0] = total
    return status(total, gradient)


@nb.cfunc(EXPAND, cache=True)
def copy_out(dim: Any, expanded: Any, x: Any, out: Any, data: Any) -> int:
    """Copy the flat vector; everything else is derived from whole draws afterwards."""
    for i in range(dim):
        out[i] = x[i]
    return OK
