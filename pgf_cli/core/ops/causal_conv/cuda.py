"""The causal convolution on a CUDA device, each tensor read from memory once; what is computed is ``reference``."""

import triton
import triton.language as tl
from torch import Tensor

from pgf_cli.core.ops._triton.math import silu_slope
from pgf_cli.core.ops._triton.rows import load_row, rows
from pgf_cli.core.ops.causal_conv.reference import ConvAdjoint

_BLOCK_T, _BLOCK_E, _WARPS = 16, 32, 4


@triton.jit
def _tile(BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr):
    """This program's rows (T, 1) and channels (1, E)."""
    t = tl.program_id(1) * BLOCK_T + tl.arange(0, BLOCK_T)[:, None]
    return t, tl.program_id(0) * BLOCK_E + tl.arange(0, BLOCK_E)[None, :]


@triton.jit
def _inputs_at(x, last, t, e, k, length, inner, TAPS: tl.constexpr):
    """Rows t of the tile, the rows before it where t < 0, zeros past its end."""
    here = load_row(x, t, e, (t >= 0) & (t < length) & (e < inner), k)
    return here + load_row(last, t + (TAPS - 1), e, (t < 0) & (t > -TAPS) & (e < inner), k)


@triton.jit
def _weight_of(weight, tap, e, inner, TAPS: tl.constexpr):
    return tl.load(weight + e * TAPS + tap, mask=e < inner, other=0.0)


@triton.jit
def _convolved(x, last, weight, t, e, k, length, inner, TAPS: tl.constexpr):
    out = _inputs_at(x, last, t, e, k, length, inner, TAPS) * _weight_of(weight, TAPS - 1, e, inner, TAPS)
    for back in tl.static_range(1, TAPS):
        at_tap = _inputs_at(x, last, t - back, e, k, length, inner, TAPS)
        out += at_tap * _weight_of(weight, TAPS - 1 - back, e, inner, TAPS)
    return out


@triton.jit
def _activated(x, last, weight, bias, t, e, length, inner, TAPS: tl.constexpr):
    """SiLU of the convolution, and its slope there."""
    out = _convolved(x, last, weight, t, e, 0, length, inner, TAPS)
    if bias is not None:
        out += tl.load(bias + e, mask=e < inner, other=0.0)
    return silu_slope(out)


@triton.jit
def _jvp(
    stack,
    last,
    weight,
    bias,
    out,
    after,
    length,
    inner,
    directions,
    TAPS: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    t, e = _tile(BLOCK_T, BLOCK_E)
    in_tile = (t < length) & (e < inner)
    at = t.to(tl.int64) * inner + e
    value, slope = _activated(stack, last, weight, bias, t, e, length, inner, TAPS)
    tl.store(out + at, value, mask=in_tile)
    for k in range(1, 1 + directions):
        value_dot = slope * _convolved(stack, last, weight, t, e, k, length, inner, TAPS)
        tl.store(out + tl.cast(k, tl.int64) * length * inner + at, value_dot, mask=in_tile)
    if tl.program_id(1) == tl.num_programs(1) - 1:
        for k in range(1 + directions):
            for row in tl.static_range(TAPS - 1):
                kept_at = tl.full((1, 1), length - (TAPS - 1) + row, tl.int32)
                kept = _inputs_at(stack, last, kept_at, e, k, length, inner, TAPS)
                tl.store(after + (k * (TAPS - 1) + row) * inner + e, kept, mask=e < inner)


@triton.jit
def _vjp(
    x,
    last,
    weight,
    bias,
    y_bar,
    last_bar,
    x_bar,
    before_bar,
    weight_bar,
    bias_bar,
    length,
    inner,
    TAPS: tl.constexpr,
    BLOCK_T: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """The adjoint of inputs from TAPS - 1 rows before the tile on; of the weights, a part for each block of rows."""
    p, e = _tile(BLOCK_T, BLOCK_E)
    t = p - (TAPS - 1)
    e_in = e < inner
    bar = load_row(last_bar, p - length, e, (p >= length) & (p < length + TAPS - 1) & e_in)
    for ahead in tl.static_range(TAPS):
        met = t + ahead
        _, slope = _activated(x, last, weight, bias, met, e, length, inner, TAPS)
        out_bar = slope * load_row(y_bar, met, e, (met >= 0) & (met < length) & e_in)
        bar += out_bar * _weight_of(weight, TAPS - 1 - ahead, e, inner, TAPS)
        if ahead == 0:
            part = tl.program_id(1) * TAPS
            for back in tl.static_range(TAPS):
                product = out_bar * _inputs_at(x, last, met - back, e, 0, length, inner, TAPS)
                row = weight_bar + (part + TAPS - 1 - back) * inner + e
                tl.store(row, tl.sum(product, axis=0)[None, :], mask=e_in)
            tl.store(bias_bar + tl.program_id(1) * inner + e, tl.sum(out_bar, axis=0)[None, :], mask=e_in)
    tl.store(x_bar + t.to(tl.int64) * inner + e, bar, mask=(t >= 0) & (t < length) & e_in)
    if tl.program_id(1) * BLOCK_T < TAPS - 1:
        tl.store(before_bar + p * inner + e, bar, mask=(t < 0) & e_in)


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve one tile; arguments and result as ``reference.forward``."""
    out, after = jvp(x[None], weight, bias, last[None])
    return out[0], after[0]


def jvp(stack: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve stacks; arguments and result as ``reference.jvp``."""
    (stacked, length, inner), taps = stack.shape, weight.shape[1]
    out, after = stack.new_empty(stack.shape), stack.new_empty(stacked, taps - 1, inner)
    weight, bias = weight.detach().contiguous(), bias if bias is None else bias.detach()
    _jvp[_grid(inner, length)](
        rows(stack), rows(last), weight, bias, out, after, length, inner, stacked - 1, **_constants(taps)
    )
    return out, after


def vjp(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor, y_bar: Tensor, last_bar: Tensor) -> ConvAdjoint:
    """Return the adjoints of all arguments; see ``reference.vjp``."""
    (length, inner), taps = x.shape, weight.shape[1]
    grid = _grid(inner, length + taps - 1)
    x_bar, before_bar = x.new_empty(length, inner), x.new_empty(taps - 1, inner)
    weight_bar, bias_bar = x.new_empty(grid[1], taps, inner), x.new_empty(grid[1], inner)
    weight, bias = weight.detach().contiguous(), bias if bias is None else bias.detach()
    inputs = (rows(x), rows(last), weight, bias, rows(y_bar), rows(last_bar))
    outputs = (x_bar, before_bar, weight_bar, bias_bar)
    _vjp[grid](*inputs, *outputs, length, inner, **_constants(taps))
    return ConvAdjoint(x_bar, weight_bar.sum(0).T, bias_bar.sum(0), before_bar)


def _grid(inner: int, count: int) -> tuple[int, int]:
    return -(-inner // _BLOCK_E), -(-count // _BLOCK_T)


def _constants(taps: int) -> dict[str, int | bool]:
    return {"TAPS": taps, "BLOCK_T": _BLOCK_T, "BLOCK_E": _BLOCK_E, "num_warps": _WARPS, "enable_fp_fusion": True}
