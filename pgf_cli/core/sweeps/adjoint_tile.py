"""What an adjoint sweep yields."""

from typing import NamedTuple

from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models.protocol import State


class AdjointEdge(NamedTuple):
    """All that passes a tile's left edge: with it the sweep goes on elsewhere, to the same bytes."""

    position: int
    """0-based position of the tile's first base."""
    state_bar: State | None
    """The adjoint of the state there; None right of the last target, where nothing has been differentiated yet."""


class AdjointTile(NamedTuple):
    """What an adjoint sweep yields for each tile; its tensors are on the host."""

    start: int
    """0-based position of the tile's first base in its record."""
    bases: BaseCodes
    """Base codes, (T,)."""
    y: Tensor
    """The model's output, (T, C)."""
    x_bar: Tensor
    """The gradient with respect to the one-hot input, (T, 5): 0 in the N column and in the row of an N."""
    value: float
    """The tile's share of the objective, summed in float64."""
    before: AdjointEdge | None
    """What passes the tile's left edge, on the model's device; None where the sweep cannot be broken off there."""
