"""The recurrence of Mamba-2, one base after the other, with its analytic derivatives; nothing of (T, H, P, N) exists.

H heads of P channels; in each, all channels and states decay alike; consecutive heads share B and C in G groups.

Source: Dao & Gu 2024, section 6 (state space duality).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.ops.scan_results import ScanDual


class Scan(NamedTuple):
    """Arguments of the scan over one tile; its tangents are the same with a leading K; its adjoints are the same."""

    delta: Tensor
    """Step sizes, (T, H)."""
    A: Tensor
    """State matrix: one negative number a head, (H,)."""
    B: Tensor
    """Input map, (T, G, N)."""
    C: Tensor
    """Output map, (T, G, N)."""
    D: Tensor
    """Skip weights, (H, P)."""
    u: Tensor
    """Inputs, (T, H, P)."""
    h: Tensor
    """State before the tile, (H, P, N)."""


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (T, H, P) and the state after the tile (H, P, N)."""
    delta, A, B, C, D, u, h = scan
    B, C = _to_heads(B, len(A)), _to_heads(C, len(A))
    rows = []
    for t in range(len(u)):
        b = _outer(delta[t, :, None] * u[t], B[t])
        # Not exp(.) h + b: near 1 that keeps too few digits of a slow decay in float32.
        h = h + (torch.expm1(delta[t] * A)[:, None, None] * h + b)
        rows.append(_read(h, C[t]) + D * u[t])
    return torch.stack(rows), h


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return the stack (1 + K, T, H, P) of y, h and its tangents (K, H, P, N) along K directions.

        h_dot_t = a_t h_dot_(t-1) + a_dot_t h_(t-1) + b_dot_t,     a_dot_t = a_t delta_dot_t A
        y_dot_t = h_dot_t C_t + h_t C_dot_t + D u_dot_t

    Args:
        primal: the scan.
        dot: its tangents, each with a leading K; ``dot.A`` and ``dot.D`` are not read: the weights stand still.
    """
    delta, A, B, C, D, u, h = primal
    B, C, B_dot, C_dot = (_to_heads(maps, len(A)) for maps in (B, C, dot.B, dot.C))
    h_dot = dot.h
    rows = []
    for t in range(len(u)):
        m = torch.expm1(delta[t] * A)[:, None, None]
        a_dot = (m + 1) * (dot.delta[:, t] * A)[..., None, None]
        fed, fed_dot = delta[t, :, None] * u[t], dot.delta[:, t, :, None] * u[t] + delta[t, :, None] * dot.u[:, t]
        h_dot = h_dot + (m * h_dot + (a_dot * h + (_outer(fed_dot, B[t]) + _outer(fed, B_dot[:, t]))))
        h = h + (m * h + _outer(fed, B[t]))
        y_dot = _read(h_dot, C[t]) + _read(h, C_dot[:, t]) + D * dot.u[:, t]
        rows.append(torch.cat([(_read(h, C[t]) + D * u[t])[None], y_dot]))
    return ScanDual(torch.stack(rows, dim=1), h, h_dot)


def vjp(primal: Scan, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, computing the states again.

        h_bar_t <- h_bar_t + y_bar_t C_t,     a_bar_t = <h_bar_t, h_(t-1)>,     h_bar_(t-1) = a_t h_bar_t

    Args:
        primal: the scan.
        y_bar: adjoint of its output, (T, H, P).
        h_bar: adjoint of the state after the tile, (H, P, N).
    """
    delta, A, B, C, D, u, h = primal
    groups = B.shape[1]
    B, C = _to_heads(B, len(A)), _to_heads(C, len(A))
    bars = Scan(*(torch.zeros_like(tensor) for tensor in primal))._replace(D=(y_bar * u).sum(0))
    states = [h]
    for t in range(len(u)):
        h = h + (torch.expm1(delta[t] * A)[:, None, None] * h + _outer(delta[t, :, None] * u[t], B[t]))
        states.append(h)
    for t in reversed(range(len(u))):
        m = torch.expm1(delta[t] * A)[:, None, None]
        h_bar = h_bar + _outer(y_bar[t], C[t])
        fed_bar = _read(h_bar, B[t])
        z_bar = torch.exp(delta[t] * A) * (h_bar * states[t]).sum((1, 2))
        bars.C[t] = _over_heads(torch.einsum("hp,hpn->hn", y_bar[t], states[t + 1]), groups)
        bars.B[t] = _over_heads(torch.einsum("hp,hpn->hn", delta[t, :, None] * u[t], h_bar), groups)
        bars.u[t] = D * y_bar[t] + delta[t, :, None] * fed_bar
        bars.delta[t] = z_bar * A + (fed_bar * u[t]).sum(1)
        bars.A.add_(z_bar * delta[t])
        h_bar = h_bar + m * h_bar
    return bars._replace(h=h_bar)


def _to_heads(maps: Tensor, heads: int) -> Tensor:
    """(..., G, N) of the groups as (..., H, N): consecutive heads share a group's."""
    return maps.repeat_interleave(heads // maps.shape[-2], dim=-2)


def _over_heads(maps: Tensor, groups: int) -> Tensor:
    """The sum over the heads of each group: (H, N) to (G, N)."""
    return torch.unflatten(maps, 0, (groups, -1)).sum(1)


def _outer(u: Tensor, B: Tensor) -> Tensor:
    """(..., P) and (..., N) to (..., P, N)."""
    return u[..., :, None] * B[..., None, :]


def _read(h: Tensor, C: Tensor) -> Tensor:
    """(..., P, N) and (..., N) to (..., P)."""
    return (h @ C[..., None])[..., 0]
