"""From chunk to chunk: the state at the start of each, from what each makes of a zero state."""

import triton
import triton.language as tl

from pgf_cli.core.ops._triton.math import LOG2_E, exp2_parts
from pgf_cli.core.ops._triton.scan.steps import advance
from pgf_cli.core.ops._triton.scan.tiles import below, load_channels, load_states, store_states, tile_lanes


@triton.jit
def _load_chunk(carry, row, sizes, n, e, in_tile, e_in):
    """The sum of a chunk's step sizes and what it adds to a state."""
    total = load_channels(carry.total, row, sizes, e, e_in)
    return total, load_states(carry.added, row * sizes.state, sizes, n, e, in_tile)


@triton.jit
def carry_states(
    carry,
    carry_dot,
    A_states,
    first,
    first_dot,
    sizes,
    BACK: tl.constexpr,
    TANGENT: tl.constexpr,
    AHEAD: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Fill ``carry.start``, given that of the first chunk (N, E); from the right if BACK; for one direction if TANGENT.

    Chunks are read AHEAD at a time: one after the other, each would wait for memory.
    """
    n, n_in, e, e_in = tile_lanes(sizes, BLOCK_N, BLOCK_E)
    in_tile = n_in & e_in
    once = below(tl.program_id(2), 1)
    own = tl.program_id(2) * sizes.chunks
    A = load_states(A_states, 0, sizes, n, e, in_tile)
    h = load_states(first, 0, sizes, n, e, in_tile)
    begin = sizes.chunks - 1 if BACK else 0
    store_states(carry.start, begin * sizes.state, sizes, n, e, h, in_tile & once)
    if TANGENT:
        h_dot = load_states(first_dot, tl.program_id(2) * sizes.state, sizes, n, e, in_tile)
        store_states(carry_dot.start, own * sizes.state, sizes, n, e, h_dot, in_tile)
    for crossed in range(0, sizes.chunks - 1, AHEAD):
        read, read_dot = (), ()
        for i in tl.static_range(AHEAD):
            source = sizes.chunks - 1 - crossed - i if BACK else crossed + i
            here = below(crossed + i, sizes.chunks - 1)
            read += (_load_chunk(carry, source, sizes, n, e, in_tile & here, e_in & here),)
            if TANGENT:
                read_dot += (_load_chunk(carry_dot, own + source, sizes, n, e, in_tile & here, e_in & here),)
        for i in tl.static_range(AHEAD):
            target = sizes.chunks - 2 - crossed - i if BACK else crossed + i + 1
            here = in_tile & below(crossed + i, sizes.chunks - 1)
            total, added = read[i]
            power, rest = exp2_parts((total * LOG2_E) * A)
            if TANGENT:
                total_dot, added_dot = read_dot[i]
                h_dot = advance(h_dot, power, rest, (power + rest) * A * h * total_dot + added_dot)
                store_states(carry_dot.start, (own + target) * sizes.state, sizes, n, e, h_dot, here)
            h = advance(h, power, rest, added)
            store_states(carry.start, target * sizes.state, sizes, n, e, h, here & once)
