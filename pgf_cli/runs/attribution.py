"""The adjoint half of a record: its sweep from right to left, its tracks, and the total that both halves share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pgf_cli.core.bases import BaseCodes, BaseSequence, one_hot
from pgf_cli.core.directions import Direction
from pgf_cli.core.models import StreamingModel
from pgf_cli.core.objectives import Objective
from pgf_cli.core.sweeps import AdjointTile, TangentTile, adjoint_sweep
from pgf_cli.genome import Sweep
from pgf_cli.runs.tracks import Track
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.manifest import AdjointEntry, ScheduleEntry
from pgf_cli.tracks.rechunk import CHUNK_BASES
from pgf_cli.tracks.tile import HYPOTHETICAL

MEGABYTE = 10**6


class Gradient(NamedTuple):
    """The gradient with respect to consecutive bases."""

    start: int
    """0-based position of the first base."""
    bases: BaseCodes
    """Base codes, (T,)."""
    x_bar: Tensor
    """(T, 5)."""


def joined_gradients(tiles: Iterable[AdjointTile]) -> Iterator[Gradient]:
    """Join the tiles of an adjoint sweep, which come from right to left, to gradients of some 16,000 bases."""
    waiting: list[Gradient] = []
    count = 0
    for tile in tiles:
        waiting.append(Gradient(tile.start, tile.bases, tile.x_bar))
        count += len(tile.bases)
        if count >= CHUNK_BASES:
            yield _joined(waiting[::-1])
            waiting, count = [], 0
    if waiting:
        yield _joined(waiting[::-1])


def _joined(parts: Sequence[Gradient]) -> Gradient:
    bases = np.concatenate([part.bases for part in parts])
    return Gradient(parts[0].start, bases, torch.cat([part.x_bar for part in parts]))


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

    def add_adjoint(self, gradient: Gradient) -> None:
        """Add x_bar . v."""
        x_bar = gradient.x_bar
        v = self._direction.tangents(gradient.start, one_hot(gradient.bases, x_bar.dtype, x_bar.device))
        self.total += (x_bar.double() * v.double().sum(0)).sum().item()


def relative_gap(one: float, other: float) -> float:
    """Return |one - other| over the larger magnitude; 0 where both are 0."""
    size = max(abs(one), abs(other))
    return abs(one - other) / size if size else 0.0


def sweep_of(
    model: StreamingModel, bases: BaseSequence, objective: Objective, sweep: Sweep, tile: int, settings: RunSettings
) -> Any:
    """Return the adjoint sweep that serves ``sweep``."""
    return adjoint_sweep(
        model,
        bases,
        objective,
        start=sweep.start,
        end=sweep.end,
        tile=tile,
        budget=settings.snapshot_budget * MEGABYTE,
        folder=settings.prefix.parent if settings.snapshots_on_disk else None,
    )


def track_values(
    tracks: Sequence[Track], x_bar: Tensor, bases: BaseCodes, *, correct: bool, scores: bool
) -> dict[str, NDArray[np.floating[Any]]]:
    """Return adjoint tracks (T,) by name.

    Args:
        tracks: those of the adjoint.
        x_bar: gradient with respect to the one-hot input, (T, 5).
        bases: base codes (T,).
        correct: subtract the mean over the four bases.
        scores: return the four hypothetical scores as ``hypothetical A`` ..., too.

    Source: Majdandzic et al. 2023 for the correction.
    """
    gradient: NDArray[np.floating[Any]] = x_bar[:, :4].cpu().numpy()
    if correct:
        gradient = gradient - gradient.mean(1, keepdims=True)
    here = np.minimum(bases, 3).astype(np.int64)[:, None]
    reference = np.take_along_axis(gradient, here, axis=1)
    values = {}
    for track in tracks:
        if track.kind == "norm":
            values[track.name] = np.linalg.norm(gradient, axis=1).astype(gradient.dtype)
        elif track.kind == "max-snv":
            values[track.name] = _strongest(gradient - reference)
        else:
            values[track.name] = reference[:, 0]
    return values | {HYPOTHETICAL[column]: gradient[:, column] for column in range(4) if scores}


def _strongest(changes: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return of each row (T, 4) the value of largest magnitude, (T,)."""
    chosen = np.take_along_axis(changes, np.abs(changes).argmax(1)[:, None], axis=1)
    values: NDArray[np.floating[Any]] = chosen[:, 0]
    return values


def adjoint_entry(value: float, tangent: float | None, adjoint: float, schedules: Sequence[Any]) -> AdjointEntry:
    """Return what the manifest says of a record's adjoint."""
    return AdjointEntry(
        value,
        tangent,
        adjoint,
        None if tangent is None else relative_gap(tangent, adjoint),
        [ScheduleEntry(plan.tiles, plan.snapshots, plan.state_bytes, plan.extra_tiles) for plan in schedules],
    )
