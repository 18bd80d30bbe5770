"""The paper's scan compiled for the user's own processor, in the layout of ``selective_scan.cpu``.

What is computed is ``reference``, term by term.
"""

import numpy as np
from numba import njit, prange
from torch import Tensor

from pgf_cli.core.ops.exponential import FASTMATH, exp_phi1
from pgf_cli.core.ops.selective_scan import Scan, ScanDual, ScanPass
from pgf_cli.core.ops.selective_scan.cpu import block_sum, local_row, local_span, local_states
from pgf_cli.core.ops.selective_scan.launch import BLOCK, SPAN, run_forward, run_jvp, run_vjp
from pgf_cli.core.threads import adopt_float_environment, float_environment


@njit(parallel=True, fastmath=FASTMATH, cache=True, error_model="numpy")
def _jvp(delta, A, B, C, D, u, h, delta_dot, B_dot, C_dot, u_dot, h_dot, y, y_dot):
    length, inner = u.shape
    state = B.shape[1]
    directions = u_dot.shape[0]
    environment = float_environment()
    for block in prange((inner + BLOCK - 1) // BLOCK):
        adopt_float_environment(environment)
        first = block * BLOCK
        width = min(BLOCK, inner - first)
        # Channels past the end compute on zeros: whole vectors everywhere.
        A_l = np.zeros((state, BLOCK), u.dtype)
        h_l = np.zeros((state, BLOCK), u.dtype)
        h_dot_l = np.zeros((directions, state, BLOCK), u.dtype)
        for n in range(state):
            for i in range(width):
                A_l[n, i] = A[first + i, n]
                h_l[n, i] = h[first + i, n]
                for k in range(directions):
                    h_dot_l[k, n, i] = h_dot[k, first + i, n]
        delta_l = np.zeros(BLOCK, u.dtype)
        u_l = np.zeros(BLOCK, u.dtype)
        y_l = np.zeros(BLOCK, u.dtype)
        before = np.zeros(BLOCK, u.dtype)
        # Of this state: a A, a - 1, and how z and u enter b: phi1'(z) A u, phi1(z), phi1(z) u.
        a_A = np.zeros(BLOCK, u.dtype)
        m = np.zeros(BLOCK, u.dtype)
        by_delta = np.zeros(BLOCK, u.dtype)
        gain = np.zeros(BLOCK, u.dtype)
        gain_u = np.zeros(BLOCK, u.dtype)
        delta_dot_l = np.zeros((directions, BLOCK), u.dtype)
        u_dot_l = np.zeros((directions, BLOCK), u.dtype)
        y_dot_l = np.zeros((directions, BLOCK), u.dtype)
        for t in range(length):
            for i in range(width):
                delta_l[i] = delta[t, first + i]
                u_l[i] = u[t, first + i]
                y_l[i] = D[first + i] * u[t, first + i]
            for k in range(directions):
                for i in range(width):
                    delta_dot_l[k, i] = delta_dot[k, t, first + i]
                    u_dot_l[k, i] = u_dot[k, t, first + i]
                    y_dot_l[k, i] = D[first + i] * u_dot[k, t, first + i]
            for n in range(state):
                B_t = B[t, n]
                C_t = C[t, n]
                for i in range(BLOCK):
                    a, m[i], gain[i], slope = exp_phi1(delta_l[i] * A_l[n, i])
                    a_A[i] = a * A_l[n, i]
                    by_delta[i] = slope * A_l[n, i] * u_l[i]
                    gain_u[i] = gain[i] * u_l[i]
                    before[i] = h_l[n, i]
                    h_l[n, i] = before[i] + (m[i] * before[i] + gain_u[i] * B_t)
                    y_l[i] += C_t * h_l[n, i]
                for k in range(directions):
                    B_dot_t = B_dot[k, t, n]
                    C_dot_t = C_dot[k, t, n]
                    for i in range(BLOCK):
                        a_dot = a_A[i] * delta_dot_l[k, i]
                        b_dot = (by_delta[i] * delta_dot_l[k, i] + gain[i] * u_dot_l[k, i]) * B_t + gain_u[i] * B_dot_t
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
    environment = float_environment()
    for block in prange((inner + BLOCK - 1) // BLOCK):
        adopt_float_environment(environment)
        first = block * BLOCK
        width = min(BLOCK, inner - first)
        A_l = np.zeros((state, BLOCK), u.dtype)
        h_l = np.zeros((state, BLOCK), u.dtype)
        for n in range(state):
            for i in range(width):
                A_l[n, i] = A[first + i, n]
                h_l[n, i] = h[first + i, n]
        delta_l = np.zeros(BLOCK, u.dtype)
        u_l = np.zeros(BLOCK, u.dtype)
        y_l = np.zeros(BLOCK, u.dtype)
        for t in range(length):
            if t % SPAN == 0:
                edges[t // SPAN, block] = h_l
            for i in range(width):
                delta_l[i] = delta[t, first + i]
                u_l[i] = u[t, first + i]
                y_l[i] = D[first + i] * u[t, first + i]
            for n in range(state):
                B_t = B[t, n]
                C_t = C[t, n]
                for i in range(BLOCK):
                    _, m, gain, _ = exp_phi1(delta_l[i] * A_l[n, i])
                    h_l[n, i] += m * h_l[n, i] + gain * u_l[i] * B_t
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
        u_l = local_span(u.dtype)
        y_bar_l = local_span(u.dtype)
        u_bar_l = local_span(u.dtype)
        delta_bar_l = local_span(u.dtype)
        # Of one span and one state dimension.
        m = local_span(u.dtype)
        gain = local_span(u.dtype)
        slope = local_span(u.dtype)
        h = local_states(u.dtype)
        A_n = local_row(u.dtype)
        A_bar_n = local_row(u.dtype)
        h_bar_n = local_row(u.dtype)
        to_B = local_row(u.dtype)
        to_C = local_row(u.dtype)
        # Channels past the end compute on zeros: whole vectors everywhere.
        delta_l[:] = 0
        u_l[:] = 0
        y_bar_l[:] = 0
        for span in range((length + SPAN - 1) // SPAN - 1, -1, -1):
            start = span * SPAN
            steps = min(SPAN, length - start)
            u_bar_l[:] = 0
            delta_bar_l[:] = 0
            for j in range(steps):
                for i in range(width):
                    delta_l[j, i] = delta[start + j, first + i]
                    u_l[j, i] = u[start + j, first + i]
                    y_bar_l[j, i] = y_bar[start + j, first + i]
            for n in range(state):
                for i in range(BLOCK):
                    h[0, i] = edges[span, block, n, i]
                    A_n[i] = A_l[n, i]
                    A_bar_n[i] = A_bar_l[n, i]
                    h_bar_n[i] = h_bar_l[n, i]
                for j in range(steps):
                    B_t = B[start + j, n]
                    for i in range(BLOCK):
                        _, m[j, i], gain[j, i], slope[j, i] = exp_phi1(delta_l[j, i] * A_n[i])
                        h[j + 1, i] = h[j, i] + (m[j, i] * h[j, i] + gain[j, i] * u_l[j, i] * B_t)
                for j in range(steps - 1, -1, -1):
                    B_t = B[start + j, n]
                    C_t = C[start + j, n]
                    for i in range(BLOCK):
                        after = h_bar_n[i] + C_t * y_bar_l[j, i]
                        before = after + m[j, i] * after
                        gained = gain[j, i] * after
                        z_bar = before * h[j, i] + slope[j, i] * u_l[j, i] * B_t * after
                        h_bar_n[i] = before
                        u_bar_l[j, i] += gained * B_t
                        delta_bar_l[j, i] += z_bar * A_n[i]
                        A_bar_n[i] += z_bar * delta_l[j, i]
                        to_B[i] = gained * u_l[j, i]
                        to_C[i] = y_bar_l[j, i] * h[j + 1, i]
                    B_bar[block, start + j, n] = block_sum(to_B)
                    C_bar[block, start + j, n] = block_sum(to_C)
                for i in range(BLOCK):
                    A_bar_l[n, i] = A_bar_n[i]
                    h_bar_l[n, i] = h_bar_n[i]
            for j in range(steps):
                for i in range(width):
                    u_bar[start + j, first + i] = D[first + i] * y_bar_l[j, i] + u_bar_l[j, i]
                    delta_bar[start + j, first + i] = delta_bar_l[j, i]
                    D_bar_l[i] += y_bar_l[j, i] * u_l[j, i]
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
