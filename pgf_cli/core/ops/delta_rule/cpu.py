"""The gated delta rule compiled for the user's own processor: heads are shared out, rows of the state vectorise.

What is computed is ``reference``, term by term. A head's state stays in the first-level cache from base to base; the
adjoint computes the states of a span again from the state at its edge. Sums along a row run over LANES partial sums.
"""

from typing import Any

import numpy as np
import torch
from numba.extending import register_jitable
from torch import Tensor

from pgf_cli.core.ops._numba.exponential import FASTMATH
from pgf_cli.core.ops._numba.jit import kernel, kernel_part
from pgf_cli.core.ops._numba.local_arrays import local_array
from pgf_cli.core.ops._numba.scan_loops import BLOCK as LANES
from pgf_cli.core.ops._numba.scan_loops import SPAN, block_sum
from pgf_cli.core.ops.delta_rule.reference import Rule, RuleDual
from pgf_cli.core.threads import in_groups

local_lanes = local_array(LANES)


@register_jitable(fastmath=FASTMATH - {"contract"}, error_model="numpy")
def _product(a, b, lanes):
    """The sum of a_j b_j."""
    lanes[:] = 0
    columns = a.shape[0]
    whole = columns // LANES * LANES
    for first in range(0, whole, LANES):
        for j in range(LANES):
            lanes[j] += a[first + j] * b[first + j]
    for j in range(columns - whole):
        lanes[j] += a[whole + j] * b[whole + j]
    return block_sum(lanes)


@kernel_part
def _missing(S, k, v, m, left, missing):
    """R = S + m S and v - R^T k."""
    rows, columns = S.shape
    for j in range(columns):
        missing[j] = v[j]
    for i in range(rows):
        k_i, m_i, S_i, left_i = k[i], m[i], S[i], left[i]
        for j in range(columns):
            left_i[j] = S_i[j] + m_i * S_i[j]
            missing[j] -= k_i * left_i[j]


@kernel_part
def _write(S, q, k, m, w, after, y):
    """The state after a base, which may be in the place of the one before, and its output."""
    rows, columns = S.shape
    for j in range(columns):
        y[j] = 0
    for i in range(rows):
        q_i, k_i, m_i, S_i, after_i = q[i], k[i], m[i], S[i], after[i]
        for j in range(columns):
            after_i[j] = S_i[j] + (m_i * S_i[j] + k_i * w[j])
            y[j] += q_i * after_i[j]


@kernel_part
def _scaled(beta, missing, w):
    for j in range(len(w)):
        w[j] = beta * missing[j]


@kernel
def _forward(group, groups, q, k, v, m, beta, S, y, edges):
    length, heads, _ = q.shape
    left, rows = np.empty_like(S[0]), np.empty((2, v.shape[2]), v.dtype)
    for head in range(group * heads // groups, (group + 1) * heads // groups):
        for t in range(length):
            if t % SPAN == 0:
                edges[t // SPAN, head] = S[head]
            _missing(S[head], k[t, head], v[t, head], m[t, head], left, rows[0])
            _scaled(beta[t, head], rows[0], rows[1])
            _write(S[head], q[t, head], k[t, head], m[t, head], rows[1], S[head], y[t, head])


@kernel_part
def _missing_dot(S, left, S_dot, k, k_dot, v_dot, m, m_dot, missing_dot, change):
    """The tangent of what is missing, and how the state's tangent changes but for the write."""
    rows, columns = S.shape
    for j in range(columns):
        missing_dot[j] = v_dot[j]
    for i in range(rows):
        k_i, k_dot_i, m_i, m_dot_i = k[i], k_dot[i], m[i], m_dot[i]
        S_i, left_i, S_dot_i, change_i = S[i], left[i], S_dot[i], change[i]
        for j in range(columns):
            change_i[j] = m_i * S_dot_i[j] + m_dot_i * S_i[j]
            missing_dot[j] -= k_i * (S_dot_i[j] + change_i[j]) + k_dot_i * left_i[j]


@kernel_part
def _write_dot(S, S_dot, change, q, q_dot, k, k_dot, w, w_dot, y_dot):
    rows, columns = S.shape
    for j in range(columns):
        y_dot[j] = 0
    for i in range(rows):
        q_i, q_dot_i, k_i, k_dot_i = q[i], q_dot[i], k[i], k_dot[i]
        S_i, S_dot_i, change_i = S[i], S_dot[i], change[i]
        for j in range(columns):
            S_dot_i[j] += change_i[j] + (k_dot_i * w[j] + k_i * w_dot[j])
            y_dot[j] += q_i * S_dot_i[j] + q_dot_i * S_i[j]


@kernel
def _jvp(group, groups, q, k, v, m, beta, S, q_dot, k_dot, v_dot, m_dot, beta_dot, S_dot, y, y_dot):
    length, heads, _ = q.shape
    directions = len(q_dot)
    left, changes = np.empty_like(S[0]), np.empty((directions, *S.shape[1:]), S.dtype)
    rows, w_dot = np.empty((3, v.shape[2]), v.dtype), np.empty((directions, v.shape[2]), v.dtype)
    missing, missing_dot, w = rows[0], rows[1], rows[2]
    for head in range(group * heads // groups, (group + 1) * heads // groups):
        S_h = S[head]
        for t in range(length):
            q_t, k_t, m_t, beta_t = q[t, head], k[t, head], m[t, head], beta[t, head]
            _missing(S_h, k_t, v[t, head], m_t, left, missing)
            _scaled(beta_t, missing, w)
            for d in range(directions):
                dots = (k_dot[d, t, head], v_dot[d, t, head], m_t, m_dot[d, t, head])
                _missing_dot(S_h, left, S_dot[d, head], k_t, *dots, missing_dot, changes[d])
                for j in range(len(w)):
                    w_dot[d, j] = beta_dot[d, t, head] * missing[j] + beta_t * missing_dot[j]
            _write(S_h, q_t, k_t, m_t, w, S_h, y[t, head])
            for d in range(directions):
                parts = (q_t, q_dot[d, t, head], k_t, k_dot[d, t, head], w, w_dot[d], y_dot[d, t, head])
                _write_dot(S_h, S_dot[d, head], changes[d], *parts)


@kernel_part
def _back(q, k, m, beta, y_bar, before, after, missing, S_bar, change, q_bar, k_bar, v_bar, m_bar, w, w_bar, lanes):
    """One base backwards; returns the adjoint of beta."""
    rows, columns = before.shape
    _scaled(beta, missing, w)
    for j in range(columns):
        w_bar[j] = 0
    for i in range(rows):
        q_i, k_i, S_bar_i, change_i = q[i], k[i], S_bar[i], change[i]
        for j in range(columns):
            S_bar_i[j] += change_i[j] + q_i * y_bar[j]
            w_bar[j] += k_i * S_bar_i[j]
        q_bar[i] = _product(after[i], y_bar, lanes)
        k_bar[i] = _product(S_bar_i, w, lanes)
    _scaled(beta, w_bar, v_bar)
    for i in range(rows):
        k_i, m_i, S_bar_i, change_i, before_i = k[i], m[i], S_bar[i], change[i], before[i]
        kept = _product(before_i, v_bar, lanes)
        k_bar[i] -= kept + m_i * kept
        for j in range(columns):
            change_i[j] = -k_i * v_bar[j]
        m_bar[i] = _product(S_bar_i, before_i, lanes) + _product(change_i, before_i, lanes)
        for j in range(columns):
            change_i[j] += m_i * (S_bar_i[j] + change_i[j])
    return _product(w_bar, missing, lanes)


@kernel
def _vjp(group, groups, q, k, v, m, beta, edges, y_bar, S_bar, q_bar, k_bar, v_bar, m_bar, beta_bar):
    length, heads, _ = q.shape
    size = S_bar.shape[1:]
    states, left, change = np.empty((SPAN + 1, *size), q.dtype), np.empty(size, q.dtype), np.empty(size, q.dtype)
    missing, rows = np.empty((SPAN, v.shape[2]), q.dtype), np.empty((3, v.shape[2]), q.dtype)
    lanes = local_lanes(q.dtype)
    for head in range(group * heads // groups, (group + 1) * heads // groups):
        change[:] = 0
        for start in range((length - 1) // SPAN * SPAN, -1, -SPAN):
            steps = min(SPAN, length - start)
            states[0] = edges[start // SPAN, head]
            for j in range(steps):
                t = start + j
                _missing(states[j], k[t, head], v[t, head], m[t, head], left, missing[j])
                _scaled(beta[t, head], missing[j], rows[0])
                _write(states[j], q[t, head], k[t, head], m[t, head], rows[0], states[j + 1], rows[1])
            for j in range(steps - 1, -1, -1):
                t = start + j
                primal = (q[t, head], k[t, head], m[t, head], beta[t, head], y_bar[t, head])
                kept = (states[j], states[j + 1], missing[j], S_bar[head], change)
                bars = (q_bar[t, head], k_bar[t, head], v_bar[t, head], m_bar[t, head])
                beta_bar[t, head] = _back(*primal, *kept, *bars, rows[0], rows[1], lanes)
        S_bar[head] += change


def forward(primal: Rule) -> tuple[Tensor, Tensor, Tensor]:
    """Return y, the state after the tile and the states at the edges of spans; arguments as ``reference.forward``."""
    y, S = torch.empty_like(primal.v, memory_format=torch.contiguous_format), _copy(primal.S)
    edges = S.new_empty(-(-len(y) // SPAN), *S.shape)
    _call(_forward, *_with_m(primal), S, y, edges)
    return y, S, edges


def jvp(primal: Rule, dot: Rule) -> RuleDual:
    """Return y, S and their tangents along K directions; arguments and result as ``reference.jvp``."""
    y = primal.v.new_empty(1 + len(dot.v), *primal.v.shape)
    S, S_dot = _copy(primal.S), _copy(dot.S)
    m_dot = torch.exp(primal.decay) * dot.decay
    _call(_jvp, *_with_m(primal), S, dot.q, dot.k, dot.v, m_dot, dot.beta, S_dot, y[0], y[1:])
    return RuleDual(y, S, S_dot)


def vjp(primal: Rule, edges: Tensor, y_bar: Tensor, S_bar: Tensor) -> Rule:
    """Return the adjoints of all arguments, with the edges from ``forward``; otherwise as ``reference.vjp``."""
    bars = [torch.empty_like(part, memory_format=torch.contiguous_format) for part in primal[:5]]
    before = _copy(S_bar)
    _call(_vjp, *_with_m(primal), edges, y_bar, before, *bars)
    q, k, v, m, beta = bars
    return Rule(q, k, v, torch.exp(primal.decay) * m, beta, before)


def _with_m(primal: Rule) -> tuple[Tensor, ...]:
    """The arguments but for the state, with m in the place of the decay."""
    return primal.q, primal.k, primal.v, torch.expm1(primal.decay), primal.beta


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _call(loop: Any, *tensors: Tensor) -> None:
    in_groups(loop, *(tensor.detach().contiguous().numpy() for tensor in tensors))
