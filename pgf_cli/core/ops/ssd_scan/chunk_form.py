"""The scan as matrix products: within chunks of time all at once, from chunk to chunk a step of the state.

With z_t = delta_t A, chunk bases s <= t, and the state h before the chunk:

    y_t = sum_s W_ts delta_s u_s + exp(z_1 + ... + z_t) h C_t + D u_t,     W_ts = (C_t . B_s) exp(z_(s+1) + ... + z_t)
    h  <- h + (expm1(z_1 + ... + z_Q) h + sum_s exp(z_(s+1) + ... + z_Q) delta_s u_s (x) B_s)

Every sum of z is taken by itself: a difference of two cumulative sums loses what a stiff step in both drowns. Nothing
divides. Three passes: what each chunk adds to a state; a walk over chunks, which gives the state before each; outputs.
Tangents and adjoint do the same, the adjoint's walk from the right.

A device says how a tile is cut into pieces, and brings kernels for what is no product. Letters of shapes: Q bases of a
chunk, R heads of a group, P channels of a head, N states.

Source: Dao & Gu 2024, section 6; derivatives by the product rule.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.ops.scan_results import ScanDual, ScanPass
from pgf_cli.core.ops.ssd_scan import pieces as cutting
from pgf_cli.core.ops.ssd_scan.pieces import Piece, chunks_of, grouped
from pgf_cli.core.ops.ssd_scan.reference import Scan


class Device(NamedTuple):
    """How the scan is computed somewhere; the leading dimensions are those of a piece."""

    pieces: Callable[[int, int], list[Piece]]
    """Cuts a tile of a length, in so many groups."""
    for_each: Callable[[Callable[[Piece], None], Sequence[Piece]], None]
    decayed: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    """From z (..., Q, R) and scores (..., Q, Q): the decays exp(z_(s+1) + ... + z_t), 0 right of the diagonal, and the
    scores times them, each (..., R, Q, Q)."""
    decayed_jvp: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    """From the decays, the scores and the tangents of z and of the scores: that of the second result."""
    decayed_vjp: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
    """From both results and the adjoint of the second: those of the scores and of z."""
    carry: Callable[[Tensor, Tensor, Tensor], Tensor]
    """From exp(.) - 1 of the chunks' sums of z (chunks, H), what each chunk adds (chunks, H, P N) and the first state
    (H, P N): fills in the states before the chunks in place of what they add, and returns the last."""
    carry_jvp: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
    """The same for one tangent, given ``shrink``, the tangent of it and the states before the chunks."""
    carry_back: Callable[[Tensor, Tensor, Tensor], Tensor]
    """The same from the right: fills in the adjoints of the states after the chunks."""


class Decays(NamedTuple):
    """What depends on the step sizes alone, for the whole tile, each (T, G, R); of tangents, their logarithms'."""

    z: Tensor
    """delta A."""
    from_start: Tensor
    """How much is left of the state before the chunk."""
    to_end: Tensor
    """How much of what is fed is left after the chunk."""


class Opened(NamedTuple):
    """A piece of the tile."""

    delta: Tensor
    """(..., Q, R)."""
    B: Tensor
    """(..., Q, N)."""
    C: Tensor
    """(..., Q, N)."""
    u: Tensor
    """(..., Q, R, P)."""
    z: Tensor
    """(..., Q, R)."""
    fed: Tensor
    """delta u, (..., Q, R, P)."""
    from_start: Tensor
    """(..., Q, R, 1)."""
    to_end: Tensor
    """(..., Q, R, 1)."""


def forward(scan: Scan, device: Device) -> ScanPass:
    """See ``reference.forward``; the edges are the states before the chunks."""
    scan = _detached(scan)
    parts, shrink, edges = grouped(scan), torch.expm1(_sums(scan)), _states(scan)
    decays = _decays(parts)

    def add(piece: Piece) -> None:
        piece.states(edges).copy_(_gain(_open(piece, parts, decays)))

    y = scan.u.new_empty(scan.u.shape)
    y_parts = torch.unflatten(y, 1, parts.u.shape[1:3])

    def read(piece: Piece) -> None:
        here = _open(piece, parts, decays)
        _, weights = device.decayed(here.z, here.C @ here.B.mT)
        far = _beside_channels(here.C @ piece.states(edges).mT, here) * here.from_start
        near = (weights @ here.fed.transpose(-3, -2)).transpose(-3, -2)
        piece.rows(y_parts).copy_(near.add_(far).addcmul_(piece.weights(parts.D), here.u))

    pieces = device.pieces(len(scan.u), scan.B.shape[1])
    device.for_each(add, pieces)
    after = device.carry(shrink, _by_head(edges, scan), scan.h.flatten(1))
    device.for_each(read, pieces)
    return ScanPass(y, after.view(scan.h.shape), edges)


def jvp(primal: Scan, dot: Scan, device: Device) -> ScanDual:
    """See ``reference.jvp``."""
    primal, dot = _detached(primal), _detached(dot)
    directions = len(dot.u)
    parts, dots = grouped(primal), grouped(dot._replace(A=primal.A, D=primal.D))
    sums, edges, edges_dot = _sums(primal), _states(primal), _states(primal, directions)
    decays, z_dot = _decays(parts), dots.delta * parts.A
    decays_dot = Decays(z_dot, _by_chunk(_to_here, z_dot), _by_chunk(_after_here, z_dot))

    def add(piece: Piece) -> None:
        here = _open(piece, parts, decays)
        piece.states(edges).copy_(_gain(here))
        for k in range(directions):
            piece.states(edges_dot[k]).copy_(_gain_jvp(here, _open_dot(piece, parts, dots, decays_dot, k)))

    y = primal.u.new_empty(1 + directions, *primal.u.shape)
    y_parts = torch.unflatten(y, 2, parts.u.shape[1:3])

    def read(piece: Piece) -> None:
        here, h, D = _open(piece, parts, decays), piece.states(edges), piece.weights(parts.D)
        scores = here.C @ here.B.mT
        within, weights = device.decayed(here.z, scores)
        unshrunk, fed = _beside_channels(here.C @ h.mT, here), here.fed.transpose(-3, -2)
        near = (weights @ fed).transpose(-3, -2)
        piece.rows(y_parts[0]).copy_(near.add_(unshrunk * here.from_start).addcmul_(D, here.u))
        for k in range(directions):
            along = _open_dot(piece, parts, dots, decays_dot, k)
            scores_dot = (along.C @ here.B.mT).add_(here.C @ along.B.mT)
            weights_dot = device.decayed_jvp(within, scores, along.z, scores_dot)
            near = (weights_dot @ fed + weights @ along.fed.transpose(-3, -2)).transpose(-3, -2)
            far = _beside_channels((along.C @ h.mT).add_(here.C @ piece.states(edges_dot[k]).mT), here)
            far.addcmul_(along.from_start, unshrunk).mul_(here.from_start)
            piece.rows(y_parts[1 + k]).copy_(near.add_(far).addcmul_(D, along.u))

    pieces = device.pieces(len(primal.u), primal.B.shape[1])
    device.for_each(add, pieces)
    shrink = torch.expm1(sums)
    after = device.carry(shrink, _by_head(edges, primal), primal.h.flatten(1))
    after_dot = torch.empty_like(dot.h, memory_format=torch.contiguous_format)
    for k in range(directions):
        shrink_dot = sums.exp() * _sums(primal._replace(delta=dot.delta[k]))
        given = (shrink, shrink_dot, _by_head(edges, primal), _by_head(edges_dot[k], primal))
        after_dot[k] = device.carry_jvp(*given, dot.h[k].flatten(1)).view(primal.h.shape)
    device.for_each(read, pieces)
    return ScanDual(y, after.view(primal.h.shape), after_dot)


def vjp(primal: Scan, edges: Tensor, y_bar: Tensor, h_bar: Tensor, device: Device) -> Scan:
    """See ``reference.vjp``; with the edges from ``forward``."""
    primal = _detached(primal)
    groups, parts, sums = primal.B.shape[1], grouped(primal), _sums(primal)
    y_bars = torch.unflatten(y_bar.detach(), 1, parts.u.shape[1:3])
    edges_bar = _states(primal)
    bars = Scan(*(tensor.new_empty(tensor.shape) for tensor in primal))
    bar_parts, decays = grouped(bars), _decays(parts)
    # The adjoints of the sums of z that chunks are made of: within and all over, from the start, to the end.
    within_bar, start_bar, end_bar = primal.u.new_empty(3, *decays.z.shape)
    D_bar = primal.u.new_empty(len(edges), *parts.D.shape)

    def add(piece: Piece) -> None:
        moved = piece.rows(y_bars) * piece.rows(decays.from_start)[..., None]
        piece.states(edges_bar).copy_(moved.flatten(-2).mT @ piece.rows(parts.C))

    def read(piece: Piece) -> None:
        here, y_bar_here = _open(piece, parts, decays), piece.rows(y_bars)
        before, after_bar = piece.states(edges), piece.states(edges_bar)
        within, weights = device.decayed(here.z, here.C @ here.B.mT)
        fed, y_bar_heads = here.fed.transpose(-3, -2), y_bar_here.transpose(-3, -2)
        scores_bar, z_bar = device.decayed_vjp(within, weights, y_bar_heads @ fed.mT)
        # Of each head, its share of the adjoints of C and B through the states, (..., R, Q, N).
        C_bar = (y_bar_heads @ _of_heads(before, here)).mul_(here.from_start.transpose(-3, -2))
        B_bar = (fed @ _of_heads(after_bar, here)).mul_(here.to_end.transpose(-3, -2))
        piece.rows(within_bar).copy_(z_bar.add_(_crossing(before, after_bar, here)))
        piece.rows(start_bar).copy_((C_bar * here.C.unsqueeze(-3)).sum(-1).mT)
        piece.rows(end_bar).copy_((B_bar * here.B.unsqueeze(-3)).sum(-1).mT)
        fed_bar = (weights.mT @ y_bar_heads).transpose(-3, -2)
        fed_bar = fed_bar.addcmul(_beside_channels(here.B @ after_bar.mT, here), here.to_end)
        piece.rows(bar_parts.C).copy_((scores_bar @ here.B).add_(C_bar.sum(-3)))
        piece.rows(bar_parts.B).copy_((scores_bar.mT @ here.C).add_(B_bar.sum(-3)))
        piece.rows(bar_parts.u).copy_((fed_bar * here.delta[..., None]).addcmul_(piece.weights(parts.D), y_bar_here))
        piece.rows(bar_parts.delta).copy_((fed_bar * here.u).sum(-1))
        piece.states(D_bar).copy_((y_bar_here * here.u).sum(-3))

    pieces = device.pieces(len(primal.u), groups)
    device.for_each(add, pieces)
    before_bar = device.carry_back(torch.expm1(sums), _by_head(edges_bar, primal), h_bar.detach().flatten(1))
    device.for_each(read, pieces)
    z_bar = within_bar + _by_chunk(_from_here, start_bar) + _by_chunk(_before_here, end_bar)
    bar_parts.delta.addcmul_(z_bar, parts.A)
    return bars._replace(
        A=(z_bar * parts.delta).sum(0).view(primal.A.shape),
        D=D_bar.sum(0).view(primal.D.shape),
        h=before_bar.view(primal.h.shape),
    )


def _detached(scan: Scan) -> Scan:
    """No graph is recorded, whatever the worker threads' mode is."""
    return Scan(*(tensor.detach() for tensor in scan))


def _decays(parts: Scan) -> Decays:
    z = parts.delta * parts.A
    return Decays(z, _by_chunk(_to_here, z).exp_(), _by_chunk(_after_here, z).exp_())


def _open(piece: Piece, parts: Scan, decays: Decays) -> Opened:
    delta, B, C, u = (piece.rows(part) for part in (parts.delta, parts.B, parts.C, parts.u))
    z, from_start, to_end = (piece.rows(part) for part in decays)
    return Opened(delta, B, C, u, z, delta[..., None] * u, from_start[..., None], to_end[..., None])


def _open_dot(piece: Piece, parts: Scan, dots: Scan, decays_dot: Decays, k: int) -> Opened:
    """The tangents along direction k."""
    delta, u = piece.rows(parts.delta), piece.rows(parts.u)
    delta_dot, B_dot, C_dot, u_dot = (piece.rows(part[k]) for part in (dots.delta, dots.B, dots.C, dots.u))
    z_dot, from_start, to_end = (piece.rows(part[k]) for part in decays_dot)
    fed_dot = (delta_dot[..., None] * u).addcmul_(delta[..., None], u_dot)
    return Opened(delta_dot, B_dot, C_dot, u_dot, z_dot, fed_dot, from_start[..., None], to_end[..., None])


def _gain(here: Opened) -> Tensor:
    """What a chunk adds to a state, (..., R P, N)."""
    return (here.fed * here.to_end).flatten(-2).mT @ here.B


def _gain_jvp(here: Opened, along: Opened) -> Tensor:
    moved = torch.addcmul(along.fed, along.to_end, here.fed).mul_(here.to_end).flatten(-2)
    return (moved.mT @ here.B).add_((here.fed * here.to_end).flatten(-2).mT @ along.B)


def _crossing(before: Tensor, after_bar: Tensor, here: Opened) -> Tensor:
    """The adjoint of every z of a chunk through the state that crosses it, (..., 1, R)."""
    heads = here.z.shape[-1]
    product = torch.unflatten(before * after_bar, -2, (heads, -1)).sum((-2, -1))
    return (product * here.from_start[..., -1, :, 0])[..., None, :]


def _of_heads(states: Tensor, here: Opened) -> Tensor:
    """(..., R P, N) as (..., R, P, N)."""
    return torch.unflatten(states, -2, here.u.shape[-2:])


def _beside_channels(product: Tensor, here: Opened) -> Tensor:
    """(..., Q, R P) as (..., Q, R, P)."""
    return torch.unflatten(product, -1, here.u.shape[-2:])


def _by_chunk(sums: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Sums within chunks, for (..., T, G, R); time is the third axis from the end also of what ``sums`` gets."""
    whole = z.shape[-3] // cutting.CHUNK * cutting.CHUNK
    rest = sums(z[..., whole:, :, :])
    if not whole:
        return rest
    return torch.cat(
        [sums(torch.unflatten(z[..., :whole, :, :], -3, (-1, cutting.CHUNK))).flatten(-4, -3), rest], dim=-3
    )


def _to_here(z: Tensor) -> Tensor:
    """The sums over this base and what came earlier."""
    return z.cumsum(-3)


def _from_here(z: Tensor) -> Tensor:
    """The sums over this base and what comes later."""
    return z.flip(-3).cumsum(-3).flip(-3)


def _before_here(z: Tensor) -> Tensor:
    """The sums over what came earlier."""
    earlier = z[..., :-1, :, :].cumsum(-3)
    return torch.cat([torch.zeros_like(z[..., :1, :, :]), earlier], dim=-3)


def _after_here(z: Tensor) -> Tensor:
    """The sums over what comes later."""
    return _before_here(z.flip(-3)).flip(-3)


def _sums(scan: Scan) -> Tensor:
    """The sum of z over each chunk, (chunks, H)."""
    z = scan.delta * scan.A
    return torch.stack([z[first : first + count].sum(0) for first, count in chunks_of(len(z))])


def _states(scan: Scan, *directions: int) -> Tensor:
    """Room for a state at every chunk, (..., chunks, G, R P, N)."""
    H, P, N = scan.h.shape[-3:]
    groups = scan.B.shape[-2]
    return scan.u.new_empty(*directions, len(chunks_of(len(scan.u))), groups, H * P // groups, N)


def _by_head(states: Tensor, scan: Scan) -> Tensor:
    """(chunks, G, R P, N) as (chunks, H, P N)."""
    return states.view(len(states), len(scan.A), -1)
