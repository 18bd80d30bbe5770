"""The paper's scan in a half-precision format, emulated: every number is rounded as that format would round it.

As on an accelerator, sums over states accumulate in float32, and functions such as the exponential are taken in float32
and rounded once.
"""

import torch
from torch import Tensor

from pgf_cli.core.ops.activations import softplus_jvp
from pgf_cli.core.ops.frechet_scan import Scan, ScanDual
from pgf_cli.core.ops.frechet_scan.reference import phi1, phi1_slope

CHUNK = 16
"""Steps of time of which arrays (steps, channels, states) exist together."""


def rounded(numbers: torch.dtype, state: torch.dtype, primal: Scan, dot: Scan) -> ScanDual:
    """Return y, the state and their tangents along one direction; arguments as ``frechet_scan.jvp``.

    Args:
        numbers: format of inputs, maps and outputs.
        state: format of the state and of all arithmetic in the recurrence.
        primal: the scan.
        dot: its tangent, K = 1.
    """
    primal, dot = (
        Scan(*(part.to(numbers).to(state) for part in scan))._replace(h=scan.h.to(state)) for scan in (primal, dot)
    )
    h, h_dot, rows = primal.h, dot.h[0], []
    for first in range(0, len(primal.u), CHUNK):
        s, h, h_dot = _chunk(slice(first, first + CHUNK), primal, dot, h, h_dot)
        rows.append(s)
    y = softplus_jvp(torch.cat(rows, dim=1).float()).to(state) * primal.scale
    return ScanDual(y.to(numbers), h, h_dot[None])


def _chunk(here: slice, primal: Scan, dot: Scan, h: Tensor, h_dot: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """C . h + D u and its tangent (2, T, E), and the states after."""
    state, A, u, u_dot = primal.u.dtype, primal.A, primal.u[here, :, None], dot.u[0, here, :, None]
    B, B_dot = primal.B[here, None], dot.B[0, here, None]
    C, C_dot = primal.C[here, :, None], dot.C[0, here, :, None]
    deltas = softplus_jvp(torch.stack([primal.step[here], dot.step[0, here]]).float()).to(state)[..., None]
    e, e_dot = deltas[0] * A, deltas[1] * A
    a, m, gain, slope = (f(e.float()).to(state) for f in (torch.exp, torch.expm1, phi1, phi1_slope))
    b, a_dot = gain * u * B, a * e_dot
    b_dot = slope * e_dot * u * B + gain * u_dot * B + gain * u * B_dot
    states, states_dot = torch.empty_like(b), torch.empty_like(b)
    for t in range(len(b)):
        h_dot = h_dot + (m[t] * h_dot + (a_dot[t] * h + b_dot[t]))
        h = h + (m[t] * h + b[t])
        states[t], states_dot[t] = h, h_dot
    s = (states @ C)[..., 0] + primal.D * primal.u[here]
    s_dot = (states_dot @ C + states @ C_dot)[..., 0] + primal.D * dot.u[0, here]
    return torch.stack([s, s_dot]), h, h_dot
