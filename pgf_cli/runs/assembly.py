"""From a record's raw values to its tracks, hits and entry in the manifest.

Values are replayed in the order of positions, so nothing here depends on how they were cut or when they were computed.
"""

import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pgf_cli.core.sweeps import Schedule
from pgf_cli.genome import BaseCounts, RecordPasses
from pgf_cli.hits import Hit
from pgf_cli.runs.context import RecordContext
from pgf_cli.runs.hits import HitCaller
from pgf_cli.runs.parts import Sums
from pgf_cli.runs.scores import TrackScores
from pgf_cli.runs.trace import trace_ghosts
from pgf_cli.runs.values import HeldPass, RecordValues
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


PassSums = Mapping[str, Sums]
"""The sums of one pass by the kind of sweep."""


def assemble_record(
    context: RecordContext, held: Sequence[HeldPass], sums: Sequence[PassSums], writers: Sequence[TrackWriter]
) -> RecordResult:
    """Write a record's tracks and call its hits.

    Args:
        context: the record.
        held: what holds each of its passes.
        sums: of each of its passes.
        writers: take the tracks.
    """
    plan, record = context.plan, context.record
    passes = plan.selection.by_record[record.name]
    values = RecordValues(context, passes, held)
    try:
        scores = _scores(context, passes, values)
        names = [track.name for track in context.tracks] + (list(HYPOTHETICAL) if plan.hypothetical else [])
        for tile in values.forward(names):
            for writer in writers:
                writer.write(tile)
        null = _null_peaks(context, passes, held) if plan.settings.null else {}
        caller = HitCaller(context, passes, values)
        hits: list[Hit] = []
        ghosts: dict[str, GhostEntry] = {}
        for track in context.tracks:
            called = caller.call(track, scores[track.name], null.get(track.name))
            hits += called
            ghosts |= caller.ghost_entries(track, called)
    finally:
        values.close()
    traced = [hit for hit in hits if hit.track == "ghost"][: plan.settings.trace]
    sources = trace_ghosts(context, passes, traced, {name: ghost.upstream for name, ghost in ghosts.items()})
    summaries = {name: _forward_summary(context, kept.summary()) for name, kept in scores.items()}
    entry = _entry(context, passes, sums, summaries, ghosts)
    magnitude = sum(one["adjoint"]["magnitude"] for one in sums if "adjoint" in one)
    return RecordResult(entry, [_forward_hit(context, hit) for hit in hits], sources, magnitude)


def _scores(context: RecordContext, passes: RecordPasses, values: RecordValues) -> dict[str, TrackScores]:
    settings, written = context.plan.settings, passes.spans
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


def _null_peaks(context: RecordContext, passes: RecordPasses, held: Sequence[HeldPass]) -> dict[str, list[float]]:
    """The peaks of each track on one shuffle of the record, highest first."""
    values = RecordValues(context.shuffled, passes, held, null=True)
    try:
        scores = _scores(context.shuffled, passes, values)
    finally:
        values.close()
    return {name: [peak.value for peak in kept.peaks.finish()] for name, kept in scores.items()}


def _entry(
    context: RecordContext,
    passes: RecordPasses,
    sums: Sequence[PassSums],
    summaries: dict[str, TrackSummary],
    ghosts: dict[str, GhostEntry],
) -> RecordEntry:
    record = context.record
    read = sum(one.end - one.start for one in passes)
    spans = context.plan.selection.spans_by_record[record.name]
    counts = sum((record.record.counts(span.start, span.end) for span in spans), BaseCounts())
    seconds = sum(kind["seconds"] for one in sums for kind in one.values())
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
        tracks=summaries,
        ghosts=ghosts,
        adjoint=_adjoint_entry(context, passes, sums),
        seconds=seconds,
        bases_per_second=read / seconds,
        peak_memory_bytes=peak_memory(),
    )


def _adjoint_entry(context: RecordContext, passes: RecordPasses, sums: Sequence[PassSums]) -> AdjointEntry | None:
    adjoint = [one["adjoint"] for one in sums if "adjoint" in one]
    if not adjoint:
        return None
    tangent = [one["tangent"]["total"] for one in sums if "tangent" in one]
    total = sum(one["total"] for one in adjoint)
    return AdjointEntry(
        objective=sum(one["value"] for one in adjoint),
        tangent_total=sum(tangent) if tangent else None,
        adjoint_total=total,
        gap=relative_gap(sum(tangent), total) if tangent else None,
        schedules=_schedules(context, passes),
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
