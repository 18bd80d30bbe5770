"""From a record's peaks to its hits, with everything that is said of them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, Protocol

from pgf_cli.core.bases import N_CODE, BaseSequence
from pgf_cli.genome import PulseSite, ReadPass, Record, decode, mirror
from pgf_cli.hits import (
    Hit,
    Peak,
    PeakFinder,
    TrackSketch,
    false_discovery_rates,
    half_life,
    nearest_pulse,
    reach,
)
from pgf_cli.runs.tracks import RecordDirection, Track
from pgf_cli.settings import RunSettings
from pgf_cli.tracks.manifest import GhostEntry
from pgf_cli.tracks.spool import TrackSpool

HIT_CONTEXT = 10


class ReadRecord(NamedTuple):
    """A record as it is read: its bases on the strand that is read, and the sweeps, in that strand's positions."""

    record: Record
    bases: BaseSequence
    sweeps: Sequence[ReadPass]
    reverse: bool

    @property
    def name(self) -> str:
        """The record's name."""
        return self.record.name

    @property
    def start(self) -> int:
        """The first position written."""
        return self.sweeps[0].spans[0].start

    @property
    def end(self) -> int:
        """One past the last position written."""
        return self.sweeps[-1].end

    def forward(self, position: int) -> int:
        """Return a position in the record's own coordinates."""
        return len(self.record) - 1 - position if self.reverse else position

    def forward_span(self, start: int, end: int) -> tuple[int, int]:
        """Return an interval in the record's own coordinates."""
        return mirror(start, end, len(self.record)) if self.reverse else (start, end)

    def forward_hit(self, hit: Hit) -> Hit:
        """Return a hit in the record's own coordinates."""
        position = self.forward(hit.start)
        return replace(hit, start=position, end=position + 1)

    def written_until(self, position: int) -> int | None:
        """Return the end of the written stretch that holds a position; None where nothing is written."""
        spans = (span for sweep in self.sweeps for span in sweep.spans)
        return next((span.end for span in spans if span.start <= position < span.end), None)

    def sweep_at(self, position: int) -> ReadPass:
        """Return the sweep that writes a position."""
        return next(sweep for sweep in self.sweeps if any(s.start <= position < s.end for s in sweep.spans))


class Scores(Protocol):
    """What is known of a track that has passed by."""

    sketch: TrackSketch
    magnitudes: TrackSketch
    peaks: PeakFinder


class HitCaller:
    """Calls the hits of one record's tracks, those of signed tracks by magnitude.

    Args:
        reading: the record.
        direction: what was swept along it.
        tracks: its tracks.
        spool: their values.
        settings: the run's.
    """

    def __init__(
        self,
        reading: ReadRecord,
        direction: RecordDirection,
        tracks: Sequence[Track],
        spool: TrackSpool,
        settings: RunSettings,
    ) -> None:
        self._reading, self._direction, self._spool, self._settings = reading, direction, spool, settings
        self._responses = {track.index: track.name for track in tracks if track.kind == "response"}

    def call(self, track: Track, scores: Scores, null: Sequence[float] | None) -> list[Hit]:
        """Return a track's hits, highest first; positions are those of the strand that is read."""
        peaks = scores.peaks.finish()
        rates = false_discovery_rates([peak.value for peak in peaks], null) if null is not None else [None] * len(peaks)
        return [
            self._hit(track, rank, peak, scores, rate)
            for rank, (peak, rate) in enumerate(zip(peaks, rates, strict=True), start=1)
        ]

    def ghost_entries(self, track: Track, hits: Sequence[Hit]) -> dict[str, GhostEntry]:
        """Return, for the hits of a ghost track, their share of the response and how far upstream they go back."""
        if track.kind != "ghost":
            return {}
        return {hit.name: self._ghost_entry(track, hit) for hit in hits}

    def _hit(self, track: Track, rank: int, peak: Peak, scores: Scores, rate: float | None) -> Hit:
        position = peak.position
        value = self._spool.read(track.name, position, position + 1)[0]
        pulse, lag, life, far = self._persistence(track, position)
        return Hit(
            chrom=self._reading.name,
            start=position,
            end=position + 1,
            name=f"{track.name}_{rank}",
            track=track.name,
            # As in the track: the shortest decimal of the run's own number format.
            value=float(str(value)),
            percentile=scores.magnitudes.percentile(peak.value),
            robust_z=scores.sketch.robust_z(float(value)),
            fdr=rate,
            pulse=None if pulse is None else str(pulse),
            lag=lag,
            half_life=life,
            reach=far,
            flags=self._flags(position),
            context=self._context(position),
        )

    def _persistence(self, track: Track, position: int) -> tuple[PulseSite | None, int | None, int | None, int | None]:
        """The pulse that a hit goes back to, its lag, its half-life and the pulse's reach."""
        pulses = self._direction.pulses_of(track) if track.is_tangent else []
        places = [place for place, _ in pulses]
        index = nearest_pulse(position, places)
        if index is None:
            return None, None, None, None
        place, site = pulses[index]
        following = places[index + 1] if index + 1 < len(places) else self._reading.end
        read = partial(self._spool.read, self._responses[track.index])
        until = self._reading.written_until(position)
        life = half_life(read, position, min(following, until or 0))
        until = self._reading.written_until(place)
        far = None if until is None else reach(read, place, min(following, until))
        return site, position - place, life, far

    def _ghost_entry(self, track: Track, hit: Hit) -> GhostEntry:
        whole = self._spool.read(self._responses[track.index], hit.start, hit.end)[0]
        if hit.lag is not None:
            upstream = hit.lag
        else:
            distance = self._settings.ghost_distance
            offset = hit.start - self._reading.sweep_at(hit.start).start
            # The newest base that counts is the last one before the previous block.
            upstream = offset - (offset // distance - 1) * distance + 1
        return GhostEntry(share=float(hit.value / whole), upstream=upstream)

    def _flags(self, position: int) -> tuple[str, ...]:
        """Why a hit may say more about where the sequence begins or is unknown than about what it is."""
        distance, flags = self._settings.hit_distance, []
        if position < self._reading.sweep_at(position).start + distance:
            flags.append("sequence_start")
        if (self._reading.bases[max(0, position - distance) : position + distance + 1] == N_CODE).any():
            flags.append("beside_N")
        return tuple(flags)

    def _context(self, position: int) -> str:
        """The bases around a hit on the strand that is read, the hit's own in brackets."""
        bases = self._reading.bases
        before = decode(bases[max(0, position - HIT_CONTEXT) : position])
        after = decode(bases[position + 1 : position + 1 + HIT_CONTEXT])
        return f"{before}[{decode(bases[position : position + 1])}]{after}"
