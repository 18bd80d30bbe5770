"""Calling the compiled loops of a scan: from tensors to arrays, and the outputs for a loop to fill."""

from typing import Any

import torch
from torch import Tensor

from pgf_cli.core.ops.selective_scan.reference import Scan, ScanDual, ScanPass

BLOCK = 32
"""Channels of a work item; a constant, so that the compiler unrolls and the number of threads changes nothing."""
SPAN = 16
"""Steps of time between two kept states."""


def run_forward(kernel: Any, primal: Scan) -> ScanPass:
    """Call a compiled loop with the tensors of a scan and with outputs for it to fill."""
    (length, inner), state = primal.u.shape, primal.B.shape[1]
    h = primal.h.clone(memory_format=torch.contiguous_format)
    y = primal.u.new_empty(length, inner)
    edges = primal.u.new_empty(-(-length // SPAN), -(-inner // BLOCK), state, BLOCK)
    _call(kernel, *primal[:-1], h, y, edges)
    return ScanPass(y, h, edges)


def run_jvp(kernel: Any, primal: Scan, dot: Scan) -> ScanDual:
    """Call a compiled loop with the tensors of a scan and with outputs for it to fill."""
    h, h_dot = (state.clone(memory_format=torch.contiguous_format) for state in (primal.h, dot.h))
    y, y_dot = primal.u.new_empty(primal.u.shape), dot.u.new_empty(dot.u.shape)
    moving = (dot.delta, dot.B, dot.C, dot.u, h_dot)
    _call(kernel, *primal[:-1], h, *moving, y, y_dot)
    return ScanDual(y, y_dot, h, h_dot)


def run_vjp(kernel: Any, primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor) -> Scan:
    """Call a compiled adjoint loop with the tensors of a scan and with outputs for it to fill."""
    (length, inner), state = primal.u.shape, primal.B.shape[1]
    h_bar = h_bar.clone(memory_format=torch.contiguous_format)
    delta_bar, u_bar, D_bar = (primal.u.new_empty(shape) for shape in ((length, inner), (length, inner), inner))
    A_bar = primal.u.new_empty(inner, state)
    B_bar, C_bar = primal.u.new_empty(2, edges.shape[1], length, state)
    _call(kernel, *primal[:-1], edges, y_bar, h_bar, delta_bar, A_bar, B_bar, C_bar, D_bar, u_bar)
    return Scan(delta_bar, A_bar, B_bar.sum(0), C_bar.sum(0), D_bar, u_bar, h_bar)


def _call(kernel: Any, *tensors: Tensor) -> None:
    kernel(*(tensor.detach().contiguous().numpy() for tensor in tensors))
