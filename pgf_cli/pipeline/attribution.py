"""The adjoint half of a record: its sweep from right to left, its tracks, and the total that both halves share."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import BaseCodes, BaseSequence, one_hot
from pgf_cli.core.directions import Direction
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import Objective
from pgf_cli.core.sweeps import AdjointTile, TangentTile, adjoint_sweep
from pgf_cli.genome import LETTERS, Sweep
from pgf_cli.pipeline.tracks import Track
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.manifest import AdjointEntry, ScheduleEntry

BASES = LETTERS[:4]
MEGABYTE = 10**6


class SignedTotal:
    """One of the two equal totals of a run, summed in float64: <w, J v> by the tangent or <J^T w, v> by the adjoint.

    Args:
        bases: the record.
        objective: gives w.
        direction: gives v; its K directions are added up.
        end: one past the last base read.
    """

    def __init__(self, bases: BaseSequence, objective: Objective, direction: Direction, end: int) -> None:
        self.total = 0.0
        self._bases, self._objective, self._direction, self._end = bases, objective, direction, end

    def add_tangent(self, tile: TangentTile) -> None:
        """Add a tile's w . y_dot."""
        after = tile.start + len(tile.bases)
        following = int(self._bases[after : after + 1][0]) if after < self._end else None
        w = self._objective.weights(tile.start, tile.bases, following)
        self.total += (w.double() * tile.y_dot.double().sum(0)).sum().item()

    def add_adjoint(self, tile: AdjointTile) -> None:
        """Add a tile's x_bar . v."""
        v = self._direction.tangents(tile.start, one_hot(tile.bases, tile.x_bar.dtype, tile.x_bar.device))
        self.total += (tile.x_bar.double() * v.double().sum(0)).sum().item()


def relative_gap(one: float, other: float) -> float:
    """Return |one - other| over the larger magnitude; 0 where both are 0."""
    size = max(abs(one), abs(other))
    return abs(one - other) / size if size else 0.0


def sweep_of(
    model: StreamingModel, bases: BaseSequence, objective: Objective, sweep: Sweep, settings: RunSettings
) -> Any:
    """Return the adjoint sweep that serves ``sweep``."""
    return adjoint_sweep(
        model,
        bases,
        objective,
        start=sweep.start,
        end=sweep.end,
        tile=settings.tile,
        budget=settings.snapshot_budget * MEGABYTE,
        folder=settings.prefix.parent if settings.snapshots_on_disk else None,
    )


def track_values(
    tracks: Sequence[Track], x_bar: Tensor, bases: BaseCodes, *, correct: bool
) -> dict[str, NDArray[np.floating[Any]]]:
    """Return the adjoint tracks (T,) of a tile by name, and the four hypothetical scores as ``hypothetical A`` ....

    Args:
        tracks: those of the adjoint.
        x_bar: gradient with respect to the one-hot input, (T, 5).
        bases: base codes (T,).
        correct: subtract the mean over the four bases.

    Source: Majdandzic et al. 2023 for the correction.
    """
    gradient: NDArray[np.floating[Any]] = x_bar[:, :4].cpu().numpy()
    if correct:
        gradient = gradient - gradient.mean(1, keepdims=True)
    here = np.minimum(bases, 3).astype(np.int64)[:, None]
    reference = np.take_along_axis(gradient, here, axis=1)
    changes = gradient - reference
    strongest = np.take_along_axis(changes, np.abs(changes).argmax(1)[:, None], axis=1)
    by_kind = {
        "contribution": reference[:, 0],
        "norm": np.linalg.norm(gradient, axis=1).astype(gradient.dtype),
        "max-snv": strongest[:, 0],
    }
    values = {track.name: by_kind[track.kind] for track in tracks}
    return values | {hypothetical(column): gradient[:, column] for column in range(4)}


def hypothetical(column: int) -> str:
    """Return the spool's name of a column of the hypothetical scores."""
    return f"hypothetical {BASES[column]}"


def adjoint_entry(value: float, tangent: float | None, adjoint: float, schedules: Sequence[Any]) -> AdjointEntry:
    """Return what the manifest says of a record's adjoint."""
    return AdjointEntry(
        value,
        tangent,
        adjoint,
        None if tangent is None else relative_gap(tangent, adjoint),
        [ScheduleEntry(plan.tiles, plan.snapshots, plan.state_bytes, plan.extra_tiles) for plan in schedules],
    )
