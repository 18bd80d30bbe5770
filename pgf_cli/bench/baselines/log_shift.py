"""The scan that the paper's published code takes: division by cumulative products inside a tile.

With S_t = e_1 + ... + e_t, the logarithm of the product of all a up to t, counted anew from each tile's beginning,

    h_t = exp(S_t) (h_0 + sum over s <= t of exp(-S_s) b_s)

and the tangent is the same recurrence with a_dot_t h_(t-1) + b_dot_t for b_t. All steps of a tile are sums that run in
parallel, but exp(-S) overflows where a tile decays by more than the number format's range: from S = -88 on in float32.

Source: arXiv 2512.23068, from its description. phi1 is exact here, where the published code adds 1e-9 to its
denominator, so that nothing but the scan differs from ours. On the CPU torch adds up a ``cumsum`` of float32 in float64
and rounds each sum once, which is kinder to this scan than an accelerator is.
"""

import torch
from torch import Tensor

from pgf_cli.core.ops.activations import softplus_jvp
from pgf_cli.core.ops.frechet_scan import Scan, ScanDual
from pgf_cli.core.ops.frechet_scan.reference import phi1, phi1_slope


def log_shift(tile: int, primal: Scan, dot: Scan) -> ScanDual:
    """Return y, the state and their tangents, tile by tile; arguments and result as ``frechet_scan.jvp``."""
    rows, h, h_dot = [], primal.h, dot.h
    for first in range(0, len(primal.u), tile):
        here = slice(first, first + tile)
        step, B, C, u = (part[here] for part in (primal.step, primal.B, primal.C, primal.u))
        one = primal._replace(step=step, B=B, C=C, u=u, h=h)
        step, B, C, u = (part[:, here] for part in (dot.step, dot.B, dot.C, dot.u))
        y, h, h_dot = _one_tile(one, dot._replace(step=step, B=B, C=C, u=u, h=h_dot))
        rows.append(y)
    return ScanDual(torch.cat(rows, dim=1), h, h_dot)


def _one_tile(primal: Scan, dot: Scan) -> ScanDual:
    deltas = softplus_jvp(torch.cat([primal.step[None], dot.step]))[..., None]
    e, e_dot = deltas[0] * primal.A, deltas[1:] * primal.A
    gain, u, B = phi1(e), primal.u[..., None], primal.B[:, None]
    b_dot = phi1_slope(e) * e_dot * u * B + gain * (dot.u[..., None] * B + u * dot.B[:, :, None])
    log_products = e.cumsum(0)
    h = _divided(log_products, gain * u * B, primal.h)
    before = torch.cat([primal.h[None], h[:-1]])
    h_dot = _divided(log_products, torch.exp(e) * e_dot * before + b_dot, dot.h)
    s = torch.einsum("ten,tn->te", h, primal.C) + primal.D * primal.u
    s_dot = torch.einsum("kten,tn->kte", h_dot, primal.C) + torch.einsum("ten,ktn->kte", h, dot.C) + primal.D * dot.u
    return ScanDual(softplus_jvp(torch.cat([s[None], s_dot])) * primal.scale, h[-1], h_dot[:, -1])


def _divided(log_products: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """All states (..., T, E, N), from what each step adds (..., T, E, N) and the state before (..., E, N)."""
    return torch.exp(log_products) * (h.unsqueeze(-3) + (torch.exp(-log_products) * b).cumsum(-3))
