"""SiLU and softplus with their derivatives."""

import torch
from torch import Tensor
from torch.nn import functional

SOFTPLUS_THRESHOLD = 20.0
"""Above it softplus(x) is x, as in torch, whose models this must equal."""


def silu_jvp(x: Tensor, x_dot: Tensor) -> tuple[Tensor, Tensor]:
    """Return x sigmoid(x) and its tangent, for x (T, E) and x_dot (K, T, E)."""
    sigmoid = torch.sigmoid(x)
    y = x * sigmoid
    return y, (sigmoid + y * (1 - sigmoid)) * x_dot


def softplus_jvp(stack: Tensor) -> Tensor:
    """Return the stack of log(1 + e^x) for a stack of x (1 + K, T, E)."""
    x, x_dot = stack[0], stack[1:]
    out = torch.empty_like(stack)
    out[0] = functional.softplus(x)
    slope = torch.where(x > SOFTPLUS_THRESHOLD, 1.0, torch.sigmoid(x))
    torch.mul(slope, x_dot, out=out[1:])
    return out


def silu_vjp(x: Tensor, y_bar: Tensor) -> Tensor:
    """Return the adjoint of x, in one pass of torch's own."""
    x_bar: Tensor = torch.ops.aten.silu_backward(y_bar, x)
    return x_bar


def softplus_vjp(x: Tensor, y_bar: Tensor) -> Tensor:
    """Return the adjoint of x, in one pass of torch's own."""
    x_bar: Tensor = torch.ops.aten.softplus_backward(y_bar, x, 1.0, SOFTPLUS_THRESHOLD)
    return x_bar
