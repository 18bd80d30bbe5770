"""Selective scan, one step at a time: the definition that every fast kernel is tested against.

    delta_t = softplus(step_t)
    h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t          (Euler step for B, zero-order hold for A)
    y_t = (C_t . h_t + D u_t) silu(z_t)

The recurrence is taken as h + (expm1(delta A) h + delta B u). In float32, a h + b with a near 1 loses the slow states:
3e-5 after 10^4 steps at A_log -8, where this form keeps 7e-7 to 10^6 steps. Softplus before and gate after belong to
the operator so that a kernel reads and writes each (T, E) array once.

Source: Gu & Dao 2023, Algorithm 2.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops.activations import silu_jvp, silu_vjp, softplus_jvp, softplus_vjp
from pgf_cli.core.ops.scan_results import ScanDual


class Scan(NamedTuple):
    """Arguments of a scan over one tile.

    Its tangents along K directions are the same with a leading K; its adjoints are the same.
    """

    step: Tensor
    """Step sizes before softplus, (T, E)."""
    A: Tensor
    """State matrix, (E, N), negative."""
    B: Tensor
    """Input map, (T, N)."""
    C: Tensor
    """Output map, (T, N)."""
    D: Tensor
    """Skip weights, (E,)."""
    u: Tensor
    """Inputs, (T, E)."""
    z: Tensor
    """Gates before SiLU, (T, E)."""
    h: Tensor
    """State before the tile, (E, N)."""


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (T, E) and the state after the tile (E, N)."""
    s, h = _ungated(scan)
    return s * functional.silu(scan.z), h


def _ungated(scan: Scan) -> tuple[Tensor, Tensor]:
    """C . h + D u (T, E) and the state after the tile (E, N)."""
    step, A, B, C, D, u, _, h = scan
    delta = functional.softplus(step)
    rows = []
    for t in range(u.shape[0]):
        b = (delta[t] * u[t])[:, None] * B[t]
        h = h + (torch.expm1(delta[t, :, None] * A) * h + b)
        rows.append(h @ C[t] + D * u[t])
    return torch.stack(rows), h


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions.

        h_dot_t = a_t h_dot_(t-1) + a_dot_t h_(t-1) + b_dot_t,     a_dot_t = a_t delta_dot_t A
        s_dot_t = C_t . h_dot_t + C_dot_t . h_t + D u_dot_t,       y = s silu(z)

    Args:
        primal: the scan.
        dot: its tangents, each with a leading K; ``dot.A`` and ``dot.D`` are not read: the weights stand still.
    """
    _, A, B, C, D, u, z, h = primal
    deltas = softplus_jvp(torch.cat([primal.step[None], dot.step]))
    delta, delta_dot, h_dot = deltas[0], deltas[1:], dot.h
    rows, rows_dot = [], []
    for t in range(u.shape[0]):
        m = torch.expm1(delta[t, :, None] * A)
        a_dot = (m + 1) * (delta_dot[:, t, :, None] * A)
        b_dot = (delta_dot[:, t] * u[t] + delta[t] * dot.u[:, t])[..., None] * B[t]
        b_dot = b_dot + (delta[t] * u[t])[:, None] * dot.B[:, t, None, :]
        h_dot = h_dot + (m * h_dot + (a_dot * h + b_dot))
        h = h + (m * h + (delta[t] * u[t])[:, None] * B[t])
        rows.append(h @ C[t] + D * u[t])
        rows_dot.append(h_dot @ C[t] + torch.einsum("en,kn->ke", h, dot.C[:, t]) + D * dot.u[:, t])
    s, s_dot = torch.stack(rows), torch.stack(rows_dot, dim=1)
    gate, gate_dot = silu_jvp(z, dot.z)
    return ScanDual(torch.cat([(s * gate)[None], s_dot * gate + s * gate_dot]), h, h_dot)


def vjp(primal: Scan, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, computing the states again.

        h_bar_t <- h_bar_t + C_t s_bar_t,     e_bar_t = a_t h_bar_t h_(t-1),     e_t = delta_t A
        h_bar_(t-1) = a_t h_bar_t

    Args:
        primal: the scan.
        y_bar: adjoint of its output, (T, E).
        h_bar: adjoint of the state after the tile, (E, N).
    """
    step, A, B, C, D, u, z, h = primal
    delta = functional.softplus(step)
    s_bar = y_bar * functional.silu(z)
    bars = Scan(*(torch.zeros_like(tensor) for tensor in primal))._replace(D=(s_bar * u).sum(0))
    states, rows = [h], []
    for t in range(u.shape[0]):
        here = slice(t, t + 1)
        s, h = _ungated(Scan(step[here], A, B[here], C[here], D, u[here], z[here], h))
        states.append(h)
        rows.append(s)
    delta_bar = torch.zeros_like(step)
    for t in reversed(range(u.shape[0])):
        m = torch.expm1(delta[t, :, None] * A)
        h_bar = h_bar + s_bar[t, :, None] * C[t]
        e_bar = (h_bar + m * h_bar) * states[t]
        bu_bar = h_bar @ B[t]
        bars.C[t] = s_bar[t] @ states[t + 1]
        bars.B[t] = (delta[t] * u[t]) @ h_bar
        bars.u[t] = D * s_bar[t] + delta[t] * bu_bar
        delta_bar[t] = (e_bar * A).sum(1) + u[t] * bu_bar
        bars.A.add_(e_bar * delta[t, :, None])
        h_bar = h_bar + m * h_bar
    z_bar = silu_vjp(z, y_bar * torch.cat(rows))
    return bars._replace(step=softplus_vjp(step, delta_bar), z=z_bar, h=h_bar)
