"""2^z - 1, and e^z with phi1(z) = (e^z - 1) / z, for compiled CPU loops, written so that the compiler vectorises them.

2^z - 1 = 2^k (2^f - 1) + (2^k - 1), with k the nearest integer to z and |f| <= 1/2. The second term is exact and
2^f - 1 is f times a Taylor polynomial, so the result is good to rounding relative to itself however near to 0 z is.
The polynomial's remainder is (ln(2)/2)^d / (d + 1)! relative: 4e-9 for d = 7 (float32), 4e-18 for d = 14 (float64).

phi1 needs no series: the quotient is good to rounding for every z but 0, which is moved to a number so small that
phi1 is 1. Its derivative (e^z - phi1(z)) / z cancels near 0, so above -1 it is sum_k (k + 1) z^k / (k + 2)!; the
remainder after the terms kept is 8e-10 relative (float32) and 2e-19 (float64).
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload, register_jitable

LOG2_E = math.log2(math.e)

# `reassoc` would cancel the rounding trick below, so full fastmath is out; NaN must be looked for in the outputs.
FASTMATH = {"contract", "nnan", "ninf", "nsz"}

# What a loop needs to be vectorised around these: no call left in it, and no test for a division by zero.
INLINE: Any = {"fastmath": FASTMATH, "forceinline": True, "error_model": "numpy"}

# Adding and subtracting 1.5 * 2^(mantissa bits) rounds to the nearest integer.
_ROUND32, _ROUND64 = np.float32(1.5 * 2**23), 1.5 * 2**52
# Below these 2^z is no longer a normal number, and 2^z - 1 is -1 to rounding.
_LOWEST32, _LOWEST64 = np.float32(-126.0), -1022.0
# The nearest to 0 that phi1 is computed at: its products with log2(e) and with other factors stay normal numbers.
_NEAREST32, _NEAREST64 = np.float32(-1e-30), -1e-300
_ONE32, _LOG2_E32 = np.float32(1.0), np.float32(LOG2_E)
# ln 2 in two parts, the first so short that its products with k are exact.
_LN2_HIGH32, _LN2_LOW32 = np.float32(0.693359375), np.float32(-2.1219444005469057e-4)
_LN2_HIGH64, _LN2_LOW64 = 0.6931471824645996, -1.904654299957768e-9
# Below these e^x is no longer a normal number.
_LOWEST_EXP32, _LOWEST_EXP64 = np.float32(-87.0), -708.0


def _bitcast(source: types.Type, target: types.Type) -> Any:
    @intrinsic
    def cast(typingctx, value):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), codegen

    return cast


def polynomial(kind: types.Type, terms: list[float]) -> Any:
    """Horner's rule written out: the compiler would not unroll so long a loop, and so not vectorise around it."""

    @intrinsic
    def polynomial(typingctx, z):
        def codegen(context, builder, signature, args):
            *rest, value = (context.get_constant(kind, term) for term in terms)
            for term in reversed(rest):
                value = builder.fadd(term, builder.fmul(args[0], value, ("contract",)), ("contract",))
            return value

        return kind(kind), codegen

    return polynomial


_as_float32 = _bitcast(types.int32, types.float32)
_as_float64 = _bitcast(types.int64, types.float64)

_EXP_TERMS = [1 / math.factorial(power) for power in range(1, 15)]
_exp_float32 = polynomial(types.float32, _EXP_TERMS[:7])
_exp_float64 = polynomial(types.float64, _EXP_TERMS)

_EXP2_TERMS = [math.log(2) ** power / math.factorial(power) for power in range(1, 15)]
_exp2_float32 = polynomial(types.float32, _EXP2_TERMS[:7])
_exp2_float64 = polynomial(types.float64, _EXP2_TERMS)

_SLOPE_TERMS = [(power + 1) / math.factorial(power + 2) for power in range(20)]
_slope_float32 = polynomial(types.float32, _SLOPE_TERMS[:12])
_slope_float64 = polynomial(types.float64, _SLOPE_TERMS)


@register_jitable(**INLINE)
def _split_float32(z):
    """2^z as the sum of a power of two and a rest that is good relative to itself."""
    z = max(z, _LOWEST32)
    k = (z + _ROUND32) - _ROUND32
    f = z - k
    scale = _as_float32((np.int32(k) + np.int32(127)) << np.int32(23))
    return scale, scale * (f * _exp2_float32(f))


@register_jitable(**INLINE)
def _split_float64(z):
    z = max(z, _LOWEST64)
    k = (z + _ROUND64) - _ROUND64
    f = z - k
    scale = _as_float64((np.int64(k) + np.int64(1023)) << np.int64(52))
    return scale, scale * (f * _exp2_float64(f))


@register_jitable(**INLINE)
def _exp2m1_float32(z):
    scale, rest = _split_float32(z)
    return rest + (scale - _ONE32)


@register_jitable(**INLINE)
def _exp2m1_float64(z):
    scale, rest = _split_float64(z)
    return rest + (scale - 1.0)


def exp2m1(z: float) -> float:
    """Return 2^z - 1 for z <= 0, in z's own precision; for use in compiled code."""
    return float(np.expm1(z * math.log(2)))


@overload(exp2m1, jit_options=INLINE)
def _exp2m1(z):
    if z == types.float32:
        return lambda z: _exp2m1_float32(z)
    if z == types.float64:
        return lambda z: _exp2m1_float64(z)
    return None


@register_jitable(**INLINE)
def _exp_phi1_float32(z):
    z = min(z, _NEAREST32)
    scale, rest = _split_float32(z * _LOG2_E32)
    a, m = rest + scale, rest + (scale - _ONE32)
    phi1 = m / z
    return a, m, phi1, _slope_float32(z) if z > -_ONE32 else (a - phi1) / z


@register_jitable(**INLINE)
def _exp_phi1_float64(z):
    z = min(z, _NEAREST64)
    scale, rest = _split_float64(z * LOG2_E)
    a, m = rest + scale, rest + (scale - 1.0)
    phi1 = m / z
    return a, m, phi1, _slope_float64(z) if z > -1.0 else (a - phi1) / z


def exp_phi1(z: float) -> tuple[float, float, float, float]:
    """Return e^z, e^z - 1, phi1(z) and phi1'(z) for z <= 0, in z's own precision; for use in compiled code alone."""
    raise NotImplementedError


@overload(exp_phi1, jit_options=INLINE)
def _exp_phi1(z):
    if z == types.float32:
        return lambda z: _exp_phi1_float32(z)
    if z == types.float64:
        return lambda z: _exp_phi1_float64(z)
    return None


@register_jitable(**INLINE)
def _exp_of_float32(x):
    x = max(x, _LOWEST_EXP32)
    k = (x * _LOG2_E32 + _ROUND32) - _ROUND32
    f = (x - k * _LN2_HIGH32) - k * _LN2_LOW32
    scale = _as_float32((np.int32(k) + np.int32(127)) << np.int32(23))
    return scale + scale * (f * _exp_float32(f))


@register_jitable(**INLINE)
def _exp_of_float64(x):
    x = max(x, _LOWEST_EXP64)
    k = (x * LOG2_E + _ROUND64) - _ROUND64
    f = (x - k * _LN2_HIGH64) - k * _LN2_LOW64
    scale = _as_float64((np.int64(k) + np.int64(1023)) << np.int64(52))
    return scale + scale * (f * _exp_float64(f))


def exp_negative(x: float) -> float:
    """Return e^x for x <= 0, good to rounding relative to itself, in x's own precision; for use in compiled code."""
    return math.exp(x)


@overload(exp_negative, jit_options=INLINE)
def _exp_negative(x):
    if x == types.float32:
        return lambda x: _exp_of_float32(x)
    if x == types.float64:
        return lambda x: _exp_of_float64(x)
    return None
