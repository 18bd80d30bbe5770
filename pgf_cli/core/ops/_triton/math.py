"""Exponentials, softplus and SiLU with their slopes, for Triton kernels, good to rounding in float32 and float64.

Triton's own exponential and logarithm are the hardware's approximations in float32, with which e^z - 1 near 0 and
log(1 + w) near 1 lose all digits, and its library functions do not run in its interpreter. So these are written out, in
arithmetic alone: the interpreter computes what the device computes.

2^z = 2^k + 2^k (2^f - 1), with k the nearest integer to z and |f| <= 1/2. The first part is exact and 2^f - 1 is f
times a Taylor polynomial, good relative to itself however near to 0 z is. Its remainder is 4e-9 relative for 7 terms
(float32) and 4e-18 for 14 (float64). A product 2^z h is taken part by part: the first is exact, so that neither a slow
state, with 2^k = 1, nor a fast one, with 2^k small, is rounded relative to more than itself.
"""

import math

import triton
import triton.language as tl

LOG2_E = tl.constexpr(math.log2(math.e))
# Its product with any exponent is exact, also in float32.
_LN2_HIGH = tl.constexpr(math.floor(math.log(2) * 2**15) / 2**15)
_LN2_LOW = tl.constexpr(math.log(2) - math.floor(math.log(2) * 2**15) / 2**15)
# Adding 1.5 * 2^(mantissa bits) rounds to the nearest integer and leaves it in the lowest bits.
_ROUND32, _ROUND64 = tl.constexpr(1.5 * 2**23), tl.constexpr(1.5 * 2**52)
# The bits of 1.
_ONE32, _ONE64 = tl.constexpr(127 << 23), tl.constexpr(1023 << 52)
# The nearest to 0 that phi1 is computed at: its products with other factors stay normal numbers.
_NEAREST32, _NEAREST64 = tl.constexpr(-1e-30), tl.constexpr(-1e-300)
# As in torch, whose models this must equal: above it softplus(x) is x.
_SOFTPLUS_THRESHOLD = tl.constexpr(20.0)
# From here to 0 the closed form of phi1's derivative cancels and its series is used.
_SERIES_FROM = tl.constexpr(-0.5)

_EXP2_TERMS = tl.constexpr(tuple(math.log(2) ** power / math.factorial(power) for power in range(1, 15)))
_ARTANH_TERMS = tl.constexpr(tuple(1 / (2 * power + 1) for power in range(18)))
_SLOPE_TERMS = tl.constexpr(tuple((power + 1) / math.factorial(power + 2) for power in range(16)))


@triton.jit
def _horner(x, TERMS: tl.constexpr, COUNT: tl.constexpr):
    value = tl.full(x.shape, TERMS[COUNT - 1], x.dtype)
    for power in tl.static_range(COUNT - 2, -1, -1):
        value = TERMS[power] + x * value
    return value


@triton.jit
def _round(z):
    """The nearest integer k to z, and 2^k, for z <= 0; the lowest k, -127 or -1023, counts as minus infinity."""
    if z.dtype == tl.float64:
        shifted = z + _ROUND64
        k = shifted - _ROUND64
        power = ((shifted.to(tl.int64, bitcast=True) << 52) + _ONE64).to(tl.float64, bitcast=True)
    else:
        shifted = z + _ROUND32
        k = shifted - _ROUND32
        power = ((shifted.to(tl.int32, bitcast=True) << 23) + _ONE32).to(tl.float32, bitcast=True)
    return k, power


@triton.jit
def _exp2m1_near(f):
    """2^f - 1 for |f| <= 1/2."""
    COUNT: tl.constexpr = 14 if f.dtype == tl.float64 else 7
    return f * _horner(f, _EXP2_TERMS, COUNT)


@triton.jit
def _at_least(x, LOWEST32: tl.constexpr, LOWEST64: tl.constexpr):
    LOWEST: tl.constexpr = LOWEST64 if x.dtype == tl.float64 else LOWEST32
    return tl.maximum(x, LOWEST, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def exp2_parts(z):
    """2^z for z <= 0 as 2^k, k an integer, and the rest: exact but for the rest's rounding, and (1, 2^z - 1) near 0."""
    z = _at_least(z, -127.0, -1023.0)
    k, power = _round(z)
    return power, power * _exp2m1_near(z - k)


@triton.jit
def exp_phi1(e):
    """e^e in the two parts of ``exp2_parts``, phi1(e) = (e^e - 1) / e and phi1'(e), for e <= 0."""
    COUNT: tl.constexpr = 16 if e.dtype == tl.float64 else 8
    NEAREST: tl.constexpr = _NEAREST64 if e.dtype == tl.float64 else _NEAREST32
    e = tl.minimum(e, NEAREST, propagate_nan=tl.PropagateNan.ALL)
    series = _horner(tl.maximum(e, _SERIES_FROM), _SLOPE_TERMS, COUNT)
    power, rest = exp2_parts(e * LOG2_E)
    inverse = 1.0 / e
    phi1 = (rest + (power - 1.0)) * inverse
    return power, rest, phi1, tl.where(e > _SERIES_FROM, series, (power + rest - phi1) * inverse)


@triton.jit
def _exp(x):
    """e^x for x <= 0. Reduced in two steps: x log2(e) alone rounds away |x| parts in 10^7 of the result."""
    x = _at_least(x, -87.0, -708.0)
    k, power = _round(x * LOG2_E)
    rest = (x - k * _LN2_HIGH) - k * _LN2_LOW
    return power + power * _exp2m1_near(rest * LOG2_E)


@triton.jit
def _log1p(w):
    """log(1 + w) = 2 artanh(w / (2 + w)) for 0 <= w <= 1, good relative to itself."""
    COUNT: tl.constexpr = 18 if w.dtype == tl.float64 else 7
    s = w / (2.0 + w)
    return 2.0 * s * _horner(s * s, _ARTANH_TERMS, COUNT)


@triton.jit
def softplus_slope(x):
    """log(1 + e^x) and its derivative; see ``activations.softplus_jvp``."""
    w = _exp(-tl.abs(x))
    linear = x > _SOFTPLUS_THRESHOLD
    value = tl.where(linear, x, tl.where(x > 0, x, 0.0) + _log1p(w))
    return value, tl.where(linear, 1.0, tl.where(x > 0, 1.0, w) / (1.0 + w))


@triton.jit
def silu_slope(x):
    """x sigmoid(x) and its derivative; see ``activations.silu_jvp``."""
    w = _exp(-tl.abs(x))
    sigmoid = tl.where(x > 0, 1.0, w) / (1.0 + w)
    value = x * sigmoid
    return value, sigmoid + value * (1.0 - sigmoid)
