"""The gated norm on a CUDA device: the gate by torch, then the norm's kernels, a row for each base and group."""

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops.activations import silu_jvp, silu_vjp
from pgf_cli.core.ops.gated_norm.reference import GatedAdjoint
from pgf_cli.core.ops.rms_norm import cuda as rms_norm


def forward(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """Gate and normalise y (T, E); see ``reference.forward``."""
    return _normalised((y.detach() * functional.silu(z.detach()))[None], weight, eps, groups)[0]


def jvp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """The same for stacks of y and z, (1 + K, T, E); see ``reference.jvp``."""
    y, z = y.detach(), z.detach()
    gate, gate_dot = silu_jvp(z[0], z[1:])
    gated = torch.cat([(y[0] * gate)[None], (y[1:] * gate).addcmul_(y[0], gate_dot)])
    return _normalised(gated, weight, eps, groups)


def vjp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int, out_bar: Tensor) -> GatedAdjoint:
    """Return the adjoints of y, z and the weight; see ``reference.vjp``."""
    y, z, weight, out_bar = (tensor.detach() for tensor in (y, z, weight, out_bar))
    gate = functional.silu(z)
    width = y.shape[1] // groups
    gated, ones = y * gate, weight.new_ones(width)
    # The norm's own weight is one for all groups, so theirs go in and out beside it.
    unit = rms_norm.jvp(gated.view(1, -1, width), ones, eps)[0].view(y.shape)
    gated_bar, _ = rms_norm.vjp(gated.view(-1, width), ones, eps, (out_bar * weight).view(-1, width))
    gated_bar = gated_bar.view(y.shape)
    return GatedAdjoint(gated_bar * gate, silu_vjp(z, gated_bar * y), (out_bar * unit).sum(0))


def _normalised(gated: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    width = gated.shape[-1] // groups
    unit = rms_norm.jvp(gated.view(len(gated), -1, width), weight.new_ones(width), eps)
    return unit.view(gated.shape).mul_(weight.detach())
