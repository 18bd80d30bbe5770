"""From a record's raw values to its tracks, hits and entry in the manifest.

Values are replayed in the order of positions, so nothing here depends on how they were cut or when they were computed.
"""

import resource
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import NamedTuple

from pgf_cli.core.sweeps import Schedule
from pgf_cli.genome import BaseCounts, RecordPasses
from pgf_cli.hits import Hit
from pgf_cli.runs.context import RecordContext
from pgf_cli.runs.hits import HitCaller
from pgf_cli.runs.scores import TrackScores
from pgf_cli.runs.trace import trace_ghosts
from pgf_cli.runs.values import HeldReading, MeanValues, RecordValues, TrackValues
from pgf_cli.sweeps import gradients
from pgf_cli.tracks.manifest import AdjointEntry, GhostEntry, RecordEntry, ScheduleEntry, TrackSummary
from pgf_cli.tracks.tile import HYPOTHETICAL, ScoredTile, TrackWriter
from pgf_cli.tracks.trace_table import TraceRow


class RecordResult(NamedTuple):
    """What a record leaves behind once its tracks are written."""

    entry: RecordEntry
    hits: list[Hit]
    sources: list[TraceRow]
    magnitude: float
    """Of the parts that its signed totals are sums of."""


class TrackSet(NamedTuple):
    """Tracks that are written side by side: those of one reading, or the means of both."""

    readings: Sequence[HeldReading]
    """Of which the values are. Positions are those of the first."""
    values: TrackValues
    null: TrackValues | None
    """The values of the shuffled record, where it is the null."""

    @property
    def context(self) -> RecordContext:
        """Whose coordinates, names and strand they have."""
        return self.readings[0].context


class _Called(NamedTuple):
    """What is said of a set of tracks, in the record's own coordinates."""

    summaries: dict[str, TrackSummary]
    hits: list[Hit]
    ghosts: dict[str, GhostEntry]
    sources: list[TraceRow]


def assemble_record(readings: Sequence[HeldReading], writers: Sequence[TrackWriter]) -> RecordResult:
    """Write a record's tracks and call its hits.

    Args:
        readings: of the record, the forward one first.
        writers: take the tracks.
    """
    with ExitStack() as stack:
        sets = _track_sets(readings, stack)
        scores = [_scores(each, each.values) for each in sets]
        for tile in _tiles(sets):
            for writer in writers:
                writer.write(tile)
        called = [_call(*each) for each in zip(sets, scores, strict=True)]
    sources = [row for each in called for row in each.sources]
    magnitude = sum(one["adjoint"]["magnitude"] for each in readings for one in each.sums if "adjoint" in one)
    return RecordResult(_entry(readings, called), [hit for each in called for hit in each.hits], sources, magnitude)


def _track_sets(readings: Sequence[HeldReading], stack: ExitStack) -> list[TrackSet]:
    settings = readings[0].context.plan.settings

    def opened(reading: HeldReading, *, null: bool) -> RecordValues:
        context = reading.context.shuffled if null else reading.context
        return stack.enter_context(closing(RecordValues(context, reading.passes, reading.held, null=null)))

    values = [opened(reading, null=False) for reading in readings]
    nulls = [opened(reading, null=True) for reading in readings] if settings.null else []
    if settings.strand == "average":
        return [TrackSet(readings, MeanValues(*values), MeanValues(*nulls) if nulls else None)]
    each_null: Sequence[TrackValues | None] = nulls or [None] * len(values)
    return [TrackSet([reading], one, null) for reading, one, null in zip(readings, values, each_null, strict=True)]


def _tiles(sets: Sequence[TrackSet]) -> Iterator[ScoredTile]:
    """The values of all sets side by side, in the record's own coordinates and order."""
    context = sets[0].context
    names = [track.name for track in context.tracks] + (list(HYPOTHETICAL) if context.plan.hypothetical else [])
    for tile in sets[0].values.forward(names):
        values, end = {}, tile.start + len(tile.bases)
        for each in sets:
            for name in names:
                there = tile.values[name] if each is sets[0] else each.values.read_forward(name, tile.start, end)
                values[each.context.named(name)] = there
        yield tile._replace(values=values)


def _call(tracks: TrackSet, scores: Mapping[str, TrackScores]) -> _Called:
    context, passes = tracks.context, tracks.readings[0].passes
    null = _null_peaks(tracks, tracks.null) if tracks.null else {}
    caller = HitCaller(tracks.readings, tracks.values)
    hits: list[Hit] = []
    ghosts: dict[str, GhostEntry] = {}
    for track in context.tracks:
        called = caller.call(track, scores[track.name], null.get(track.name))
        hits += called
        ghosts |= caller.ghost_entries(track, called)
    traced = [hit for hit in hits if hit.track == context.named("ghost")][: context.plan.settings.trace]
    sources = trace_ghosts(context, passes, traced, {name: ghost.upstream for name, ghost in ghosts.items()})
    summaries = {context.named(name): _forward_summary(context, kept.summary()) for name, kept in scores.items()}
    return _Called(summaries, [_forward_hit(context, hit) for hit in hits], ghosts, sources)


def _scores(tracks: TrackSet, values: TrackValues) -> dict[str, TrackScores]:
    context, written = tracks.context, tracks.readings[0].passes.spans
    settings = context.plan.settings
    scores = {
        track.name: TrackScores(
            written[0].start,
            written[-1].end,
            settings.hits,
            settings.hit_distance,
            pulsed=bool(context.direction.pulses) and track.is_tangent,
            signed=track.signed,
        )
        for track in context.tracks
    }
    for tile in values.oriented(list(scores)):
        _add(scores, tile)
    return scores


def _add(scores: dict[str, TrackScores], tile: ScoredTile) -> None:
    for name, values in tile.values.items():
        scores[name].add(tile.start, values, tile.scored)


def _null_peaks(tracks: TrackSet, null: TrackValues) -> dict[str, list[float]]:
    """The peaks of each track on one shuffle of the record, highest first."""
    scores = _scores(tracks, null)
    return {name: [peak.value for peak in kept.peaks.finish()] for name, kept in scores.items()}


def _entry(readings: Sequence[HeldReading], called: Sequence[_Called]) -> RecordEntry:
    context = readings[0].context
    record = context.record
    read = sum(one.end - one.start for reading in readings for one in reading.passes)
    spans = context.plan.selection.spans_by_record[record.name]
    counts = sum((record.record.counts(span.start, span.end) for span in spans), BaseCounts())
    seconds = sum(kind["seconds"] for reading in readings for one in reading.sums for kind in one.values())
    adjoint = [_adjoint_entry(reading) for reading in readings]
    return RecordEntry(
        name=record.name,
        length=len(record),
        read=read,
        written_from=spans[0].start,
        written_to=spans[-1].end,
        scored=counts.scored,
        n=counts.n,
        soft_masked=counts.soft_masked,
        iupac=counts.iupac,
        tracks={name: summary for each in called for name, summary in each.summaries.items()},
        ghosts={name: ghost for each in called for name, ghost in each.ghosts.items()},
        adjoint=adjoint[0],
        seconds=seconds,
        bases_per_second=read / seconds,
        peak_memory_bytes=peak_memory(),
        adjoint_reverse=adjoint[1] if len(adjoint) > 1 else None,
    )


def _adjoint_entry(reading: HeldReading) -> AdjointEntry | None:
    adjoint = [one["adjoint"] for one in reading.sums if "adjoint" in one]
    if not adjoint:
        return None
    tangent = [one["tangent"]["total"] for one in reading.sums if "tangent" in one]
    total = sum(one["total"] for one in adjoint)
    return AdjointEntry(
        objective=sum(one["value"] for one in adjoint),
        tangent_total=sum(tangent) if tangent else None,
        adjoint_total=total,
        gap=relative_gap(sum(tangent), total) if tangent else None,
        schedules=_schedules(reading.context, reading.passes),
    )


def _schedules(context: RecordContext, passes: RecordPasses) -> list[ScheduleEntry]:
    plan, walked = context.plan, Counter[Schedule]()
    for one in passes:
        objective = context.objective(one)
        if objective is None:
            raise ValueError("a plan with adjoint tracks has an objective")
        schedule = gradients(
            plan.model, context.bases, objective, start=one.start, end=one.end, tile=plan.tile,
            budget=plan.snapshot_bytes,
        ).schedule  # fmt: skip
        walked[schedule] += 1
    return [
        ScheduleEntry(each.tiles, each.snapshots, each.state_bytes, each.extra_tiles, sweeps)
        for each, sweeps in walked.items()
    ]


def relative_gap(one: float, other: float) -> float:
    """Return |one - other| over the larger magnitude; 0 where both are 0."""
    size = max(abs(one), abs(other))
    return abs(one - other) / size if size else 0.0


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _forward_hit(context: RecordContext, hit: Hit) -> Hit:
    position = context.record.forward(hit.start)
    return replace(hit, start=position, end=position + 1)


def _forward_summary(context: RecordContext, summary: TrackSummary) -> TrackSummary:
    if not context.record.reverse:
        return summary
    position = summary.strongest_position
    return replace(
        summary,
        bins=summary.bins[::-1],
        strongest_position=None if position is None else context.record.forward(position),
    )
