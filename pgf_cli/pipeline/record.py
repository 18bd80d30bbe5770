"""One record: its sweeps, what is kept of its tracks, and its hits.

Everything here counts positions along the strand that is read; only what is written is mapped back.
"""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import N_CODE, BaseSequence
from pgf_cli.core.sweeps import tangent_sweep
from pgf_cli.genome import BaseCounts, Record, ReverseComplement, Shuffled, Sweep, mirror
from pgf_cli.pipeline.hits import HitCaller, ReadRecord
from pgf_cli.pipeline.plan import RunPlan
from pgf_cli.pipeline.progress import Progress
from pgf_cli.pipeline.tracks import RecordDirection, Track, record_direction
from pgf_cli.pulses import Hit, PeakFinder, TrackBins, TrackSketch
from pgf_cli.tracks import NonFiniteScoreError, ScoredTile, TrackSpool, TrackWriter
from pgf_cli.tracks.manifest import GhostEntry, RecordEntry, TrackSummary

SPARKLINE_BINS = 60
REPLAY_BASES = 1 << 16


class RecordResult(NamedTuple):
    """What a record leaves behind once its tracks are written."""

    entry: RecordEntry
    hits: list[Hit]


class TrackScores:
    """What is kept of one track of one record as it passes by: statistics, peaks and bins, in fixed memory.

    In a pulse run the statistics are over the nonzero values, which all come after the first pulse.
    """

    def __init__(self, start: int, end: int, hits: int, distance: int, *, pulsed: bool) -> None:
        self.sketch = TrackSketch()
        self.peaks = PeakFinder(distance, hits)
        self.bins = TrackBins(start, end, SPARKLINE_BINS)
        self.highest: tuple[float, int] | None = None
        self._pulsed = pulsed

    def add(self, start: int, values: NDArray[np.floating[Any]], scored: NDArray[np.bool_]) -> None:
        """Take the values (T,) from the 0-based position ``start`` on."""
        self.sketch.add(values[scored & (values != 0)] if self._pulsed else values[scored])
        self.peaks.add(start, values, scored)
        self.bins.add(start, values, scored)
        if scored.any():
            best = int(np.argmax(np.where(scored, values, -np.inf)))
            if self.highest is None or values[best] > self.highest[0]:
                self.highest = (float(values[best]), start + best)

    def summary(self) -> TrackSummary:
        """Sum the track up."""
        sketch = self.sketch
        position = self.highest[1] if self.highest else None
        return TrackSummary(sketch.median, sketch.mad, sketch.minimum, sketch.maximum, position, self.bins.maxima)


def score_record(
    plan: RunPlan, sweeps: Sequence[Sweep], writers: Sequence[TrackWriter], progress: Progress
) -> RecordResult:
    """Sweep one record and write its tracks.

    Args:
        plan: the run.
        sweeps: all of the record's sweeps, in the order of reading.
        writers: take the tracks.
        progress: hears of every tile.
    """
    record, settings = plan.genome.record(sweeps[0].contig), plan.settings
    reading = ReadRecord(record, ReverseComplement(record) if plan.reverse else record, sweeps, plan.reverse)
    direction = record_direction(settings, plan.sites, record.name, len(record))
    tracks = [track for track in plan.tracks if track.contig in (None, record.name)]
    start, end = reading.start, reading.end
    scores = {
        track.name: TrackScores(start, end, settings.hits, settings.hit_distance, pulsed=bool(plan.sites))
        for track in tracks
    }
    began = time.perf_counter()
    names = list(scores)
    with TrackSpool(settings.prefix.parent, names, np.dtype(settings.dtype), start, end) as spool:
        for tile in _scored_tiles(plan, reading, reading.bases, direction, tracks, progress):
            spool.write(tile.start, tile.values)
            for name, values in tile.values.items():
                scores[name].add(tile.start, values, tile.scored)
            if not plan.reverse:
                _write(writers, tile)
        if plan.reverse:
            for tile in _replayed(reading, record, spool, names):
                _write(writers, tile)
        seconds = time.perf_counter() - began
        null = _null_peaks(plan, reading, direction, tracks, progress) if settings.null else {}
        hits: list[Hit] = []
        ghosts: dict[str, GhostEntry] = {}
        caller = HitCaller(reading, direction, tracks, spool, settings)
        for track in tracks:
            called = caller.call(track, scores[track.name], null.get(track.name))
            hits += called
            ghosts |= caller.ghost_entries(track, called)
    summaries = {name: kept.summary() for name, kept in scores.items()}
    entry = _entry(reading, record, seconds, summaries, ghosts)
    return RecordResult(entry, [reading.forward_hit(hit) for hit in hits])


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _scored_tiles(
    plan: RunPlan,
    reading: ReadRecord,
    bases: BaseSequence,
    direction: RecordDirection,
    tracks: Sequence[Track],
    progress: Progress,
) -> Iterator[ScoredTile]:
    """The swept tiles, cut to what is written."""
    settings = plan.settings
    # In pulse runs the ghost is a part of the response itself.
    ghost_distance = settings.ghost_distance if settings.ghost_distance and not direction.pulses else None
    for sweep in reading.sweeps:
        tiles = tangent_sweep(
            plan.model,
            bases,
            direction.direction,
            start=sweep.start,
            end=sweep.end,
            tile=settings.tile,
            ghost_distance=ghost_distance,
        )
        for tile in tiles:
            end = tile.start + len(tile.bases)
            written = [span for span in sweep.spans if span.start < end and span.end > tile.start]
            if written:
                values = {track.name: direction.values(track, tile, settings.ghost_distance) for track in tracks}
                _check_finite(reading, tile.start, tile.bases, values)
            for span in written:
                here = slice(max(span.start, tile.start) - tile.start, min(span.end, end) - tile.start)
                cut = {name: row[here] for name, row in values.items()}
                yield ScoredTile(reading.name, tile.start + here.start, tile.bases[here], cut)
            progress.advance(len(tile.bases), reading.name if written else f"{reading.name}, upstream context")


def _check_finite(
    reading: ReadRecord, start: int, bases: NDArray[np.uint8], values: dict[str, NDArray[np.floating[Any]]]
) -> None:
    for name, row in values.items():
        wrong = np.flatnonzero(~np.isfinite(row) & (bases != N_CODE))
        if len(wrong):
            position = reading.forward(start + int(wrong[0]))
            raise NonFiniteScoreError(reading.name, position, name, float(row[wrong[0]]))


def _write(writers: Sequence[TrackWriter], tile: ScoredTile) -> None:
    for writer in writers:
        writer.write(tile)


def _replayed(reading: ReadRecord, record: Record, spool: TrackSpool, names: Sequence[str]) -> Iterator[ScoredTile]:
    """The spooled tracks of the other strand, in the record's own order."""
    for sweep in reversed(reading.sweeps):
        for span in reversed(sweep.spans):
            start, end = mirror(span.start, span.end, len(record))
            for at in range(start, end, REPLAY_BASES):
                stop = min(end, at + REPLAY_BASES)
                there = mirror(at, stop, len(record))
                values = {name: spool.read(name, *there)[::-1].copy() for name in names}
                yield ScoredTile(reading.name, at, record[at:stop], values)


def _null_peaks(
    plan: RunPlan, reading: ReadRecord, direction: RecordDirection, tracks: Sequence[Track], progress: Progress
) -> dict[str, list[float]]:
    """The peaks of each track on one shuffle of the record, highest first."""
    settings = plan.settings
    shuffled = Shuffled(reading.bases, reading.name, settings.seed)
    finders = {track.name: PeakFinder(settings.hit_distance, settings.hits) for track in tracks}
    for tile in _scored_tiles(plan, reading, shuffled, direction, tracks, progress):
        for name, values in tile.values.items():
            finders[name].add(tile.start, values, tile.scored)
    return {name: [peak.value for peak in finder.finish()] for name, finder in finders.items()}


def _entry(
    reading: ReadRecord,
    record: Record,
    seconds: float,
    summaries: dict[str, TrackSummary],
    ghosts: dict[str, GhostEntry],
) -> RecordEntry:
    read = sum(sweep.end - sweep.start for sweep in reading.sweeps)
    spans = [reading.forward_span(span.start, span.end) for sweep in reading.sweeps for span in sweep.spans]
    counts = sum((record.counts(*span) for span in spans), BaseCounts())
    return RecordEntry(
        name=record.name,
        length=len(record),
        read=read,
        written_from=min(span[0] for span in spans),
        written_to=max(span[1] for span in spans),
        scored=counts.scored,
        n=counts.n,
        soft_masked=counts.soft_masked,
        iupac=counts.iupac,
        tracks={name: _forward_summary(reading, summary) for name, summary in summaries.items()},
        ghosts=ghosts,
        seconds=seconds,
        bases_per_second=read / seconds,
        peak_memory_bytes=peak_memory(),
    )


def _forward_summary(reading: ReadRecord, summary: TrackSummary) -> TrackSummary:
    if not reading.reverse:
        return summary
    position = summary.maximum_position
    return replace(
        summary,
        bins=summary.bins[::-1],
        maximum_position=None if position is None else reading.forward(position),
    )
