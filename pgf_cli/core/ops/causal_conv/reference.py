"""Depthwise causal convolution followed by SiLU; the state is the last (taps - 1) inputs."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pgf_cli.core.ops.activations import silu_jvp, silu_vjp


def _taps(padded: Tensor, weight: Tensor, length: int) -> Tensor:
    """Cross-correlate padded (..., taps - 1 + T, E) with weight (E, taps): the last tap meets the current row."""
    out = padded[..., :length, :] * weight[:, 0]
    for tap in range(1, weight.shape[1]):
        out = out + padded[..., tap : tap + length, :] * weight[:, tap]
    return out


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve one tile.

    Args:
        x: inputs, (T, E).
        weight: (E, taps).
        bias: (E,) or None.
        last: the inputs before the tile, (taps - 1, E); zeros at the start of a sequence.

    Returns:
        silu(bias + sum_k weight_k x_(t - taps + 1 + k)), (T, E), and the last inputs for the next tile.

    Source: Gu & Dao 2023, section 3.4.
    """
    padded = torch.cat([last, x])
    out = _taps(padded, weight, x.shape[0])
    return functional.silu(out if bias is None else out + bias), padded[x.shape[0] :]


def jvp(stack: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """The same for stacks: x (1 + K, T, E) and last (1 + K, taps - 1, E)."""
    length = stack.shape[1]
    padded = torch.cat([last, stack], dim=1)
    out = _taps(padded, weight, length)
    if bias is not None:
        out[0] += bias
    out[0], out[1:] = silu_jvp(out[0], out[1:])
    return out, padded[:, length:]


class ConvAdjoint(NamedTuple):
    """Adjoints of what went into a tile's convolution; ``bias`` is that of a bias, whether there is one or not."""

    x: Tensor
    weight: Tensor
    bias: Tensor
    last: Tensor


def vjp(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor, y_bar: Tensor, last_bar: Tensor) -> ConvAdjoint:
    """Return the adjoints of all arguments of ``forward``, given those of its output and of the last inputs after."""
    length, taps = len(x), weight.shape[1]
    padded = torch.cat([last, x])
    out = _taps(padded, weight, length)
    out_bar = silu_vjp(out if bias is None else out + bias, y_bar)
    padded_bar = torch.cat([torch.zeros_like(x), last_bar])
    weight_bar = torch.empty_like(weight)
    for tap in range(taps):
        padded_bar[tap : tap + length].addcmul_(out_bar, weight[:, tap])
        weight_bar[:, tap] = (padded[tap : tap + length] * out_bar).sum(0)
    return ConvAdjoint(padded_bar[taps - 1 :], weight_bar, out_bar.sum(0), padded_bar[: taps - 1])
