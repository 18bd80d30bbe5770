"""What a scan's kernels are given, and how they read and write states.

States are (N, E) in memory, so that neighbouring lanes read neighbouring channels, as in all other tensors; a tile of
any other order would make the compiler exchange registers between lanes at every step.
"""

from typing import NamedTuple

import triton
import triton.language as tl
from torch import Tensor

from pgf_cli.core.ops._triton.rows import Rows


class Sizes(NamedTuple):
    """T, E, N and the number of chunks."""

    length: int
    inner: int
    state: int
    chunks: int


class Inputs(NamedTuple):
    """What a scan reads."""

    step: Rows
    A: Tensor
    """(N, E)."""
    B: Rows
    C: Rows
    D: Tensor
    u: Rows
    gate: Rows
    """Gates z of the selective scan, (T, E); the factor of the paper's, ()."""


class Dots(NamedTuple):
    """K tangents of what a scan reads; of the weights' there is none."""

    step: Rows
    B: Rows
    C: Rows
    u: Rows
    gate: Rows | None
    """None for the paper's scan, whose factor is a weight."""


class Carry(NamedTuple):
    """What chunks hand to each other, or its K tangents, with a leading K."""

    total: Tensor
    """Sum of step sizes over each chunk, (chunks, E)."""
    added: Tensor
    """What each chunk makes of a zero state, (chunks, N, E)."""
    start: Tensor
    """The state where each chunk's walk starts, as ``added``."""


class Bars(NamedTuple):
    """What the adjoint writes; where programs share a sum, each writes a part."""

    step: Tensor
    """(T, E)."""
    A: Tensor
    """(chunks, N, E)."""
    B: Tensor
    """(channel blocks, T, N)."""
    C: Tensor
    D: Tensor
    """(chunks, E)."""
    u: Tensor
    """(T, E)."""
    gate: Tensor
    """(T, E) of the selective scan's gates, (chunks, E) of the paper's factor."""
    h: Tensor
    """(N, E)."""


@triton.jit
def tile_lanes(sizes, BLOCK_N: tl.constexpr, BLOCK_E: tl.constexpr):
    """This program's states (N, 1) and channels (1, E), each with its mask.

    Programs are numbered by channel block, chunk and group of directions.
    """
    n = tl.arange(0, BLOCK_N)[:, None]
    e = tl.program_id(0) * BLOCK_E + tl.arange(0, BLOCK_E)[None, :]
    # Or each lane would get four neighbouring channels and fewer states: softplus and SiLU, computed once for each
    # channel of a lane, would cost half as many instructions again.
    e = tl.max_contiguous(e, [1, 1])
    return n, n < sizes.state, e, e < sizes.inner


@triton.jit
def below(index, count):
    """Whether index < count as a mask (1, 1): Triton's interpreter does not combine masks with single truth values."""
    return tl.full((1, 1), index, tl.int32) < count


@triton.jit
def zeros(COUNT: tl.constexpr, like):
    """As many zero tiles as there are directions; directions are a tuple, so that every tile has the same layout."""
    tiles = ()
    for _ in tl.static_range(COUNT):
        tiles += (tl.zeros(like.shape, like.dtype),)
    return tiles


@triton.jit
def load_channels(data, index, sizes, e, mask):
    """Row ``index`` of a contiguous (., E); zero outside the mask."""
    return tl.load(data + tl.cast(index, tl.int64) * sizes.inner + e, mask=mask, other=0.0)


@triton.jit
def store_channels(data, index, sizes, e, value, mask):
    """Write what ``load_channels`` reads."""
    tl.store(data + tl.cast(index, tl.int64) * sizes.inner + e, value, mask=mask)


@triton.jit
def load_states(data, row, sizes, n, e, mask):
    """N rows of a contiguous (., E), from ``row`` on, in the shape (N, E); zero outside the mask."""
    first = data + tl.cast(row, tl.int64) * sizes.inner
    return tl.load(first + (n * sizes.inner + e), mask=mask, other=0.0)


@triton.jit
def store_states(data, row, sizes, n, e, value, mask):
    """Write what ``load_states`` reads."""
    first = data + tl.cast(row, tl.int64) * sizes.inner
    tl.store(first + (n * sizes.inner + e), value, mask=mask)
