"""Normalisations over channels, each with its analytic tangent and adjoint."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pgf_cli.core.ops import rms_norm


class NormAdjoint(NamedTuple):
    """The gradients with respect to what went in."""

    x: Tensor
    parameters: dict[str, Tensor]
    """By the norm's own names."""


class RMSNorm(nn.Module):
    """x / sqrt(mean(x^2) + eps), with a weight per channel."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (T, D), differentiably."""
        return rms_norm.reference.forward(x, self.weight, self.eps)

    def fast(self, x: Tensor) -> Tensor:
        """The same as ``forward`` by the fast path, without a graph."""
        return rms_norm.forward(x, self.weight, self.eps)

    def jvp(self, stack: Tensor) -> Tensor:
        """Normalise a stack (1 + K, T, D)."""
        return rms_norm.jvp(stack, self.weight, self.eps)

    def vjp(self, x: Tensor, y_bar: Tensor) -> NormAdjoint:
        """Return the adjoints of x (T, D) and of the parameters."""
        x_bar, weight_bar = rms_norm.vjp(x, self.weight, self.eps, y_bar)
        return NormAdjoint(x_bar, {"weight": weight_bar})


class LayerNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps), with a weight and a bias per channel.

    It is the RMS normalisation of centred rows, so it has the same fast paths; centring is its own adjoint.
    """

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (T, D), differentiably."""
        return rms_norm.reference.forward(_centred(x), self.weight, self.eps) + self.bias

    def fast(self, x: Tensor) -> Tensor:
        """The same as ``forward`` by the fast path, without a graph."""
        return rms_norm.forward(_centred(x), self.weight, self.eps) + self.bias

    def jvp(self, stack: Tensor) -> Tensor:
        """Normalise a stack (1 + K, T, D): the bias has no tangent."""
        y = rms_norm.jvp(_centred(stack), self.weight, self.eps)
        y[0] += self.bias
        return y

    def vjp(self, x: Tensor, y_bar: Tensor) -> NormAdjoint:
        """Return the adjoints of x (T, D) and of the parameters."""
        x_bar, weight_bar = rms_norm.vjp(_centred(x), self.weight, self.eps, y_bar)
        return NormAdjoint(_centred(x_bar), {"weight": weight_bar, "bias": y_bar.sum(0)})


Norm = RMSNorm | LayerNorm


def make_norm(channels: int, eps: float, *, layer_norm: bool) -> Norm:
    """Return one of either kind."""
    return LayerNorm(channels, eps) if layer_norm else RMSNorm(channels, eps)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)
