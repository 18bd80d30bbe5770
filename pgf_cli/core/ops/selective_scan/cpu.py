"""Selective scan compiled for the user's own processor: primal, K tangents and adjoint.

Time is cut into spans, channels into blocks. Of each span whole rows are read first, taking softplus and what else
depends on a row alone, into scratch rows that fit in the second-level cache (``_read``); then each block walks the
span, one state dimension after the other, channels innermost, in local arrays that fit in the first and that the
compiler vectorises over (``_walk``); then whole rows are written, gated (``_write``). Rows are read and written whole
because processors read ahead along them; no (T, E, N) array exists. What is computed is ``reference``, term by term.

The adjoint walks back over the spans. ``forward`` keeps the state at each span's edge; within a span, one state
dimension after the other is computed again, its exponentials once, and walked back.
The adjoints of B and C are sums over channels: each block writes its own and they are added in a fixed order, so that
the number of threads changes nothing. That buffer is (T, E, N) / BLOCK, and the edges are (T, E, N) / SPAN.
"""

import numpy as np
from torch import Tensor

from pgf_cli.core.ops._numba.compiled_activations import silu_slope, softplus_slope
from pgf_cli.core.ops._numba.exponential import LOG2_E, exp2m1
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
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.selective_scan.reference import Scan


@kernel_part
def _read(start, first, end, step, D, u, delta, slope, bu, s):
    skip = D[first:end]
    for j in range(min(SPAN, len(u) - start)):
        step_t, u_t = step[start + j, first:end], u[start + j, first:end]
        delta_t, slope_t, bu_t, s_t = delta[j], slope[j], bu[j], s[j]
        for i in range(len(u_t)):
            delta_t[i], slope_t[i] = softplus_slope(step_t[i])
        for i in range(len(u_t)):
            bu_t[i] = delta_t[i] * u_t[i]
            s_t[i] = skip[i] * u_t[i]
        delta_t[len(u_t) :] = 0
        bu_t[len(u_t) :] = 0


@kernel_part
def _read_dot(start, first, end, D, u, step_dot, u_dot, delta, slope, delta_dot, bu_dot, s_dot):
    skip = D[first:end]
    for j in range(min(SPAN, len(u) - start)):
        step_dot_t, u_dot_t, u_t = step_dot[start + j, first:end], u_dot[start + j, first:end], u[start + j, first:end]
        delta_t, slope_t, delta_dot_t, bu_dot_t, s_dot_t = delta[j], slope[j], delta_dot[j], bu_dot[j], s_dot[j]
        for i in range(len(u_t)):
            delta_dot_t[i] = slope_t[i] * step_dot_t[i]
        for i in range(len(u_t)):
            bu_dot_t[i] = delta_dot_t[i] * u_t[i] + delta_t[i] * u_dot_t[i]
        for i in range(len(u_t)):
            s_dot_t[i] = skip[i] * u_dot_t[i]
        delta_dot_t[len(u_t) :] = 0
        bu_dot_t[len(u_t) :] = 0


@kernel_part
def _walk(start, steps, A, B, C, h, h_dot, B_dot, C_dot, at, delta, bu, s, delta_dot, bu_dot, s_dot):
    log2_e, one = A.dtype.type(LOG2_E), A.dtype.type(1.0)
    delta_l, bu_l, s_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    delta_dot_l, bu_dot_l, s_dot_l = local_spans(A.dtype), local_spans(A.dtype), local_spans(A.dtype)
    # Of one state dimension: a - 1, the states, and how delta_dot enters.
    m, by_delta, h_n = local_span(A.dtype), local_span(A.dtype), local_states(A.dtype)
    A_n, A_log2, h_dot_n = local_row(A.dtype), local_row(A.dtype), local_row(A.dtype)
    directions = len(h_dot)
    load_span(delta, at, delta_l)
    load_span(bu, at, bu_l)
    load_span(s, at, s_l)
    for k in range(directions):
        load_span(delta_dot[k], at, delta_dot_l[k])
        load_span(bu_dot[k], at, bu_dot_l[k])
        load_span(s_dot[k], at, s_dot_l[k])
    for n in range(len(A)):
        for i in range(BLOCK):
            A_n[i] = A[n, i]
            A_log2[i] = A[n, i] * log2_e
            h_n[0, i] = h[n, i]
        for j in range(steps):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                m[j, i] = exp2m1(delta_l[j, i] * A_log2[i])
                by_delta[j, i] = (m[j, i] + one) * A_n[i] * h_n[j, i]
                h_n[j + 1, i] = h_n[j, i] + (m[j, i] * h_n[j, i] + bu_l[j, i] * B_t)
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
                    b_dot = bu_dot_l[k, j, i] * B_t + bu_l[j, i] * B_dot_t
                    after = h_dot_n[i] + (m[j, i] * h_dot_n[i] + (by_delta[j, i] * delta_dot_l[k, j, i] + b_dot))
                    h_dot_n[i] = after
                    s_dot_l[k, j, i] += C_t * after + C_dot_t * h_n[j + 1, i]
            for i in range(BLOCK):
                h_dot[k, n, i] = h_dot_n[i]
    store_span(s_l, s, at)
    for k in range(directions):
        store_span(s_dot_l[k], s_dot[k], at)


@kernel_part
def _write(start, first, end, z, s, z_dot, s_dot, y, y_dot, gate, gate_slope):
    for j in range(min(SPAN, len(z) - start)):
        z_t, y_t, s_t = z[start + j, first:end], y[start + j, first:end], s[j]
        for i in range(len(z_t)):
            gate[i], gate_slope[i] = silu_slope(z_t[i])
        for i in range(len(z_t)):
            y_t[i] = s_t[i] * gate[i]
        for k in range(len(z_dot)):
            z_dot_t, y_dot_t, s_dot_t = z_dot[k, start + j, first:end], y_dot[k, start + j, first:end], s_dot[k, j]
            for i in range(len(z_t)):
                y_dot_t[i] = s_dot_t[i] * gate[i] + s_t[i] * gate_slope[i] * z_dot_t[i]


@kernel
def _jvp(group, groups, step, A, B, C, D, u, z, h, step_dot, B_dot, C_dot, u_dot, z_dot, h_dot, y, y_dot):
    length, inner = u.shape
    directions = len(u_dot)
    rows = np.empty((4, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, bu, s = rows[0], rows[1], rows[2], rows[3]
    dots = np.empty((3, directions, SPAN, CHUNK * BLOCK), u.dtype)
    delta_dot, bu_dot, s_dot = dots[0], dots[1], dots[2]
    for start in range(0, length, SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, bu, s)
            for k in range(directions):
                parts = (delta, slope, delta_dot[k], bu_dot[k], s_dot[k])
                _read_dot(start, first, end, D, u, step_dot[k], u_dot[k], *parts)
            for block in range(blocks):
                at, here = block * BLOCK, chunk + block
                parts = (at, delta, bu, s, delta_dot, bu_dot, s_dot)
                _walk(start, steps, A[here], B, C, h[here], h_dot[:, here], B_dot, C_dot, *parts)
            # What is no longer needed holds the gates.
            _write(start, first, end, z, s, z_dot, s_dot, y, y_dot, delta[0], slope[0])


@kernel_part
def _walk_forward(start, steps, A, B, C, h, edges, at, delta, bu, s):
    log2_e = A.dtype.type(LOG2_E)
    delta_l, bu_l, s_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    A_log2, h_n = local_row(A.dtype), local_row(A.dtype)
    load_span(delta, at, delta_l)
    load_span(bu, at, bu_l)
    load_span(s, at, s_l)
    for n in range(len(A)):
        for i in range(BLOCK):
            A_log2[i] = A[n, i] * log2_e
            h_n[i] = h[n, i]
            edges[n, i] = h_n[i]
        for j in range(steps):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                h_n[i] += exp2m1(delta_l[j, i] * A_log2[i]) * h_n[i] + bu_l[j, i] * B_t
                s_l[j, i] += C_t * h_n[i]
        for i in range(BLOCK):
            h[n, i] = h_n[i]
    store_span(s_l, s, at)


@kernel
def _forward(group, groups, step, A, B, C, D, u, z, h, y, edges):
    length, inner = u.shape
    rows = np.empty((4, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, bu, s = rows[0], rows[1], rows[2], rows[3]
    none = np.empty((0, 1, 1), u.dtype)
    for start in range(0, length, SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, bu, s)
            for block in range(blocks):
                here, edge = chunk + block, edges[start // SPAN, chunk + block]
                _walk_forward(start, steps, A[here], B, C, h[here], edge, block * BLOCK, delta, bu, s)
            # What is no longer needed holds the gates.
            _write(start, first, end, z, s, none, none, y, none, delta[0], slope[0])


@kernel_part
def _read_bar(start, first, end, z, y_bar, s_bar, by_gate):
    for j in range(min(SPAN, len(z) - start)):
        z_t, y_bar_t, s_bar_t, by_gate_t = z[start + j, first:end], y_bar[start + j, first:end], s_bar[j], by_gate[j]
        for i in range(len(z_t)):
            s_bar_t[i], by_gate_t[i] = silu_slope(z_t[i])
        for i in range(len(z_t)):
            s_bar_t[i] *= y_bar_t[i]
            by_gate_t[i] *= y_bar_t[i]
        s_bar_t[len(z_t) :] = 0


@kernel_part
def _walk_back(start, steps, A, B, C, edges, h_bar, A_bar, B_bar, C_bar, at, delta, bu, s, s_bar, bu_bar, by_e):
    log2_e = A.dtype.type(LOG2_E)
    delta_l, bu_l, s_l, s_bar_l = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype), local_span(A.dtype)
    bu_bar_l, by_e_l, m, h_n = local_span(A.dtype), local_span(A.dtype), local_span(A.dtype), local_states(A.dtype)
    A_n, A_log2, A_bar_n, h_bar_n = local_row(A.dtype), local_row(A.dtype), local_row(A.dtype), local_row(A.dtype)
    # How much of the state's adjoint the last step takes away: added to it only together with what the next one
    # adds, or else it would be lost to rounding where a is near 1.
    decay, to_B, to_C = local_row(A.dtype), local_row(A.dtype), local_row(A.dtype)
    load_span(delta, at, delta_l)
    load_span(bu, at, bu_l)
    load_span(s, at, s_l)
    load_span(s_bar, at, s_bar_l)
    bu_bar_l[:] = 0
    by_e_l[:] = 0
    # Where the step away from it would be a denormal, the adjoint would stay for ever.
    vanishing = np.finfo(A.dtype).tiny / np.finfo(A.dtype).eps
    zero = A.dtype.type(0.0)
    for n in range(len(A)):
        for i in range(BLOCK):
            A_n[i] = A[n, i]
            A_log2[i] = A[n, i] * log2_e
            A_bar_n[i] = A_bar[n, i]
            h_bar_n[i] = h_bar[n, i] if abs(h_bar[n, i]) > vanishing else zero
            h_n[0, i] = edges[n, i]
            decay[i] = 0
        for j in range(steps):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                m[j, i] = exp2m1(delta_l[j, i] * A_log2[i])
                h_n[j + 1, i] = h_n[j, i] + (m[j, i] * h_n[j, i] + bu_l[j, i] * B_t)
                s_l[j, i] += C_t * h_n[j + 1, i]
        for j in range(steps - 1, -1, -1):
            B_t, C_t = B[start + j, n], C[start + j, n]
            for i in range(BLOCK):
                after = h_bar_n[i] + (decay[i] + C_t * s_bar_l[j, i])
                decay[i] = m[j, i] * after
                before = after + decay[i]
                e_bar = before * h_n[j, i]
                h_bar_n[i] = after
                bu_bar_l[j, i] += after * B_t
                by_e_l[j, i] += e_bar * A_n[i]
                A_bar_n[i] += e_bar * delta_l[j, i]
                to_B[i] = after * bu_l[j, i]
                to_C[i] = s_bar_l[j, i] * h_n[j + 1, i]
            B_bar[start + j, n] = block_sum(to_B)
            C_bar[start + j, n] = block_sum(to_C)
        for i in range(BLOCK):
            A_bar[n, i] = A_bar_n[i]
            h_bar[n, i] = h_bar_n[i] + decay[i]
    store_span(s_l, s, at)
    store_span(bu_bar_l, bu_bar, at)
    store_span(by_e_l, by_e, at)


@kernel_part
def _write_bar(start, first, end, D, u, delta, slope, s, s_bar, bu_bar, by_e, by_gate, step_bar, D_bar, u_bar, z_bar):
    skip, skip_bar = D[first:end], D_bar[first:end]
    for j in range(min(SPAN, len(u) - start)):
        u_t, u_bar_t, delta_t, bu_bar_t = u[start + j, first:end], u_bar[start + j, first:end], delta[j], bu_bar[j]
        s_bar_t, s_t, slope_t, by_e_t, by_gate_t = s_bar[j], s[j], slope[j], by_e[j], by_gate[j]
        step_bar_t, z_bar_t = step_bar[start + j, first:end], z_bar[start + j, first:end]
        for i in range(len(u_t)):
            u_bar_t[i] = skip[i] * s_bar_t[i] + delta_t[i] * bu_bar_t[i]
        for i in range(len(u_t)):
            step_bar_t[i] = slope_t[i] * (by_e_t[i] + u_t[i] * bu_bar_t[i])
        for i in range(len(u_t)):
            z_bar_t[i] = by_gate_t[i] * s_t[i]
        for i in range(len(u_t)):
            skip_bar[i] += s_bar_t[i] * u_t[i]


@kernel
def _vjp(
    group, groups, step, A, B, C, D, u, z, edges, y_bar, h_bar, step_bar, A_bar, B_bar, C_bar, D_bar, u_bar, z_bar
):
    length, inner = u.shape
    rows = np.empty((8, SPAN, CHUNK * BLOCK), u.dtype)
    delta, slope, bu, s, s_bar, by_gate = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
    bu_bar, by_e = rows[6], rows[7]
    for start in range((length - 1) // SPAN * SPAN, -1, -SPAN):
        steps = min(SPAN, length - start)
        for chunk in range(group * len(A) // groups, (group + 1) * len(A) // groups, CHUNK):
            blocks, first, end = chunk_of(chunk, group, groups, len(A), inner)
            _read(start, first, end, step, D, u, delta, slope, bu, s)
            _read_bar(start, first, end, z, y_bar, s_bar, by_gate)
            for block in range(blocks):
                here = chunk + block
                bars = (h_bar[here], A_bar[here], B_bar[here], C_bar[here])
                parts = (block * BLOCK, delta, bu, s, s_bar, bu_bar, by_e)
                _walk_back(start, steps, A[here], B, C, edges[start // SPAN, here], *bars, *parts)
            parts = (delta, slope, s, s_bar, bu_bar, by_e, by_gate)
            _write_bar(start, first, end, D, u, *parts, step_bar, D_bar, u_bar, z_bar)


def forward(primal: Scan) -> ScanPass:
    """Return y, the state after the tile and the states at the edges of spans; arguments as ``reference.forward``."""
    return run_forward(_forward, primal)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return run_jvp(_jvp, primal, [dot.step, dot.B, dot.C, dot.u, dot.z], dot.h)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    z_bar = primal.z.new_empty(primal.z.shape)
    bars = run_vjp(_vjp, primal, edges, y_bar, h_bar, z_bar)
    return Scan(bars.step, bars.A, bars.B, bars.C, bars.D, bars.u, z_bar, bars.h)
