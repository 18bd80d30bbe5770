"""Selective scan, one step at a time: the definition that every fast kernel is tested against.

    h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t          (Euler step for B, zero-order hold for A)
    y_t = C_t . h_t + D u_t

The step is taken as h + (expm1(delta A) h + delta B u). In float32, a h + b with a near 1 loses the slow states:
3e-5 after 10^4 steps at A_log -8, where this form keeps 7e-7 to 10^6 steps.

Source: Gu & Dao 2023, Algorithm 2.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Scan(NamedTuple):
    """Arguments of a scan over one tile.

    Its tangents along K directions are the same with a leading K; its adjoints are the same.
    """

    delta: Tensor
    """Step sizes after softplus, (T, E), positive."""
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
    h: Tensor
    """State before the tile, (E, N)."""


class ScanDual(NamedTuple):
    """Output y (T, E) and state h (E, N) after the tile, with their K tangents."""

    y: Tensor
    y_dot: Tensor
    h: Tensor
    h_dot: Tensor


class ScanPass(NamedTuple):
    """Output y (T, E) and state h (E, N) after the tile, and what the way back needs."""

    y: Tensor
    h: Tensor
    edges: Tensor | None
    """States at the edges of blocks of time, from which a compiled ``vjp`` computes all others again."""


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (T, E) and the state after the tile (E, N)."""
    delta, A, B, C, D, u, h = scan
    rows = []
    for t in range(u.shape[0]):
        b = (delta[t] * u[t])[:, None] * B[t]
        h = h + (torch.expm1(delta[t, :, None] * A) * h + b)
        rows.append(h @ C[t] + D * u[t])
    return torch.stack(rows), h


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions.

        h_dot_t = a_t h_dot_(t-1) + a_dot_t h_(t-1) + b_dot_t,     a_dot_t = a_t delta_dot_t A
        y_dot_t = C_t . h_dot_t + C_dot_t . h_t + D u_dot_t

    Args:
        primal: the scan.
        dot: its tangents, each with a leading K; ``dot.A`` and ``dot.D`` are not read: the weights stand still.
    """
    delta, A, B, C, D, u, h = primal
    h_dot = dot.h
    rows, rows_dot = [], []
    for t in range(u.shape[0]):
        m = torch.expm1(delta[t, :, None] * A)
        a_dot = (m + 1) * (dot.delta[:, t, :, None] * A)
        b_dot = (dot.delta[:, t] * u[t] + delta[t] * dot.u[:, t])[..., None] * B[t]
        b_dot = b_dot + (delta[t] * u[t])[:, None] * dot.B[:, t, None, :]
        h_dot = h_dot + (m * h_dot + (a_dot * h + b_dot))
        h = h + (m * h + (delta[t] * u[t])[:, None] * B[t])
        rows.append(h @ C[t] + D * u[t])
        rows_dot.append(h_dot @ C[t] + torch.einsum("en,kn->ke", h, dot.C[:, t]) + D * dot.u[:, t])
    return ScanDual(torch.stack(rows), torch.stack(rows_dot, dim=1), h, h_dot)


def vjp(primal: Scan, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, computing the states again.

        h_bar_t <- h_bar_t + C_t y_bar_t,     z_bar_t = a_t h_bar_t h_(t-1),     z_t = delta_t A
        h_bar_(t-1) = a_t h_bar_t

    Args:
        primal: the scan.
        y_bar: adjoint of its output, (T, E).
        h_bar: adjoint of the state after the tile, (E, N).
    """
    delta, A, B, C, D, u, h = primal
    bars = Scan(*(torch.zeros_like(tensor) for tensor in primal))._replace(D=(y_bar * u).sum(0))
    states = [h]
    for t in range(u.shape[0]):
        states.append(forward(Scan(delta[t : t + 1], A, B[t : t + 1], C[t : t + 1], D, u[t : t + 1], states[-1]))[1])
    for t in reversed(range(u.shape[0])):
        m = torch.expm1(delta[t, :, None] * A)
        h_bar = h_bar + y_bar[t, :, None] * C[t]
        z_bar = (h_bar + m * h_bar) * states[t]
        bu_bar = h_bar @ B[t]
        bars.C[t] = y_bar[t] @ states[t + 1]
        bars.B[t] = (delta[t] * u[t]) @ h_bar
        bars.u[t] = D * y_bar[t] + delta[t] * bu_bar
        bars.delta[t] = (z_bar * A).sum(1) + u[t] * bu_bar
        bars.A.add_(z_bar * delta[t, :, None])
        h_bar = h_bar + m * h_bar
    return bars._replace(h=h_bar)
