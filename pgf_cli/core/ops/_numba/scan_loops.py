"""What the compiled scans share: the sizes of their local arrays, and how their loops are called with tensors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from numba.extending import register_jitable
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops._numba.exponential import FASTMATH
from pgf_cli.core.ops._numba.local_arrays import local_array
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.threads import in_groups

BLOCK = 32
"""Channels of a work item; a constant, so that the compiler unrolls and the number of threads changes nothing."""
SPAN = 16
"""Steps of time between two kept states."""
CHUNK = 8
"""Blocks whose rows are read and written together: long enough to be read ahead, short enough for the cache."""
DIRECTIONS = 8
"""Tangents that one call of a loop carries; more are carried by several calls, each with a primal of its own."""

local_row, local_span, local_states = local_array(BLOCK), local_array(SPAN, BLOCK), local_array(SPAN + 1, BLOCK)
local_spans = local_array(DIRECTIONS, SPAN, BLOCK)


# Folded by hand, without `reassoc` or `contract`: where the compiler may choose, it does not choose the same in code
# that it has just compiled and in that code from its cache.
@register_jitable(fastmath=FASTMATH - {"contract"}, forceinline=True, error_model="numpy")
def block_sum(values):
    """The sum over a row of BLOCK = 32 channels, which it overwrites; for use in compiled code."""
    for i in range(16):
        values[i] += values[i + 16]
    for i in range(8):
        values[i] += values[i + 8]
    for i in range(4):
        values[i] += values[i + 4]
    return (values[0] + values[1]) + (values[2] + values[3])


@register_jitable(forceinline=True)
def chunk_of(chunk, group, groups, blocks, inner):
    """How many blocks the chunk at block ``chunk`` of a group has, its first channel and the one past its last."""
    count = min(CHUNK, (group + 1) * blocks // groups - chunk)
    return count, chunk * BLOCK, min(inner, (chunk + count) * BLOCK)


@register_jitable(forceinline=True)
def load_span(rows, at, span):
    """Copy a block's columns of scratch rows into a local span."""
    for j in range(SPAN):
        row, here = rows[j, at : at + BLOCK], span[j]
        for i in range(BLOCK):
            here[i] = row[i]


@register_jitable(forceinline=True)
def store_span(span, rows, at):
    """Copy a local span into a block's columns of scratch rows."""
    for j in range(SPAN):
        row, here = rows[j, at : at + BLOCK], span[j]
        for i in range(BLOCK):
            row[i] = here[i]


class CommonBars(NamedTuple):
    """The adjoints of what all scans have among their arguments."""

    step: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor
    u: Tensor
    h: Tensor


def run_forward(kernel: Any, scan: Sequence[Tensor]) -> ScanPass:
    """Call a compiled loop with the arguments of a scan, in their order, and with outputs for it to fill."""
    _, A, B, _, _, u, _, h = scan
    (length, inner), state = u.shape, B.shape[1]
    y, after = torch.empty_like(u, memory_format=torch.contiguous_format), _blocked(h)
    edges = u.new_empty(-(-length // SPAN), len(after), state, BLOCK)
    _call(kernel, scan[0], _blocked(A), *scan[2:7], after, y, edges)
    return ScanPass(y, _unblocked(after, inner), edges)


def run_jvp(kernel: Any, scan: Sequence[Tensor], moving: Sequence[Tensor], h_dot: Tensor) -> ScanDual:
    """Call a compiled loop with the arguments of a scan and the tangents (K, ...) of those that move."""
    _, A, _, _, _, u, _, h = scan
    y = u.new_empty(1 + len(h_dot), *u.shape)
    A, after, after_dot = _blocked(A), _blocked(h), _blocked(h_dot)
    for first in range(0, max(1, len(h_dot)), DIRECTIONS):
        some = slice(first, first + DIRECTIONS)
        after = _blocked(h) if first else after
        dots = (dot[some] for dot in moving)
        _call(kernel, scan[0], A, *scan[2:7], after, *dots, after_dot[some], y[0], y[1:][some])
    return ScanDual(y, _unblocked(after, u.shape[1]), _unblocked(after_dot, u.shape[1]))


def run_vjp(
    kernel: Any, scan: Sequence[Tensor], edges: Tensor, y_bar: Tensor, h_bar: Tensor, own_bar: Tensor
) -> CommonBars:
    """Call a compiled adjoint loop; ``own_bar`` is the output for the one argument that only this scan has."""
    _, A, B, _, _, u, _, _ = scan
    (length, inner), state = u.shape, B.shape[1]
    A, before_bar = _blocked(A), _blocked(h_bar)
    step_bar, u_bar, D_bar = u.new_empty(length, inner), u.new_empty(length, inner), u.new_zeros(inner)
    A_bar = torch.zeros_like(A)
    B_bar, C_bar = u.new_empty(2, len(A), length, state)
    outputs = (before_bar, step_bar, A_bar, B_bar, C_bar, D_bar, u_bar, own_bar)
    _call(kernel, scan[0], A, *scan[2:7], edges, y_bar, *outputs)
    bars = (step_bar, _unblocked(A_bar, inner), B_bar.sum(0), C_bar.sum(0), D_bar, u_bar)
    return CommonBars(*bars, _unblocked(before_bar, inner))


def _blocked(states: Tensor) -> Tensor:
    """A copy (..., E / BLOCK, N, BLOCK) of states (..., E, N): a block's in one piece, zeros past the last channel."""
    missing = -states.shape[-2] % BLOCK
    padded: Tensor = functional.pad(states.detach(), (0, 0, 0, missing))
    blocked: Tensor = padded.unflatten(-2, (-1, BLOCK)).mT.clone(memory_format=torch.contiguous_format)
    return blocked


def _unblocked(states: Tensor, inner: int) -> Tensor:
    return states.mT.flatten(-3, -2)[..., :inner, :]


def _call(kernel: Any, *tensors: Tensor) -> None:
    in_groups(kernel, *(tensor.detach().contiguous().numpy() for tensor in tensors))
