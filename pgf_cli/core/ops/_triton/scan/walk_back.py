"""The scan's adjoint, right to left; see the package."""

import triton
import triton.language as tl

from pgf_cli.core.ops._triton.math import softplus_slope
from pgf_cli.core.ops._triton.rows import load_row
from pgf_cli.core.ops._triton.scan.steps import advance, output, step_terms
from pgf_cli.core.ops._triton.scan.tiles import (
    below,
    load_channels,
    load_states,
    store_channels,
    store_states,
    tile_lanes,
)


@triton.jit
def _output_bar(t, inputs, edges, y_bar, sizes, e, e_in, HELD: tl.constexpr, SPAN: tl.constexpr):
    """The adjoints of s = C . h + D u and of the gate at step t."""
    row = (t // SPAN) * (sizes.state + SPAN) + sizes.state + t % SPAN
    s = load_channels(edges, row, sizes, e, e_in)
    gate = tl.load(inputs.gate.data) if HELD else load_row(inputs.gate, t, e, e_in)
    bar = load_row(y_bar, t, e, e_in)
    _, by_s, by_gate = output(s, gate, HELD)
    return by_s * bar, by_gate * bar


@triton.jit
def _step_inputs(t, inputs, sizes, n, n_in, e, e_in):
    """Step size, its slope, u and B; past the end of the tile, what leaves the state as it is."""
    here = below(t, sizes.length)
    delta, sigma = softplus_slope(load_row(inputs.step, t, e, e_in & here))
    u = load_row(inputs.u, t, e, e_in & here)
    return tl.where(here, delta, 0.0), sigma, u, load_row(inputs.B, t, n, n_in & here)


@triton.jit
def _step_back(g, h, delta, u, B, A, HELD: tl.constexpr):
    """From the adjoint g of the state after a step, and the state h before it.

    Returns:
        The adjoints of h, of delta A, of delta, of u and of B, the last one by channel, not yet summed.
    """
    power, rest, gain, slope = step_terms(delta, A, HELD)
    e_bar = (power + rest) * h * g
    if HELD:
        held = gain * g
        e_bar += slope * (u * B) * g
        delta_bar = tl.sum(e_bar * A, axis=0)[None, :]
        u_bar, B_bar = tl.sum(held * B, axis=0)[None, :], held * u
    else:
        bu_bar = tl.sum(g * B, axis=0)[None, :]
        delta_bar = tl.sum(e_bar * A, axis=0)[None, :] + u * bu_bar
        u_bar, B_bar = delta * bu_bar, g * (delta * u)
    return power * g + rest * g, e_bar, delta_bar, u_bar, B_bar


@triton.jit
def compose_back(
    inputs,
    edges,
    y_bar,
    carry,
    sizes,
    HELD: tl.constexpr,
    CHUNK: tl.constexpr,
    SPAN: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Walk each chunk but the first from a zero adjoint at its right end."""
    chunk = tl.program_id(1) + 1
    n, n_in, e, e_in = tile_lanes(sizes, BLOCK_N, BLOCK_E)
    A = load_states(inputs.A, 0, sizes, n, e, n_in & e_in)
    h_bar = tl.zeros((BLOCK_N, BLOCK_E), A.dtype)
    total = tl.zeros((1, BLOCK_E), A.dtype)
    steps = tl.minimum(CHUNK, sizes.length - chunk * CHUNK)
    for back in range(1, steps + 1):
        t = chunk * CHUNK + steps - back
        delta, _ = softplus_slope(load_row(inputs.step, t, e, e_in))
        s_bar, _ = _output_bar(t, inputs, edges, y_bar, sizes, e, e_in, HELD, SPAN)
        power, rest, _, _ = step_terms(delta, A, HELD)
        g = h_bar + load_row(inputs.C, t, n, n_in) * s_bar
        h_bar = power * g + rest * g
        total += delta
    store_channels(carry.total, chunk, sizes, e, total, e_in)
    store_states(carry.added, chunk * sizes.state, sizes, n, e, h_bar, n_in & e_in)


@triton.jit
def walk_back(
    inputs,
    edges,
    y_bar,
    start,
    bars,
    scratch,
    sizes,
    HELD: tl.constexpr,
    CHUNK: tl.constexpr,
    SPAN: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Walk each chunk back from the true adjoint at its right end, states computed again span by span.

    Those of one span wait in ``scratch``, (chunks, SPAN, N, E), which stays in cache: indexing registers would take
    unrolled loops, and more registers than there are.
    """
    chunk = tl.program_id(1)
    n, n_in, e, e_in = tile_lanes(sizes, BLOCK_N, BLOCK_E)
    in_tile = n_in & e_in
    A = load_states(inputs.A, 0, sizes, n, e, in_tile)
    D = tl.load(inputs.D + e, mask=e_in, other=0.0)
    h_bar = load_states(start, chunk * sizes.state, sizes, n, e, in_tile)
    A_bar = tl.zeros((BLOCK_N, BLOCK_E), A.dtype)
    D_bar = tl.zeros((1, BLOCK_E), A.dtype)
    gate_bar = tl.zeros((1, BLOCK_E), A.dtype)
    spans = tl.cdiv(tl.minimum(CHUNK, sizes.length - chunk * CHUNK), SPAN)
    for back in range(1, spans + 1):
        begin = chunk * CHUNK + (spans - back) * SPAN
        h = load_states(edges, (begin // SPAN) * (sizes.state + SPAN), sizes, n, e, in_tile)
        for i in range(SPAN):
            store_states(scratch, (chunk * SPAN + i) * sizes.state, sizes, n, e, h, in_tile)
            delta, _, u, B = _step_inputs(begin + i, inputs, sizes, n, n_in, e, e_in)
            power, rest, gain, _ = step_terms(delta, A, HELD)
            h = advance(h, power, rest, gain * u * B)
        tl.debug_barrier()
        for i in range(SPAN):
            t = begin + SPAN - 1 - i
            before = load_states(scratch, (chunk * SPAN + SPAN - 1 - i) * sizes.state, sizes, n, e, in_tile)
            here = below(t, sizes.length)
            delta, sigma, u, B = _step_inputs(t, inputs, sizes, n, n_in, e, e_in)
            s_bar, through_gate = _output_bar(t, inputs, edges, y_bar, sizes, e, e_in & here, HELD, SPAN)
            g = h_bar + load_row(inputs.C, t, n, n_in & here) * s_bar
            h_bar, e_bar, delta_bar, u_bar, B_bar = _step_back(g, before, delta, u, B, A, HELD)
            A_bar += e_bar * delta
            D_bar += s_bar * u
            store_channels(bars.step, t, sizes, e, delta_bar * sigma, e_in & here)
            store_channels(bars.u, t, sizes, e, D * s_bar + u_bar, e_in & here)
            if HELD:
                gate_bar += through_gate
            else:
                store_channels(bars.gate, t, sizes, e, through_gate, e_in & here)
            row = (tl.program_id(0).to(tl.int64) * sizes.length + t) * sizes.state
            tl.store(bars.B + row + n, tl.sum(B_bar, axis=1)[:, None], mask=n_in & here)
            tl.store(bars.C + row + n, tl.sum(s_bar * h, axis=1)[:, None], mask=n_in & here)
            h = before
        tl.debug_barrier()
    store_states(bars.A, chunk * sizes.state, sizes, n, e, A_bar, in_tile)
    store_channels(bars.D, chunk, sizes, e, D_bar, e_in)
    if HELD:
        store_channels(bars.gate, chunk, sizes, e, gate_bar, e_in)
    if chunk == 0:
        store_states(bars.h, 0, sizes, n, e, h_bar, in_tile)
