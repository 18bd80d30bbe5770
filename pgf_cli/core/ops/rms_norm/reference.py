"""Root-mean-square normalisation: x / sqrt(mean(x^2) + eps) * weight."""

import torch
from torch import Tensor


def forward(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the normalised x (..., D). Source: Zhang & Sennrich 2019, equation 4."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def jvp(stack: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the stack of the normalised x for a stack of x (1 + K, T, D).

    With s = (mean(x^2) + eps)^(-1/2): d(x s) = s x_dot - s^3 mean(x x_dot) x.
    """
    x, x_dot = stack[0], stack[1:]
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    unit = x * scale
    out = torch.empty_like(stack)
    torch.mul(unit, weight, out=out[0])
    along = (unit * x_dot).mean(-1, keepdim=True)
    torch.mul(scale * (x_dot - along * unit), weight, out=out[1:])
    return out


def vjp(x: Tensor, weight: Tensor, eps: float, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """Return the adjoints of x (T, D) and of the weight (D,).

    With s as above and g = weight y_bar: x_bar = s g - s^3 mean(g x) x.
    """
    scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    unit = x * scale
    unit_bar = y_bar * weight
    along = (unit_bar * unit).mean(-1, keepdim=True)
    return scale * (unit_bar - along * unit), (y_bar * unit).sum(0)
