"""The density with all effects behind a function pointer; compiled when it is first asked for, and kept on disk."""

from functools import cache
from typing import Any

import numba as nb
from numba import carray

from bayesglmm.kernel.density import log_density
from bayesglmm.kernel.pointers import DENSITY, GO_ON, STOPPED, as_floats, as_ints, as_levels, as_longs, status


def _evaluate(dim: Any, x: Any, grad: Any, value: Any, data: Any) -> int:
    """Evaluate the record's model for the sampler."""
    u = carray(data, (30,))
    if u[29] != GO_ON:
        return STOPPED
    s, t, columns, p, n, wide, effects, sizes, offsets, pulls = u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9]
    gradient = carray(grad, (dim,))
    total = log_density(
        carray(x, (dim,)),
        gradient,
        carray(as_longs(u[10]), (6,)),
        carray(as_longs(u[11]), (s, 2)),
        carray(as_floats(u[12]), (s, 5)),
        carray(as_floats(u[13]), (p, p)),
        carray(as_longs(u[14]), (t, 9)),
        carray(as_floats(u[15]), (t,)),
        carray(as_floats(u[16]), (columns, p)),
        carray(as_ints(u[17]), (effects,)),
        carray(as_floats(u[18]), (columns,)),
        carray(as_longs(u[19]), (effects + 1,)),
        carray(as_ints(u[20]), (pulls,)),
        carray(as_floats(u[21]), (pulls,)),
        carray(as_floats(u[22]), (p, n)),
        carray(as_floats(u[23]), (n,)),
        carray(as_floats(u[24]), (sizes,)),
        carray(as_floats(u[25]), (offsets,)),
        carray(as_floats(u[26]), (2,)),
        carray(as_levels(u[27]), (t, n)),
        carray(as_floats(u[28]), (wide, n)),
    )
    value[0] = total
    return status(total, gradient)


@cache
def density_pointer() -> Any:
    """Return the compiled function."""
    return nb.cfunc(DENSITY, cache=True, error_model="numpy")(_evaluate)
