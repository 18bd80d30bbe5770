"""Selective scan compiled for the user's own processor: primal, K tangents and adjoint.

Time runs inside, blocks of channels in parallel. A block's states are small local arrays, channels innermost, which
the compiler keeps in first-level cache and vectorises over; no (T, E, N) array exists. What is computed is
``reference``, term by term.

The adjoint walks back over spans of time. ``forward`` keeps the state at each span's edge; within a span, one state
dimension after the other is computed again, its exponentials once, and walked back, all of it in first-level cache.
The adjoints of B and C are sums over channels: each block writes its own and they are added in a fixed order, so that
the number of threads changes nothing. That buffer is (T, E, N) / BLOCK, and the edges are (T, E, N) / SPAN.
"""

import numpy as np
from numba import njit, prange
from numba.extending import register_jitable
from torch import Tensor

from pgf_cli.core.ops.exponential import FASTMATH, LOG2_E, exp2m1
from pgf_cli.core.ops.local_arrays import local_array
from pgf_cli.core.ops.selective_scan.launch import BLOCK, SPAN, run_forward, run_jvp, run_vjp
from pgf_cli.core.ops.selective_scan.reference import Scan, ScanDual, ScanPass
from pgf_cli.core.threads import adopt_float_environment, float_environment

local_row, local_span, local_states = local_array(BLOCK), local_array(SPAN, BLOCK), local_array(SPAN + 1, BLOCK)


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


@njit(parallel=True, fastmath=FASTMATH, cache=True, error_model="numpy")
def _jvp(delta, A, B, C, D, u, h, delta_dot, B_dot, C_dot, u_dot, h_dot, y, y_dot):
    length, inner = u.shape
    state = B.shape[1]
    directions = u_dot.shape[0]
    log2_e = u.dtype.type(LOG2_E)
    one = u.dtype.type(1.0)
    environment = float_environment()
    for block in prange((inner + BLOCK - 1) // BLOCK):
        adopt_float_environment(environment)
        first = block * BLOCK
        width = min(BLOCK, inner - first)
        # Channels past the end compute on zeros: whole vectors everywhere.
        A_l = np.zeros((state, BLOCK), u.dtype)
        A_log2 = np.zeros((state, BLOCK), u.dtype)
        h_l = np.zeros((state, BLOCK), u.dtype)
        h_dot_l = np.zeros((directions, state, BLOCK), u.dtype)
        for n in range(state):
            for i in range(width):
                A_l[n, i] = A[first + i, n]
                A_log2[n, i] = A[first + i, n] * log2_e
                h_l[n, i] = h[first + i, n]
                for k in range(directions):
                    h_dot_l[k, n, i] = h_dot[k, first + i, n]
        delta_l = np.zeros(BLOCK, u.dtype)
        bu = np.zeros(BLOCK, u.dtype)
        y_l = np.zeros(BLOCK, u.dtype)
        before = np.zeros(BLOCK, u.dtype)
        m = np.zeros(BLOCK, u.dtype)
        delta_dot_l = np.zeros((directions, BLOCK), u.dtype)
        bu_dot = np.zeros((directions, BLOCK), u.dtype)
        y_dot_l = np.zeros((directions, BLOCK), u.dtype)
        for t in range(length):
            for i in range(width):
                delta_l[i] = delta[t, first + i]
                bu[i] = delta[t, first + i] * u[t, first + i]
                y_l[i] = D[first + i] * u[t, first + i]
            for k in range(directions):
                for i in range(width):
                    delta_dot_l[k, i] = delta_dot[k, t, first + i]
                    bu_dot[k, i] = delta_dot[k, t, first + i] * u[t, first + i] + delta_l[i] * u_dot[k, t, first + i]
                    y_dot_l[k, i] = D[first + i] * u_dot[k, t, first + i]
            for n in range(state):
                B_t = B[t, n]
                C_t = C[t, n]
                for i in range(BLOCK):
                    m[i] = exp2m1(delta_l[i] * A_log2[n, i])
                    before[i] = h_l[n, i]
                    h_l[n, i] = before[i] + (m[i] * before[i] + bu[i] * B_t)
                    y_l[i] += C_t * h_l[n, i]
                for k in range(directions):
                    B_dot_t = B_dot[k, t, n]
                    C_dot_t = C_dot[k, t, n]
                    for i in range(BLOCK):
                        a_dot = (m[i] + one) * (delta_dot_l[k, i] * A_l[n, i])
                        b_dot = bu_dot[k, i] * B_t + bu[i] * B_dot_t
                        after = h_dot_l[k, n, i] + (m[i] * h_dot_l[k, n, i] + (a_dot * before[i] + b_dot))
                        h_dot_l[k, n, i] = after
                        y_dot_l[k, i] += C_t * after + C_dot_t * h_l[n, i]
            for i in range(width):
                y[t, first + i] = y_l[i]
            for k in range(directions):
                for i in range(width):
                    y_dot[k, t, first + i] = y_dot_l[k, i]
        for n in range(state):
            for i in range(width):
                h[first + i, n] = h_l[n, i]
                for k in range(directions):
                    h_dot[k, first + i, n] = h_dot_l[k, n, i]


@njit(parallel=True, fastmath=FASTMATH, cache=True, error_model="numpy")
def _forward(delta, A, B, C, D, u, h, y, edges):
    length, inner = u.shape
    state = B.shape[1]
    log2_e = u.dtype.type(LOG2_E)
    environment = float_environment()
    for block in prange((inner + BLOCK - 1) // BLOCK):
        adopt_float_environment(environment)
        first = block * BLOCK
        width = min(BLOCK, inner - first)
        A_log2 = np.zeros((state, BLOCK), u.dtype)
        h_l = np.zeros((state, BLOCK), u.dtype)
        for n in range(state):
            for i in range(width):
                A_log2[n, i] = A[first + i, n] * log2_e
                h_l[n, i] = h[first + i, n]
        delta_l = np.zeros(BLOCK, u.dtype)
        bu = np.zeros(BLOCK, u.dtype)
        y_l = np.zeros(BLOCK, u.dtype)
        for t in range(length):
            if t % SPAN == 0:
                edges[t // SPAN, block] = h_l
            for i in range(width):
                delta_l[i] = delta[t, first + i]
                bu[i] = delta[t, first + i] * u[t, first + i]
                y_l[i] = D[first + i] * u[t, first + i]
            for n in range(state):
                B_t = B[t, n]
                C_t = C[t, n]
                for i in range(BLOCK):
                    h_l[n, i] += exp2m1(delta_l[i] * A_log2[n, i]) * h_l[n, i] + bu[i] * B_t
                    y_l[i] += C_t * h_l[n, i]
            for i in range(width):
                y[t, first + i] = y_l[i]
        for n in range(state):
            for i in range(width):
                h[first + i, n] = h_l[n, i]


@njit(parallel=True, fastmath=FASTMATH, cache=True, error_model="numpy")
def _vjp(delta, A, B, C, D, u, edges, y_bar, h_bar, delta_bar, A_bar, B_bar, C_bar, D_bar, u_bar):
    length, inner = u.shape
    state = B.shape[1]
    log2_e = u.dtype.type(LOG2_E)
    environment = float_environment()
    for block in prange((inner + BLOCK - 1) // BLOCK):
        adopt_float_environment(environment)
        first = block * BLOCK
        width = min(BLOCK, inner - first)
        A_l = np.zeros((state, BLOCK), u.dtype)
        A_bar_l = np.zeros((state, BLOCK), u.dtype)
        h_bar_l = np.zeros((state, BLOCK), u.dtype)
        D_bar_l = np.zeros(BLOCK, u.dtype)
        for n in range(state):
            for i in range(width):
                A_l[n, i] = A[first + i, n]
                h_bar_l[n, i] = h_bar[first + i, n]
        # Of one span.
        delta_l = local_span(u.dtype)
        bu = local_span(u.dtype)
        y_bar_l = local_span(u.dtype)
        bu_bar = local_span(u.dtype)
        by_z = local_span(u.dtype)
        # Of one span and one state dimension.
        m = local_span(u.dtype)
        h = local_states(u.dtype)
        A_n = local_row(u.dtype)
        A_log2 = local_row(u.dtype)
        A_bar_n = local_row(u.dtype)
        h_bar_n = local_row(u.dtype)
        to_B = local_row(u.dtype)
        to_C = local_row(u.dtype)
        # Channels past the end compute on zeros: whole vectors everywhere.
        delta_l[:] = 0
        bu[:] = 0
        y_bar_l[:] = 0
        for span in range((length + SPAN - 1) // SPAN - 1, -1, -1):
            start = span * SPAN
            steps = min(SPAN, length - start)
            bu_bar[:] = 0
            by_z[:] = 0
            for j in range(steps):
                for i in range(width):
                    delta_l[j, i] = delta[start + j, first + i]
                    bu[j, i] = delta[start + j, first + i] * u[start + j, first + i]
                    y_bar_l[j, i] = y_bar[start + j, first + i]
            for n in range(state):
                for i in range(BLOCK):
                    h[0, i] = edges[span, block, n, i]
                    A_n[i] = A_l[n, i]
                    A_log2[i] = A_l[n, i] * log2_e
                    A_bar_n[i] = A_bar_l[n, i]
                    h_bar_n[i] = h_bar_l[n, i]
                for j in range(steps):
                    B_t = B[start + j, n]
                    for i in range(BLOCK):
                        m[j, i] = exp2m1(delta_l[j, i] * A_log2[i])
                        h[j + 1, i] = h[j, i] + (m[j, i] * h[j, i] + bu[j, i] * B_t)
                for j in range(steps - 1, -1, -1):
                    B_t = B[start + j, n]
                    C_t = C[start + j, n]
                    for i in range(BLOCK):
                        after = h_bar_n[i] + C_t * y_bar_l[j, i]
                        before = after + m[j, i] * after
                        z_bar = before * h[j, i]
                        h_bar_n[i] = before
                        bu_bar[j, i] += after * B_t
                        by_z[j, i] += z_bar * A_n[i]
                        A_bar_n[i] += z_bar * delta_l[j, i]
                        to_B[i] = after * bu[j, i]
                        to_C[i] = y_bar_l[j, i] * h[j + 1, i]
                    B_bar[block, start + j, n] = block_sum(to_B)
                    C_bar[block, start + j, n] = block_sum(to_C)
                for i in range(BLOCK):
                    A_bar_l[n, i] = A_bar_n[i]
                    h_bar_l[n, i] = h_bar_n[i]
            for j in range(steps):
                for i in range(width):
                    u_t = u[start + j, first + i]
                    u_bar[start + j, first + i] = D[first + i] * y_bar_l[j, i] + delta_l[j, i] * bu_bar[j, i]
                    delta_bar[start + j, first + i] = by_z[j, i] + u_t * bu_bar[j, i]
                    D_bar_l[i] += y_bar_l[j, i] * u_t
        for i in range(width):
            D_bar[first + i] = D_bar_l[i]
            for n in range(state):
                A_bar[first + i, n] = A_bar_l[n, i]
                h_bar[first + i, n] = h_bar_l[n, i]


def forward(primal: Scan) -> ScanPass:
    """Return y, the state after the tile and the states at the edges of spans; arguments as ``reference.forward``."""
    return run_forward(_forward, primal)


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return run_jvp(_jvp, primal, dot)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    return run_vjp(_vjp, primal, edges, y_bar, h_bar)
