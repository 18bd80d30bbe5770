"""The paper's scan compiled for the user's own processor: reads, walks and writes spans as ``selective_scan.cpu`` does.

What is computed is ``reference``, term by term. Beside the exponential, phi1 and its slope are taken once for each
state and step, for the primal and all tangents. The output's slope needs the whole C . h, so the adjoint computes the
states of a span once before it walks back.
"""

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.ops._numba.compiled_activations import softplus_slope
from pgf_cli.core.ops._numba.exponential import exp_phi1
from pgf_cli.core.ops._numba.jit import kernel, kernel_part
from pgf_cli.core.ops._numba.scan_loops import (
    BLOCK,
    CHUNK,
    SPAN,
    block_sum,
    chunk_of,
    load_span,
    local_row,
    local_span,
    local_spans,
    local_states,
    run_forward,
    run_jvp,
    run_vjp,
    store_span,
)
from pgf_cli.core.ops.frechet_scan.reference import Scan
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass


@kernel_part
def _read(start, first, end, step, D, u, delta, slope, u_l, s):
    skip = D[first:end]
    for j in range(min(SPAN, len(u) - start)):
        step_t, u_t = step[start + j, first:end], u[start + j, first:end]
        delta_t, slope_t, copy_t, s_t = delta[j], slope[j], u_l[j], s[j]
        for i in range(len(u_t)):
            delta_t[i], slope_t[i] = softplus_slope(step_t[i])
        for i in range(len(u_t)):
            copy_t[i] = u_t[i]
            s_t[i] = skip[i] * u_t[i]
        delta_t[len(u_t) :] = 0
        copy_t[len(u_t) :] = 0


@kernel_part
def _read_dot(start, first, end, D, step_dot, u_dot, slope, delta_dot, u_dot_l, s_dot):
    skip = D[first:end]
    for j in range(min(SPAN, len(u_dot) - start)):
        step_dot_t, u_dot_t = step_dot[start + j, first:end], u_dot[start + j, first:end]
        slope_t, delta_dot_t, copy_t, s_dot_t = slope[j], delta_dot[j], u_dot_l[j], s_dot[j]
        for i in range(len(u_dot_t)):
            delta_dot_t[i] = slope_t[i] * step_dot_t[i]
        for i in range(len(u_dot_t)):
            copy_t[i] = u_dot_t[i]
            s_dot_t[i] = skip[i] * u_dot_t[i]
        delta_dot_t[len(u_dot_t) :] = 0
        copy_t[len(u_dot_t) :] = 0


@kernel_part
def _walk(start, steps, A, B, C, h, h_dot, B_dot, C_dot, at, delta, u, s, delta_dot, u_dot, s_dot):
    delta_l, u_l, s_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    delta_dot_l, u_dot_l, s_dot_l = local_spans(A.dtype), local_spans(A.dtype), local_spans(A.dtype)
    # Of one state dimension: a - 1, phi1, the states, and how delta_dot enters by a and by phi1.
    m, gain, h_n = local_span(A.dtype), local_span(A.dtype), local_states(A.dtype)
    by_a, by_gain = local_span(A.dtype), local_span(A.dtype)
    A_n, h_dot_n = local_row(A.dtype), local_row(A.dtype)
    directions = len(h_dot)
    load_span(delta, at, delta_l)
    load_span(u, at, u_l)
    load_span(s, at, s_l)
    for k in range(directions):
        load_span(delta_dot[k], at, delta_dot_l[k])
        load_span(u_dot[k], at, u_dot_l[k])
        load_span(s_dot[k], at, s_dot_l[k])
    for n in range(len(A)):
        for i in range(BLOCK):
            A_n[i] = A[n, i]
            h_n[0, i] = h[n, i]
        for j in range(steps):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                a, m[j, i], gain[j, i], gain_slope = exp_phi1(delta_l[j, i] * A_n[i])
                by_a[j, i] = a * A_n[i] * h_n[j, i]
                by_gain[j, i] = gain_slope * A_n[i] * u_l[j, i]
                h_n[j + 1, i] = h_n[j, i] + (m[j, i] * h_n[j, i] + gain[j, i] * u_l[j, i] * B_t)
                s_l[j, i] += C_t * h_n[j + 1, i]
        for i in range(BLOCK):
            h[n, i] = h_n[steps, i]
        for k in range(directions):
            for i in range(BLOCK):
                h_dot_n[i] = h_dot[k, n, i]
            for j in range(steps):
                B_t, C_t = B[start + j, n], C[start + j, n]
                B_dot_t, C_dot_t = B_dot[k, start + j, n], C_dot[k, start + j, n]
                for i in range(BLOCK):
                    b_dot = (by_gain[j, i] * delta_dot_l[k, j, i] + gain[j, i] * u_dot_l[k, j, i]) * B_t
                    b_dot += gain[j, i] * u_l[j, i] * B_dot_t
                    after = h_dot_n[i] + (m[j, i] * h_dot_n[i] + (by_a[j, i] * delta_dot_l[k, j, i] + b_dot))
                    h_dot_n[i] = after
                    s_dot_l[k, j, i] += C_t * after + C_dot_t * h_n[j + 1, i]
            for i in range(BLOCK):
                h_dot[k, n, i] = h_dot_n[i]
    store_span(s_l, s, at)
    for k in range(directions):
        store_span(s_dot_l[k], s_dot[k], at)


@kernel_part
def _write(start, first, end, scale, s, s_dot, y, y_dot, slope):
    for j in range(min(SPAN, len(y) - start)):
        y_t, s_t = y[start + j, first:end], s[j]
        for i in range(len(y_t)):
            out, slope[i] = softplus_slope(s_t[i])
            y_t[i] = out * scale
        for k in range(len(y_dot)):
            y_dot_t, s_dot_t = y_dot[k, start + j, first:end], s_dot[k, j]
            for i in range(len(y_t)):
                y_dot_t[i] = s_dot_t[i] * slope[i] * scale


@kernel
def _jvp(group, groups, step, A, B, C, D, u, scale, h, step_dot, B_dot, C_dot, u_dot, h_dot, y, y_dot):
    length, inner = u.shape
    directions = len(u_dot)
    rows = np.empty((4, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, u_l, s = rows[0], rows[1], rows[2], rows[3]
    dots = np.empty((3, directions, SPAN, CHUNK * BLOCK), u.dtype)
    delta_dot, u_dot_l, s_dot = dots[0], dots[1], dots[2]
    for start in range(0, length, SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, u_l, s)
            for k in range(directions):
                _read_dot(start, first, end, D, step_dot[k], u_dot[k], slope, delta_dot[k], u_dot_l[k], s_dot[k])
            for block in range(blocks):
                at, here = block * BLOCK, chunk + block
                parts = (at, delta, u_l, s, delta_dot, u_dot_l, s_dot)
                _walk(start, steps, A[here], B, C, h[here], h_dot[:, here], B_dot, C_dot, *parts)
            _write(start, first, end, scale[()], s, s_dot, y, y_dot, slope[0])


@kernel_part
def _walk_forward(start, steps, A, B, C, h, at, delta, u, s):
    delta_l, u_l, s_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    A_n, h_n = local_row(A.dtype), local_row(A.dtype)
    load_span(delta, at, delta_l)
    load_span(u, at, u_l)
    load_span(s, at, s_l)
    for n in range(len(A)):
        for i in range(BLOCK):
            A_n[i] = A[n, i]
            h_n[i] = h[n, i]
        for j in range(steps):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                _, m, gain, _ = exp_phi1(delta_l[j, i] * A_n[i])
                h_n[i] += m * h_n[i] + gain * u_l[j, i] * B_t
                s_l[j, i] += C_t * h_n[i]
        for i in range(BLOCK):
            h[n, i] = h_n[i]
    store_span(s_l, s, at)


@kernel
def _forward(group, groups, step, A, B, C, D, u, scale, h, y, edges):
    length, inner = u.shape
    rows = np.empty((4, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, u_l, s = rows[0], rows[1], rows[2], rows[3]
    none = np.empty((0, 1, 1), u.dtype)
    for start in range(0, length, SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, u_l, s)
            for block in range(blocks):
                here = chunk + block
                edges[start // SPAN, here] = h[here]
                _walk_forward(start, steps, A[here], B, C, h[here], block * BLOCK, delta, u_l, s)
            _write(start, first, end, scale[()], s, none, y, none, slope[0])


@kernel_part
def _read_bar(start, first, end, scale, y_bar, s, s_bar, scale_bar):
    for j in range(min(SPAN, len(y_bar) - start)):
        y_bar_t, s_t, s_bar_t = y_bar[start + j, first:end], s[j], s_bar[j]
        for i in range(len(y_bar_t)):
            out, slope = softplus_slope(s_t[i])
            scale_bar[i] += y_bar_t[i] * out
            s_bar_t[i] = y_bar_t[i] * scale * slope
        s_bar_t[len(y_bar_t) :] = 0


@kernel_part
def _walk_back(start, steps, A, B, C, edges, h_bar, A_bar, B_bar, C_bar, at, delta, u, s_bar, u_bar, delta_bar):
    delta_l, u_l, s_bar_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    u_bar_l, delta_bar_l = local_span(A.dtype), local_span(A.dtype)
    m, gain, gain_slope, h_n = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype), local_states(A.dtype)
    A_n, A_bar_n, h_bar_n = local_row(A.dtype), local_row(A.dtype), local_row(A.dtype)
    # How much of the state's adjoint the last step takes away: added to it only together with what the next one
    # adds, or else it would be lost to rounding where a is near 1.
    decay, to_B, to_C = local_row(A.dtype), local_row(A.dtype), local_row(A.dtype)
    load_span(delta, at, delta_l)
    load_span(u, at, u_l)
    load_span(s_bar, at, s_bar_l)
    u_bar_l[:] = 0
    delta_bar_l[:] = 0
    # Where the step away from it would be a denormal, the adjoint would stay for ever.
    vanishing = np.finfo(A.dtype).tiny / np.finfo(A.dtype).eps
    zero = A.dtype.type(0.0)
    for n in range(len(A)):
        for i in range(BLOCK):
            A_n[i] = A[n, i]
            A_bar_n[i] = A_bar[n, i]
            h_bar_n[i] = h_bar[n, i] if abs(h_bar[n, i]) > vanishing else zero
            h_n[0, i] = edges[n, i]
            decay[i] = 0
        for j in range(steps):
            B_t = B[start + j, n]
            for i in range(BLOCK):
                _, m[j, i], gain[j, i], gain_slope[j, i] = exp_phi1(delta_l[j, i] * A_n[i])
                h_n[j + 1, i] = h_n[j, i] + (m[j, i] * h_n[j, i] + gain[j, i] * u_l[j, i] * B_t)
        for j in range(steps - 1, -1, -1):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                after = h_bar_n[i] + (decay[i] + C_t * s_bar_l[j, i])
                decay[i] = m[j, i] * after
                before = after + decay[i]
                gained = gain[j, i] * after
                e_bar = before * h_n[j, i] + gain_slope[j, i] * u_l[j, i] * B_t * after
                h_bar_n[i] = after
                u_bar_l[j, i] += gained * B_t
                delta_bar_l[j, i] += e_bar * A_n[i]
                A_bar_n[i] += e_bar * delta_l[j, i]
                to_B[i] = gained * u_l[j, i]
                to_C[i] = s_bar_l[j, i] * h_n[j + 1, i]
            B_bar[start + j, n] = block_sum(to_B)
            C_bar[start + j, n] = block_sum(to_C)
        for i in range(BLOCK):
            A_bar[n, i] = A_bar_n[i]
            h_bar[n, i] = h_bar_n[i] + decay[i]
    store_span(u_bar_l, u_bar, at)
    store_span(delta_bar_l, delta_bar, at)


@kernel_part
def _write_bar(start, first, end, D, slope, u, s_bar, u_bar_l, delta_bar, step_bar, D_bar, u_bar):
    skip, skip_bar = D[first:end], D_bar[first:end]
    for j in range(min(SPAN, len(u_bar) - start)):
        u_bar_t, step_bar_t = u_bar[start + j, first:end], step_bar[start + j, first:end]
        slope_t, u_t, s_bar_t, own_t, delta_bar_t = slope[j], u[j], s_bar[j], u_bar_l[j], delta_bar[j]
        for i in range(len(u_bar_t)):
            u_bar_t[i] = skip[i] * s_bar_t[i] + own_t[i]
        for i in range(len(u_bar_t)):
            step_bar_t[i] = slope_t[i] * delta_bar_t[i]
        for i in range(len(u_bar_t)):
            skip_bar[i] += s_bar_t[i] * u_t[i]


@kernel
def _vjp(
    group,
    groups,
    step,
    A,
    B,
    C,
    D,
    u,
    scale,
    edges,
    y_bar,
    h_bar,
    step_bar,
    A_bar,
    B_bar,
    C_bar,
    D_bar,
    u_bar,
    scale_bar,
):
    length, inner = u.shape
    rows = np.empty((7, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, u_l, s, s_bar, u_bar_l, delta_bar = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5], rows[6]
    states = np.empty((A.shape[1], BLOCK), u.dtype)
    for start in range((length - 1) // SPAN * SPAN, -1, -SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, u_l, s)
            for block in range(blocks):
                states[:] = edges[start // SPAN, chunk + block]
                _walk_forward(start, steps, A[chunk + block], B, C, states, block * BLOCK, delta, u_l, s)
            _read_bar(start, first, end, scale[()], y_bar, s, s_bar, scale_bar[first:end])
            for block in range(blocks):
                here = chunk + block
                bars = (h_bar[here], A_bar[here], B_bar[here], C_bar[here])
                parts = (block * BLOCK, delta, u_l, s_bar, u_bar_l, delta_bar)
                _walk_back(start, steps, A[here], B, C, edges[start // SPAN, here], *bars, *parts)
            _write_bar(start, first, end, D, slope, u_l, s_bar, u_bar_l, delta_bar, step_bar, D_bar, u_bar)


def forward(primal: Scan) -> ScanPass:
    """Return y, the state after the tile and the states at the edges of spans; arguments as ``reference.forward``."""
    return run_forward(_forward, primal)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return run_jvp(_jvp, primal, [dot.step, dot.B, dot.C, dot.u], dot.h)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    scale_bar = torch.zeros_like(primal.D)
    bars = run_vjp(_vjp, primal, edges, y_bar, h_bar, scale_bar)
    return Scan(bars.step, bars.A, bars.B, bars.C, bars.D, bars.u, scale_bar.sum(), bars.h)
