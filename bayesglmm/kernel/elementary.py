"""Exponential and logarithm without branches, so that loops over nodes are compiled to vector instructions.

Both reduce to a narrow range by the bits of the float (Tang 1989, *ACM Transactions on Mathematical Software* 15, 144-157) and sum a power
series there; errors are about one unit in the last place.
"""

import math
from typing import Any

import numba as nb
from numba import types
from numba.extending import intrinsic

from bayesglmm.kernel.compiling import COMPILED, Decorator

# products may be fused with sums; the order of sums stays, which the rounding below needs
fused: Decorator = nb.njit(**COMPILED, fastmath={"contract"})

LEAST, MOST = -708.0, 709.0
"""Arguments of the exponential are clamped to this range: e^-708 is the last one above the subnormal numbers."""

ROUNDER = 1.5 * 2.0**52
"""A float this large has no fraction: adding it rounds to a whole number, which is then in its last bits."""

LOG2E = 1.0 / math.log(2.0)
LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
MANTISSA_BITS = 52


@intrinsic
def bits_of(typingctx: Any, value: Any) -> Any:
    """Return the bits of a float as an integer."""
    return types.int64(types.float64), lambda ctx, builder, sig, args: builder.bitcast(args[0], ctx.get_value_type(types.int64))


@intrinsic
def float_of(typingctx: Any, bits: Any) -> Any:
    """Return the float with these bits."""
    return types.float64(types.int64), lambda ctx, builder, sig, args: builder.bitcast(args[0], ctx.get_value_type(types.float64))


@fused
def fast_exp(x: float) -> float:
    """Return e^x, x clamped to (-708, 709): 2^n times the series of e^r, |r| <= log(2) / 2, to the power 13 (next term 4e-18)."""
    x = min(max(x, LEAST), MOST)
    shifted = x * LOG2E + ROUNDER
    n = shifted - ROUNDER
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    s = 1.0 / 479001600.0 + r * (1.0 / 6227020800.0)
    s = 1.0 / 39916800.0 + r * s
    s = 1.0 / 3628800.0 + r * s
    s = 1.0 / 362880.0 + r * s
    s = 1.0 / 40320.0 + r * s
    s = 1.0 / 5040.0 + r * s
    s = 1.0 / 720.0 + r * s
    s = 1.0 / 120.0 + r * s
    s = 1.0 / 24.0 + r * s
    s = 1.0 / 6.0 + r * s
    s = 0.5 + r * s
    s = 1.0 + r * s
    s = 1.0 + r * s
    return float_of(bits_of(s) + (bits_of(shifted) << MANTISSA_BITS))  # type: ignore[call-arg]


@fused
def fast_log(x: float) -> float:
    """Return log(x) of a normal positive number: its exponent, and 2 atanh((m - 1) / (m + 1)) to the power 21, m in (0.7, 1.42)."""
    bits = bits_of(x) - ROOT_HALF_BITS  # type: ignore[call-arg]
    exponent = bits >> MANTISSA_BITS
    m = float_of(bits - (exponent << MANTISSA_BITS) + ROOT_HALF_BITS)
    # a whole number to a float by its bits, as in the exponential
    n = float_of(exponent + bits_of(ROUNDER)) - ROUNDER
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    t = 1.0 / 19.0 + z * (1.0 / 21.0)
    t = 1.0 / 17.0 + z * t
    t = 1.0 / 15.0 + z * t
    t = 1.0 / 13.0 + z * t
    t = 1.0 / 11.0 + z * t
    t = 1.0 / 9.0 + z * t
    t = 1.0 / 7.0 + z * t
    t = 0.2 + z * t
    t = 1.0 / 3.0 + z * t
    return n * LN2_HIGH + (2.0 * s + (2.0 * s * z * t + n * LN2_LOW))
