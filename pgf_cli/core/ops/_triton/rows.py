"""How kernels see a tensor of rows: slices of wider tensors as they are, by their strides."""

from typing import NamedTuple

import triton
import triton.language as tl
from torch import Tensor


class Rows(NamedTuple):
    """Rows in time of one tensor (T, .) or of several (K, T, .); the last axis is contiguous."""

    data: Tensor
    row: int
    """Stride of time."""
    direction: int
    """Stride of the leading K."""


def rows(tensor: Tensor) -> Rows:
    """Describe (T, .) or (K, T, .) to a kernel."""
    tensor = tensor.detach()
    if tensor.stride(-1) != 1:
        tensor = tensor.contiguous()
    return Rows(tensor, tensor.stride(-2), tensor.stride(0) if tensor.ndim == 3 else 0)


@triton.jit
def load_row(rows, t, lanes, mask, k=0):
    """Row t, or rows t (., 1), of direction k, at ``lanes``; zero outside the mask."""
    first = rows.data + tl.cast(k, tl.int64) * rows.direction + tl.cast(t, tl.int64) * rows.row
    return tl.load(first + lanes, mask=mask, other=0.0)
