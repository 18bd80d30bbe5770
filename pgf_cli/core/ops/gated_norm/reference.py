"""Gating, then RMS normalisation over the channels of each group: x = y silu(z); x / sqrt(mean(x^2) + eps) weight."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops import rms_norm
from pgf_cli.core.ops.activations import silu_jvp, silu_vjp


class GatedAdjoint(NamedTuple):
    """Adjoints of what went in."""

    y: Tensor
    z: Tensor
    weight: Tensor


def forward(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """Gate y (T, E) by z (T, E), then normalise each group's E / groups channels; weight (E,).

    Source: Dao & Gu 2024, section 7.1; the gate comes first, as in all published checkpoints.
    """
    gated = _cut(y * functional.silu(z), groups)
    return rms_norm.reference.forward(gated, _cut(weight, groups), eps).flatten(-2)


def jvp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """The same for stacks of y and z, (1 + K, T, E)."""
    gate, gate_dot = silu_jvp(z[0], z[1:])
    gated = torch.cat([(y[0] * gate)[None], y[1:] * gate + y[0] * gate_dot])
    return rms_norm.reference.jvp(_cut(gated, groups), _cut(weight, groups), eps).flatten(-2)


def vjp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int, out_bar: Tensor) -> GatedAdjoint:
    """Return the adjoints of y, z and the weight, given that of the result (T, E)."""
    gate = functional.silu(z)
    gated, bar = _cut(y * gate, groups), _cut(out_bar, groups)
    gated_bar, weight_bar = rms_norm.reference.vjp(gated, _cut(weight, groups), eps, bar)
    gated_bar = gated_bar.flatten(-2)
    return GatedAdjoint(gated_bar * gate, silu_vjp(z, gated_bar * y), weight_bar.flatten())


def _cut(channels: Tensor, groups: int) -> Tensor:
    """(..., E) to (..., groups, E / groups)."""
    return torch.unflatten(channels, -1, (groups, -1))
