"""Causal convolution with SiLU compiled for the user's own processor: each verb one pass over memory.

Rows are walked whole, which processors read ahead: some rows by each thread for the tangents, a group of channels for
the adjoint, whose sums run over time. No sum depends on how many threads there are. What is computed is ``reference``.
"""

import numpy as np
import torch
from torch import Tensor

from pgf_cli.core.ops._numba.compiled_activations import silu_slope
from pgf_cli.core.ops._numba.jit import kernel
from pgf_cli.core.ops.causal_conv.reference import ConvAdjoint
from pgf_cli.core.threads import in_groups

BLOCK = 32
"""Channels that are never parted: vectors end where they end, whatever the number of threads."""


@kernel
def _jvp(group, groups, stack, weight, bias, last, out):
    count, length, inner = stack.shape
    taps = weight.shape[0]
    sums, slope = np.empty(inner, stack.dtype), np.empty(inner, stack.dtype)
    for t in range(group * length // groups, (group + 1) * length // groups):
        for k in range(count):
            if k == 0:
                sums[:] = bias
            else:
                sums[:] = 0
            for tap in range(taps):
                row = t - taps + 1 + tap
                source = stack[k, row] if row >= 0 else last[k, row + taps - 1]
                for i in range(inner):
                    sums[i] += weight[tap, i] * source[i]
            if k == 0:
                for i in range(inner):
                    out[0, t, i], slope[i] = silu_slope(sums[i])
            else:
                for i in range(inner):
                    out[k, t, i] = sums[i] * slope[i]


@kernel
def _vjp(group, groups, x, weight, bias, last, y_bar, last_bar, x_bar, weight_bar, bias_bar, before_bar):
    length, inner = x.shape
    taps = weight.shape[0]
    blocks = (inner + BLOCK - 1) // BLOCK
    first, end = group * blocks // groups * BLOCK, min(inner, (group + 1) * blocks // groups * BLOCK)
    sums = np.empty(end - first, x.dtype)
    # The adjoints of the convolution's sums at this step and the taps - 1 after it, each step in its own slot.
    recent = np.zeros((taps, end - first), x.dtype)
    weight_bar[:, first:end] = 0
    bias_bar[first:end] = 0
    for t in range(length - 1, -taps, -1):
        here = recent[t % taps]
        here[:] = 0
        if t >= 0:
            sums[:] = bias[first:end]
            for tap in range(taps):
                row = t - taps + 1 + tap
                source = x[row, first:end] if row >= 0 else last[row + taps - 1, first:end]
                factor = weight[tap, first:end]
                for i in range(len(sums)):
                    sums[i] += factor[i] * source[i]
            above = y_bar[t, first:end]
            for i in range(len(sums)):
                _, slope = silu_slope(sums[i])
                here[i] = slope * above[i]
            total = bias_bar[first:end]
            for i in range(len(sums)):
                total[i] += here[i]
            for tap in range(taps):
                row = t - taps + 1 + tap
                source = x[row, first:end] if row >= 0 else last[row + taps - 1, first:end]
                total = weight_bar[tap, first:end]
                for i in range(len(sums)):
                    total[i] += source[i] * here[i]
        if t > length - taps:
            sums[:] = last_bar[t - length + taps - 1, first:end]
        else:
            sums[:] = 0
        for tap in range(taps):
            reader = recent[(t + taps - 1 - tap) % taps]
            factor = weight[tap, first:end]
            for i in range(len(sums)):
                sums[i] += factor[i] * reader[i]
        target = x_bar[t, first:end] if t >= 0 else before_bar[t + taps - 1, first:end]
        for i in range(len(sums)):
            target[i] = sums[i]


def forward(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve one tile; see ``reference.forward``."""
    y, after = jvp(x[None], weight, bias, last[None])
    return y[0], after[0]


def jvp(stack: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor) -> tuple[Tensor, Tensor]:
    """Convolve the stacks of x (1 + K, T, E) and of the last inputs (1 + K, taps - 1, E); see ``reference.jvp``."""
    stack, last = stack.detach().contiguous(), last.detach().contiguous()
    out = torch.empty_like(stack)
    in_groups(_jvp, stack.numpy(), _by_tap(weight), _bias(weight, bias), last.numpy(), out.numpy())
    return out, _inputs_after(stack, last)


def vjp(x: Tensor, weight: Tensor, bias: Tensor | None, last: Tensor, y_bar: Tensor, last_bar: Tensor) -> ConvAdjoint:
    """Return the adjoints of all arguments; see ``reference.vjp``."""
    inputs = [tensor.detach().contiguous().numpy() for tensor in (last, y_bar, last_bar)]
    bars = ConvAdjoint(*(torch.empty_like(tensor.contiguous()) for tensor in (x, weight.T, weight[:, 0], last)))
    outputs = [bar.numpy() for bar in bars]
    in_groups(_vjp, x.detach().contiguous().numpy(), _by_tap(weight), _bias(weight, bias), *inputs, *outputs)
    return bars._replace(weight=bars.weight.T)


def _by_tap(weight: Tensor) -> np.ndarray:
    by_tap: np.ndarray = weight.detach().T.contiguous().numpy()
    return by_tap


def _bias(weight: Tensor, bias: Tensor | None) -> np.ndarray:
    values: np.ndarray = (weight.new_zeros(len(weight)) if bias is None else bias).detach().numpy()
    return values


def _inputs_after(stack: Tensor, last: Tensor) -> Tensor:
    """The taps - 1 inputs before the next tile, some of them older than this one where it is short."""
    length, kept = stack.shape[1], last.shape[1]
    if length >= kept:
        return stack[:, length - kept :].clone()
    return torch.cat([last[:, length:], stack], dim=1)
