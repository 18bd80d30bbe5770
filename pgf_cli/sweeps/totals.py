"""The total that both sweeps share: <w, J v> by the tangent, <J^T w, v> by the adjoint."""

from dataclasses import dataclass

from torch import Tensor

from pgf_cli.core.bases import BaseCodes, BaseSequence
from pgf_cli.core.directions import Direction
from pgf_cli.core.objectives import Objective
from pgf_cli.core.one_hot import one_hot
from pgf_cli.core.sweeps import TangentTile
from pgf_cli.sweeps.gradients import Gradient


@dataclass(frozen=True)
class SignedTotal:
    """What a tile or a piece adds to one of the two equal totals of a sweep, summed in float64.

    Args:
        bases: the record.
        objective: gives w.
        direction: gives v; its K directions are added up.
        end: one past the last base read.
    """

    bases: BaseSequence
    objective: Objective
    direction: Direction
    end: int

    def of_tangent(self, tile: TangentTile) -> float:
        """Return a tile's w . y_dot."""
        after = tile.start + len(tile.bases)
        following = int(self.bases[after : after + 1][0]) if after < self.end else None
        w = self.objective.weights(tile.start, tile.bases, following)
        return float((w.double() * tile.y_dot.double().sum(0)).sum().item())

    def of_adjoint(self, gradient: Gradient) -> tuple[float, float]:
        """Return a piece's x_bar . v, and the sum over its bases of the magnitudes of their parts of it."""
        parts = parts_along(self.direction, gradient.start, gradient.bases, gradient.x_bar)
        return float(parts.sum().item()), float(parts.abs().sum().item())


def parts_along(direction: Direction, start: int, bases: BaseCodes, x_bar: Tensor) -> Tensor:
    """Return each base's part of x_bar . v, (T,) in float64; the K directions are added up."""
    v = direction.tangents(start, one_hot(bases, x_bar.dtype, x_bar.device))
    return (x_bar.double() * v.double().sum(0)).sum(1)
