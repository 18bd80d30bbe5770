"""Gates at the end of a mixer, with and without a norm after them, each with its analytic tangent and adjoint."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pgf_cli.core.ops import gated_norm
from pgf_cli.core.ops.activations import silu_jvp, silu_vjp


class GateAdjoint(NamedTuple):
    """The gradients with respect to what went in."""

    y: Tensor
    z: Tensor
    parameters: dict[str, Tensor]
    """By the gate's own names."""


class SiluGate(nn.Module):
    """y silu(z)."""

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """Gate y (T, E) by z (T, E), differentiably."""
        return y * functional.silu(z)

    def fast(self, y: Tensor, z: Tensor) -> Tensor:
        """The same as ``forward``, without a graph."""
        return y.detach() * functional.silu(z.detach())

    def jvp(self, y: Tensor, z: Tensor) -> Tensor:
        """The same for stacks (1 + K, T, E)."""
        gate, gate_dot = silu_jvp(z[0], z[1:])
        return torch.cat([(y[0] * gate)[None], y[1:] * gate + y[0] * gate_dot])

    def vjp(self, y: Tensor, z: Tensor, out_bar: Tensor) -> GateAdjoint:
        """Return the adjoints of y and z."""
        return GateAdjoint(out_bar * functional.silu(z), silu_vjp(z, out_bar * y), {})


class GatedNorm(nn.Module):
    """y silu(z), then an RMS norm over the channels of each group, with a weight per channel."""

    def __init__(self, channels: int, groups: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.groups = groups
        self.eps = eps

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """Gate y (T, E) by z (T, E) and normalise, differentiably."""
        return gated_norm.reference.forward(y, z, self.weight, self.eps, self.groups)

    def fast(self, y: Tensor, z: Tensor) -> Tensor:
        """The same as ``forward`` by the fast path, without a graph."""
        return gated_norm.forward(y, z, self.weight, self.eps, self.groups)

    def jvp(self, y: Tensor, z: Tensor) -> Tensor:
        """The same for stacks (1 + K, T, E)."""
        return gated_norm.jvp(y, z, self.weight, self.eps, self.groups)

    def vjp(self, y: Tensor, z: Tensor, out_bar: Tensor) -> GateAdjoint:
        """Return the adjoints of y, z and the weight."""
        bars = gated_norm.vjp(y, z, self.weight, self.eps, self.groups, out_bar)
        return GateAdjoint(bars.y, bars.z, {"weight": bars.weight})
