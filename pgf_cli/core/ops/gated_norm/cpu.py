"""The gated norm compiled for the user's own processor: each verb one pass over memory, rows in parallel.

Sums and panels as in ``rms_norm``, so that the number of threads changes nothing. What is computed is ``reference``.
"""

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.ops._numba.compiled_activations import silu_slope
from pgf_cli.core.ops._numba.jit import kernel
from pgf_cli.core.ops._numba.mean_product import local_lanes, mean_product
from pgf_cli.core.ops.gated_norm.reference import GatedAdjoint
from pgf_cli.core.threads import in_groups

PANEL_ROWS = 16
"""Rows whose shares of the weight's adjoint are added up together."""


@kernel
def _jvp(group, groups, y, z, weight, eps, parts, out):
    _, length, channels = y.shape
    one, width = y.dtype.type(1.0), channels // parts
    lanes = local_lanes(y.dtype)
    gate, slope, x, x_dot = np.empty((4, channels), y.dtype)
    for t in range(group * length // groups, (group + 1) * length // groups):
        y_t, z_t = y[0, t], z[0, t]
        for i in range(channels):
            gate[i], slope[i] = silu_slope(z_t[i])
        for i in range(channels):
            x[i] = y_t[i] * gate[i]
            # From here on how a tangent of z enters.
            slope[i] *= y_t[i]
        for part in range(parts):
            first, end = part * width, (part + 1) * width
            here = x[first:end]
            scale = one / np.sqrt(mean_product(here, one, here, lanes) + eps)
            for i in range(first, end):
                out[0, t, i] = x[i] * scale * weight[i]
            for k in range(1, y.shape[0]):
                y_dot, z_dot = y[k, t], z[k, t]
                for i in range(first, end):
                    x_dot[i] = y_dot[i] * gate[i] + slope[i] * z_dot[i]
                along = mean_product(here, scale, x_dot[first:end], lanes)
                for i in range(first, end):
                    out[k, t, i] = scale * (x_dot[i] - along * (scale * x[i])) * weight[i]


@kernel
def _vjp(group, groups, y, z, weight, eps, parts, out_bar, y_bar, z_bar, weight_bar):
    length, channels = y.shape
    one, width = y.dtype.type(1.0), channels // parts
    lanes = local_lanes(y.dtype)
    gate, slope, x, unit_bar = np.empty((4, channels), y.dtype)
    panels = len(weight_bar)
    for panel in range(group * panels // groups, (group + 1) * panels // groups):
        for i in range(channels):
            weight_bar[panel, i] = 0
        for t in range(panel * PANEL_ROWS, min(length, (panel + 1) * PANEL_ROWS)):
            y_t, z_t, bar_t = y[t], z[t], out_bar[t]
            for i in range(channels):
                gate[i], slope[i] = silu_slope(z_t[i])
            for i in range(channels):
                x[i] = y_t[i] * gate[i]
                unit_bar[i] = bar_t[i] * weight[i]
            for part in range(parts):
                first, end = part * width, (part + 1) * width
                here = x[first:end]
                scale = one / np.sqrt(mean_product(here, one, here, lanes) + eps)
                along = mean_product(here, scale, unit_bar[first:end], lanes)
                for i in range(first, end):
                    x_bar = scale * (unit_bar[i] - along * (scale * x[i]))
                    y_bar[t, i] = x_bar * gate[i]
                    z_bar[t, i] = x_bar * y_t[i] * slope[i]
                for i in range(first, end):
                    weight_bar[panel, i] += bar_t[i] * x[i] * scale


def forward(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """Gate and normalise y (T, E); see ``reference.forward``."""
    return jvp(y[None], z[None], weight, eps, groups)[0]


def jvp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int) -> Tensor:
    """The same for stacks of y and z, (1 + K, T, E); see ``reference.jvp``."""
    out = torch.empty_like(y, memory_format=torch.contiguous_format)
    rows = _array(y)
    in_groups(_jvp, rows, _array(z), _array(weight), rows.dtype.type(eps), groups, out.numpy())
    return out


def vjp(y: Tensor, z: Tensor, weight: Tensor, eps: float, groups: int, out_bar: Tensor) -> GatedAdjoint:
    """Return the adjoints of y, z and the weight; see ``reference.vjp``."""
    rows = _array(y)
    y_bar, z_bar = y.new_empty(2, *y.shape)
    weight_bar = y.new_empty(-(-len(y) // PANEL_ROWS), y.shape[1])
    inputs = (rows, _array(z), _array(weight), rows.dtype.type(eps), groups, _array(out_bar))
    in_groups(_vjp, *inputs, y_bar.numpy(), z_bar.numpy(), weight_bar.numpy())
    return GatedAdjoint(y_bar, z_bar, weight_bar.sum(0))


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().contiguous().numpy()
    return array
