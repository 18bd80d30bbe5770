"""The paper's scan compiled for the user's own processor, in the layout of ``selective_scan.cpu``.

What is computed is ``reference.jvp``, term by term.
"""

import numpy as np
from numba import njit, prange

from pgf_cli.core.ops.exponential import FASTMATH, exp_phi1
from pgf_cli.core.ops.selective_scan import Scan, ScanDual
from pgf_cli.core.ops.selective_scan.cpu import BLOCK, run_jvp
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


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions; arguments and result as ``reference.jvp``."""
    return run_jvp(_jvp, primal, dot)
