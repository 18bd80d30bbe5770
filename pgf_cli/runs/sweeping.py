"""From sweeps to scored tiles: left to right for tangents, through the spool for what comes from the right."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import N_CODE, BaseSequence
from pgf_cli.core.objectives import Objective
from pgf_cli.core.sweeps import AdjointTile, Schedule, tangent_sweep
from pgf_cli.genome import Sweep, mirror
from pgf_cli.progress import Progress
from pgf_cli.runs.attribution import SignedTotal, joined_gradients, sweep_of, track_values
from pgf_cli.runs.hits import ReadRecord
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.tracks import RecordDirection, Track
from pgf_cli.tracks.spool import TrackSpool
from pgf_cli.tracks.tile import HYPOTHETICAL, NonFiniteScoreError, ScoredTile

REPLAY_BASES = 1 << 16

Values = dict[str, NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Sweeping:
    """Everything that the sweeps of one record need."""

    plan: RunPlan
    reading: ReadRecord
    bases: BaseSequence
    """What is read: the record's bases on the strand that is read, or a shuffle of them."""
    direction: RecordDirection
    tracks: Sequence[Track]
    progress: Progress

    def objective(self, sweep: Sweep) -> Objective | None:
        """Return a sweep's objective; None where there is no adjoint."""
        plan, record = self.plan, self.reading.record
        if plan.objective is None:
            return None
        return plan.objective.on(record.name, len(record), sweep.spans, plan.model, reverse=plan.reverse)


def tangent_tiles(sweeping: Sweeping, add_to_total: Callable[[float], None]) -> Iterator[ScoredTile]:
    """Yield the tangent's tracks from left to right, cut to what is written.

    Args:
        sweeping: the record.
        add_to_total: takes <w, J v> of each sweep.
    """
    settings, direction = sweeping.plan.settings, sweeping.direction
    tracks = [track for track in sweeping.tracks if track.is_tangent]
    # In pulse runs the ghost is a part of the response itself.
    ghost_distance = settings.ghost_distance if settings.ghost_distance and not direction.pulses else None
    for sweep in sweeping.reading.sweeps:
        objective = sweeping.objective(sweep)
        total = SignedTotal(sweeping.bases, objective, direction.direction, sweep.end) if objective else None
        tiles = tangent_sweep(
            sweeping.plan.model,
            sweeping.bases,
            direction.direction,
            start=sweep.start,
            end=sweep.end,
            tile=sweeping.plan.tile,
            ghost_distance=ghost_distance,
        )
        for tile in tiles:
            if total:
                total.add_tangent(tile)
            pieces = _written(sweep, tile.start, len(tile.bases))
            if pieces:
                values = {track.name: direction.values(track, tile, settings.ghost_distance) for track in tracks}
                yield from _cut(sweeping.reading, tile.start, tile.bases, values, pieces)
            sweeping.progress.advance(len(tile.bases), _doing(sweeping.reading, "tangent", pieces))
        if total:
            add_to_total(total.total)


def _reported(sweeping: Sweeping, sweep: Sweep, tiles: Iterable[AdjointTile]) -> Iterator[AdjointTile]:
    for tile in tiles:
        yield tile
        pieces = _written(sweep, tile.start, len(tile.bases))
        sweeping.progress.advance(len(tile.bases), _doing(sweeping.reading, "adjoint", pieces))


@dataclass(frozen=True)
class AdjointResult:
    """What the adjoint sweeps of a record leave beside their tracks."""

    value: float
    total: float
    """<J^T w, v>."""
    schedules: list[Schedule]


def spool_adjoint(sweeping: Sweeping, spool: TrackSpool) -> AdjointResult:
    """Sweep the adjoint of a record and spool its tracks and hypothetical scores, as far as they are written."""
    plan, settings = sweeping.plan, sweeping.plan.settings
    tracks = [track for track in sweeping.tracks if not track.is_tangent]
    value, total, schedules = 0.0, 0.0, []
    for sweep in sweeping.reading.sweeps:
        objective = sweeping.objective(sweep)
        if objective is None:
            raise ValueError("a plan with adjoint tracks has an objective")
        signed = SignedTotal(sweeping.bases, objective, sweeping.direction.direction, sweep.end)
        tiles = sweep_of(plan.model, sweeping.bases, objective, sweep, plan.tile, settings)
        for gradient in joined_gradients(_reported(sweeping, sweep, tiles)):
            signed.add_adjoint(gradient)
            start, bases, x_bar = gradient
            pieces = _written(sweep, start, len(bases))
            if pieces:
                correct, scores = settings.gradient_correction, plan.hypothetical
                values = track_values(tracks, x_bar, bases, correct=correct, scores=scores)
                for scored in _cut(sweeping.reading, start, bases, values, pieces):
                    spool.write(scored.start, scored.values)
        value, total = value + tiles.value, total + signed.total
        schedules.append(tiles.schedule)
    return AdjointResult(value, total, schedules)


def replayed(sweeping: Sweeping, spool: TrackSpool, names: Sequence[str]) -> Iterator[ScoredTile]:
    """Yield spooled tracks from left to right along the strand that is read."""
    for sweep in sweeping.reading.sweeps:
        for span in sweep.spans:
            for at in range(span.start, span.end, REPLAY_BASES):
                stop = min(span.end, at + REPLAY_BASES)
                values = {name: spool.read(name, at, stop) for name in names}
                yield ScoredTile(sweeping.reading.name, at, sweeping.bases[at:stop], values)


def replayed_forward(sweeping: Sweeping, spool: TrackSpool, names: Sequence[str]) -> Iterator[ScoredTile]:
    """Yield spooled tracks in the record's own coordinates and order."""
    if not sweeping.plan.reverse:
        yield from replayed(sweeping, spool, names)
        return
    record = sweeping.reading.record
    for sweep in reversed(sweeping.reading.sweeps):
        for span in reversed(sweep.spans):
            start, end = mirror(span.start, span.end, len(record))
            for at in range(start, end, REPLAY_BASES):
                stop = min(end, at + REPLAY_BASES)
                there = mirror(at, stop, len(record))
                values = {name: spool.read(_read_as(name), *there)[::-1].copy() for name in names}
                yield ScoredTile(record.name, at, record[at:stop], values)


def _read_as(name: str) -> str:
    """The spool's name of a track: on the other strand a base is its complement."""
    return HYPOTHETICAL[3 - HYPOTHETICAL.index(name)] if name in HYPOTHETICAL else name


def _written(sweep: Sweep, start: int, count: int) -> list[slice]:
    """The parts of a tile that are written."""
    # There can be as many spans as a chromosome has exons, and this is asked for each tile.
    first = bisect_right(sweep.spans, start, key=lambda span: span.end)
    last = bisect_left(sweep.spans, start + count, key=lambda span: span.start)
    return [
        slice(max(span.start, start) - start, min(span.end, start + count) - start) for span in sweep.spans[first:last]
    ]


def _cut(
    reading: ReadRecord, start: int, bases: NDArray[np.uint8], values: Values, pieces: Sequence[slice]
) -> Iterator[ScoredTile]:
    for name, row in values.items():
        wrong = np.flatnonzero(~np.isfinite(row) & (bases != N_CODE))
        if len(wrong):
            position = reading.forward(start + int(wrong[0]))
            raise NonFiniteScoreError(reading.name, position, name, float(row[wrong[0]]))
    for piece in pieces:
        cut = {name: row[piece] for name, row in values.items()}
        yield ScoredTile(reading.name, start + piece.start, bases[piece], cut)


def _doing(reading: ReadRecord, what: str, pieces: Sequence[slice]) -> str:
    return f"{reading.name} {what}" if pieces else f"{reading.name} {what}, context"
