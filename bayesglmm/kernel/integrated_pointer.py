"""The integrated density behind a function pointer; compiled when this module is first imported, and kept on disk."""

from typing import Any

import numba as nb
from numba import carray

from bayesglmm.kernel.integrated import log_density
from bayesglmm.kernel.program import DENSITY, as_floats, as_longs, status


@nb.cfunc(DENSITY, cache=True, error_model="numpy")
def integrated_pointer(dim: Any, x: Any, grad: Any, value: Any, data: Any) -> int:
    """Evaluate the record's model for the sampler."""
    u = carray(data, (15,))
    r, p, e, k = u[0], u[1], u[2], u[3]
    gradient = carray(grad, (dim,))
    total = log_density(
        carray(x, (dim,)),
        gradient,
        carray(as_longs(u[4]), (1,)),
        carray(as_floats(u[5]), (2,)),
        carray(as_longs(u[6]), (p + 1, 2)),
        carray(as_floats(u[7]), (p + 1, 5)),
        carray(as_floats(u[8]), (p, p)),
        carray(as_floats(u[9]), (r, p)),
        carray(as_floats(u[10]), (r, 3)),
        carray(as_longs(u[11]), (k + 1,)),
        carray(as_longs(u[12]), (e,)),
        carray(as_floats(u[13]), (e,)),
        carray(as_floats(u[14]), (k,)),
    )
    value[0] = total
    return status(total, gradient)
