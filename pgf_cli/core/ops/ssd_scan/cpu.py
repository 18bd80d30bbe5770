"""The scan in its chunk form on the CPU: products by torch, what is none of them compiled; see ``chunk_form``.

Threads take pieces of one chunk and one group, and walk from chunk to chunk some heads each; no result depends on who
takes what.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.ops._numba.exponential import exp_negative
from pgf_cli.core.ops._numba.jit import kernel
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.ssd_scan import chunk_form
from pgf_cli.core.ops.ssd_scan.pieces import Piece, by_chunk_and_group
from pgf_cli.core.ops.ssd_scan.reference import Scan
from pgf_cli.core.threads import for_each, in_groups


@kernel
def _decayed(z, scores, decays, weights):
    bases, heads = z.shape
    sums = np.empty(bases, z.dtype)
    for r in range(heads):
        for t in range(bases):
            z_t, decay_t, weight_t, score_t = z[t, r], decays[r, t], weights[r, t], scores[t]
            sums[t] = 0
            for s in range(t):
                sums[s] += z_t
            # The whole row, so that vectors end where the chunk ends, and zeros after the diagonal.
            for s in range(t + 1):
                decay_t[s] = exp_negative(sums[s])
            decay_t[t] = 1
            decay_t[t + 1 :] = 0
            for s in range(bases):
                weight_t[s] = decay_t[s] * score_t[s]


@kernel
def _decayed_jvp(decays, scores, z_dot, scores_dot, weights_dot):
    bases, heads = z_dot.shape
    sums = np.empty(bases, z_dot.dtype)
    for r in range(heads):
        sums[:] = 0
        for t in range(bases):
            z_t, decay_t, score_t, score_dot_t, out = (
                z_dot[t, r],
                decays[r, t],
                scores[t],
                scores_dot[t],
                weights_dot[r, t],
            )
            for s in range(t):
                sums[s] += z_t
            for s in range(bases):
                out[s] = decay_t[s] * (score_dot_t[s] + score_t[s] * sums[s])


@kernel
def _decayed_vjp(decays, weights, weights_bar, scores_bar, z_bar):
    heads, bases, _ = weights.shape
    sums = np.empty(bases, weights.dtype)
    scores_bar[:] = 0
    for r in range(heads):
        sums[:] = 0
        for t in range(bases - 1, -1, -1):
            decay_t, weight_t, bar_t, out = decays[r, t], weights[r, t], weights_bar[r, t], scores_bar[t]
            for s in range(bases):
                out[s] += decay_t[s] * bar_t[s]
            for s in range(t):
                sums[s] += weight_t[s] * bar_t[s]
            # What was fed before the step and is read at or after it.
            total = weights.dtype.type(0)
            for s in range(t):
                total += sums[s]
            z_bar[t, r] = total


@kernel
def _carry(group, groups, shrink, added, first, last):
    chunks, heads, states = added.shape
    for r in range(group * heads // groups, (group + 1) * heads // groups):
        h = last[r]
        h[:] = first[r]
        for c in range(chunks):
            m, here = shrink[c, r], added[c, r]
            for i in range(states):
                before = h[i]
                # Not exp(.) h + what is added: near 1 that keeps too few digits of a slow decay in float32.
                h[i] = before + (m * before + here[i])
                here[i] = before


@kernel
def _carry_jvp(group, groups, shrink, shrink_dot, before, added, first, last):
    chunks, heads, states = added.shape
    for r in range(group * heads // groups, (group + 1) * heads // groups):
        h = last[r]
        h[:] = first[r]
        for c in range(chunks):
            m, m_dot, here, primal = shrink[c, r], shrink_dot[c, r], added[c, r], before[c, r]
            for i in range(states):
                old = h[i]
                h[i] = old + (m * old + (m_dot * primal[i] + here[i]))
                here[i] = old


@kernel
def _carry_back(group, groups, shrink, added, first, last):
    chunks, heads, states = added.shape
    for r in range(group * heads // groups, (group + 1) * heads // groups):
        h = last[r]
        h[:] = first[r]
        for c in range(chunks - 1, -1, -1):
            m, here = shrink[c, r], added[c, r]
            for i in range(states):
                after = h[i]
                h[i] = after + (m * after + here[i])
                here[i] = after


def _run_decayed(z: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    decays, weights = z.new_empty(2, z.shape[1], *scores.shape)
    _decayed(*_arrays(z, scores, decays, weights))
    return decays, weights


def _run_decayed_jvp(decays: Tensor, scores: Tensor, z_dot: Tensor, scores_dot: Tensor) -> Tensor:
    weights_dot = torch.empty_like(decays)
    _decayed_jvp(*_arrays(decays, scores, z_dot, scores_dot, weights_dot))
    return weights_dot


def _run_decayed_vjp(decays: Tensor, weights: Tensor, weights_bar: Tensor) -> tuple[Tensor, Tensor]:
    heads, bases, _ = weights.shape
    scores_bar, z_bar = weights.new_empty(bases, bases), weights.new_empty(bases, heads)
    _decayed_vjp(*_arrays(decays, weights, weights_bar, scores_bar, z_bar))
    return scores_bar, z_bar


def _walk(loop, *tensors: Tensor) -> Tensor:
    *_, first = tensors
    last = torch.empty_like(first, memory_format=torch.contiguous_format)
    in_groups(loop, *_arrays(*tensors, last))
    return last


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.contiguous().numpy() for tensor in tensors]


def _each(task: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    for_each(lambda index: task(pieces[index]), len(pieces))


_DEVICE = chunk_form.Device(
    by_chunk_and_group,
    _each,
    _run_decayed,
    _run_decayed_jvp,
    _run_decayed_vjp,
    partial(_walk, _carry),
    partial(_walk, _carry_jvp),
    partial(_walk, _carry_back),
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
