"""RMS normalisation on a CUDA device, in one pass over memory; what is computed is ``reference``."""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from pgf_cli.core.ops._triton.rows import load_row, rows

_TILE = 2048
"""Elements of a program's tile of whole rows."""
_WARPS = 4


@triton.jit
def _tile(length, width, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr):
    """This program's rows (T, 1) and the width's lanes (1, D), and their mask."""
    t = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)[:, None]
    d = tl.arange(0, BLOCK_D)[None, :]
    return t, d, (t < length) & (d < width)


@triton.jit
def _unit(x, width, EPS: tl.constexpr):
    """x by its root mean square, and the inverse of that."""
    mean = tl.sum(x * x, axis=1)[:, None] / width + EPS
    # In float32 ``sqrt`` is the hardware's approximation; in float64 it is rounded, and ``sqrt_rn`` does not exist.
    scale = 1.0 / (tl.sqrt_rn(mean) if x.dtype == tl.float32 else tl.sqrt(mean))
    return x * scale, scale


@triton.jit
def _jvp(
    stack, weight, out, length, width, directions, EPS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr
):
    t, d, inside = _tile(length, width, BLOCK_T, BLOCK_D)
    at = t.to(tl.int64) * width + d
    w = tl.load(weight + d, mask=d < width, other=0.0)
    unit, scale = _unit(load_row(stack, t, d, inside), width, EPS)
    tl.store(out + at, unit * w, mask=inside)
    for k in range(1, 1 + directions):
        x_dot = load_row(stack, t, d, inside, k)
        along = tl.sum(unit * x_dot, axis=1)[:, None] / width
        value_dot = scale * (x_dot - along * unit) * w
        tl.store(out + tl.cast(k, tl.int64) * length * width + at, value_dot, mask=inside)


@triton.jit
def _vjp(
    x, weight, y_bar, x_bar, weight_bar, length, width, EPS: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_D: tl.constexpr
):
    t, d, inside = _tile(length, width, BLOCK_T, BLOCK_D)
    unit, scale = _unit(load_row(x, t, d, inside), width, EPS)
    bar = load_row(y_bar, t, d, inside)
    unit_bar = bar * tl.load(weight + d, mask=d < width, other=0.0)
    along = tl.sum(unit_bar * unit, axis=1)[:, None] / width
    tl.store(x_bar + t.to(tl.int64) * width + d, scale * (unit_bar - along * unit), mask=inside)
    part = tl.sum(bar * unit, axis=0)[None, :]
    tl.store(weight_bar + tl.program_id(0) * width + d, part, mask=d < width)


def forward(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the normalised x (..., D)."""
    return jvp(x.reshape(1, -1, x.shape[-1]), weight, eps).view(x.shape)


def jvp(stack: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the stack of the normalised x for a stack of x (1 + K, T, D); see ``reference.jvp``."""
    stacked, length, width = stack.shape
    out = stack.new_empty(stack.shape)
    constants = _constants(width, eps)
    _jvp[(-(-length // constants["BLOCK_T"]),)](
        rows(stack), weight.detach(), out, length, width, stacked - 1, **constants
    )
    return out


def vjp(x: Tensor, weight: Tensor, eps: float, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """Return the adjoints of x (T, D) and of the weight (D,); see ``reference.vjp``."""
    length, width = x.shape
    constants = _constants(width, eps)
    blocks = -(-length // constants["BLOCK_T"])
    x_bar, weight_bar = x.new_empty(x.shape), x.new_empty(blocks, width)
    _vjp[(blocks,)](rows(x), weight.detach(), rows(y_bar), x_bar, weight_bar, length, width, **constants)
    return x_bar, weight_bar.sum(0)


def _constants(width: int, eps: float) -> dict[str, Any]:
    block = triton.next_power_of_2(width)
    return {
        "EPS": eps,
        "BLOCK_T": max(1, _TILE // block),
        "BLOCK_D": block,
        "num_warps": _WARPS,
        "enable_fp_fusion": True,
    }
