"""RMS normalisation compiled for the user's own processor: each verb one pass over memory, rows in parallel.

Sums run over LANES partial sums that are folded in a fixed order; panels of rows have a fixed size, so that the number
of threads changes nothing. What is computed is ``reference``.
"""

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.ops._numba.jit import kernel
from pgf_cli.core.ops._numba.mean_product import local_lanes, mean_product
from pgf_cli.core.threads import in_groups

PANEL_ROWS = 16
"""Rows whose shares of the weight's adjoint are added up together."""


@kernel
def _jvp(group, groups, stack, weight, eps, out):
    _, length, channels = stack.shape
    one = stack.dtype.type(1.0)
    lanes = local_lanes(stack.dtype)
    for t in range(group * length // groups, (group + 1) * length // groups):
        x = stack[0, t]
        scale = one / np.sqrt(mean_product(x, one, x, lanes) + eps)
        for i in range(channels):
            out[0, t, i] = x[i] * scale * weight[i]
        for k in range(1, stack.shape[0]):
            x_dot = stack[k, t]
            along = mean_product(x, scale, x_dot, lanes)
            for i in range(channels):
                out[k, t, i] = scale * (x_dot[i] - along * (scale * x[i])) * weight[i]


@kernel
def _vjp(group, groups, x_rows, weight, eps, y_bar, x_bar, weight_bar):
    length, channels = x_rows.shape
    one = x_rows.dtype.type(1.0)
    lanes = local_lanes(x_rows.dtype)
    unit_bar = np.empty(channels, x_rows.dtype)
    panels = len(weight_bar)
    for panel in range(group * panels // groups, (group + 1) * panels // groups):
        for i in range(channels):
            weight_bar[panel, i] = 0
        for t in range(panel * PANEL_ROWS, min(length, (panel + 1) * PANEL_ROWS)):
            x = x_rows[t]
            scale = one / np.sqrt(mean_product(x, one, x, lanes) + eps)
            for i in range(channels):
                unit_bar[i] = y_bar[t, i] * weight[i]
            along = mean_product(x, scale, unit_bar, lanes)
            for i in range(channels):
                x_bar[t, i] = scale * (unit_bar[i] - along * (scale * x[i]))
            for i in range(channels):
                weight_bar[panel, i] += y_bar[t, i] * x[i] * scale


def forward(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the normalised x (T, D); see ``reference.forward``."""
    return jvp(x[None], weight, eps)[0]


def jvp(stack: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Return the stack of the normalised x for a stack of x (1 + K, T, D); see ``reference.jvp``."""
    out = torch.empty_like(stack, memory_format=torch.contiguous_format)
    rows = stack.detach().contiguous().numpy()
    in_groups(_jvp, rows, weight.detach().numpy(), rows.dtype.type(eps), out.numpy())
    return out


def vjp(x: Tensor, weight: Tensor, eps: float, y_bar: Tensor) -> tuple[Tensor, Tensor]:
    """Return the adjoints of x (T, D) and of the weight (D,); see ``reference.vjp``."""
    rows = x.detach().contiguous().numpy()
    x_bar = torch.empty_like(x, memory_format=torch.contiguous_format)
    weight_bar = x.new_empty(-(-len(x) // PANEL_ROWS), x.shape[1])
    bars = (y_bar.detach().contiguous().numpy(), x_bar.numpy(), weight_bar.numpy())
    in_groups(_vjp, rows, weight.detach().numpy(), rows.dtype.type(eps), *bars)
    return x_bar, weight_bar.sum(0)
