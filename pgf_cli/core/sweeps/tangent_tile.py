"""What a tangent sweep yields."""

from typing import NamedTuple

from torch import Tensor

from pgf_cli.core.bases import BaseCodes
from pgf_cli.core.models.protocol import State


class TangentEdge(NamedTuple):
    """All that passes a tile's right edge: with it the sweep goes on elsewhere, to the same bytes."""

    position: int
    """0-based position of the first base after the tile."""
    state: State
    state_dot: State
    """The state's tangents, each with a leading ages x K; a leading 0 before the direction begins."""


class TangentTile(NamedTuple):
    """What a tangent sweep yields for each tile; its tensors are on the host."""

    start: int
    """0-based position of the tile's first base in its record."""
    bases: BaseCodes
    """Base codes, (T,)."""
    y: Tensor
    """The model's output, (T, C)."""
    y_dot: Tensor
    """Its derivative along K directions, (K, T, C)."""
    ghost_dot: Tensor | None
    """The part of ``y_dot`` that goes back to what lies far upstream, (K, T, C); None unless asked for."""
    after: TangentEdge | None
    """What passes the tile's right edge, on the model's device; None for a model that reads in both directions."""

    @property
    def edge(self) -> TangentEdge:
        """What passes the right edge.

        Raises:
            ValueError: the model reads in both directions and hands nothing on.
        """
        if self.after is None:
            raise ValueError("a model that reads in both directions hands no state on")
        return self.after
