"""One record: its sweeps, its tracks, its hits, and what the manifest says of it.

Everything here counts positions along the strand that is read; only what is written is mapped back.
"""

import resource
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pgf_cli.genome import BaseCounts, InBlocks, ReadPass, ReverseComplement, Shuffled
from pgf_cli.hits import Hit
from pgf_cli.progress import Progress
from pgf_cli.runs.attribution import adjoint_entry
from pgf_cli.runs.hits import HitCaller, ReadRecord
from pgf_cli.runs.plan import RunPlan
from pgf_cli.runs.scores import TrackScores
from pgf_cli.runs.sweeping import AdjointResult, Sweeping, replayed, replayed_forward, spool_adjoint, tangent_tiles
from pgf_cli.runs.trace import trace_ghosts
from pgf_cli.runs.tracks import record_direction
from pgf_cli.tracks.manifest import AdjointEntry, GhostEntry, RecordEntry, TrackSummary
from pgf_cli.tracks.rechunk import rechunk
from pgf_cli.tracks.spool import TrackSpool
from pgf_cli.tracks.tile import HYPOTHETICAL, ScoredTile, TrackWriter
from pgf_cli.tracks.trace_table import TraceRow


class RecordResult(NamedTuple):
    """What a record leaves behind once its tracks are written."""

    entry: RecordEntry
    hits: list[Hit]
    sources: list[TraceRow]


def score_record(
    plan: RunPlan,
    sweeps: Sequence[ReadPass],
    writers: Sequence[TrackWriter],
    progress: Progress,
) -> RecordResult:
    """Sweep one record and write its tracks.

    Args:
        plan: the run.
        sweeps: all of the record's sweeps, in the order of reading.
        writers: take the tracks.
        progress: hears of every tile.
    """
    record = plan.genome.record(sweeps[0].contig)
    bases = InBlocks(ReverseComplement(record) if plan.reverse else record)
    reading = ReadRecord(record, bases, sweeps, plan.reverse)
    direction = record_direction(plan.settings, plan.sites, record.name, len(record))
    tracks = [track for track in plan.tracks if track.contig in (None, record.name)]
    sweeping = Sweeping(plan, reading, reading.bases, direction, tracks, progress)
    began = time.perf_counter()
    with _spool(sweeping) as spool:
        scores, adjoint = _sweep(sweeping, spool, writers)
        seconds = time.perf_counter() - began
        null = _null_peaks(sweeping) if plan.settings.null else {}
        caller = HitCaller(reading, direction, tracks, spool, plan.settings)
        hits: list[Hit] = []
        ghosts: dict[str, GhostEntry] = {}
        for track in tracks:
            called = caller.call(track, scores[track.name], null.get(track.name))
            hits += called
            ghosts |= caller.ghost_entries(track, called)
    traced = [hit for hit in hits if hit.track == "ghost"][: plan.settings.trace]
    sources = trace_ghosts(sweeping, traced, {name: ghost.upstream for name, ghost in ghosts.items()})
    summaries = {name: _forward_summary(reading, kept.summary()) for name, kept in scores.items()}
    entry = _entry(sweeping, seconds, summaries, ghosts, adjoint)
    return RecordResult(entry, [reading.forward_hit(hit) for hit in hits], sources)


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _spool(sweeping: Sweeping) -> TrackSpool:
    settings, reading = sweeping.plan.settings, sweeping.reading
    names = [track.name for track in sweeping.tracks]
    if sweeping.plan.hypothetical:
        names += HYPOTHETICAL
    return TrackSpool(settings.prefix.parent, names, np.dtype(settings.track_dtype), reading.start, reading.end)


def _sweep(
    sweeping: Sweeping, spool: TrackSpool, writers: Sequence[TrackWriter]
) -> tuple[dict[str, TrackScores], AdjointEntry | None]:
    """Sweep, spool and write; tracks that come from the right, or from the other strand, are written at the end."""
    plan = sweeping.plan
    at_once = plan.objective is None and not plan.reverse
    scores = _new_scores(sweeping)
    totals: list[float] = []
    if plan.settings.mode != "adjoint":
        for tile in rechunk(tangent_tiles(sweeping, totals.append)):
            spool.write(tile.start, tile.values)
            if at_once:
                _write(writers, [tile])
            _add(scores, [tile])
    adjoint = None
    if plan.objective is not None:
        result = spool_adjoint(sweeping, spool)
        _add(scores, replayed(sweeping, spool, [track.name for track in sweeping.tracks if not track.is_tangent]))
        adjoint = _adjoint_entry(result, totals)
    if not at_once:
        _write(writers, replayed_forward(sweeping, spool, [*scores, *(HYPOTHETICAL if plan.hypothetical else ())]))
    return scores, adjoint


def _new_scores(sweeping: Sweeping) -> dict[str, TrackScores]:
    reading, settings = sweeping.reading, sweeping.plan.settings
    return {
        track.name: TrackScores(
            reading.start,
            reading.end,
            settings.hits,
            settings.hit_distance,
            pulsed=bool(sweeping.plan.sites) and track.is_tangent,
            signed=track.signed,
        )
        for track in sweeping.tracks
    }


def _add(scores: dict[str, TrackScores], tiles: Iterable[ScoredTile]) -> None:
    for tile in tiles:
        for name, values in tile.values.items():
            scores[name].add(tile.start, values, tile.scored)


def _write(writers: Sequence[TrackWriter], tiles: Iterable[ScoredTile]) -> None:
    for tile in tiles:
        for writer in writers:
            writer.write(tile)


def _null_peaks(sweeping: Sweeping) -> dict[str, list[float]]:
    """The peaks of each track on one shuffle of the record, highest first."""
    shuffled = Shuffled(sweeping.reading.bases, sweeping.reading.name, sweeping.plan.settings.seed)
    null = replace(sweeping, bases=InBlocks(shuffled))
    with _spool(null) as spool:
        scores, _ = _sweep(null, spool, [])
    return {name: [peak.value for peak in kept.peaks.finish()] for name, kept in scores.items()}


def _adjoint_entry(result: AdjointResult, totals: Sequence[float]) -> AdjointEntry:
    return adjoint_entry(result.value, sum(totals) if totals else None, result.total, result.schedules)


def _entry(
    sweeping: Sweeping,
    seconds: float,
    summaries: dict[str, TrackSummary],
    ghosts: dict[str, GhostEntry],
    adjoint: AdjointEntry | None,
) -> RecordEntry:
    reading, record = sweeping.reading, sweeping.reading.record
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
        tracks=summaries,
        ghosts=ghosts,
        adjoint=adjoint,
        seconds=seconds,
        bases_per_second=read / seconds,
        peak_memory_bytes=peak_memory(),
    )


def _forward_summary(reading: ReadRecord, summary: TrackSummary) -> TrackSummary:
    if not reading.reverse:
        return summary
    position = summary.strongest_position
    return replace(
        summary,
        bins=summary.bins[::-1],
        strongest_position=None if position is None else reading.forward(position),
    )
