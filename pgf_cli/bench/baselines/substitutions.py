"""Responses to many single-base substitutions, each followed for as long, in one pass over a sequence.

A direction joins the sweep in the tile of its base and leaves it when it was followed far enough, so that what is swept
together are those alive: exact, at the cost of their average number.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.directions import Pulse, Pulses
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.models.protocol import State, map_state
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.threads import flush_denormals


class Response(NamedTuple):
    """What a substitution does."""

    pulse: Pulse
    before: float
    """The largest response before the base, in its tile; zero for a causal model."""
    values: Tensor
    """2-norm of y_dot over the output's channels from the base on, (followed,), float64."""


class _Living(NamedTuple):
    pulse: Pulse
    pieces: list[Tensor]


def responses(
    model: StreamingModel, codes: BaseCodes, pulses: Sequence[Pulse], followed: int, tile: int
) -> Iterator[Response]:
    """Yield the response to each pulse in the order of positions.

    Args:
        model: without lookahead.
        codes: base codes (L,).
        pulses: each at least ``followed`` bases before the end.
        followed: bases, the pulse's own included.
        tile: bases per tile.
    """
    waiting = sorted(pulses, key=lambda pulse: pulse.position, reverse=True)
    living: list[_Living] = []
    with torch.no_grad(), flush_denormals():
        x = one_hot(codes[:0], model.dtype, model.device)
        state, state_dot = model.initial_jvp(x, x.new_zeros(0, *x.shape))
    for start in range(0, len(codes), tile):
        end = min(len(codes), start + tile)
        while waiting and waiting[-1].position < end:
            living.append(_Living(waiting.pop(), []))
            state_dot = map_state(_one_more, state_dot)
        with torch.no_grad(), flush_denormals():
            y_dot, state, state_dot = _advance(model, codes[start:end], start, living, state, state_dot)
        for each, norms in zip(living, y_dot.double().norm(dim=-1), strict=True):
            each.pieces.append(norms)
        # In the order of positions the first to come are the first to go.
        done = sum(_last_tile(each.pulse, followed, tile) <= start for each in living)
        yield from (_response(each, followed, tile) for each in living[:done])
        living, state_dot = living[done:], map_state(partial(_without_first, done), state_dot)
        if not waiting and not living:
            return


def _one_more(dot: Tensor) -> Tensor:
    return torch.cat([dot, dot.new_zeros(1, *dot.shape[1:])])


def _without_first(count: int, dot: Tensor) -> Tensor:
    return dot[count:]


def _advance(
    model: StreamingModel, codes: BaseCodes, start: int, living: list[_Living], state: State, state_dot: State
) -> tuple[Tensor, State, State]:
    """y_dot (K, T, C) and the state after the tile."""
    x = one_hot(codes, model.dtype, model.device)
    v = x.new_zeros(0, *x.shape)
    if living:
        v = Pulses([each.pulse for each in living], separate=True).tangents(start, x)
    dual = model.jvp(x, v, state, state_dot)
    return dual.y_dot, dual.state, dual.state_dot


def _last_tile(pulse: Pulse, followed: int, tile: int) -> int:
    """Where the tile begins that holds the last base followed."""
    return (pulse.position + followed - 1) // tile * tile


def _response(done: _Living, followed: int, tile: int) -> Response:
    values, at = torch.cat(done.pieces), done.pulse.position % tile
    before = float(values[:at].max()) if at else 0.0
    return Response(done.pulse, before, values[at : at + followed])
