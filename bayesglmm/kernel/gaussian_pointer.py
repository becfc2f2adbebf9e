"""The integrated Gaussian density behind a function pointer; compiled when it is first asked for, and kept on disk."""

from functools import cache
from typing import Any

import numba as nb
from numba import carray

from bayesglmm.kernel.gaussian import log_density
from bayesglmm.kernel.pointers import DENSITY, GO_ON, STOPPED, as_floats, as_longs, status


def _evaluate(dim: Any, x: Any, grad: Any, value: Any, data: Any) -> int:
    """Evaluate the record's model for the sampler."""
    u = carray(data, (29,))
    if u[28] != GO_ON:
        return STOPPED
    s, r, b, levels, nodes, crossed, up, gram, rows, size, prior = u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10]
    gradient = carray(grad, (dim,))
    total = log_density(
        carray(x, (dim,)),
        gradient,
        carray(as_longs(u[11]), (6,)),
        carray(as_floats(u[12]), (2,)),
        carray(as_longs(u[13]), (s, 2)),
        carray(as_floats(u[14]), (s, 5)),
        carray(as_floats(u[15]), (r, r)),
        carray(as_longs(u[16]), (b, 7)),
        carray(as_floats(u[17]), (b,)),
        carray(as_floats(u[18]), (r,)),
        carray(as_longs(u[19]), (levels, 6)),
        carray(as_longs(u[20]), (nodes, 6)),
        carray(as_longs(u[21]), (crossed, 5)),
        carray(as_longs(u[22]), (up,)),
        carray(as_floats(u[23]), (gram,)),
        carray(as_floats(u[24]), (rows, r)),
        carray(as_floats(u[25]), (size, size)),
        carray(as_floats(u[26]), (r, r)),
        carray(as_floats(u[27]), (prior, prior)),
    )
    value[0] = total
    return status(total, gradient)


@cache
def gaussian_pointer() -> Any:
    """Return the compiled function."""
    return nb.cfunc(DENSITY, cache=True, error_model="numpy")(_evaluate)
