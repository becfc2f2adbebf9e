"""How functions are compiled, and what keeps that short: no wrappers that nobody calls, no copies in every caller."""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

type Decorator = Callable[[Callable[..., Any]], Any]

COMPILED: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
"""Without what only other compilers' code would call."""

INNER: dict[str, Any] = COMPILED | {"no_cpython_wrapper": True}
"""The same for functions that Python does not call either: the wrapper takes as long to compile as a small function."""


@intrinsic
def _stay_apart(typingctx: Any) -> Any:
    """Mark the function that is being compiled."""

    def generate(ctx: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.function.attributes.add("noinline")
        return ctx.get_dummy_value()

    return types.none(), generate


stay_apart: Any = _stay_apart
"""Called in a compiled function, it keeps that function from being copied into its callers."""
