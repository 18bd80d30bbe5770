"""The scan and its tangents, left to right; see the package. Without tangents GROUP is 0."""

import triton
import triton.language as tl

from pgf_cli.core.ops._triton.math import softplus_slope
from pgf_cli.core.ops._triton.rows import load_row
from pgf_cli.core.ops._triton.scan.steps import advance, influence, output, step_terms
from pgf_cli.core.ops._triton.scan.tiles import (
    below,
    load_states,
    store_channels,
    store_states,
    tile_lanes,
    zeros,
)


@triton.jit
def _step(h, h_dots, t, inputs, dots, A, lanes, sizes, HELD: tl.constexpr, GROUP: tl.constexpr):
    """Take step t: the state after it, the step size and u, each with its tangents."""
    n, n_in, e, e_in = lanes
    delta, sigma = softplus_slope(load_row(inputs.step, t, e, e_in))
    u = load_row(inputs.u, t, e, e_in)
    B = load_row(inputs.B, t, n, n_in)
    power, rest, gain, slope = step_terms(delta, A, HELD)
    by_delta = influence(h, power + rest, A, slope, u * B, HELD)
    after_dots, delta_dots, u_dots = (), (), ()
    for i in tl.static_range(GROUP):
        k = tl.program_id(2) * GROUP + i
        delta_dot = sigma * load_row(dots.step, t, e, e_in, k)
        u_dot = load_row(dots.u, t, e, e_in, k)
        b_dot = (gain * B) * u_dot + (gain * u) * load_row(dots.B, t, n, n_in, k)
        after_dots += (advance(h_dots[i], power, rest, by_delta * delta_dot + b_dot),)
        delta_dots += (delta_dot,)
        u_dots += (u_dot,)
    return advance(h, power, rest, gain * u * B), after_dots, delta, delta_dots, u, u_dots


@triton.jit
def compose(
    inputs,
    dots,
    carry,
    carry_dot,
    sizes,
    HELD: tl.constexpr,
    GROUP: tl.constexpr,
    CHUNK: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Walk each chunk but the last from a zero state."""
    chunk = tl.program_id(1)
    lanes = tile_lanes(sizes, BLOCK_N, BLOCK_E)
    n, n_in, e, e_in = lanes
    in_tile = n_in & e_in
    A = load_states(inputs.A, 0, sizes, n, e, in_tile)
    h = tl.zeros_like(A)
    h_dots = zeros(GROUP, A)
    total = tl.zeros((1, BLOCK_E), A.dtype)
    totals_dot = zeros(GROUP, total)
    for t in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        h, h_dots, delta, delta_dots, _, _ = _step(h, h_dots, t, inputs, dots, A, lanes, sizes, HELD, GROUP)
        total += delta
        sums = ()
        for i in tl.static_range(GROUP):
            sums += (totals_dot[i] + delta_dots[i],)
        totals_dot = sums
    once = below(tl.program_id(2), 1)
    store_channels(carry.total, chunk, sizes, e, total, e_in & once)
    store_states(carry.added, chunk * sizes.state, sizes, n, e, h, in_tile & once)
    for i in tl.static_range(GROUP):
        k = tl.program_id(2) * GROUP + i
        store_channels(carry_dot.total, k * sizes.chunks + chunk, sizes, e, totals_dot[i], e_in)
        store_states(carry_dot.added, (k * sizes.chunks + chunk) * sizes.state, sizes, n, e, h_dots[i], in_tile)


@triton.jit
def walk(
    inputs,
    dots,
    start,
    start_dot,
    y,
    h_after,
    h_dot_after,
    edges,
    sizes,
    HELD: tl.constexpr,
    GROUP: tl.constexpr,
    CHUNK: tl.constexpr,
    SPAN: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    """Walk each chunk from its true state; y and, for the way back, ``edges`` (see ``launch``)."""
    chunk = tl.program_id(1)
    lanes = tile_lanes(sizes, BLOCK_N, BLOCK_E)
    n, n_in, e, e_in = lanes
    in_tile = n_in & e_in
    once = below(tl.program_id(2), 1)
    A = load_states(inputs.A, 0, sizes, n, e, in_tile)
    D = tl.load(inputs.D + e, mask=e_in, other=0.0)
    h = load_states(start, chunk * sizes.state, sizes, n, e, in_tile)
    h_dots = ()
    for i in tl.static_range(GROUP):
        k = tl.program_id(2) * GROUP + i
        h_dots += (load_states(start_dot, (k * sizes.chunks + chunk) * sizes.state, sizes, n, e, in_tile),)
    if HELD:
        gate = tl.load(inputs.gate.data)
    for t in range(chunk * CHUNK, tl.minimum((chunk + 1) * CHUNK, sizes.length)):
        if edges is not None and t % SPAN == 0:
            store_states(edges, (t // SPAN) * (sizes.state + SPAN), sizes, n, e, h, in_tile)
        h, h_dots, _, _, u, u_dots = _step(h, h_dots, t, inputs, dots, A, lanes, sizes, HELD, GROUP)
        C = load_row(inputs.C, t, n, n_in)
        s = tl.sum(C * h, axis=0)[None, :] + D * u
        if not HELD:
            gate = load_row(inputs.gate, t, e, e_in)
        value, by_s, by_gate = output(s, gate, HELD)
        store_channels(y, t, sizes, e, value, e_in & once)
        if edges is not None:
            row = (t // SPAN) * (sizes.state + SPAN) + sizes.state + t % SPAN
            store_channels(edges, row, sizes, e, s, e_in)
        for i in tl.static_range(GROUP):
            k = tl.program_id(2) * GROUP + i
            C_dot = load_row(dots.C, t, n, n_in, k)
            s_dot = tl.sum(C * h_dots[i] + C_dot * h, axis=0)[None, :] + D * u_dots[i]
            value_dot = by_s * s_dot
            if not HELD:
                value_dot += by_gate * load_row(dots.gate, t, e, e_in, k)
            store_channels(y, (k + 1) * sizes.length + t, sizes, e, value_dot, e_in)
    if chunk == sizes.chunks - 1:
        store_states(h_after, 0, sizes, n, e, h, in_tile & once)
        for i in tl.static_range(GROUP):
            k = tl.program_id(2) * GROUP + i
            store_states(h_dot_after, k * sizes.state, sizes, n, e, h_dots[i], in_tile)
