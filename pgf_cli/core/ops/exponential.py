"""2^z - 1 for compiled CPU loops, written so that the compiler vectorises it.

2^z - 1 = 2^k (2^f - 1) + (2^k - 1), with k the nearest integer to z and |f| <= 1/2. The second term is exact and
2^f - 1 is f times a Taylor polynomial, so the result is good to rounding relative to itself however near to 0 z is.
The polynomial's remainder is (ln(2)/2)^d / (d + 1)! relative: 4e-9 for d = 7 (float32), 4e-18 for d = 14 (float64).
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable

LOG2_E = math.log2(math.e)

# `reassoc` would cancel the rounding trick below, so full fastmath is out; NaN must be looked for in the outputs.
FASTMATH = {"contract", "nnan", "ninf", "nsz"}

_TERMS = [math.log(2) ** power / math.factorial(power) for power in range(1, 16)]
_F32_1, _F32_2, _F32_3, _F32_4, _F32_5, _F32_6, _F32_7 = (np.float32(term) for term in _TERMS[:7])
_F64 = tuple(_TERMS[:14])

# Adding and subtracting 1.5 * 2^(mantissa bits) rounds to the nearest integer.
_ROUND32, _ROUND64 = np.float32(1.5 * 2**23), 1.5 * 2**52
# Below these 2^z is no longer a normal number, and 2^z - 1 is -1 to rounding.
_LOWEST32, _LOWEST64 = np.float32(-126.0), -1022.0
_ONE32 = np.float32(1.0)


def _bitcast(source: types.Type, target: types.Type) -> Any:
    @intrinsic
    def cast(typingctx, value):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), codegen

    return cast


_as_float32 = _bitcast(types.int32, types.float32)
_as_float64 = _bitcast(types.int64, types.float64)


@register_jitable(fastmath=FASTMATH)
def _exp2m1_float32(z):
    z = max(z, _LOWEST32)
    k = (z + _ROUND32) - _ROUND32
    f = z - k
    p = _F32_6 + f * _F32_7
    p = _F32_5 + f * p
    p = _F32_4 + f * p
    p = _F32_3 + f * p
    p = _F32_2 + f * p
    p = _F32_1 + f * p
    scale = _as_float32((np.int32(k) + np.int32(127)) << np.int32(23))
    return scale * (f * p) + (scale - _ONE32)


@register_jitable(fastmath=FASTMATH)
def _exp2m1_float64(z):
    z = max(z, _LOWEST64)
    k = (z + _ROUND64) - _ROUND64
    f = z - k
    p = _F64[13]
    for power in range(12, -1, -1):
        p = _F64[power] + f * p
    scale = _as_float64((np.int64(k) + np.int64(1023)) << np.int64(52))
    return scale * (f * p) + (scale - 1.0)


def exp2m1(z: float) -> float:
    """Return 2^z - 1 for z <= 0, in z's own precision; for use in compiled code."""
    return float(np.expm1(z * math.log(2)))


@overload(exp2m1, jit_options={"fastmath": FASTMATH})
def _exp2m1(z):
    if z == types.float32:
        return lambda z: _exp2m1_float32(z)
    if z == types.float64:
        return lambda z: _exp2m1_float64(z)
    return None
