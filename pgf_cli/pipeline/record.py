"""One record: its sweeps, what is kept of its track, and its hits."""

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgf_cli.core.bases import N_CODE
from pgf_cli.core.directions import Contrast
from pgf_cli.core.sweeps import response, tangent_sweep
from pgf_cli.genome import BaseCounts, Record, Sweep, decode
from pgf_cli.pipeline.plan import TRACK, RunPlan
from pgf_cli.pipeline.progress import Progress
from pgf_cli.pulses import Hit, PeakFinder, TrackBins, TrackSketch
from pgf_cli.tracks import ScoredTile, TrackWriter
from pgf_cli.tracks.manifest import RecordEntry, TrackSummary

SPARKLINE_BINS = 60
HIT_CONTEXT = 10


class RecordResult(NamedTuple):
    """What a record leaves behind once its tracks are written."""

    entry: RecordEntry
    hits: list[Hit]


class TrackScores:
    """What is kept of one track of one record as it passes by: statistics, peaks and bins, in fixed memory."""

    def __init__(self, start: int, end: int, hits: int, distance: int) -> None:
        self.sketch = TrackSketch()
        self.peaks = PeakFinder(distance, hits)
        self.bins = TrackBins(start, end, SPARKLINE_BINS)
        self.highest: tuple[float, int] | None = None

    def add(self, start: int, values: NDArray[np.floating[Any]], scored: NDArray[np.bool_]) -> None:
        """Take the values (T,) from the 0-based position ``start`` on."""
        self.sketch.add(values[scored])
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
        sweeps: all of the record's sweeps, from left to right.
        writers: take the tracks.
        progress: hears of every tile.
    """
    record, settings = plan.genome.record(sweeps[0].contig), plan.settings
    spans = [span for sweep in sweeps for span in sweep.spans]
    scores = TrackScores(spans[0].start, spans[-1].end, settings.hits, settings.hit_distance)
    began = time.perf_counter()
    for tile in _scored_tiles(plan, record, sweeps, progress):
        # Writers refuse a score that is no number; the statistics could not make sense of it.
        for writer in writers:
            writer.write(tile)
        scores.add(tile.start, tile.values[TRACK], tile.scored)
    seconds = time.perf_counter() - began
    read = sum(sweep.end - sweep.start for sweep in sweeps)
    counts = sum((record.counts(span.start, span.end) for span in spans), BaseCounts())
    entry = RecordEntry(
        name=record.name,
        length=len(record),
        read=read,
        written_from=spans[0].start,
        written_to=spans[-1].end,
        scored=counts.scored,
        n=counts.n,
        soft_masked=counts.soft_masked,
        iupac=counts.iupac,
        tracks={TRACK: scores.summary()},
        seconds=seconds,
        bases_per_second=read / seconds,
        peak_memory_bytes=peak_memory(),
    )
    return RecordResult(entry, _hits(record, sweeps, scores, settings.hit_distance, np.dtype(settings.dtype)))


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _scored_tiles(plan: RunPlan, record: Record, sweeps: Sequence[Sweep], progress: Progress) -> Iterator[ScoredTile]:
    """The swept tiles, cut to what is written."""
    for sweep in sweeps:
        tiles = tangent_sweep(plan.model, record, Contrast(), start=sweep.start, end=sweep.end, tile=plan.settings.tile)
        for tile in tiles:
            values, end = response(tile.y_dot).cpu().numpy(), tile.start + len(tile.bases)
            written = [span for span in sweep.spans if span.start < end and span.end > tile.start]
            for span in written:
                here = slice(max(span.start, tile.start) - tile.start, min(span.end, end) - tile.start)
                yield ScoredTile(record.name, tile.start + here.start, tile.bases[here], {TRACK: values[here]})
            progress.advance(len(tile.bases), record.name if written else f"{record.name}, upstream context")


def _hits(
    record: Record, sweeps: Sequence[Sweep], scores: TrackScores, distance: int, dtype: np.dtype[Any]
) -> list[Hit]:
    """The record's hits; their values read as in the tracks: the shortest decimal of the run's own dtype."""
    return [
        Hit(
            chrom=record.name,
            start=peak.position,
            end=peak.position + 1,
            name=f"{TRACK}_{rank}",
            track=TRACK,
            value=float(str(dtype.type(peak.value))),
            percentile=scores.sketch.percentile(peak.value),
            robust_z=scores.sketch.robust_z(peak.value),
            flags=_flags(record, peak.position, sweeps, distance),
            context=_context(record, peak.position),
        )
        for rank, peak in enumerate(scores.peaks.finish(), start=1)
    ]


def _flags(record: Record, position: int, sweeps: Sequence[Sweep], distance: int) -> tuple[str, ...]:
    """Why a hit may say more about where the sequence begins or is unknown than about what it is."""
    flags = []
    if any(sweep.start <= position < sweep.start + distance for sweep in sweeps):
        flags.append("sequence_start")
    if (record[max(0, position - distance) : position + distance + 1] == N_CODE).any():
        flags.append("beside_N")
    return tuple(flags)


def _context(record: Record, position: int) -> str:
    """The bases around a hit, the hit's own in brackets."""
    before = decode(record[max(0, position - HIT_CONTEXT) : position])
    after = decode(record[position + 1 : position + 1 + HIT_CONTEXT])
    return f"{before}[{decode(record[position : position + 1])}]{after}"
