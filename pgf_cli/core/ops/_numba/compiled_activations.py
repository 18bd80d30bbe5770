"""SiLU and softplus with their slopes, for compiled CPU loops, written so that the compiler vectorises them.

Both come from w = e^(-|x|) <= 1: the logistic function is 1 / (1 + w) on the right and w / (1 + w) on the left, and
softplus is max(x, 0) + log(1 + w) with log(1 + w) = 2 artanh(w / (2 + w)), whose argument is at most 1/3: the odd
series' remainder is below 9^-d, 2e-9 relative for the d = 9 terms kept in float32 and 1e-18 for the 19 in float64.
Nothing cancels, so each is good to rounding relative to itself, also far on the left where it vanishes.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from pgf_cli.core.ops._numba.exponential import INLINE, exp_negative, polynomial
from pgf_cli.core.ops.activations import SOFTPLUS_THRESHOLD

# A number that is none must stay so: a step's or a gate's NaN shows in the output only if no flag lets it be dropped.
_INLINE: Any = INLINE | {"fastmath": {"contract", "nsz"}}

_ARTANH_TERMS = [2 / (2 * power + 1) for power in range(19)]
_artanh_float32 = polynomial(types.float32, _ARTANH_TERMS[:9])
_artanh_float64 = polynomial(types.float64, _ARTANH_TERMS)

_ONE32, _TWO32, _THRESHOLD32 = np.float32(1.0), np.float32(2.0), np.float32(SOFTPLUS_THRESHOLD)
_ZERO32 = np.float32(0.0)


@register_jitable(**_INLINE)
def _silu_float32(x):
    w = exp_negative(-abs(x))
    inverse = _ONE32 / (_ONE32 + w)
    left = w * inverse
    logistic, rest = (left, inverse) if x < _ZERO32 else (inverse, left)
    y = x * logistic
    return y, logistic + y * rest


@register_jitable(**_INLINE)
def _silu_float64(x):
    w = exp_negative(-abs(x))
    inverse = 1.0 / (1.0 + w)
    left = w * inverse
    logistic, rest = (left, inverse) if x < 0.0 else (inverse, left)
    y = x * logistic
    return y, logistic + y * rest


@register_jitable(**_INLINE)
def _softplus_float32(x):
    w = exp_negative(-abs(x))
    inverse = _ONE32 / (_ONE32 + w)
    ratio = w / (_TWO32 + w)
    y = (_ZERO32 if x < _ZERO32 else x) + ratio * _artanh_float32(ratio * ratio)
    slope = w * inverse if x < _ZERO32 else inverse
    return (x, _ONE32) if x > _THRESHOLD32 else (y, slope)


@register_jitable(**_INLINE)
def _softplus_float64(x):
    w = exp_negative(-abs(x))
    inverse = 1.0 / (1.0 + w)
    ratio = w / (2.0 + w)
    y = (0.0 if x < 0.0 else x) + ratio * _artanh_float64(ratio * ratio)
    slope = w * inverse if x < 0.0 else inverse
    return (x, 1.0) if x > SOFTPLUS_THRESHOLD else (y, slope)


def silu_slope(x: float) -> tuple[float, float]:
    """Return x sigmoid(x) and its derivative, in x's own precision; for use in compiled code alone."""
    raise NotImplementedError


@overload(silu_slope, jit_options=_INLINE)
def _silu_slope(x):
    if x == types.float32:
        return lambda x: _silu_float32(x)
    if x == types.float64:
        return lambda x: _silu_float64(x)
    return None


def softplus_slope(x: float) -> tuple[float, float]:
    """Return softplus(x), x above torch's threshold, and its derivative; for use in compiled code alone."""
    raise NotImplementedError


@overload(softplus_slope, jit_options=_INLINE)
def _softplus_slope(x):
    if x == types.float32:
        return lambda x: _softplus_float32(x)
    if x == types.float64:
        return lambda x: _softplus_float64(x)
    return None
