"""What the derivatives of one tile consist of."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

# A nest of tuples of tensors whose size does not depend on how much was read.
State = Any


def map_state(change: Callable[[Tensor], Tensor], state: State) -> State:
    """Return the same nest of tuples with every tensor changed."""
    if isinstance(state, Tensor):
        return change(state)
    parts = (map_state(change, part) for part in state)
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


class TileDual(NamedTuple):
    """A tile's output and the state after it, each with its tangents along K directions."""

    y: Tensor
    y_dot: Tensor
    state: State
    state_dot: State


class TileAdjoint(NamedTuple):
    """A tile's output, and the gradients with respect to what went into the tile."""

    y: Tensor
    x_bar: Tensor
    state_bar: State
    parameter_bars: dict[str, Tensor] | None
    """By the names of ``named_parameters``; None unless asked for."""


class InitialAdjoint(NamedTuple):
    """The gradients with respect to what the initial state was made from."""

    x_bar: Tensor
    parameter_bars: dict[str, Tensor] | None
    """By the names of ``named_parameters``; None unless asked for."""
