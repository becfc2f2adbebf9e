"""What every compiled density shares with the sampler: signatures, addresses as arrays, and what counts as finite.

A record holds sizes and addresses, and last a number that is ``GO_ON`` until a run is to stop. Whoever holds a record holds the arrays too;
a dropped array would be read after it is freed.
"""

import ctypes
from typing import Any

import numba as nb
import numpy as np
from numba import types
from numba.extending import intrinsic

from bayesglmm.types import FloatArray, IntArray

OK, BAD_GRADIENT, BAD_VALUE = 0, 3, 4
STOPPED = -1
"""What a density returns once its run is to stop: unlike the others, nothing that a sampler tries again."""
GO_ON = 0

POINTER = types.CPointer(types.double)
DENSITY = types.int64(types.uint64, POINTER, POINTER, POINTER, types.CPointer(types.uint64))
EXPAND = types.int64(types.uint64, types.uint64, POINTER, POINTER, types.CPointer(types.uint64))


def evaluate(density: Any, record: IntArray, x: FloatArray, size: int) -> tuple[float, FloatArray]:
    """Call a compiled density from Python: its value and gradient at x, as the sampler gets them.

    Parameters
    ----------
    density
        The compiled function.
    record
        Sizes and addresses of its data.
    x
        Shape (d,).
    size
        d.

    Raises
    ------
    ValueError
        If x is no point of the sampler's space.
    """
    point, grad, value = np.ascontiguousarray(x, dtype=np.float64), np.zeros(size), np.empty(1)
    if point.shape != grad.shape:
        raise ValueError(f"a point has shape {grad.shape}, not {point.shape}")
    floats = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (point, grad, value)]
    density.ctypes(size, *floats, record.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64)))
    return float(value[0]), grad


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


@intrinsic
def as_levels(typingctx: Any, address: Any) -> Any:
    """Address to pointer to uint32."""
    pointer = types.CPointer(types.uint32)
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


@nb.cfunc(EXPAND, cache=True)
def copy_out(dim: Any, expanded: Any, x: Any, out: Any, data: Any) -> int:
    """Copy the flat vector; everything else is derived from whole draws afterwards."""
    for i in range(expanded):
        out[i] = x[i]
    return OK
