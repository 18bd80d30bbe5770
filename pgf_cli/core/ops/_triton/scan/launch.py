"""Launching the kernels on tensors: contiguous outputs, grids, block sizes. Nothing here waits for the device."""

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor

from pgf_cli.core.ops._triton.rows import rows
from pgf_cli.core.ops._triton.scan.carry import carry_states
from pgf_cli.core.ops._triton.scan.tiles import Bars, Carry, Dots, Inputs, Sizes
from pgf_cli.core.ops._triton.scan.walk import compose, walk
from pgf_cli.core.ops._triton.scan.walk_back import compose_back, walk_back
from pgf_cli.core.ops.scan_results import ScanDual, ScanPass

CHUNK = 64
"""Steps of time of a program: short enough that a tile of some thousand bases fills a GPU."""
SPAN = 8
"""Steps between two kept states; it divides CHUNK."""
_GROUP = 4
"""Most tangents of one program; each further group computes the primal again."""
_TILE_BYTES = 1024
"""Of one program's states: 8 float32 registers a lane."""
_AHEAD = 4
"""Chunks that the pass over chunks reads at once."""
_REGISTERS = 255
"""All that a lane can have: unasked, the compiler spills some to make room for one more program."""
_FEWEST_CHANNELS = 8
"""Rows of fewer would waste memory transactions."""


class Blocks(NamedTuple):
    """Sizes of a program's tile."""

    n: int
    e: int
    warps: int


def blocks_for(state: int, dtype: torch.dtype) -> Blocks:
    """Return the tile for N states: few enough elements a lane that nothing spills."""
    n = triton.next_power_of_2(state)
    e = max(_TILE_BYTES // (n * dtype.itemsize), _FEWEST_CHANNELS)
    return Blocks(n, e, max(1, n * e * dtype.itemsize // _TILE_BYTES))


def group_for(directions: int) -> int:
    """Return how many tangents a program carries, the same for all programs: the largest divisor of K that fits."""
    return max(group for group in range(1, _GROUP + 1) if directions % group == 0) if directions else 0


def states(tensor: Tensor) -> Tensor:
    """Return (..., E, N) as (..., N, E); a copy, but for what these functions returned."""
    return tensor.detach().mT.contiguous()


class _Launch:
    """One scan over one tile: its sizes, and how to start a kernel on them."""

    def __init__(self, inputs: Inputs, *, held: bool, directions: int = 0) -> None:
        (length, inner), state = inputs.u.data.shape, inputs.B.data.shape[1]
        self.sizes = Sizes(length, inner, state, -(-length // CHUNK))
        self.directions = directions
        self.held = held
        self.group = group_for(directions)
        self.blocks = blocks_for(state, inputs.u.data.dtype)
        self.channel_blocks = -(-inner // self.blocks.e)
        self.empty = inputs.u.data.new_empty

    def carry(self, *directions: int) -> Carry:
        """What chunks hand to each other, for kernels to fill."""
        _, inner, state, chunks = self.sizes
        tiles = (*directions, chunks, state, inner)
        return Carry(self.empty(*directions, chunks, inner), self.empty(tiles), self.empty(tiles))

    def over(self, chunks: int, kernel: Any, *arguments: Any, **constants: Any) -> None:
        """Run a kernel over channel blocks, chunks and groups of directions."""
        groups = self.directions // self.group if self.group else 1
        self.start(kernel, (self.channel_blocks, chunks, groups), *arguments, **constants)

    def start(self, kernel: Any, grid: tuple[int, int, int], *arguments: Any, **constants: Any) -> None:
        """Run a kernel, unless there is nothing to run it on."""
        if all(grid):
            kernel[grid](
                *arguments,
                self.sizes,
                **constants,
                BLOCK_N=self.blocks.n,
                BLOCK_E=self.blocks.e,
                num_warps=self.blocks.warps,
                maxnreg=_REGISTERS,
                enable_fp_fusion=True,
            )

    def passes(self, inputs: Inputs, h: Tensor, tangents: tuple[Dots, Tensor] | None, edges: Tensor | None) -> ScanDual:
        """All three passes from left to right, with K tangents of the inputs and of h if there are any."""
        length, inner, state, chunks = self.sizes
        K = self.directions
        dots, first_dot, carry_dot, start_dot = None, None, None, None
        if tangents:
            dots, first_dot, carry_dot = tangents[0], states(tangents[1]), self.carry(K)
            start_dot = carry_dot.start
        carry = self.carry()
        constants = {"HELD": self.held, "GROUP": self.group, "CHUNK": CHUNK}
        self.over(chunks - 1, compose, inputs, dots, carry, carry_dot, **constants)
        self.carry_over(carry, carry_dot, inputs, states(h), first_dot, back=False)
        y, after, after_dot = self.empty(1 + K, length, inner), self.empty(state, inner), self.empty(K, state, inner)
        outs = (y, after, after_dot, edges)
        self.over(chunks, walk, inputs, dots, carry.start, start_dot, *outs, **constants, SPAN=SPAN)
        return ScanDual(y, after.mT, after_dot.mT)

    def carry_over(
        self,
        carry: Carry,
        carry_dot: Carry | None,
        inputs: Inputs,
        first: Tensor,
        first_dot: Tensor | None,
        *,
        back: bool,
    ) -> None:
        """The pass over chunks, from the first one's state on; each direction is a program's."""
        grid = (self.channel_blocks, 1, max(1, self.directions))
        arguments = (carry, carry_dot, inputs.A, first, first_dot)
        self.start(carry_states, grid, *arguments, BACK=back, TANGENT=carry_dot is not None, AHEAD=_AHEAD)


def forward(inputs: Inputs, h: Tensor, *, held: bool) -> ScanPass:
    """Return y, the state after the tile, and for the way back each span's first state and its s = C . h + D u.

    These edges are (spans, N + SPAN, E): N rows of the state, then one row of s for each step.
    """
    launch = _Launch(inputs, held=held)
    length, inner, state, _ = launch.sizes
    edges = launch.empty(-(-length // SPAN), state + SPAN, inner)
    y, after, _ = launch.passes(inputs, h, None, edges)
    return ScanPass(y[0], after, edges)


def jvp(inputs: Inputs, h: Tensor, dots: Dots, h_dot: Tensor, *, held: bool) -> ScanDual:
    """Return y, the state after the tile, and their K tangents."""
    launch = _Launch(inputs, held=held, directions=len(h_dot))
    return launch.passes(inputs, h, (dots, h_dot) if len(h_dot) else None, None)


def vjp(inputs: Inputs, edges: Tensor, y_bar: Tensor, h_bar: Tensor, *, held: bool) -> Bars:
    """Return the adjoints of all arguments; that of the selective scan's gates by element, of the paper's factor ()."""
    launch = _Launch(inputs, held=held)
    length, inner, state, chunks = launch.sizes
    carry, bar_rows = launch.carry(), rows(y_bar)
    constants = {"HELD": held, "CHUNK": CHUNK, "SPAN": SPAN}
    launch.over(chunks - 1, compose_back, inputs, edges, bar_rows, carry, **constants)
    launch.carry_over(carry, None, inputs, states(h_bar), None, back=True)
    B, C = launch.empty(2, launch.channel_blocks, length, state)
    bars = Bars(
        step=launch.empty(length, inner),
        A=launch.empty(chunks, state, inner),
        B=B,
        C=C,
        D=launch.empty(chunks, inner),
        u=launch.empty(length, inner),
        gate=launch.empty(chunks if held else length, inner),
        h=launch.empty(state, inner),
    )
    scratch = launch.empty(chunks, SPAN, state, inner)
    launch.over(chunks, walk_back, inputs, edges, bar_rows, carry.start, bars, scratch, **constants)
    gate = bars.gate.sum() if held else bars.gate
    return bars._replace(A=bars.A.sum(0).mT, B=B.sum(0), C=C.sum(0), D=bars.D.sum(0), gate=gate, h=bars.h.mT)
