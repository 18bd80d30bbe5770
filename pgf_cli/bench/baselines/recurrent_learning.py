"""Real-time recurrent learning with a dense transition, as the paper's appendix A.3 sets it beside its own method.

    P_t = J_t P_(t-1) + M_t,    P = dh/dA_log,    J_t = dh_t/dh_(t-1),    M_t = the direct effect of A_log on h_t

For each channel, J and P are N x N. J is diagonal for this operator; the general method does not know that, so a step
costs N^3 multiplications a channel.

Source: Williams & Zipser 1989, a learning algorithm for continually running fully recurrent neural networks.
"""

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models import FrechetModel
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.ops.frechet_scan.reference import phi1, phi1_slope


def decay_gradient(model: FrechetModel, codes: BaseCodes) -> Tensor:
    """Return the gradient (N,) of the sum of all outputs with respect to A_log, step by step without going back."""
    x = one_hot(codes, model.dtype, model.device)
    with torch.no_grad():
        u = x[:, :4] @ model.embed.weight
        delta, B, C = functional.softplus(model.dt_proj(u)), model.B_proj(u), model.C_proj(u)
        scale, A = model.redshift_scale.clamp(min=0.5), -torch.exp(model.A_log)
        h = model.initial_state(x[: model.lookahead])
        influence = h.new_zeros(*h.shape, h.shape[1])
        gradient = torch.zeros_like(model.A_log)
        for t in range(len(u)):
            e, bu = delta[t, :, None] * A, u[t, :, None] * B[t]
            direct = (torch.exp(e) * h + phi1_slope(e) * bu) * e
            influence = torch.diag_embed(torch.exp(e)) @ influence + torch.diag_embed(direct)
            h = torch.exp(e) * h + phi1(e) * bu
            h_bar = torch.outer(torch.sigmoid(h @ C[t] + model.D * u[t]) * scale, C[t])
            gradient += torch.einsum("dn,dnm->m", h_bar, influence)
    return gradient
