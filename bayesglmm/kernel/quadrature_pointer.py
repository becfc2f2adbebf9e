"""The density by quadrature behind a function pointer; compiled when it is first asked for, and kept on disk."""

from functools import cache
from typing import Any

import numba as nb
from numba import carray

from bayesglmm.kernel.pointers import DENSITY, GO_ON, STOPPED, as_floats, as_longs, status
from bayesglmm.kernel.quadrature import log_density


def _evaluate(dim: Any, x: Any, grad: Any, value: Any, data: Any) -> int:
    """Evaluate the record's model for the sampler."""
    u = carray(data, (20,))
    if u[19] != GO_ON:
        return STOPPED
    s, r, p, q, e, k = u[0], u[1], u[2], u[3], u[4], u[5]
    gradient = carray(grad, (dim,))
    total = log_density(
        carray(x, (dim,)),
        gradient,
        carray(as_longs(u[6]), (4,)),
        carray(as_floats(u[7]), (3,)),
        carray(as_longs(u[8]), (s, 2)),
        carray(as_floats(u[9]), (s, 5)),
        carray(as_floats(u[10]), (p, p)),
        carray(as_floats(u[11]), (r, p)),
        carray(as_floats(u[12]), (r, q)),
        carray(as_floats(u[13]), (r,)),
        carray(as_longs(u[14]), (k + 1,)),
        carray(as_longs(u[15]), (e,)),
        carray(as_floats(u[16]), (e,)),
        carray(as_floats(u[17]), (e,)),
        carray(as_floats(u[18]), (k,)),
    )
    value[0] = total
    return status(total, gradient)


@cache
def quadrature_pointer() -> Any:
    """Return the compiled function."""
    return nb.cfunc(DENSITY, cache=True, error_model="numpy")(_evaluate)
