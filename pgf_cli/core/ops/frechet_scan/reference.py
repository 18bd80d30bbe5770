"""The paper's scan, one step at a time: the definition that every fast kernel is tested against.

    delta_t = softplus(step_t),     e_t = delta_t A,     phi1(e) = (exp(e) - 1) / e
    h_t = exp(e_t) h_(t-1) + phi1(e_t) B_t u_t
    y_t = softplus(C_t . h_t + D u_t) scale

It differs from the selective scan in phi1(e_t) where that has delta_t and in what it does with the output. The
recurrence is taken in the same form, h + (expm1(e) h + b), without which float32 loses the slow states.

Source: arXiv 2512.23068, which adds 1e-9 to phi1's denominator; here phi1 is exact, also at e = 0.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops.activations import softplus_jvp, softplus_vjp
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
    scale: Tensor
    """Factor of the output, ()."""
    h: Tensor
    """State before the tile, (E, N)."""


_SERIES = [1 / math.factorial(power + 1) for power in range(21)]
_SERIES_SLOPE = [power * term for power, term in enumerate(_SERIES)][1:]
_SERIES_UP_TO = 1.0
"""|z| from which the closed forms are used: there they no longer cancel, and the series are still good to rounding."""


def phi1(z: Tensor) -> Tensor:
    """Return (e^z - 1) / z for z <= 0; its derivatives by autograd, of any order, are good to rounding, too."""
    near, z_near, z_far = _near_and_far(z)
    return torch.where(near, _horner(z_near, _SERIES), torch.expm1(z_far) / z_far)


def phi1_slope(z: Tensor) -> Tensor:
    """Return phi1'(z) = (e^z - phi1(z)) / z for z <= 0."""
    near, z_near, z_far = _near_and_far(z)
    far = (torch.exp(z_far) - torch.expm1(z_far) / z_far) / z_far
    return torch.where(near, _horner(z_near, _SERIES_SLOPE), far)


def _near_and_far(z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # Each form gets a harmless argument where the other one holds: a NaN in it would reach the derivative.
    near = z.abs() < _SERIES_UP_TO
    return near, torch.where(near, z, 0.0), torch.where(near, -_SERIES_UP_TO, z)


def _horner(z: Tensor, terms: list[float]) -> Tensor:
    value = torch.full_like(z, terms[-1])
    for term in reversed(terms[:-1]):
        value = term + z * value
    return value


def forward(scan: Scan) -> tuple[Tensor, Tensor]:
    """Return y (T, E) and the state after the tile (E, N)."""
    s, h = _unscaled(scan)
    return functional.softplus(s) * scan.scale, h


def _unscaled(scan: Scan) -> tuple[Tensor, Tensor]:
    """C . h + D u (T, E) and the state after the tile (E, N)."""
    step, A, B, C, D, u, _, h = scan
    delta = functional.softplus(step)
    rows = []
    for t in range(u.shape[0]):
        e = delta[t, :, None] * A
        b = phi1(e) * u[t, :, None] * B[t]
        h = h + (torch.expm1(e) * h + b)
        rows.append(h @ C[t] + D * u[t])
    return torch.stack(rows), h


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions.

        h_dot_t = a_t h_dot_(t-1) + a_dot_t h_(t-1) + b_dot_t,     a_dot_t = a_t e_dot_t,     e_dot_t = delta_dot_t A
        b_dot_t = phi1'(e_t) e_dot_t B_t u_t + phi1(e_t) (B_t u_dot_t + B_dot_t u_t)
        s_dot_t = C_t . h_dot_t + C_dot_t . h_t + D u_dot_t,       y = softplus(s) scale

    Args:
        primal: the scan.
        dot: its tangents, each with a leading K; those of ``A``, ``D`` and ``scale`` are not read: weights stand still.
    """
    _, A, B, C, D, u, scale, h = primal
    deltas = softplus_jvp(torch.cat([primal.step[None], dot.step]))
    delta, delta_dot, h_dot = deltas[0], deltas[1:], dot.h
    rows, rows_dot = [], []
    for t in range(u.shape[0]):
        e, e_dot = delta[t, :, None] * A, delta_dot[:, t, :, None] * A
        gain, m, u_t = phi1(e), torch.expm1(e), u[t, :, None]
        a_dot = torch.exp(e) * e_dot
        b_dot = (phi1_slope(e) * e_dot * u_t + gain * dot.u[:, t, :, None]) * B[t]
        b_dot = b_dot + gain * u_t * dot.B[:, t, None, :]
        h_dot = h_dot + (m * h_dot + (a_dot * h + b_dot))
        h = h + (m * h + gain * u_t * B[t])
        rows.append(h @ C[t] + D * u[t])
        rows_dot.append(h_dot @ C[t] + torch.einsum("en,kn->ke", h, dot.C[:, t]) + D * dot.u[:, t])
    y = softplus_jvp(torch.cat([torch.stack(rows)[None], torch.stack(rows_dot, dim=1)])) * scale
    return ScanDual(y, h, h_dot)


def vjp(primal: Scan, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, computing the states again.

        h_bar_t <- h_bar_t + C_t s_bar_t,     e_bar_t = (a_t h_(t-1) + phi1'(e_t) B_t u_t) h_bar_t
        h_bar_(t-1) = a_t h_bar_t

    Args:
        primal: the scan.
        y_bar: adjoint of its output, (T, E).
        h_bar: adjoint of the state after the tile, (E, N).
    """
    step, A, B, C, D, u, scale, h = primal
    delta = functional.softplus(step)
    states, rows = [h], []
    for t in range(u.shape[0]):
        here = slice(t, t + 1)
        s, h = _unscaled(Scan(step[here], A, B[here], C[here], D, u[here], scale, h))
        states.append(h)
        rows.append(s)
    unscaled = torch.cat(rows)
    s_bar = softplus_vjp(unscaled, y_bar * scale)
    bars = Scan(*(torch.zeros_like(tensor) for tensor in primal))
    bars = bars._replace(D=(s_bar * u).sum(0), scale=(y_bar * functional.softplus(unscaled)).sum())
    delta_bar = torch.zeros_like(step)
    for t in reversed(range(u.shape[0])):
        e = delta[t, :, None] * A
        gain, m = phi1(e), torch.expm1(e)
        h_bar = h_bar + s_bar[t, :, None] * C[t]
        e_bar = (torch.exp(e) * states[t] + phi1_slope(e) * u[t, :, None] * B[t]) * h_bar
        bars.C[t] = s_bar[t] @ states[t + 1]
        bars.B[t] = (gain * h_bar).T @ u[t]
        bars.u[t] = D * s_bar[t] + (gain * h_bar) @ B[t]
        delta_bar[t] = (e_bar * A).sum(1)
        bars.A.add_(e_bar * delta[t, :, None])
        h_bar = h_bar + m * h_bar
    return bars._replace(step=softplus_vjp(step, delta_bar), h=h_bar)
