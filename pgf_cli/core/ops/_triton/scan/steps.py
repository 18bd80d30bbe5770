"""One step of either scan: what it does to the state, and how the state answers to what goes into it.

HELD tells them apart: the paper's scan, which holds its input exactly between steps, from the selective scan.
"""

import triton
import triton.language as tl

from pgf_cli.core.ops._triton.math import LOG2_E, exp2_parts, exp_phi1, silu_slope, softplus_slope


@triton.jit
def step_terms(delta, A, HELD: tl.constexpr):
    """a = exp(delta A) in two parts, the gain that u B enters with, and its slope in delta A (used only if HELD)."""
    if HELD:
        power, rest, gain, slope = exp_phi1(delta * A)
    else:
        power, rest = exp2_parts((delta * LOG2_E) * A)
        gain, slope = delta, delta
    return power, rest, gain, slope


@triton.jit
def advance(h, power, rest, b):
    """a h + b, rounded relative to (a - 1) h + b where a is near 1 (see ``triton_math``)."""
    return power * h + (rest * h + b)


@triton.jit
def influence(h, a, A, slope, uB, HELD: tl.constexpr):
    """The derivative in delta of the state after a step, for the state h before it."""
    return (a * h + slope * uB) * A if HELD else a * h * A + uB


@triton.jit
def output(s, gate, HELD: tl.constexpr):
    """y and its derivatives in s = C . h + D u and in the gate, which is z or the paper's factor."""
    if HELD:
        softplus, slope = softplus_slope(s)
        y, by_s, by_gate = softplus * gate, slope * gate, softplus
    else:
        silu, slope = silu_slope(gate)
        y, by_s, by_gate = s * silu, silu, s * slope
    return y, by_s, by_gate
