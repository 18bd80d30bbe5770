"""The scan in its chunk form on a CUDA device: all chunks at once, products by torch, the rest in Triton kernels.

See ``chunk_form``. Nothing here waits for the device; sums have a fixed order.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from pgf_cli.core.ops._triton.math import LOG2_E, exp2_parts
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.ssd_scan import chunk_form
from pgf_cli.core.ops.ssd_scan.pieces import Piece, whole_and_rest
from pgf_cli.core.ops.ssd_scan.reference import Scan

_STATES = 128
"""States of a program that walks from chunk to chunk."""
_WARPS = 2


@triton.jit
def _decayed(z, scores, decays, weights, bases, heads, BLOCK: tl.constexpr):
    """One chunk, one head: row t after row t - 1, a lane for every base s."""
    chunk = tl.program_id(0).to(tl.int64)
    r = tl.program_id(1)
    s = tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK,), z.dtype.element_ty)
    for t in range(bases):
        step = tl.load(z + (chunk * bases + t) * heads + r)
        sums = tl.where(s < t, sums + step, 0.0)
        power, rest = exp2_parts(sums * LOG2_E)
        decay = tl.where(s <= t, power + rest, 0.0)
        score = tl.load(scores + (chunk * bases + t) * bases + s, mask=s < bases, other=0.0)
        row = ((chunk * heads + r) * bases + t) * bases + s
        tl.store(decays + row, decay, mask=s < bases)
        tl.store(weights + row, decay * score, mask=s < bases)


@triton.jit
def _decayed_jvp(decays, scores, z_dot, scores_dot, weights_dot, bases, heads, BLOCK: tl.constexpr):
    chunk = tl.program_id(0).to(tl.int64)
    r = tl.program_id(1)
    s = tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK,), z_dot.dtype.element_ty)
    for t in range(bases):
        step = tl.load(z_dot + (chunk * bases + t) * heads + r)
        sums = tl.where(s < t, sums + step, 0.0)
        at = (chunk * bases + t) * bases + s
        row = ((chunk * heads + r) * bases + t) * bases + s
        score = tl.load(scores + at, mask=s < bases, other=0.0)
        score_dot = tl.load(scores_dot + at, mask=s < bases, other=0.0)
        decay = tl.load(decays + row, mask=s < bases, other=0.0)
        tl.store(weights_dot + row, decay * (score_dot + score * sums), mask=s < bases)


@triton.jit
def _decayed_vjp(weights, weights_bar, z_bar, bases, heads, BLOCK: tl.constexpr):
    """The adjoint of z: what was fed before the step and is read at or after it."""
    chunk = tl.program_id(0).to(tl.int64)
    r = tl.program_id(1)
    s = tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK,), weights.dtype.element_ty)
    for back in range(bases):
        t = bases - 1 - back
        row = ((chunk * heads + r) * bases + t) * bases + s
        weight = tl.load(weights + row, mask=s < t, other=0.0)
        sums += weight * tl.load(weights_bar + row, mask=s < t, other=0.0)
        tl.store(z_bar + (chunk * bases + t) * heads + r, tl.sum(tl.where(s < t, sums, 0.0), axis=0))


@triton.jit
def _carry(
    shrink,
    shrink_dot,
    before,
    added,
    first,
    last,
    chunks,
    heads,
    states,
    BACK: tl.constexpr,
    TANGENT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    r = tl.program_id(0)
    i = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    h = tl.load(first + r * states + i, mask=i < states, other=0.0)
    for step in range(chunks):
        c = chunks - 1 - step if BACK else step
        m = tl.load(shrink + c * heads + r)
        at = (tl.cast(c, tl.int64) * heads + r) * states + i
        add = tl.load(added + at, mask=i < states, other=0.0)
        if TANGENT:
            add += tl.load(shrink_dot + c * heads + r) * tl.load(before + at, mask=i < states, other=0.0)
        tl.store(added + at, h, mask=i < states)
        # Not exp(.) h + what is added: near 1 that keeps too few digits of a slow decay in float32.
        h = h + (m * h + add)
    tl.store(last + r * states + i, h, mask=i < states)


def _run_decayed(z: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    decays, weights = _room(z)
    _over_chunks(_decayed, z, z.contiguous(), scores.contiguous(), decays, weights)
    return decays, weights


def _run_decayed_jvp(decays: Tensor, scores: Tensor, z_dot: Tensor, scores_dot: Tensor) -> Tensor:
    weights_dot = torch.empty_like(decays)
    given = (decays, scores.contiguous(), z_dot.contiguous(), scores_dot.contiguous())
    _over_chunks(_decayed_jvp, z_dot, *given, weights_dot)
    return weights_dot


def _run_decayed_vjp(decays: Tensor, weights: Tensor, weights_bar: Tensor) -> tuple[Tensor, Tensor]:
    *leading, heads, bases, _ = weights.shape
    z_bar = weights.new_empty(*leading, bases, heads)
    _over_chunks(_decayed_vjp, z_bar, weights, weights_bar.contiguous(), z_bar)
    return (decays * weights_bar).sum(-3), z_bar


def _room(z: Tensor) -> tuple[Tensor, Tensor]:
    *leading, bases, heads = z.shape
    return z.new_empty(*leading, heads, bases, bases), z.new_empty(*leading, heads, bases, bases)


def _over_chunks(kernel: Any, z: Tensor, *tensors: Tensor) -> None:
    *_, bases, heads = z.shape
    block = triton.next_power_of_2(bases)
    kernel[(z.numel() // (bases * heads), heads)](*tensors, bases, heads, BLOCK=block, num_warps=_WARPS)


def _walk(shrink: Tensor, *given: Tensor, back: bool = False) -> Tensor:
    *tangent, added, first = given
    first = first.contiguous()
    last = torch.empty_like(first)
    chunks, heads, states = added.shape
    shrink_dot, before = tangent or (shrink, added)
    _carry[(heads, -(-states // _STATES))](
        shrink,
        shrink_dot.contiguous(),
        before,
        added,
        first,
        last,
        chunks,
        heads,
        states,
        BACK=back,
        TANGENT=bool(tangent),
        BLOCK=_STATES,
        num_warps=_WARPS,
    )
    return last


def _each(task: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        task(piece)


_DEVICE = chunk_form.Device(
    lambda length, _groups: whole_and_rest(length),
    _each,
    _run_decayed,
    _run_decayed_jvp,
    _run_decayed_vjp,
    _walk,
    _walk,
    partial(_walk, back=True),
)


def forward(scan: Scan) -> ScanPass:
    """Return y, the state after the tile, and edges for this module's ``vjp``; arguments as ``reference.forward``."""
    return chunk_form.forward(scan, _DEVICE)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return chunk_form.jvp(primal, dot, _DEVICE)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    return chunk_form.vjp(primal, edges, y_bar, h_bar, _DEVICE)
