"""Selective scan compiled for the user's own processor: primal and K tangents in one pass over memory.

Time runs inside, blocks of channels in parallel. A block's states are small local arrays, channels innermost, which
the compiler keeps in first-level cache and vectorises over; no (T, E, N) array exists. What is computed is
``reference.jvp``, term by term.
"""

from typing import Any

import numpy as np
import torch
from numba import njit, prange

from pgf_cli.core.ops.exponential import FASTMATH, LOG2_E, exp2m1
from pgf_cli.core.ops.selective_scan.reference import Scan, ScanDual
from pgf_cli.core.threads import adopt_float_environment, float_environment

BLOCK = 32
"""Channels of a work item; a constant, so that the compiler unrolls and the number of threads changes nothing."""


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


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return run_jvp(_jvp, primal, dot)


def run_jvp(kernel: Any, primal: Scan, dot: Scan) -> ScanDual:
    """Call a compiled loop with the tensors of a scan and with outputs for it to fill."""
    h, h_dot = (state.clone(memory_format=torch.contiguous_format) for state in (primal.h, dot.h))
    y, y_dot = primal.u.new_empty(primal.u.shape), dot.u.new_empty(dot.u.shape)
    moving = (dot.delta, dot.B, dot.C, dot.u, h_dot)
    arguments = (*primal[:-1], h, *moving, y, y_dot)
    kernel(*(tensor.contiguous().numpy() for tensor in arguments))
    return ScanDual(y, y_dot, h, h_dot)
