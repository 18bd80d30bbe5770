"""The paper's scan, one step at a time: the definition that every fast kernel is tested against.

    h_t = exp(z_t) h_(t-1) + phi1(z_t) B_t u_t,     z_t = delta_t A,     phi1(z) = (e^z - 1) / z
    y_t = C_t . h_t + D u_t

It differs from the selective scan in one factor, phi1(z_t) where that has delta_t, and takes the same arguments and the
same form of the step, h + (expm1(z) h + b), without which float32 loses the slow states.

Source: arXiv 2512.23068, which adds 1e-9 to phi1's denominator; here phi1 is exact, also at z = 0.
"""

import math

import torch
from torch import Tensor

from pgf_cli.core.ops.selective_scan import Scan, ScanDual

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
    delta, A, B, C, D, u, h = scan
    rows = []
    for t in range(u.shape[0]):
        z = delta[t, :, None] * A
        b = phi1(z) * u[t, :, None] * B[t]
        h = h + (torch.expm1(z) * h + b)
        rows.append(h @ C[t] + D * u[t])
    return torch.stack(rows), h


def jvp(primal: Scan, dot: Scan) -> ScanDual:
    """Return y, h and their tangents along K directions.

        h_dot_t = a_t h_dot_(t-1) + a_dot_t h_(t-1) + b_dot_t,     a_dot_t = a_t z_dot_t,     z_dot_t = delta_dot_t A
        b_dot_t = phi1'(z_t) z_dot_t B_t u_t + phi1(z_t) (B_t u_dot_t + B_dot_t u_t)
        y_dot_t = C_t . h_dot_t + C_dot_t . h_t + D u_dot_t

    Args:
        primal: the scan.
        dot: its tangents, each with a leading K; ``dot.A`` and ``dot.D`` are not read: the weights stand still.
    """
    delta, A, B, C, D, u, h = primal
    h_dot = dot.h
    rows, rows_dot = [], []
    for t in range(u.shape[0]):
        z, z_dot = delta[t, :, None] * A, dot.delta[:, t, :, None] * A
        gain, m, u_t = phi1(z), torch.expm1(z), u[t, :, None]
        a_dot = torch.exp(z) * z_dot
        b_dot = (phi1_slope(z) * z_dot * u_t + gain * dot.u[:, t, :, None]) * B[t]
        b_dot = b_dot + gain * u_t * dot.B[:, t, None, :]
        h_dot = h_dot + (m * h_dot + (a_dot * h + b_dot))
        h = h + (m * h + gain * u_t * B[t])
        rows.append(h @ C[t] + D * u[t])
        rows_dot.append(h_dot @ C[t] + torch.einsum("en,kn->ke", h, dot.C[:, t]) + D * dot.u[:, t])
    return ScanDual(torch.stack(rows), torch.stack(rows_dot, dim=1), h, h_dot)


def vjp(primal: Scan, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Return the adjoints of all arguments, computing the states again.

        h_bar_t <- h_bar_t + C_t y_bar_t,     z_bar_t = (a_t h_(t-1) + phi1'(z_t) B_t u_t) h_bar_t
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
        z = delta[t, :, None] * A
        gain, m = phi1(z), torch.expm1(z)
        h_bar = h_bar + y_bar[t, :, None] * C[t]
        z_bar = (torch.exp(z) * states[t] + phi1_slope(z) * u[t, :, None] * B[t]) * h_bar
        bars.C[t] = y_bar[t] @ states[t + 1]
        bars.B[t] = (gain * h_bar).T @ u[t]
        bars.u[t] = D * y_bar[t] + (gain * h_bar) @ B[t]
        bars.delta[t] = (z_bar * A).sum(1)
        bars.A.add_(z_bar * delta[t, :, None])
        h_bar = h_bar + m * h_bar
    return bars._replace(h=h_bar)
